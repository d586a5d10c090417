package shutdown

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// SNS accepts 256 KiB: for 5,000 tasks the message summarizes how they ended, and a message that is still too long is cut.
func TestMessagesOfThousandsOfTasks(t *testing.T) {
	w := newFakeAWS()
	for i := range 5_000 {
		task := w.tasks[i%2]
		task.TaskArn = aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/perf/%032d", i))
		if i%1000 == 7 {
			task.Containers, task.StoppedReason = nil, aws.String("Task failed to start")
		}
		w.tasks = append(w.tasks, task)
	}
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	require.Equal(t, []string{"ended", "gone"}, w.messages())
	assert.Contains(t, w.published[0], "; 4997 tasks exited with 0; 5 tasks stopped: Task failed to start\n")
	assert.Less(t, len(w.published[0]), 2_000)

	w = newFakeAWS()
	w.before = func(_ int, op string) error {
		if op == "GetMetricData" {
			return apiError(strings.Repeat("ü", 300_000))
		}
		return nil
	}
	_, err = w.handle("stop", ActionStop)
	require.Error(t, err)
	require.Len(t, w.published, 1)
	assert.Less(t, len(w.published[0]), 256<<10)
	assert.True(t, utf8.ValidString(w.published[0]))
	assert.Contains(t, w.published[0], "... and more: see the manifest")
}

// A run notifies of each step, once and in order, and the last message is sent once a check has found nothing that is billed.
func TestReceiptsOfARun(t *testing.T) {
	w := newFakeAWS()
	w.cfg.Settings = []byte(`{"cache":{"engine":"redis","node_type":"cache.m7g.large","shards":2,"replicas":1},"load":{"task_count":2,"architecture":"X86_64","cpu":2048,"memory":4096}}`)
	for stream, rows := range map[string][]string{
		"a": {"Type         Ops/sec    Avg. Latency     p50 Latency     p99 Latency       KB/sec ", "Totals     27087.83         0.59673         0.16700         9.27900      2089.64 "},
		"b": {"Type         Ops/sec    Avg. Latency     p50 Latency     p99 Latency       KB/sec ", "Totals     10000.00         0.50000         0.16700         0.98300      2089.64 "}} {
		for i, row := range rows {
			w.streams[w.cfg.Logs.Load]["load/memtier/"+stream] = append(w.streams[w.cfg.Logs.Load]["load/memtier/"+stream], fmt.Sprintf("04:21:0%d %s", 7+i, row))
		}
	}
	w.clock = at("2026-11-23T03:20:35Z")
	_, err := w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	_, err = w.terraform("create", destroyInput)
	require.NoError(t, err)
	for range 2 { // not due yet: no message
		_, err = w.tick()
		require.NoError(t, err)
	}
	_, err = w.terraform("update", destroyInput) // another attribute of the resource was changed
	require.NoError(t, err)
	require.Equal(t, []string{"started", "runs"}, w.messages())
	assert.Equal(t, "perf: run "+runID+" runs\nThe load of run "+runID+" of perf is running: 2 of 2 tasks.\n"+
		"It stops at about 2026-11-23T04:20:30Z, and the run ends by 2026-11-23T06:08:09Z in any case.\n"+
		"Billed until then: 4 x cache.m7g.large, partial hours billed as full hours; 2 Fargate tasks x 2 vCPU and 4 GB, by the second. "+
		"Together they cost about 0.829 USD an hour by list prices (nodes as of "+reference.Known().Nodes.AsOf+", tasks as of "+reference.Known().Tasks.AsOf+"); see https://aws.amazon.com/elasticache/pricing/ and https://aws.amazon.com/fargate/pricing/\n", w.published[1])

	w.clock = at("2026-11-23T04:25:00Z")
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	require.Equal(t, []string{"started", "runs", "ended", "gone"}, w.messages())
	assert.Contains(t, w.published[2], "Throughput: 37088 operations/s, the sum of 2 final tables\np99 latency: 9.279 ms, the highest of the tasks' own\n")
	assert.Contains(t, w.published[2], "s3://bucket/"+metricsKey)
	assert.Contains(t, w.published[3], "  load: ECS service perf-load runs 0 tasks and should run 0\n  cache: replication group perf does not exist any more\n  schedules: perf-load-stop is removed;")
	for _, message := range w.published {
		subject, _, _ := strings.Cut(message, "\n")
		assert.Less(t, len(subject), 100)
		assert.Equal(t, len(subject), utf8.RuneCountInString(subject), "SNS takes ASCII only")
	}
}

// An existing cache stays, and the last message names it.
func TestReceiptOfAnExistingCache(t *testing.T) {
	w := newFakeAWS()
	w.cfg.Cache.Delete = false
	_, err := w.terraform("create", destroyInput)
	require.NoError(t, err)
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	require.Equal(t, []string{"runs", "ended", "gone"}, w.messages())
	assert.Contains(t, w.published[0], "the cache existed before, and is not billed to this run; 2 Fargate tasks.")
	assert.Contains(t, w.published[2], "replication group perf stays: it existed before this run")
}

func TestReceiptsOfAnEndpoint(t *testing.T) {
	w := newFakeAWS()
	w.cache, w.cfg.Cache = "", Cache{Delete: true} // the default of modules/scheduler
	_, err := w.terraform("create", destroyInput)
	require.NoError(t, err)
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	require.Equal(t, []string{"runs", "ended", "gone"}, w.messages())
	assert.Contains(t, w.published[0], "the cache existed before")
	assert.Contains(t, w.published[2], "cache: there is none that this stack knows by name")
}

// Terraform's invocation notifies that the load runs when it is created, and when it is changed to another run; a missing load is not reported, and a
// failed notification does not fail an apply.
func TestTerraformNotifiesThatTheLoadRuns(t *testing.T) {
	w := newFakeAWS()
	_, err := w.terraform("update", `{"action":"destroy","run":"`+runID+`"}`)
	require.NoError(t, err)
	assert.Equal(t, []string{"runs"}, w.messages())

	for name, change := range map[string]func(*fakeAWS){
		"of another run": func(w *fakeAWS) {
			w.schedules["perf-watch"].Target.Input = aws.String(`{"action":"watch","run":"2026-11-24T03-08-09Z","stop_by":"2026-11-24T06:08:09Z"}`)
		},
		"desired count is 0": func(w *fakeAWS) { w.desired = 0 },
		"no load":            func(w *fakeAWS) { w.service = false },
		"no topic":           func(w *fakeAWS) { w.cfg.TopicARN = "" },
		"refused": func(w *fakeAWS) {
			w.before = func(_ int, op string) error {
				if op == "DescribeServices" {
					return nil
				}
				return apiError("AccessDenied")
			}
		},
	} {
		w := newFakeAWS()
		change(w)
		answer, err := w.terraform("create", destroyInput)
		require.NoError(t, err, name)
		assert.Equal(t, StatusIdle, answer.Status, name)
		assert.Empty(t, w.published, name)
	}
}

// Each failure is reported at once and only once, including a second, different failure and one in the last steps.
func TestEachFailureIsNotifiedOnce(t *testing.T) {
	w := newFakeAWS()
	broken := "GetLogEvents"
	w.before = func(_ int, op string) error {
		if op == broken {
			return apiError("InternalServiceFault")
		}
		return nil
	}
	fails := func(times int) {
		t.Helper()
		for range times {
			_, err := w.handle("stop "+broken, ActionStop)
			require.ErrorContains(t, err, "InternalServiceFault")
		}
	}
	fails(2)
	require.Equal(t, []string{"failed"}, w.messages())
	assert.Contains(t, w.published[0], "export logs: ")
	broken = "DeleteSchedule"
	fails(2)
	require.Equal(t, []string{"failed", "ended", "failed"}, w.messages(), "the stop schedule still exists, so `gone` is not sent")
	assert.Contains(t, w.published[2], "remove the schedules: ")
	w.revive()
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	require.Equal(t, []string{"failed", "ended", "failed", "gone"}, w.messages())
}

// Without a record it is not known which messages were sent before. A lasting failure is reported at once and then at growing intervals, whichever
// invocation reports it. Lambda's retries reach the same process, which remembers.
func TestFailureWithoutARecordIsNotifiedAtGrowingIntervals(t *testing.T) {
	for _, op := range []string{"GetObject", "PutObject"} {
		for _, code := range []string{"AccessDenied", "InternalError"} {
			w := newFakeAWS()
			w.refuse(op, code)
			same := New(w.cfg, w.clients(), w)
			for range 3 {
				_, err := same.Handle(w.invocation("stop", 15*time.Minute), Event{Action: ActionStop, Run: runID})
				require.Error(t, err)
			}
			require.Equal(t, []string{"failed"}, slices.Compact(w.messages()), "%s %s", op, code)
			each := len(w.messages()) // each failure of one attempt is reported once
			require.LessOrEqual(t, each, 2, "%s %s", op, code)
			for range 6 * 24 {
				_, _ = w.tick()
			}
			require.GreaterOrEqual(t, len(w.messages()), 6*each, "%s %s: a lasting failure is reported again", op, code)
			require.LessOrEqual(t, len(w.messages()), 10*each, "%s %s", op, code)
			w.revive()
			w.ticks(t)
			require.Contains(t, w.messages(), "gone", "%s %s", op, code)
		}
	}
}

// A message is recorded after it was sent: if an invocation ends in between, the message is sent twice, but never lost.
func TestMessageIsSentTwiceRatherThanLost(t *testing.T) {
	for _, effect := range []bool{false, true} {
		for k := 1; ; k++ {
			w := newFakeAWS()
			w.kill(k, effect)
			_, err := w.handle("stop", ActionStop)
			finished := err == nil
			w.revive()
			w.pass(15 * time.Minute)
			if w.schedules["perf-watch"] != nil {
				_, err = w.handle("tick", ActionWatch)
				require.NoError(t, err)
			}
			w.assertEnded(t)
			told := w.messages()
			require.Equal(t, []string{"ended", "gone"}, slices.Compact(told), "killed at call %d", k)
			require.LessOrEqual(t, len(told), 3)
			if finished {
				break
			}
		}
	}
}

// An apply creates a load while the schedules are being removed: `gone` is not sent before that load is gone too.
func TestGoneIsSentOnlyAfterALastCheck(t *testing.T) {
	w := newFakeAWS()
	w.after = func(_ int, op string) error {
		if op == "DeleteSchedule" && w.schedules["perf-load-stop"] == nil && w.schedules["perf-watch"] != nil {
			w.desired = 2
		}
		return nil
	}
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.Equal(t, []string{"ended"}, w.messages())
	assert.Zero(t, w.desired, "the load is stopped at once")
	w.revive()
	w.ticks(t)
	assert.Equal(t, []string{"ended", "gone"}, w.messages())
}

// An apply creates a load while `gone` is being sent: the guard checks again before it is removed, and stays.
func TestGuardChecksAgainAfterItsLastMessage(t *testing.T) {
	w := newFakeAWS()
	w.after = func(_ int, op string) error {
		if op == "Publish" && slices.Contains(w.messages(), "gone") {
			w.desired = 2
		}
		return nil
	}
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.Zero(t, w.desired, "the load is stopped at once")
	assert.NotEmpty(t, w.schedules["perf-watch"], "the guard stays")
	w.revive()
	w.ticks(t)
	w.assertEnded(t)
}

// Unknown sizes have no price, and an existing cache does not count towards this run's price.
func TestPriceOfARun(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		existing bool
		says     string
	}{
		"valkey":         {`{"cache":{"engine":"valkey","node_type":"cache.m7g.large"},"load":{"architecture":"ARM64","cpu":1024,"memory":2048}}`, false, "Together they cost about "},
		"existing cache": {`{"cache":{"existing":true},"load":{"architecture":"X86_64","cpu":1024,"memory":2048}}`, true, "The tasks cost about 0.0494 USD an hour by list prices"},
		"unknown type":   {`{"cache":{"engine":"redis","node_type":"cache.z9.large"},"load":{"architecture":"X86_64","cpu":1024,"memory":2048}}`, false, "What that costs in us-east-1 is not known here: see https"},
		"no settings":    {`{}`, false, "is not known here"},
	} {
		w := newFakeAWS()
		w.cfg.Settings, w.cfg.Cache.Delete = []byte(c.settings), !c.existing
		r := &run{Shutdown: New(w.cfg, w.clients(), w)}
		assert.Contains(t, r.price(1), c.says, name)
	}
}

// Messages, commands, and the interval between messages about a lasting failure depend on the schedule's rate.
func TestTickEqualsTheSchedulesRate(t *testing.T) {
	text, err := os.ReadFile("../../modules/scheduler/schedules.tf")
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("watch_minutes = %.0f\n", WatchEvery.Minutes()))
}
