package shutdown

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// stopLoad scales the service to 0 and waits for its tasks' last words: at most their stopTimeout (2 minutes) and a minute for Fargate to
// take them down. What the tasks said fixes the window of the exports.
func (r *run) stopLoad(ctx context.Context) error {
	service, err := r.service(ctx)
	if err != nil {
		return err
	}
	if service == nil && !r.state.LoadStopped {
		r.warn("no load ever ran: ECS service %s does not exist, so there is nothing to export", r.cfg.Service)
		r.state.LoadStopped = true
	}
	if service == nil {
		r.idle = true
		return nil
	}
	created := aws.ToTime(service.CreatedAt)
	tasks, err := r.tasks(ctx, nil) // listed before the service is scaled down
	if err != nil {
		return err
	}
	if service.DesiredCount != 0 {
		if _, err := r.aws.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &r.cfg.Cluster, Service: &r.cfg.Service, DesiredCount: aws.Int32(0)}); err != nil {
			return fmt.Errorf("scale ECS service %s of cluster %s to 0: %w", r.cfg.Service, r.cfg.Cluster, err)
		}
	}
	stopped, err := r.poll(ctx, 3*time.Second, 3*time.Minute, func() (bool, error) {
		for _, t := range tasks {
			if aws.ToString(t.LastStatus) != "STOPPED" {
				tasks, err = r.tasks(ctx, tasks)
				return false, err
			}
		}
		service, err := r.service(ctx)
		if err != nil || service == nil || service.RunningCount+service.PendingCount == 0 {
			return err == nil, err
		}
		tasks, err = r.tasks(ctx, tasks)
		return false, err
	})
	if err != nil {
		return err
	}
	r.idle = stopped
	if !stopped {
		err = pending(fmt.Sprintf("tasks of ECS service %s still run 3 minutes after it was scaled to 0", r.cfg.Service))
	}
	if r.state.LoadStopped {
		return err
	}
	if !stopped {
		r.warn("the window ends while tasks still run: their last words may be missing")
	}
	r.fix(tasks, created)
	return err
}

// fix decides, once for the run, what the exports cover: from the first task's start to the last task's end, in whole periods, and from a
// whole minute on, because the datapoint of a minute carries the minute's begin.
func (r *run) fix(tasks map[string]types.Task, created time.Time) {
	now := r.clock.Now()
	start, end := time.Time{}, time.Time{}
	r.state.Tasks = nil
	for _, id := range slices.Sorted(maps.Keys(tasks)) {
		t := tasks[id]
		r.state.Tasks = append(r.state.Tasks, record(id, t))
		if t.StartedAt != nil && (start.IsZero() || t.StartedAt.Before(start)) {
			start = *t.StartedAt
		}
		if t.StoppedAt == nil {
			end = now
		} else if t.StoppedAt.After(end) {
			end = *t.StoppedAt
		}
	}
	if start.IsZero() {
		r.warn("no task of ECS service %s is known to have started: the window begins when the service was created", r.cfg.Service)
		if start = r.begun; created.After(start) {
			start = created
		}
	} else {
		start = start.UTC()
		r.state.LoadStart = &start
	}
	if end.Before(start) {
		end = now
	}
	period := export.Resolution(time.Duration(r.cfg.PeriodSeconds)*time.Second, now.Sub(start))
	if wanted := time.Duration(r.cfg.PeriodSeconds) * time.Second; period != wanted {
		r.warn("metrics have a period of %s instead of %s: CloudWatch keeps no denser data for so long", period, wanted)
	}
	r.state.PeriodSeconds = int(period / time.Second)
	r.state.Window = &export.Window{Start: start.UTC().Truncate(max(period, time.Minute)), End: end.UTC().Add(period - 1).Truncate(period)}
	r.state.LoadStopped = true
}

func (r *run) service(ctx context.Context) (*types.Service, error) {
	out, err := r.aws.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &r.cfg.Cluster, Services: []string{r.cfg.Service}})
	if notFound(err) { // ClusterNotFoundException
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe ECS service %s of cluster %s: %w", r.cfg.Service, r.cfg.Cluster, err)
	}
	for _, s := range out.Services {
		if aws.ToString(s.Status) != "INACTIVE" {
			return &s, nil
		}
	}
	return nil, nil
}

// tasks are the service's tasks of this run by their id: the known ones, those that ECS means to run, and those it has stopped within the
// last hour. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (r *run) tasks(ctx context.Context, known map[string]types.Task) (map[string]types.Task, error) {
	seen := map[string]types.Task{}
	var arns []string
	for _, t := range known {
		arns = append(arns, aws.ToString(t.TaskArn))
	}
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		in := &ecs.ListTasksInput{Cluster: &r.cfg.Cluster, ServiceName: &r.cfg.Service, DesiredStatus: status}
		for {
			out, err := r.aws.ECS.ListTasks(ctx, in)
			if notFound(err) {
				break // the service was deleted meanwhile; what is known of its tasks remains
			}
			if err != nil {
				return nil, fmt.Errorf("list the tasks of ECS service %s: %w", r.cfg.Service, err)
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
		out, err := r.aws.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &r.cfg.Cluster, Tasks: batch})
		if err != nil {
			return nil, fmt.Errorf("describe %d tasks of ECS service %s: %w", len(batch), r.cfg.Service, err)
		}
		for _, t := range out.Tasks {
			if arn := aws.ToString(t.TaskArn); t.CreatedAt == nil || !t.CreatedAt.Before(r.begun) {
				seen[arn[strings.LastIndexByte(arn, '/')+1:]] = t
			}
		}
	}
	return seen, nil
}

func record(id string, t types.Task) export.Task {
	last := export.Task{ID: id, LastStatus: aws.ToString(t.LastStatus), CreatedAt: t.CreatedAt, StartedAt: t.StartedAt, StoppedAt: t.StoppedAt,
		StopCode: string(t.StopCode), StoppedReason: aws.ToString(t.StoppedReason)}
	for _, c := range t.Containers {
		last.ExitCode = cmp.Or(last.ExitCode, c.ExitCode)
		if reason := aws.ToString(c.Reason); reason != "" && !strings.Contains(last.StoppedReason, reason) {
			last.StoppedReason = strings.TrimPrefix(last.StoppedReason+"; "+reason, "; ")
		}
	}
	return last
}
