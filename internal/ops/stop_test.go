package ops

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

const aRun = "2026-11-23T03-08-09Z"

// ended is an account with one run, as far as finish looks at it. Stopping it makes the manifest what after is.
func ended(before, after string, ran, lambda bool, invoked *string) func(string, url.Values) (int, map[string]string, string) {
	manifest := before
	return func(what string, _ url.Values) (int, map[string]string, string) {
		switch {
		case strings.HasSuffix(what, "/configuration"):
			if !lambda {
				return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
			}
			return 200, nil, `{"FunctionName":"n-stop","Environment":{"Variables":{}}}`
		case strings.HasSuffix(what, "/invocations"):
			*invoked, manifest = what, after
			return 202, nil, ``
		case what == "GET /b/exports/manifest/"+aRun+".json":
			if manifest == "" {
				return 404, nil, `<Error><Code>NoSuchKey</Code></Error>`
			}
			return 200, nil, manifest
		case what == "FilterLogEvents":
			if !ran {
				return 200, nil, `{"events":[]}`
			}
			return 200, nil, `{"events":[{"timestamp":1,"message":"load: ready","logStreamName":"s"}]}`
		}
		return 500, nil, ``
	}
}

func TestNoRunIsLost(t *testing.T) {
	const whole = `{"schema_version":1,"name":"n","complete":true}`
	const half = `{"schema_version":1,"name":"n","objects":[{"kind":"metrics"}]}`
	const foreign = `{"schema_version":1,"name":"other","complete":true}`
	for name, c := range map[string]struct {
		before, after string
		ran, lambda   bool
		force         string
		invoked       bool
		says, refuses string
	}{
		"exported":               {before: whole, ran: true, lambda: true},
		"never loaded":           {lambda: true},
		"not stopped yet":        {after: whole, ran: true, lambda: true, invoked: true, says: "ending it now"},
		"half exported":          {before: half, after: whole, ran: true, lambda: true, invoked: true},
		"of another stack":       {before: foreign, after: whole, ran: true, lambda: true, invoked: true},
		"nobody to stop it":      {before: half, ran: true, refuses: "has no complete manifest, and its logs would be lost"},
		"nobody, but forced":     {before: half, ran: true, force: "1", says: "lost for good: its logs"},
		"nothing there, forced":  {ran: true, lambda: true, force: "1", says: "lost for good: its metrics and logs"},
		"forced without a cause": {before: whole, ran: true, lambda: true, force: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			invoked := ""
			ws, con := &workspace.Workspace{Env: []string{"FORCE=" + c.force}, AWS: answering(ended(c.before, c.after, c.ran, c.lambda, &invoked))}, &console.Console{Out: &out, Pause: time.Millisecond}
			s, err := openStack(t.Context(), ws, &terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports"})
			require.NoError(t, err)
			err = finish(t.Context(), ws, con, s, &shutdown.Event{Run: aRun})
			if c.refuses != "" {
				require.ErrorContains(t, err, c.refuses)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.invoked, invoked != "")
			require.Contains(t, out.String(), c.says)
			if c.says == "" && !c.invoked {
				require.Empty(t, out.String())
			}
		})
	}
}

func TestPhase(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	run := &shutdown.Event{Run: aRun, StopBy: now.Add(time.Hour)}
	late := &shutdown.Event{Run: aRun, StopBy: now.Add(-time.Hour)}
	whole := &export.Manifest{Run: aRun, Complete: true}
	for want, v := range map[string]view{
		"none: nothing is deployed":             {},
		"finished: exported, and nothing":       {deployed: true, manifest: whole},
		"idle: deployed, but no run":            {deployed: true},
		"starting: the load is not steady":      {deployed: true, run: run},
		"running: until 2026-11":                {deployed: true, run: run, stops: now.Add(10 * time.Minute), cache: "available"},
		"prefilling: the measured load follows": {deployed: true, run: run, stops: now.Add(10 * time.Minute), prefill: &prefill{tasks: 1}},
		"stopping: since 1m0s":                  {deployed: true, run: run, stops: now.Add(-time.Minute), cache: "available"},
		"clearing: exported; the cache is":      {deployed: true, run: run, stops: now.Add(-time.Minute), cache: "deleting", manifest: whole},
		"finished: exported":                    {deployed: true, run: run, stops: now.Add(-time.Minute), manifest: whole},
		"overdue: should have ended by 2026":    {deployed: true, run: late, stops: now.Add(-2 * time.Hour), cache: "available"},
	} {
		v.now = now
		phase, meaning := v.phase()
		require.Truef(t, strings.HasPrefix(phase+": "+meaning, want), "%s: %s, want %s", phase, meaning, want)
	}
}

func TestStatusText(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	c := shutdown.Config{Bucket: "b", Prefix: "exports", Service: "n-load", Minutes: 3, Cache: shutdown.Cache{ReplicationGroup: "n", Delete: true}}
	text := view{now: now, deployed: true, run: &shutdown.Event{Run: aRun, StopBy: now.Add(time.Hour)}, stops: now.Add(90 * time.Second),
		service: &types.Service{RunningCount: 2, DesiredCount: 2}, cache: "available", recent: []float64{61728, 123456}, latency: 0.2514, dashboard: "http://127.0.0.1:1/_localaws/dashboard/n"}.status(c).String()
	require.Equal(t, "run "+aRun+`: running
              until 2026-11-23T04:01:30Z
  time        █████████████████░░░░░░░░░░░░░░░░░  50 %  90 s left
  throughput  ▄█                                  123,456 ops/s
  latency     0.251 ms mean (at the load, network included, last second)
  tasks       2 of 2 running
  cache       available
  dashboard   http://127.0.0.1:1/_localaws/dashboard/n
  results     will be in s3://b/exports/
`, text)
	text = view{now: now, deployed: true, manifest: &export.Manifest{Run: aRun, Complete: true, Warnings: []string{"careful"},
		Objects: []export.Object{{Kind: "logs", Key: "exports/logs/x.txt", Bytes: 1234}}}}.status(c).String()
	for _, want := range []string{"run " + aRun + ": finished", "tasks       none: the service n-load is not there", "cache       gone", "logs        s3://b/exports/logs/x.txt (1,234 bytes)", "warning     careful"} {
		require.Contains(t, text, want)
	}
	c.Cache = shutdown.Cache{ReplicationGroup: "orders"}
	require.Contains(t, view{now: now, deployed: true}.status(c).String(), "cache       orders, which was there before and stays")
}

func TestRecentThroughputIsASumBySecond(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	progress := func(age time.Duration, stream string, ops int) logEvent {
		return logEvent{now.Add(-age), stream, fmt.Sprintf("[RUN #1 5%%,   3 secs]  2 threads  8 conns:        %d ops,    %d (avg:    1) ops/sec, 1KB/sec (avg: 1KB/sec),  0.25 (avg:  0.30) msec latency", 10*ops, ops)}
	}
	slower := progress(2*time.Second, "b", 50)
	slower.text = strings.Replace(slower.text, "0.25 (", "0.75 (", 1)
	values, latency := recent([]logEvent{progress(3*time.Second, "a", 100), progress(2*time.Second, "a", 200), slower, progress(time.Minute, "old", 7)}, now)
	require.Equal(t, []float64{100, 250}, values[len(values)-2:])
	require.InDelta(t, 0.35, latency, 1e-9, "of 200 operations at 0.25 ms and 50 at 0.75 ms")
	values, latency = recent([]logEvent{progress(20*time.Second, "a", 100)}, now)
	require.Nil(t, values, "a load that reports no more has no throughput")
	require.True(t, math.IsNaN(latency))
}

func TestThroughputIsOfNow(t *testing.T) {
	now := time.Now()
	progress := func(age time.Duration, stream string, ops int) logEvent {
		return logEvent{now.Add(-age), stream, fmt.Sprintf("[RUN #1 5%%,   3 secs]  2 threads  8 conns:        %d ops,    %d (avg:    1) ops/sec, 1KB/sec", 10*ops, ops)}
	}
	perSecond, ops := throughput([]logEvent{progress(time.Minute, "old", 7), progress(3*time.Second, "a", 100), progress(time.Second, "a", 200), progress(time.Second, "b", 50)}, now)
	require.EqualValues(t, 250, perSecond)
	require.EqualValues(t, 2500, ops)
}
