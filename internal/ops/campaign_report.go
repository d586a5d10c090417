package ops

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// CampaignReport reports on the campaign in the file CAMPAIGN= from the runs measured so far: it prints a ranking, and writes HTML, Markdown, CSV and JSON
// files.
func CampaignReport(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	o, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	done := newResults(o)
	if err := done.read(ctx); err != nil {
		return err
	}
	return rank(ctx, o, done)
}

// rank compares the measured runs, prints the ranking and writes the files.
func rank(ctx context.Context, o *opened, done *results) error {
	byName := map[string]*report.Measured{}
	for _, v := range o.c.Variants {
		byName[v.Name] = &report.Measured{Variant: v.Name}
	}
	for _, cell := range o.cells() {
		m := done.of(cell)
		if m == nil {
			continue
		}
		r, err := analyse(ctx, bucketExports{o.s3, cell.Stack(), o.base.Bucket, cell.Exports(o.base.Prefix), o.base.KMSKey}, m.Run)
		if err != nil {
			return err
		}
		of := byName[cell.Variant]
		of.Runs, of.Rounds = append(of.Runs, r), append(of.Rounds, cell.Round)
	}
	measured := []report.Measured{*byName[o.c.Baseline]}
	for _, v := range o.c.Variants {
		if v.Name != o.c.Baseline {
			measured = append(measured, *byName[v.Name])
		}
	}
	a := report.AnswerCampaign(o.c.Name, o.c.RankBy, measured)
	if err := page.CampaignText(o.con.Out, a); err != nil {
		return err
	}
	if len(a.Runs) == 0 {
		return nil
	}
	var all []*report.Results
	for _, v := range measured {
		all = append(all, v.Runs...)
	}
	return writeAnswer(ctx, o, a, all)
}

// writeAnswer writes the campaign's report as HTML, Markdown, CSV and JSON, and a report of each run.
func writeAnswer(ctx context.Context, o *opened, a *report.Campaign, of []*report.Results) error {
	how := howItRan(o, of)
	var html, markdown, rows bytes.Buffer
	if err := page.CampaignHTML(&html, a, how); err != nil {
		return err
	}
	if err := page.CampaignMarkdown(&markdown, a, how); err != nil {
		return err
	}
	if err := page.CampaignCSV(&rows, a, of); err != nil {
		return err
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("campaign.json: %w", err)
	}
	from := bucketExports{o.s3, o.c.Name, o.base.Bucket, o.c.Prefix(o.base.Prefix), o.base.KMSKey}
	dir := filepath.Join(from.folder(o.ws.Root), "campaign-"+o.c.Name)
	for i, r := range of { // the page links to them
		name := path.Dir(page.RunReport(a.Runs[i]))
		if _, err := saveReport(ctx, o.ws, from, filepath.Join(dir, name), path.Join("report", name), r,
			func(w io.Writer) error { return page.HTML(w, r) }, func(w io.Writer) error { return page.Markdown(w, r) }); err != nil {
			return fmt.Errorf("report of %s: %w", name, err)
		}
	}
	if err := saveFiles(ctx, o.ws, from, dir, "report", []reportFile{{"campaign.html", "text/html; charset=utf-8", html.Bytes()}, {"campaign.md", "text/markdown; charset=utf-8", markdown.Bytes()},
		{"campaign.csv", "text/csv; charset=utf-8", rows.Bytes()}, {"campaign.json", "application/json", append(text, '\n')}}); err != nil {
		return err
	}
	o.con.Say("  report  %s (%d KB), with campaign.md, campaign.csv, campaign.json and a report of each run beside it", o.ws.Path(filepath.Join(dir, "campaign.html")), html.Len()/1000)
	return nil
}

// howItRan lists how the campaign was run, for the report.
func howItRan(o *opened, of []*report.Results) (rows [][2]string) {
	var order, versions []string
	for _, round := range o.c.Rounds() {
		var names []string
		for _, cell := range round {
			names = append(names, cell.Variant)
		}
		order = append(order, strings.Join(names, " "))
	}
	for _, r := range of {
		versions = append(versions, cmp.Or(r.Provenance.ExportTool, "unknown"))
	}
	slices.Sort(versions)
	return [][2]string{
		{"file", fmt.Sprintf("%s: %s, %s, up to %s at a time", o.c.File, report.Quantity(len(o.c.Variants), "variant"), report.Quantity(o.c.Repeats, "round"), report.Quantity(o.c.Parallel, "run"))},
		{"order", fmt.Sprintf("random, seed %d: %s", o.c.Seed, strings.Join(order, " | "))},
		{"measured", fmt.Sprintf("%d of %s, each on a new cache", len(of), report.Quantity(len(o.c.Variants)*o.c.Repeats, "run"))},
		{"versions", strings.Join(slices.Compact(versions), ", ")},
		{"exports", fmt.Sprintf("s3://%s/%s/", o.base.Bucket, o.c.Prefix(o.base.Prefix))},
	}
}
