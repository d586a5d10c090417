package page

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

var begin = time.Date(2026, 11, 23, 3, 8, 0, 0, time.UTC)

func at(minutes float64) time.Time {
	return begin.Add(time.Duration(minutes * float64(time.Minute)))
}

func ptr[T any](v T) *T { return &v }

// wave is a series over the minutes from 0 on, with a little deterministic noise.
func wave(name, unit string, minutes float64, step int, of func(minute float64) float64) *report.Series {
	s := &report.Series{Name: name, Unit: unit, Stat: "mean", Start: begin, StepSeconds: step}
	for i := 0; i < int(minutes*60)/step; i++ {
		m := float64(i*step) / 60
		s.Values = append(s.Values, of(m)*(1+0.02*math.Sin(float64(i)*1.7)+0.01*math.Sin(float64(i)*0.31)))
	}
	return s
}

// ranged adds the extremes of a down-sampled series.
func ranged(s *report.Series) *report.Series {
	for _, v := range s.Values {
		s.Low, s.High = append(s.Low, v*0.9), append(s.High, v*1.07)
	}
	return s
}

// burst is a run whose burst bandwidth ends at minute 12, and one of whose tasks dies at minute 20.
func burst(minutes float64, step, tasks, nodes int) *report.Results {
	end := 12.
	shape := func(high, low float64) func(float64) float64 {
		return func(m float64) float64 {
			v := high
			if m >= end {
				v = low
			}
			return v * min(1, 0.3+m)
		}
	}
	load := &report.Window{Phase: "load", Start: at(0), End: at(minutes)}
	steady := &report.Window{Phase: "steady", Start: at(end + 1), End: at(minutes - 0.5)}
	r := &report.Results{
		SchemaVersion: report.SchemaVersion, Run: "2026-11-23T03-08-00Z", Name: "orders",
		Phases: report.Phases{Load: load, Steady: steady, DriftPercent: ptr(-0.4), VariationPercent: ptr(1.8),
			List: []report.Window{{Phase: "warm_up", Start: at(0), End: at(2)}, {Phase: "burst", Start: at(2), End: at(end + 1)}, *steady,
				{Phase: "ramp_down", Start: at(minutes - 0.5), End: at(minutes)}},
			Method: "Steady state by the smallest marginal standard error of the minutes' throughput (MSER-5; White, 1997)."},
		Verdict: report.Verdict{Outcome: report.Limited, Limits: []string{"bandwidth_out"}, Window: steady,
			Sentence: "Limited by bandwidth out: orders-001 sent 498 Mbit/s, 100 % of the baseline of 500 Mbit/s of cache.t4g.small, from minute 12 on, when its burst ended; engine CPU stood at 41 %.",
			Next:     "Use a node type with more baseline bandwidth.", Notes: []string{"slow commands: 3 commands in the slow log, most often KEYS (3 times)."},
			Segments: []report.Segment{{Window: r0, OpsPerSecond: ptr(97400.), Ended: "the burst bandwidth ended", Limits: []string{}}, {Window: *steady, OpsPerSecond: ptr(48211.), Limits: []string{"bandwidth_out"}}},
			Events:   []report.Event{{Kind: report.EventOutage, Start: at(15), End: at(15.5), Text: "no operation for 30 s from 03:23:00"}},
			Findings: []report.Finding{
				{ID: "engine_cpu", Name: "engine CPU", State: report.Quiet, Measured: ptr(41.2), Threshold: 90, Unit: "percent", Where: []string{"orders-001"}, Evidence: "The engine thread of orders-001 was busy 41.2 % of the time.", Rule: "Mean of the busiest node over the steady window.", Source: "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.WhichShouldIMonitor.html"},
				{ID: "bandwidth_out", Name: "bandwidth out", State: report.Fired, Measured: ptr(62.3e6), Threshold: 59.4e6, Unit: "bytes/s", Where: []string{"orders-001", "orders-002"}, Evidence: "Held at the baseline for 17 minutes while NetworkBandwidthOutAllowanceExceeded rose by 181,204 packets.", Rule: "Mean at 95 % of the baseline or more.", Source: "node_types.csv"},
				{ID: "memory", Name: "memory and evictions", State: report.Quiet, Measured: ptr(38.), Threshold: 100, Unit: "percent", Evidence: "No key was evicted.", Rule: "Evictions, or 100 % of maxmemory.", Source: "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html"},
				{ID: "cpu_credits", Name: "CPU credits", State: report.NoData, Unit: "credits", Evidence: "CPUCreditBalance is not in the export.", Rule: "Balance at 0."},
				{ID: "load", Name: "load generator", State: report.NotApplicable, Unit: "percent", Evidence: "The load is rate limited.", Rule: "Task CPU at 95 % or more."},
			}},
		Headline: []report.Figure{
			{ID: "ops_per_second", Label: "throughput", Value: ptr(48211.), Unit: "ops/s", Better: "higher", Window: steady, Note: "operations of all tasks, second by second"},
			{ID: "burst_ops_per_second", Label: "throughput in the burst", Value: ptr(97400.), Unit: "ops/s", Better: "higher", Window: &r0, Note: "until the burst ended"},
			{ID: "latency_p50_ms", Label: "latency p50", Value: ptr(0.631), Unit: "ms", Better: "lower", Window: load, Note: "merged from the histograms of 4 tasks"},
			{ID: "latency_p99_ms", Label: "latency p99", Value: ptr(4.287), Unit: "ms", Better: "lower", Window: load, Note: "merged from the histograms of 4 tasks"},
			{ID: "latency_p999_ms", Label: "latency p99.9", Value: ptr(11.903), Unit: "ms", Better: "lower", Window: load, Note: "merged from the histograms of 4 tasks"},
			{ID: "hit_percent", Label: "reads that hit", Value: ptr(99.2), Unit: "percent", Better: "higher", Window: load},
			{ID: "usd_per_million", Label: "cost of a million operations", Value: ptr(0.000921), Unit: "USD", Better: "lower", Window: load},
			{ID: "load_bytes_per_second", Label: "traffic of the load", Value: ptr(71.2e6), Unit: "bytes/s", Window: steady},
			{ID: "credits", Label: "CPU credits used", Unit: "credits", Note: "CPUCreditUsage is not in the export"},
		},
		Client: report.Client{
			Throughput:  ranged(wave("throughput", "ops/s", minutes, step, shape(97400, 48200))),
			MeanLatency: wave("latency", "ms", minutes, step, shape(0.41, 0.83)), Bytes: wave("bytes", "bytes/s", minutes, step, shape(125e6, 62e6)),
			Operations: 118_204_112, SuccessfulOperations: 107_118_200, HitPercent: ptr(99.2),
			Errors: report.Errors{Connections: 3, Reconnects: 3, Lines: 12, Kinds: []report.ErrorKind{{Text: "connection error: Connection reset by peer (fd #)", Count: 12, First: at(20)}}},
			Latency: report.Latency{Window: load, Tasks: tasks - 1, Operations: 107_118_200, MeanMS: ptr(0.84), MaxMS: ptr(61.2), Loop: "closed",
				Note:        "A closed loop sends the next request when the last is answered: time that requests would have waited is not in these percentiles (coordinated omission).",
				Percentiles: []report.Percentile{{Percent: 50, MS: 0.631}, {Percent: 90, MS: 1.4}, {Percent: 95, MS: 2.1}, {Percent: 99, MS: 4.287}, {Percent: 99.9, MS: 11.903}, {Percent: 99.99, MS: 28.4}}},
		},
		Server: report.Server{
			Commands: wave("commands", "commands/s", minutes, max(step, 60), shape(97300, 48100)), HitRate: wave("hits", "percent", minutes, max(step, 60), shape(99, 99)),
			ReadP50: wave("p50", "ms", minutes, max(step, 60), shape(0.021, 0.019)), ReadP99: wave("p99", "ms", minutes, max(step, 60), shape(0.094, 0.082)),
			WriteP50: wave("p50", "ms", minutes, max(step, 60), shape(0.028, 0.026)), WriteP99: wave("p99", "ms", minutes, max(step, 60), shape(0.131, 0.117)),
		},
		Network: report.Network{
			NodeType: "cache.t4g.small", BaselineBytesPerSecond: ptr(62.5e6), BurstBytesPerSecond: ptr(625e6), Source: "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html",
			In: wave("in", "bytes/s", minutes, max(step, 60), shape(9e6, 4.6e6)), Out: wave("out", "bytes/s", minutes, max(step, 60), shape(125e6, 62.3e6)),
			PeakIn: wave("in", "bytes/s", minutes, max(step, 60), shape(11e6, 5.2e6)), PeakOut: wave("out", "bytes/s", minutes, max(step, 60), shape(139e6, 66e6)),
			Summary: "Burst throughput was 97,400 ops/s until minute 12; sustained throughput is 48,211 ops/s. The test was long enough to tell.",
			Allowances: []report.Allowance{
				{Metric: "NetworkBandwidthInAllowanceExceeded", Packets: ptr(0.)},
				{Metric: "NetworkBandwidthOutAllowanceExceeded", Packets: ptr(181204.), Minutes: 17, Nodes: []string{"orders-001"}, Rate: wave("packets", "packets/s", minutes, max(step, 60), shape(0, 177))},
				{Metric: "NetworkPacketsPerSecondAllowanceExceeded"}},
			Fargate: report.FargateNetwork{Source: "load generator", MeanPerTask: ptr(15.6e6), PeakPerTask: ptr(31.4e6), TaskVCPU: ptr(1.),
				Sentence:   "Traffic fell when the cache's burst ended, not on the load's side; AWS documents no bandwidth of a Fargate task.",
				ServiceCPU: wave("cpu", "percent", minutes, max(step, 60), shape(52, 31)), ServiceCPUMax: wave("cpu", "percent", minutes, max(step, 60), shape(58, 34)), ServiceMemoryMax: wave("memory", "percent", minutes, max(step, 60), shape(4, 4))},
		},
		CPU: report.CPU{VCPU: ptr(2), Engine: wave("engine", "percent", minutes, max(step, 60), shape(70, 38)), EngineMax: wave("engine", "percent", minutes, max(step, 60), shape(79, 41)),
			Host: wave("host", "percent", minutes, max(step, 60), shape(51, 27)), HostMax: wave("host", "percent", minutes, max(step, 60), shape(56, 30))},
		Memory: report.Memory{NodeGiB: ptr(1.37), Evicted: ptr(0.), Percent: wave("memory", "percent", minutes, max(step, 60), func(m float64) float64 { return min(38, 4+5*m) }),
			Evictions: wave("evictions", "1/s", minutes, max(step, 60), shape(0, 0))},
		Connections: report.Connections{Current: wave("connections", "count", minutes, max(step, 60), shape(86, 84)), New: wave("new", "1/s", minutes, max(step, 60), shape(1.4, 0.9)), Rejected: ptr(0.), Expected: ptr(80)},
		Capacity:    report.Capacity{EngineOpsPerSecond: ptr(105_000.), BaselineOpsPerSecond: ptr(48_300.), First: "bandwidth", Sentence: "About 48,300 ops/s by the baseline bandwidth, which comes first."},
		Cost: report.Cost{Region: "us-east-1", TotalUSD: ptr(0.0987), CacheUSDPerHour: ptr(0.0512), CacheUSDPerMonth: ptr(37.4), CacheUSDPerMillion: ptr(0.000295), TestUSD: ptr(0.0705), USDPerMillionOps: ptr(0.000921), SteadyUSDPerMillion: ptr(0.00113), NotIncluded: []string{"data transfer between zones", "CloudWatch Logs"}, Note: "List prices on demand.",
			Items: []report.CostItem{{Name: "cache.t4g.small, valkey", Quantity: ptr(1.1), Unit: "node-hours", PriceUSD: ptr(0.0256), USD: ptr(0.02816), Source: "AWS price list of 2026-11-01", How: "2 nodes for 33 min"},
				{Name: "Fargate vCPU, X86_64", Quantity: ptr(2.0), Unit: "vCPU-hours", PriceUSD: ptr(0.04048), USD: ptr(0.08096), Source: "AWS price list of 2026-11-01"}}},
		Configuration: report.Configuration{Engine: "valkey", EngineVersion: "8.1.0", Server: "Valkey 8.1.0", NodeType: "cache.t4g.small", Nodes: nodes, Region: "us-east-1", Tasks: tasks, TaskCPUUnits: 1024, TaskMemoryMiB: 2048, Architecture: "X86_64", Threads: 2, Clients: 10, Pipeline: 1, DataSize: 1024, Ratio: "1:10", KeyPattern: "R:R", KeyMaximum: 500000, TLS: ptr(true), Image: "redislabs/memtier_benchmark:2.3.1", Generator: "memtier_benchmark 2.3.1", Settings: []byte(`{"load":{"threads":2,"clients":10},"cache":{"node_type":"cache.t4g.small"}}`)},
		Provenance: report.Provenance{ManifestComplete: ptr(true), ManifestCreated: ptr(at(minutes + 4)), ExportTool: "v0.3.0", MetricRows: 4711, MetricPeriod: 60, LogLines: 7712, LogEvents: 7712, MetricsFrom: ptr(at(-4)), MetricsTo: ptr(at(minutes + 3)), LogFrom: ptr(at(-1)), LogTo: ptr(at(minutes)),
			Files: []report.Source{{Kind: "metrics", Key: "exports/metrics/2026-11-23T03-08-00Z.csv", Bytes: 641004, SHA256: "d8bb2fcc376e03279ba2812bae21502fe724d6bd6958041afaffa276f3906f28", Verified: ptr(true)}},
			Data:  []report.Data{{Name: "node_types.csv", Source: "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html", AsOf: "2026-11-01"}}},
		Warnings: []string{"task 3f2a died at 03:28:00: its last operations are not in any percentile."},
		Gaps: []report.Gap{{Reason: report.GapInterrupted, What: "EngineCPUUtilization and CPUUtilization of orders-001", Where: []string{"orders-001"}, Start: ptr(at(18)), End: ptr(at(20)), Seconds: 120},
			{Reason: report.GapNoDatapoint, What: "2 metrics without any datapoint", Metrics: []string{"NetworkPacketsIn", "NetworkPacketsOut"}},
			{Reason: report.GapNoCommands, Expected: true, What: "latency of 7 kinds of commands that nobody sent", Metrics: []string{"EvalBasedCmdsLatency", "GeoSpatialBasedCmdsLatency",
				"HashBasedCmdsLatency", "HyperLogLogBasedCmdsLatency", "ListBasedCmdsLatency", "SetBasedCmdsLatency", "StreamBasedCmdsLatency"}}},
		Lacking: []report.Lack{{Section: "credits", Why: "CPUCreditBalance is not in the export"}},
	}
	for i := 0; i <= 50; i++ {
		n := float64(i) / 10
		r.Client.Latency.Curve = append(r.Client.Latency.Curve, report.Percentile{Percent: 100 * (1 - math.Pow(10, -n)), MS: 0.21 * math.Exp(n*1.25)})
	}
	for i := range r.CPU.EngineMax.Values {
		if i*max(step, 60) >= 18*60 && i*max(step, 60) < 20*60 {
			r.CPU.EngineMax.Values[i] = math.NaN()
		}
	}
	for i := range tasks {
		t := report.TaskResult{ID: fmt.Sprintf("%02x2a9c41d7be4fb2a7f0d1c2e3b4a5%02x", i*37%256, i), State: "ok", Generator: "memtier_benchmark 2.3.1", Started: ptr(at(-0.1)), FirstOps: ptr(at(0)), LastOps: ptr(at(minutes)),
			Finished: ptr(at(minutes)), LateSeconds: ptr(float64(i) * 0.4), Operations: 27_000_000 - int64(i)*31_113, OpsPerSecond: ptr(12050 - 130*float64(i%7)), BytesPerSec: ptr(15.6e6),
			Percentiles: []report.Percentile{{Percent: 50, MS: 0.62 + 0.01*float64(i%5)}, {Percent: 99, MS: 4.1 + 0.2*float64(i%4)}, {Percent: 99.9, MS: 11 + float64(i%6)}},
			Throughput:  wave("ops", "ops/s", minutes, step, shape(24350-float64(i%7)*200, 12050-float64(i%7)*130))}
		if i == tasks-1 && tasks > 1 {
			t.State, t.Trouble, t.LastOps, t.Finished, t.Percentiles = "died", "began and did not finish; ECS: OutOfMemoryError: Container killed due to memory usage", ptr(at(20)), nil, nil
			t.Throughput.Values = t.Throughput.Values[:min(len(t.Throughput.Values), 20*60/step)]
		}
		r.Tasks = append(r.Tasks, t)
	}
	for i := range nodes {
		id := fmt.Sprintf("orders-%03d", i+1)
		r.Nodes = append(r.Nodes, report.NodeResult{ID: id, Shard: "0001", Role: map[bool]string{true: "primary", false: "replica"}[i == 0], EngineCPUPercent: ptr(41.2 - float64(i%9)), HostCPUPercent: ptr(30.1), CommandsPerSecond: ptr(24100.), ReadP99MS: ptr(0.082), WriteP99MS: ptr(0.117), HitPercent: ptr(99.2), MemoryPercent: ptr(38.), Evictions: ptr(0.), MaxConnections: ptr(86.), BytesInPerSecond: ptr(4.6e6), BytesOutPerSecond: ptr(62.3e6)})
		d := report.NodeNetwork{Node: id, In: report.Direction{State: report.BelowBaseline, SustainedBytesPerSecond: ptr(4.6e6), LongEnough: true, Sentence: "Never above the baseline."},
			Out: report.Direction{State: report.BurstToEnd, BurstMinutes: ptr(minutes), BurstBytesPerSecond: ptr(120e6), Sentence: "Above the baseline until the end: the test was too short to tell what it sustains."}}
		if i == 0 {
			d.Out = report.Direction{State: report.BurstEnded, BurstMinutes: ptr(end), EndedAt: ptr(at(end)), EndedMinute: ptr(12), BurstBytesPerSecond: ptr(125e6), SustainedBytesPerSecond: ptr(62.3e6), LongEnough: true, Sentence: "Burst at 1 Gbit/s for 12 minutes, then held at the baseline."}
		}
		r.Network.Nodes = append(r.Network.Nodes, d)
	}
	return r
}

var r0 = report.Window{Phase: "burst", Start: at(2), End: at(12)}

// idle is a short run with nothing at its limit, one node, one task, metrics every 5 seconds and many sections without data.
func idle() *report.Results {
	w := &report.Window{Phase: "load", Start: at(0), End: at(1)}
	flat := func(v float64) func(float64) float64 { return func(float64) float64 { return v } }
	return &report.Results{SchemaVersion: report.SchemaVersion, Run: "2026-11-23T15-18-57Z",
		Verdict:  report.Verdict{Outcome: report.NotLimited, Sentence: "Nothing was at its limit: engine CPU 12 %, host CPU 9 %, memory 3 %; give it more load to find one."},
		Headline: []report.Figure{{ID: "ops_per_second", Label: "throughput", Value: ptr(45123.), Unit: "ops/s", Better: "higher", Window: w}, {ID: "latency_p99_ms", Label: "latency p99", Value: ptr(0.91), Unit: "ms", Better: "lower", Window: w}},
		Phases:   report.Phases{Load: w, List: []report.Window{*w}, Method: "Too short for a steady state: figures are of all of the load."},
		Client:   report.Client{Throughput: wave("ops", "ops/s", 1, 1, flat(45100)), MeanLatency: wave("ms", "ms", 1, 1, flat(0.31))},
		CPU:      report.CPU{EngineMax: wave("e", "percent", 1, 5, flat(12)), HostMax: wave("h", "percent", 1, 5, flat(9))},
		Tasks:    []report.TaskResult{{ID: "d5bf5abffe439f38eac5dcbf857c2d92", State: "ok", OpsPerSecond: ptr(45123.), Operations: 2_700_411, Throughput: wave("ops", "ops/s", 1, 1, flat(45100))}},
		Lacking:  []report.Lack{{Section: "network", Why: "NetworkBytesIn and NetworkBytesOut are not in the export"}, {Section: "latency", Why: "no task wrote its histogram"}, {Section: "memory", Why: "DatabaseMemoryUsagePercentage is not in the export"}},
	}
}

// bare is a run without any data.
func bare() *report.Results {
	return &report.Results{Run: "<script>alert(1)</script>", Verdict: report.Verdict{Outcome: report.CannotTell, Sentence: "Cannot tell: the export holds neither metrics nor a task's log."}}
}

func compared() *report.Comparison {
	a, b, c := burst(30, 10, 4, 2), burst(30, 10, 4, 2), idle()
	for i := range b.Client.Throughput.Values {
		b.Client.Throughput.Values[i] *= 1.21
		b.Client.MeanLatency.Values[i] *= 0.8
	}
	b.Client.Throughput.Start, b.Client.MeanLatency.Start = begin.Add(48*time.Hour), begin.Add(48*time.Hour)
	return &report.Comparison{SchemaVersion: 1, Runs: []string{"2026-11-23T03-08-00Z", "2026-11-25T03-08-00Z", "2026-11-23T15-18-57Z"},
		Groups: [][]int{{0}, {1}, {2}}, Cautions: []string{"run 2026-11-23T15-18-57Z: 1 of 4 tasks did not finish"},
		Answers:     []string{"B against A: better in throughput (+21.0 %, 95 %: +19.8 to +22.4 %); worse in p99 latency (+18.9 %, 95 %: +11.2 to +27.1 %)."},
		Verdicts:    []string{a.Verdict.Sentence, "Limited by engine CPU: orders-001 at 97 %.", c.Verdict.Sentence},
		Differences: []report.Difference{{Setting: "node type", Values: []string{"cache.t4g.small", "cache.m7g.large", "cache.t4g.micro"}}, {Setting: "tasks", Values: []string{"4", "4", "1"}}},
		Figures: []report.ComparedRow{
			{ID: "ops_per_second", Label: "throughput", Unit: "ops/s", Better: "higher", Cells: []report.Compared{{Value: ptr(48211.), Direction: report.Reference},
				{Value: ptr(58335.), Delta: ptr(10124.), DeltaPercent: ptr(21.), Interval: &[2]float64{19.8, 22.4}, P: ptr(0.004), Direction: report.BetterThan}, {Value: ptr(45123.), Delta: ptr(-3088.), DeltaPercent: ptr(-6.4), Direction: report.NotComparable, Why: "value size differs: 1,024 and 256 bytes"}}},
			{ID: "latency_p99_ms", Label: "latency p99", Unit: "ms", Better: "lower", Cells: []report.Compared{{Value: ptr(4.287), Direction: report.Reference},
				{Value: ptr(5.1), Delta: ptr(0.813), DeltaPercent: ptr(18.9), Direction: report.WorseThan}, {Value: nil, Direction: report.NotTested, Why: "no histogram"}}},
			{ID: "hit_percent", Label: "reads that hit", Unit: "percent", Better: "higher", Cells: []report.Compared{{Value: ptr(99.2), Direction: report.Reference},
				{Value: ptr(99.3), Delta: ptr(0.1), DeltaPercent: ptr(0.1), Interval: &[2]float64{-0.4, 0.6}, P: ptr(1.), Direction: report.WithinNoise}, {Value: ptr(99.), Delta: ptr(-0.2), DeltaPercent: ptr(-0.2), Direction: report.WithinNoise}}}},
		Method:     "A run is one repetition.",
		Throughput: []*report.Series{a.Client.Throughput, b.Client.Throughput, c.Client.Throughput}, MeanLatency: []*report.Series{a.Client.MeanLatency, b.Client.MeanLatency, c.Client.MeanLatency},
		Curves: [][]report.Percentile{a.Client.Latency.Curve, b.Client.Latency.Curve, nil}, Steady: []*report.Window{a.Phases.Steady, b.Phases.Steady, nil}}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, string(want) == got, "%s is not as expected; look at the difference, then run with -update", file)
}

func render(t testing.TB, r *report.Results) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, r))
	return b.String()
}

func TestHTML(t *testing.T) {
	for name, r := range map[string]*report.Results{"burst": burst(30, 30, 4, 2), "idle": idle(), "bare": bare()} {
		t.Run(name, func(t *testing.T) { golden(t, name+".html", render(t, r)) })
	}
}

// The page is self-contained, whatever the files contain.
func TestPageStandsAlone(t *testing.T) {
	text := render(t, burst(30, 30, 4, 2))
	for _, no := range []string{"src=", "<link rel=\"stylesheet", "@import", "url(", "fetch(", "http://"} {
		require.NotContains(t, text, no)
	}
	text = render(t, bare())
	require.NotContains(t, text, "<script>alert")
	require.Contains(t, text, "&lt;script&gt;alert(1)")
	require.NotContains(t, text, "ZgotmplZ", "html/template refused something")
}

func TestPageOfALongRunIsSmall(t *testing.T) {
	r := burst(24*60, 60, 100, 90)
	began := time.Now()
	size := len(render(t, r))
	t.Logf("24 h, 100 tasks, 90 nodes: %.2f MiB in %s", float64(size)/(1<<20), time.Since(began))
	require.Less(t, size, 5<<20)
}

func TestEveryChartIsOnThePage(t *testing.T) {
	r := burst(30, 30, 4, 2)
	r.CPU.Credits = wave("credits", "vCPU-minutes", 30, 60, func(m float64) float64 { return 400 - m })
	text := render(t, r)
	for id, c := range draw(r) {
		require.False(t, c.Empty(), id)
		require.Equal(t, 1, strings.Count(text, `id="`+id+`"`), id)
	}
}

func TestText(t *testing.T) {
	for name, r := range map[string]*report.Results{"burst": burst(30, 30, 4, 2), "idle": idle(), "bare": bare()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Text(&b, r))
			narrow(t, b.String())
			golden(t, name+".txt", b.String())
		})
	}
}

// A prefill comes before the load, and the row of bars covers only the load.
func TestTextOfARunWithAPrefill(t *testing.T) {
	r := burst(30, 10, 4, 2)
	r.Phases.List = append([]report.Window{{Phase: "prefill", Start: at(-5), End: at(0)}}, r.Phases.List...)
	var with, without strings.Builder
	require.NoError(t, Text(&with, r))
	r.Phases.List = r.Phases.List[1:]
	require.NoError(t, Text(&without, r))
	require.Equal(t, without.String(), with.String())
}

// The same first page for a pull request. Text from the files cannot make a table, link or tag.
func TestMarkdown(t *testing.T) {
	for name, r := range map[string]*report.Results{"burst": burst(30, 30, 4, 2), "idle": idle(), "bare": bare()} {
		var b bytes.Buffer
		require.NoError(t, Markdown(&b, r))
		require.NotContains(t, b.String(), "<script")
		golden(t, name+".md", b.String())
	}
}

func TestSummary(t *testing.T) {
	for name, r := range map[string]*report.Results{"burst": burst(30, 30, 4, 2), "bare": bare()} {
		var b bytes.Buffer
		require.NoError(t, Summary(&b, r, [][2]string{{"metrics", "s3/exports/metrics/x.csv"}, {"nothing", ""}}))
		golden(t, "summary-"+name+".txt", b.String())
	}
}

// narrow checks the width of a text; only an address can be longer.
func narrow(t *testing.T, text string) {
	t.Helper()
	for l := range strings.Lines(text) {
		if !strings.Contains(l, "://") {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(l, "\n")), columns, l)
		}
	}
}

func TestCompare(t *testing.T) {
	var page, text bytes.Buffer
	require.NoError(t, CompareHTML(&page, compared()))
	golden(t, "compare.html", page.String())
	for _, c := range overlaid(compared()) {
		for i, s := range c.Series {
			require.Equal(t, compared().Runs[i], s.Name, c.ID)
			require.Equal(t, i+1, s.Color, "a run has one colour on all charts, and on its verdict")
			if c.X == chart.Elapsed {
				require.Equal(t, math.Floor(s.Step/2), s.X[0], "from the load's start, whenever that was")
			}
		}
	}
	require.NoError(t, CompareText(&text, compared()))
	var markdown bytes.Buffer
	require.NoError(t, CompareMarkdown(&markdown, compared()))
	golden(t, "compare.md", markdown.String())
	narrow(t, text.String())
	golden(t, "compare.txt", text.String())
}

func TestZonesAreSaid(t *testing.T) {
	r := &report.Results{Configuration: report.Configuration{NodeZones: []string{"us-east-1b"}, TaskZones: []string{"us-east-1a", "us-east-1b"}}}
	var b strings.Builder
	require.NoError(t, Text(&b, r))
	require.Contains(t, b.String(), "  zones             nodes in us-east-1b, tasks in us-east-1a and us-east-1b\n")
	require.Contains(t, configuration(&r.Configuration), row{"zones", "nodes in us-east-1b, tasks in us-east-1a and us-east-1b"})
}

// A change that is printed as 0 went neither up nor down.
func TestAChangeOfZero(t *testing.T) {
	for percent, want := range map[float64]string{-0.04: "= 0 %", 0.04: "= 0 %", -0.06: "▼ −0.1 %", 0.06: "▲ +0.1 %"} {
		c := report.Compared{Delta: ptr(percent), DeltaPercent: ptr(percent), Direction: report.NotTested}
		require.Equal(t, want, arrow(c)+" "+change(c, "ops/s"))
	}
	require.Equal(t, "95 %: 0 to +0.1 %", interval(&[2]float64{-0.01, 0.1}))
}
