package report

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// half is a metric that is above 0 in some of 20 minutes.
func half(name string, minutes int, value ...float64) func(*synthetic.Case) {
	v := append(value, 120)[0]
	return func(c *synthetic.Case) {
		c.Metrics = map[string]func(int, int) float64{name: func(_, m int) float64 { return map[bool]float64{true: v}[m*7%20 < minutes] }}
	}
}

func flat(name string, v float64) func(*synthetic.Case) {
	return func(c *synthetic.Case) { c.Metrics = synthetic.With(map[string]float64{name: v}) }
}

// throttles is a serverless cache that throttles in some of 20 minutes.
func throttles(minutes int) func(*synthetic.Case) {
	return func(c *synthetic.Case) {
		half("ThrottledCmds", minutes)(c)
		c.Nodes, c.Serverless = 1, "{}"
	}
}

// Every rule of the table, at its threshold and just below it.
func TestEveryRuleFiresAtItsThreshold(t *testing.T) {
	tested := map[string]struct{ below, at func(*synthetic.Case) }{
		"engine_cpu":          {flat("EngineCPUUtilization", 89.9), flat("EngineCPUUtilization", 90)},
		"host_cpu":            {flat("CPUUtilization", 89.9), flat("CPUUtilization", 90)},
		"cpu_credits":         {flat("CPUCreditBalance", 1.1), flat("CPUCreditBalance", 1)},
		"bandwidth_out":       {flat("NetworkBytesOut", 60*0.899*synthetic.Burst), flat("NetworkBytesOut", 60*0.901*synthetic.Burst)},
		"bandwidth_in":        {flat("NetworkBytesIn", 60*0.899*synthetic.Burst), flat("NetworkBytesIn", 60*0.901*synthetic.Burst)},
		"packets_per_second":  {half("NetworkPacketsPerSecondAllowanceExceeded", 9), half("NetworkPacketsPerSecondAllowanceExceeded", 10)},
		"connection_tracking": {half("NetworkConntrackAllowanceExceeded", 9), half("NetworkConntrackAllowanceExceeded", 10)},
		"memory":              {half("Evictions", 9, 1200), half("Evictions", 10, 1200)},
		"connections":         {half("RejectedConnections", 9), half("RejectedConnections", 10)},
		"traffic_management":  {half("TrafficManagementActive", 9), half("TrafficManagementActive", 10)},
		"throttling":          {throttles(9), throttles(10)},
		"load_generator":      {func(c *synthetic.Case) { c.TaskCPU = 88.9 }, func(c *synthetic.Case) { c.TaskCPU = 89 }}, // the busiest task has 1 % more
		"skew":                {hot(79.9), hot(80)},
		"peers":               {slower(0.81), slower(0.79)},
		"swap":                {flat("SwapUsage", 0.99*(4<<30)), flat("SwapUsage", 4<<30)},
		"replication":         {lags(0.9), lags(1)},
		"slow_log":            {says("engine-log/perf-001", "Background saving started"), says("slow-log/perf-001", `{"Command":"KEYS ... (1 more arguments)","Duration (us)":12000}`)},
		"latency_modes":       {unequal(745), unequal(755)},
	}
	require.Len(t, tested, len(rules), "a pair belongs to a rule")
	for i, rule := range rules {
		t.Run(rule.id, func(t *testing.T) {
			test, is := tested[rule.id]
			require.True(t, is, "a rule has a pair of synthetic runs")
			for _, of := range []struct {
				change func(*synthetic.Case)
				state  string
			}{{test.below, Quiet}, {test.at, map[bool]string{false: Fired, true: Noted}[rule.note]}} {
				c := synthetic.Plain()
				c.Latency = func(int) []int64 { return []int64{400, 500, 600} }
				of.change(&c)
				run := Run(c.Files())
				if rule.id == "cpu_credits" {
					run.Manifest.Membership.NodeType = "cache.t4g.micro"
				}
				r, err := Analyze(context.Background(), run)
				require.NoError(t, err)
				f := r.Verdict.Findings[i]
				require.Equal(t, rule.id, f.ID)
				require.Equal(t, of.state, f.State, "%s: %v of %v", f.Evidence, *f.Measured, f.Threshold)
				require.Equal(t, of.state == Fired, slices.Contains(r.Verdict.Limits, rule.id))
				require.Contains(t, f.Source, "https://", "a threshold has a source")
				require.Equal(t, of.state == Noted, len(r.Verdict.Notes) == 1, "%v", r.Verdict.Notes)
				valid(t, r)
			}
		})
	}
}

// The other ways in which a rule of the table fires, at its threshold and just below it.
func TestTheOtherThresholdsOfRules(t *testing.T) {
	metrics := func(values map[string]float64, missing ...string) func(*synthetic.Case) {
		return func(c *synthetic.Case) {
			c.Metrics = synthetic.With(values)
			for _, name := range missing {
				c.Metrics[name] = nil
			}
		}
	}
	limited := func(limit string) func(*synthetic.Case) {
		return func(c *synthetic.Case) { c.Settings = `, "rate_limit": ` + limit }
	}
	threads := func(cpu float64) func(*synthetic.Case) {
		return func(c *synthetic.Case) { c.TaskCPU, c.Settings = cpu, `, "cpu": 4096` }
	}
	link := func(health float64) func(*synthetic.Case) {
		return func(c *synthetic.Case) {
			c.Replicas, c.Metrics = 1, synthetic.With(map[string]float64{"MasterLinkHealthStatus": health})
		}
	}
	for _, of := range []struct {
		id, what  string
		below, at func(*synthetic.Case)
	}{
		{"engine_cpu", "host CPU over vCPUs, without engine CPU", metrics(map[string]float64{"CPUUtilization": 44.9}, "EngineCPUUtilization"), metrics(map[string]float64{"CPUUtilization": 45}, "EngineCPUUtilization")},
		{"memory", "memory", flat("DatabaseMemoryUsageCountedForEvictPercentage", 98.9), flat("DatabaseMemoryUsageCountedForEvictPercentage", 99)},
		{"memory", "one key in 1,000", flat("Evictions", 1199), flat("Evictions", 1200)},
		{"connections", "open", flat("CurrConnections", 64_349), flat("CurrConnections", 64_350)},
		{"load_generator", "rate limit", limited("516"), limited("515")}, // of 40 connections that do 20,005 ops/s
		{"load_generator", "two threads of four vCPUs", threads(43.9), threads(44)},
		{"skew", "busy enough", func(c *synthetic.Case) { hot(49.9)(c); skewedBy(c, 20) }, func(c *synthetic.Case) { hot(50)(c); skewedBy(c, 20) }},
		{"replication", "link", link(1), link(0)},
	} {
		for i, change := range []func(*synthetic.Case){of.below, of.at} {
			c := synthetic.Plain()
			c.Latency = func(int) []int64 { return []int64{400, 500, 600} }
			change(&c)
			r := analyzed(t, c)
			f := r.Verdict.Findings[slices.IndexFunc(rules, func(r rule) bool { return r.id == of.id })]
			require.Equal(t, i == 1, f.State == Fired || f.State == Noted, "%s, %s: %s", of.id, of.what, f.Evidence)
		}
	}
}

// skewedBy sets the engine CPU of all shards but the second.
func skewedBy(c *synthetic.Case, others float64) {
	busy := c.Metrics["EngineCPUUtilization"]
	c.Metrics["EngineCPUUtilization"] = func(n, m int) float64 {
		if n == 1 {
			return busy(n, m)
		}
		return others
	}
}

// hot is three shards: one with the given engine CPU, the others with 40 %.
func hot(cpu float64) func(*synthetic.Case) {
	return func(c *synthetic.Case) {
		c.Nodes, c.Sharded = 3, true
		c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[bool]float64{true: cpu, false: 40}[n == 1] }}
	}
}

// slower is three tasks: one with a share of the others' throughput.
func slower(share float64) func(*synthetic.Case) {
	return func(c *synthetic.Case) {
		c.Tasks = 3
		c.Rate = func(task, _ int) float64 { return 10_000 * map[bool]float64{true: share, false: 1}[task == 2] }
	}
}

// lags is a replica with a lag in seconds.
func lags(seconds float64) func(*synthetic.Case) {
	return func(c *synthetic.Case) {
		c.Replicas = 1
		c.Metrics = map[string]func(int, int) float64{"ReplicationLag": func(n, _ int) float64 { return float64(n) * seconds }}
	}
}

// says is a line in a node's log.
func says(stream, text string) func(*synthetic.Case) {
	return func(c *synthetic.Case) { c.Says = []synthetic.Line{{Second: 300, Stream: stream, Text: text}} }
}

// unequal is a latency with a median of 500 us and the given mean.
func unequal(mean int64) func(*synthetic.Case) {
	return func(c *synthetic.Case) { c.Latency = func(int) []int64 { return []int64{500, 500, 3*mean - 1000} } }
}

// docs/report.md has the table of rules.
func TestRulesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/report.md")
	require.NoError(t, err)
	for _, r := range rules {
		_, source, _ := strings.Cut(r.source, "https://")
		source, _, _ = strings.Cut(source, ",")
		require.Contains(t, string(text), fmt.Sprintf("| %s | %s | %s | [source](https://%s) |\n", r.name, r.rule, r.blind, source))
	}
	var steps, others strings.Builder
	for _, r := range rules {
		for _, other := range instead {
			if slices.Contains(other.ids, r.id) {
				fmt.Fprintf(&steps, "| %s | %s | %s |\n", r.name, other.where, other.step)
			}
		}
		if !r.note {
			fmt.Fprintf(&steps, "| %s | | %s |\n", r.name, r.next)
		}
	}
	for _, u := range unlimited {
		fmt.Fprintf(&others, "| %s | %s |\n", u.where, u.step)
	}
	for _, table := range []string{
		"| limit | where | next step |\n|---|---|---|\n" + steps.String() + "\n",
		"| where | next step |\n|---|---|\n| the window covers too few whole minutes | " + runLonger + " |\n| it covers too few whole datapoints, which are longer than a minute | " + finer + " |\n| a metric is missing | " + exportAgain + " |\n\n",
		"| where | next step |\n|---|---|\n" + others.String() + "\n",
	} {
		require.True(t, strings.Contains(string(text), table), table)
	}
	// The documented thresholds are the code's.
	words := strings.Join(strings.Fields(string(text)), " ")
	for _, said := range []string{
		fmt.Sprintf("fewer than %s whole datapoints of the nodes' metrics (of longer ones, fewer than cover %[1]s minutes)", spelled(fewest)),
		fmt.Sprintf("What lasts less than %d minutes is filtered out first", fewest),
		fmt.Sprintf("each stretch of %d minutes or more in which another set of tasks ran", fewest),
		fmt.Sprintf("One that ends less than %d minutes, or less than a twentieth of the load, before the load's end", fewest),
		fmt.Sprintf("changes in the last %d minutes, and in a metric with a gap, are not seen", fewest),
		fmt.Sprintf("In less than %d minutes drift cannot be distinguished from noise", fewest),
		fmt.Sprintf("where %s minutes or more have them and %[1]s do not", spelled(fewest)),
		fmt.Sprintf("with more than %d segments it says how many changes there were", told),
		fmt.Sprintf("A run that changes more than %d times is judged as one", most-1),
		fmt.Sprintf("throughput by %.0f %%, the busiest node's engine CPU by 10 points, evictions by 1 in %.0f,000 operations", 100*worth, 1/negligibleEvicted/1000),
		fmt.Sprintf("where replies take %.0f %% of that time or more", 100*bound),
		fmt.Sprintf("%s seconds or more without operations", upper(spelled(fewestSeconds))),
		fmt.Sprintf("A node bursts while it carries over %.0f %% of its baseline", 100*overBaseline),
		fmt.Sprintf("A node held at %.0f to %.0f %% of it with packets queued in half of the minutes", 100*heldAt, 100*overBaseline),
		fmt.Sprintf("when the node is held at %.0f %% or more of the baseline", 100*heldAt),
		fmt.Sprintf("Less than %d %% of use is too little to extrapolate from", fewestPercent),
		fmt.Sprintf("Over %.0f %%, and where the window is too short to know", placementNoise),
	} {
		require.True(t, strings.Contains(words, said), said)
	}
	require.Contains(t, string(text), phaseMethod)
	require.Contains(t, string(text), overRuns)
	require.Contains(t, string(text), oneRunEach)
}

// In a window of enough minutes, a node's CPU with values for only one or two of them decides nothing.
func TestCPUThatIsMostlyMissing(t *testing.T) {
	busy := func(has func(node, minute int) bool) *Results {
		c := synthetic.Plain()
		c.Metrics = synthetic.Usual()
		for name, from := range map[string]float64{"EngineCPUUtilization": 97, "CPUUtilization": 40} {
			c.Metrics[name] = func(node, minute int) float64 {
				if !has(node, minute) {
					return math.NaN()
				}
				return from
			}
		}
		return analyzed(t, c)
	}
	for minutes, want := range map[int]string{2: CannotTell, 3: Limited} {
		r := busy(func(_, minute int) bool { return minute >= 5 && minute < 5+minutes })
		require.Equal(t, want, r.Verdict.Outcome, "%d minutes: %s", minutes, r.Verdict.Sentence)
	}
	one := busy(func(node, minute int) bool { return node == 0 || minute < 2 })
	engine := slices.IndexFunc(one.Verdict.Findings, func(f Finding) bool { return f.ID == "engine_cpu" })
	require.Equal(t, []string{"perf-001"}, one.Verdict.Findings[engine].Where, one.Verdict.Sentence)
}

// spelled is a small number as a word.
func spelled(n int) string { return []string{"no", "one", "two", "three", "four", "five"}[n] }

// The bandwidth check of the tasks: traffic that falls for good.
func TestFargatesBurst(t *testing.T) {
	falls := synthetic.Plain()
	falls.Minutes = 40
	falls.Rate = func(_, s int) float64 { return map[bool]float64{true: 10_000, false: 6_000}[s < 25*60] }
	falls.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * 0.1 * synthetic.Baseline})
	f := analyzed(t, falls).Network.Fargate
	require.Equal(t, synthetic.Began.Add(25*time.Minute), *f.FellAt, "no node's burst ended, and yet traffic fell")
	require.InEpsilon(t, 0.6, *f.AfterPerSecond / *f.BeforePerSecond, 0.01)
	require.Contains(t, f.Sentence, "with no end of a node's burst at that time: a burst of the tasks' own may have ended")
	require.Equal(t, "load generator", f.Source)
	require.InEpsilon(t, (25*3.0+15*1.8)/40, *f.MeanPerTask/1e6, 0.02)

	level := synthetic.Plain()
	level.Minutes = 40
	require.Nil(t, analyzed(t, level).Network.Fargate.FellAt)

	t.Run("Container Insights", func(t *testing.T) {
		c := synthetic.Plain()
		var b bytes.Buffer
		c.CSV(&b)
		for m := range c.Minutes {
			for name, v := range map[string]int{"NetworkRxBytes": 3_000_000, "NetworkTxBytes": 1_000_000} {
				fmt.Fprintf(&b, "%s,ECS/ContainerInsights,%s,Average,%d,Bytes/Second,ClusterName=perf;ServiceName=perf-load\n",
					synthetic.Began.Add(time.Duration(m)*time.Minute).Format(time.RFC3339), name, v)
			}
		}
		r, err := Analyze(context.Background(), Run{Metrics: &b, Logs: c.Files().Logs, Manifest: c.Manifest()})
		require.NoError(t, err)
		require.Equal(t, "Container Insights", r.Network.Fargate.Source)
		require.InDelta(t, 4e6, *r.Network.Fargate.MeanPerTask, 1)
	})
	t.Run("nothing known", func(t *testing.T) {
		r, err := Analyze(context.Background(), Run{Metrics: synthetic.Plain().Files().Metrics})
		require.NoError(t, err)
		require.Equal(t, "The tasks' traffic is not known.", r.Network.Fargate.Sentence)
	})
}

// A load of a day, whose burst ends after eleven hours.
func TestADay(t *testing.T) {
	const minute = 11 * 60
	c := synthetic.Case{Minutes: 24 * 60, Tasks: 2, Nodes: 1, TaskCPU: 40, Every: 10}
	c.Rate = func(_, s int) float64 { return map[bool]float64{true: 20_000, false: 5_000}[s < 60*minute] }
	c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 {
		return 60 * synthetic.Baseline * map[bool]float64{true: 4, false: 0.97}[m < minute]
	}}
	r := analyzed(t, c)
	require.Equal(t, []string{"bandwidth_out"}, r.Verdict.Limits)
	require.Equal(t, minute, *r.Network.Nodes[0].Out.EndedMinute)
	require.Equal(t, []string{Burst, Steady}, phaseNames(r)[:2])
	require.InEpsilon(t, 10_000, *r.figure("ops_per_second"), 0.005)
	require.InEpsilon(t, 40_000, *r.figure("ops_per_second_burst"), 0.005)
	require.InEpsilon(t, 2*60*(20_000*minute+5_000*(24*60-minute)), float64(r.Client.Operations), 0.005)
	require.Contains(t, r.Verdict.Sentence, "(minutes 660 to 1440 of the load)")
	require.EqualValues(t, 25, *r.Cost.Items[0].Quantity, "24 hours and what is around them, partial hours billed as full hours")
	valid(t, r)
}

// Every figure names its window, in any run.
func TestEveryFigureNamesItsWindow(t *testing.T) {
	late := synthetic.Plain()
	late.Begins, late.Dies = map[int]int{1: 400}, map[int]int{0: 900}
	short := synthetic.Plain()
	short.Minutes = 1
	for name, c := range map[string]synthetic.Case{"plain": synthetic.Plain(), "tasks come and go": late, "a minute": short} {
		r := analyzed(t, c)
		valid(t, r)
		for _, f := range r.Headline {
			if f.Value != nil {
				require.True(t, f.Window.Duration() > 0, "%s: %s", name, f.ID)
			}
		}
	}
}
