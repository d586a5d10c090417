package ops

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// stands tells whether a cell's stack is still there.
func (d *driver) stands(ctx context.Context, cell campaign.Cell) bool {
	there, err := d.stackOf(ctx, cell)
	return err == nil && there.Lambda != ""
}

func (d *driver) stackOf(ctx context.Context, cell campaign.Cell) (*stack.Stack, error) {
	in := *d.inputs[cell.Variant]
	in.Name, in.Prefix = cell.Stack(), cell.Exports(d.base.Prefix)
	return stack.Open(ctx, d.ws, d.base.Region, in.Config())
}

// take is the product as it is: deploy, wait for the end of the run, destroy. Where it stands already, it goes on from there.
func (d *driver) take(ctx context.Context, cell campaign.Cell) (err error) {
	in, quiet, closed, err := d.enter(cell)
	if err != nil {
		return err
	}
	defer closed()
	went, err := d.goOn(ctx, cell, quiet)
	if err == nil && !went && d.result(cell) == nil && d.attempts(cell) < most {
		var there *deployed
		err = d.unlocking(ctx, cell, in, quiet, func() (err error) {
			there, err = deploy(ctx, in, quiet)
			return err
		})
		if err == nil {
			_, err = waitRun(ctx, quiet, there)
		}
	}
	if err != nil {
		quiet.Say("failed: %v", err)
	}
	if ctx.Err() != nil {
		return err
	}
	removing := d.unlocking(ctx, cell, in, quiet, func() error { return Destroy(ctx, in, quiet) })
	if removing == nil {
		removing = d.forget(ctx, in, quiet)
	}
	return errors.Join(err, removing)
}

// unlocking does something to a cell's stack, once more where an earlier command of the campaign has died with the lock of its state: this one holds the
// campaign, so that no other machine works on it.
func (d *driver) unlocking(ctx context.Context, cell campaign.Cell, in *workspace.Workspace, quiet *console.Console, do func() error) error {
	err := do()
	if err == nil || ctx.Err() != nil {
		return err
	}
	t, problem := terraform.Find(in, quiet)
	if problem != nil {
		return err
	}
	switch held, problem := t.Unlock(ctx, err); {
	case problem != nil:
		return errors.Join(err, problem)
	case held == "":
		return err
	default:
		d.con.Say("%s: the lock of its state was left by a command that is dead (%s), and is removed", key(cell), held)
	}
	return do()
}

// goOn waits for the end of a run whose load an earlier command has made: another deploy would change it, or be another run. went tells that there is one.
func (d *driver) goOn(ctx context.Context, cell campaign.Cell, quiet *console.Console) (went bool, err error) {
	there, err := d.stackOf(ctx, cell)
	if err != nil || there.Lambda == "" {
		return false, err
	}
	run, err := there.Run(ctx)
	if err != nil || run == nil {
		return false, err
	}
	stops, err := there.StopsAt(ctx)
	switch now := time.Now(); {
	case err != nil:
		return false, err
	case stops.IsZero() && now.Before(run.StopBy):
		return false, nil // the load is not made yet
	case now.Before(stops):
		quiet.Say("the run %s is under way", run.Run)
		_, err = waitRun(ctx, quiet, &deployed{&subject{inputs: d.inputs[cell.Variant]}, there, run, stops})
		return true, err
	}
	return true, end(ctx, quiet, there, run)
}

// forget removes what Terraform has left of a stack that is gone: its workspace and data. The log stays.
func (d *driver) forget(ctx context.Context, in *workspace.Workspace, quiet *console.Console) error {
	if !workspace.Exists(in.DataDir()) {
		return nil // another command has
	}
	t, err := terraform.Find(in, quiet)
	if err != nil {
		return err
	}
	if err := t.DropWorkspace(ctx); err != nil {
		return err
	}
	return os.RemoveAll(in.DataDir())
}
