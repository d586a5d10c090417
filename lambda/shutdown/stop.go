package shutdown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// step is one step of a stop. Steps before the cache's deletion leave time for it, even if a call hangs.
type step struct {
	name   string
	do     func(context.Context) error
	leaves time.Duration
	money  bool // done even while another invocation holds the run: doing it twice does no harm
}

// failure is a step that failed, not one that needs more time.
type failure struct {
	step string
	error
}

func (f failure) Error() string { return f.step + ": " + f.error.Error() }
func (f failure) Unwrap() error { return f.error }

// stop ends the run. The order is guaranteed: nothing is exported before the load has stopped, the cache is deleted whatever failed before, the
// manifest is the commit mark, and the guard is removed last, when there is nothing left to guard.
func (r *run) stop(ctx context.Context) (Answer, error) {
	err := r.take(ctx)
	switch {
	case errors.Is(err, errTaken): // by another invocation that has just started
		return r.answer(StatusPending, err.Error()), nil
	case errors.Is(err, errHeld):
		return r.answerHeld(ctx, err)
	case err != nil: // continue without a record: the load and the cache cost money
		r.failures = append(r.failures, failure{"take the record", err})
		r.log.Error("there is no record of this run", "error", err)
	}
	defer r.release(ctx)
	r.unfinished = r.unfinished && !r.state.Complete && !r.state.Begun.Before(r.stopBy) // not a run that a person stopped, or whose schedules are being removed
	taken := false
	for _, step := range []step{
		{"stop the load", r.stopLoad, reserve, true},
		{"read the membership", r.readMembership, reserve, false},
		{"save the record", r.save, reserve, false},
		{"settle", r.settle, reserve, false},
		{"export metrics", r.exportMetrics, reserve * 3 / 4, false}, // exports stop when the reserve starts, and save their progress
		{"export logs", r.exportLogs, reserve * 3 / 4, false},
		{"delete the cache", r.deleteCache, 10 * time.Second, true},
		{"check the load again", r.checkAgain, 0, true},
		{"write the manifest", r.writeManifest, 0, false},
		{"notify", r.notify, 0, false},
		{"wait for the cache to be gone", r.awaitGone, 0, false},
		{"remove the schedules", r.removeSchedules, 0, false},
	} {
		if taken && !step.money {
			continue
		}
		err := r.runStep(ctx, step)
		var wait pending
		switch {
		case err == nil:
			r.log.Info("step", "step", step.name)
			continue
		case ctx.Err() != nil:
			return r.answer(StatusPending, step.name+": "+err.Error()), ctx.Err()
		case errors.Is(err, errTaken):
			taken, r.recorded = true, false
			fallthrough
		case errors.As(err, &wait), errors.Is(err, errReplaced), errors.Is(err, export.ErrOutOfTime):
			r.waiting = append(r.waiting, step.name+": "+err.Error())
		default:
			r.failures = append(r.failures, failure{step.name, err})
		}
		r.log.Warn("step", "step", step.name, "error", err)
	}
	if !taken {
		if err := r.notifyFailures(ctx); err != nil {
			r.log.Warn("the message about the failure was sent, but not recorded", "error", err)
		}
	}
	if len(r.waiting)+len(r.failures) > 0 {
		return r.answer(StatusPending, strings.Join(r.problems(), "; ")), r.failed()
	}
	return r.answer(StatusDone, "nothing of the run is left but its objects"), nil
}

// runStep runs a step within its time.
func (r *run) runStep(all context.Context, step step) error {
	if r.ends.IsZero() {
		return step.do(all)
	}
	left := r.left(all) - step.leaves
	if left <= 0 {
		return export.ErrOutOfTime
	}
	ctx, done := r.limit(all, left)
	defer done()
	err := step.do(ctx)
	if ctx.Err() != nil && all.Err() == nil && err != nil && !errors.Is(err, export.ErrOutOfTime) {
		err = fmt.Errorf("%w: %w", export.ErrOutOfTime, err)
	}
	return err
}

// answerHeld answers while another invocation holds the run and does the work. A person's export can take hours and ends neither load nor cache, so
// answerHeld does.
func (r *run) answerHeld(ctx context.Context, held error) (Answer, error) {
	if !strings.HasPrefix(r.state.Holder, person) {
		return r.answer(StatusPending, held.Error()), nil
	}
	_, _, err := r.billed(ctx)
	if err := errors.Join(err, r.runStep(ctx, step{do: r.deleteCache, leaves: 10 * time.Second})); err != nil {
		return r.answer(StatusPending, held.Error()+"; "+err.Error()), nil
	}
	return r.answer(StatusPending, held.Error()), nil
}

// export completes the exports of an ended run, and replaces those of which CloudWatch has more by now: `mage export`. The run's record has what
// they cover.
func (r *run) export(ctx context.Context) (Answer, error) {
	record, _, err := r.record(ctx)
	if err != nil {
		return Answer{}, err
	}
	if record.Attempts == 0 {
		why := "it is not of this stack, or its stop never started; no run of that name is under way, so there is nothing to export it from"
		current, err := r.current(ctx)
		if err != nil {
			return Answer{}, err
		}
		if current.Run == r.id {
			why = "it is under way: its stop exports it, and `go tool mage stop` stops it now"
		}
		return Answer{}, fmt.Errorf("run %s cannot be exported, s3://%s/%s has no stop of it: %s", r.id, r.cfg.Bucket, r.cfg.StateKey(r.id), why)
	}
	manifest, _, err := r.readManifest(ctx)
	if err == nil {
		err = r.checkVersion(manifest)
	}
	if err != nil {
		return Answer{}, err
	}
	defer r.release(ctx) // even if taking the run failed: the write may have taken effect and its answer been lost
	if err := r.awaitTurn(ctx); err != nil {
		return Answer{}, err
	}
	if r.ends.IsZero() {
		r.renewing()
	}
	current, err := r.current(ctx)
	if err != nil {
		return Answer{}, err
	}
	r.idle = true // the stop saw the load idle; checkIdle and checkAgain check whether an apply recreated it
	complete := r.state.Complete
	if !r.state.LoadStopped {
		return Answer{}, fmt.Errorf("run %s: its load was not seen to stop; run `go tool mage stop`", r.id)
	}
	steps := []step{{name: "settle", do: r.settle}, {name: "export metrics", do: r.exportMetrics}, {name: "export logs", do: r.exportLogs}}
	switch current.Run {
	case r.id:
		steps = append(steps, step{name: "check the load again", do: r.checkAgain})
	case "":
		steps = append(steps, step{name: "check the load again", do: r.checkIdle})
	}
	for _, step := range append(steps, step{name: "write the manifest", do: r.writeManifest}) {
		err := step.do(ctx)
		if err != nil {
			r.failures = append(r.failures, failure{step.name, err})
		}
		if errors.Is(err, errTaken) {
			r.recorded = false
			break
		}
	}
	if err := r.failed(); err != nil {
		return r.answer(StatusPending, strings.Join(r.problems(), "; ")), err
	}
	switch {
	case len(r.news) > 0:
		return r.answer(StatusDone, "replaced: "+strings.Join(r.news, "; ")), nil
	case complete:
		return r.answer(StatusDone, "nothing to add: CloudWatch has no more than was exported"), nil
	}
	return r.answer(StatusDone, "exported"), nil
}

// checkAgain checks that the load is still idle before the manifest is marked complete. If an apply recreated it during the exports, they cover too
// little and are made again once it has ended.
func (r *run) checkAgain(ctx context.Context) error {
	if !r.idle || !r.state.LoadStopped || r.state.Complete {
		return nil
	}
	seen := &load{absent: 1}
	isIdle, err := r.ensureIdle(ctx, seen)
	if err != nil {
		r.idle = false
		return err
	}
	_, last, err := r.logged(ctx)
	if err != nil {
		r.idle = false
		return err
	}
	if isIdle && !r.ranPastWindow(seen) && (last.IsZero() || r.state.Window != nil && last.Before(r.state.Window.End)) {
		return nil
	}
	r.idle, r.state.LoadStopped = false, false
	return pending(fmt.Sprintf("ECS service %s was created meanwhile, and is scaled to 0: the exports are made again", r.cfg.Service))
}

// checkIdle checks the load of a run without a guard, because somebody may have removed the guard while a load ran. It does not read logs and tasks,
// which can be a later run's.
func (r *run) checkIdle(ctx context.Context) error {
	if r.state.Complete {
		return nil
	}
	service, err := r.service(ctx)
	if err == nil && service != nil && service.DesiredCount+service.RunningCount+service.PendingCount > 0 {
		err = fmt.Errorf("ECS service %s runs, and nothing guards it: `go tool mage destroy` ends and exports it first", r.cfg.Service)
	}
	r.idle = err == nil
	return err
}

// awaitTurn waits for the invocation that holds the run. Without it, a person would have to catch the minutes between two ticks of watch.
func (r *run) awaitTurn(ctx context.Context) (held error) {
	_, err := r.poll(ctx, 10*time.Second, min(20*time.Minute, r.left(ctx)-reserve), func() (bool, error) {
		held = r.take(ctx)
		return !errors.Is(held, errHeld), nil
	})
	return cmp.Or(err, held)
}

// removeSchedules removes the stop schedule, then the guard, once there is nothing left to guard. It checks again, because an apply may have created
// a load or a cache since the last check.
func (r *run) removeSchedules(ctx context.Context) error {
	var left []string
	for _, end := range []struct {
		reached bool
		not     string
	}{{r.idle, "ECS is not at 0"}, {r.gone, "the cache is not gone"}, {r.state.Complete || r.neverComplete(), "the manifest is not complete"}} {
		if !end.reached {
			left = append(left, end.not)
		}
	}
	if len(left) > 0 {
		return pending("kept, because " + strings.Join(left, ", "))
	}
	for _, name := range []string{r.cfg.Schedules.Stop, r.cfg.Schedules.Watch} {
		if name == r.cfg.Schedules.Watch {
			if err := r.publishGone(ctx); err != nil {
				return err
			}
		}
		if _, err := r.nothingBilled(ctx); err != nil {
			return err
		}
		event, err := r.event(ctx, name)
		if err != nil {
			return err
		}
		if event.Run != r.id {
			if event.Run != "" {
				r.log.Warn("a schedule is another run's", "schedule", name, "of", event.Run)
			}
			continue
		}
		brief, done := r.brief(ctx)
		_, err = r.aws.Scheduler.DeleteSchedule(brief, &scheduler.DeleteScheduleInput{GroupName: &r.cfg.Schedules.Group, Name: aws.String(name)})
		done()
		if err != nil && !notFound(err) {
			return fmt.Errorf("delete schedule %s/%s: %w", r.cfg.Schedules.Group, name, err)
		}
	}
	return r.replaced(ctx)
}

// publishGone notifies that nothing is billed any more. It runs before the guard is removed: if this invocation ends in between, the guard sends the
// message again.
func (r *run) publishGone(ctx context.Context) error {
	if err := r.replaced(ctx); err != nil {
		return err
	}
	service, err := r.nothingBilled(ctx)
	if err != nil {
		return err
	}
	if !r.state.Complete {
		if err := r.publishOnce(ctx, messageIncomplete, r.incomplete()); err != nil {
			return err
		}
	}
	return r.publishOnce(ctx, messageGone, r.nothingLeft(service))
}

// nothingBilled checks again that nothing is billed. If somebody else removed load or cache, a replacement may be under way, and if one never existed,
// it may still be created: then the guard stays for as long as an apply can last.
func (r *run) nothingBilled(ctx context.Context) (*types.Service, error) {
	service, billed, err := r.billed(ctx)
	if err != nil {
		return nil, err
	}
	if billed != "" {
		return nil, pending("kept, because " + billed)
	}
	until := r.stopBy.Add(Creation)
	if !r.clock.Now().Before(until) {
		return service, nil
	}
	var absent []string
	if service == nil {
		absent = append(absent, "ECS service "+r.cfg.Service)
	}
	if c := r.cache(); c != nil && r.cfg.Cache.Delete && r.state.DeletionAsked == nil {
		absent = append(absent, c.String())
	}
	if len(absent) > 0 {
		return nil, pending(fmt.Sprintf("kept until %s, because an apply may create %s until then", until.Format(time.RFC3339), strings.Join(absent, " and ")))
	}
	return service, nil
}

// billed returns what the run still costs money for, "" if nothing, and the load's service. A running load is stopped at once.
func (r *run) billed(ctx context.Context) (service *types.Service, billed string, err error) {
	if service, err = r.service(ctx); err != nil {
		return nil, "", err
	}
	if service != nil && service.DesiredCount+service.RunningCount+service.PendingCount > 0 {
		billed = fmt.Sprintf("ECS service %s runs %d tasks", r.cfg.Service, max(service.DesiredCount, service.RunningCount+service.PendingCount))
		return service, billed, r.scale(ctx, service)
	}
	c := r.cache()
	if c == nil || !r.cfg.Cache.Delete {
		return service, "", nil
	}
	now, err := r.describeCache(ctx, c)
	if err == nil && now != nil {
		billed = fmt.Sprintf("%s is %s", c, now.status)
	}
	return service, billed, err
}
