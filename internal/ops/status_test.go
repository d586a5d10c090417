package ops

import (
	"bytes"
	"cmp"
	"context"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// A failed call, or expired credentials, do not end watch: it says so and goes on.
func TestWatchGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		soon := began.Add(20 * time.Minute).UTC()
		_, _, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
			switch age := time.Since(began); {
			case what == "DescribeReplicationGroups":
				return 404, nil, `<ErrorResponse><Error><Code>ReplicationGroupNotFoundFault</Code></Error></ErrorResponse>`
			case age > time.Minute && age < 3*time.Minute:
				return 403, map[string]string{"X-Amzn-Errortype": "ExpiredTokenException"}, `{"message":"The security token included in the request is expired"}`
			}
			return under(soon, soon, "", 1)(what, body)
		})
		var out bytes.Buffer
		first, err := s.View(t.Context())
		require.NoError(t, err)
		seen := &sight{subject: &subject{state: &terraform.State{}}, stack: s, view: first}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.ErrorIs(t, seen.follow(ctx, &page.Screen{W: &out, Every: 10 * time.Second}), context.DeadlineExceeded)
		require.Regexp(t, `running · .*\n(.*\n)*not known · trouble AWS does not answer; trying again every 2 s: .*ExpiredTokenException.* · last seen .* ago, running: until .*\n(.*\n)*running · `, out.String())
	})
}

// Ctrl-C in watch prints that the run goes on, until when, and what it costs.
func TestInterruptedWatchSaysWhatGoesOn(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	in := &terraform.Inputs{Minutes: 45}
	in.Cache.NodeType, in.Cache.Engine = "cache.m7g.large", "valkey"
	in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture = 1, 1024, 2048, "X86_64"
	for name, c := range map[string]struct {
		run    string
		stops  time.Duration
		ends   time.Duration // the schedule's stop_by; 0: somebody removed it
		region string
		want   string
	}{
		"running":        {run: aRun, stops: time.Minute, ends: time.Hour, want: "run " + aRun + " continues, and is billed, until 2026-11-23T04:01:00Z, about 0."},
		"starting":       {run: aRun, ends: time.Hour, want: "until 2026-11-23T05:00:00Z, about 0."},
		"stopping":       {run: aRun, stops: -time.Minute, ends: time.Hour, want: "until 2026-11-23T05:00:00Z, about 0."},
		"unknown prices": {run: aRun, stops: time.Minute, ends: time.Hour, region: "mars-north-1", want: "its price is not known here (cache.m7g.large with valkey in mars-north-1, Fargate with X86_64 in mars-north-1): `go tool mage watch` shows it, `go tool mage stop` ends it now"},
		"no run":         {},
		"no stop_by":     {run: aRun, stops: time.Minute, want: "until 2026-11-23T04:01:00Z, about 0."},
		"nor a stop":     {run: aRun, want: "and is billed, until its schedule ends it, about 0."},
		"stopping, none": {run: aRun, stops: -time.Minute, want: "and is billed, until its schedule ends it, about 0."},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &sight{subject: &subject{inputs: in, caller: stack.Caller{Region: cmp.Or(c.region, "us-east-1")}}, view: stack.View{Now: now}}
			if c.run != "" {
				seen.view.Run = &shutdown.Event{Run: c.run}
			}
			if c.ends != 0 {
				seen.view.Run.StopBy = now.Add(c.ends)
			}
			if c.stops != 0 {
				seen.view.Stops = now.Add(c.stops)
			}
			if said := seen.goesOn(); c.want == "" {
				require.Empty(t, said)
			} else {
				require.Contains(t, said, c.want)
			}
		})
	}
	require.Empty(t, (*sight)(nil).goesOn())

	in.ExistingCache = &terraform.ExistingCache{}
	require.Regexp(t, `about 0\.0\d USD in all`, goesOn(in, "us-east-1", aRun, now), "a cache that was there before is not the run's")
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
	stopped := statusOf(stack.View{Now: now, Deployed: true, Run: &shutdown.Event{Run: aRun, StopBy: now.Add(time.Hour)}, Stops: now.Add(17 * time.Second),
		Manifest: &export.Manifest{Run: aRun, Complete: true}}, c)
	require.Equal(t, "finished", stopped.Phase)
	require.NotContains(t, stopped.String()+stopped.Line(), "left", "it was stopped before its time")
	text = statusOf(stack.View{Now: now, Deployed: true, Manifest: &export.Manifest{Run: aRun, Complete: true, Warnings: []string{"careful"},
		Objects: []export.Object{{Kind: "logs", Key: "exports/logs/x.txt", Bytes: 1234}}}}, c).String()
	for _, want := range []string{"run " + aRun + ": finished", "tasks       none: the service n-load does not exist", "cache       gone", "logs        s3://b/exports/logs/x.txt (1,234 bytes)", "warning     careful"} {
		require.Contains(t, text, want)
	}
	c.Cache = shutdown.Cache{ReplicationGroup: "orders"}
	require.Contains(t, statusOf(stack.View{Now: now, Deployed: true}, c).String(), "cache       orders, which existed before and stays")
}
