package ops

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

const aRun = "2026-11-23T03-08-09Z"

// ended is an account with one run, as far as finish reads it. Stopping the run sets the manifest to after.
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
		"nobody to stop it":      {before: half, ran: true, says: "ending run " + aRun + " from here", refuses: "To continue without them: FORCE=1; its logs would then be lost"},
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

// Stop ends what costs money, also with FORCE=1 or before the load has logged anything. It says what it did.
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

// One failed poll does not end the wait. An interrupt does, and says that the stop goes on.
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
	require.ErrorContains(t, err, "the stop of run "+aRun+" was requested and continues")
}
