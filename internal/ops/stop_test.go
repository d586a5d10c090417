package ops

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
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
		"nobody to stop it":      {before: half, ran: true, says: "ending run " + aRun + " from here", refuses: "To go on without: FORCE=1; then its logs would be lost"},
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

// Stop ends what costs money: FORCE=1 is no reason not to, nor is a load that has not said a word yet; and it says what it did.
func TestStopAlwaysStops(t *testing.T) {
	const whole = `{"schema_version":1,"name":"n","complete":true}`
	for name, c := range map[string]struct {
		before, after string
		tasks         int // -1: no service
		cache         string
		ran           bool
		invoked       bool
		says          []string
	}{
		"the load runs":              {after: whole, tasks: 1, cache: "available", ran: true, invoked: true, says: []string{"stopping run " + aRun, "is stopped and exported: 0 tasks running, cache deleting"}},
		"before the first load line": {after: whole, tasks: 1, cache: "available", invoked: true, says: []string{"is stopped and exported: 0 tasks running, cache deleting"}},
		"before there is a load":     {tasks: -1, cache: "available", invoked: true, says: []string{"is stopped: load gone, cache deleting; no load of it ever ran, so there is nothing to export"}},
		"exported, but not gone":     {before: whole, after: whole, tasks: 1, cache: "available", ran: true, invoked: true, says: []string{"is stopped and exported: 0 tasks running"}},
		"exported already":           {before: whole, tasks: 0, ran: true, says: []string{"is stopped and exported already: 0 tasks running, cache gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			invoked, tasks, cache := "", c.tasks, c.cache
			account := ended(c.before, c.after, c.ran, true, &invoked)
			_, con, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
				if invoked != "" {
					tasks, cache = min(tasks, 0), "deleting"
				}
				switch {
				case what == "DescribeServices" && tasks < 0:
					return 200, nil, `{"services":[]}`
				case what == "DescribeServices":
					return 200, nil, fmt.Sprintf(`{"services":[{"status":"ACTIVE","desiredCount":%d,"runningCount":%[1]d}]}`, tasks)
				case what == "DescribeReplicationGroups" && cache == "":
					return 404, nil, `<ErrorResponse><Error><Code>ReplicationGroupNotFoundFault</Code></Error></ErrorResponse>`
				case what == "DescribeReplicationGroups":
					return 200, nil, `<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><Status>` + cache + `</Status></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>`
				}
				return account(what, body)
			})
			require.NoError(t, stop(t.Context(), con, s, &shutdown.Event{Run: aRun}))
			require.Equal(t, c.invoked, invoked != "")
			for _, says := range c.says {
				require.Contains(t, con.Out.(*bytes.Buffer).String(), says)
			}
		})
	}
}

// One look that fails does not end the wait; an interrupt does, and says that the stop goes on.
func TestStopIsWaitedForThroughFailures(t *testing.T) {
	looks := 0
	_, con, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
		if strings.HasSuffix(what, "/configuration") {
			return 200, nil, `{}`
		}
		if looks++; looks < 3 {
			return 403, nil, `<Error><Code>ExpiredToken</Code></Error>`
		}
		return 200, nil, `{"schema_version":1,"name":"n","complete":true}`
	})
	require.NoError(t, waitEnd(t.Context(), con, s, aRun))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(proc.ErrInterrupted)
	looks = 0
	err := waitEnd(ctx, con, s, aRun)
	require.ErrorIs(t, err, proc.ErrInterrupted)
	require.ErrorContains(t, err, "the stop of run "+aRun+" was asked for and goes on")
}

// One failed call, or credentials that have expired, do not end watch: it says so and goes on.
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
		seen := &sight{stack: s, view: first, guards: true}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.ErrorIs(t, seen.follow(ctx, &page.Screen{W: &out, Every: 10 * time.Second}), context.DeadlineExceeded)
		require.Regexp(t, `running · .*\n(.*\n)*not known · trouble AWS does not answer, and is asked again every 2 s: .*ExpiredTokenException.* · last seen .* ago, running: until .*\n(.*\n)*running · `, out.String())
	})
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
