package shutdown

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// `watch` is recreated while a load runs: the preflight's probes do not end the run.
func TestPreflightChangesNothing(t *testing.T) {
	for _, w := range []*fakeAWS{newFakeAWS(), newServerless()} {
		_, err := w.handle("preflight", ActionPreflight)
		require.NoError(t, err)
		assert.EqualValues(t, 2, w.desired)
		assert.Equal(t, "available", w.cache)
		assert.Len(t, w.schedules, 2)
	}
}

// The preflight compares the run's name with the time at which AWS created its schedule. A new role takes time to work, so a slow clock gets two minutes
// more.
func TestPreflightDetectsAWrongClock(t *testing.T) {
	started := at("2026-11-23T03:08:09Z")
	for off, wrong := range map[time.Duration]bool{-3 * time.Minute: true, -time.Minute: false, 5 * time.Second: false, 3 * time.Minute: false, 5 * time.Minute: true} {
		w := newFakeAWS() // in which the run started an hour ago
		made := started.Add(off)
		w.schedules["perf-watch"].CreationDate = &made
		_, err := w.handle("preflight", ActionPreflight)
		if !wrong {
			require.NoError(t, err, off)
			continue
		}
		require.ErrorContains(t, err, "named at 2026-11-23T03:08:09Z by the clock of the computer that applies it, but AWS's clock says "+made.Format(time.RFC3339))
		require.ErrorContains(t, err, "-replace=module.scheduler.aws_scheduler_schedule.watch")
		assert.Equal(t, []string{"preflight failed"}, w.messages())
	}
}

// Services report missing resources in different ways. It only matters whether the call is allowed.
func TestPreflightAcceptsAnyNotFoundError(t *testing.T) {
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

// Publishing `started` proves that the run can send messages. A run whose role may not publish does not start.
func TestPreflightRequiresPublish(t *testing.T) {
	w := bare()
	w.refuse("Publish", "AccessDenied")
	start := w.Now()
	_, err := w.handle("preflight", ActionPreflight)
	require.ErrorContains(t, err, "preflight: allow sns:Publish on arn:aws:sns:us-east-1:123456789012:perf to the role of Lambda perf-stop")
	assert.GreaterOrEqual(t, w.Now().Sub(start), 55*time.Second, "a new role takes time to work")
	w.revive()
	_, err = w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.Equal(t, []string{"started"}, w.messages())
}

// The probe neither overwrites nor removes somebody else's object.
func TestPreflightLeavesOthersObjectsAlone(t *testing.T) {
	const key = "exports/preflight/" + runID
	w := newFakeAWS()
	w.objects[key] = &object{[]byte("theirs"), nil, "e"}
	_, err := w.handle("preflight", ActionPreflight)
	require.ErrorContains(t, err, `belongs to run ""`)
	assert.Equal(t, "theirs", w.text(key))
	assert.Empty(t, w.uploads)

	w.objects[key].meta = map[string]string{"run": "perf/" + runID} // from an attempt that was cut off
	_, err = w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.Nil(t, w.objects[key])
}

// Two stacks with the same prefix start in the same second, so their runs have the same name. However their calls overlap, one gets the name, and the
// other's preflight fails before anything is billed. In the end both are exported.
func TestTwoRunsInTheSameSecond(t *testing.T) {
	for _, between := range []string{"", "HeadObject", "PutObject"} { // the second one's call before which the first one's whole preflight runs
		first, second := newFakeAWS(), newFakeAWS()
		first.objects, first.cfg.Name = second.objects, "other"
		came := false
		before := func(called string) {
			if !came && called == between {
				came = true
				_, err := first.handle("preflight", ActionPreflight)
				require.NoError(t, err)
			}
		}
		before("")
		second.before = func(_ int, called string) error { before(called); return nil }
		_, err := second.handle("preflight", ActionPreflight)
		require.ErrorContains(t, err, "preflight: the run id "+runID+" is taken: s3://bucket/"+stateKey+" belongs to other, whose run started in the same second. `go tool mage deploy` starts another run")
		require.ErrorContains(t, err, "-replace=module.scheduler.aws_scheduler_schedule.watch")
		assert.Equal(t, []string{"preflight failed"}, second.messages())
		_, err = first.handle("preflight", ActionPreflight)
		require.NoError(t, err, "its own record does not count")

		const next = "2026-11-23T03-08-10Z" // the second stack is applied again
		second.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"` + next + `","stop_by":"2026-11-23T06:08:10Z"}`)
		second.cacheRun = next
		for _, action := range []string{ActionPreflight, ActionStop} {
			_, err = New(second.cfg, second.clients(), second).Handle(t.Context(), Event{Action: action, Run: next})
			require.NoError(t, err)
		}
		_, err = first.handle("stop", ActionStop)
		require.NoError(t, err)
		for key, name := range map[string]string{manifestKey: "other", strings.Replace(manifestKey, runID, next, 1): "perf"} {
			m, err := export.ParseManifest([]byte(second.text(key)))
			require.NoError(t, err)
			assert.True(t, m.Complete, key)
			assert.Equal(t, name, m.Name)
		}
	}
}
