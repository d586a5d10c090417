package shutdown

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// callFaults returns functions that make the k-th call fail, each in its way.
func callFaults() map[string]func(w *fakeAWS, k int) {
	once := func(err error) func(*fakeAWS, int) {
		return func(w *fakeAWS, k int) {
			w.before = func(n int, _ string) error {
				if n == k {
					return err
				}
				return nil
			}
		}
	}
	meets := map[string]func(w *fakeAWS, k int){
		"denied":  once(apiError("AccessDeniedException")),
		"refused": once(apiError("ServiceUnavailable")),
		"lost": func(w *fakeAWS, k int) {
			w.after = func(n int, _ string) error {
				if n == k {
					return errLost
				}
				return nil
			}
		},
	}
	for _, d := range []time.Duration{2 * time.Minute, time.Hour} {
		meets["answered after "+d.String()] = func(w *fakeAWS, k int) {
			w.late = func(n int, _ string) time.Duration {
				if n == k {
					return d
				}
				return 0
			}
		}
	}
	return meets
}

// Whatever fault one call of a stop has, the same invocation requests the cache's deletion, ends in time, and reports the failure.
func TestOneFailedCallLeavesNothingBilled(t *testing.T) {
	t.Parallel()
	for kind, make := range kinds {
		undisturbed := make()
		_, err := undisturbed.handle("stop", ActionStop)
		require.NoError(t, err)
		for what, meet := range callFaults() {
			for k := 2; k <= len(undisturbed.calls); k++ { // the first call reads which run the stack has: without that nothing is changed, and Lambda retries
				op := undisturbed.calls[k-1]
				w := make()
				ends := w.Now().Add(15 * time.Minute)
				meet(w, k)
				_, err := w.handle("stop", ActionStop)
				deletion := op == "DeleteReplicationGroup" || op == "DeleteServerlessCache"
				require.True(t, w.cache != "available" || deletion && err != nil, "%s: call %d, %s, is %s: the cache is left: %v", kind, k, op, what, err)
				require.Zero(t, w.desired, "%s: call %d, %s, is %s", kind, k, op, what)
				require.True(t, w.Now().Before(ends), "%s: call %d, %s, is %s", kind, k, op, what)
				require.True(t, err == nil || slices.Contains(w.messages(), "failed"), "%s: call %d, %s, is %s: no message about %v", kind, k, op, what, err)
				w.revive()
				w.late = nil
				w.ticks(t)
				require.Equal(t, []any{"", int32(0), true}, []any{w.cache, w.desired, w.manifest(t).Complete}, "%s: call %d, %s, is %s", kind, k, op, what)
			}
		}
	}
}

// Somebody removes one permission during the run. What is billed only keeps running without the permission that ends it. A missing permission is
// reported, except sns:Publish.
func TestOneMissingPermissionLeavesNothingBilled(t *testing.T) {
	for kind, make := range kinds {
		undisturbed := make()
		_, err := undisturbed.handle("stop", ActionStop)
		require.NoError(t, err)
		ops := slices.Clone(undisturbed.calls)
		slices.Sort(ops)
		for _, op := range slices.Compact(ops) {
			w := make()
			w.refuse(op, "AccessDeniedException")
			_, _ = w.handle("stop", ActionStop)
			for range 24 {
				_, _ = w.tick()
			}
			if op != "DeleteReplicationGroup" && op != "DeleteServerlessCache" {
				assert.NotEqual(t, "available", w.cache, "%s: without %s the cache is left", kind, op)
			}
			if op != "UpdateService" {
				assert.Zero(t, w.desired, "%s: without %s the load is left", kind, op)
			}
			switch op {
			case "Publish":
			case "DescribeCacheClusters", "ListTagsForResource": // the stop works without it, and warns in the message that the run has ended
				assert.Contains(t, w.published[0], "fake AWS: AccessDenied", op)
			default:
				assert.Contains(t, w.messages(), "failed", "%s: no message says that %s is denied", kind, op)
			}
		}
	}
}

// Whatever fault one call of a destroy has, either the destroy fails, or the run is completely exported and no longer billed.
func TestOneFailedCallInADestroyLosesNothing(t *testing.T) {
	t.Parallel()
	undisturbed := newFakeAWS()
	_, err := undisturbed.terraform("delete", destroyInput)
	require.NoError(t, err)
	for what, meet := range callFaults() {
		for k, op := range undisturbed.calls {
			w := newFakeAWS()
			meet(w, k+1)
			_, err := w.terraform("delete", destroyInput)
			w.revive()
			w.late = nil
			if err != nil {
				require.ErrorContains(t, err, "nothing is destroyed yet", "call %d, %s, is %s", k+1, op, what)
				w.pass(20 * time.Minute) // until the hold of an invocation that could not release it expires
				_, err = w.terraform("delete", destroyInput)
			}
			require.NoError(t, err, "call %d, %s, is %s", k+1, op, what)
			require.True(t, w.manifest(t).Complete, "call %d, %s, is %s", k+1, op, what)
			require.Equal(t, undisturbed.text(metricsKey), w.text(metricsKey), "call %d, %s, is %s", k+1, op, what)
			require.Equal(t, undisturbed.text(logsKey), w.text(logsKey), "call %d, %s, is %s", k+1, op, what)
			require.Zero(t, w.desired, "call %d, %s, is %s", k+1, op, what)
			require.Contains(t, []string{"", "deleting"}, w.cache, "call %d, %s, is %s", k+1, op, what)
		}
	}
}
