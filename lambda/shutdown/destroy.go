package shutdown

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Lifecycle is what the provider adds to the input of an aws_lambda_invocation whose lifecycle_scope is "CRUD".
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/lambda_invocation#crud-lifecycle-management
type Lifecycle struct {
	Action string `json:"action"`              // create, update or delete
	Before Before `json:"prev_input,omitzero"` // of an update
}

// Before is the input before it was changed.
type Before struct {
	Run string `json:"run"`
}

// destroy is Terraform's question before it removes anything: the run under way is ended and exported first, and an error keeps Terraform from
// going on. It may be asked again and carries on from what it finds. Creating the question, or updating it to another run, waits until the load has
// started and tells so. The same is asked once more when load and cache are gone, for an apply that failed in the middle has not made the first
// question: CloudWatch still has what there was.
func (r *run) destroy(ctx context.Context, event Event) (Answer, error) {
	if asked := event.Terraform; asked.Action != "delete" {
		if r.action == ActionDestroy && (asked.Action == "create" || asked.Action == "update" && asked.Before.Run != r.id) {
			service, err := r.loadStarts(ctx)
			if err != nil {
				return Answer{}, err
			}
			if err := r.running(ctx, service); err != nil { // nobody's mail fails an apply
				r.log.Warn("nobody was told that the load runs", "error", err)
			}
		}
		return r.answer(StatusIdle, "armed: a destroy ends and exports the run first"), nil
	}
	if event.SkipFinalExport {
		return r.answer(StatusIdle, "skip_final_export: what is not exported is given up"), nil
	}
	// The run of the question is that of the last whole apply: watch knows better. It goes last, so without it there is nothing to end,
	// unless somebody removed it under a load that runs.
	current, err := r.current(ctx)
	if err != nil {
		return Answer{}, undestroyed(r.id, err)
	}
	if current.Run == "" {
		service, err := r.service(ctx)
		if err != nil {
			return Answer{}, undestroyed(r.id, err)
		}
		if service == nil || service.DesiredCount+service.RunningCount+service.PendingCount == 0 {
			left, err := r.unexported(ctx)
			if err != nil {
				return Answer{}, undestroyed(r.id, err)
			}
			if !left {
				return r.answer(StatusIdle, "no run is under way"), nil
			}
		}
		current.Run = r.id
	}
	for {
		attempt, err := r.newRun(ctx, Event{Action: r.action, Run: current.Run})
		if err != nil {
			return Answer{}, err
		}
		if r.action == ActionDestroyed {
			first, _, err := attempt.logged(ctx)
			if err != nil {
				return Answer{}, undestroyed(attempt.id, err)
			}
			if first.IsZero() {
				return r.answer(StatusIdle, "no load ever ran"), nil
			}
		}
		answer, err := attempt.stop(ctx)
		if err != nil {
			return answer, undestroyed(attempt.id, err)
		}
		if answer.Status != StatusPending || attempt.left(ctx) < 3*reserve && attempt.onlyDeleting(ctx) {
			return answer, nil
		}
		// Another invocation is at work, or something only needs time: as long as this one has it.
		if attempt.left(ctx) < 3*reserve {
			return answer, fmt.Errorf("run %s is not ended and exported yet, so nothing is destroyed yet: %s. Destroy again: it goes on from here.\n%s",
				attempt.id, answer.Message, giveUp)
		}
		if err := r.clock.Sleep(ctx, 10*time.Second); err != nil {
			return answer, err
		}
	}
}

// unexported says that the run of the question lost its guard before its exports were complete. A bucket that is gone or closed has nothing to say.
func (r *run) unexported(ctx context.Context) (bool, error) {
	state, _, err := r.record(ctx)
	switch {
	case denied(err), decided(err), errors.As(err, new(*export.ForeignError)):
		return false, nil
	case err != nil:
		return false, err
	case state.Attempts > 0:
		r.state = state
		return !state.Complete && !r.hopeless(), nil
	}
	first, _, err := r.logged(ctx)
	return !first.IsZero(), err
}

// undestroyed is why a destroy does not go on.
func undestroyed(run string, err error) error {
	return fmt.Errorf("run %s is not ended and exported, so nothing is destroyed yet: %w\n%s", run, err, giveUp)
}

// giveUp is how a person goes on without the exports.
const giveUp = "To give up what is not exported: `FORCE=1 go tool mage destroy`; or `terraform state rm` this module's aws_lambda_invocation.destroy and .destroyed, and destroy."

// onlyDeleting says that a run is exported, and that nothing of it is left but a cache that AWS is deleting: Terraform waits for it, too.
func (r *run) onlyDeleting(ctx context.Context) bool {
	if !r.state.Complete || !r.idle || r.cache() == nil {
		return false
	}
	now, err := r.look(ctx, r.cache())
	return err == nil && (now == nil || now.status == "deleting")
}

// startLimit bounds the wait for a load that neither starts nor fails, as the service's own timeout in modules/ecs-load does. The circuit breaker gives
// up after three tasks, of which each takes a minute or two.
const startLimit = 10 * time.Minute

// loadStarts waits until ECS has decided on the load's deployment, so that an apply fails when its tasks cannot reach the cache: up to 6.3, the
// provider takes a service whose tasks run for steady, whether they are healthy or not. It gives the service; nil when there is none.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func (r *run) loadStarts(ctx context.Context) (service *types.Service, err error) {
	var last types.Deployment
	started, err := r.poll(ctx, 2*time.Second, startLimit, func() (bool, error) {
		if service, err = r.service(ctx); err != nil || service == nil || service.DesiredCount == 0 {
			return true, err
		}
		for _, d := range service.Deployments {
			if aws.ToString(d.Status) != "PRIMARY" {
				continue
			}
			if last = d; d.RolloutState != types.DeploymentRolloutStateFailed {
				return d.RolloutState != types.DeploymentRolloutStateInProgress, nil
			}
			return true, fmt.Errorf("the load cannot start: ECS gave the deployment of service %s up: %s; the log group %s has what the tasks said",
				r.cfg.Service, aws.ToString(d.RolloutStateReason), r.cfg.Logs.Load)
		}
		return true, nil
	})
	if err == nil && !started {
		err = fmt.Errorf("the load has not started after %s: %d of %d tasks of service %s are healthy; the log group %s has what the tasks said",
			startLimit, last.RunningCount, last.DesiredCount, r.cfg.Service, r.cfg.Logs.Load)
	}
	return service, err
}
