package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

func TestVerdicts(t *testing.T) {
	ended := func(node, m int) float64 { // burst for 8 minutes, then the baseline
		if m < 8 {
			return 60 * 5 * synthetic.Baseline
		}
		return 60 * 0.99 * synthetic.Baseline
	}
	for name, test := range map[string]struct {
		change  func(*synthetic.Case)
		outcome string
		limits  []string
		says    string
	}{
		"nothing":    {func(*synthetic.Case) {}, NotLimited, []string{}, "Not limited by anything that was measured; nearest was the load generator (CPU of the tasks at 40 %)"},
		"engine CPU": {func(c *synthetic.Case) { c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 96}) }, Limited, []string{"engine_cpu"}, "Limited by engine CPU (perf-001 at 96 %, limit 90 %, 2 of 2 nodes)"},
		"one hot node": {func(c *synthetic.Case) {
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return 20 + 75*float64(n) }}
		}, Limited, []string{"engine_cpu"}, "perf-002 at 95 %"},
		"engine CPU by the host's": {func(c *synthetic.Case) {
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": nil, "CPUUtilization": func(int, int) float64 { return 47 }}
		}, Limited, []string{"engine_cpu"}, "host CPU of perf-001 at 47 %, limit 45 %"},
		"host CPU":      {func(c *synthetic.Case) { c.Metrics = synthetic.With(map[string]float64{"CPUUtilization": 93}) }, Limited, []string{"host_cpu"}, "Limited by host CPU"},
		"bandwidth out": {func(c *synthetic.Case) { c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": ended} }, Limited, []string{"bandwidth_out"}, "Limited by bandwidth out (perf-001 at 99 % of 937 Mbit/s, 2 of 2 nodes"},
		"bandwidth in":  {func(c *synthetic.Case) { c.Metrics = map[string]func(int, int) float64{"NetworkBytesIn": ended} }, Limited, []string{"bandwidth_in"}, "Limited by bandwidth in"},
		"all of the burst": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * 0.95 * synthetic.Burst})
		}, Limited, []string{"bandwidth_out"}, "at 95 % of 12.5 Gbit/s"},
		"counters alone": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"NetworkBandwidthOutAllowanceExceeded": 120})
		}, Limited, []string{"bandwidth_out"}, "perf-001, perf-002: packets queued in 100 % of the minutes"},
		"packets": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"NetworkPacketsPerSecondAllowanceExceeded": 120})
		}, Limited, []string{"packets_per_second"}, "Limited by packets per second"},
		"tracking": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"NetworkConntrackAllowanceExceeded": 120})
		}, Limited, []string{"connection_tracking"}, "connection tracking"},
		"evictions": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"Evictions": 6000, "DatabaseMemoryUsageCountedForEvictPercentage": 100})
		}, Limited, []string{"memory"}, "evictions in 100 % of the minutes, 200 keys/s, memory at 100 %"},
		"full without evictions": {func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"DatabaseMemoryUsageCountedForEvictPercentage": 100})
		}, Limited, []string{"memory"}, "memory of perf-001 at 100 %"},
		"rejected":                 {func(c *synthetic.Case) { c.Metrics = synthetic.With(map[string]float64{"RejectedConnections": 3}) }, Limited, []string{"connections"}, "Limited by connections"},
		"managed":                  {func(c *synthetic.Case) { c.Metrics = synthetic.With(map[string]float64{"TrafficManagementActive": 1}) }, Limited, []string{"traffic_management"}, "traffic management"},
		"load generator":           {func(c *synthetic.Case) { c.TaskCPU = 97 }, Limited, []string{"load_generator"}, "The cache was not at a limit: it can do more."},
		"threads of the generator": {func(c *synthetic.Case) { c.TaskCPU, c.Settings = 48, `, "threads": 1` }, Limited, []string{"load_generator"}, "CPU of the tasks at 48 % of which 1 thread can use 50 %"},
		"rate limit":               {func(c *synthetic.Case) { c.Settings = `, "rate_limit": 500` }, Limited, []string{"load_generator"}, "its rate limit of 20,000 ops/s was reached"},
		"two at once": {func(c *synthetic.Case) {
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(int, int) float64 { return 95 }, "NetworkBytesOut": ended}
		}, Limited, []string{"engine_cpu", "bandwidth_out"}, "(perf-001 at 95 %, limit 90 %, 2 of 2 nodes) and bandwidth out ("},
		"no engine CPU, many vCPUs": {func(c *synthetic.Case) {
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": nil, "CPUUtilization": nil}
		}, CannotTell, []string{}, "Cannot tell what limited the run, because engine CPU is missing; nothing else was at its limit."},
		"no task CPU": {func(c *synthetic.Case) { c.TaskCPU = -1 }, CannotTell, []string{}, "because CPU of the load service is missing"},
		"a limit though data is missing": {func(c *synthetic.Case) {
			c.TaskCPU = -1
			c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 99})
		}, Limited, []string{"engine_cpu"}, "engine CPU"},
	} {
		t.Run(name, func(t *testing.T) {
			c := synthetic.Plain()
			test.change(&c)
			r := analyzed(t, c)
			require.Equal(t, test.outcome, r.Verdict.Outcome, r.Verdict.Sentence)
			require.Equal(t, test.limits, r.Verdict.Limits)
			require.Contains(t, r.Verdict.Sentence, test.says)
			require.Len(t, r.Verdict.Findings, len(rules))
			require.NotEmpty(t, r.Verdict.Next, "a next step stands under every verdict")
		})
	}
}

func TestCreditsOfBurstableTypes(t *testing.T) {
	c := synthetic.Plain()
	c.Metrics = map[string]func(int, int) float64{"CPUCreditBalance": func(_, m int) float64 { return max(0, 10-float64(m)*4) }, "CPUUtilization": func(int, int) float64 { return 20 }}
	run := Run(c.Files())
	run.Manifest.Membership.NodeType = "cache.t4g.micro"
	r, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	require.Contains(t, r.Verdict.Limits, "cpu_credits")
	require.Equal(t, NotApplicable, analyzed(t, synthetic.Plain()).Verdict.Findings[2].State)
}

func TestBurstEndsAtAKnownMinute(t *testing.T) {
	for _, minute := range []int{5, 12, 17} {
		c := synthetic.Plain()
		c.Minutes, c.Nodes = 30, 1
		c.Rate = func(_, s int) float64 {
			if s < 60*minute {
				return 40_000
			}
			return 8_000
		}
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 {
			if m < minute {
				return 60 * 5 * synthetic.Baseline
			}
			return 60 * 0.98 * synthetic.Baseline
		}}
		r := analyzed(t, c)
		out := r.Network.Nodes[0].Out
		require.Equal(t, BurstEnded, out.State)
		require.Equal(t, minute, *out.EndedMinute)
		require.Equal(t, synthetic.Began.Add(time.Duration(minute)*time.Minute), *out.EndedAt)
		require.InDelta(t, 5*synthetic.Baseline, *out.BurstBytesPerSecond, 1)
		require.InDelta(t, 0.98*synthetic.Baseline, *out.SustainedBytesPerSecond, 1)
		require.EqualValues(t, minute, *out.BurstMinutes)
		require.True(t, out.LongEnough)
		require.Equal(t, BelowBaseline, r.Network.Nodes[0].In.State)
		require.Contains(t, r.Network.Summary, "until minute")

		require.Equal(t, []string{Burst, Steady}, phaseNames(r)[:2])
		require.Equal(t, *out.EndedAt, r.Phases.Steady.Start)
		require.InEpsilon(t, 16_000, *r.figure("ops_per_second"), 0.005)
		require.InEpsilon(t, 80_000, *r.figure("ops_per_second_burst"), 0.005)
		require.Equal(t, []string{"bandwidth_out"}, r.Verdict.Limits)
		require.NotNil(t, r.Network.Fargate.FellAt)
		require.Equal(t, *out.EndedAt, *r.Network.Fargate.FellAt)
		require.Contains(t, r.Network.Fargate.Sentence, "when the nodes' burst ended")
	}
}

// phaseNames also checks that phases leave no gap.
func phaseNames(r *Results) (names []string) {
	for i, p := range r.Phases.List {
		if i > 0 && !p.Start.Equal(r.Phases.List[i-1].End) {
			return []string{"a gap before " + p.Phase}
		}
		names = append(names, p.Phase)
	}
	return names
}

func TestBurstToTheEndIsTooShortATest(t *testing.T) {
	c := synthetic.Plain()
	c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * 3 * synthetic.Baseline})
	d := analyzed(t, c).Network.Nodes[0].Out
	require.Equal(t, BurstToEnd, d.State)
	require.False(t, d.LongEnough)
	require.Nil(t, d.SustainedBytesPerSecond)

	c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 { return 60 * synthetic.Baseline * map[bool]float64{true: 3, false: 0.2}[m < 9] }}
	d = analyzed(t, c).Network.Nodes[0].Out
	require.Equal(t, BurstUnclear, d.State, "less load is no end of a burst")
	require.False(t, d.LongEnough)
}

func TestPhases(t *testing.T) {
	t.Run("warm-up and ramp-down", func(t *testing.T) {
		c := synthetic.Plain()
		c.Rate = func(_, s int) float64 {
			switch {
			case s < 100:
				return 2000 + 80*float64(s)
			case s >= 20*60-30:
				return 5000
			}
			return 10_000
		}
		r := analyzed(t, c)
		require.Equal(t, []string{WarmUp, Steady, RampDown}, phaseNames(r))
		require.InDelta(t, 92, r.Phases.Steady.Start.Sub(synthetic.Began).Seconds(), 10, "the rule takes the last seconds of a ramp that no longer matter")
		require.InDelta(t, 30, c.End().Sub(r.Phases.Steady.End).Seconds(), 5)
		require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.005)
		require.InDelta(t, 0, *r.Phases.DriftPercent, 1)
	})
	t.Run("prefill", func(t *testing.T) {
		c := synthetic.Plain()
		c.Metrics = map[string]func(int, int) float64{"GetTypeCmds": func(_, m int) float64 { return map[bool]float64{true: 0, false: 1e6}[m < 4] }}
		c.Rate = func(_, s int) float64 { return map[bool]float64{true: 4000, false: 10_000}[s < 240] }
		r := analyzed(t, c)
		require.Equal(t, Window{Prefill, synthetic.Began, synthetic.Began.Add(4 * time.Minute)}, r.Phases.List[0])
		require.False(t, r.Phases.Steady.Start.Before(synthetic.Began.Add(4*time.Minute)))
	})
	t.Run("prefill that the tasks speak of", func(t *testing.T) {
		c := synthetic.Plain()
		c.Fill, c.Begins = 40, map[int]int{1: 20}
		r := analyzed(t, c)
		require.Equal(t, Window{Prefill, synthetic.Began.Add(-40 * time.Second), synthetic.Began.Add(20 * time.Second)}, r.Phases.List[0], "until the last task has its keys")
		require.Equal(t, r.Phases.List[0].End, r.Phases.Load.Start)
		for _, f := range r.Headline {
			require.False(t, f.Window != nil && f.Window.Phase != "run" && f.Window.Start.Before(r.Phases.List[0].End), f.ID)
		}
		require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.005)
		require.InEpsilon(t, 10_000*(1200+1180), r.Client.Operations, 0.005, "what the prefill wrote and read does not count")
		require.Equal(t, r.Client.Operations, r.Client.Latency.Operations)
		require.NotContains(t, strings.Join(r.Warnings, "\n"), "memtier restarted")
		require.Equal(t, "ok", r.Tasks[1].State)
	})
	t.Run("nothing to cut", func(t *testing.T) {
		r := analyzed(t, synthetic.Plain())
		require.Equal(t, Steady, r.Phases.List[0].Phase)
		require.Equal(t, synthetic.Began, r.Phases.Steady.Start)
	})
}

func TestTasksThatAreNotAsTheOthers(t *testing.T) {
	c := synthetic.Plain()
	c.Tasks = 4
	c.Dies = map[int]int{3: 900}
	c.Begins = map[int]int{2: 45}
	r := analyzed(t, c)
	require.Len(t, r.Tasks, 4)
	byID := map[string]TaskResult{}
	for _, x := range r.Tasks {
		byID[x.ID] = x
	}
	dead, late := byID[synthetic.Task(3)], byID[synthetic.Task(2)]
	require.Equal(t, "died", dead.State)
	require.Contains(t, dead.Trouble, "its last log line was at 03:25:00; ECS says: OutOfMemoryError")
	require.Empty(t, dead.Percentiles)
	require.InDelta(t, 45, *late.LateSeconds, 1.5)
	require.Equal(t, 3, r.Client.Latency.Tasks)
	require.Contains(t, r.Client.Latency.Note, "Of 3 of 4 tasks.")
	require.Contains(t, strings.Join(r.Warnings, "\n"), "task task0003 died")
	require.Contains(t, strings.Join(r.Warnings, "\n"), "task task0002 started 45 s after the first")
	require.WithinDuration(t, synthetic.Began.Add(46*time.Second), r.Phases.Steady.Start, 2*time.Second, "steady is where all four ran")
	require.WithinDuration(t, synthetic.Began.Add(900*time.Second), r.Phases.Steady.End, 2*time.Second)
	require.Equal(t, []string{WarmUp, Steady, Disturbed}, phaseNames(r))
	require.InEpsilon(t, 40_000, *r.figure("ops_per_second"), 0.005)
	require.InEpsilon(t, 10_000*(1200+1200+1155), float64(r.Client.SuccessfulOperations), 0.005)
	require.InEpsilon(t, 10_000*(1200+1200+1155+900), float64(r.Client.Operations), 0.005)
}

// Percentiles of all tasks are those of all operations, to the three digits of memtier's histograms.
func TestPercentilesAreMergedNotAveraged(t *testing.T) {
	c := synthetic.Plain()
	c.Latency = func(task int) []int64 {
		if task == 0 {
			return []int64{100, 200, 300, 400}
		}
		return []int64{1000, 2000, 30_000, 400_000}
	}
	l := analyzed(t, c).Client.Latency
	p50, _ := l.At(50)
	require.InEpsilon(t, 0.4, p50, 0.02, "half of the operations are those of the first task")
	p90, _ := l.At(90)
	require.InEpsilon(t, 400, p90, 0.002)
	require.InEpsilon(t, 400, *l.MaxMS, 0.002)
	require.InEpsilon(t, (0.1+0.2+0.3+0.4+1+2+30+400)/8, *l.MeanMS, 0.01)
	require.Equal(t, 100.0, l.Curve[len(l.Curve)-1].Percent)
	require.True(t, slices.IsSortedFunc(l.Curve, func(a, b Percentile) int { return cmp.Or(cmp.Compare(a.MS, b.MS), cmp.Compare(a.Percent, b.Percent)) }))
	require.Equal(t, "closed", l.Loop)
	require.Contains(t, l.Note, "Coordinated omission")
	c.Settings = `, "rate_limit": 100`
	require.Equal(t, "rate_limited", analyzed(t, c).Client.Latency.Loop)
}

func TestHistogramsThatAreNotWhole(t *testing.T) {
	const good = "load: hdr sha256=0000 part=1/2 abc"
	for name, lines := range map[string][]string{
		"printed 1 of 2 parts of its histogram": {good},
		"checksum":                              {good, "load: hdr sha256=0000 part=2/2 def"},
		"does not say":                          {"load: hdr sha256=0000 part=3/2 abc"},
		"words":                                 {"load: hdr sha256=0000"},
	} {
		c := &chunks{}
		for _, line := range lines {
			c.add(line)
		}
		require.Contains(t, c.problem(), name)
	}
	require.Equal(t, "printed no histogram", (*chunks)(nil).problem())
}

func TestEverySecondCountsOnce(t *testing.T) {
	var s seconds
	s.spread(10.25, 12.75, 250)
	require.InDeltaSlice(t, []float64{75, 100, 75}, s.v[10:], 1e-9)
	var f rollup
	for i := range 10_000 {
		f.add(int64(i), 1)
	}
	require.EqualValues(t, 4, f.step)
	sum := 0.0
	for _, v := range f.v {
		sum += v
	}
	require.EqualValues(t, 10_000, sum)
}

func TestMissingData(t *testing.T) {
	c := synthetic.Plain()
	c.Metrics = map[string]func(int, int) float64{"NetworkBytesIn": nil, "NetworkBytesOut": nil, "ProcessedCommands": nil}
	r := analyzed(t, c)
	why, lacks := r.Lacks("network")
	require.True(t, lacks)
	require.Contains(t, why, "NetworkBytesIn and NetworkBytesOut")
	_, lacks = r.Lacks("server")
	require.True(t, lacks)
	require.Equal(t, NotLimited, r.Verdict.Outcome, "the counters say that no packet was dropped")

	t.Run("nothing at all", func(t *testing.T) {
		r, err := Analyze(context.Background(), Run{})
		require.NoError(t, err)
		require.Equal(t, CannotTell, r.Verdict.Outcome)
		require.NotEmpty(t, r.Lacking)
		valid(t, r)
	})
	t.Run("metrics alone", func(t *testing.T) {
		r, err := Analyze(context.Background(), Run{Metrics: synthetic.Plain().Files().Metrics})
		require.NoError(t, err)
		require.InEpsilon(t, 40_000, *r.figure("ops_per_second"), 0.001, "two nodes of 1.2 million commands a minute")
		_, lacks := r.Lacks("client")
		require.True(t, lacks)
		require.Equal(t, 2, r.Configuration.Nodes)
		valid(t, r)
	})
	t.Run("log alone", func(t *testing.T) {
		r, err := Analyze(context.Background(), Run{Logs: synthetic.Plain().Files().Logs})
		require.NoError(t, err)
		require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.001)
		require.Equal(t, CannotTell, r.Verdict.Outcome)
		require.Equal(t, "2026-11-23T03-00-00Z", r.Run)
		valid(t, r)
	})
	t.Run("tasks that did nothing", func(t *testing.T) {
		run := Run(synthetic.Plain().Files())
		run.Logs = strings.NewReader("[2026-11-23T03:08:09.001Z] [load/memtier/aaa] load: run=2026-11-23T03-00-00Z task=aaa generator=\"memtier_benchmark 2.3.1\"\n" +
			"[2026-11-23T03:08:19.001Z] [load/memtier/aaa] load: failed: no command succeeded\n")
		r, err := Analyze(context.Background(), run)
		require.NoError(t, err)
		require.Equal(t, "Cannot tell what limited the run, because no task did an operation: task aaa failed: no command succeeded.", r.Verdict.Sentence)
		require.Equal(t, "failed", r.Tasks[0].State)
		valid(t, r)
	})
	t.Run("an interruption", func(t *testing.T) {
		c := synthetic.Plain()
		c.Nodes = 1
		var b bytes.Buffer
		c.CSV(&b)
		var kept []string
		for _, line := range strings.Split(b.String(), "\n") {
			if !strings.HasPrefix(line, "2026-11-23T03:15") && !strings.HasPrefix(line, "2026-11-23T03:16") {
				kept = append(kept, line)
			}
		}
		r, err := Analyze(context.Background(), Run{Metrics: strings.NewReader(strings.Join(kept, "\n")), Logs: c.Files().Logs})
		require.NoError(t, err)
		require.Len(t, r.Gaps, 1)
		require.Equal(t, "EngineCPUUtilization, CPUUtilization, NetworkBytesIn and NetworkBytesOut of perf-001", r.Gaps[0].What)
		require.Equal(t, GapInterrupted, r.Gaps[0].Reason)
		require.Equal(t, synthetic.Began.Add(5*time.Minute), *r.Gaps[0].Start)
		require.EqualValues(t, 120, r.Gaps[0].Seconds)
	})
}

// A file is read in any order of rows and columns, and may contain a cluster's series twice.
func TestFilesFromElsewhere(t *testing.T) {
	c := synthetic.Plain()
	c.Nodes = 1
	var b bytes.Buffer
	c.CSV(&b)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var other []string
	for _, line := range lines[1:] {
		other = append(other, line)
		if cluster := strings.Replace(line, ";CacheNodeId=0001", "", 1); cluster != line {
			other = append(other, cluster)
		}
	}
	slices.Reverse(other)
	for i, line := range other {
		f := strings.Split(line, ",")
		slices.Reverse(f)
		other[i] = strings.Join(f, ",")
	}
	text := "Dimensions,Unit,Value,Stat,MetricName,Namespace,Timestamp\n" + strings.Join(other, "\n") + "\n"
	r, err := Analyze(context.Background(), Run{Metrics: strings.NewReader(text), Logs: c.Files().Logs, Manifest: c.Manifest()})
	require.NoError(t, err)
	want := analyzed(t, c)
	r.Provenance, want.Provenance = Provenance{}, Provenance{}
	require.Equal(t, marshal(t, want), marshal(t, r))
}

func TestErrorsOfFiles(t *testing.T) {
	_, err := Analyze(context.Background(), Run{Metrics: strings.NewReader("a,b\n")})
	require.ErrorContains(t, err, "no column Timestamp")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("told to stop"))
	_, err = Analyze(ctx, Run(synthetic.Plain().Files()))
	require.ErrorContains(t, err, "told to stop")
}

func marshal(t testing.TB, r any) string {
	text, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	return string(text) + "\n"
}

// A small run with every kind of data, as results.json.
func TestGoldenResults(t *testing.T) {
	c := synthetic.Case{Minutes: 12, Tasks: 2, Nodes: 1, TaskCPU: 96, Rate: func(task, s int) float64 { return map[bool]float64{true: 9000, false: 3000}[s < 300] }}
	c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 { return 60 * synthetic.Baseline * map[bool]float64{true: 3, false: 1}[m < 5] },
		"NetworkBandwidthOutAllowanceExceeded": func(_, m int) float64 { return map[bool]float64{true: 0, false: 1200}[m < 5] }}
	r := analyzed(t, c)
	text := marshal(t, r)
	const golden = "testdata/results.json"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.True(t, string(want) == text, "%s is not as expected; look at the difference, then run with -update", golden)
	valid(t, r)

	var back Results
	require.NoError(t, json.Unmarshal(want, &back))
	require.Equal(t, text, marshal(t, &back), "results.json reads back")
}

// Analyze answers or returns an error for any files, and the answer follows the schema.
func FuzzAnalyze(f *testing.F) {
	c := synthetic.Case{Minutes: 2, Tasks: 1, Nodes: 1, TaskCPU: 40}
	var metrics, log bytes.Buffer
	c.CSV(&metrics)
	c.Log(&log)
	f.Add(metrics.String(), log.String())
	f.Add(metrics.String()[:2000]+"1970-01-01T00:00:00Z,AWS/ElastiCache,CPUUtilization,Average,1,Percent,CacheClusterId=perf-001;CacheNodeId=0001\n", exported)
	f.Fuzz(func(t *testing.T, metrics, log string) {
		r, err := Analyze(context.Background(), Run{Metrics: strings.NewReader(metrics), Logs: strings.NewReader(log)})
		if err == nil {
			valid(t, r)
			Compare([]*Results{r, r})
		}
	})
}
