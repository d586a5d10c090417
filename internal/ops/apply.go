package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

var errRollout = errors.New("the load cannot start: ECS gave up on the deployment")

// apply applies the plan. The provider waits for the service's steady state even after ECS has given up on its deployment, so apply watches for that.
func apply(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack.Stack, plan string) error {
	before, err := failedRollouts(ctx, s) // left by an earlier apply
	if err != nil {
		return fmt.Errorf("%w; nothing was applied", err)
	}
	applying, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for con.Wait(applying, 0) == nil {
			failed, _ := failedRollouts(applying, s) // a failed call proves nothing; the next one can succeed
			for id := range failed {
				if !before[id] {
					cancel(errRollout)
				}
			}
		}
	}()
	working := con.Step("terraform: applying")
	t.During(working)
	err = t.Apply(applying, plan)
	working.End()
	cancel(nil)
	<-watched
	switch {
	case err == nil:
		return nil
	case errors.Is(err, terraform.ErrStale):
		return fmt.Errorf("%w: somebody else has deployed or destroyed the stack in the meantime. `go tool mage deploy` plans and asks again", err)
	}
	why := ""
	if ctx.Err() == nil {
		if why = s.Trouble(ctx); why != "" {
			why = "\nwhat ECS and the tasks say:\n" + why
		}
	}
	next := "`go tool mage deploy` continues, `go tool mage destroy` removes what was created"
	if failed := new(terraform.Error); errors.As(err, &failed) && failed.Unsaved {
		next = fmt.Sprintf("what was created is not in the state: free disk space where it is and save it with `terraform state push`, as Terraform says above; or remove what was created, without a state, with `SWEEP=%s go tool mage sweep`", s.Config.Name)
	}
	return fmt.Errorf("%w%s\n%s", err, why, whoEnds(ctx, s, next))
}

// failedRollouts returns the load's deployments that ECS has given up on. A service that is being deleted (status DRAINING) keeps its old deployments, which
// say nothing about the next service: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
func failedRollouts(ctx context.Context, s *stack.Stack) (map[string]bool, error) {
	failed := map[string]bool{}
	service, err := s.Service(ctx)
	if err != nil || service == nil || aws.ToString(service.Status) != "ACTIVE" {
		return failed, err
	}
	for _, d := range service.Deployments {
		if d.RolloutState == types.DeploymentRolloutStateFailed {
			failed[aws.ToString(d.Id)] = true
		}
	}
	return failed, nil
}

// whoEnds says, after a failed deploy, what to do next, which resources are billed, and what will end the run, as AWS shows it now.
func whoEnds(ctx context.Context, s *stack.Stack, next string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	billed, err := s.Billed(ctx)
	run, problem := s.Run(ctx)
	gone := stack.EmbeddedGone(s.AWS, cmp.Or(err, problem))
	switch {
	case gone != nil:
		return fmt.Sprintf("everything that was created is gone: %v", gone)
	case err != nil || problem != nil:
		return fmt.Sprintf("%s; cannot tell whether anything is billed, or whether the schedule %s ends it: %v", next, s.Config.Schedules.Watch, cmp.Or(err, problem))
	case billed == "":
		return next + "; no task or cache of it is billed now"
	case run == nil:
		return fmt.Sprintf("%s; until then this is billed: %s. Nothing ends it automatically: there is no schedule %s", next, billed, s.Config.Schedules.Watch)
	}
	return fmt.Sprintf("%s; until then this is billed: %s. If you do neither, the schedule %s ends it by %s", next, billed, s.Config.Schedules.Watch, run.StopBy.Format(time.RFC3339))
}
