package test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

const large = 20_000_000 // bytes of log: three parts of a multipart upload

// undisturbed returns how a run ends without faults, and its calls.
func undisturbed(t *testing.T, bytes int) (outcome, []string) {
	t.Helper()
	w := freeze(t, bytes)
	c := w.caller()
	answer, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
	require.NoError(t, err)
	require.Equal(t, shutdown.StatusDone, answer.Status, answer.Message)
	return w.assertEnded(), c.ops
}

func (o outcome) equal(t *testing.T, other outcome) {
	t.Helper()
	require.Equal(t, o.manifest, other.manifest)
	require.True(t, o.metrics == other.metrics, "the metrics are not byte-identical")
	require.True(t, o.logs == other.logs, "the logs are not byte-identical")
}

// state is the run's record.
func (w *frozen) state() (s shutdown.State) {
	text := w.text("state", "json")
	if text != "" {
		require.NoError(w.t, json.Unmarshal([]byte(text), &s))
	}
	return s
}

// assertConsistent checks what must hold at any time: no partial object under a final key, and no open upload except the one in the record.
func (w *frozen) assertConsistent(whole outcome) {
	w.t.Helper()
	for kind, want := range map[string]string{"metrics": whole.metrics, "logs": whole.logs} {
		if got := w.text(kind, map[string]string{"metrics": "csv", "logs": "txt"}[kind]); got != "" {
			require.True(w.t, want == got, "%s is either complete or missing", kind)
		}
	}
	open := w.uploads()
	require.LessOrEqual(w.t, len(open), 1)
	if len(open) == 1 {
		p := w.state().Progress
		require.NotNil(w.t, p, "the record names no open upload, but one is open")
		require.Contains(w.t, []string{"", open[0]}, p.UploadID)
	}
}

// finish lets a retry of the function, if wanted, and watch end the run.
func (w *frozen) finish(retried bool) outcome {
	w.t.Helper()
	if retried { // soon after, with the same request id
		w.clock.pass(time.Second)
		_, err, _ := w.invoke(shutdown.ActionStop, "stop", w.caller())
		require.NoError(w.t, err)
	}
	for range 8 {
		w.tick(10 * time.Minute)
	}
	return w.assertEnded()
}

// isRead reports whether a call has no effect.
func isRead(op string) bool {
	return slices.ContainsFunc([]string{"Get", "GET ", "Head", "HEAD ", "List", "Describe"}, func(read string) bool { return strings.HasPrefix(op, read) })
}

// Each write is killed before and after its effect. A kill at a read leaves the same as a kill after the write before it; lambda/shutdown tests kills at
// every call.
func TestFaultsKilledAtEveryWrite(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	want, ops := undisturbed(t, 0)
	require.Greater(t, len(ops), 40)
	scaled := slices.Index(ops, "UpdateService") + 1
	for k, op := range ops {
		if isRead(op) {
			continue
		}
		for _, effect := range []bool{false, true} {
			t.Run(fmt.Sprintf("%02d %s effect=%v", k+1, op, effect), func(t *testing.T) {
				t.Parallel()
				w := freeze(t, 0)
				c := w.caller()
				c.kill(ops, k, effect)
				_, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
				require.NoError(t, err)
				require.True(t, c.dead())
				w.assertConsistent(want)
				// Until the load is scaled down, it adds data to export: then the retry must run, within the same minute.
				want.equal(t, w.finish(k < scaled || effect == (k%2 == 0)))
			})
		}
	}
}

// The only write that is specific to a serverless cache; the others are tested above.
func TestFaultsServerless(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := freeze(t, 0, (*frozen).serverless)
	c := w.caller()
	answer, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
	require.NoError(t, err)
	require.Equal(t, shutdown.StatusDone, answer.Status, answer.Message)
	want := w.assertEnded()
	require.Contains(t, want.metrics, ",AWS/ElastiCache,CurrItems,Maximum,")
	require.Contains(t, want.metrics, "NotInTheCatalog,Average,")
	require.Contains(t, want.metrics, ",clusterId=perf\n")
	ops := c.ops
	require.Contains(t, ops, "DeleteServerlessCache")
	k := slices.Index(ops, "DeleteServerlessCache")
	for _, effect := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed, effect=%v", effect), func(t *testing.T) {
			t.Parallel()
			w := freeze(t, 0, (*frozen).serverless)
			c := w.caller()
			c.kill(ops, k, effect)
			_, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
			require.NoError(t, err)
			require.True(t, c.dead())
			w.assertConsistent(want)
			want.equal(t, w.finish(effect))
		})
	}
}

func TestFaultsKilledInALargeUpload(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	want, ops := undisturbed(t, large)
	first := slices.Index(ops, "CreateMultipartUpload")
	last := slices.Index(ops, "CompleteMultipartUpload")
	require.Equal(t, 3, count(ops, "UploadPart"))
	for k := first - 3; k <= last+3; k++ { // from before the upload is recorded until after the object is recorded
		if isRead(ops[k]) {
			continue
		}
		t.Run(fmt.Sprintf("%02d %s", k+1, ops[k]), func(t *testing.T) {
			t.Parallel()
			for _, effect := range []bool{false, true} {
				w := freeze(t, large)
				c := w.caller()
				c.kill(ops, k, effect)
				_, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
				require.NoError(t, err)
				require.True(t, c.dead())
				w.assertConsistent(want)
				want.equal(t, w.finish(effect == (k%2 == 0)))
			}
		})
	}
}

// Each page of the log takes 40 seconds: one invocation is far too short for the export, so the next ones continue it.
func TestFaultsExportLongerThanAnInvocation(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	const bytes = 60_000_000
	want, ops := undisturbed(t, bytes)
	w := freeze(t, bytes)
	invocations, read := 0, 0
	for range 20 {
		c := w.caller()
		var once sync.Once
		c.before = func(_ int, op string) {
			if op == "GetLogEvents" {
				once.Do(func() { w.clock.pass(5 * time.Minute) })
				w.clock.pass(20 * time.Second) // two streams are read at a time, which adds up here: both leave time for the deletion
			}
		}
		action := shutdown.ActionStop
		if invocations++; invocations > 1 {
			action = shutdown.ActionWatch
		}
		answer, err, _ := w.invoke(action, fmt.Sprint("invocation ", invocations), c)
		require.NoError(t, err, "only time is missing")
		read += count(c.ops, "GetLogEvents")
		if answer.Status == shutdown.StatusDone {
			break
		}
		w.assertConsistent(want)
		require.NotEqual(t, "available", w.cache(), "the cache does not wait for the export")
	}
	want.equal(t, w.assertEnded())
	require.Greater(t, invocations, 2)
	t.Logf("%d invocations, %d calls of GetLogEvents instead of %d", invocations, read, count(ops, "GetLogEvents"))
}

// A second invocation starts just before a write of the first, whose condition fails if the second wrote first. The second one leaves the run to the
// first or, if the first is overdue, takes it over. lambda/shutdown tests that at every call.
func TestFaultsSideBySide(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	want, ops := undisturbed(t, 0)
	scaled := slices.Index(ops, "UpdateService") + 1
	for k, op := range ops {
		if isRead(op) {
			continue
		}
		for _, overdue := range []bool{false, true} {
			if overdue && k <= scaled {
				continue // the load would continue for those minutes
			}
			t.Run(fmt.Sprintf("%02d %s overdue=%v", k+1, op, overdue), func(t *testing.T) {
				t.Parallel()
				w := freeze(t, 0)
				c := w.caller()
				var once sync.Once
				c.before = func(n int, _ string) {
					if n <= k {
						return
					}
					once.Do(func() {
						if overdue {
							w.waitUntilSettled()
							w.clock.pass(16 * time.Minute)
						}
						_, err, _ := w.invoke(shutdown.ActionStop, "second", w.caller())
						require.NoError(t, err)
					})
				}
				_, err, _ := w.invoke(shutdown.ActionStop, "stop", c)
				require.NoError(t, err)
				w.assertConsistent(want)
				want.equal(t, w.finish(false))
			})
		}
	}
}

func TestFaultsOfEachKind(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	wants := map[int]outcome{}
	for _, bytes := range []int{0, large} {
		wants[bytes], _ = undisturbed(t, bytes)
	}
	everywhere := func(kind string) (faults []string) {
		for _, action := range []string{"scheduler.GetSchedule:1", "ecs.DescribeServices:1", "ecs.ListTasks:1", "ecs.UpdateService:1", "ecs.DescribeTasks:1", "elasticache.DescribeReplicationGroups:1",
			"elasticache.DescribeCacheClusters:1", "monitoring.GetMetricData:1-2", "monitoring.ListMetrics:2", "logs.DescribeLogStreams:1", "logs.GetLogEvents:2-3",
			"s3.GetObject:1", "s3.PutObject:1", "s3.PutObject:4", "elasticache.ListTagsForResource:1", "elasticache.DeleteReplicationGroup:1", "scheduler.DeleteSchedule:1"} {
			faults = append(faults, action+"="+kind)
		}
		return faults
	}
	upload := func(kind string) (faults []string) {
		for _, action := range []string{"s3.CreateMultipartUpload:1", "s3.UploadPart:1", "s3.UploadPart:3", "s3.CompleteMultipartUpload:1"} {
			faults = append(faults, action+"="+kind)
		}
		return faults
	}
	for name, test := range map[string]struct {
		bytes  int
		faults []string
		denied bool // the first invocation fails, and the next one has the permission
	}{
		"throttle":            {faults: everywhere(wire.Throttle)},
		"5xx":                 {faults: everywhere(wire.ServerFail)},
		"cut":                 {faults: everywhere(wire.Cut)},
		"cut-request":         {faults: everywhere(wire.CutRequest)},
		"slow":                {faults: []string{"*=slow(20ms)"}},
		"upload throttle":     {bytes: large, faults: upload(wire.Throttle)},
		"upload 5xx":          {bytes: large, faults: upload(wire.ServerFail)},
		"upload cut":          {bytes: large, faults: upload(wire.Cut)},
		"upload cut-request":  {bytes: large, faults: upload(wire.CutRequest)},
		"stale":               {faults: []string{"ecs.DescribeServices:2-3=stale", "ecs.ListTasks:3-6=stale", "ecs.DescribeTasks:2-3=stale", "elasticache.DescribeReplicationGroups:2-4=stale", "monitoring.ListMetrics=stale", "logs.DescribeLogStreams=stale"}},
		"denied metrics":      {faults: []string{"monitoring.*=denied"}, denied: true},
		"denied logs":         {faults: []string{"logs.GetLogEvents=denied"}, denied: true},
		"denied upload":       {bytes: large, faults: []string{"s3.UploadPart:2+=denied"}, denied: true},
		"denied bucket":       {faults: []string{"s3.PutObject:2+=denied"}, denied: true},
		"denied to delete":    {faults: []string{"elasticache.DeleteReplicationGroup=denied"}, denied: true},
		"denied at the end":   {faults: []string{"scheduler.DeleteSchedule=denied"}, denied: true},
		"denied to read tags": {faults: []string{"elasticache.ListTagsForResource=denied"}}, // the cache's creation time shows whose it is
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := freeze(t, test.bytes)
			for _, text := range test.faults {
				fault, err := wire.ParseFault(text)
				require.NoError(t, err)
				w.Faults.Add(fault)
			}
			_, err, _ := w.invoke(shutdown.ActionStop, "stop", w.caller())
			if test.denied {
				require.ErrorContains(t, err, "AccessDenied")
				w.assertConsistent(wants[test.bytes])
				w.waitUntilSettled()
				require.Zero(t, w.service().RunningCount, "the load has stopped whatever fails")
				require.NotZero(t, w.schedules(), "the guard stays")
				require.Equal(t, strings.Contains(name, "delete"), w.cache() != "", "the cache is deleted whatever else fails")
			} else {
				require.NoError(t, err)
			}
			fired := w.Faults.Fired()
			for _, text := range test.faults {
				action, _, _ := strings.Cut(strings.Split(text, "=")[0], ":")
				require.True(t, action == "*" || slices.ContainsFunc(fired, func(f string) bool { return strings.HasPrefix(f, strings.TrimSuffix(action, "*")) }), "%s did not happen: %v", text, fired)
			}
			w.Faults.Clear()
			if name == "denied bucket" { // no record shows who deleted the cache: the guard stays as long as an apply can recreate it
				w.tick(15 * time.Minute) // until the first invocation's hold in the record expires
				w.clock.set(w.started.Add(3*time.Hour + shutdown.Creation))
			}
			got := w.finish(false)
			if name == "denied bucket" { // all that is known of the cache is CloudWatch's data
				got.manifest.Membership = wants[test.bytes].manifest.Membership
			}
			wants[test.bytes].equal(t, got)
		})
	}
}

func count(ops []string, op string) (n int) {
	for _, o := range ops {
		if o == op {
			n++
		}
	}
	return n
}

// onlyLocal skips a test on AWS, because only localaws can have its faults.
func onlyLocal(t *testing.T) {
	t.Helper()
	if onAWS() {
		t.Skip("only the embedded AWS can have these faults")
	}
}

// Many small streams take many calls for few bytes: in a Region with 10 reads per second no call may be throttled.
func TestFaultsLogReadsStayBelowTheQuota(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	const region, streams = "eu-central-1", 40
	w := newFrozen(t, nextHour, func(c *localaws.Config) { c.Quotas, c.Region = true, region })
	w.aws.Region = region
	client := cloudwatchlogs.NewFromConfig(w.aws)
	_, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &w.cfg.Logs.Load})
	require.NoError(t, err)
	for i := range streams {
		require.NoError(t, w.Logs.Put(w.cfg.Logs.Load, fmt.Sprintf("load/memtier/%03d", i), logs.Event{Time: nextHour.Add(time.Minute), Message: "ready"}))
	}
	sum, err := export.LogsJob{API: client, Clock: export.Wall{}, Rate: export.LogsRate(region), Window: export.Window{Start: nextHour, End: nextHour.Add(time.Hour)},
		Groups: []export.LogGroup{{Kind: "load", Name: w.cfg.Logs.Load}}}.Write(t.Context(), io.Discard)
	require.NoError(t, err)
	require.EqualValues(t, streams, sum.Events)
	require.Zero(t, w.Requests.Throttled())
	for _, region := range []string{"us-east-1", "us-west-2", "eu-west-1", "eu-west-3", "ap-northeast-3", "ca-west-1", "il-central-1", "sa-east-1"} {
		require.InDelta(t, 0.95*localaws.RequestRate(region, "logs.GetLogEvents"), export.LogsRate(region), 1e-9, region)
		require.InDelta(t, 0.95*localaws.RequestRate(region, "logs.FilterLogEvents"), export.FilterRate(region), 1e-9, region)
	}
}
