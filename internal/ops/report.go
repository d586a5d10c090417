package ops

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Report says what a finished run did and what limited it: it prints a page of text, and writes report.html, report.md and results.json. It reads the run in
// RUN=, or the latest, from the stack's bucket or from the folder FROM= with metrics/, logs/ and manifest/. RUNS=a,b,c compares several runs with the first;
// RUNS="a1,a2 vs b1,b2" compares groups of repeats. UPLOAD=1 also puts the files beside the exports in S3.
func Report(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if _, _, err := wantedRuns(ws); err != nil {
		return err
	}
	if from := ws.Getenv("FROM"); from != "" && ws.On("UPLOAD") {
		return fmt.Errorf("FROM=%s and UPLOAD: the report of a folder is written into that folder; leave UPLOAD out", from)
	}
	from, err := findExports(ctx, ws, con)
	if err != nil {
		return err
	}
	return reportRuns(ctx, ws, con, from)
}

// wantedRuns returns the runs named in RUN= or RUNS=, none if neither is set, and the sizes of their groups.
func wantedRuns(ws *workspace.Workspace) (runs []string, sizes []int, err error) {
	run := ws.Getenv("RUN")
	if runs, sizes, err = groupsOf(ws.Getenv("RUNS")); err != nil {
		return nil, nil, err
	}
	switch {
	case ws.Getenv("RUNS") != "" && len(runs) == 0:
		return nil, nil, fmt.Errorf("RUNS=%s names no run: separate them with commas, RUNS=2026-11-23T03-08-09Z,2026-11-24T03-08-09Z", ws.Getenv("RUNS"))
	case len(slices.Compact(slices.Sorted(slices.Values(runs)))) < len(runs):
		return nil, nil, fmt.Errorf("RUNS=%s names a run twice: compare it with another one", strings.Join(runs, ","))
	case run != "" && len(runs) > 0:
		return nil, nil, fmt.Errorf("RUN=%s and RUNS=%s: set one of them", run, strings.Join(runs, ","))
	case run != "":
		runs = []string{run}
	}
	for _, name := range runs {
		_, err := shutdown.ParseRun(name)
		if inFolder := ws.Getenv("FROM") != ""; err != nil && (!inFolder || name != filepath.Base(name) || name[0] == '.') { // a folder can have files that a person renamed
			return nil, nil, fmt.Errorf("RUN or RUNS in the environment: %w", err)
		}
	}
	return runs, sizes, nil
}

func reportRuns(ctx context.Context, ws *workspace.Workspace, con *console.Console, from exported) error {
	runs, sizes, err := wantedRuns(ws)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		known, err := runsOf(ctx, from, 1)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return fmt.Errorf("%s has no exported run yet; `go tool mage status` shows where a run stands", from)
		}
		runs = known[:1]
	}
	var all []*report.Results
	for _, run := range runs {
		if len(runs) > 1 {
			con.Say("reading run %s", run)
		}
		r, err := analyse(ctx, from, run)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	if len(all) == 1 {
		if err := page.Text(con.Out, all[0]); err != nil {
			return err
		}
		_, err := writeReport(ctx, ws, con, from, runs[0], all[0], func(w io.Writer) error { return page.HTML(w, all[0]) }, func(w io.Writer) error { return page.Markdown(w, all[0]) })
		return err
	}
	c := report.Compare(all)
	if len(sizes) > 0 {
		var groups [][]*report.Results
		rest := all
		for _, n := range sizes {
			groups, rest = append(groups, rest[:n]), rest[n:]
		}
		c = report.CompareGroups(groups)
	}
	if err := page.CompareText(con.Out, c); err != nil {
		return err
	}
	name := strings.Join(runs, "_")
	if len(name) > 200 { // file names have at most 255 bytes
		name = fmt.Sprintf("%s_and_%d_more", runs[0], len(runs)-1)
	}
	_, err = writeReport(ctx, ws, con, from, name, c, func(w io.Writer) error { return page.CompareHTML(w, c) }, func(w io.Writer) error { return page.CompareMarkdown(w, c) })
	return err
}

// groupsOf parses RUNS: "a,b" are runs to compare, "a1,a2 vs b1,b2" are groups of repeats. Only groups have sizes.
func groupsOf(text string) (runs []string, sizes []int, err error) {
	groups := strings.Split(" "+strings.Join(strings.Fields(text), " ")+" ", " vs ")
	for _, group := range groups {
		of := strings.FieldsFunc(group, func(r rune) bool { return r == ',' || r == ' ' })
		if len(groups) > 1 {
			sizes = append(sizes, len(of))
		}
		runs = append(runs, of...)
		if slices.Contains(of, "vs") || len(groups) > 1 && len(of) == 0 {
			return nil, nil, fmt.Errorf("RUNS=%s: \"vs\" stands between two groups of runs, as in a1,a2,a3 vs b1,b2,b3", text)
		}
	}
	return runs, sizes, nil
}
