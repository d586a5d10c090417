package shutdown

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// The fake's services answer as AWS would. ElastiCache is in fakeaws_caches_test.go, and S3 in fakeaws_bucket_test.go.

// ECS

func (w *fakeAWS) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return call(ctx, w, "DescribeServices", func() (*ecs.DescribeServicesOutput, error) {
		if w.sim != nil {
			return w.simulatedService(), nil
		}
		if !w.service {
			return &ecs.DescribeServicesOutput{Failures: []ecstypes.Failure{{Reason: aws.String("MISSING")}}}, nil
		}
		running := w.desired
		if w.stuck {
			running = int32(len(w.tasks))
		}
		service := ecstypes.Service{Status: aws.String("ACTIVE"), DesiredCount: w.desired, RunningCount: running, CreatedAt: &w.created}
		if w.rollout != "" {
			service.Deployments = []ecstypes.Deployment{{Status: aws.String("PRIMARY"), RolloutState: w.rollout, RolloutStateReason: aws.String("ECS says why."), DesiredCount: w.desired, RunningCount: running},
				{Status: aws.String("ACTIVE"), RolloutState: ecstypes.DeploymentRolloutStateFailed}}
		}
		return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{service}}, nil
	})
}

func (w *fakeAWS) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return call(ctx, w, "UpdateService", func() (*ecs.UpdateServiceOutput, error) {
		if !w.service {
			return nil, &ecstypes.ServiceNotFoundException{}
		}
		if in.DesiredCount != nil {
			w.desired = *in.DesiredCount
		}
		if w.sim != nil {
			w.endTasks()
		}
		return &ecs.UpdateServiceOutput{}, nil
	})
}

func (w *fakeAWS) ListTasks(ctx context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return call(ctx, w, "ListTasks", func() (*ecs.ListTasksOutput, error) {
		out := &ecs.ListTasksOutput{}
		for _, t := range w.tasks {
			running := w.desired > 0
			if w.sim != nil {
				running = t.StoppedAt == nil
			}
			if running == (in.DesiredStatus == ecstypes.DesiredStatusRunning) && !w.forgot(t) {
				out.TaskArns = append(out.TaskArns, *t.TaskArn)
			}
		}
		return out, nil
	})
}

func (w *fakeAWS) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return call(ctx, w, "DescribeTasks", func() (*ecs.DescribeTasksOutput, error) {
		out := &ecs.DescribeTasksOutput{}
		for _, t := range w.tasks {
			if !slices.Contains(in.Tasks, *t.TaskArn) || w.forgot(t) {
				continue
			}
			running := w.desired > 0 || w.stuck
			if w.sim != nil {
				running = t.StoppedAt == nil || t.StoppedAt.After(w.clock)
			}
			if t.LastStatus = aws.String("STOPPED"); running {
				t.LastStatus, t.StoppedAt, t.StopCode, t.StoppedReason, t.Containers = aws.String("RUNNING"), nil, "", nil, nil
			}
			out.Tasks = append(out.Tasks, t)
		}
		return out, nil
	})
}

// CloudWatch: a few metrics with one datapoint a minute from 03:10 to 04:30, whose value depends on the series and the minute only.

var published = []string{"CurrConnections", "CurrItems", "CPUUtilization", "MemoryUtilization"}

func (w *fakeAWS) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	m := in.MetricDataQueries[0].MetricStat
	return call(ctx, w, fmt.Sprint("GetMetricData #", *m.Metric.MetricName, export.FormatDimensions(m.Metric.Dimensions), *m.Stat, in.StartTime.Unix()), func() (*cloudwatch.GetMetricDataOutput, error) {
		out, every := &cloudwatch.GetMetricDataOutput{}, cmp.Or(w.every, time.Minute)
		for _, q := range in.MetricDataQueries {
			r := cwtypes.MetricDataResult{Id: q.Id, StatusCode: cwtypes.StatusCodeComplete}
			m := q.MetricStat.Metric
			kept := *q.MetricStat.Period >= 60 || w.sim != nil && w.sim.keepsAll || w.clock.Sub(*in.StartTime) < 3*time.Hour // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Metric
			if kept && slices.Contains(published, *m.MetricName) {
				for minute := in.StartTime.Truncate(every); minute.Before(*in.EndTime) && !minute.Add(w.lag).After(w.clock); minute = minute.Add(every) {
					if !w.publishes(*m.Namespace, minute, time.Duration(*q.MetricStat.Period)*time.Second) {
						continue
					}
					h := fnv.New32()
					fmt.Fprint(h, *m.MetricName, export.FormatDimensions(m.Dimensions), *q.MetricStat.Stat, minute.Unix())
					r.Timestamps, r.Values = append(r.Timestamps, minute), append(r.Values, float64(h.Sum32()%1000)/8)
				}
			}
			out.MetricDataResults = append(out.MetricDataResults, r)
		}
		return out, nil
	})
}

// publishes reports whether there is a datapoint of that minute.
func (w *fakeAWS) publishes(namespace string, minute time.Time, period time.Duration) bool {
	if w.sim != nil {
		return w.sim.publishes(w, namespace, minute, period)
	}
	return !minute.Before(at("2026-11-23T03:10:00Z")) && minute.Before(at("2026-11-23T04:30:00Z"))
}

func (w *fakeAWS) ListMetrics(ctx context.Context, in *cloudwatch.ListMetricsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error) {
	return call(ctx, w, "ListMetrics #"+*in.Namespace, func() (*cloudwatch.ListMetricsOutput, error) {
		out := &cloudwatch.ListMetricsOutput{}
		if node := w.cfg.Cache.Serverless == ""; node && *in.Namespace == export.NamespaceCache {
			out.Metrics = []cwtypes.Metric{{Namespace: in.Namespace, MetricName: aws.String("CurrConnections"), Dimensions: []cwtypes.Dimension{
				{Name: aws.String("CacheClusterId"), Value: aws.String("perf-001")}, {Name: aws.String("CacheNodeId"), Value: aws.String("0001")}}}}
		}
		return out, nil
	})
}

// Logs

func (w *fakeAWS) DescribeLogStreams(ctx context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	return call(ctx, w, "DescribeLogStreams #"+*in.LogGroupName, func() (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
		group, ok := w.logs(*in.LogGroupName)
		if !ok {
			return nil, &logstypes.ResourceNotFoundException{}
		}
		out := &cloudwatchlogs.DescribeLogStreamsOutput{}
		for _, name := range slices.Sorted(maps.Keys(group)) {
			first := group[name][0].at.UnixMilli()
			out.LogStreams = append(out.LogStreams, logstypes.LogStream{LogStreamName: &name, CreationTime: &first, FirstEventTimestamp: &first})
		}
		return out, nil
	})
}

func (w *fakeAWS) GetLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	return call(ctx, w, "GetLogEvents #"+*in.LogGroupName+*in.LogStreamName, func() (*cloudwatchlogs.GetLogEventsOutput, error) {
		group, _ := w.logs(*in.LogGroupName)
		events, ok := group[*in.LogStreamName]
		if !ok {
			return nil, &logstypes.ResourceNotFoundException{}
		}
		out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String("f/end")}
		if in.NextToken != nil {
			return out, nil
		}
		for _, e := range events {
			if when := e.at.UnixMilli(); when >= *in.StartTime && when < *in.EndTime {
				out.Events = append(out.Events, logstypes.OutputLogEvent{Timestamp: &when, Message: &e.text})
			}
		}
		return out, nil
	})
}

// FilterLogEvents is only called by the preflight, because no fake has enough streams for an export to use it.
func (w *fakeAWS) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	return call(ctx, w, "FilterLogEvents #"+*in.LogGroupName, func() (*cloudwatchlogs.FilterLogEventsOutput, error) {
		if _, ok := w.logs(*in.LogGroupName); !ok {
			return nil, &logstypes.ResourceNotFoundException{}
		}
		return &cloudwatchlogs.FilterLogEventsOutput{}, nil
	})
}

// line is an event of a log.
type line struct {
	at   time.Time
	text string
}

// logs returns the lines of a group by stream, and whether the group exists.
func (w *fakeAWS) logs(group string) (map[string][]line, bool) {
	if w.sim != nil {
		return w.sim.logs(w, group), true
	}
	streams, ok := w.streams[group]
	lines := map[string][]line{}
	for name, events := range streams {
		for _, e := range events {
			lines[name] = append(lines[name], line{at("2026-11-23T" + e[:8] + "Z"), e[9:]})
		}
	}
	return lines, ok
}

// Scheduler and SNS

func (w *fakeAWS) GetSchedule(ctx context.Context, in *scheduler.GetScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error) {
	return call(ctx, w, "GetSchedule", func() (*scheduler.GetScheduleOutput, error) {
		if s := w.schedules[*in.Name]; s != nil {
			return s, nil
		}
		return nil, &schedulertypes.ResourceNotFoundException{}
	})
}

func (w *fakeAWS) DeleteSchedule(ctx context.Context, in *scheduler.DeleteScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error) {
	return call(ctx, w, "DeleteSchedule", func() (*scheduler.DeleteScheduleOutput, error) {
		if w.schedules[*in.Name] == nil {
			return nil, &schedulertypes.ResourceNotFoundException{}
		}
		if i, ok := ctx.Value(invocationKey{}).(*invocation); ok && w.sim != nil && !strings.Contains(*w.schedules[*in.Name].Target.Input, `"run":"`+i.run+`"`) {
			w.sim.broken = append(w.sim.broken, fmt.Sprintf("%s: run %s deleted schedule %s of another run", w.clock.Format(time.TimeOnly), i.run, *in.Name))
		}
		delete(w.schedules, *in.Name)
		return &scheduler.DeleteScheduleOutput{}, nil
	})
}

func (w *fakeAWS) Publish(ctx context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	return call(ctx, w, "Publish", func() (*sns.PublishOutput, error) {
		billed := w.billed()
		switch {
		case billed == "" || !strings.HasSuffix(*in.Subject, runID+" gone"):
		case w.sim == nil:
			panic("a message says that nothing is billed, but " + billed)
		case w.sim.run == runID: // a later run reports what is billed for itself
			w.sim.broken = append(w.sim.broken, "a message says that nothing is billed, but "+billed)
		}
		w.published = append(w.published, *in.Subject+"\n"+*in.Message)
		return &sns.PublishOutput{}, nil
	})
}
