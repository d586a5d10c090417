package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// under is an account with a run under way: its watch and stop schedules, its manifest, its service and the load's log.
func under(stopBy, stops time.Time, manifest string, desired int, events ...string) func(string, url.Values) (int, map[string]string, string) {
	return func(what string, _ url.Values) (int, map[string]string, string) {
		switch {
		case strings.HasSuffix(what, "/configuration"):
			return 200, nil, `{"FunctionName":"n-stop"}`
		case what == "GET /schedules/n-watch" && !stopBy.IsZero():
			return 200, nil, fmt.Sprintf(`{"Target":{"Input":"{\"action\":\"watch\",\"run\":\"%s\",\"stop_by\":\"%s\"}"}}`, aRun, stopBy.Format(time.RFC3339))
		case what == "GET /schedules/n-load-stop" && !stops.IsZero():
			return 200, nil, fmt.Sprintf(`{"ScheduleExpression":"at(%s)"}`, stops.UTC().Format("2006-01-02T15:04:05"))
		case strings.HasPrefix(what, "GET /schedules/"):
			return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
		case strings.HasPrefix(what, "GET /b/exports/manifest/"):
			if manifest == "" {
				return 404, nil, `<Error><Code>NoSuchKey</Code></Error>`
			}
			return 200, nil, manifest
		case what == "DescribeServices":
			return 200, nil, fmt.Sprintf(`{"services":[{"status":"ACTIVE","desiredCount":%d}]}`, desired)
		case what == "FilterLogEvents":
			return 200, nil, `{"events":[` + strings.Join(events, ",") + `]}`
		}
		return 200, nil, `{}`
	}
}

func event(stream, message string) string {
	return fmt.Sprintf(`{"timestamp":1,"logStreamName":%q,"message":%q}`, stream, message)
}

func stackOf(t *testing.T, answer func(string, url.Values) (int, map[string]string, string)) (*workspace.Workspace, *console.Console, *stack.Stack) {
	ws, con := &workspace.Workspace{AWS: awstest.Answering(answer)}, &console.Console{Out: &bytes.Buffer{}, Pause: time.Millisecond}
	in := terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports"}
	s, err := stack.Open(t.Context(), ws, "", in.Config())
	require.NoError(t, err)
	return ws, con, s
}

// A deployment that failed in an earlier apply, or of a service that is being deleted, is no reason to end this one.
func TestFailedRollouts(t *testing.T) {
	for status, want := range map[string]map[string]bool{"ACTIVE": {"ecs-svc/1": true}, "DRAINING": {}} {
		_, _, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
			if what == "DescribeServices" {
				return 200, nil, `{"services":[{"status":"` + status + `","deployments":[{"id":"ecs-svc/1","rolloutState":"FAILED"},{"id":"ecs-svc/2","rolloutState":"IN_PROGRESS"}]}]}`
			}
			return 200, nil, `{}`
		})
		failed, err := failedRollouts(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, want, failed, status)
	}
}

// After a deploy that failed, what ends it and what is billed is said as AWS shows it; an interrupt is no reason not to look.
func TestWhoEndsAFailedDeploy(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		stopBy time.Time
		tasks  int
		lost   bool
		says   string
		not    string
	}{
		"guarded":   {stopBy: soon, tasks: 1, says: "billed until then: the service n-load runs 0 of 1 tasks, the cache n is available. If you do neither, the schedule n-watch ends it by " + soon.UTC().Format(time.RFC3339)},
		"unguarded": {tasks: 1, says: "Nothing ends it by itself, there is no schedule n-watch", not: "ends it by 2"},
		"not known": {lost: true, says: "whether the schedule n-watch ends it, is not known", not: "ends it by 2"},
	} {
		t.Run(name, func(t *testing.T) {
			account := under(c.stopBy.UTC(), time.Time{}, "", c.tasks)
			_, _, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
				switch {
				case strings.HasSuffix(what, "/configuration"):
				case c.lost:
					return 403, map[string]string{"X-Amzn-Errortype": "ExpiredTokenException"}, `{}`
				case what == "DescribeReplicationGroups":
					return 200, nil, `<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><Status>available</Status></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>`
				}
				return account(what, body)
			})
			said := whoEnds(ctx, s, "next")
			require.Contains(t, said, c.says)
			if c.not != "" {
				require.NotContains(t, said, c.not)
			}
		})
	}
}

// A run that is over, and whose schedule is still there, is started again; one that is alive is not touched.
func TestOverRunsBeginAnew(t *testing.T) {
	const whole = `{"schema_version":1,"name":"n","complete":true}`
	soon, gone := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		stopBy, stops time.Time
		manifest      string
		anew, alive   bool
		needs         time.Duration
	}{
		"none":                    {},
		"alive":                   {stopBy: soon, stops: soon, alive: true},
		"not steady yet":          {stopBy: soon},
		"too late for a retry":    {stopBy: soon, needs: 70 * time.Minute, anew: true},
		"loaded, and too late":    {stopBy: soon, stops: soon, needs: 70 * time.Minute, alive: true},
		"exported before its end": {stopBy: soon, stops: soon, manifest: whole, anew: true},
		"stopped":                 {stopBy: soon, stops: gone, manifest: whole, anew: true},
		"expired":                 {stopBy: gone, anew: true}, // its load never ran: nothing to lose
	} {
		t.Run(name, func(t *testing.T) {
			ws, con, s := stackOf(t, under(c.stopBy, c.stops, c.manifest, 1))
			replace, alive, err := (&subject{state: &terraform.State{}}).endOverdue(t.Context(), ws, con, s, &consent{con: con, given: true}, c.needs)
			require.NoError(t, err)
			require.Equal(t, c.alive, alive == aRun)
			require.Equal(t, c.anew, len(replace) == 1 && replace[0] == terraform.WatchAddress, "%v", replace)
		})
	}
}

// Before a run that is over is ended, a person is asked; after a no, nothing was.
func TestOverdueRunIsEndedAfterAYes(t *testing.T) {
	gone := time.Now().Add(-time.Hour)
	const record = "[RUN #1 5%,   1 secs]  2 threads  8 conns:        4094 ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	for name, c := range map[string]struct {
		answer string // "": there is no terminal
		asked  string // what the error says besides
	}{
		"no":          {answer: "n\n", asked: "not approved: nothing was changed"},
		"no terminal": {asked: "not approved, as there is no terminal in which to answer: nothing was changed. APPROVE=1"},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []string
			answer := under(gone, gone, "", 1, event("a", record))
			cache := caches(tag("name", "n")+tag("run", aRun), &[]string{}, "available")
			ws, con, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
				for _, verb := range []string{"POST /", "PUT /", "DELETE /", "Delete", "Update"} {
					if strings.HasPrefix(what, verb) {
						changes = append(changes, what)
					}
				}
				if strings.HasPrefix(what, "DescribeReplicationGroups") || what == "ListTagsForResource" {
					return cache(what, body)
				}
				return answer(what, body)
			})
			s.Config.Cache.Delete = true
			var asked bytes.Buffer
			con.In = strings.NewReader(c.answer)
			if c.answer != "" {
				con.Answer = &asked
			}
			_, _, err := (&subject{state: &terraform.State{}}).endOverdue(t.Context(), ws, con, s, newConsent(ws, con, "n in account 1, Region r"), 0)
			require.ErrorContains(t, err, c.asked)
			require.Empty(t, changes)
			for _, names := range []string{"The time of the run " + aRun + " of the stack n in account 1, Region r is over", "the run " + aRun + " is ended: its load stops, and its metrics and logs are exported", "the cache n is deleted"} {
				require.Contains(t, asked.String()+err.Error(), names)
			}
		})
	}
}

// A no that follows a yes does not say that nothing was changed.
func TestNoAfterAYes(t *testing.T) {
	con := &console.Console{In: strings.NewReader("n\n"), Out: &bytes.Buffer{}, Answer: &bytes.Buffer{}}
	yes := newConsent(&workspace.Workspace{}, con, "n")
	yes.did("the run %s was ended as asked", aRun)
	require.EqualError(t, yes.ask(t.Context(), "And this?"), "not approved: nothing was changed but this: the run "+aRun+" was ended as asked")
}

func TestLoadIsWaitedFor(t *testing.T) {
	const record = "[RUN #1 5%%,   1 secs]  2 threads  8 conns:        %d ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	failed := func(stream string) string { return event(stream, "load: failed: no route to 10.0.0.1:6379") }
	for name, c := range map[string]struct {
		desired int
		events  []string
		want    string
	}{
		"loads":                       {1, []string{failed("a"), event("b", fmt.Sprintf(record, 4094))}, ""},
		"was stopped":                 {0, []string{event("a", fmt.Sprintf(record, 0))}, "was stopped before it reported an operation"},
		"was stopped after it failed": {0, []string{failed("a")}, "operation: no route to 10.0.0.1:6379"},
		"cannot start":                {1, []string{failed("a"), failed("b")}, "cannot start, 2 tasks failed: no route to 10.0.0.1:6379"},
	} {
		t.Run(name, func(t *testing.T) {
			_, con, s := stackOf(t, under(time.Time{}, time.Time{}, "", c.desired, c.events...))
			err := waitLoad(t.Context(), con, s, aRun)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// The operations of a prefill are not the load's, and one that failed leaves tasks that run and will never load.
func TestLoadThatPrefillsIsWaitedFor(t *testing.T) {
	const record = "[RUN #1 5%,   1 secs]  2 threads  8 conns:        4094 ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	wait := func(last string) (err error) {
		synctest.Test(t, func(t *testing.T) {
			_, con, s := stackOf(t, under(time.Time{}, time.Time{}, "", 1, event("a", "load: ready"), event("a", "load: prefill keys=1000 bytes=256000"), event("a", record), event("a", last)))
			con.Pause = time.Minute
			s.Config.Settings = json.RawMessage(`{"load":{"prefill":{"minutes":7}}}`)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err = waitLoad(ctx, con, s, aRun)
		})
		return err
	}
	require.ErrorIs(t, wait(record), context.DeadlineExceeded)
	require.NoError(t, wait("load: prefilled keys=1000 of 1000 seconds=1"))
	require.ErrorContains(t, wait("load: failed: prefill: 7 of 1000 keys were gone"), "does not start: prefill: 7 of 1000 keys were gone")
}

// Node-hours are billed whole: 45 minutes of load are one of each node, an hour of it is two.
func TestApprovalCountsWholeNodeHours(t *testing.T) {
	for want, change := range map[string]func(*terraform.Inputs){
		"ends, 45 minutes after the load has started. AWS bills each started node-hour as a whole one: with some 15 minutes for creation and stop, these are about 1 for 1 x cache.t4g.micro.": func(*terraform.Inputs) {},
		"about 2 for 1 x cache.t4g.micro.": func(in *terraform.Inputs) { in.Minutes = 46 },
		"With the load's tasks that is about 0.0": func(in *terraform.Inputs) {
			in.Cache.Engine, in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture = "valkey", 1, 1024, 2048, "X86_64"
		},
		"ends, 55 minutes after":            func(in *terraform.Inputs) { in.Load.Prefill.Minutes = 10 },
		"about 12 for 6 x cache.t4g.micro.": func(in *terraform.Inputs) { in.Minutes, in.Cache.Shards, in.Cache.Replicas = 60, 2, 2 },
		"by its data and requests.":         func(in *terraform.Inputs) { in.Cache.Serverless = &struct{}{} },
		"The cache was there before.":       func(in *terraform.Inputs) { in.ExistingCache = &terraform.ExistingCache{} },
	} {
		in := &terraform.Inputs{Minutes: 45}
		in.Cache.NodeType = "cache.t4g.micro"
		change(in)
		require.Contains(t, costs(in, "us-east-1"), want)
	}
}
