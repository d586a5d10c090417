package ops

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// CampaignReport answers the campaign in the file CAMPAIGN= from the runs that have measured so far: a ranking here, and a page, Markdown, CSV and JSON in files.
func CampaignReport(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	d, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	if err := d.readManifests(ctx); err != nil {
		return err
	}
	return d.rank(ctx)
}

// rank compares the runs that have measured, and writes what came of it.
func (d *driver) rank(ctx context.Context) error {
	byName := map[string]*report.Measured{}
	for _, v := range d.c.Variants {
		byName[v.Name] = &report.Measured{Variant: v.Name}
	}
	for _, round := range d.c.Rounds() {
		for _, cell := range round {
			m := d.result(cell)
			if m == nil {
				continue
			}
			r, err := analyse(ctx, bucketExports{d.s3, cell.Stack(), d.base.Bucket, cell.Exports(d.base.Prefix), d.base.KMSKey}, m.Run)
			if err != nil {
				return err
			}
			of := byName[cell.Variant]
			of.Runs, of.Rounds = append(of.Runs, r), append(of.Rounds, cell.Round)
		}
	}
	measured := []report.Measured{*byName[d.c.Baseline]}
	for _, v := range d.c.Variants {
		if v.Name != d.c.Baseline {
			measured = append(measured, *byName[v.Name])
		}
	}
	a := report.AnswerCampaign(d.c.Name, d.c.RankBy, measured)
	if err := page.CampaignText(d.con.Out, a); err != nil {
		return err
	}
	if len(a.Runs) == 0 {
		return nil
	}
	var all []*report.Results
	for _, v := range measured {
		all = append(all, v.Runs...)
	}
	return d.writeAnswer(ctx, a, all)
}

func (d *driver) writeAnswer(ctx context.Context, a *report.Campaign, of []*report.Results) error {
	how := d.how(of)
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
	from := bucketExports{d.s3, d.c.Name, d.base.Bucket, d.c.Prefix(d.base.Prefix), d.base.KMSKey}
	dir := filepath.Join(from.folder(d.ws.Root), "campaign-"+d.c.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range []struct {
		name, contentType string
		content           []byte
	}{{"campaign.html", "text/html; charset=utf-8", html.Bytes()}, {"campaign.md", "text/markdown; charset=utf-8", markdown.Bytes()},
		{"campaign.csv", "text/csv; charset=utf-8", rows.Bytes()}, {"campaign.json", "application/json", append(text, '\n')}} {
		if err := workspace.ReplaceFile(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
			return err
		}
		if !d.ws.On("UPLOAD") {
			continue
		}
		if err := from.put(ctx, path.Join("report", f.name), f.contentType, f.content); err != nil {
			return err
		}
	}
	d.con.Say("  report  %s (%d KB), with campaign.md, campaign.csv and campaign.json beside it", d.ws.Path(filepath.Join(dir, "campaign.html")), html.Len()/1000)
	return nil
}

// how is how the campaign was run.
func (d *driver) how(of []*report.Results) (rows [][2]string) {
	var order, versions []string
	for _, round := range d.c.Rounds() {
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
		{"file", fmt.Sprintf("%s: %d variants, %d rounds, up to %d runs at a time", d.c.File, len(d.c.Variants), d.c.Repeats, d.c.Parallel)},
		{"order", fmt.Sprintf("drawn by the seed %d: %s", d.c.Seed, strings.Join(order, " | "))},
		{"measured", fmt.Sprintf("%d of %d runs, each on a new cache", len(of), len(d.c.Variants)*d.c.Repeats)},
		{"versions", strings.Join(slices.Compact(versions), ", ")},
		{"exports", fmt.Sprintf("s3://%s/%s/", d.base.Bucket, d.c.Prefix(d.base.Prefix))},
	}
}

// CampaignStatus shows where every run of the campaign stands, as AWS and the manifests have it.
func CampaignStatus(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	d, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	if err := d.readManifests(ctx); err != nil {
		return err
	}
	done := 0
	for _, round := range d.c.Rounds() {
		for _, cell := range round {
			state, err := d.standing(ctx, cell)
			if err != nil {
				return err
			}
			if d.result(cell) != nil {
				done++
			}
			con.Say("%-*s  %s", nameWidth, key(cell), state)
		}
	}
	con.Say("%d of %d runs have measured, for about %.2f USD", done, len(d.c.Variants)*d.c.Repeats, d.spent(ctx))
	return nil
}

const nameWidth = 24

// standing is where a cell stands, in a few words.
func (d *driver) standing(ctx context.Context, cell campaign.Cell) (string, error) {
	there, err := d.stackOf(ctx, cell)
	if err != nil {
		return "", err
	}
	result := d.result(cell)
	if there.Lambda == "" {
		switch {
		case result != nil:
			return "measured: run " + result.Run, nil
		case d.attempts(cell) >= most:
			return "given up: it failed twice", nil
		case d.attempts(cell) > 0:
			return "failed once, and is yet to be tried again", nil
		}
		return "yet to run", nil
	}
	if result != nil {
		return "measured, and its stack is yet to be removed", nil
	}
	v, err := there.View(ctx)
	if err != nil {
		return "", err
	}
	return statusOf(v, there.Config).Line(), nil
}

// CampaignDestroy ends and removes all stacks of the campaign, after asking; what they have measured is exported first.
func CampaignDestroy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	d, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	ctx, let, err := d.hold(ctx)
	if err != nil {
		return err
	}
	defer let()
	var standing []campaign.Cell
	var names []string
	for _, round := range d.c.Rounds() {
		for _, cell := range round {
			there, err := d.stackOf(ctx, cell)
			if err != nil {
				return err
			}
			left, err := there.Left(ctx)
			if err != nil {
				return err
			}
			if there.Lambda != "" || len(left) > 0 {
				standing, names = append(standing, cell), append(names, cell.Stack())
			}
		}
	}
	if len(standing) == 0 {
		con.Say("nothing of the campaign %s is left in %s", d.c.Name, d.place)
		return nil
	}
	if err := con.Approve(ctx, ws.On("APPROVE"), asList(fmt.Sprintf("The stacks of the campaign %s in %s, with their runs and caches:", d.c.Name, d.place), names)+"End and remove them?", "nothing was changed"); err != nil {
		return err
	}
	var problems []string
	for _, cell := range standing {
		in, quiet, closed, err := d.enter(cell)
		if err != nil {
			return err
		}
		step := con.Step("removing %s", cell.Stack())
		if err = Destroy(ctx, in, quiet); err == nil {
			err = d.forget(ctx, in, quiet)
		}
		step.End()
		closed()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", cell.Stack(), err))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("not all of the campaign %s is removed:\n  - %s", d.c.Name, strings.Join(problems, "\n  - "))
	}
	con.Say("the stacks of the campaign %s are removed; their exports stay in s3://%s/%s/", d.c.Name, d.base.Bucket, d.c.Prefix(d.base.Prefix))
	return nil
}
