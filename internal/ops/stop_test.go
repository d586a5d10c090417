package ops

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
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
			ws, con := &workspace.Workspace{Env: []string{"FORCE=" + c.force}, AWS: awstest.Answering(ended(c.before, c.after, c.ran, c.lambda, &invoked))}, &console.Console{Out: &out, Pause: time.Millisecond}
			in := terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports"}
			s, err := stack.Open(t.Context(), ws, "", in.Config())
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

func TestStatusText(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	c := shutdown.Config{Bucket: "b", Prefix: "exports", Service: "n-load", Minutes: 3, Cache: shutdown.Cache{ReplicationGroup: "n", Delete: true}}
	text := statusOf(stack.View{Now: now, Deployed: true, Run: &shutdown.Event{Run: aRun, StopBy: now.Add(time.Hour)}, Stops: now.Add(90 * time.Second),
		Service: &types.Service{RunningCount: 2, DesiredCount: 2}, Cache: "available", Recent: []float64{61728, 123456}, Latency: 0.2514, Dashboard: "http://127.0.0.1:1/_localaws/dashboard/n"}, c).String()
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
	text = statusOf(stack.View{Now: now, Deployed: true, Manifest: &export.Manifest{Run: aRun, Complete: true, Warnings: []string{"careful"},
		Objects: []export.Object{{Kind: "logs", Key: "exports/logs/x.txt", Bytes: 1234}}}}, c).String()
	for _, want := range []string{"run " + aRun + ": finished", "tasks       none: the service n-load is not there", "cache       gone", "logs        s3://b/exports/logs/x.txt (1,234 bytes)", "warning     careful"} {
		require.Contains(t, text, want)
	}
	c.Cache = shutdown.Cache{ReplicationGroup: "orders"}
	require.Contains(t, statusOf(stack.View{Now: now, Deployed: true}, c).String(), "cache       orders, which was there before and stays")
}
