package test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// loads waits until enough tasks make progress with the measured load, after their prefill, and CloudWatch has a whole period of it.
func (s *stack) loads(t *testing.T, tasks int) {
	t.Helper()
	started := time.Now()
	eventually(t, fmt.Sprintf("progress of %d tasks", tasks), func(ctx context.Context) (bool, any, error) {
		said := map[string]string{} // the last message by stream
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(cloudwatchlogs.NewFromConfig(s.Config), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/elasticache-perf/" + s.name + "/load")})
		working, prefilling := map[string]bool{}, map[string]bool{}
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return false, said, err
			}
			for _, e := range page.Events {
				stream := *e.LogStreamName
				said[stream] = *e.Message
				switch p, ok := report.ParseProgress(*e.Message); {
				case strings.HasPrefix(*e.Message, "load: prefill "):
					prefilling[stream] = true
				case strings.HasPrefix(*e.Message, "load: prefilled "):
					prefilling[stream] = false
				case ok && p.OpsPerSecond > 0 && !prefilling[stream] && *e.Timestamp >= started.UnixMilli():
					working[stream] = true
				}
			}
		}
		return len(working) >= tasks, said, nil
	})
	s.waitForDatapoints(t, 1)
}

// waitForDatapoints waits until CloudWatch has enough whole periods from now on, of every node of the cache and of the load's service.
func (s *stack) waitForDatapoints(t *testing.T, periods int) {
	t.Helper()
	started := time.Now().Truncate(time.Second)
	eventually(t, fmt.Sprintf("%d datapoints of every node and of the load", periods), func(ctx context.Context) (bool, any, error) {
		metrics, err := s.probes(ctx)
		if err != nil {
			return false, nil, err
		}
		in := &cloudwatch.GetMetricDataInput{StartTime: &started, EndTime: aws.Time(time.Now().Add(time.Minute))}
		for i, m := range metrics {
			in.MetricDataQueries = append(in.MetricDataQueries, cwt.MetricDataQuery{Id: aws.String(fmt.Sprintf("m%d", i)),
				MetricStat: &cwt.MetricStat{Metric: &m, Stat: aws.String("Average"), Period: aws.Int32(int32(s.period))}})
		}
		out, err := cloudwatch.NewFromConfig(s.Config).GetMetricData(ctx, in)
		if err != nil {
			return false, nil, err
		}
		all, seen := len(out.MetricDataResults) == len(metrics), map[string]int{}
		for _, r := range out.MetricDataResults {
			whole := 0
			for _, at := range r.Timestamps {
				if !at.Before(started) { // a datapoint has the time of its period's start
					whole++
				}
			}
			seen[aws.ToString(r.Id)+" "+aws.ToString(r.Label)] = whole
			all = all && whole >= periods
		}
		return all, seen, nil
	})
}

// probes are one metric of every node of the cache, or of the serverless cache, and one of the load's service.
func (s *stack) probes(ctx context.Context) (metrics []cwt.Metric, err error) {
	add := func(namespace, name string, dimensions ...string) {
		m := cwt.Metric{Namespace: &namespace, MetricName: &name}
		for i := 0; i < len(dimensions); i += 2 {
			m.Dimensions = append(m.Dimensions, cwt.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
		}
		metrics = append(metrics, m)
	}
	add("AWS/ECS", "CPUUtilization", "ClusterName", s.name, "ServiceName", s.name+"-load")
	cache := cmp.Or(s.cache, s.name)
	found, err := elasticache.NewFromConfig(s.Config).DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &cache})
	var serverless *ect.ReplicationGroupNotFoundFault
	switch {
	case errors.As(err, &serverless):
		add("AWS/ElastiCache", "CurrConnections", "clusterId", cache)
	case err != nil:
		return nil, err
	default:
		for _, node := range found.ReplicationGroups[0].MemberClusters {
			add("AWS/ElastiCache", "CurrConnections", "CacheClusterId", node, "CacheNodeId", "0001")
		}
	}
	return metrics, nil
}

// stops brings the stop forward once the journey has seen enough. A schedule fires within the minute that starts at its time. AWS does not document
// what happens if the time has passed, so on AWS it is a minute ahead. https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func (s *stack) stops(t *testing.T) {
	t.Helper()
	ahead := 2 * time.Second
	if onAWS() {
		ahead = time.Minute
	}
	s.stopAt(t, time.Now().Add(ahead), types.ScheduleStateEnabled)
}

// stopAt changes the stop's time. An update replaces all of a schedule's settings.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
func (s *stack) stopAt(t *testing.T, at time.Time, state types.ScheduleState) {
	t.Helper()
	client, name := scheduler.NewFromConfig(s.Config), s.name+"-load-stop"
	old, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: &name, GroupName: &s.name})
	require.NoError(t, err)
	_, err = client.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{Name: &name, GroupName: &s.name, Description: old.Description, Target: old.Target,
		FlexibleTimeWindow: old.FlexibleTimeWindow, ActionAfterCompletion: old.ActionAfterCompletion, State: state,
		ScheduleExpression: aws.String("at(" + at.UTC().Format("2006-01-02T15:04:05") + ")"), ScheduleExpressionTimezone: aws.String("UTC")})
	require.NoError(t, err)
}
