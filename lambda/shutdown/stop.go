package shutdown

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

type step struct {
	name string
	do   func(context.Context) error
}

// stop ends the run. The order is the promise: nothing is exported before the load has said its last words, the cache is deleted whatever
// failed before, the manifest is the commit mark, and the guard goes last, when there is nothing left to guard.
func (r *run) stop(ctx context.Context) (Answer, error) {
	if err := r.take(ctx); errors.Is(err, errHeld) || errors.Is(err, errTaken) {
		return r.answer(StatusPending, err.Error()), nil
	} else if err != nil {
		r.failures = append(r.failures, err) // go on without a record: the load and the cache cost money
		r.log.Error("there is no record of this run", "error", err)
	}
	defer r.release(ctx)
	for _, step := range []step{
		{"stop the load", r.stopLoad},
		{"read the membership", r.readMembership},
		{"save the record", r.save},
		{"settle", r.settle},
		{"export metrics", r.exportMetrics},
		{"export logs", r.exportLogs},
		{"delete the cache", r.deleteCache},
		{"write the manifest", r.writeManifest},
		{"notify", r.notify},
		{"wait for the cache to be gone", r.awaitGone},
		{"remove the schedules", r.removeSchedules},
	} {
		err := step.do(ctx)
		var wait pending
		switch {
		case err == nil:
			r.log.Info("step", "step", step.name)
			continue
		case errors.Is(err, errTaken), ctx.Err() != nil:
			return r.answer(StatusPending, step.name+": "+err.Error()), ctx.Err()
		case errors.As(err, &wait), errors.Is(err, export.ErrOutOfTime):
			r.waiting = append(r.waiting, step.name+": "+err.Error())
		default:
			r.failures = append(r.failures, fmt.Errorf("%s: %w", step.name, err))
		}
		r.log.Warn("step", "step", step.name, "error", err)
	}
	if len(r.waiting)+len(r.failures) > 0 {
		return r.answer(StatusPending, strings.Join(r.troubles(), "; ")), r.failed()
	}
	return r.answer(StatusDone, "nothing of the run is left but its objects"), nil
}

// export does the exports of an ended run where they are not done, and looks whether CloudWatch has more of those that are: `mage export`.
// The run's record says what they cover.
func (r *run) export(ctx context.Context) (Answer, error) {
	text, _, err := r.store.get(ctx, r.cfg.StateKey(r.id))
	if err != nil {
		return Answer{}, err
	}
	if text == nil {
		return Answer{}, fmt.Errorf("s3://%s/%s does not exist: run %s was never stopped, or is not of this stack; a run under way is exported by its stop (`mage stop`)",
			r.cfg.Bucket, r.cfg.StateKey(r.id), r.id)
	}
	if err := r.take(ctx); err != nil {
		return Answer{}, err
	}
	defer r.release(ctx)
	complete := r.state.Complete
	if !r.state.LoadStopped {
		return Answer{}, fmt.Errorf("run %s: its load was not seen to stop; run `mage stop`", r.id)
	}
	for _, step := range []step{{"settle", r.settle}, {"export metrics", r.exportMetrics}, {"export logs", r.exportLogs}, {"write the manifest", r.writeManifest}} {
		if err := step.do(ctx); err != nil {
			r.failures = append(r.failures, fmt.Errorf("%s: %w", step.name, err))
		}
	}
	if err := r.failed(); err != nil {
		return r.answer(StatusPending, strings.Join(r.troubles(), "; ")), err
	}
	switch {
	case len(r.news) > 0:
		return r.answer(StatusDone, "replaced: "+strings.Join(r.news, "; ")), nil
	case complete:
		return r.answer(StatusDone, "nothing to add: CloudWatch has no more than was exported"), nil
	}
	return r.answer(StatusDone, "exported"), nil
}

// removeSchedules removes the stop schedule, then the guard, once there is nothing left to guard.
func (r *run) removeSchedules(ctx context.Context) error {
	var left []string
	for _, end := range []struct {
		reached bool
		not     string
	}{{r.idle, "ECS is not at 0"}, {r.gone, "the cache is not gone"}, {r.state.Complete, "the manifest is not complete"}} {
		if !end.reached {
			left = append(left, end.not)
		}
	}
	if len(left) > 0 {
		return pending("kept, because " + strings.Join(left, ", "))
	}
	for _, name := range []string{r.cfg.Schedules.Stop, r.cfg.Schedules.Watch} {
		_, err := r.aws.Scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{GroupName: &r.cfg.Schedules.Group, Name: aws.String(name)})
		if err != nil && !notFound(err) {
			return fmt.Errorf("delete schedule %s/%s: %w", r.cfg.Schedules.Group, name, err)
		}
	}
	return nil
}
