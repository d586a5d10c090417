package ops

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// endOverdue ends a run that is over but whose watch schedule is still there, and returns that schedule, which has to be recreated although it did not change.
// The old run's cache is gone by then; otherwise it would have no guard while the schedule is recreated. alive is the run whose load runs, "" if none does. A
// run without a stop schedule is one whose apply failed. If its StopBy is less than needs away, a retry would be cut short, so it becomes a new run. So does
// one that has the name of another stack's run: its preflight failed before anything was billed.
func (subject *subject) endOverdue(ctx context.Context, ws *workspace.Workspace, con *console.Console, s *stack.Stack, yes *consent, needs time.Duration) (replace []string, alive string, err error) {
	run, err := s.Run(ctx)
	if err != nil || run == nil {
		return nil, "", err
	}
	stops, err := s.StopsAt(ctx)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	taken := false
	if stops.IsZero() {
		if taken, err = s.Taken(ctx, run.Run); err != nil {
			return nil, "", err
		}
	}
	short := stops.IsZero() && now.Before(run.StopBy) && run.StopBy.Sub(now) < needs
	if !short && !taken && now.Before(run.StopBy) && (stops.IsZero() || now.Before(stops)) {
		m, err := s.Manifest(ctx, run.Run)
		if err != nil || m == nil || !m.Complete {
			if !stops.IsZero() {
				alive = run.Run
			}
			return nil, alive, err
		}
	}
	var ends []string
	if what, err := endingOf(ctx, ws, s, run); err != nil {
		return nil, "", err
	} else if what != "" {
		ends = append(ends, what)
	}
	ours, err := s.MadeCache(ctx, con)
	if err != nil {
		return nil, "", err
	}
	if ours {
		ends = append(ends, fmt.Sprintf("the cache %s is deleted", stack.CacheName(s.Config.Cache)))
	}
	if len(ends) > 0 {
		if err := yes.ask(ctx, asList(fmt.Sprintf("The run %s of the stack %s is overdue. Before a new run,", run.Run, yes.place), ends)+"Continue? The plan of the new run is shown after that, with a question of its own."); err != nil {
			return nil, "", err
		}
		if again, err := s.Run(ctx); err != nil || again == nil || again.Run != run.Run { // the answer can take an hour
			return nil, "", cmp.Or(err, fmt.Errorf("the run %s ended while the question was open: run `go tool mage deploy` again", run.Run))
		}
		yes.did("the run %s was ended as asked", run.Run)
	}
	if err := subject.cli.Await(ctx, con, subject.state); err != nil {
		return nil, "", err
	}
	if err := finish(ctx, ws, con, s, run); err != nil {
		return nil, "", err
	}
	if err := s.CacheGone(ctx, con, ours); err != nil {
		return nil, "", err
	}
	switch {
	case taken:
		con.Say("run %s has the name of another stack's run, which started in the same second: this deploy starts another one", run.Run)
	case short:
		con.Say("run %s ends by %s, which is too early for a load that is yet to start: this deploy starts a new run", run.Run, run.StopBy.Format(time.RFC3339))
	default:
		con.Say("run %s is over: this deploy starts a new one", run.Run)
	}
	return []string{terraform.WatchAddress}, "", nil
}
