package shutdown

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// failMetricReads makes every read of metrics fail.
func (w *fakeAWS) failMetricReads() {
	w.refuse("GetMetricData", "InternalServiceFault")
}

// CloudWatch keeps data of periods under a minute for three hours: a later attempt uses the shortest period that is still available.
func TestResolutionOfEachAttempt(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)

	w := newFakeAWS()
	w.cfg.PeriodSeconds = 1
	w.failMetricReads()
	_, err = w.handle("stop", ActionStop)
	require.Error(t, err)
	w.revive()
	w.pass(3 * time.Hour)
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)
	m := w.manifest(t)
	assert.Equal(t, 60, m.Metrics.PeriodSeconds)
	assert.Equal(t, at("2026-11-23T04:22:00Z"), m.Window.End, "whole periods")
	assert.True(t, undisturbed.text(metricsKey) == w.text(metricsKey))
	assert.Contains(t, strings.Join(m.Warnings, "\n"), "metrics have a period of 1m0s instead of 1s")
}

// The same for a person's repeated export: the exported data, with its shorter period, is compared with what CloudWatch has now.
func TestResolutionOfARepeatedExport(t *testing.T) {
	w := newFakeAWS()
	w.cfg.PeriodSeconds = 1
	w.clock, w.lag = at("2026-11-23T04:22:00Z"), 6*time.Minute
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	before := w.manifest(t)
	require.Equal(t, 1, before.Metrics.PeriodSeconds)
	w.pass(4 * time.Hour)
	_, err = w.exportAgain()
	require.NoError(t, err)
	m := w.manifest(t)
	assert.Greater(t, m.Metrics.Points, before.Metrics.Points, "with the late datapoints")
	assert.Equal(t, 60, m.Metrics.PeriodSeconds)
	assert.True(t, m.Complete)

	w.lag = 24 * time.Hour // CloudWatch has no data any more
	_, err = w.exportAgain()
	require.NoError(t, err)
	again := w.manifest(t)
	assert.Equal(t, []any{m.Window, m.Metrics, m.Objects}, []any{again.Window, again.Metrics, again.Objects}, "the manifest describes the objects in the bucket")
}

func TestIncompleteWithoutDatapointsOfTheCache(t *testing.T) {
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := make()
			w.lag = 24 * time.Hour
			for range 2 {
				_, err := w.handle("stop", ActionStop)
				if w.cfg.Cache == (Cache{}) { // only its endpoint is known
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "CloudWatch has no datapoint of ")
				assert.False(t, w.manifest(t).Complete)
				assert.NotEmpty(t, w.schedules["perf-watch"], "the guard stays")
			}
			w.lag = 0
			_, err := w.tick()
			require.NoError(t, err)
			w.assertEnded(t)
			m := w.manifest(t)
			o, _ := m.Object(export.KindMetrics)
			assert.Equal(t, m.Metrics.Points, o.Rows)
			assert.Positive(t, o.Rows)
		})
	}
}

// The cache was deleted by hand before the load ran, or clocks differ: such a run never becomes complete. The guard gives up a day after the load.
func TestIncompleteRunEndsAfterADay(t *testing.T) {
	for name, change := range map[string]func(*fakeAWS){
		"CloudWatch has no datapoint of replication group perf": func(w *fakeAWS) { w.cache, w.lag = "", 1000*time.Hour },
		"is empty": func(w *fakeAWS) { w.clock, w.tasks, w.streams = at("2026-11-23T03:00:00Z"), nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newFakeAWS()
			change(w)
			ended := w.Now()
			_, err := w.handle("stop", ActionStop)
			require.ErrorContains(t, err, name)
			for n := 0; w.schedules["perf-watch"] != nil; n++ {
				require.Less(t, n, 200, "the guard is not removed")
				_, err = w.tick()
				if w.Now().After(at("2026-11-23T05:00:00Z")) { // due
					require.ErrorContains(t, err, name, "the error raises the alarm")
				}
			}
			require.Greater(t, w.Now().Sub(ended), alarmLate-5*time.Minute)
			require.Empty(t, w.schedules)
			require.Zero(t, w.desired)
			require.Empty(t, w.cache)
			assert.False(t, w.manifest(t).Complete)
			require.Equal(t, []string{"failed", "incomplete", "gone"}, w.messages())
			assert.Contains(t, w.published[1], name)
			answer, err := w.handle("retry", ActionWatch) // Lambda sends the failed event again
			require.NoError(t, err)
			assert.Equal(t, StatusIdle, answer.Status)
		})
	}
}

// `complete` is only set if the objects have the recorded bytes, not just the recorded size: a change of one byte is detected.
func TestCompleteVerifiesTheBytes(t *testing.T) {
	for _, key := range []string{metricsKey, logsKey} {
		w := newFakeAWS()
		w.before = func(_ int, op string) error {
			if op == "DeleteReplicationGroup" && w.text(key) != "" {
				w.kill(0, false) // both objects are on record, and the manifest is not written
			}
			return nil
		}
		_, _ = w.handle("stop", ActionStop)
		w.revive()
		require.Empty(t, w.text(manifestKey))
		body := w.objects[key].body
		good := body[len(body)/2]
		body[len(body)/2] ^= 1
		_, err := w.handle("stop", ActionStop) // Lambda's retry
		require.ErrorContains(t, err, "someone changed it", key)
		require.False(t, w.manifest(t).Complete, key)
		body[len(body)/2] = good
		w.ticks(t)
		w.assertEnded(t)
	}
}

// An empty window means that clocks differ.
func TestEmptyWindowIsIncomplete(t *testing.T) {
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := make()
			w.clock, w.tasks = at("2026-11-23T03:00:00Z"), nil // the clock that named the run is eight minutes fast
			_, err := w.handle("stop", ActionStop)
			require.ErrorContains(t, err, "is empty")
			require.False(t, w.manifest(t).Complete)
		})
	}
}

// An attempt is cut off between its object and its record, and CloudWatch has more or fewer rows at the next attempt: the summary matches the object
// in the bucket.
func TestSummaryMatchesTheStoredObject(t *testing.T) {
	for name, lags := range map[string][2]time.Duration{"more": {6 * time.Minute, 0}, "less": {0, 40 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			w := newFakeAWS()
			w.clock, w.lag = at("2026-11-23T04:24:00Z"), lags[0]
			w.after = func(int, string) error {
				if w.objects[metricsKey] != nil {
					w.kill(1, false)
					return errKilled
				}
				return nil
			}
			_, err := w.handle("stop", ActionStop)
			require.Error(t, err)
			first := w.text(metricsKey)
			require.NotEmpty(t, first)
			w.revive()
			w.lag = lags[1]
			for range 2 {
				_, err = w.tick()
				require.NoError(t, err)
			}
			w.assertEnded(t)
			m := w.manifest(t)
			o, _ := m.Object(export.KindMetrics)
			assert.Equal(t, m.Metrics.Points, o.Rows)
			assert.EqualValues(t, strings.Count(w.text(metricsKey), "\n")-1, o.Rows)
			minutes := map[string]bool{}
			for row, err := range export.ReadMetrics(strings.NewReader(w.text(metricsKey))) {
				require.NoError(t, err)
				minutes[row.Timestamp.String()] = true
			}
			assert.Equal(t, len(minutes), m.Metrics.Sources[1].MinutesFound, m.Metrics.Sources[1].Name)
			assert.Equal(t, name == "less", first == w.text(metricsKey), "an object is replaced by one with more rows only")
		})
	}
}

// A build with the same format continues an upload; any other build restarts it.
func TestAnotherBuildRestartsTheUpload(t *testing.T) {
	for _, same := range []bool{true, false} {
		w := newFakeAWS()
		for i := range 45 {
			w.streams[w.cfg.Logs.Load]["load/memtier/a"] = append(w.streams[w.cfg.Logs.Load]["load/memtier/a"], "04:22:40 "+strings.Repeat(string(rune('A'+i)), 200_000))
		}
		w.after = func(int, string) error {
			if strings.Contains(w.text(stateKey), `"etag"`) { // a part is on record
				w.kill(1, false)
				return errKilled
			}
			return nil
		}
		_, err := w.handle("stop", ActionStop)
		require.Error(t, err)
		w.revive()
		require.Len(t, w.uploads, 1)
		var state State
		require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &state))
		require.Contains(t, state.Progress.ToolVersion, " format "+export.Format())
		if !same {
			w.objects[stateKey].body = bytes.Replace(w.objects[stateKey].body, []byte(export.Format()), []byte("000000000000"), 1)
		}
		for range 2 {
			_, err := w.tick()
			require.NoError(t, err)
		}
		w.assertEnded(t)
		assert.Equal(t, same, w.called("CreateMultipartUpload") == 1)
		assert.Contains(t, w.manifest(t).ToolVersion, " format "+export.Format())
	}
}

// This version ends a run whose manifest a later version completed, but leaves the manifest unchanged and refuses to export the run again.
func TestManifestOfALaterVersionIsKept(t *testing.T) {
	for _, complete := range []bool{true, false} {
		w := newFakeAWS()
		text := fmt.Sprintf(`{"schema_version": 2, "complete": %t}`, complete)
		w.objects[manifestKey] = &object{[]byte(text), map[string]string{"run": "perf/" + runID}, "later"}
		_, err := w.handle("stop", ActionStop)
		require.NoError(t, err)
		assert.Empty(t, w.schedules, "the run is ended")
		assert.Equal(t, complete, w.text(manifestKey) == text)
		_, err = w.exportAgain()
		if complete {
			require.ErrorContains(t, err, "s3://bucket/"+manifestKey+" is complete and has schema_version 2")
			assert.Equal(t, text, w.text(manifestKey))
		} else {
			require.NoError(t, err)
		}
	}
}

// The engine's log arrives with a delay: the stop waits for the window's lines, as it does for the last datapoints.
func TestStopWaitsForTheEngineLog(t *testing.T) {
	w := newFakeAWS()
	w.clock = at("2026-11-23T04:22:00Z")
	engine := w.streams[w.cfg.Logs.Engine]
	w.before = func(_ int, op string) error {
		if !w.Now().Before(at("2026-11-23T04:24:30Z")) {
			engine["perf-001"] = []string{"03:12:00 Server initialized", "04:21:30 the last word"}
		}
		return nil
	}
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	assert.Contains(t, w.text(logsKey), "[engine-log/perf-001] the last word")
	assert.Equal(t, 1, w.manifest(t).Attempts)

	w = newFakeAWS()
	w.clock = at("2026-11-23T04:22:00Z")
	w.cfg.Logs.Engine, w.cfg.Logs.Slow = "", ""
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.True(t, w.Now().Before(at("2026-11-23T04:23:30Z")), "without an engine log there is nothing to wait for")
}

// If datapoints come every five seconds, as in the embedded AWS, metrics and the cache's logs are soon complete, and the stop waits less.
func TestShortWaitForDatapointsEveryFiveSeconds(t *testing.T) {
	w := newFakeAWS()
	w.clock = at("2026-11-23T04:21:10Z")
	w.cfg.PeriodSeconds, w.every, w.lag = 5, 5*time.Second, 5*time.Second
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	m := w.manifest(t)
	assert.WithinRange(t, *m.Membership.DeletionRequestedAt, m.Window.End, m.Window.End.Add(7*time.Second), "the stop only waits for the last datapoint")
}

// An upload that started with 5-second data is restarted once CloudWatch no longer has such data.
func TestUploadOfExpiredData(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	for _, faded := range []bool{false, true} {
		w := newFakeAWS()
		w.cfg.PeriodSeconds = 5
		w.failMetricReads()
		_, err := w.handle("stop", ActionStop)
		require.Error(t, err)
		w.revive()
		var state State
		require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &state))
		state.Progress = &Progress{ToolVersion: toolVersion(), Progress: export.Progress{Object: export.Object{Kind: export.KindMetrics, Key: metricsKey}, UploadID: "started",
			Parts: []export.Part{{ETag: "part"}}, Position: export.Position{Metrics: &export.MetricsPosition{After: 600, Minutes: map[string]export.Minutes{}}}}}
		state.Progress.Sum, err = sha256.New().(encoding.BinaryMarshaler).MarshalBinary()
		require.NoError(t, err)
		w.objects[stateKey].body, err = json.Marshal(state)
		require.NoError(t, err)
		w.uploads["started"] = &upload{metricsKey, map[string]string{"run": "perf/" + runID}, map[int32][]byte{1: []byte(strings.Join(export.Columns, ",") + "\n")}}
		if faded {
			w.clock = at("2026-11-23T06:30:00Z")
		}
		_, err = w.tick()
		require.NoError(t, err)
		w.assertEnded(t)
		m := w.manifest(t)
		if faded {
			assert.Equal(t, 60, m.Metrics.PeriodSeconds)
			assert.True(t, undisturbed.text(metricsKey) == w.text(metricsKey))
		} else {
			assert.Equal(t, 5, m.Metrics.PeriodSeconds)
			assert.NotContains(t, w.text(metricsKey), "T03:29:00", "it continues after the first part")
		}
	}
}

// An attempt was cut off after it wrote the logs and before it recorded them. The next one finds fewer lines, because some have passed their retention:
// the object stays, the manifest does not summarize it, and a warning says why.
func TestUncountedLogsHaveNoSummary(t *testing.T) {
	w := newFakeAWS()
	w.after = func(int, string) error {
		if w.objects[logsKey] != nil {
			w.kill(0, false)
			return errKilled
		}
		return nil
	}
	_, _ = w.handle("stop", ActionStop)
	first := w.text(logsKey)
	require.NotEmpty(t, first)
	w.revive()
	delete(w.streams[w.cfg.Logs.Engine], "perf-001")
	w.ticks(t)
	w.assertEnded(t)
	m := w.manifest(t)
	assert.Equal(t, first, w.text(logsKey))
	o, _ := m.Object(export.KindLogs)
	assert.EqualValues(t, len(first), o.Bytes)
	assert.Nil(t, m.Logs)
	assert.Contains(t, m.Warnings, logsKey+" was written by an interrupted attempt, and has more rows than CloudWatch has now: it stays")
}

// After `complete` an apply recreates the load: the load is stopped, and the objects do not change.
func TestLoadRecreatedAfterCompleteIsStopped(t *testing.T) {
	w := newFakeAWS()
	w.cache = "modifying" // so the guard is still needed
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	require.True(t, w.manifest(t).Complete)
	objects := map[string]string{metricsKey: w.text(metricsKey), logsKey: w.text(logsKey), manifestKey: w.text(manifestKey)}

	for i := range w.tasks {
		w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:50:10Z"))
	}
	w.desired, w.cache = 2, "available"
	w.pass(30 * time.Minute)
	w.ticks(t)
	w.assertEnded(t)
	for key, text := range objects {
		assert.True(t, text == w.text(key), key)
	}
}

// ECS forgets a task after an hour. The window then starts with the load's log streams or, without them, with the service, and ends at the check.
func TestWindowOfTasksThatECSHasForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakeAWS)
		start  string
	}{
		"its log":      {func(*fakeAWS) {}, "2026-11-23T03:20:00Z"},
		"its service":  {func(w *fakeAWS) { w.streams[w.cfg.Logs.Load] = nil }, "2026-11-23T03:19:00Z"},
		"only its log": {func(w *fakeAWS) { w.service, w.desired = false, 0 }, "2026-11-23T03:20:00Z"},
		"no log group": {func(w *fakeAWS) { delete(w.streams, w.cfg.Logs.Load) }, "2026-11-23T03:19:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFakeAWS()
			w.tasks, w.clock = nil, at("2026-11-23T05:30:10Z")
			c.change(w)
			_, err := w.handle("stop", ActionStop)
			require.NoError(t, err)
			m := w.manifest(t)
			require.True(t, m.Complete)
			assert.Equal(t, at(c.start), m.Window.Start)
			assert.Equal(t, at("2026-11-23T05:31:00Z"), m.Window.End)
			assert.Len(t, m.Objects, 2)
		})
	}
}

// The manifest's results come from the tasks' tables, and are absent if no task printed one.
func TestNoResultsWithoutATable(t *testing.T) {
	w := newFakeAWS()
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.NotContains(t, w.text(manifestKey), `"results"`)
	require.NotNil(t, w.manifest(t).Logs)
}
