package ops

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// waitLoad waits until a task of the service has reported operations and the prefill is done: a running task is not yet a loaded cache. A changed load has a
// new service, so older log lines do not count. It fails if a task could not write its keys, or if more tasks have failed than the service should have: ECS
// then replaces them with tasks that fail, too.
func waitLoad(ctx context.Context, con *console.Console, s *stack.Stack, run string) error {
	since, err := shutdown.ParseRun(run)
	if err != nil {
		return err
	}
	var waiting *console.Step
	defer func() { waiting.End() }()
	for deadline := time.Now().Add(5 * time.Minute); ; {
		service, err := s.Service(ctx)
		if err != nil {
			return err
		}
		if service != nil && since.Before(aws.ToTime(service.CreatedAt)) {
			since = *service.CreatedAt
		}
		events, err := s.LoadLog(ctx, since, 10_000, "")
		if err != nil {
			return err
		}
		failed, why, loads := map[string]bool{}, "", false
		for _, e := range events {
			if r, ok := report.ParseProgress(e.Text); ok && r.Operations > 0 {
				loads = true
			}
			if text, ok := strings.CutPrefix(e.Text, "load: failed: "); ok {
				failed[e.Stream], why = true, ": "+text
			}
		}
		keys, err := s.Prefill(ctx, since, time.Now())
		if err != nil || loads && keys == nil {
			return err
		}
		if keys != nil && keys.Failed != "" {
			return fmt.Errorf("the load of run %s does not start: prefill: %s\n%s", run, keys.Failed, whoEnds(ctx, s, "`go tool mage destroy` removes what was created"))
		}
		if keys != nil {
			deadline = time.Now().Add(5 * time.Minute)
		}
		switch {
		case service == nil || service.DesiredCount == 0:
			return fmt.Errorf("the load of run %s was stopped before it reported an operation%s", run, why)
		case len(failed) > int(service.DesiredCount):
			return fmt.Errorf("the load of run %s cannot start, %s failed%s\n%s", run, report.Quantity(len(failed), "task"), why, s.Trouble(ctx))
		case time.Now().After(deadline):
			return fmt.Errorf("the load of run %s has reported no operation for 5 minutes%s\n%s", run, why, s.Trouble(ctx))
		}
		if waiting == nil {
			waiting = con.Step("waiting for the load's first operation")
		}
		if keys != nil {
			waiting.At(keys.Share, "%s", keys)
		} else {
			waiting.At(-1, "%d of %s running", service.RunningCount, report.Quantity(int(service.DesiredCount), "task"))
		}
		for read := time.Now(); time.Since(read) < time.Second; { // the log is long, and its reader takes from the load's cores
			if err := con.Wait(ctx, 2*time.Second); err != nil {
				return err
			}
		}
	}
}
