package shutdown

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// withoutAttempts returns the manifest without the members that can differ between attempts.
func withoutAttempts(m export.Manifest) export.Manifest {
	m.Attempts, m.CreatedAt, m.Warnings = 0, time.Time{}, nil
	if m.Metrics != nil {
		metrics := *m.Metrics
		metrics.SourceAge = ""
		m.Metrics = &metrics
	}
	if m.Membership != nil {
		membership := *m.Membership
		membership.DeletionRequestedAt = nil
		m.Membership = &membership
	}
	return m
}

// assertConsistent checks what must hold at any time: no partial object under a final key, and no open upload except the recorded one.
func (w *fakeAWS) assertConsistent(t *testing.T, whole *fakeAWS) {
	t.Helper()
	for _, key := range []string{metricsKey, logsKey} {
		require.True(t, w.text(key) == "" || w.text(key) == whole.text(key), "%s is either complete or missing", key)
	}
	require.LessOrEqual(t, len(w.uploads), 1)
	for id := range w.uploads {
		var state State
		require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &state))
		require.NotNil(t, state.Progress, "the record names no open upload, but one is open")
		require.Contains(t, []string{"", id}, state.Progress.UploadID)
	}
}

// The stop is killed at its k-th call, before or after the call had its effect, for every k; then Lambda's two retries and watch continue.
func TestKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) { killAtEveryCall(t, make) })
	}
}

func killAtEveryCall(t *testing.T, make func() *fakeAWS) {
	undisturbed := make()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	calls := len(undisturbed.calls)
	require.Greater(t, calls, 30)
	for k := 1; k <= calls; k++ {
		for _, effect := range []bool{false, true} {
			w := make()
			w.kill(k, effect)
			_, _ = w.handle("stop", ActionStop)
			w.assertConsistent(t, undisturbed)
			w.revive()
			if k%2 == 0 { // otherwise, without the retries, watch alone must finish the stop
				for _, wait := range []time.Duration{time.Minute, 2 * time.Minute} {
					w.pass(wait)
					_, err := w.handle("stop", ActionStop)
					require.NoError(t, err)
				}
			}
			for range 6 {
				_, err := w.tick()
				require.NoError(t, err)
			}
			w.assertEnded(t)
			require.Equal(t, undisturbed.text(metricsKey), w.text(metricsKey), "killed at call %d", k)
			require.Equal(t, undisturbed.text(logsKey), w.text(logsKey), "killed at call %d", k)
			require.Equal(t, withoutAttempts(undisturbed.manifest(t)), withoutAttempts(w.manifest(t)), "killed at call %d", k)
		}
	}
}

// The same around the calls that write a large object: an interrupted upload does not stay open, and there is no partial object under the key.
func TestKilledInALargeUpload(t *testing.T) {
	large := func() *fakeAWS {
		w := newFakeAWS()
		for i := range 45 {
			w.streams[w.cfg.Logs.Load]["load/memtier/a"] = append(w.streams[w.cfg.Logs.Load]["load/memtier/a"], "04:22:40 "+strings.Repeat(string(rune('A'+i)), 200_000))
		}
		return w
	}
	undisturbed := large()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	require.Equal(t, 2, undisturbed.called("UploadPart"))
	first := slices.Index(undisturbed.calls, "CreateMultipartUpload") + 1
	for k := first; k <= first+4; k++ { // create, two parts, complete, record
		for _, effect := range []bool{false, true} {
			w := large()
			w.kill(k, effect)
			_, _ = w.handle("stop", ActionStop)
			w.assertConsistent(t, undisturbed)
			w.revive()
			for range 4 {
				_, err := w.tick()
				require.NoError(t, err)
			}
			w.assertEnded(t)
			require.True(t, undisturbed.text(logsKey) == w.text(logsKey), "killed at call %d", k)
			require.Equal(t, withoutAttempts(undisturbed.manifest(t)), withoutAttempts(w.manifest(t)))
		}
	}
}

// A second invocation starts at the k-th call of the first: it does nothing while the first holds the run; once the hold has expired it takes the
// run over, and the first gives up when it notices.
func TestSideBySide(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	for k := range len(undisturbed.calls) {
		for _, overdue := range []bool{false, true} {
			w := newFakeAWS()
			w.before = func(n int, _ string) error {
				if n == k+1 {
					w.revive()
					if overdue {
						w.pass(16 * time.Minute)
					}
					_, err := w.handle("second", ActionStop)
					assert.NoError(t, err)
				}
				return nil
			}
			_, err := w.handle("stop", ActionStop)
			require.NoError(t, err)
			for range 4 {
				_, err := w.tick()
				require.NoError(t, err)
			}
			w.assertEnded(t)
			require.Equal(t, undisturbed.text(metricsKey), w.text(metricsKey), "second at call %d", k)
			require.Equal(t, undisturbed.text(logsKey), w.text(logsKey))
			require.Equal(t, withoutAttempts(undisturbed.manifest(t)), withoutAttempts(w.manifest(t)))
		}
	}
}
