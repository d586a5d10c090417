package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Check runs gofmt, go vet, golangci-lint, terraform fmt, terraform validate, terraform-docs and tflint over the whole tree; all findings are reported together.
func Check(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	t, err := terraform.Need(ctx, ws, con)
	if err != nil {
		return err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return err
	}
	findings := []error{gofmt(ctx, ws, con), goVet(ctx, ws, con), lintGo(ctx, ws, con), terraformFmt(ctx, ws, t)}
	roots, err := terraformRoots(ws)
	if err != nil {
		return err
	}
	shared := shareProviders(ctx)
	defer shared.close()
	for _, dir := range roots {
		findings = append(findings, inRoot(ctx, ws, con, t, shared, dir, "validate"))
	}
	findings = append(findings, TestDocs(ctx, ws, con))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := errors.Join(findings...); err != nil {
		return err
	}
	con.Say("checked: gofmt, go vet, golangci-lint, terraform fmt, and terraform validate of %d folders", len(roots))
	return nil
}

// goFolders are the folders with Go code; .terraform and hidden ones are not among them.
var goFolders = []string{"magefile.go", "cmd", "internal", "lambda", "modules", "test"}

func existingIn(ws *workspace.Workspace, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !workspace.Exists(filepath.Join(ws.Root, n)) })
}

func gofmt(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	c := ws.Command(ctx, con.Out, "gofmt", append([]string{"-l"}, existingIn(ws, goFolders)...)...)
	var out bytes.Buffer
	c.Stdout = &out
	if err := proc.Run(c, time.Minute); err != nil {
		return fmt.Errorf("gofmt: %w", err)
	}
	if files := strings.Fields(out.String()); len(files) > 0 {
		return fmt.Errorf("gofmt: run `gofmt -w %s`", strings.Join(files, " "))
	}
	return nil
}

func goVet(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	for _, args := range [][]string{{"vet", "./..."}, {"vet", "-tags=mage", "."}} {
		if err := proc.Run(ws.Command(ctx, con.Out, "go", args...), time.Minute); err != nil {
			return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// lintGo runs golangci-lint with .golangci.yml.
func lintGo(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	lint, err := gobuild.GolangciLint.Build(ctx, ws, con)
	if err != nil {
		return err
	}
	c := ws.Command(ctx, con.Out, lint, "run", "--allow-parallel-runners", "./...")
	if err := proc.Run(c, time.Minute); err != nil {
		return fmt.Errorf("golangci-lint: %w", err)
	}
	return nil
}

func terraformFmt(ctx context.Context, ws *workspace.Workspace, t *terraform.CLI) error {
	here := *t
	here.Dir = ws.Root
	var out bytes.Buffer
	err := here.Run(ctx, &out, "fmt", "-check", "-recursive")
	if files := strings.Fields(out.String()); len(files) > 0 {
		return fmt.Errorf("terraform fmt: run `terraform fmt -recursive` for %s", strings.Join(files, ", "))
	}
	return err
}

// ofARelease is an example whose modules come from a release, which the tree is not: the journeys run it from one that they pack.
const ofARelease = "examples/from-a-release"

// terraformRoots are the folders that are configurations of their own and have all they need here: the stack, the modules, the examples.
func terraformRoots(ws *workspace.Workspace) ([]string, error) {
	dirs := []string{ws.Root}
	for _, pattern := range []string{"modules/*/*.tf", "examples/*/*.tf"} {
		files, err := workspace.Glob(ws.Root, pattern)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if dir := filepath.Dir(f); !slices.Contains(dirs, dir) && filepath.ToSlash(ws.Path(dir)) != ofARelease {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// linked makes a folder of links to a folder's Terraform files.
func linked(dir, to string) (string, error) {
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	files, err := workspace.Glob(dir, "*.tf")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", err
	}
	for _, f := range files {
		if err := os.Symlink(f, filepath.Join(to, filepath.Base(f))); err != nil {
			return "", err
		}
	}
	return to, nil
}

// inRoot runs one Terraform command in a folder, with a data directory under build/ and no backend: no state is touched. Without shared
// (nil), Terraform starts its providers itself.
func inRoot(ctx context.Context, ws *workspace.Workspace, con *console.Console, t *terraform.CLI, shared *providers, dir string, args ...string) error {
	name := strings.ReplaceAll(ws.Path(dir), string(filepath.Separator), "-")
	data := filepath.Join(ws.Root, "build", "terraform", name)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	override, err := terraform.OverrideReleased(dir, filepath.Join(ws.Root, "modules"))
	if err != nil {
		return err
	}
	here := *t
	var log bytes.Buffer
	here.Dir, here.Out = dir, &log
	if len(override) > 0 { // an example, which stands alone: as its folder's copy does
		if here.Dir, err = linked(dir, filepath.Join(data, "root")); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(here.Dir, "override.tf"), override, 0o600); err != nil {
			return err
		}
	}
	here.Env = append(workspace.Without(t.Env, func(name string) bool {
		return name == "TF_DATA_DIR" || name == "TF_WORKSPACE" || strings.HasPrefix(name, "TF_VAR_") || strings.HasPrefix(name, "TF_CLI_ARGS")
	}), "TF_DATA_DIR="+data)
	err = here.Run(ctx, nil, "init", "-input=false", "-backend=false")
	if err == nil && shared != nil {
		var attach []string
		attach, err = shared.environment(&here, data)
		here.Env = append(here.Env, attach...)
	}
	if err == nil {
		err = here.Run(ctx, nil, args...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", ws.Path(dir), err, strings.TrimSpace(log.String()))
	}
	if args[0] == "test" {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		con.Say("%-20s %s", ws.Path(dir), lines[len(lines)-1])
	}
	return nil
}
