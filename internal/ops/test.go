package ops

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// TestUnit runs the Go tests of everything but the journeys in test/.
func TestUnit(ctx context.Context, p *Project) error {
	packages, err := p.unitPackages(ctx)
	if err != nil {
		return err
	}
	return p.goTest(ctx, append([]string{"-timeout=60m"}, packages...)...)
}

func (p *Project) unitPackages(ctx context.Context) (packages []string, err error) {
	c := p.command(ctx, "go", "list", "./...")
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
	return packages, nil
}

// TestModules runs `terraform test` in every module and in the stack. It is the one thing here that OpenTofu cannot do.
func TestModules(ctx context.Context, p *Project) error {
	t, err := p.needTerraform(ctx)
	if err != nil {
		return err
	}
	if t.tofu() { // https://github.com/opentofu/opentofu/issues/2338
		return fmt.Errorf("the modules' tests need Terraform 1.7 or newer, not %s: OpenTofu's mocked provider makes up values in a plan, and the aws provider refuses them as ARNs; install Terraform, or name it by TERRAFORM=", p.path(t.Bin))
	}
	if err := p.provider(ctx, t); err != nil {
		return err
	}
	for _, architecture := range []string{"arm64", "x86_64"} { // the stack's plan asks for the file
		if err := p.build(ctx, architecture); err != nil {
			return err
		}
	}
	roots, err := p.terraformRoots()
	if err != nil {
		return err
	}
	var failed []error
	for _, dir := range roots {
		tests, err := filepath.Glob(filepath.Join(dir, "tests", "*.tftest.hcl"))
		if err != nil {
			return err
		}
		if len(tests) > 0 {
			failed = append(failed, p.inRoot(ctx, t, dir, "test"))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(failed...)
}

// TestE2E runs the journeys: on the embedded AWS, or in the caller's account with E2E_TARGET=aws. It gives them what they cannot find for
// themselves: Terraform, where its provider comes from, and the Lambda's zip. The faults run beside them: both mostly wait.
func TestE2E(ctx context.Context, p *Project) error {
	return p.journeys(ctx, append(journeyArgs, "-timeout=120m", "-count=1", "-v", "./test/...")...)
}

// Journeys mostly wait for the provider's own delays: eight at once fit two cores and 4 GB.
var journeyArgs = []string{"-parallel=8"}

func (p *Project) journeys(ctx context.Context, args ...string) error {
	inside, err := p.journeyProject(ctx)
	if err != nil {
		return err
	}
	return inside.goTest(ctx, args...)
}

// journeyProject is the project with what journeys find in their environment.
func (p *Project) journeyProject(ctx context.Context) (*Project, error) {
	t, err := p.needTerraform(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.provider(ctx, t); err != nil {
		return nil, err
	}
	architecture := hostArchitecture()
	if getenv(p.Env, "E2E_TARGET") == "aws" {
		architecture = "arm64"
	}
	if err := p.build(ctx, architecture); err != nil {
		return nil, err
	}
	journeys := *p
	journeys.Env = append(t.Env[:len(t.Env):len(t.Env)], "E2E_TERRAFORM="+t.Bin)
	return &journeys, nil
}

// TestFaults is what of TestE2E needs no Terraform: the end of a run against every fault that the embedded AWS can make, and a kill at every step.
func TestFaults(ctx context.Context, p *Project) error {
	return p.goTest(ctx, "-timeout=60m", "-count=1", "-parallel=8", "-run=^TestFaults", "./test")
}

// Bench measures the export: writing CSV, merging logs, and whole exports against the embedded AWS with AWS's quotas. BENCH= chooses by
// name, COUNT= repeats for benchstat.
func Bench(ctx context.Context, p *Project) error {
	args := []string{"-timeout=120m", "-run=^$", "-bench=" + cmp.Or(getenv(p.Env, "BENCH"), "."), "-count=" + cmp.Or(getenv(p.Env, "COUNT"), "1")}
	if err := p.goTest(ctx, append(args, "./lambda/export")...); err != nil {
		return err
	}
	return p.goTest(ctx, append(args, "-benchtime=1x", "./internal/report", "./test")...)
}

// TestAll runs everything, the longer suites too.
func TestAll(ctx context.Context, p *Project) error {
	long := *p
	long.Env = append(p.Env[:len(p.Env):len(p.Env)], "E2E_LONG=1")
	return long.suites(ctx, []suite{{"unit", TestUnit}, {"modules", TestModules}, {"docs", TestDocs}, {"pages", TestPages}, {"journeys", TestE2E}})
}

// TestPages opens the report, the local dashboard, and that of a live run in a browser; screenshots are in build/screenshots. They skip without Chromium.
func TestPages(ctx context.Context, p *Project) error {
	if err := testDrawnPages(ctx, p); err != nil {
		return err
	}
	return p.journeys(ctx, append(browserTests, "-v", "./test")...)
}

var browserTests = []string{"-timeout=60m", "-count=1", "-tags=browser", "-run=InTheBrowser"}

// testDrawnPages is what of TestPages takes no run.
func testDrawnPages(ctx context.Context, p *Project) error {
	return p.goTest(ctx, append(browserTests, "./internal/report/page", "./internal/localaws/dashboardpage")...)
}

// Test runs the unit tests, the modules' tests, the pages drawn from crafted runs, the faults and the journeys, and says how long each took. The tools of
// TestDocs take four minutes to build: they are left to Check and TestAll.
func Test(ctx context.Context, p *Project) error {
	return p.suites(ctx, []suite{{"unit", TestUnit}, {"modules", TestModules}, {"pages", testDrawnPages}, {"journeys", TestE2E}})
}

type suite struct {
	name string
	run  Command
}

// suites runs one after the other until one fails.
func (p *Project) suites(ctx context.Context, all []suite) error {
	var took []string
	for _, s := range all {
		began := time.Now()
		err := s.run(ctx, p)
		took = append(took, fmt.Sprintf("%s %s", s.name, page.Duration(time.Since(began))))
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	p.say("all passed: %s", strings.Join(took, ", "))
	return nil
}

// goTest gives the tests time to take down what they started when they are interrupted.
func (p *Project) goTest(ctx context.Context, args ...string) error {
	if err := proc.Run(p.command(ctx, "go", append([]string{"test"}, args...)...), 2*time.Minute); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}
