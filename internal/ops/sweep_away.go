package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// sweepAway asks once, then ends, exports and removes the stacks one by one. A failure does not stop the others.
func sweepAway(ctx context.Context, ws *workspace.Workspace, con *console.Console, cfg aws.Config, found []*sweep.Found, place string) error {
	var will []string
	var errs []error
	found = slices.DeleteFunc(found, func(f *sweep.Found) bool {
		if f.Hidden != nil {
			errs = append(errs, fmt.Errorf("the stack %s in %s cannot be read and is left alone: %w", f.Name, place, f.Hidden))
		}
		return f.Hidden != nil
	})
	if len(found) == 0 {
		return errors.Join(errs...)
	}
	for _, f := range found {
		ends, err := sweepEnds(ctx, ws, f)
		if err != nil {
			return err
		}
		will = append(will, fmt.Sprintf("%s (%s): %s; then these are removed: %s", f.Name, described(f), ends, f.Parts()))
	}
	question := asList(fmt.Sprintf("In %s, without their Terraform states, and without touching the exports:", place), will) + "Remove them?"
	if err := con.Approve(ctx, ws.On("APPROVE"), question, "nothing was changed"); err != nil {
		return err
	}
	for _, asked := range found {
		if err := sweepOne(ctx, ws, con, cfg, asked); err != nil {
			errs = append(errs, fmt.Errorf("the stack %s in %s: %w", asked.Name, place, err))
			continue
		}
		con.Say("the stack %s in %s is removed; the exports stay. If its Terraform state still exists, `go tool mage destroy` empties it", asked.Name, place)
	}
	return errors.Join(errs...)
}

// sweepEnds says what will happen to a stack's run.
func sweepEnds(ctx context.Context, ws *workspace.Workspace, f *sweep.Found) (string, error) {
	switch {
	case f.Run == "":
		return "no run of it is known", nil
	case f.Stack.Config.Bucket == "":
		if lost, err := sweepLoses(ctx, f); err != nil || lost == "" {
			return "nothing of its run is left to export", err
		}
		if !ws.On("FORCE") {
			return "its run cannot be exported, and it is left alone without FORCE=1", nil
		}
		return "its run is given up (FORCE=1)", nil
	}
	ends, err := endingOf(ctx, ws, f.Stack, sweptRun(f))
	if err != nil && ws.On("FORCE") {
		return fmt.Sprintf("the run %s is given up (FORCE=1)", f.Run), nil
	}
	return cmp.Or(ends, fmt.Sprintf("the run %s has nothing left to export", f.Run)), err
}

// sweptRun is a stack's run as the event that ends it.
func sweptRun(f *sweep.Found) *shutdown.Event {
	if f.Guard.Run == "" {
		return &shutdown.Event{Action: shutdown.ActionDestroy, Run: f.Run}
	}
	return &shutdown.Event{Action: shutdown.ActionWatch, Run: f.Run, StopBy: f.Guard.StopBy}
}

// sweepLoses says what is lost of a run whose function is gone, because only the function knows where to export it; "" if nothing is.
func sweepLoses(ctx context.Context, f *sweep.Found) (string, error) {
	ran, err := f.Stack.Loaded(ctx, f.Run)
	if err != nil || !ran {
		return "", err
	}
	return fmt.Sprintf("the function that knows where the run %s is exported is gone, so nobody can tell whether it was exported, and it can no longer be exported", f.Run), nil
}

// sweepOne ends, exports and removes a stack in its current state. The yes does not cover a run that has started since.
func sweepOne(ctx context.Context, ws *workspace.Workspace, con *console.Console, cfg aws.Config, asked *sweep.Found) error {
	f, err := sweep.Named(ctx, ws, cfg, asked.Name)
	if err != nil || f == nil {
		return err
	}
	if f.Run != asked.Run && f.Run != "" {
		return fmt.Errorf("the run %s started while the question was open, so nothing was changed: run the same command again", f.Run)
	}
	switch force := ws.On("FORCE"); {
	case f.Run == "":
	case f.Stack.Config.Bucket == "":
		lost, err := sweepLoses(ctx, f)
		if err != nil {
			return err
		}
		if lost != "" && !force {
			return fmt.Errorf("%s: nothing was changed. FORCE=1 gives it up", lost)
		}
	default:
		if err := finish(ctx, ws, con, f.Stack, sweptRun(f)); err != nil && !force {
			return err
		}
		if f, err = sweep.Named(ctx, ws, cfg, asked.Name); err != nil || f == nil {
			return err
		}
	}
	if err := f.Remove(ctx, con, cfg); err != nil {
		return err
	}
	left, err := sweep.Named(ctx, ws, cfg, asked.Name)
	if err == nil && left != nil {
		err = fmt.Errorf("this is still there, so something was created in the meantime: %s", left.Parts())
	}
	return err
}
