package stack

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

const aRun = "2026-11-23T03-08-09Z"

func TestPhase(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	run := &shutdown.Event{Run: aRun, StopBy: now.Add(time.Hour)}
	late := &shutdown.Event{Run: aRun, StopBy: now.Add(-time.Hour)}
	whole := &export.Manifest{Run: aRun, Complete: true}
	for want, v := range map[string]View{
		"none: nothing is deployed":             {},
		"finished: exported, and nothing":       {Deployed: true, Manifest: whole},
		"idle: deployed, but no run":            {Deployed: true},
		"starting: the load is not steady":      {Deployed: true, Run: run},
		"running: until 2026-11":                {Deployed: true, Run: run, Stops: now.Add(10 * time.Minute), Cache: "available"},
		"prefilling: the measured load follows": {Deployed: true, Run: run, Stops: now.Add(10 * time.Minute), Prefill: &Prefill{Tasks: 1}},
		"stopping: since 1m0s":                  {Deployed: true, Run: run, Stops: now.Add(-time.Minute), Cache: "available"},
		"clearing: exported; the cache is":      {Deployed: true, Run: run, Stops: now.Add(-time.Minute), Cache: "deleting", Manifest: whole},
		"finished: exported":                    {Deployed: true, Run: run, Stops: now.Add(-time.Minute), Manifest: whole},
		"stopping: since 2m0s":                  {Deployed: true, Run: &shutdown.Event{Run: run.Run}, Stops: now.Add(-2 * time.Minute), Cache: "available"},
		"starting: the load is not steady yet; its schedule no longer has a stop_by": {Deployed: true, Run: &shutdown.Event{Run: run.Run}},
		"overdue: should have ended by 2026":                                         {Deployed: true, Run: late, Stops: now.Add(-2 * time.Hour), Cache: "available"},
	} {
		v.Now = now
		phase, meaning := v.Phase()
		require.Truef(t, strings.HasPrefix(phase+": "+meaning, want), "%s: %s, want %s", phase, meaning, want)
	}
}

func TestRecentThroughputIsASumBySecond(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	progress := func(age time.Duration, stream string, ops int) LogEvent {
		return LogEvent{now.Add(-age), stream, fmt.Sprintf("[RUN #1 5%%,   3 secs]  2 threads  8 conns:        %d ops,    %d (avg:    1) ops/sec, 1KB/sec (avg: 1KB/sec),  0.25 (avg:  0.30) msec latency", 10*ops, ops)}
	}
	slower := progress(2*time.Second, "b", 50)
	slower.Text = strings.Replace(slower.Text, "0.25 (", "0.75 (", 1)
	values, latency := recent([]LogEvent{progress(3*time.Second, "a", 100), progress(2*time.Second, "a", 200), slower, progress(time.Minute, "old", 7)}, now)
	require.Equal(t, []float64{100, 250}, values[len(values)-2:])
	require.InDelta(t, 0.35, latency, 1e-9, "of 200 operations at 0.25 ms and 50 at 0.75 ms")
	values, latency = recent([]LogEvent{progress(20*time.Second, "a", 100)}, now)
	require.Nil(t, values, "a load that reports no more has no throughput")
	require.True(t, math.IsNaN(latency))
}

func TestThroughputIsOfNow(t *testing.T) {
	now := time.Now()
	progress := func(age time.Duration, stream string, ops int) LogEvent {
		return LogEvent{now.Add(-age), stream, fmt.Sprintf("[RUN #1 5%%,   3 secs]  2 threads  8 conns:        %d ops,    %d (avg:    1) ops/sec, 1KB/sec", 10*ops, ops)}
	}
	perSecond, ops := Throughput([]LogEvent{progress(time.Minute, "old", 7), progress(3*time.Second, "a", 100), progress(time.Second, "a", 200), progress(time.Second, "b", 50)}, now)
	require.EqualValues(t, 250, perSecond)
	require.EqualValues(t, 2500, ops)
}

// Who watches looks every two seconds. CloudWatch bills each metric that it is asked for, and has a new datapoint each minute.
func TestViewAsksForMetricsOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		_, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
			what = what[strings.LastIndexByte(what, '/')+1:]
			calls[what]++
			switch what {
			case "GetMetricData":
				return 200, map[string]string{"Smithy-Protocol": "rpc-v2-cbor"}, "\xa0" // nothing yet
			case "DescribeServices":
				return 200, nil, `{"services":[{"serviceName":"n-load","status":"ACTIVE","desiredCount":1,"runningCount":1}]}`
			case "FilterLogEvents":
				return 200, nil, `{}`
			case "DescribeReplicationGroups":
				return 200, nil, `<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><Status>available</Status><MemberClusters><ClusterId>n-001</ClusterId></MemberClusters></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>`
			case "b":
				return 200, nil, `<ListBucketResult/>`
			}
			return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
		})
		const looks = 5*30 + 1 // five minutes
		for range looks {
			_, err := s.View(t.Context())
			require.NoError(t, err)
			time.Sleep(2 * time.Second)
		}
		require.Equal(t, 6, calls["GetMetricData"])
		require.Equal(t, looks, calls["DescribeServices"])
		require.Equal(t, looks, calls["FilterLogEvents"])
	})
}
