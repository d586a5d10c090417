package shutdown

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// `watch` is recreated while a load runs: proving that the run can be ended does not end it.
func TestPreflightTouchesNothing(t *testing.T) {
	for _, w := range []*fakeAWS{newFakeAWS(), newServerless()} {
		_, err := w.handle("preflight", ActionPreflight)
		require.NoError(t, err)
		assert.EqualValues(t, 2, w.desired)
		assert.Equal(t, "available", w.cache)
		assert.Len(t, w.schedules, 2)
	}
}

// AWS knows when it made the schedule that carries the run. New roles take their time: a slow clock has two minutes more.
func TestPreflightKnowsAWrongClock(t *testing.T) {
	started := at("2026-11-23T03:08:09Z")
	for off, wrong := range map[time.Duration]bool{-3 * time.Minute: true, -time.Minute: false, 5 * time.Second: false, 3 * time.Minute: false, 5 * time.Minute: true} {
		w := newFakeAWS() // where that was an hour ago
		made := started.Add(off)
		w.schedules["perf-watch"].CreationDate = &made
		_, err := w.handle("preflight", ActionPreflight)
		if !wrong {
			require.NoError(t, err, off)
			continue
		}
		require.ErrorContains(t, err, "named at 2026-11-23T03:08:09Z by the clock of the computer that applies it, and AWS's says "+made.Format(time.RFC3339))
		require.ErrorContains(t, err, "-replace=module.scheduler.aws_scheduler_schedule.watch")
		assert.Equal(t, []string{"preflight failed"}, w.told())
	}
}

// What is not there yet is said in many words; whether a call is allowed is all that counts.
func TestPreflightTakesAnyWordForNotThere(t *testing.T) {
	probes := []string{"DescribeServices", "UpdateService", "ListTasks", "DescribeTasks", "ListTagsForResource", "DeleteReplicationGroup", "DescribeCacheClusters",
		"DeleteSchedule", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents"}
	for _, op := range probes {
		for _, answer := range []struct {
			err  error
			good bool
		}{
			{apiError("InvalidARN"), true},
			{apiError("ServiceNotActiveException"), true},
			{apiError("InvalidReplicationGroupState"), true},
			{apiError("AccessDeniedException"), false},
			{apiError("ThrottlingException"), false},
			{&smithy.GenericAPIError{Code: "InternalFailure", Fault: smithy.FaultServer}, false},
			{errors.New("dial tcp: i/o timeout"), false},
			{context.DeadlineExceeded, false},
		} {
			w := bare()
			w.before = func(_ int, called string) error {
				if called == op {
					return answer.err
				}
				return nil
			}
			_, err := w.handle("preflight", ActionPreflight)
			assert.Equal(t, answer.good, err == nil, "%s: %v: %v", op, answer.err, err)
		}
	}
}

// The probe neither overwrites nor removes what somebody else has put there.
func TestPreflightLeavesOthersObjectsAlone(t *testing.T) {
	const key = "exports/preflight/" + runID
	w := newFakeAWS()
	w.objects[key] = &object{[]byte("theirs"), nil, "e"}
	_, err := w.handle("preflight", ActionPreflight)
	require.ErrorContains(t, err, `belongs to run ""`)
	assert.Equal(t, "theirs", w.text(key))
	assert.Empty(t, w.uploads)

	w.objects[key].meta = map[string]string{"run": "perf/" + runID} // of an attempt that was cut off
	_, err = w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.Nil(t, w.objects[key])
}
