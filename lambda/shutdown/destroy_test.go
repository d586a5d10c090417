package shutdown

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// terraform invokes the function as the provider does: with the configured input and the resource's action.
func (w *fakeAWS) terraform(action, input string) (Answer, error) {
	before := `{}`
	if w.lastInput != "" {
		before = w.lastInput
	}
	w.lastInput = input
	var event Event
	for _, text := range []string{input, `{"tf":{"action":"` + action + `","prev_input":` + before + `}}`} {
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			return Answer{}, err
		}
	}
	return New(w.cfg, w.clients(), w).Handle(w.invocation("terraform "+w.Now().String(), 15*time.Minute), event)
}

const destroyInput = `{"action":"destroy","run":"` + runID + `"}`

func TestDestroyEndsTheRun(t *testing.T) {
	w := newFakeAWS()
	answer, err := w.terraform("delete", destroyInput)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)

	before := len(w.calls)
	answer, err = w.terraform("delete", destroyInput)
	require.NoError(t, err)
	assert.Equal(t, StatusIdle, answer.Status)
	assert.Equal(t, []string{"GetSchedule", "DescribeServices", "GetObject"}, w.calls[before:], "nothing is left to end")
}

// Somebody removed the guard of a run early in its stop: the record or the load's log shows that the run is not exported yet.
func TestDestroyExportsAfterTheGuardWasRemoved(t *testing.T) {
	for name, logs := range map[string]bool{"stopped": false, "only its log shows the load": true} {
		w := newFakeAWS()
		if logs {
			w.desired, w.service = 0, false
		} else {
			w.before = func(_ int, op string) error {
				if op == "GetMetricData" {
					return errKilled
				}
				return nil
			}
			_, _ = w.handle("stop", ActionStop)
			require.False(t, w.manifest(t).Complete)
			w.revive()
		}
		clear(w.schedules)
		w.pass(20 * time.Minute)
		answer, err := w.terraform("delete", destroyInput)
		require.NoError(t, err, name)
		assert.Equal(t, StatusDone, answer.Status, name)
		assert.True(t, w.manifest(t).Complete, name)
	}
}

// A missing or denied bucket does not prevent the destroy of a stack without a run.
func TestDestroyWithoutTheBucket(t *testing.T) {
	for _, code := range []string{"NoSuchBucket", "AccessDenied"} {
		w := newFakeAWS()
		w.desired, w.service, w.cache = 0, false, ""
		clear(w.schedules)
		w.refuse("GetObject", code)
		answer, err := w.terraform("delete", destroyInput)
		require.NoError(t, err, code)
		assert.Equal(t, StatusIdle, answer.Status)
	}
}

func TestDestroyInputActsOnlyOnDelete(t *testing.T) {
	for action, input := range map[string]string{"": destroyInput,
		"delete": `{"action":"destroy","run":"` + runID + `","skip_final_export":true}`} {
		w := newFakeAWS()
		answer, err := w.terraform(action, input)
		require.NoError(t, err)
		assert.Equal(t, StatusIdle, answer.Status)
		assert.Empty(t, w.calls, "%s of %s", action, input)
	}
}

// After a failed apply the input names an earlier run: the current run is the one that is ended.
func TestDestroyEndsTheCurrentRun(t *testing.T) {
	w := newFakeAWS()
	_, err := w.terraform("delete", `{"action":"destroy","run":"2026-11-22T03-08-09Z"}`)
	require.NoError(t, err)
	w.assertEnded(t)
}

func TestDestroyFailsIfTheExportFails(t *testing.T) {
	w := newFakeAWS()
	w.refuse("GetLogEvents", "AccessDeniedException")
	_, err := w.terraform("delete", destroyInput)
	require.ErrorContains(t, err, "AccessDenied")
	require.ErrorContains(t, err, "nothing is destroyed yet")
	require.ErrorContains(t, err, "terraform state rm")
	assert.Zero(t, w.desired)
	assert.Empty(t, w.cache, "what costs money is gone")
	assert.Len(t, w.schedules, 2, "the guard stays")

	w.before = nil
	w.pass(time.Minute)
	_, err = w.terraform("delete", destroyInput)
	require.NoError(t, err)
	w.assertEnded(t)
}

// The planned stop is running when Terraform invokes destroy: destroy waits, and fails if the stop takes longer than its invocation.
func TestDestroyWaitsForAnotherInvocation(t *testing.T) {
	w := newFakeAWS()
	var stopped Answer
	var stopErr error
	started := false
	w.before = func(_ int, op string) error {
		if op == "GetMetricData" && !started { // in the middle of the stop
			started = true
			held := New(w.cfg, w.clients(), w)
			ctx := w.invocation("terraform", 4*time.Minute)
			answer, err := held.Handle(ctx, Event{Action: ActionDestroy, Run: runID, Terraform: Lifecycle{Action: "delete"}})
			assert.ErrorContains(t, err, "another invocation is working")
			assert.ErrorContains(t, err, "Destroy again")
			assert.Equal(t, StatusPending, answer.Status)
		}
		return nil
	}
	stopped, stopErr = w.handle("stop", ActionStop)
	require.NoError(t, stopErr)
	require.True(t, started)
	require.Equal(t, StatusDone, stopped.Status)
	w.assertEnded(t)
}

// A cache that is slow to delete does not fail a destroy, because Terraform waits for it too. A cache that AWS cannot delete yet does.
func TestDestroyLeavesADeletingCacheToTerraform(t *testing.T) {
	w := newFakeAWS()
	w.deleting = 1000
	answer, err := w.terraform("delete", destroyInput)
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.True(t, w.manifest(t).Complete)

	w = newFakeAWS()
	w.cache = "modifying"
	_, err = w.terraform("delete", destroyInput)
	require.ErrorContains(t, err, "modifying")
	assert.True(t, w.manifest(t).Complete)
}

// Terraform holds the state lock, so no apply can still be creating something: destroy does not wait for that.
func TestDestroyAfterAFailedApply(t *testing.T) {
	w := bare()
	w.cache = "create-failed"
	answer, err := w.terraform("delete", destroyInput)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
}

// Somebody removed the guard while the load runs.
func TestDestroyWithoutAGuard(t *testing.T) {
	w := newFakeAWS()
	clear(w.schedules)
	_, err := w.terraform("delete", destroyInput)
	require.NoError(t, err)
	w.assertEnded(t)
}

// An apply failed before the invocation was created, and Terraform removed load and cache: the logs show that there was a load.
func TestDestroyedExportsWhatIsLeft(t *testing.T) {
	const destroyedInput = `{"action":"destroyed","run":"` + runID + `"}`
	w := newFakeAWS()
	w.service, w.desired, w.cache = false, 0, ""
	answer, err := w.terraform("delete", destroyedInput)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
	assert.NotEmpty(t, w.text(metricsKey))
	assert.Contains(t, w.text(logsKey), "ALL STATS")

	w = newFakeAWS() // now they show that there was no load
	w.service, w.desired, w.cache, w.streams = false, 0, "", nil
	answer, err = w.terraform("delete", destroyedInput)
	require.NoError(t, err)
	assert.Equal(t, StatusIdle, answer.Status)
	assert.Empty(t, w.objects)
}

// Container Insights keeps writing for a while after the last task, and recreates its log group if Terraform removed it: `destroyed` waits that long.
func TestDestroyedWaitsForContainerInsights(t *testing.T) {
	const destroyedInput = `{"action":"destroyed","run":"` + runID + `"}`
	for name, c := range map[string]struct {
		insights string
		change   func(*fakeAWS)
		asked    string
		waits    time.Duration // from the last task's end at 04:21:10; 0: it does not wait
	}{
		"on AWS":                  {"enabled", nil, destroyedInput, 5 * time.Minute},
		"enhanced":                {"enhanced", nil, destroyedInput, 5 * time.Minute},
		"periods of an hour":      {"enabled", func(w *fakeAWS) { w.cfg.PeriodSeconds = 3600 }, destroyedInput, 5 * time.Minute},
		"periods of five seconds": {"enabled", func(w *fakeAWS) { w.cfg.PeriodSeconds, w.every = 5, 5*time.Second }, destroyedInput, 25 * time.Second},
		"without final export":    {"enabled", nil, `{"action":"destroyed","run":"` + runID + `","skip_final_export":true}`, 5 * time.Minute},
		"off":                     {"disabled", nil, destroyedInput, 0},
		"no task is known":        {"enabled", func(w *fakeAWS) { w.tasks = nil }, destroyedInput, 0},
		"ECS fails":               {"enabled", func(w *fakeAWS) { w.refuse("ListTasks", "ServerException") }, destroyedInput, 0},
		"CloudWatch fails":        {"enabled", func(w *fakeAWS) { w.refuse("GetMetricData", "InternalServiceFault") }, destroyedInput, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFakeAWS()
			w.clock, w.service, w.desired, w.cache, w.streams = at("2026-11-23T04:21:15Z"), false, 0, "", nil // no log shows a load, so there is nothing to export
			w.cfg.Settings = []byte(`{"load":{"container_insights":"` + c.insights + `"}}`)
			if c.change != nil {
				c.change(w)
			}
			_, err := w.terraform("delete", c.asked)
			require.NoError(t, err)
			assert.WithinDuration(t, at("2026-11-23T04:21:10Z").Add(max(c.waits, 5*time.Second)), w.Now(), 2*time.Second)
		})
	}
}

// The invocation is created once the load's deployment has completed or failed: a load that cannot start fails the apply, and is not reported as running.
func TestApplyWaitsForTheLoad(t *testing.T) {
	start := at("2026-11-23T03:20:00Z")
	for name, c := range map[string]struct {
		becomes types.DeploymentRolloutState // after a minute
		fails   string
	}{
		"starts":        {types.DeploymentRolloutStateCompleted, ""},
		"cannot start":  {types.DeploymentRolloutStateFailed, "the load cannot start: ECS gave up on the deployment of service perf-load: ECS says why.; the log group /perf/load has"},
		"never decided": {types.DeploymentRolloutStateInProgress, "the load has not started after 10m0s: 2 of 2 tasks of service perf-load are healthy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFakeAWS()
			w.clock, w.rollout, w.cfg.Logs.Load = start, types.DeploymentRolloutStateInProgress, "/perf/load"
			w.before = func(int, string) error {
				if w.Now().Sub(start) >= time.Minute {
					w.rollout = c.becomes
				}
				return nil
			}
			_, err := w.terraform("create", destroyInput)
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				assert.Empty(t, w.messages())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"runs"}, w.messages())
			assert.WithinDuration(t, start.Add(time.Minute), w.Now(), 5*time.Second)
		})
	}
}
