package ops

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Deploy creates or changes the stack, waits until the load runs, and prints where to look.
//
// It shows the plan and asks. If something of an earlier run has to end first, it asks for that before. APPROVE=1 is a yes to all of it.
func Deploy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	_, err := deploy(ctx, ws, con)
	return err
}

// deployed is a stack whose load runs.
type deployed struct {
	subject *subject
	stack   *stack.Stack
	run     *shutdown.Event
	stopsAt time.Time
}

func deploy(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*deployed, error) {
	if _, err := skipped(ws); err != nil {
		return nil, err
	}
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	unlock, err := subject.lock(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t, in := subject.cli, subject.inputs
	yes := newConsent(ws, con, subject.place())
	s, err := subject.own(ctx, ws)
	if err != nil {
		return nil, err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return nil, err
	}
	if in.BuildsLambda() {
		if err := gobuild.Lambda(ctx, ws, con, in.Architecture); err != nil {
			return nil, err
		}
	}
	if err := validate(ctx, ws, con, in, nil); err != nil {
		return nil, err
	}
	if err := t.Prepare(ctx, ws, con); err != nil {
		return nil, err
	}
	if err := t.Await(ctx, con, subject.state); err != nil {
		return nil, err
	}
	replace, alive, err := subject.endOverdue(ctx, ws, con, s, yes, time.Duration(in.Minutes+in.Load.Prefill.Minutes+aroundLoad)*time.Minute)
	if err != nil {
		return nil, err
	}
	if err := unknownCache(ctx, con, t, s, yes); err != nil {
		return nil, err
	}
	if err := lateInsights(ctx, con, t, s, yes); err != nil {
		return nil, err
	}
	plan, remove, err := terraform.PlanFile(ws)
	if err != nil {
		return nil, err
	}
	defer remove()
	planning := con.Step("terraform: planning")
	t.During(planning)
	changes, err := t.Plan(ctx, plan, replace...)
	planning.End()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if changes {
		if alive != "" {
			con.Say("run %s is under way, and these changes become part of it: if they replace the load, the exported metrics start with the new one. Run `go tool mage stop` first to make them two runs", alive)
		}
		if err := yes.ask(ctx, fmt.Sprintf("Make these changes to the stack %s? %s", subject.place(), costs(in, pricesOf(ctx, con, s.AWS, in)))); err != nil {
			return nil, err
		}
		if err := apply(ctx, con, t, s, plan); err != nil {
			return nil, err
		}
	}
	d, err := subject.loaded(ctx, ws, con)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w; %s", cause, subject.goesOn(ctx, s))
		}
		return nil, err
	}
	outputs, err := t.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	if changes {
		con.Say("the load runs, %s after the apply began", page.Duration(time.Since(began)))
	} else {
		con.Say("the load runs, as before: there was nothing to change")
	}
	con.Say("  run        %s", d.run.Run)
	con.Say("  dashboard  %s", cmp.Or(d.stack.Dashboard(), outputs["cloudwatch_dashboard_url"]))
	con.Say("  stops at   %s (%s from now)", d.stopsAt.Format(time.RFC3339), page.Duration(time.Until(d.stopsAt)))
	con.Say("  exports    %s", outputs["metrics_export_location"])
	return d, nil
}

// loaded waits until the load runs after an apply, and returns the stack as AWS shows it.
func (subject *subject) loaded(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*deployed, error) {
	s, err := subject.open(ctx, ws) // now with the Lambda's configuration
	if err != nil {
		return nil, err
	}
	d := &deployed{subject: subject, stack: s}
	if d.run, err = s.Run(ctx); err != nil {
		return nil, err
	}
	if d.run == nil {
		return nil, fmt.Errorf("the stack is there but no run is under way: the schedule %s is gone; run `go tool mage deploy` again", s.Config.Schedules.Watch)
	}
	if d.stopsAt, err = s.StopsAt(ctx); err != nil {
		return nil, err
	}
	d.stopsAt = ends(d.run, d.stopsAt)
	if err := waitLoad(ctx, con, s, d.run.Run); err != nil {
		return nil, err
	}
	return d, nil
}

// ends is when a run ends without a command: at its stop schedule's time, or at StopBy, which the watch schedule enforces, if that is earlier. It is zero if
// somebody removed both.
func ends(run *shutdown.Event, stops time.Time) time.Time {
	if stops.IsZero() || !run.StopBy.IsZero() && run.StopBy.Before(stops) {
		return run.StopBy
	}
	return stops
}
