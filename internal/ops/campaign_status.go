package ops

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

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
