package ops

import (
	"context"
	"fmt"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// CampaignDestroy ends and removes all stacks of the campaign, after asking. Their measurements are exported first.
func CampaignDestroy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	o, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	ctx, let, err := holdCampaign(ctx, o)
	if err != nil {
		return err
	}
	defer let()
	var existing []campaign.Cell
	var names []string
	for _, cell := range o.cells() {
		there, err := o.stackOf(ctx, cell)
		if err != nil {
			return err
		}
		left, err := there.Left(ctx)
		if err != nil {
			return err
		}
		if there.Lambda != "" || len(left) > 0 {
			existing, names = append(existing, cell), append(names, cell.Stack())
		}
	}
	unlisted, unsure, err := o.unlisted(ctx)
	if err != nil {
		return fmt.Errorf("cannot tell whether stacks of variants that are no longer in the file are left, so nothing was changed: %w", err)
	}
	for _, cell := range unlisted {
		existing, names = append(existing, cell), append(names, cell.Stack()+", which is no longer in the file")
	}
	o.sayAll(unsure)
	if len(existing) == 0 {
		con.Say("nothing of the campaign %s is left in %s", o.c.Name, o.place)
		return nil
	}
	if err := con.Approve(ctx, ws.On("APPROVE"), asList(fmt.Sprintf("The stacks of the campaign %s in %s, with their runs and caches:", o.c.Name, o.place), names)+"End and remove them?", "nothing was changed"); err != nil {
		return err
	}
	if err := o.removeAll(ctx, existing); err != nil {
		return err
	}
	con.Say("the stacks of the campaign %s are removed; their exports stay in s3://%s/%s/", o.c.Name, o.base.Bucket, o.c.Prefix(o.base.Prefix))
	return nil
}

// removeAll removes the stacks of cells as Campaign does. One failed removal does not stop the others.
func (o *opened) removeAll(ctx context.Context, cells []campaign.Cell) error {
	var problems []string
	for _, cell := range cells {
		s, err := o.enter(cell, nil)
		if err != nil {
			return err
		}
		step := o.con.Step("removing %s", cell.Stack())
		err = s.remove(ctx)
		step.End()
		s.close()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", cell.Stack(), err))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the campaign %s is not completely removed:\n  - %s", o.c.Name, strings.Join(problems, "\n  - "))
	}
	return nil
}
