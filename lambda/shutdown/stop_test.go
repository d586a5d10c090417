package shutdown

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

const (
	metricsKey  = "exports/metrics/" + runID + ".csv"
	logsKey     = "exports/logs/" + runID + ".txt"
	manifestKey = "exports/manifest/" + runID + ".json"
	stateKey    = "exports/state/" + runID + ".json"
)

func (w *fakeAWS) manifest(t *testing.T) export.Manifest {
	t.Helper()
	m, err := export.ParseManifest([]byte(w.text(manifestKey)))
	require.NoError(t, err)
	return m
}

// assertEnded checks what must be true at the end of any run, whatever happened before.
func (w *fakeAWS) assertEnded(t *testing.T) {
	t.Helper()
	assert.Zero(t, w.desired, "ECS is at 0")
	assert.Empty(t, w.cache, "the cache is gone")
	assert.Empty(t, w.schedules, "the schedules are removed")
	assert.Empty(t, w.uploads, "no upload stays open")
	assert.True(t, w.manifest(t).Complete, "the manifest is complete")
	var state State
	require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &state))
	for _, o := range w.objects {
		assert.Equal(t, "perf/"+runID, o.meta["run"])
	}
}

func TestStop(t *testing.T) {
	w := newFakeAWS()
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, Answer{runID, "stop", StatusDone, "nothing of the run is left but its objects", "s3://bucket/" + manifestKey}, answer)
	w.assertEnded(t)

	order := []string{"ListTasks", "UpdateService", "DescribeTasks", "DescribeReplicationGroups", "GetMetricData", "GetLogEvents", "DeleteReplicationGroup", "Publish", "DeleteSchedule"}
	last := -1
	for _, op := range order {
		i := slices.Index(w.calls[last+1:], op)
		require.GreaterOrEqual(t, i, 0, "%s is not in the order of %v; calls %v", op, order, w.calls)
		last += i + 1
	}
	rows := strings.Split(strings.TrimSpace(w.text(metricsKey)), "\n")
	assert.Equal(t, strings.Join(export.Columns, ","), rows[0])
	assert.Regexp(t, `^2026-11-23T03:20:00\+00:00,AWS/ECS,CPUUtilization,Average,[0-9.]+,Percent,ClusterName=perf;ServiceName=perf-load$`, rows[1])
	assert.Regexp(t, `^2026-11-23T04:21:00\+00:00,AWS/ElastiCache,CurrItems,Maximum,[0-9.]+,Count,CacheClusterId=perf-001;CacheNodeId=0001$`, rows[len(rows)-1])
	assert.Equal(t, `[2026-11-23T03:12:00.000Z] [engine-log/perf-001] Server initialized
[2026-11-23T03:20:31.000Z] [load/memtier/a] load: run=2026-11-23T03-08-09Z task=a
[2026-11-23T03:20:32.000Z] [load/memtier/b] load: run=2026-11-23T03-08-09Z task=b
[2026-11-23T04:20:00.000Z] [load/memtier/a] [RUN #1 99%]
[2026-11-23T04:20:00.000Z] [load/memtier/b] [RUN #1 98%]
[2026-11-23T04:21:05.000Z] [load/memtier/a] ALL STATS
[2026-11-23T04:21:05.000Z] [load/memtier/a] Totals 100
[2026-11-23T04:21:06.000Z] [load/memtier/b] ALL STATS
[2026-11-23T04:21:06.000Z] [load/memtier/b] Totals 90
[2026-11-23T04:22:30.000Z] [load/memtier/a] a late word
`, w.text(logsKey))

	m := w.manifest(t)
	assert.Equal(t, export.Window{Start: at("2026-11-23T03:20:00Z"), End: at("2026-11-23T04:22:00Z")}, *m.Window)
	assert.Equal(t, at("2026-11-23T03:20:30Z"), *m.LoadStart)
	created, requested := at("2026-11-23T03:10:00Z"), m.Membership.DeletionRequestedAt
	require.NotNil(t, requested)
	assert.True(t, requested.After(m.Window.End) && !requested.After(m.CreatedAt), "%s", requested)
	assert.Equal(t, export.Membership{ReplicationGroup: "perf", Engine: "redis", EngineVersion: "7.1.0", NodeType: "cache.t4g.micro", CreatedAt: &created, DeletionRequestedAt: requested,
		Endpoint: "perf.abc.use1.cache.amazonaws.com:6379", Nodes: []export.Node{{CacheClusterID: "perf-001", CacheNodeID: "0001", NodeGroup: "0001", Role: "primary"}}}, *m.Membership)
	assert.Equal(t, "http://127.0.0.1:4566", m.APIEndpoint)
	assert.Equal(t, "us-east-1", m.Region)
	require.Len(t, m.Tasks, 2)
	assert.Equal(t, "us-east-1b", m.Tasks[0].AvailabilityZone)
	assert.Equal(t, "a STOPPED 0 Scaling activity", fmt.Sprintf("%s %s %d %s", m.Tasks[0].ID, m.Tasks[0].LastStatus, *m.Tasks[0].ExitCode, m.Tasks[0].StoppedReason))
	assert.Equal(t, 1, m.Attempts)
	assert.JSONEq(t, `{"cache":{"engine":"redis"}}`, string(m.Settings))
	metrics, _ := m.Object(export.KindMetrics)
	assert.EqualValues(t, len(w.text(metricsKey)), metrics.Bytes)
	assert.EqualValues(t, len(rows)-1, metrics.Rows)
	assert.EqualValues(t, metrics.Rows, m.Metrics.Points)
	assert.Equal(t, 62, m.Metrics.MinutesExpected)
	assert.Contains(t, m.Metrics.Missing, "AWS/ElastiCache/EngineCPUUtilization")
	logs, _ := m.Object(export.KindLogs)
	assert.EqualValues(t, 10, logs.Rows)
	assert.Equal(t, 3, m.Logs.Streams)
	require.Equal(t, []string{"ended", "gone"}, w.messages())
	assert.Contains(t, w.published[0], "task a exited with 0; task b exited with 0\n")
	assert.Contains(t, w.published[0], "  s3://bucket/"+metricsKey+"\n  https://s3.console.aws.amazon.com/s3/object/bucket?prefix=exports%2Fmetrics%2F"+runID+".csv&region=us-east-1\n")
	assert.Contains(t, w.published[0], "s3://bucket/"+manifestKey)

	before := len(w.calls)
	answer, err = w.handle("again", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusIdle, answer.Status, "a second delivery finds nothing")
	assert.Equal(t, []string{"GetSchedule", "DescribeServices", "DescribeReplicationGroups"}, w.calls[before:])
}

func TestEventOfAnotherRun(t *testing.T) {
	for _, action := range []string{ActionStop, ActionWatch} {
		w := newFakeAWS()
		answer, err := New(w.cfg, w.clients(), w).Handle(t.Context(), Event{Action: action, Run: "2026-11-22T03-08-09Z"})
		require.NoError(t, err)
		assert.Equal(t, StatusIdle, answer.Status)
		assert.Contains(t, answer.Message, "the stack's run is "+runID)
		assert.Equal(t, []string{"GetSchedule"}, w.calls)
	}
	w := newFakeAWS()
	_, err := New(w.cfg, w.clients(), w).Handle(t.Context(), Event{Action: "stop", Run: "yesterday"})
	assert.ErrorContains(t, err, `run "yesterday" is not of the form`)
	_, err = New(w.cfg, w.clients(), w).Handle(t.Context(), Event{Action: "start", Run: runID})
	assert.ErrorContains(t, err, `action "start": expected stop, watch, preflight, export or destroy`)
}

func TestFailedExport(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	for _, op := range []string{"GetMetricData", "ListMetrics", "GetLogEvents", "DescribeLogStreams"} {
		w := newFakeAWS()
		w.before = func(_ int, called string) error {
			if called == op {
				return apiError("InternalServiceFault")
			}
			return nil
		}
		answer, err := w.handle("stop", ActionStop)
		require.ErrorContains(t, err, "InternalServiceFault", op)
		assert.Equal(t, StatusPending, answer.Status)
		assert.Equal(t, 1, w.called("DeleteReplicationGroup"), "the cache is deleted anyway")
		assert.False(t, w.manifest(t).Complete)
		assert.Contains(t, strings.Join(w.manifest(t).Warnings, "\n"), "InternalServiceFault")
		assert.NotEmpty(t, w.schedules["perf-watch"], "the guard stays")
		require.Len(t, w.published, 1)
		assert.Contains(t, w.published[0], "RUN="+runID+" go tool mage export")

		_, err = w.handle("stop", ActionStop)
		require.Error(t, err)
		assert.Len(t, w.published, 1, "one message says that it failed")

		w.revive()
		answer, err = w.handle("stop", ActionStop)
		require.NoError(t, err)
		assert.Equal(t, StatusDone, answer.Status)
		w.assertEnded(t)
		assert.Equal(t, undisturbed.text(metricsKey), w.text(metricsKey))
		assert.Equal(t, undisturbed.text(logsKey), w.text(logsKey))
		assert.Equal(t, 3, w.manifest(t).Attempts)
		assert.Equal(t, []string{"failed", "ended", "gone"}, w.messages())
	}
}

func TestUnusableBucket(t *testing.T) {
	w := newFakeAWS()
	s3 := []string{"PutObject", "GetObject", "HeadObject", "CreateMultipartUpload", "UploadPart", "ListMultipartUploads"}
	w.before = func(_ int, op string) error {
		if slices.Contains(s3, op) {
			return apiError("AccessDenied")
		}
		return nil
	}
	answer, err := w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "s3://bucket/"+stateKey)
	require.ErrorContains(t, err, "s3:ListBucket")
	assert.Equal(t, StatusPending, answer.Status)
	assert.Zero(t, w.desired, "the load stops")
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"), "the cache is deleted")
	assert.NotEmpty(t, w.schedules["perf-watch"])
	w.revive()
	w.ticks(t)
	w.assertEnded(t)
	assert.Contains(t, w.manifest(t).Warnings, "replication group perf was gone before it was described: 1 nodes are named after CloudWatch's metrics")
	assert.Contains(t, w.text(metricsKey), "CacheClusterId=perf-001;CacheNodeId=0001")
}

func TestForeignObjects(t *testing.T) {
	for _, key := range []string{stateKey, metricsKey, logsKey, manifestKey} {
		w := newFakeAWS()
		w.objects[key] = &object{[]byte("theirs"), map[string]string{"run": "other/" + runID}, "e"}
		_, err := w.handle("stop", ActionStop)
		var foreign *export.ForeignError
		require.ErrorAs(t, err, &foreign, key)
		assert.Equal(t, "theirs", w.text(key))
		assert.Equal(t, 1, w.called("DeleteReplicationGroup"), key)
		if key != stateKey { // if the record is not somebody else's, the run still ends
			assert.NotEmpty(t, w.schedules["perf-watch"])
			delete(w.objects, key)
			for range 2 {
				_, err = w.tick()
				require.NoError(t, err)
			}
			w.assertEnded(t)
		}
	}
}

// The run is replaced while its stop takes the record: the load belongs to the new run by then.
func TestReplacedBeforeTheLoadIsScaled(t *testing.T) {
	w := newFakeAWS()
	w.after = func(_ int, op string) error {
		if op == "PutObject" {
			w.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"2026-11-23T04-25-01Z","stop_by":"2026-11-23T07:25:01Z"}`)
		}
		return nil
	}
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Contains(t, answer.Message, "the stack has another run by now")
	assert.EqualValues(t, 2, w.desired)
	assert.Equal(t, "available", w.cache)
}

// Tasks can take longer to stop than an invocation waits: the cache is deleted now, and the exports wait for the tasks' last lines.
func TestTasksThatTakeLongToEnd(t *testing.T) {
	w := newFakeAWS()
	w.stuck = true
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, "still run 3 minutes after")
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"), "the cache is deleted anyway")
	assert.NotEmpty(t, w.schedules["perf-watch"])
	m := w.manifest(t)
	assert.False(t, m.Complete)
	assert.Nil(t, m.Window, "it is not known yet")
	w.stuck = false
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Equal(t, at("2026-11-23T04:22:00Z"), w.manifest(t).Window.End)
	assert.Contains(t, w.text(logsKey), "Totals 90", "the last lines")
}

func TestECSFails(t *testing.T) {
	w := newFakeAWS()
	w.refuse("UpdateService", "ServerException")
	_, err := w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "scale ECS service perf-load of cluster perf to 0")
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"))
	assert.Empty(t, w.text(metricsKey), "nothing is exported while the load may run")
	w.revive()
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Contains(t, w.text(metricsKey), "CurrItems")
}

func TestElastiCacheFails(t *testing.T) {
	w := newFakeAWS()
	w.refuse("DescribeReplicationGroups", "ServiceUnavailable")
	_, err := w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "describe replication group perf")
	assert.Empty(t, w.text(metricsKey), "no metrics are exported without the cache's")
	assert.NotEmpty(t, w.text(logsKey))
	w.revive()
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Contains(t, w.text(metricsKey), "CurrItems")

	w = newFakeAWS()
	w.refuse("DescribeCacheClusters", "ServiceUnavailable")
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Contains(t, strings.Join(w.manifest(t).Warnings, "\n"), "the engine version is not known")
}

func TestServiceDeletedDuringTheStop(t *testing.T) {
	w := newFakeAWS()
	w.before = func(_ int, op string) error {
		if op == "DescribeTasks" && w.called("UpdateService") > 0 {
			w.service = false
		}
		return nil
	}
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Contains(t, answer.Message, "kept until 2026-11-23T07:18:09Z, because an apply may create ECS service perf-load until then", "it may be in the middle of a replacement")
	w.ticks(t)
	w.assertEnded(t)
	assert.Equal(t, at("2026-11-23T03:20:30Z"), *w.manifest(t).LoadStart)
}

func TestShortInvocation(t *testing.T) {
	w := newFakeAWS()
	answer, err := New(w.cfg, w.clients(), w).Handle(w.invocation("stop", 50*time.Second), Event{Action: ActionStop, Run: runID})
	require.NoError(t, err, "running out of time is no failure: watch continues")
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, export.ErrOutOfTime.Error())
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"))
	assert.False(t, w.manifest(t).Complete)
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Contains(t, w.text(metricsKey), "CurrItems")
}

// A hanging call is cancelled while there is still time to delete the cache.
func TestHangingCall(t *testing.T) { synctest.Test(t, hangingCall) }

func hangingCall(t *testing.T) {
	w := newFakeAWS()
	hung := make(chan struct{})
	hang := &hanging{fakeAWS: w, hung: hung}
	clients := w.clients()
	clients.CloudWatch = hang
	ctx := w.invocation("stop", reserve+3200*time.Millisecond) // 3 s pass while the tasks stop
	answer, err := New(w.cfg, clients, w).Handle(ctx, Event{Action: ActionStop, Run: runID})
	require.NoError(t, err)
	<-hung
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, "export metrics: out of time")
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"))
	for range 2 {
		_, err = w.tick()
		require.NoError(t, err)
	}
	w.assertEnded(t)
}

// hanging is a fake whose ListMetrics hangs until its context ends.
type hanging struct {
	*fakeAWS
	hung chan struct{}
}

func (h *hanging) ListMetrics(ctx context.Context, _ *cloudwatch.ListMetricsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error) {
	close(h.hung)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSettle(t *testing.T) {
	for _, test := range []struct {
		lag, waits time.Duration
		minutes    int
	}{{2 * time.Minute, time.Minute, 62}, {20 * time.Minute, 3 * time.Minute, 62 - 16}} {
		w := newFakeAWS()
		w.clock, w.lag, w.deleting = at("2026-11-23T04:22:00Z"), test.lag, 0
		w.cfg.Logs.Engine, w.cfg.Logs.Slow = "", "" // the stop would wait for them too
		started := w.Now()
		_, err := w.handle("stop", ActionStop)
		require.NoError(t, err)
		assert.InDelta(t, test.waits.Seconds(), w.Now().Sub(started).Seconds(), 25)
		m := w.manifest(t)
		node := m.Metrics.Sources[slices.IndexFunc(m.Metrics.Sources, func(s export.Source) bool { return s.Name == "perf-001" })]
		assert.InDelta(t, test.minutes, node.MinutesFound, 1)
		late := slices.ContainsFunc(m.Warnings, func(s string) bool { return strings.HasPrefix(s, "metrics of perf-001: ") })
		assert.Equal(t, node.MinutesFound < 62, late, "a warning names the missing minutes: %v", m.Warnings)
	}
}

func TestFailedNotificationDoesNotHoldUpTheRun(t *testing.T) {
	w := newFakeAWS()
	w.refuse("Publish", "AuthorizationError")
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
}

func TestStopWhileAnotherInvocationHoldsTheRun(t *testing.T) {
	w := newFakeAWS()
	w.before = func(_ int, op string) error {
		if op == "GetMetricData" {
			w.revive()
			answer, err := w.handle("second", ActionStop)
			assert.NoError(t, err)
			assert.Equal(t, StatusPending, answer.Status)
			assert.Contains(t, answer.Message, "until 2026-11-23T04:40:00Z")
		}
		return nil
	}
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
}

func TestParseConfig(t *testing.T) {
	_, err := ParseConfig("")
	assert.ErrorContains(t, err, "environment variable CONFIG")
	_, err = ParseConfig(`{"name":"perf"}`)
	for _, name := range []string{"bucket", "cluster", "service", "schedules.group", "schedules.watch", "schedules.stop"} {
		assert.ErrorContains(t, err, "has no "+name)
	}
	cfg, err := ParseConfig(`{"name":"perf","bucket":"b","prefix":"a/b/","cluster":"c","service":"s","schedules":{"group":"g","watch":"w","stop":"s"}}`)
	require.NoError(t, err)
	assert.Equal(t, 60, cfg.PeriodSeconds)
	assert.Equal(t, "a/b/manifest/r.json", cfg.ManifestKey("r"))
	assert.Empty(t, cfg.logGroups())
	_, err = ParseConfig(`{"cache":{"replication_group":"a","serverless":"b"}}`)
	assert.ErrorContains(t, err, "a run has one cache")
}
