package dev

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// flakes is what repeated runs of tests came to.
type flakes struct {
	tests map[string]*tries // "package TestName"
	said  map[string][]string
}

type tries struct {
	name           string
	runs, failures int
	slowest        time.Duration
	output         []string // of the first failure
}

// TestFlakes runs the Go tests many times beside one busy loop a core, and says which failed how often: whatever depends on the machine's speed
// or on what else it does shows itself. COUNT= is how often each test runs (30), JOURNEYS= how often each journey (5; 0 leaves them out),
// FLAKES= chooses packages by a part of their path. Interrupted, it prints what there is so far.
func TestFlakes(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	count, err := number(ws, "COUNT", 30)
	if err != nil {
		return err
	}
	journeys, err := number(ws, "JOURNEYS", 5)
	if err != nil {
		return err
	}
	packages, err := unitPackages(ctx, ws, con)
	if err != nil {
		return err
	}
	if packages, err = having(packages, ws.Getenv("FLAKES")); err != nil {
		return err
	}
	if count == 0 && journeys == 0 {
		return errors.New("COUNT=0 JOURNEYS=0: nothing is left to repeat")
	}
	defer busyLoops(runtime.NumCPU())()
	found := flakes{tests: map[string]*tries{}, said: map[string][]string{}}
	var failed []error
	if count > 0 {
		failed = append(failed, repeat(ctx, ws, con, &found, fmt.Sprintf("every test %s", report.Quantity(count, "time")), append([]string{"-timeout=0", fmt.Sprintf("-count=%d", count)}, packages...)...))
	}
	if journeys > 0 && ctx.Err() == nil {
		inside, err := forJourneys(ctx, ws, con)
		if err != nil {
			return err
		}
		failed = append(failed, repeat(ctx, inside, con, &found, fmt.Sprintf("every journey %s", report.Quantity(journeys, "time")), append(journeyArgs, "-timeout=0", fmt.Sprintf("-count=%d", journeys), "./test")...))
	}
	n := found.table(con.Out)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if n > 0 {
		return fmt.Errorf("%s failed at least once", report.Quantity(n, "test"))
	}
	return errors.Join(failed...) // a package that does not compile has no test that fails
}

// repeat runs `go test` and reads its results as they arrive.
func repeat(ctx context.Context, ws *workspace.Workspace, con *console.Console, found *flakes, what string, args ...string) error {
	shown := con.Step("%s, beside %d busy loops", what, runtime.NumCPU())
	defer shown.End()
	c := ws.Command(ctx, con.Out, "go", append([]string{"test", "-json"}, args...)...)
	results, to := io.Pipe()
	c.Stdout = to
	var reading sync.WaitGroup
	reading.Go(func() {
		runs, failures := 0, 0
		for lines := bufio.NewReader(results); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if done, ok := found.read(line); done {
				if runs++; !ok {
					failures++
				}
				shown.At(-1, "%s, %s", report.Quantity(runs, "run"), report.Quantity(failures, "failure"))
			}
		}
	})
	err := proc.Run(c, 2*time.Minute)
	_ = to.Close()
	reading.Wait()
	if err != nil {
		return fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// read takes in an event of `go test -json` (`go doc test2json`): done tells that a test has ended, ok how. Subtests are part of their test.
func (f *flakes) read(line []byte) (done, ok bool) {
	var e struct {
		Action, Package, Test, Output string
		Elapsed                       float64 // seconds
	}
	if json.Unmarshal(line, &e) != nil || e.Test == "" {
		return false, false
	}
	test, _, sub := strings.Cut(e.Test, "/")
	name := e.Package[strings.LastIndexByte(e.Package, '/')+1:] + " " + test
	switch e.Action {
	case "output":
		f.said[name] = append(f.said[name], e.Output)
	case "pass", "fail", "skip":
		if sub {
			return false, false
		}
		t := f.tests[name]
		if t == nil {
			t = &tries{name: name}
			f.tests[name] = t
		}
		if ok = e.Action != "fail"; !ok {
			if t.failures++; t.output == nil {
				t.output = f.said[name]
			}
		}
		delete(f.said, name)
		t.runs++
		t.slowest = max(t.slowest, time.Duration(e.Elapsed*float64(time.Second)))
		return true, ok
	}
	return false, false
}

// table prints a line for each test that failed or took time, and gives the number of those that failed.
func (f *flakes) table(w io.Writer) (failed int) {
	all := make([]*tries, 0, len(f.tests))
	width, others := 0, tries{}
	quick := 0
	for _, t := range f.tests {
		if t.failures == 0 && t.slowest < 100*time.Millisecond {
			quick++
			others.runs += t.runs
			others.slowest = max(others.slowest, t.slowest)
			continue
		}
		all = append(all, t)
		width = max(width, len(t.name))
	}
	others.name = fmt.Sprintf("%d others", quick)
	width = max(width, len(others.name))
	slices.SortFunc(all, func(a, b *tries) int {
		return cmp.Or(cmp.Compare(b.failures, a.failures), cmp.Compare(b.slowest, a.slowest), cmp.Compare(a.name, b.name))
	})
	total := tries{name: "all"}
	fmt.Fprintf(w, "%-*s  %8s  %8s  %8s\n", width, "test", "runs", "failures", "slowest")
	for _, t := range append(all, &others) {
		if t.failures > 0 {
			failed++
		}
		total.runs += t.runs
		total.failures += t.failures
		total.slowest = max(total.slowest, t.slowest)
		t.row(w, width)
	}
	total.row(w, width)
	for _, t := range all {
		if t.failures > 0 {
			fmt.Fprintf(w, "\nfirst failure of %s:\n%s", t.name, strings.Join(t.output, ""))
		}
	}
	return failed
}

func (t *tries) row(w io.Writer, width int) {
	fmt.Fprintf(w, "%-*s  %8d  %8d  %6.1f s\n", width, t.name, t.runs, t.failures, t.slowest.Seconds())
}

// busyLoops keeps n cores busy until it is stopped.
func busyLoops(n int) (stop func()) {
	var ended atomic.Bool
	before := runtime.GOMAXPROCS(n + 2) // beside what this process has to do
	for range n {
		go func() {
			for !ended.Load() {
			}
		}()
	}
	return func() { ended.Store(true); runtime.GOMAXPROCS(before) }
}

// number is a whole number from the environment.
func number(ws *workspace.Workspace, name string, otherwise int) (int, error) {
	text := ws.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%s: take a whole number, 0 or more", name, text)
	}
	return n, nil
}

// having returns the packages whose paths contain a text. That there is none is an error: a table of no runs has no failures.
func having(packages []string, part string) ([]string, error) {
	found := slices.DeleteFunc(slices.Clone(packages), func(pkg string) bool { return !strings.Contains(pkg, part) })
	if len(found) == 0 {
		return nil, fmt.Errorf("FLAKES=%s: no package's path contains that; take a part of one, such as internal/stack", part)
	}
	return found, nil
}
