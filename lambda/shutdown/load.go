package shutdown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// load is the run's load as last seen.
type load struct {
	service *types.Service        // nil when there is none
	deleted *types.Service        // still listed by ECS after its deletion
	tasks   map[string]types.Task // by id: the running ones, and those that stopped within the last hour
	absent  int                   // checks in a row that found no service
}

// stopLoad scales the service to 0 and waits for its tasks to stop: at most their stopTimeout (2 minutes) and a minute for Fargate to remove
// them. The tasks' times fix the window of the exports. If tasks take longer, they and the window are left to a later tick.
func (r *run) stopLoad(ctx context.Context) error {
	seen := &load{}
	var err error
	if r.idle, err = r.poll(ctx, 3*time.Second, 3*time.Minute, func() (bool, error) { return r.ensureIdle(ctx, seen) }); err != nil {
		return errors.Join(err, r.scaleUnseen(ctx, err))
	}
	switch {
	case !r.idle:
		if !r.state.Complete {
			r.state.LoadStopped = false // also if it had stopped and an apply recreated it
		}
		return pending(fmt.Sprintf("tasks of ECS service %s still run 3 minutes after it was scaled to 0: the exports wait for their last log lines", r.cfg.Service))
	case !r.state.LoadStopped:
		return r.fixWindow(ctx, seen)
	case !r.ranPastWindow(seen):
		return nil
	case r.state.Complete:
		r.warn("a load that was created after the end of the window was stopped, and is not in the exports")
		return nil
	}
	return r.fixWindow(ctx, seen)
}

// ranPastWindow reports whether the load ran past the window, because an apply recreated it. stopLoad checks this before the exports, so that none is
// written for a window that is too short; checkAgain checks it after them.
func (r *run) ranPastWindow(seen *load) bool {
	for _, t := range seen.tasks {
		if aws.ToTime(t.CreatedAt).Before(r.start) || t.StartedAt == nil {
			continue
		}
		if r.state.Window == nil || aws.ToTime(t.StoppedAt).After(r.state.Window.End) {
			return true
		}
	}
	return false
}

// ensureIdle checks the load once, scales it to 0 if needed, and reports whether nothing runs any more. A missing service is checked twice, because
// it may be in the middle of a replacement.
func (r *run) ensureIdle(ctx context.Context, seen *load) (bool, error) {
	service, deleted, err := r.services(ctx)
	if err != nil {
		return false, err
	}
	if seen.tasks, err = r.tasks(ctx, seen.tasks); err != nil { // listed before the service is scaled down
		return false, err
	}
	if service != nil && service.DesiredCount != 0 && aws.ToString(service.Status) == "ACTIVE" {
		if err := r.replaced(ctx); err != nil {
			return false, err
		}
		seen.service, seen.absent = service, 0
		return false, r.scale(ctx, service)
	}
	if seen.service, seen.absent = service, seen.absent+1; service != nil {
		seen.absent = 0
	}
	if deleted != nil {
		seen.deleted = deleted
	}
	for _, t := range seen.tasks {
		if aws.ToString(t.LastStatus) != "STOPPED" {
			return false, nil
		}
	}
	return service == nil && seen.absent > 1 || service != nil && service.RunningCount+service.PendingCount == 0, nil
}

// scaleUnseen scales the service to 0 after the load could not be read or scaled: it may still be billed.
func (r *run) scaleUnseen(ctx context.Context, failed error) error {
	if ctx.Err() != nil || errors.Is(failed, errReplaced) {
		return nil
	}
	if err := r.replaced(ctx); err != nil {
		return err
	}
	return r.scale(ctx, &types.Service{DesiredCount: 1})
}

// scale scales the service to 0. One that is being deleted cannot be scaled, and need not be.
func (r *run) scale(ctx context.Context, service *types.Service) error {
	if service.DesiredCount == 0 {
		return nil
	}
	ctx, done := r.brief(ctx)
	defer done()
	_, err := r.aws.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &r.cfg.Cluster, Service: &r.cfg.Service, DesiredCount: aws.Int32(0)})
	if err != nil && !notFound(err) && errorCode(err) != "ServiceNotActiveException" {
		return fmt.Errorf("scale ECS service %s of cluster %s to 0: %w", r.cfg.Service, r.cfg.Cluster, err)
	}
	return nil
}

// fixWindow decides, once per run, what the exports cover: from the first task's start to the last task's end, in whole periods. The start is a whole
// minute, because a minute's datapoint has the minute's start as its time. ECS forgets a task after an hour, and a deleted service too, but each
// task has its stream in the load's log, which lasts longer. Without that log the window starts with the service.
func (r *run) fixWindow(ctx context.Context, seen *load) error {
	now := r.clock.Now()
	logged, last, err := r.logged(ctx)
	if err != nil {
		return err
	}
	var created, ended time.Time
	started := logged
	r.state.Tasks = nil
	for _, id := range slices.Sorted(maps.Keys(seen.tasks)) {
		t := seen.tasks[id]
		if t.CreatedAt != nil && t.CreatedAt.Before(r.start) {
			continue // of an earlier run
		}
		r.state.Tasks = append(r.state.Tasks, record(id, t))
		if t.StartedAt != nil {
			started = earlier(started, *t.StartedAt)
		}
		if t.StoppedAt != nil && t.StoppedAt.After(ended) {
			ended = *t.StoppedAt
		}
	}
	for _, s := range []*types.Service{seen.service, seen.deleted} {
		if s != nil && !aws.ToTime(s.CreatedAt).Before(r.start) {
			created = earlier(created, *s.CreatedAt)
		}
	}
	if seen.service == nil && created.IsZero() && started.IsZero() && len(r.state.Tasks) == 0 {
		if until := r.stopBy.Add(Creation); now.Before(until) {
			return pending(fmt.Sprintf("there was no load, and until %s an apply may create one", until.Format(time.RFC3339)))
		}
		r.warn("no load ever ran: ECS service %s does not exist, and there is no sign of it, so there is nothing to export", r.cfg.Service)
		r.state.LoadStopped = true
		return nil
	}
	start := started
	if logged.IsZero() {
		start = earlier(created, started)
	}
	if start.IsZero() {
		start = r.start
	}
	if r.state.LoadStart = nil; started.IsZero() {
		r.warn("no task of ECS service %s is known to have started: the window begins when the service was created", r.cfg.Service)
	} else {
		started = started.UTC()
		r.state.LoadStart = &started
	}
	if ended.Before(start) || ended.Before(last) { // the last task's end is not known any more
		ended = now
	}
	period := export.Resolution(time.Duration(r.cfg.PeriodSeconds)*time.Second, now.Sub(start))
	if wanted := time.Duration(r.cfg.PeriodSeconds) * time.Second; period != wanted {
		r.warn("metrics have a period of %s instead of %s: CloudWatch does not keep finer data that long", period, wanted)
	}
	r.state.PeriodSeconds = int(period / time.Second)
	r.state.Window = &export.Window{Start: start.UTC().Truncate(max(period, time.Minute)), End: ended.UTC().Add(period - 1).Truncate(period)}
	r.state.LoadStopped, r.state.Progress, r.state.Outgrown = true, nil, len(r.state.Objects) > 0
	return nil
}

// earlier returns the earlier of two times; a zero time does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// logged returns when the first and the last task of this run started their log streams; zero when none has.
func (r *run) logged(ctx context.Context) (first, last time.Time, err error) {
	in := &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &r.cfg.Logs.Load}
	for r.cfg.Logs.Load != "" {
		brief, done := r.brief(ctx)
		out, err := r.aws.Logs.DescribeLogStreams(brief, in)
		done()
		if notFound(err) {
			break
		}
		if err != nil {
			return first, last, fmt.Errorf("list the streams of log group %s, which say when the load ran: %w", r.cfg.Logs.Load, err)
		}
		for _, s := range out.LogStreams {
			var taskStart time.Time
			for _, ms := range []*int64{s.CreationTime, s.FirstEventTimestamp} {
				if at := time.UnixMilli(aws.ToInt64(ms)); !at.Before(r.start) {
					taskStart = earlier(taskStart, at)
				}
			}
			if first = earlier(first, taskStart); taskStart.After(last) {
				last = taskStart
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
		if err := r.clock.Sleep(ctx, 50*time.Millisecond); err != nil { // 25 calls a second are allowed
			return first, last, err
		}
	}
	return first, last, nil
}

// service returns the load's service, nil when there is none.
func (r *run) service(ctx context.Context) (*types.Service, error) {
	service, _, err := r.services(ctx)
	return service, err
}

// services returns the service, and a deleted one that ECS still lists.
func (r *run) services(ctx context.Context) (service, deleted *types.Service, err error) {
	ctx, done := r.brief(ctx)
	defer done()
	out, err := r.aws.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &r.cfg.Cluster, Services: []string{r.cfg.Service}})
	if notFound(err) { // ClusterNotFoundException
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("describe ECS service %s of cluster %s: %w", r.cfg.Service, r.cfg.Cluster, err)
	}
	for _, s := range out.Services {
		if aws.ToString(s.Status) == "INACTIVE" {
			deleted = &s
		} else {
			service = &s
		}
	}
	return service, deleted, nil
}

// tasks returns the load's tasks by id: the known ones, those with desired status RUNNING, and those stopped within the last hour, also of a deleted
// service. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (r *run) tasks(ctx context.Context, known map[string]types.Task) (map[string]types.Task, error) {
	seen := map[string]types.Task{}
	var arns []string
	for _, t := range known {
		arns = append(arns, aws.ToString(t.TaskArn))
	}
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		in := &ecs.ListTasksInput{Cluster: &r.cfg.Cluster, DesiredStatus: status}
		for {
			brief, done := r.brief(ctx)
			out, err := r.aws.ECS.ListTasks(brief, in)
			done()
			if notFound(err) {
				break // the cluster was deleted meanwhile; keep the tasks seen so far
			}
			if err != nil {
				return nil, fmt.Errorf("list the tasks of ECS cluster %s: %w", r.cfg.Cluster, err)
			}
			arns = append(arns, out.TaskArns...)
			if aws.ToString(out.NextToken) == "" {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	slices.Sort(arns)
	for batch := range slices.Chunk(slices.Compact(arns), 100) {
		brief, done := r.brief(ctx)
		out, err := r.aws.ECS.DescribeTasks(brief, &ecs.DescribeTasksInput{Cluster: &r.cfg.Cluster, Tasks: batch})
		done()
		if notFound(err) {
			return known, nil
		}
		if err != nil {
			return nil, fmt.Errorf("describe %d tasks of ECS cluster %s: %w", len(batch), r.cfg.Cluster, err)
		}
		for _, t := range out.Tasks {
			if aws.ToString(t.Group) == "service:"+r.cfg.Service {
				arn := aws.ToString(t.TaskArn)
				seen[arn[strings.LastIndexByte(arn, '/')+1:]] = t
			}
		}
	}
	return seen, nil
}

func record(id string, t types.Task) export.Task {
	last := export.Task{ID: id, LastStatus: aws.ToString(t.LastStatus), AvailabilityZone: aws.ToString(t.AvailabilityZone), CreatedAt: t.CreatedAt, StartedAt: t.StartedAt, StoppedAt: t.StoppedAt,
		StopCode: string(t.StopCode), StoppedReason: aws.ToString(t.StoppedReason)}
	for _, c := range t.Containers {
		last.ExitCode = cmp.Or(last.ExitCode, c.ExitCode)
		if reason := aws.ToString(c.Reason); reason != "" && !strings.Contains(last.StoppedReason, reason) {
			last.StoppedReason = strings.TrimPrefix(last.StoppedReason+"; "+reason, "; ")
		}
	}
	return last
}
