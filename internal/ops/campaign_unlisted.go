package ops

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// unlisted finds the campaign's stacks that its file no longer has: a variant was renamed or removed, or there are fewer rounds. unsure explains, for each
// stack that only looks like the campaign's, why it is not treated as such.
func (o *opened) unlisted(ctx context.Context) (cells []campaign.Cell, unsure []string, err error) {
	found, err := sweep.Find(ctx, o.ws, o.cfg)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range found {
		cell, why := o.cellOf(f)
		if cell != nil {
			cells = append(cells, *cell)
		}
		if why != "" {
			unsure = append(unsure, fmt.Sprintf("%s %s. `SWEEP=%[1]s go tool mage sweep` ends and removes it, after asking", f.Name, why))
		}
	}
	return cells, unsure, nil
}

// cellOf returns the cell of this campaign that a stack was created for, if the file no longer has it; nil otherwise. why explains a stack that only looks like
// the campaign's.
func (o *opened) cellOf(f *sweep.Found) (cell *campaign.Cell, why string) {
	if slices.ContainsFunc(o.cells(), func(c campaign.Cell) bool { return c.Stack() == f.Name }) {
		return nil, ""
	}
	if f.Hidden != nil || f.Stack.Lambda == "" {
		if regexp.MustCompile("^" + regexp.QuoteMeta(o.c.Name) + `-[a-z0-9-]+-r[0-9]+$`).MatchString(f.Name) {
			why = "may belong to this campaign: it has no Lambda function that would tell"
		}
		return nil, why
	}
	is := f.Stack.Config
	cell = campaign.CellOf(is.Settings)
	switch {
	case cell == nil || cell.Campaign != o.c.Name || cell.Stack() != f.Name:
		return nil, ""
	case is.Bucket != o.base.Bucket || is.Prefix != cell.Exports(o.base.Prefix): // somebody else has a file of the same name, with another hold
		return nil, fmt.Sprintf("belongs to another campaign %s: its exports are in s3://%s/%s/", o.c.Name, is.Bucket, is.Prefix)
	}
	return cell, ""
}

// reportUnlisted prints the campaign's stacks that its file does not have. If they cannot be listed, it prints that and goes on.
func (o *opened) reportUnlisted(ctx context.Context) {
	cells, unsure, err := o.unlisted(ctx)
	if err != nil {
		o.con.Say("cannot tell whether stacks of variants that are no longer in the file are left: %v", err)
		return
	}
	var names []string
	for _, c := range cells {
		names = append(names, c.Stack())
	}
	if len(names) > 0 {
		o.con.Say("%s is no longer in the file, but still in AWS: `CAMPAIGN=%s go tool mage campaign:destroy` ends and removes everything of the campaign", strings.Join(names, ", "), workspace.Word(o.ws.Getenv("CAMPAIGN")))
	}
	o.sayAll(unsure)
}

func (o *opened) sayAll(lines []string) {
	for _, line := range lines {
		o.con.Say("%s", line)
	}
}
