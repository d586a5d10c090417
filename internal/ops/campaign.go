package ops

import (
	"context"
	"errors"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Campaign carries out what is missing of the campaign in the file CAMPAIGN=: every cell as a stack of its own, round by round. What is done is read from the
// manifests, so that the same command goes on after whatever ended it. It shows the plan and asks; APPROVE=1 is a yes.
func Campaign(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return carryOut(ctx, ws, con, 0)
}

// carryOut is Campaign with so many minutes of load instead of the file's, 0: the file's.
func carryOut(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int) error {
	o, err := openCampaign(ctx, ws, con, minutes)
	if err != nil {
		return err
	}
	done := newResults(o)
	if err := done.read(ctx); err != nil {
		return err
	}
	p := planOf(ctx, o, done)
	p.show()
	o.sayUnlisted(ctx)
	if err := p.approve(ctx); err != nil {
		return err
	}
	ctx, let, err := holdCampaign(ctx, o)
	if err != nil {
		return err
	}
	defer let()
	if err := done.read(ctx); err != nil { // another command may have ended in the meantime
		return err
	}
	d := &driver{o, done, newUnderWay()}
	if err := d.takeRounds(ctx); err != nil {
		return err
	}
	return errors.Join(rank(ctx, o, done), done.unfinished())
}
