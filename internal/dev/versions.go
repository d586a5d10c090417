package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// TestVersions takes the project through Terraform 1.3.10, 1.5.7, the one on PATH, and OpenTofu: init and validate of every root, a plan of
// every one that is no mere module, and the plain journey on the embedded AWS. All are tried, whatever fails. VERSIONS= takes those whose
// name holds it ("tofu", "1.3").
func TestVersions(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	for _, architecture := range []string{"arm64", "x86_64"} { // the plans ask for the file
		if err := gobuild.Lambda(ctx, ws, con, architecture); err != nil {
			return err
		}
	}
	var trials []*trial
	for _, one := range []gobuild.Tool{gobuild.Terraform13, gobuild.Terraform15, {Name: "terraform", Version: "on PATH"}, gobuild.OpenTofu} {
		if !strings.Contains(one.Name+" "+one.Version, ws.Getenv("VERSIONS")) {
			continue
		}
		var bin string
		var err error
		if one.Package != "" {
			bin, err = one.Build(ctx, ws, con)
		} else if bin = workspace.LookPath(ws.Getenv("PATH"), one.Name); bin == "" {
			con.Say("no terraform is on PATH")
			continue
		}
		if err != nil {
			return err
		}
		t, err := tryVersion(ctx, ws, con, bin, strings.ReplaceAll(one.Name+"-"+one.Version, " ", "-"))
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	if len(trials) == 0 {
		return fmt.Errorf("no version's name contains VERSIONS=%s", ws.Getenv("VERSIONS"))
	}
	con.Say("\n%s", table(trials))
	var failed []error
	for _, t := range trials {
		if err := errors.Join(t.validate, t.plan, t.journey); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.version, err))
		}
	}
	return errors.Join(failed...)
}

// trial is what one version has shown.
type trial struct {
	version                 string
	roots                   int
	validate, plan, journey error
	took                    time.Duration
}

func tryVersion(ctx context.Context, ws *workspace.Workspace, con *console.Console, bin, name string) (*trial, error) {
	began := time.Now()
	own, roots, err := versionTree(ws, name)
	if err != nil {
		return nil, err
	}
	t := terraform.New(own, con, bin)
	if err := t.FindProvider(ctx, own, con); err != nil {
		return nil, err
	}
	version, err := t.Version(ctx)
	if err != nil {
		return nil, err
	}
	con.Say("%s (%s)", version, ws.Path(bin))
	shown := &trial{version: version, roots: len(roots)}
	var invalid []error
	for _, dir := range roots {
		invalid = append(invalid, inRoot(ctx, own, con, t, nil, dir, "validate"))
	}
	shown.validate = errors.Join(invalid...)
	tests := *ws
	tests.Env = append(t.Env[:len(t.Env):len(t.Env)], "TERRAFORM="+bin, "E2E_TERRAFORM="+bin, "E2E_LONG=1") // every example is planned
	shown.plan = goTest(ctx, &tests, con, "-timeout=60m", "-count=1", "-run=^TestPlans$", "./test")
	shown.journey = goTest(ctx, &tests, con, "-timeout=60m", "-count=1", "-v", "-run=^TestJourney$", "./test")
	shown.took = time.Since(began)
	return shown, nil
}

// versionTree is a fresh copy of the project's roots, by links to their files: each version keeps lock files of its own, and none of them here.
func versionTree(ws *workspace.Workspace, name string) (own *workspace.Workspace, roots []string, err error) {
	copied := *ws
	own = &copied
	own.Root = filepath.Join(ws.Root, "build", "versions", name)
	own.Stack = own.Root
	own.Env = workspace.Without(ws.Env, func(name string) bool { return name == "TF_DATA_DIR" })
	if err := os.RemoveAll(own.Root); err != nil {
		return nil, nil, err
	}
	dirs, err := terraformRoots(ws)
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range dirs {
		to := filepath.Join(own.Root, ws.Path(dir))
		if err := os.MkdirAll(to, 0o755); err != nil {
			return nil, nil, err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.Contains(e.Name(), ".tfvars") || strings.Contains(e.Name(), ".tfstate") {
				continue
			}
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return nil, nil, err
			}
		}
	}
	roots, err = terraformRoots(own)
	return own, roots, err
}

func table(trials []*trial) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "version\tvalidate\tplan\tjourney\ttime")
	word := func(err error) string {
		if err != nil {
			return "FAILED"
		}
		return "ok"
	}
	for _, t := range trials {
		fmt.Fprintf(w, "%s\t%s (%d folders)\t%s\t%s\t%s\n", t.version, word(t.validate), t.roots, word(t.plan), word(t.journey), t.took.Round(time.Second))
	}
	_ = w.Flush() // to a strings.Builder
	return b.String()
}
