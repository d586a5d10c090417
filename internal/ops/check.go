package ops

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

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
)

// Check runs gofmt, go vet, terraform fmt, terraform validate, terraform-docs and tflint over the whole tree; all findings are reported together.
func Check(ctx context.Context, p *Project) error {
	t, err := p.needTerraform(ctx)
	if err != nil {
		return err
	}
	if err := p.provider(ctx, t); err != nil {
		return err
	}
	findings := []error{p.gofmt(ctx), p.goVet(ctx), p.terraformFmt(ctx, t)}
	roots, err := p.terraformRoots()
	if err != nil {
		return err
	}
	for _, dir := range roots {
		findings = append(findings, p.inRoot(ctx, t, dir, "validate"))
	}
	findings = append(findings, TestDocs(ctx, p))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := errors.Join(findings...); err != nil {
		return err
	}
	p.say("checked: gofmt, go vet, terraform fmt, and terraform validate of %d folders", len(roots))
	return nil
}

// goFolders are the folders with Go code; .terraform and hidden ones are not among them.
var goFolders = []string{"magefile.go", "cmd", "internal", "lambda", "modules", "test"}

func (p *Project) existing(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !exists(filepath.Join(p.Root, n)) })
}

func (p *Project) gofmt(ctx context.Context) error {
	c := p.command(ctx, "gofmt", append([]string{"-l"}, p.existing(goFolders)...)...)
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

func (p *Project) goVet(ctx context.Context) error {
	for _, args := range [][]string{{"vet", "./..."}, {"vet", "-tags=mage", "."}} {
		if err := proc.Run(p.command(ctx, "go", args...), time.Minute); err != nil {
			return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

func (p *Project) terraformFmt(ctx context.Context, t *Terraform) error {
	here := *t
	here.Dir = p.Root
	var out bytes.Buffer
	err := here.run(ctx, &out, "fmt", "-check", "-recursive")
	if files := strings.Fields(out.String()); len(files) > 0 {
		return fmt.Errorf("terraform fmt: run `terraform fmt -recursive` for %s", strings.Join(files, ", "))
	}
	return err
}

// terraformRoots are the folders that are configurations of their own: the stack, the modules, the examples.
func (p *Project) terraformRoots() ([]string, error) {
	dirs := []string{p.Root}
	for _, pattern := range []string{"modules/*/*.tf", "examples/*/*.tf"} {
		files, err := filepath.Glob(filepath.Join(p.Root, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if dir := filepath.Dir(f); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// inRoot runs one Terraform command in a folder, with a data directory under build/ and no backend: no state is touched.
func (p *Project) inRoot(ctx context.Context, t *Terraform, dir string, args ...string) error {
	name := strings.ReplaceAll(p.path(dir), string(filepath.Separator), "-")
	data := filepath.Join(p.Root, "build", "terraform", name)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	here := *t
	var log bytes.Buffer
	here.Dir, here.Out = dir, &log
	here.Env = append(without(t.Env, func(name string) bool {
		return name == "TF_DATA_DIR" || name == "TF_WORKSPACE" || strings.HasPrefix(name, "TF_VAR_") || strings.HasPrefix(name, "TF_CLI_ARGS")
	}), "TF_DATA_DIR="+data)
	err := here.run(ctx, nil, "init", "-input=false", "-backend=false")
	if err == nil {
		err = here.run(ctx, nil, args...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", p.path(dir), err, strings.TrimSpace(log.String()))
	}
	if args[0] == "test" {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		p.say("%-20s %s", p.path(dir), lines[len(lines)-1])
	}
	return nil
}
