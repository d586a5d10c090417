package ops

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// under is an account with a current run: its watch and stop schedules, its manifest, its service and the load's log.
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
		case strings.HasPrefix(what, "HEAD /b/exports/state/"):
			return 404, nil, ""
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

// A failed deployment of an earlier apply, or of a service that is being deleted, does not end this apply.
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

// After a failed or interrupted deploy, AWS is asked what is billed and what will end it.
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
		"guarded":   {stopBy: soon, tasks: 1, says: "until then this is billed: the service n-load runs 0 of 1 task, the cache n is available. If you do neither, the schedule n-watch ends it by " + soon.UTC().Format(time.RFC3339)},
		"unguarded": {tasks: 1, says: "Nothing ends it automatically: there is no schedule n-watch", not: "ends it by 2"},
		"not known": {lost: true, says: "or whether the schedule n-watch ends it", not: "ends it by 2"},
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

// When the embedded AWS ends, all that a deploy created in it is gone, so the message does not suggest to go on.
func TestFailedDeployInAnEmbeddedAWSThatEnded(t *testing.T) {
	embedded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
	}))
	embedded.Config.SetKeepAlivesEnabled(false) // a cut connection is another error, which the SDK retries
	config := awstest.Answering(nil)
	ws := &workspace.Workspace{AWS: func(ctx context.Context, region string) (aws.Config, error) {
		cfg, err := config(ctx, region)
		cfg.BaseEndpoint, cfg.HTTPClient = &embedded.URL, nil
		return cfg, err
	}}
	in := terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports"}
	s, err := stack.Open(t.Context(), ws, "", in.Config())
	require.NoError(t, err)
	require.NotContains(t, whoEnds(t.Context(), s, "next"), "gone")
	embedded.Close()
	require.Equal(t, "everything that was created is gone: the embedded AWS at "+embedded.URL+", which AWS_ENDPOINT_URL points to, is not running: start it with `go tool mage local:up`, and source the environment that it prints",
		whoEnds(t.Context(), s, "next"))
}

// Node-hours are billed whole: 45 minutes of load need one for each node, 46 need two.
func TestApprovalCountsWholeNodeHours(t *testing.T) {
	for want, change := range map[string]func(*terraform.Inputs){
		"ends, 45 minutes after the load has started. AWS bills partial node-hours as full hours: with some 15 minutes for creation and stop, this is about 1 node-hour for 1 x cache.t4g.micro.": func(*terraform.Inputs) {},
		"about 2 node-hours for 1 x cache.t4g.micro.": func(in *terraform.Inputs) { in.Minutes = 46 },
		"Together with the load's tasks, about 0.0": func(in *terraform.Inputs) {
			in.Cache.Engine, in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture = "valkey", 1, 1024, 2048, "X86_64"
		},
		"ends, 55 minutes after":                       func(in *terraform.Inputs) { in.Load.Prefill.Minutes = 10 },
		"about 12 node-hours for 6 x cache.t4g.micro.": func(in *terraform.Inputs) { in.Minutes, in.Cache.Shards, in.Cache.Replicas = 60, 2, 2 },
		"by its data and requests.":                    func(in *terraform.Inputs) { in.Cache.Serverless = &terraform.Serverless{} },
		"The cache existed before.":                    func(in *terraform.Inputs) { in.ExistingCache = &terraform.ExistingCache{} },
	} {
		in := &terraform.Inputs{Minutes: 45}
		in.Cache.NodeType = "cache.t4g.micro"
		change(in)
		require.Contains(t, costs(in, price.Dated("us-east-1")), want)
	}
}

// Without permission to read AWS's prices, a deploy uses those of the tables and says so.
func TestWhoMayNotAskForPrices(t *testing.T) {
	cfg, err := awstest.Answering(func(what string, _ url.Values) (int, map[string]string, string) {
		require.Equal(t, "GetProducts", what)
		return 400, nil, `{"__type":"AccessDeniedException","Message":"not authorized to perform: pricing:GetProducts"}`
	})(t.Context(), "")
	require.NoError(t, err)
	in := &terraform.Inputs{Minutes: 45}
	in.Cache.NodeType, in.Cache.Engine, in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture = "cache.t4g.micro", "valkey", 1, 1024, 2048, "X86_64"
	var said bytes.Buffer
	prices := pricesOf(t.Context(), &console.Console{Out: &said}, cfg, in)
	require.Contains(t, said.String(), "prices are from the tables in lambda/reference: the Price List API, which needs pricing:GetProducts, gave none (")
	require.Equal(t, price.Dated("us-east-1"), prices)
	require.Contains(t, costs(in, prices), "Together with the load's tasks, about 0.0")
	require.Contains(t, costs(in, prices), prices.Source)
}
