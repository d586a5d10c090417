package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Stop ends the current run now: it stops the load, exports metrics and logs, and deletes the cache.
func Stop(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return err
	}
	s, err := subject.open(ctx, ws)
	if err != nil {
		return err
	}
	run, err := s.Run(ctx)
	if err != nil {
		return err
	}
	if run == nil {
		billed, err := s.Billed(ctx)
		if err != nil {
			return fmt.Errorf("no run of %s is under way; cannot tell whether anything of it is left: %w", subject.place(), err)
		}
		if billed != "" {
			return fmt.Errorf("no run of %s is under way, but %s: `go tool mage destroy` removes it", subject.place(), billed)
		}
		con.Say("no run of %s is under way: no task runs, and there is no cache of it", subject.place())
		return nil
	}
	if !subject.state.GuardsRun() {
		return subject.foreign(runOf(s, run))
	}
	return stop(ctx, con, s, run)
}

// stop ends a run in any state: a load that has not logged anything yet costs as much as one that has. It says what it did.
func stop(ctx context.Context, con *console.Console, s *stack.Stack, run *shutdown.Event) error {
	m, err := s.Manifest(ctx, run.Run)
	if err != nil {
		con.Say("cannot tell whether run %s is already exported: %v", run.Run, err)
	} else if m != nil && m.Complete {
		if billed, err := s.Billed(ctx); err == nil && billed == "" {
			con.Say("run %s is stopped and exported already: %s", run.Run, s.Progress(ctx))
			return nil
		}
	}
	con.Say("stopping run %s", run.Run)
	if err := end(ctx, con, s, run); err != nil {
		return err
	}
	if m, err = s.Manifest(ctx, run.Run); err == nil && m != nil && m.Complete {
		con.Say("run %s is stopped and exported: %s", run.Run, s.Progress(ctx))
	} else {
		con.Say("run %s is stopped: %s; no load of it ever ran, so there is nothing to export", run.Run, s.Progress(ctx))
	}
	return nil
}

// finish ends a run whose load ever started, unless its manifest is complete: what follows would lose its data. An error means that the run's data would be
// lost.
func finish(ctx context.Context, ws *workspace.Workspace, con *console.Console, s *stack.Stack, run *shutdown.Event) error {
	m, err := s.Manifest(ctx, run.Run)
	if err != nil {
		return err
	}
	if m != nil && m.Complete {
		return nil
	}
	ran, err := s.Loaded(ctx, run.Run)
	if err != nil || !ran {
		return err
	}
	if ws.On("FORCE") {
		con.Say("FORCE=1: run %s is given up; lost for good: %s", run.Run, lost(m))
		return nil
	}
	con.Say("run %s is not ended and exported yet: ending it now", run.Run)
	if err := end(ctx, con, s, run); err != nil {
		return fmt.Errorf("%w\nTo continue without them: FORCE=1; %s would then be lost", err, lost(m))
	}
	con.Say("run %s is ended and exported", run.Run)
	return nil
}

// lost names what is not exported.
func lost(m *export.Manifest) string {
	switch {
	case m == nil:
		return "its metrics and logs"
	default:
		_, metrics := m.Object(export.KindMetrics)
		_, logs := m.Object(export.KindLogs)
		switch {
		case metrics && logs:
			return "the proof that its exports are complete"
		case metrics:
			return "its logs"
		case logs:
			return "its metrics"
		}
		return "its metrics and logs"
	}
}

// exportLimit is how long the end of a run may take: one whole invocation of the Lambda (15 minutes), and the steps before and after it. A person who waits
// longer should see why.
const exportLimit = 20 * time.Minute

// end makes the Lambda stop a run, and waits until that is done. If the Lambda is gone, its code runs here instead.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
func end(ctx context.Context, con *console.Console, s *stack.Stack, run *shutdown.Event) error {
	stop := shutdown.Event{Action: shutdown.ActionStop, Run: run.Run}
	if run.Action == shutdown.ActionDestroy { // no watch schedule would continue a stop; a destroy answers only when all is done
		stop = shutdown.Event{Action: shutdown.ActionDestroy, Run: run.Run, Terraform: shutdown.Lifecycle{Action: "delete"}}
	}
	if s.Lambda != "" {
		if err := s.Invoke(ctx, stop); err != nil {
			return fmt.Errorf("run %s is not stopped: %w", run.Run, err)
		}
		return waitEnd(ctx, con, s, run.Run)
	}
	ending := con.Step("the Lambda function that ends runs is gone: ending run %s from here: stop the load, export, delete the cache", run.Run)
	config := s.Config
	config.PeriodSeconds = max(config.PeriodSeconds, 60) // only the Lambda knew the period; ElastiCache publishes every 60 s
	answer, err := shutdown.New(config, shutdown.NewClients(s.AWS), export.Wall{}).Handle(ctx, stop)
	ending.End()
	if err != nil {
		return fmt.Errorf("run %s is not ended and exported: %w (%s)", run.Run, err, s.Progress(ctx))
	}
	if done, err := isOver(ctx, s, run.Run); err != nil || done {
		return err
	}
	return fmt.Errorf("run %s is not ended and exported: %s (%s)", run.Run, answer.Message, s.Progress(ctx))
}

// isOver reports whether the end of a run is done: its manifest is complete; or there is no load, none ever logged anything, and nothing is billed.
func isOver(ctx context.Context, s *stack.Stack, run string) (bool, error) {
	m, err := s.Manifest(ctx, run)
	if err != nil || m != nil && m.Complete {
		return err == nil, err
	}
	service, err := s.Service(ctx)
	if err != nil || service != nil {
		return false, err
	}
	if ran, err := s.Loaded(ctx, run); err != nil || ran {
		return false, err
	}
	billed, err := s.Billed(ctx)
	return err == nil && billed == "", err
}

// waitEnd waits until the Lambda has ended a run, and shows its progress. A failed poll is ignored: the Lambda goes on.
func waitEnd(ctx context.Context, con *console.Console, s *stack.Stack, run string) error {
	deadline := time.Now().Add(exportLimit)
	ending := con.Step("ending run %s: stop the load, export, delete the cache", run)
	defer ending.End()
	for {
		done, err := isOver(ctx, s, run)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w; the stop of run %s was requested and continues in AWS: `go tool mage status` shows it", context.Cause(ctx), run)
		case time.Now().After(deadline) && err != nil:
			return fmt.Errorf("the stop of run %s was requested %s ago; cannot tell whether it is done: %w", run, page.Duration(exportLimit), err)
		case time.Now().After(deadline):
			return fmt.Errorf("run %s is not ended and exported %s after its stop was requested (%s): see the log group /aws/lambda/%s", run, page.Duration(exportLimit), s.Progress(ctx), s.Lambda)
		case err != nil:
			ending.At(-1, "the last check failed: %v", err)
		default:
			ending.At(-1, "%s", s.Progress(ctx))
		}
		_ = con.Wait(ctx, 5*time.Second) // the loop reports why the context ended
	}
}
