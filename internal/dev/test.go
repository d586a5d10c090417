package dev

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// TestUnit runs the Go tests of everything but the journeys in test/.
func TestUnit(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	packages, err := unitPackages(ctx, ws, con)
	if err != nil {
		return err
	}
	return goTest(ctx, ws, con, append([]string{"-timeout=60m"}, packages...)...)
}

func unitPackages(ctx context.Context, ws *workspace.Workspace, con *console.Console) (packages []string, err error) {
	c := ws.Command(ctx, con.Out, "go", "list", "./...")
	var out bytes.Buffer
	c.Stdout = &out
	if err := proc.Run(c, time.Minute); err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for _, pkg := range strings.Fields(out.String()) {
		if !strings.HasSuffix(pkg, "/test") && !strings.Contains(pkg, "/test/") {
			packages = append(packages, pkg)
		}
	}
	slices.Reverse(packages) // lambda/shutdown takes longest: at the end, it would leave a core idle
	return packages, nil
}

// TestModules runs `terraform test` in every module and in the stack. It is the one thing here that OpenTofu cannot do.
func TestModules(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	t, err := terraform.Need(ctx, ws, con)
	if err != nil {
		return err
	}
	if t.Tofu() { // https://github.com/opentofu/opentofu/issues/2338
		return fmt.Errorf("the modules' tests need Terraform 1.7 or newer, not %s: OpenTofu's mocked provider makes up values in a plan, and the aws provider refuses them as ARNs; install Terraform, or name it with TERRAFORM=", ws.Path(t.Bin))
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return err
	}
	for _, architecture := range []string{"arm64", "x86_64"} { // the stack's plan asks for the file
		if err := gobuild.Lambda(ctx, ws, con, architecture); err != nil {
			return err
		}
	}
	roots, err := terraformRoots(ws)
	if err != nil {
		return err
	}
	shared := shareProviders(ctx)
	defer shared.close()
	failed := make([]error, len(roots))
	cores := make(chan struct{}, runtime.NumCPU()) // one test keeps a core busy
	var folders sync.WaitGroup
	for i, dir := range roots {
		tests, err := workspace.Glob(filepath.Join(dir, "tests"), "*.tftest.hcl")
		if err != nil {
			return err
		}
		if len(tests) == 0 {
			continue
		}
		folders.Go(func() {
			cores <- struct{}{}
			defer func() { <-cores }()
			if ctx.Err() == nil {
				failed[i] = inRoot(ctx, ws, con, t, shared, dir, "test")
			}
		})
	}
	folders.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(failed...)
}

// TestE2E runs the journeys: on the embedded AWS, or in the caller's account with E2E_TARGET=aws. It gives them what they cannot find for
// themselves: Terraform, where its provider comes from, and the Lambda's zip. The faults run beside them: both mostly wait.
func TestE2E(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return runJourneys(ctx, ws, con, append(journeyArgs, "-timeout=120m", "-count=1", "-v", "./test/...")...)
}

// Journeys mostly wait for the provider's own delays: eight at once fit two cores and 4 GB.
var journeyArgs = []string{"-parallel=8"}

func runJourneys(ctx context.Context, ws *workspace.Workspace, con *console.Console, args ...string) error {
	inside, err := forJourneys(ctx, ws, con)
	if err != nil {
		return err
	}
	return goTest(ctx, inside, con, args...)
}

// forJourneys is the workspace with what journeys find in their environment.
func forJourneys(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*workspace.Workspace, error) {
	t, err := terraform.Need(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return nil, err
	}
	architecture := gobuild.HostArchitecture()
	if ws.Getenv("E2E_TARGET") == "aws" {
		architecture = "arm64"
	}
	if err := gobuild.Lambda(ctx, ws, con, architecture); err != nil {
		return nil, err
	}
	journeys := *ws
	journeys.Env = append(t.Env[:len(t.Env):len(t.Env)], "E2E_TERRAFORM="+t.Bin)
	return &journeys, nil
}

// TestFaults is the part of TestE2E that needs no Terraform: the end of a run against every fault that the embedded AWS can make, and a kill at every write.
func TestFaults(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return goTest(ctx, ws, con, "-timeout=60m", "-count=1", "-parallel=8", "-run=^TestFaults", "./test")
}

// Bench measures the export: writing CSV, merging logs, and whole exports against the embedded AWS with AWS's quotas. BENCH= chooses by
// name, COUNT= repeats for benchstat.
func Bench(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	args := []string{"-timeout=120m", "-run=^$", "-bench=" + cmp.Or(ws.Getenv("BENCH"), "."), "-count=" + cmp.Or(ws.Getenv("COUNT"), "1")}
	if err := goTest(ctx, ws, con, append(args, "./lambda/export")...); err != nil {
		return err
	}
	return goTest(ctx, ws, con, append(args, "-benchtime=1x", "./internal/report", "./test")...)
}

// TestAll runs everything, the longer suites too.
func TestAll(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	long := *ws
	long.Env = append(ws.Env[:len(ws.Env):len(ws.Env)], "E2E_LONG=1")
	return suites(ctx, &long, con, []suite{{"unit", TestUnit}, {"modules", TestModules}, {"docs", TestDocs}, {"pages", TestPages}, {"journeys", TestE2E}})
}

// TestPages opens the report, the local dashboard, that of a live run, and pages that attack the embedded AWS in a browser; screenshots are in build/screenshots. They skip without Chromium.
func TestPages(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if err := testDrawnPages(ctx, ws, con); err != nil {
		return err
	}
	return runJourneys(ctx, ws, con, append(browserTests, "-v", "./test")...)
}

var browserTests = []string{"-timeout=60m", "-count=1", "-tags=browser", "-run=InTheBrowser"}

// testDrawnPages is the part of TestPages that needs no run.
func testDrawnPages(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return goTest(ctx, ws, con, append(browserTests, "./internal/report/page", "./internal/localaws", "./internal/localaws/dashboardpage")...)
}

// Test runs the unit tests, the modules' tests, the pages drawn from crafted runs, the faults and the journeys, and says how long each took. The tools of
// TestDocs take four minutes to build: they are left to Check and TestAll.
func Test(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return suites(ctx, ws, con, []suite{{"unit", TestUnit}, {"modules", TestModules}, {"pages", testDrawnPages}, {"journeys", TestE2E}})
}

type suite struct {
	name string
	run  func(context.Context, *workspace.Workspace, *console.Console) error
}

// suites runs test suites in order until one fails.
func suites(ctx context.Context, ws *workspace.Workspace, con *console.Console, all []suite) error {
	var took []string
	for _, s := range all {
		began := time.Now()
		err := s.run(ctx, ws, con)
		took = append(took, fmt.Sprintf("%s %s", s.name, page.Duration(time.Since(began))))
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	con.Say("all passed: %s", strings.Join(took, ", "))
	return nil
}

// goTest gives interrupted tests time to remove what they started.
func goTest(ctx context.Context, ws *workspace.Workspace, con *console.Console, args ...string) error {
	if err := proc.Run(ws.Command(ctx, con.Out, "go", append([]string{"test"}, args...)...), 2*time.Minute); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}
