package ops

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
)

// unlisted are the stacks of the campaign that its file does not have any more: of a variant that was renamed or removed, or of a round too many.
// nameless are stacks whose names could be the campaign's, and which have no function that knows.
func (o *opened) unlisted(ctx context.Context) (cells []campaign.Cell, nameless []string, err error) {
	found, err := sweep.Find(ctx, o.ws, o.cfg)
	if err != nil {
		return nil, nil, err
	}
	alike := regexp.MustCompile("^" + regexp.QuoteMeta(o.c.Name) + `-[a-z0-9-]+-r[0-9]+$`)
	for _, f := range found {
		if slices.ContainsFunc(o.cells(), func(c campaign.Cell) bool { return c.Stack() == f.Name }) {
			continue
		}
		known := f.Hidden == nil && f.Stack.Lambda != ""
		if known {
			if c := campaign.CellOf(f.Stack.Config.Settings); c != nil && c.Campaign == o.c.Name && c.Stack() == f.Name {
				cells = append(cells, *c)
			}
		} else if alike.MatchString(f.Name) {
			nameless = append(nameless, f.Name)
		}
	}
	return cells, nameless, nil
}

// sayUnlisted says what is there of the campaign beside what its file has. That it cannot be listed is said, too, and ends nothing.
func (o *opened) sayUnlisted(ctx context.Context) {
	cells, nameless, err := o.unlisted(ctx)
	if err != nil {
		o.con.Say("whether stacks are left of variants that the file does not have any more is not known: %v", err)
		return
	}
	var names []string
	for _, c := range cells {
		names = append(names, c.Stack())
	}
	if len(names) > 0 {
		o.con.Say("the file does not have %s any more, and AWS does: `CAMPAIGN=%s go tool mage campaign:destroy` ends and removes what there is of the campaign", strings.Join(names, ", "), o.ws.Getenv("CAMPAIGN"))
	}
	o.sayNameless(nameless)
}

func (o *opened) sayNameless(names []string) {
	for _, name := range names {
		o.con.Say("%s may be of this campaign: it has no function that knows. `SWEEP=%s go tool mage sweep` ends and removes it, after a question", name, name)
	}
}
