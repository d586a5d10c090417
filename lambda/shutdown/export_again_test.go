package shutdown

import (
	"context"
	"encoding/json"
	"fmt"
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

// exportAgain does what `mage export` does.
func (w *fakeAWS) exportAgain() (Answer, error) {
	return New(w.cfg, w.clients(), w).Handle(context.Background(), Event{Action: ActionExport, Run: runID})
}

func TestExportAgain(t *testing.T) {
	w := newFakeAWS()
	_, err := w.exportAgain()
	require.ErrorContains(t, err, "s3://bucket/"+stateKey+" has no stop of it")

	w.refuse("GetLogEvents", "ServiceUnavailable")
	_, err = w.handle("stop", ActionStop)
	require.Error(t, err)
	_, err = w.exportAgain()
	require.Error(t, err)
	w.revive()
	metrics := w.objects[metricsKey]
	answer, err := w.exportAgain()
	require.NoError(t, err)
	assert.Equal(t, Answer{runID, "export", StatusDone, "exported", "s3://bucket/" + manifestKey}, answer)
	assert.Contains(t, w.text(logsKey), "Totals 100")
	assert.Same(t, metrics, w.objects[metricsKey], "what is exported is not written again")
	_, err = w.tick()
	require.NoError(t, err)
	w.assertEnded(t)

	objects := maps.Clone(w.objects)
	delete(objects, stateKey)
	answer, err = w.exportAgain()
	require.NoError(t, err, "long after the run")
	assert.Equal(t, "nothing to add: CloudWatch has no more than was exported", answer.Message)
	for key, o := range objects {
		assert.Same(t, o, w.objects[key], "%s is not written again", key)
	}

	text := w.text(logsKey)
	delete(w.objects, logsKey)
	_, err = w.exportAgain()
	require.NoError(t, err)
	assert.Equal(t, text, w.text(logsKey), "a removed object comes back with the same bytes")
	w.objects[logsKey].body = []byte("x")
	_, err = w.exportAgain()
	require.ErrorContains(t, err, "someone changed it")
}

// withLateData returns a fake AWS whose last datapoints came after the stop had waited for them, with one more log message of so many bytes.
func withLateData(t *testing.T, bytes int) *fakeAWS {
	t.Helper()
	w := newFakeAWS()
	w.clock, w.lag = at("2026-11-23T04:22:00Z"), 6*time.Minute
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	require.Contains(t, strings.Join(w.manifest(t).Warnings, "\n"), "metrics of perf-001: ", "the warning names the missing minutes")
	w.pass(time.Hour)
	w.streams[w.cfg.Logs.Load]["load/memtier/a"] = append(w.streams[w.cfg.Logs.Load]["load/memtier/a"], "04:22:40 "+strings.Repeat("late ", bytes/5))
	return w
}

func TestExportAgainReplacesObjectsWithFewerRows(t *testing.T) {
	prompt := newFakeAWS()
	_, err := prompt.handle("stop", ActionStop)
	require.NoError(t, err)
	w := withLateData(t, 10)
	before := w.manifest(t)
	answer, err := w.exportAgain()
	require.NoError(t, err)
	m := w.manifest(t)
	require.True(t, m.Complete)
	for i, o := range m.Objects {
		old := before.Objects[i]
		require.Len(t, o.Replaced, 1)
		assert.WithinDuration(t, w.Now(), o.Replaced[0].At, time.Minute)
		assert.Equal(t, []export.Replaced{{At: o.Replaced[0].At, Bytes: old.Bytes, Rows: old.Rows, SHA256: old.SHA256}}, o.Replaced)
		assert.Greater(t, o.Rows, old.Rows)
		assert.EqualValues(t, len(w.text(o.Key)), o.Bytes)
		assert.Contains(t, answer.Message, fmt.Sprintf("%s has %d rows instead of %d", o.Key, o.Rows, old.Rows))
	}
	assert.Equal(t, prompt.text(metricsKey), w.text(metricsKey), "as if nothing had come late")
	assert.Equal(t, before.Logs.Events+1, m.Logs.Events)
	assert.NotContains(t, strings.Join(m.Warnings, "\n"), "metrics of perf-001: ", "no gap is left")
	assert.Empty(t, w.uploads)

	objects := maps.Clone(w.objects)
	delete(objects, stateKey)
	w.lag = 24 * time.Hour // CloudWatch has no data any more
	_, err = w.exportAgain()
	require.NoError(t, err)
	for key, o := range objects {
		assert.Same(t, o, w.objects[key], "%s: fewer rows never replace more", key)
	}
	assert.Equal(t, m.Metrics, w.manifest(t).Metrics)
}

// An attempt that replaced the objects was cut off before it recorded them, and the run is not complete yet: the objects are the run's, but have more rows
// than the record says. They are kept, or replaced if CloudWatch has even more by now. Nobody has to remove them by hand.
func TestObjectsWithMoreRowsThanRecorded(t *testing.T) {
	for _, more := range []bool{false, true} {
		w := withLateData(t, 10)
		var state State
		require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &state))
		_, err := w.exportAgain()
		require.NoError(t, err)
		richer := w.manifest(t)
		state.Complete = false
		w.objects[stateKey].body, err = json.Marshal(state)
		require.NoError(t, err)
		delete(w.objects, manifestKey)
		if more {
			w.streams[w.cfg.Logs.Load]["load/memtier/a"] = append(w.streams[w.cfg.Logs.Load]["load/memtier/a"], "04:22:45 later still")
		}
		_, err = w.exportAgain()
		require.NoError(t, err)
		m := w.manifest(t)
		require.True(t, m.Complete)
		for i, o := range m.Objects {
			require.Len(t, o.Replaced, 1)
			assert.EqualValues(t, len(w.text(o.Key)), o.Bytes)
			if o.Kind == export.KindLogs && more {
				assert.Equal(t, richer.Objects[i].Rows+1, o.Rows)
			} else {
				assert.Equal(t, richer.Objects[i].SHA256, o.SHA256)
			}
		}
		assert.Equal(t, richer.Metrics.Points, m.Metrics.Points)
	}
}

// A load that is recreated after the metrics were exported makes the window longer. Had the metrics been replaced without a record of that window, and the
// attempt been killed, nothing would show the window once ECS has forgotten the tasks. So the record is written before anything is replaced.
func TestLongerWindowIsRecordedBeforeObjectsAreReplaced(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "InternalFailure")
	_, _ = w.handle("stop", ActionStop)
	first := w.text(metricsKey)
	require.NotEmpty(t, first)
	require.False(t, w.manifest(t).Complete)

	for i := range w.tasks { // the recreated load, at its end
		w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:27:10Z"))
	}
	w.desired = 2
	writes := 0
	w.before = func(_ int, op string) error {
		if op == "PutObject" {
			writes++
		}
		switch {
		case w.text(metricsKey) != first:
			return errKilled
		case op == "PutObject" && writes == 2: // the record of the window; the first write takes the run
			return apiError("ServiceUnavailable")
		}
		return nil
	}
	w.after = func(int, string) error {
		if w.text(metricsKey) != first {
			return errKilled
		}
		return nil
	}
	w.pass(20 * time.Minute)
	_, _ = w.handle("watch", ActionWatch)
	require.NotEqual(t, first, w.text(metricsKey))

	w.tasks = nil // ECS remembers them for an hour
	w.pass(2 * time.Hour)
	w.revive()
	w.ticks(t)
	m := w.manifest(t)
	require.True(t, m.Complete)
	assert.Equal(t, at("2026-11-23T04:28:00Z"), m.Window.End)
	assert.EqualValues(t, len(w.text(metricsKey)), m.Objects[0].Bytes)
	assert.Equal(t, strings.Count(w.text(metricsKey), "\n"), int(m.Objects[0].Rows)+1)
}

// While a run's record cannot be read, the exports of an earlier attempt are left unchanged.
func TestNoExportWhileTheRecordIsUnreadable(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "InternalFailure")
	_, _ = w.handle("stop", ActionStop)
	metrics := w.text(metricsKey)
	require.NotEmpty(t, metrics)

	w.tasks = nil // ECS remembers them for an hour
	w.pass(2 * time.Hour)
	reads := 0
	w.before = func(_ int, op string) error {
		if op == "GetObject" {
			if reads++; reads <= 2 { // once by watch, once by the stop
				return apiError("ServiceUnavailable")
			}
		}
		return nil
	}
	_, err := w.handle("watch", ActionWatch)
	require.ErrorContains(t, err, "ServiceUnavailable")
	assert.Equal(t, metrics, w.text(metricsKey))
	assert.Empty(t, w.text(logsKey))

	w.revive()
	w.ticks(t)
	m := w.manifest(t)
	require.True(t, m.Complete)
	assert.Equal(t, at("2026-11-23T04:22:00Z"), m.Window.End)
	assert.Equal(t, metrics, w.text(metricsKey))
}

// An attempt dies between writing the complete manifest and recording it, and an apply recreates the load: that manifest only covers the first load.
func TestEarlierManifestDoesNotCompleteALongerWindow(t *testing.T) {
	w := newFakeAWS()
	complete := func() bool { return strings.Contains(w.text(manifestKey), `"complete": true`) }
	die := func(int, string) error {
		if complete() {
			return errKilled
		}
		return nil
	}
	w.before, w.after = die, die
	_, _ = w.handle("stop", ActionStop)
	require.True(t, complete())

	for i := range w.tasks {
		w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:40:10Z"))
	}
	w.desired = 2
	w.after = nil
	w.refuse("GetLogEvents", "InternalFailure")
	w.pass(20 * time.Minute)
	_, err := w.handle("watch", ActionWatch)
	require.Error(t, err)
	assert.NotEmpty(t, w.schedules["perf-watch"])
	assert.False(t, complete())

	w.revive()
	w.ticks(t)
	assert.True(t, complete())
	assert.Equal(t, at("2026-11-23T04:41:00Z"), w.manifest(t).Window.End)
}

// The same, but the apply recreates the load while the next attempt is working: its last check finds the load, and the manifest still only covers
// the first one.
func TestEarlierManifestDoesNotCompleteALoadCreatedMeanwhile(t *testing.T) {
	w := newFakeAWS()
	w.killOnceComplete()
	_, _ = w.handle("stop", ActionStop)
	require.True(t, w.manifest(t).Complete)
	w.revive()

	w.pass(20 * time.Minute)
	cache := w.called("HeadObject")
	w.before = func(_ int, op string) error {
		if op == "HeadObject" && w.called(op) == cache+2 { // the exports are checked, long after the load was
			for i := range w.tasks {
				w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:50:10Z"))
			}
			w.desired = 2
		}
		return nil
	}
	answer, err := w.handle("watch", ActionWatch)
	require.NoError(t, err)
	require.Contains(t, answer.Message, "the exports are made again")
	assert.False(t, w.manifest(t).Complete)

	w.revive()
	w.ticks(t)
	assert.True(t, w.manifest(t).Complete)
	assert.Equal(t, at("2026-11-23T04:51:00Z"), w.manifest(t).Window.End)
}

// The same, but the next attempt cannot read the load: it does not assume that no load runs.
func TestEarlierManifestDoesNotCompleteAnUnreadableLoad(t *testing.T) {
	for _, op := range []string{"DescribeServices", "ListTasks", "UpdateService"} {
		w := newFakeAWS()
		w.killOnceComplete()
		_, _ = w.handle("stop", ActionStop)
		w.revive()
		before := w.text(manifestKey)
		require.True(t, w.manifest(t).Complete)

		w.pass(20 * time.Minute)
		for i := range w.tasks {
			w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:50:10Z"))
		}
		w.desired = 2
		w.refuseOnce(op, "ServiceUnavailable")
		_, err := w.handle("watch", ActionWatch)
		require.ErrorContains(t, err, "stop the load", op)
		assert.Equal(t, before, w.text(manifestKey), "%s: the manifest is left unchanged", op)
		assert.NotContains(t, w.messages(), "ended", op)

		w.revive()
		w.ticks(t)
		w.assertEnded(t)
		assert.Equal(t, at("2026-11-23T04:51:00Z"), w.manifest(t).Window.End, op)
	}
}

// Somebody removed the guard of a run that is not exported yet, and the load was recreated: a person's export does not call that complete.
func TestManualExportBesideAnUnguardedLoadIsIncomplete(t *testing.T) {
	for _, op := range []string{"", "DescribeServices"} {
		w := newFakeAWS()
		w.refuse("GetLogEvents", "InternalFailure")
		_, err := w.handle("stop", ActionStop)
		require.Error(t, err)
		w.revive()
		delete(w.schedules, "perf-watch")
		for i := range w.tasks {
			w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:50:10Z"))
		}
		w.desired = 2
		w.refuse(op, "ServiceUnavailable")
		export := func() error {
			_, err := New(w.cfg, w.clients(), w).Handle(t.Context(), Event{Action: ActionExport, Run: runID})
			return err
		}
		require.ErrorContains(t, export(), "ECS service perf-load", op)
		assert.False(t, w.manifest(t).Complete, op)

		w.revive()
		w.desired = 0 // the load without a guard is stopped by hand
		require.NoError(t, export(), op)
		assert.True(t, w.manifest(t).Complete, op)
	}
}

// If reading the record is denied, it is unknown what was exported before.
func TestNoExportWhileTheRecordIsDenied(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "InternalFailure")
	_, _ = w.handle("stop", ActionStop)
	metrics := w.text(metricsKey)
	w.tasks = nil
	w.pass(2 * time.Hour)
	reads := 0
	w.before = func(_ int, op string) error {
		if op == "GetObject" {
			if reads++; reads <= 2 {
				return apiError("AccessDenied")
			}
		}
		return nil
	}
	_, err := w.handle("watch", ActionWatch)
	require.ErrorContains(t, err, "AccessDenied")
	assert.Equal(t, metrics, w.text(metricsKey))
	assert.Empty(t, w.text(logsKey))
}

// An invalid record does not prevent the end of load and cache, and the error says what to do.
func TestInvalidRecord(t *testing.T) {
	w := newFakeAWS()
	w.objects[stateKey] = &object{[]byte("{"), map[string]string{export.Metadata: "perf/" + runID}, "broken"}
	_, err := w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "s3://bucket/"+stateKey)
	require.ErrorContains(t, err, "remove it: the run is then exported from what CloudWatch has")
	assert.Zero(t, w.desired)
	assert.Equal(t, 1, w.called("DeleteReplicationGroup"))
	assert.Empty(t, w.text(metricsKey))

	delete(w.objects, stateKey)
	w.ticks(t)
	assert.True(t, w.manifest(t).Complete)
}

// A person's export of a run whose load was recreated ends that load, and leaves it to the next stop to complete the exports.
func TestManualExportWhileARecreatedLoadRuns(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "InternalFailure")
	_, _ = w.handle("stop", ActionStop)
	w.revive()
	w.desired = 2
	_, err := w.exportAgain()
	require.ErrorContains(t, err, "the exports are made again")
	assert.False(t, w.manifest(t).Complete)
	assert.NotEmpty(t, w.text(logsKey))
	assert.Zero(t, w.desired)
	w.ticks(t)
	assert.True(t, w.manifest(t).Complete)
}

// Objects of a window that has grown since then do not make a manifest complete.
func TestCompleteCoversTheWholeWindow(t *testing.T) {
	w := newFakeAWS()
	looks := 0
	w.before = func(_ int, op string) error {
		if op == "DescribeServices" && w.text(logsKey) != "" { // once the exports are written, ECS fails
			return apiError("ServiceUnavailable")
		}
		return nil
	}
	_, _ = w.handle("stop", ActionStop)
	require.NotEmpty(t, w.text(metricsKey))
	require.False(t, w.manifest(t).Complete)

	for i := range w.tasks { // the recreated load, at its end
		w.tasks[i].StoppedAt = aws.Time(at("2026-11-23T04:40:10Z"))
	}
	w.desired = 2
	w.streams[w.cfg.Logs.Load]["load/memtier/a"] = append(w.streams[w.cfg.Logs.Load]["load/memtier/a"], "04:39:40 of the recreated load")
	w.before = func(_ int, op string) error {
		if op == "GetLogEvents" {
			looks++
			return apiError("InternalFailure")
		}
		return nil
	}
	w.pass(20 * time.Minute)
	_, _ = w.handle("watch", ActionWatch)
	require.NotZero(t, looks)
	assert.Equal(t, at("2026-11-23T04:41:00Z"), w.manifest(t).Window.End)
	assert.False(t, w.manifest(t).Complete, "its logs are those of a shorter window")
	assert.NotEmpty(t, w.schedules["perf-watch"])

	w.revive()
	w.ticks(t)
	require.True(t, w.manifest(t).Complete)
	assert.Contains(t, w.text(logsKey), "of the recreated load")
}

// An export is killed at its k-th call, before or after the call had its effect. The next attempt has the same result as one without interruption.
func TestExportAgainKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, bytes := range []int{10, 10_000_000} {
		undisturbed := withLateData(t, bytes)
		started := len(undisturbed.calls)
		_, err := undisturbed.exportAgain()
		require.NoError(t, err)
		want, calls := undisturbed.manifest(t), undisturbed.calls[started:]
		first, last := 0, len(calls)
		if bytes > 10 { // around the multipart upload
			first, last = slices.Index(calls, "CreateMultipartUpload")-1, slices.Index(calls, "CompleteMultipartUpload")+2
		}
		for k := first; k < last; k++ {
			for _, effect := range []bool{false, true} {
				w := withLateData(t, bytes)
				was := []string{w.text(metricsKey), w.text(logsKey)}
				w.kill(k+1, effect)
				_, _ = w.exportAgain()
				for i, key := range []string{metricsKey, logsKey} {
					require.True(t, slices.Contains([]string{was[i], undisturbed.text(key)}, w.text(key)), "%s is the old or the new one", key)
				}
				w.revive()
				w.pass(time.Hour)
				_, err := w.exportAgain()
				require.NoError(t, err, "killed at call %d, %s", k+1, calls[k])
				require.Empty(t, w.uploads)
				got := withoutAttempts(w.manifest(t))
				for i := range got.Objects {
					require.Len(t, got.Objects[i].Replaced, 1)
					got.Objects[i].Replaced[0].At = want.Objects[i].Replaced[0].At
				}
				require.Equal(t, withoutAttempts(want), got, "killed at call %d, %s", k+1, calls[k])
				require.True(t, undisturbed.text(metricsKey) == w.text(metricsKey) && undisturbed.text(logsKey) == w.text(logsKey))
			}
		}
	}
}
