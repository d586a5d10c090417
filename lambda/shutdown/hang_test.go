package shutdown

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whichever call of a stop hangs once, the invocation still ends in time, with the cache deleted. A call gets a quarter of the time that is left, or 5
// seconds if that is more; the calls of an export get everything but the reserve.
func TestHangAtEveryCall(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	for k, op := range undisturbed.calls {
		if k == 0 {
			continue // it reads which run the stack has: without that nothing is changed, and Lambda retries
		}
		w := newFakeAWS()
		ends := w.Now().Add(15 * time.Minute)
		w.hangs = func(n int, _ string) bool { return n == k+1 }
		_, _ = w.handle("stop", ActionStop)
		require.GreaterOrEqual(t, w.called("DeleteReplicationGroup"), 1, "call %d, %s, hung", k+1, op)
		require.True(t, w.Now().Before(ends), "call %d, %s, hung until the end", k+1, op)
		w.hangs = nil
		w.ticks(t)
		w.assertEnded(t)
	}
}

// The last call of a destroy checks whether all that is left is a cache that AWS is deleting: it must not use up the rest of the invocation.
func TestHangInTheLastCheckOfADestroy(t *testing.T) {
	slow := func() *fakeAWS {
		w := newFakeAWS()
		w.deleting = 1000
		return w
	}
	undisturbed := slow()
	_, err := undisturbed.terraform("delete", destroyInput)
	require.NoError(t, err)
	last := len(undisturbed.calls)
	require.Equal(t, "DescribeReplicationGroups", undisturbed.calls[last-1])
	w := slow()
	ends := w.Now().Add(15 * time.Minute)
	w.hangs = func(n int, _ string) bool { return n == last }
	_, err = w.terraform("delete", destroyInput)
	require.ErrorContains(t, err, "Destroy again")
	assert.True(t, w.Now().Before(ends))
}

// A person's export loses the answer to its first write and cannot read the record back: it fails, and leaves no hold on the run.
func TestLostAnswerLeavesNoHold(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "InternalFailure")
	_, _ = w.handle("stop", ActionStop)
	w.revive()
	wrote := false
	w.after = func(_ int, op string) error {
		if op == "PutObject" && !wrote {
			wrote = true
			return errLost
		}
		return nil
	}
	reads := 0
	w.before = func(_ int, op string) error {
		if op == "GetObject" && wrote && reads < 1 {
			reads++
			return errLost
		}
		return nil
	}
	_, err := w.exportAgain()
	require.ErrorIs(t, err, errLost)
	var record State
	require.NoError(t, json.Unmarshal([]byte(w.text(stateKey)), &record))
	assert.Empty(t, record.Holder)
	w.revive()
	_, err = w.exportAgain()
	require.NoError(t, err)
	assert.True(t, w.manifest(t).Complete)
}
