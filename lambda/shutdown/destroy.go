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

// Lifecycle is added by the provider to the input of an aws_lambda_invocation with lifecycle_scope "CRUD".
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/lambda_invocation#crud-lifecycle-management
type Lifecycle struct {
	Action string `json:"action"`              // create, update or delete
	Before Before `json:"prev_input,omitzero"` // of an update
}

// Before is the input before it was changed.
type Before struct {
	Run string `json:"run"`
}

// destroy is invoked by Terraform before it removes anything: the current run is ended and exported first, and an error stops Terraform. It can be
// repeated and continues where it stopped. When the invocation is created, or updated to another run, it waits until the load has started and notifies.
// It is invoked again after load and cache are gone, because an apply that failed halfway has not created the first invocation: CloudWatch still has
// the data.
func (r *run) destroy(ctx context.Context, event Event) (Answer, error) {
	if asked := event.Terraform; asked.Action != "delete" {
		if r.action == ActionDestroy && (asked.Action == "create" || asked.Action == "update" && asked.Before.Run != r.id) {
			service, err := r.loadStarts(ctx)
			if err != nil {
				return Answer{}, err
			}
			if err := r.running(ctx, service); err != nil { // a failed notification must not fail an apply
				r.log.Warn("the message that the load runs was not sent", "error", err)
			}
		}
		return r.answer(StatusIdle, "armed: a destroy ends and exports the run first"), nil
	}
	if event.SkipFinalExport {
		return r.answer(StatusIdle, "skip_final_export: what is not exported is given up"), nil
	}
	// The event's run is that of the last complete apply; watch has the current one. The stop removes watch last, so without it there is nothing
	// to end, unless somebody removed it while a load ran.
	current, err := r.current(ctx)
	if err != nil {
		return Answer{}, destroyError(r.id, err)
	}
	if current.Run == "" {
		service, err := r.service(ctx)
		if err != nil {
			return Answer{}, destroyError(r.id, err)
		}
		if service == nil || service.DesiredCount+service.RunningCount+service.PendingCount == 0 {
			left, err := r.unexported(ctx)
			if err != nil {
				return Answer{}, destroyError(r.id, err)
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
				return Answer{}, destroyError(attempt.id, err)
			}
			if first.IsZero() {
				return r.answer(StatusIdle, "no load ever ran"), nil
			}
		}
		answer, err := attempt.stop(ctx)
		if err != nil {
			return answer, destroyError(attempt.id, err)
		}
		if answer.Status != StatusPending || attempt.left(ctx) < 3*reserve && attempt.onlyDeleting(ctx) {
			return answer, nil
		}
		// Another invocation works on the run, or AWS needs time: wait while this invocation has time.
		if attempt.left(ctx) < 3*reserve {
			return answer, fmt.Errorf("run %s is not ended and exported yet, so nothing is destroyed yet: %s. Destroy again: it continues from here.\n%s",
				attempt.id, answer.Message, giveUp)
		}
		if err := r.clock.Sleep(ctx, 10*time.Second); err != nil {
			return answer, err
		}
	}
}

// unexported reports whether the event's run lost its guard before its exports were complete; false if the bucket is gone or denied.
func (r *run) unexported(ctx context.Context) (bool, error) {
	state, _, err := r.record(ctx)
	switch {
	case denied(err), decided(err), errors.As(err, new(*export.ForeignError)):
		return false, nil
	case err != nil:
		return false, err
	case state.Attempts > 0:
		r.state = state
		return !state.Complete && !r.neverComplete(), nil
	}
	first, _, err := r.logged(ctx)
	return !first.IsZero(), err
}

// destroyError is the error that stops a destroy.
func destroyError(run string, err error) error {
	return fmt.Errorf("run %s is not ended and exported, so nothing is destroyed yet: %w\n%s", run, err, giveUp)
}

// giveUp tells a person how to continue without the exports.
const giveUp = "To give up what is not exported: `FORCE=1 go tool mage destroy`; or `terraform state rm` this module's aws_lambda_invocation.destroy and .destroyed, and destroy."

// onlyDeleting reports whether a run is exported and only its cache is left, which AWS is deleting: Terraform waits for that itself.
func (r *run) onlyDeleting(ctx context.Context) bool {
	if !r.state.Complete || !r.idle || r.cache() == nil {
		return false
	}
	now, err := r.describeCache(ctx, r.cache())
	return err == nil && (now == nil || now.status == "deleting")
}

// startLimit bounds the wait for a load that neither starts nor fails, like the service's timeout in modules/ecs-load. The circuit breaker gives up
// after three tasks, each of which takes a minute or two.
const startLimit = 10 * time.Minute

// loadStarts waits until the load's deployment has completed or failed, so that an apply fails when its tasks cannot reach the cache: up to 6.3,
// the provider considers a service steady once its tasks run, healthy or not. It returns the service, nil when there is none.
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
			return true, fmt.Errorf("the load cannot start: ECS gave up on the deployment of service %s: %s; the log group %s has what the tasks said",
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
