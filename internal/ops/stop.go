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

// Stop ends the run under way now: the load stops, metrics and logs are exported, the cache is deleted.
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
		con.Say("no run of %s is under way", subject.place())
		return nil
	}
	if !subject.state.GuardsRun() {
		return subject.foreign(runOf(s, run))
	}
	return finish(ctx, ws, con, s, run)
}

// finish sees to it that a run whose load ever started has a complete manifest, and runs the stop when it has not. An error means that the run
// would be lost. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
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
	if ws.Getenv("FORCE") == "1" {
		con.Say("FORCE=1: run %s is given up; lost for good: %s", run.Run, lost(m))
		return nil
	}
	refuse := fmt.Sprintf("run %s has no complete manifest, and %s would be lost. `go tool mage export` tries again, FORCE=1 goes on without", run.Run, lost(m))
	if s.Lambda == "" {
		return fmt.Errorf("%s (the Lambda that ends runs is gone)", refuse)
	}
	con.Say("run %s is not ended and exported yet: ending it now", run.Run)
	if err := s.Invoke(ctx, shutdown.Event{Action: shutdown.ActionStop, Run: run.Run}); err != nil {
		return err
	}
	if err := waitManifest(ctx, con, s, run.Run); err != nil {
		return fmt.Errorf("%s: %w", refuse, err)
	}
	con.Say("run %s is ended and exported", run.Run)
	return nil
}

// lost is what is not exported.
func lost(m *export.Manifest) string {
	switch {
	case m == nil:
		return "its metrics and logs"
	default:
		_, metrics := m.Object(export.KindMetrics)
		_, logs := m.Object(export.KindLogs)
		switch {
		case metrics && logs:
			return "the proof that its exports are whole"
		case metrics:
			return "its logs"
		case logs:
			return "its metrics"
		}
		return "its metrics and logs"
	}
}

// exportLimit is how long the end of a run may take: one whole invocation of the Lambda (15 minutes), and what comes before and after. A person
// who waits for longer wants to know why.
const exportLimit = 20 * time.Minute

// waitManifest waits until a run's manifest is complete, and shows how far it is.
func waitManifest(ctx context.Context, con *console.Console, s *stack.Stack, run string) error {
	deadline := time.Now().Add(exportLimit)
	ending := con.Step("ending run %s: stop the load, export, delete the cache", run)
	defer ending.End()
	for {
		m, err := s.Manifest(ctx, run)
		if err != nil {
			return err
		}
		if m != nil && m.Complete {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it is not complete after %s; look at the log group /aws/lambda/%s", page.Duration(exportLimit), s.Lambda)
		}
		ending.At(-1, "%s", s.Progress(ctx))
		if err := con.Wait(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}
