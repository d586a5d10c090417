package shutdown

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

func TestWatchInTime(t *testing.T) {
	w := newFakeAWS()
	w.clock = at("2026-11-23T04:35:29Z")
	answer, err := w.handle("tick", ActionWatch)
	require.NoError(t, err)
	assert.Equal(t, Answer{Run: runID, Action: "watch", Status: StatusIdle, Message: "in time until 2026-11-23T04:35:30Z"}, answer)
	assert.Equal(t, []string{"GetSchedule", "GetSchedule", "GetObject", "DescribeReplicationGroups"}, w.calls)
	assert.Empty(t, w.published)
	assert.Empty(t, w.objects, "no message, so no record")

	w.clock = at("2026-11-23T04:35:30Z") // the stop never fired
	answer, err = w.handle("tick", ActionWatch)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
}

func TestWatchStopBy(t *testing.T) {
	w := newFakeAWS()
	w.schedules["perf-load-stop"].ScheduleExpression = aws.String("at(2026-11-23T06:00:00)") // its grace period ends after stop_by
	w.clock = at("2026-11-23T06:08:08Z")
	answer, err := w.handle("tick", ActionWatch)
	require.NoError(t, err)
	assert.Equal(t, "in time until 2026-11-23T06:08:09Z", answer.Message)
	w.clock = at("2026-11-23T06:08:09Z")
	answer, err = w.handle("tick", ActionWatch)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
}

// An event of watch can arrive an hour late and past its stop_by: the schedule's current input counts, even if the first attempt to read it fails.
func TestOldEventDoesNotEndARunEarly(t *testing.T) {
	for name, input := range map[string]string{
		"the run was replaced": `{"action":"watch","run":"2026-11-23T06-00-00Z","stop_by":"2026-11-23T09:00:00Z"}`,
		"the run was extended": `{"action":"watch","run":"` + runID + `","stop_by":"2026-11-23T09:08:09Z"}`,
	} {
		for _, code := range []string{"ThrottlingException", "AccessDeniedException"} {
			w := newFakeAWS()
			old := w.eventFor(ActionWatch, runID)
			w.clock = at("2026-11-23T06:20:00Z")
			w.schedules["perf-watch"].Target.Input = aws.String(input)
			delete(w.schedules, "perf-load-stop")
			w.refuseOnce("GetSchedule", code)
			answer, err := New(w.cfg, w.clients(), w).Handle(w.invocation("old", 15*time.Minute), old)
			require.NoError(t, err, name)
			assert.Equal(t, StatusIdle, answer.Status, name)
			assert.EqualValues(t, 2, w.desired, name)
			assert.Equal(t, "available", w.cache, name)
		}
	}
}

// Somebody changed stop_by to an invalid time by hand. The guard reports it, and the stop still ends the load and the cache.
func TestInvalidStopBy(t *testing.T) {
	w := newFakeAWS()
	w.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"` + runID + `","stop_by":"at eight"}`)
	_, err := w.handle("tick", ActionWatch)
	require.ErrorContains(t, err, "read the input of schedule perf-watch")
	_, err = w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "read the input of schedule perf-watch", "the guard stays")
	assert.Zero(t, w.desired)
	assert.Empty(t, w.cache)
	assert.True(t, w.manifest(t).Complete)
	assert.NotEmpty(t, w.schedules["perf-watch"])

	w = newFakeAWS() // now the invalid input is another run's
	w.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"2026-11-23T04-00-00Z","stop_by":"at eight"}`)
	_, err = w.handle("stop", ActionStop)
	require.Error(t, err)
	assert.EqualValues(t, 2, w.desired)
	assert.Equal(t, "available", w.cache)
}

// Somebody removed stop_by by hand, so the run's latest end is unknown: it ends when the longest run would, or a grace period after its stop schedule.
func TestMissingStopBy(t *testing.T) {
	for stops, ends := range map[string]time.Time{"": at("2026-11-23T08:08:09Z"), "at(2026-11-23T04:20:00)": at("2026-11-23T04:35:00Z")} {
		w := newFakeAWS()
		w.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"` + runID + `"}`)
		w.schedules["perf-load-stop"].ScheduleExpression = &stops
		if stops == "" { // the apply failed
			delete(w.schedules, "perf-load-stop")
		}
		_, err := w.handle("preflight", ActionPreflight)
		require.NoError(t, err)
		require.Contains(t, w.published[0], "Whatever happens, the run ends by 2026-11-23T08:08:09Z.")
		w.clock = ends.Add(-time.Minute)
		answer, err := w.handle("tick", ActionWatch)
		require.NoError(t, err)
		assert.Equal(t, StatusIdle, answer.Status)
		assert.EqualValues(t, 2, w.desired)
		assert.Equal(t, "available", w.cache)
		w.clock = ends.Add(time.Minute)
		_, err = w.handle("tick", ActionWatch)
		require.NoError(t, err)
		w.ticks(t)
		w.assertEnded(t)
	}
}

func TestWatchFinishesAnInterruptedStop(t *testing.T) {
	w := newFakeAWS()
	w.schedules["perf-load-stop"].ScheduleExpression = aws.String("at(2026-11-23T05:20:30)") // someone ended the run early, and the Lambda died
	w.kill(12, true)
	_, err := w.handle("stop", ActionStop)
	require.Error(t, err)
	w.revive()
	answer, err := w.tick()
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status, "the dead invocation holds the run until its deadline")
	answer, err = w.tick()
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
}

// bare returns an AWS that only has the Lambda and the guard.
func bare() *fakeAWS {
	w := newFakeAWS()
	w.service, w.desired, w.tasks, w.cache, w.streams = false, 0, nil, "", nil
	delete(w.schedules, "perf-load-stop")
	return w
}

// An apply failed before it created a load: nothing happens until stop_by, then what there is of the run is removed. The guard stays as long as another
// apply could create a load.
func TestWatchAfterAFailedApply(t *testing.T) {
	for _, cache := range []string{"available", "create-failed", ""} {
		w := bare()
		w.cache = cache
		answer, err := w.tick()
		require.NoError(t, err)
		assert.Equal(t, StatusIdle, answer.Status)
		assert.Equal(t, cache, w.cache)
		var wantMessages []string
		if cache == createFailed {
			wantMessages = append(wantMessages, "cache failed")
		}
		assert.Equal(t, wantMessages, w.messages(), "at once")

		w.clock = at("2026-11-23T06:00:00Z")
		answer, err = w.tick()
		require.NoError(t, err)
		assert.Equal(t, StatusPending, answer.Status)
		assert.Contains(t, answer.Message, "there was no load, and until 2026-11-23T07:18:09Z an apply may create one")
		assert.Empty(t, w.cache)
		assert.False(t, w.manifest(t).Complete)
		wantMessages = append(wantMessages, "apply failed")
		assert.Equal(t, wantMessages, w.messages())
		w.ticks(t)
		assert.Equal(t, append(wantMessages, "ended", "gone"), w.messages())
		assert.False(t, w.Now().Before(at("2026-11-23T07:18:09Z")))
		w.assertEnded(t)
		m := w.manifest(t)
		assert.Contains(t, strings.Join(m.Warnings, "\n"), "no load ever ran: ECS service perf-load does not exist")
		assert.Nil(t, m.LoadStart)
		assert.Nil(t, m.Window)
		assert.Empty(t, m.Objects)
	}

	w := bare() // a cache that is still being created is left to the next tick
	w.cache, w.clock = "creating", at("2026-11-23T06:00:00Z")
	answer, err := w.tick()
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.Equal(t, "creating", w.cache)
	w.cache = "available"
	w.ticks(t)
	w.assertEnded(t)

	w = bare() // the name belongs to somebody else's cache
	w.cache, w.cacheRun, w.cacheName, w.clock = "available", "2026-11-01T00-00-00Z", "other", at("2026-11-23T06:00:00Z")
	_, err = w.tick()
	require.ErrorContains(t, err, "was not created by this run")
	assert.Equal(t, "available", w.cache)
}

// A service whose tasks never started, for example because of a bad image: the manifest has the reasons, and the engine's log is exported.
func TestLoadThatNeverStarted(t *testing.T) {
	w := newFakeAWS()
	for i := range w.tasks {
		w.tasks[i].StartedAt, w.tasks[i].StoppedReason = nil, aws.String("CannotPullContainerError: rate limit")
	}
	w.streams[w.cfg.Logs.Load] = nil
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	m := w.manifest(t)
	assert.Nil(t, m.LoadStart)
	assert.Equal(t, export.Window{Start: at("2026-11-23T03:19:00Z"), End: at("2026-11-23T04:22:00Z")}, *m.Window)
	assert.Equal(t, "CannotPullContainerError: rate limit", m.Tasks[0].StoppedReason)
	assert.Contains(t, strings.Join(m.Warnings, "\n"), "no task of ECS service perf-load is known to have started")
	assert.Contains(t, w.text(logsKey), "Server initialized")
}

func TestTasksOfEarlierRunsAreIgnored(t *testing.T) {
	w := newFakeAWS()
	w.tasks[0].CreatedAt, w.tasks[0].StartedAt = aws.Time(at("2026-11-23T02:50:00Z")), aws.Time(at("2026-11-23T02:51:00Z")) // a task of the previous run, which ECS lists for an hour
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	m := w.manifest(t)
	require.Len(t, m.Tasks, 1)
	assert.Equal(t, at("2026-11-23T03:20:31Z"), *m.LoadStart)
}

func TestWatchRaisesTheAlarm(t *testing.T) {
	w := newFakeAWS()
	w.cache = "modifying" // forever
	var err error
	for range 146 { // 24 h and 20 min
		_, err = w.tick()
		if w.Now().Before(at("2026-11-24T04:35:30Z")) {
			require.NoError(t, err)
		}
	}
	require.ErrorContains(t, err, "still not gone")
	require.ErrorContains(t, err, "mage destroy")
	require.Equal(t, []string{"ended", "overdue"}, w.messages())
	assert.Contains(t, w.published[1], "mage destroy")
	assert.NotEmpty(t, w.schedules["perf-watch"], "the guard stays")
}

func TestWatchRejectsUnreadableSchedules(t *testing.T) {
	w := newFakeAWS()
	w.schedules["perf-load-stop"].ScheduleExpression = aws.String("rate(1 day)")
	_, err := w.handle("tick", ActionWatch)
	assert.ErrorContains(t, err, `has the expression "rate(1 day)"`)
	w.schedules["perf-watch"].Target.Input = aws.String(`run`)
	_, err = w.handle("tick", ActionWatch)
	assert.ErrorContains(t, err, "read the input of schedule perf-watch")
}

func TestWatchKnowsTimeZones(t *testing.T) {
	w := newFakeAWS()
	w.schedules["perf-load-stop"].ScheduleExpressionTimezone = aws.String("UTC")
	w.clock = at("2026-11-23T04:30:00Z")
	answer, err := w.handle("tick", ActionWatch)
	require.NoError(t, err)
	assert.Equal(t, StatusIdle, answer.Status)
}

func TestPreflight(t *testing.T) {
	w := bare()
	answer, err := w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.Equal(t, Answer{Run: runID, Action: "preflight", Status: StatusReady, Message: "s3://bucket/exports takes the exports"}, answer)
	assert.Equal(t, []string{stateKey}, slices.Collect(maps.Keys(w.objects)), "the probe is removed")
	assert.Empty(t, w.uploads)
	require.Len(t, w.published, 1)
	assert.Contains(t, w.published[0], "perf: run "+runID+" started\n")
	assert.Contains(t, w.published[0], "ends by 2026-11-23T06:08:09Z")
	for _, op := range []string{"DescribeServices", "ListTasks", "DescribeTasks", "DescribeReplicationGroups", "DescribeCacheClusters", "ListTagsForResource", "GetMetricData",
		"ListMetrics", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents", "GetSchedule", "UpdateService", "DeleteReplicationGroup", "DeleteSchedule", "CompleteMultipartUpload", "DeleteObject"} {
		assert.NotZero(t, w.called(op), op)
	}

	w = bare() // a new role takes half a minute to work
	started := w.Now()
	w.before = func(int, string) error {
		if w.Now().Sub(started) < 30*time.Second {
			return apiError("AccessDeniedException")
		}
		return nil
	}
	_, err = w.handle("preflight", ActionPreflight)
	require.NoError(t, err)

	for op, says := range map[string]string{
		"CreateMultipartUpload":  "allow s3:PutObject and s3:DeleteObject on s3://bucket/exports/*",
		"UploadPart":             "allow s3:PutObject and s3:DeleteObject on s3://bucket/exports/*",
		"DeleteObject":           "remove the probe s3://bucket/exports/preflight/" + runID,
		"HeadObject":             "s3:ListBucket on bucket bucket",
		"ListMultipartUploads":   "allow s3:ListBucketMultipartUploads on bucket bucket",
		"ListTasks":              "allow ecs:ListTasks to the role of Lambda perf-stop",
		"DescribeTasks":          "allow ecs:DescribeTasks to the role of Lambda perf-stop",
		"GetLogEvents":           "allow logs:GetLogEvents on /elasticache-perf/perf/load",
		"FilterLogEvents":        "allow logs:FilterLogEvents on /elasticache-perf/perf/load",
		"GetSchedule":            "allow scheduler:GetSchedule",
		"ListTagsForResource":    "allow elasticache:ListTagsForResource",
		"UpdateService":          "allow ecs:UpdateService to the role of Lambda perf-stop",
		"DeleteSchedule":         "allow scheduler:DeleteSchedule",
		"DeleteReplicationGroup": "allow the deletion of replication group perf",
		"Publish":                "allow sns:Publish on arn:aws:sns:us-east-1:123456789012:perf",
	} {
		w = bare()
		started := w.Now()
		w.before = func(_ int, called string) error {
			if called == op {
				return apiError("AccessDenied")
			}
			return nil
		}
		_, err = w.handle("preflight", ActionPreflight)
		require.ErrorContains(t, err, says, op)
		assert.LessOrEqual(t, w.Now().Sub(started), time.Minute, op)
		assert.Empty(t, w.uploads, op)
		if op != "Publish" {
			assert.Equal(t, []string{"preflight failed"}, w.messages(), op)
			assert.Contains(t, w.published[0], says)
		}
	}

	w = bare() // an error that does not go away is not retried, and reported once
	w.before = func(_ int, op string) error {
		if op == "CreateMultipartUpload" || op == "ListMultipartUploads" {
			return apiError("NoSuchBucket")
		}
		return nil
	}
	started = w.Now()
	_, err = w.handle("preflight", ActionPreflight)
	require.ErrorContains(t, err, "s3://bucket/exports/preflight/"+runID+": api error NoSuchBucket")
	require.ErrorContains(t, err, "the bucket bucket does not exist: create it")
	require.NotContains(t, err.Error(), "allow ")
	assert.Equal(t, started, w.Now())

	w = bare()
	w.objects[metricsKey] = &object{[]byte("theirs"), nil, "e"}
	_, err = w.handle("preflight", ActionPreflight)
	require.ErrorContains(t, err, `belongs to run "", not to "perf/`+runID)

	w = bare()
	_, err = New(w.cfg, w.clients(), w).Handle(t.Context(), Event{Action: ActionPreflight, Run: "2026-11-22T00-00-00Z"})
	require.ErrorContains(t, err, "names run \""+runID+"\", not 2026-11-22T00-00-00Z")
}
