package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Two runs end to end: apply, load, stop, export; then an apply with other inputs is a new run with new keys. The second run's stop comes at its own
// time, because the test does nothing during that minute.
func TestJourney(t *testing.T) {
	t.Parallel()
	w := newEnvironment(t, slow)
	inputs := map[string]any{"load": light(map[string]any{"task_count": 2})}
	if !onAWS() { // the address does not exist there
		inputs["notifications"] = map[string]any{"email": "team@example.com"}
	}
	s := newStack(t, w, ".", inputs)
	s.apply(t)
	s.assertEmptyPlan(t)
	first := s.output(t, "run")
	require.Contains(t, s.output(t, "cloudwatch_dashboard_url"), "#dashboards/dashboard/"+s.name+"-"+s.Region)
	s.loads(t, 2)
	s.stops(t)
	s.waitForEnd(t, first, 2)
	exported := s.objects(t, first)
	require.Len(t, exported, 4)
	receipts := s.waitForMessages(t, first, "started", "runs", "ended", "gone")
	if !onAWS() {
		require.Contains(t, receipts[1], "2 of 2 tasks")
		require.Contains(t, receipts[1], "Billed until then: 1 x cache.t4g.micro, ")
		require.Regexp(t, `Throughput: \d+ operations/s, the sum of 2 final tables\np99 latency: \d+\.\d+ ms`, receipts[2])
		require.Contains(t, receipts[3], "replication group "+s.name+" does not exist any more")
	}

	s.changeInputs(t, map[string]any{"load": light(map[string]any{"task_count": 2, "pipeline": 4}), "test_duration_minutes": 1})
	s.apply(t)
	second := s.output(t, "run")
	require.NotEqual(t, first, second, "the next apply is a new run")
	m := s.waitForEnd(t, second, 2)
	for _, task := range m.Tasks {
		require.Equal(t, m.Membership.Nodes[0].AvailabilityZone, task.AvailabilityZone, "the load runs in the zone of the only node")
		require.GreaterOrEqual(t, task.StoppedAt.Sub(*task.StartedAt), time.Minute, "the stop came before its time")
	}
	s.waitForMessages(t, second, "started", "runs", "ended", "gone")
	require.Equal(t, exported, s.objects(t, first), "the first run's exports stay as they were")

	// Reports from S3: of the latest run, and of both runs compared.
	ws, con, out := w.project(t, map[string]any{"name": s.name})
	ws.Root = ws.Stack // where reports are written
	ws.Env = append(ws.Env, "UPLOAD=1")
	require.NoError(t, ops.Report(t.Context(), ws, con))
	require.Contains(t, out.String(), "run "+second)
	var results report.Results
	require.NoError(t, json.Unmarshal(s.object(t, "exports/report/"+second+"/results.json"), &results))
	require.Equal(t, second, results.Run)
	require.Len(t, results.Tasks, 2)
	require.NotEmpty(t, results.Verdict.Sentence)
	require.Contains(t, string(s.object(t, "exports/report/"+second+"/report.html")), results.Verdict.Sentence[:20])
	require.Contains(t, results.Cost.Items[0].How, "from its creation, to the request to delete it")
	for _, f := range results.Provenance.Files {
		require.True(t, *f.Verified, f.Key)
	}
	if !onAWS() {
		require.NotEmpty(t, results.Provenance.APIEndpoint)
		for _, g := range results.Gaps {
			require.NotEqual(t, report.GapNoDatapoint, g.Reason, "%s: %s", g.What, g.Metrics)
		}
	}
	ws.Env = append(ws.Env, "RUNS="+first+","+second)
	require.NoError(t, ops.Report(t.Context(), ws, con))
	require.Contains(t, out.String(), "2 runs, each against A")
}

// The stop never fires: watch finds the overdue run, and ends it.
func TestWatchEndsARunWhoseStopNeverFired(t *testing.T) {
	if onAWS() {
		t.Skip("changes the stop's time, which is for localaws only")
	}
	t.Parallel()
	w := newEnvironment(t)
	w.local.Scheduler.RateScale = 40 // rate(10 minutes) ticks every 15 s
	s := newStack(t, w, ".", nil)
	s.apply(t)
	run := s.output(t, "run")
	s.loads(t, 1)
	// As after a stop that failed after its first step, the service's desired count is 0, which Terraform must not see as a difference.
	_, err := ecs.NewFromConfig(w.Config).UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: &s.name, Service: aws.String(s.name + "-load"), DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	s.assertEmptyPlan(t)
	s.stopAt(t, time.Now().Add(-20*time.Minute), types.ScheduleStateDisabled) // as if it had been due long ago, but was never delivered
	s.waitForEnd(t, run, 1)
}

// waitForMessages waits until exactly these messages about a run were published to the topic, in this order. Only the embedded AWS lists published
// messages.
func (s *stack) waitForMessages(t *testing.T, run string, want ...string) (messages []string) {
	t.Helper()
	if onAWS() {
		return nil
	}
	about := s.name + ": run " + run + " "
	eventually(t, strings.Join(want, ", "), func(context.Context) (bool, any, error) {
		var subjects []string
		messages = nil
		for _, m := range s.local.SNS.Messages("arn:aws:sns:" + s.Region + ":" + account.ID + ":" + s.name) {
			if what, ok := strings.CutPrefix(m.Subject, about); ok {
				subjects, messages = append(subjects, what), append(messages, m.Body)
			}
		}
		return slices.Equal(subjects, want), subjects, nil
	})
	return messages
}

// objects returns a run's objects by key.
func (s *stack) objects(t *testing.T, run string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range []string{"metrics/" + run + ".csv", "logs/" + run + ".txt", "manifest/" + run + ".json", "state/" + run + ".json"} {
		all[key] = string(s.object(t, "exports/"+key))
	}
	return all
}

// waitForEnd waits for the end of a run and checks everything that must be true then.
func (s *stack) waitForEnd(t *testing.T, run string, tasks int) export.Manifest {
	t.Helper()
	var m export.Manifest
	eventually(t, "a complete manifest of run "+run, func(ctx context.Context) (bool, any, error) {
		text, err := s.get(ctx, "exports/manifest/"+run+".json")
		if err != nil {
			return false, nil, err
		}
		m, err = export.ParseManifest(text)
		require.NoError(t, checkManifest(t, text))
		return m.Complete, string(text), err
	})
	require.Equal(t, run, m.Run)
	require.NotNil(t, m.Window)
	require.Len(t, m.Tasks, tasks)

	metrics := s.verifiedObject(t, m, export.KindMetrics, "exports/metrics/"+run+".csv")
	header, _, _ := strings.Cut(string(metrics), "\n")
	require.Equal(t, "Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions", strings.TrimSpace(header))
	rows := map[string]int{}
	var commands float64
	last := time.Time{}
	for row, err := range export.ReadMetrics(bytes.NewReader(metrics)) {
		require.NoError(t, err)
		require.False(t, row.Timestamp.Before(last), "rows are in time order")
		require.False(t, row.Timestamp.Before(m.Window.Start) || !row.Timestamp.Before(m.Window.End), "%s is outside of the window %v", row.Timestamp, m.Window)
		last = row.Timestamp.Time
		rows[row.Namespace]++
		if row.MetricName == "ProcessedCommands" && row.Stat == "Sum" {
			commands += row.Value
		}
	}
	require.Positive(t, rows["AWS/ElastiCache"])
	require.Positive(t, rows["AWS/ECS"])

	text := s.verifiedObject(t, m, export.KindLogs, "exports/logs/"+run+".txt")
	line := regexp.MustCompile(`^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] \[[^\]]+\] `)
	previous := ""
	for l := range strings.Lines(string(text)) {
		require.Regexp(t, line, l)
		require.LessOrEqual(t, previous, l[:26], "lines are in time order")
		previous = l[:26]
	}
	log, err := report.ParseLog(bytes.NewReader(text))
	require.NoError(t, err)
	require.Len(t, log.Tasks, tasks, "each task's last lines are in the log")
	var rate float64
	for _, task := range log.Tasks {
		require.True(t, task.OK(), "task %s: %s", task.ID, task.Trouble())
		require.Positive(t, task.Totals.OpsPerSecond)
		rate += task.Totals.OpsPerSecond
	}
	t.Logf("run %s: %.0f operations/s, rows of metrics by namespace %v, %.0f commands measured by the cache, %d bytes of log", run, rate, rows, commands, len(text))

	eventually(t, "the cache gone, ECS at 0 and the schedules removed", func(ctx context.Context) (bool, any, error) {
		status, err := s.cacheStatus(ctx)
		if err != nil {
			return false, nil, err
		}
		services, err := ecs.NewFromConfig(s.Config).DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.name, Services: []string{s.name + "-load"}})
		if err != nil {
			return false, nil, err
		}
		schedules, err := scheduler.NewFromConfig(s.Config).ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: &s.name})
		if err != nil {
			return false, nil, err
		}
		load := services.Services[0]
		tasks := load.DesiredCount + load.RunningCount + load.PendingCount
		return status == "" && tasks == 0 && len(schedules.Schedules) == 0, fmt.Sprintf("cache %q, %d tasks, %d schedules", status, tasks, len(schedules.Schedules)), nil
	})
	return m
}

// verifiedObject fetches an object of the manifest and compares it with its entry there.
func (s *stack) verifiedObject(t *testing.T, m export.Manifest, kind, key string) []byte {
	t.Helper()
	o, ok := m.Object(kind)
	require.True(t, ok, "the manifest lists no %s", kind)
	require.Equal(t, key, o.Key)
	content := s.object(t, key)
	sum := sha256.Sum256(content)
	require.Equal(t, o.SHA256, hex.EncodeToString(sum[:]), "%s does not match the manifest", key)
	require.EqualValues(t, o.Bytes, len(content))
	return content
}

func (s *stack) object(t *testing.T, key string) []byte {
	t.Helper()
	content, err := s.get(t.Context(), key)
	require.NoError(t, err)
	return content
}

func (s *stack) get(ctx context.Context, key string) ([]byte, error) {
	out, err := s3.NewFromConfig(s.Config).GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", s.bucket, key, err)
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
