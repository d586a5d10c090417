package ops

import (
	"context"
	"errors"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Campaign runs the missing cells of the campaign in the file CAMPAIGN=, each in its own stack, round by round. The manifests show what is done, so the same
// command resumes after any interruption. It shows the plan and asks; APPROVE=1 is a yes.
func Campaign(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return runCampaign(ctx, ws, con, 0)
}

// runCampaign is Campaign with the given minutes of load; 0 means the file's.
func runCampaign(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int) error {
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
	o.reportUnlisted(ctx)
	if err := p.approve(ctx); err != nil {
		return err
	}
	ctx, let, err := holdCampaign(ctx, o)
	if err != nil {
		return err
	}
	defer let()
	if err := done.read(ctx); err != nil { // another command may have measured cells in the meantime
		return err
	}
	d := &driver{o, done, newUnderWay()}
	if err := d.takeRounds(ctx); err != nil {
		return err
	}
	return errors.Join(rank(ctx, o, done), done.unfinished())
}
