package test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/resp"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Loads with a prefill: while they run, the servers' own counts prove what the options promise.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	prefill := map[string]any{"minutes": 1}
	for name, v := range map[string]struct {
		cache, load map[string]any
		tasks       int
		loaded      func(t *testing.T, s *stack)
		ended       func(t *testing.T, s *stack, log *report.Log, run string)
	}{
		// Each task has its own keys, and the probe and the load use these keys only, so the count is exact.
		"prefill": {tasks: 2, load: map[string]any{"key_maximum": 5000, "prefill": prefill},
			loaded: func(t *testing.T, s *stack) { require.Equal(t, "10000", s.ask(t, s.node(t, "primary"), "DBSIZE")) },
			ended: func(t *testing.T, s *stack, log *report.Log, run string) {
				for _, task := range log.Tasks {
					require.Zero(t, task.Totals.MissesPerSecond, "every read of task %s finds its key", task.ID)
				}
			}},
		"prefill-cluster-tls": {tasks: 1, cache: map[string]any{"shards": 2, "transit_encryption": true}, load: map[string]any{"key_maximum": 3000, "prefill": prefill},
			ended: func(t *testing.T, s *stack, log *report.Log, run string) {
				require.Zero(t, log.Tasks[0].Totals.MissesPerSecond)
			}},
		"session-store": {tasks: 1, load: map[string]any{"workload": "session-store", "key_maximum": 2000, "prefill": prefill},
			loaded: func(t *testing.T, s *stack) {
				eventually(t, "sessions that expire", func(context.Context) (bool, any, error) {
					keys := regexp.MustCompile(`db0:keys=(\d+),expires=(\d+)`).FindStringSubmatch(s.ask(t, s.node(t, "primary"), "INFO keyspace"))
					require.Equal(t, "2000", keys[1])
					return keys[2] != "0", keys, nil
				})
			}},
		"replica-reads": {tasks: 1, cache: map[string]any{"replicas": 1}, load: map[string]any{"ratio": "0:1", "read_from": "replicas", "key_maximum": 2000, "rate_limit": nil, "prefill": prefill},
			loaded: func(t *testing.T, s *stack) {
				eventually(t, "far more reads on the replica than the prefill has made on the primary", func(context.Context) (bool, any, error) {
					stats := s.ask(t, s.node(t, "replica"), "INFO commandstats")
					reads, err := strconv.Atoi(first(regexp.MustCompile(`cmdstat_get:calls=(\d+)`).FindStringSubmatch(stats)))
					return reads > 25_000, reads, err
				})
				stats := s.ask(t, s.node(t, "primary"), "INFO commandstats")
				require.Regexp(t, `cmdstat_get:calls=2000,`, stats, "the primary has the prefill's reads and none of the load's")
				require.Regexp(t, `cmdstat_set:calls=2000,`, stats)
			},
			ended: func(t *testing.T, s *stack, log *report.Log, run string) {
				require.Zero(t, log.Tasks[0].Totals.MissesPerSecond)
				reads := map[string]float64{}
				for row, err := range export.ReadMetrics(bytes.NewReader(s.object(t, "exports/metrics/"+run+".csv"))) {
					require.NoError(t, err)
					if row.MetricName == "GetTypeCmds" && row.Stat == "Sum" {
						reads[row.Dimensions] += row.Value
					}
				}
				primary, replica := reads["CacheClusterId="+s.name+"-001;CacheNodeId=0001"], reads["CacheClusterId="+s.name+"-002;CacheNodeId=0001"]
				t.Logf("reads by the metrics: %.0f of the primary, %.0f of the replica", primary, replica)
				require.LessOrEqual(t, primary, 2000.)
				require.Greater(t, replica, 10*primary)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			onlyLong(t)
			t.Parallel()
			w := newEnvironment(t)
			cache := map[string]any{}
			maps.Copy(cache, v.cache)
			load := light(map[string]any{"task_count": v.tasks})
			maps.Copy(load, v.load)
			if cache["transit_encryption"] == true && w.local != nil {
				ca, err := w.local.CA()
				require.NoError(t, err)
				load["ca_pem"] = ca
			}
			s := newStack(t, w, ".", map[string]any{"cache": cache, "load": load})
			s.apply(t)
			s.assertEmptyPlan(t)
			f, err := lambda.NewFromConfig(w.Config).GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(s.name + "-stop")})
			require.NoError(t, err)
			require.Contains(t, f.Environment.Variables["CONFIG"], `"minutes":61,`, "an hour of load, and a minute for the prefill")
			s.waitForPrefill(t, v.tasks, load["key_maximum"].(int))
			if v.loaded != nil && w.local != nil { // a node on AWS can only be reached from its VPC
				v.loaded(t, s)
			}
			s.loads(t, v.tasks)
			run := s.output(t, "run")
			s.stops(t)
			s.waitForEnd(t, run, v.tasks)
			log, err := report.ParseLog(bytes.NewReader(s.object(t, "exports/logs/"+run+".txt")))
			require.NoError(t, err)
			for _, task := range log.Tasks {
				require.True(t, task.Ready.Before(task.Filled) && task.Filled.Before(task.Finished), "task %s: %v", task.ID, task)
			}
			if v.ended != nil {
				v.ended(t, s, log, run)
			}
		})
	}
}

func first(found []string) string {
	if len(found) < 2 {
		return "0"
	}
	return found[1]
}

// waitForPrefill waits until enough tasks report that number of keys each.
func (s *stack) waitForPrefill(t *testing.T, tasks, keys int) {
	t.Helper()
	eventually(t, "prefilled tasks", func(ctx context.Context) (bool, any, error) {
		out, err := cloudwatchlogs.NewFromConfig(s.Config).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/elasticache-perf/" + s.name + "/load"), FilterPattern: aws.String(`?"load: prefilled" ?"load: failed"`)})
		if err != nil {
			return false, nil, err
		}
		for _, e := range out.Events {
			require.Contains(t, *e.Message, fmt.Sprintf("load: prefilled keys=%d of %[1]d seconds=", keys))
		}
		return len(out.Events) == tasks, fmt.Sprint(len(out.Events), " tasks"), nil
	})
}

// node returns the address of the first node with a role in the first shard.
func (s *stack) node(t *testing.T, role string) *ect.Endpoint {
	t.Helper()
	out, err := elasticache.NewFromConfig(s.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &s.name})
	require.NoError(t, err)
	for _, m := range out.ReplicationGroups[0].NodeGroups[0].NodeGroupMembers {
		if aws.ToString(m.CurrentRole) == role {
			return m.ReadEndpoint
		}
	}
	require.Fail(t, "no node", role)
	return nil
}

// ask sends a command to a node, and returns its answer as text.
func (s *stack) ask(t *testing.T, node *ect.Endpoint, command string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort(*node.Address, strconv.Itoa(int(*node.Port))))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(waitLimit)))
	_, err = conn.Write(resp.Append(nil, strings.Fields(command)...))
	require.NoError(t, err)
	answer, err := resp.Read(bufio.NewReader(conn))
	require.NoError(t, err)
	require.NotContains(t, []string{"[]interface {}", "resp.Error", "<nil>"}, fmt.Sprintf("%T", answer), "the answer is neither a number nor a text: %v", answer)
	return fmt.Sprint(answer)
}
