package report

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// began is the start of every crafted load; the cache is there two minutes earlier.
var began = time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)

// crafted is a run whose truth is known: cache.m7g.large nodes, tasks of 2 vCPU with 2 threads of 10 clients, nothing near its limit
// but what a test sets.
type crafted struct {
	minutes      int
	tasks, nodes int
	rate         func(task, second int) float64       // ops/s; default 10,000
	begins, dies map[int]int                          // seconds of the load
	fill         int                                  // seconds of prefill before the load; a task that begins later fills until then
	metrics      map[string]func(node, m int) float64 // of a node in a minute of the load; nil: the metric is missing
	taskCPU      float64                              // percent; negative: missing
	settings     string                               // more members of settings.load
	latency      func(task int) []int64               // microseconds; each value counts as a share of the operations
	serverless   string                               // members of settings.cache.serverless; "" for nodes
	bulk         int                                  // metrics that the analysis does not read, for each node
	every        int                                  // seconds between progress records; default 1
	period       int                                  // minutes between datapoints; default 1
}

func (c crafted) end() time.Time { return began.Add(time.Duration(c.minutes) * time.Minute) }

const (
	baseline = 0.937e9 / 8 // of cache.m7g.large, bytes/s
	burst    = 12.5e9 / 8
)

// usual is what a node does that is at no limit.
func usual() map[string]func(node, minute int) float64 {
	flat := func(v float64) func(int, int) float64 { return func(int, int) float64 { return v } }
	return map[string]func(int, int) float64{
		"EngineCPUUtilization": flat(40), "CPUUtilization": flat(25),
		"NetworkBytesIn": flat(0.2 * baseline * 60), "NetworkBytesOut": flat(0.5 * baseline * 60),
		"NetworkMaxBytesIn": flat(0.3 * baseline), "NetworkMaxBytesOut": flat(0.6 * baseline),
		"NetworkBandwidthInAllowanceExceeded": flat(0), "NetworkBandwidthOutAllowanceExceeded": flat(0),
		"NetworkPacketsPerSecondAllowanceExceeded": flat(0), "NetworkConntrackAllowanceExceeded": flat(0),
		"DatabaseMemoryUsageCountedForEvictPercentage": flat(30), "BytesUsedForCache": flat(1 << 30), "Evictions": flat(0),
		"CurrConnections": flat(45), "NewConnections": flat(0), "RejectedConnections": flat(0), "TrafficManagementActive": flat(0),
		"ProcessedCommands": flat(1_200_000), "GetTypeCmds": flat(1_000_000), "SetTypeCmds": flat(100_000),
		"CacheHits": flat(900_000), "CacheMisses": flat(100_000), "CurrItems": flat(100_000), "FreeableMemory": flat(4 << 30),
	}
}

var sums = []string{"NetworkBytesIn", "NetworkBytesOut", "Evictions", "ProcessedCommands", "GetTypeCmds", "SetTypeCmds", "CacheHits", "CacheMisses", "NewConnections", "RejectedConnections",
	"TotalCmdsCount", "ElastiCacheProcessingUnits"}

func statOf(name string) string {
	switch {
	case slices.Contains(sums, name) || strings.HasSuffix(name, "Exceeded") || strings.HasSuffix(name, "Cmds"):
		return "Sum"
	case strings.HasPrefix(name, "NetworkMax") || strings.HasPrefix(name, "DatabaseMemory") || name == "TrafficManagementActive":
		return "Maximum"
	}
	return "Average"
}

func (c crafted) nodeName(i int) string { return fmt.Sprintf("perf-%03d", i+1) }

func (c crafted) csv(w io.Writer) {
	out := bufio.NewWriterSize(w, 1<<16)
	defer out.Flush()
	fmt.Fprintln(out, strings.Join(export.Columns, ","))
	values := usual()
	if c.serverless != "" {
		for name := range values {
			if !slices.Contains([]string{"NetworkBytesIn", "NetworkBytesOut", "BytesUsedForCache", "Evictions", "CurrConnections", "NewConnections", "GetTypeCmds", "SetTypeCmds", "CacheHits", "CacheMisses", "CurrItems"}, name) {
				delete(values, name)
			}
		}
	}
	for name, f := range c.metrics {
		values[name] = f
	}
	var names []string
	for name, f := range values {
		if f != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	tails := make([]string, c.nodes)
	for n := range tails {
		tails[n] = ",Unit,CacheClusterId=" + c.nodeName(n) + ";CacheNodeId=0001\n"
		if c.serverless != "" {
			tails[n] = ",Unit,clusterId=perf\n"
		}
	}
	var b []byte
	for m := -2; m < c.minutes+1; m += max(1, c.period) {
		stamp := began.Add(time.Duration(m) * time.Minute).Format("2006-01-02T15:04:05+00:00")
		row := func(namespace, name, stat string, v float64, tail string) {
			b = append(append(append(append(append(b[:0], stamp...), namespace...), name...), ','), stat...)
			b = strconv.AppendFloat(append(b, ','), v, 'f', -1, 64)
			out.Write(append(b, tail...))
		}
		if c.taskCPU >= 0 {
			row(",AWS/ECS,", "CPUUtilization", "Average", c.taskCPU, ",Percent,ClusterName=perf;ServiceName=perf-load\n")
			row(",AWS/ECS,", "CPUUtilization", "Maximum", c.taskCPU+1, ",Percent,ClusterName=perf;ServiceName=perf-load\n")
		}
		for _, name := range names {
			for n := range c.nodes {
				v := values[name](n, m)
				if loaded := m >= 0 && m < c.minutes; statOf(name) == "Sum" {
					if v *= float64(max(1, c.period)); !loaded {
						v = 0
					}
				}
				row(",AWS/ElastiCache,", name, statOf(name), v, tails[n])
			}
		}
		for i := range c.bulk {
			for n := range c.nodes {
				row(",AWS/ElastiCache,", "SomeOtherMetricWithALongName"+strconv.Itoa(i), "Average", float64(m), tails[n])
			}
		}
	}
}

func (c crafted) ops(task, second int) float64 {
	if c.rate != nil {
		return c.rate(task, second)
	}
	return 10_000
}

func taskName(i int) string { return fmt.Sprintf("task%04d", i) }

func (c crafted) latencies(task int) []int64 {
	if c.latency != nil {
		return c.latency(task)
	}
	return []int64{300, 400, 500, 5000}
}

// log writes what the tasks print: progress each second with a noise of 1 %, then table, histogram and last word.
func (c crafted) log(w io.Writer) {
	out := bufio.NewWriterSize(w, 1<<16)
	defer out.Flush()
	random := rand.New(rand.NewPCG(1, 2))
	say := func(task int, at time.Time, format string, args ...any) {
		fmt.Fprintf(out, "[%s] [load/memtier/%s] %s\n", at.Format("2006-01-02T15:04:05.000Z"), taskName(task), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(out, "[%s] [engine-log/x] 1:M # Valkey version=8.1.0, bits=64\n", began.Add(-time.Minute).Format("2006-01-02T15:04:05.000Z"))
	done := make([]int64, c.tasks)
	head := make([]string, c.tasks)
	for t := range c.tasks {
		at := began.Add(time.Duration(c.begins[t])*time.Second - 3*time.Second)
		if c.fill > 0 {
			at = began.Add(time.Duration(-c.fill) * time.Second)
		}
		if c.begins[t] == 0 || c.fill > 0 {
			say(t, at, `load: run=2026-11-23T03-00-00Z task=%s generator="memtier_benchmark 2.3.1"`, taskName(t))
			say(t, at.Add(2*time.Second), "load: ready")
		}
		head[t] = "Z] [load/memtier/" + taskName(t) + "] [RUN #1 5%, "
	}
	// A prefill writes in its first half and reads in its second, each time with a generator that counts from zero.
	filling := func(t, second int) {
		at := began.Add(time.Duration(second) * time.Second)
		if whole := c.fill + c.begins[t]; second == c.begins[t] {
			say(t, at, "load: prefilled keys=100000 of 100000 seconds=%d", whole)
		} else if n := c.fill + second; n == 0 {
			say(t, at, "load: prefill keys=100000 bytes=25600000")
		} else {
			say(t, at, "[RUN #1 5%%, %3d secs]  2 threads 10 conns: %d ops, 50000 (avg: 50000) ops/sec, 9.00MB/sec (avg: 9.00MB/sec), 0.20 (avg: 0.20) msec latency", n%(whole/2+1), 50000*int64(n%(whole/2+1)))
		}
	}
	for s := -c.fill; s < 0; s++ {
		for t := range c.tasks {
			filling(t, s)
		}
	}
	var b []byte
	for s := range 60 * c.minutes {
		at := began.Add(time.Duration(s+1) * time.Second)
		stamp := at.Format("2006-01-02T15:04:05.")
		for t := range c.tasks {
			if c.fill > 0 && s <= c.begins[t] {
				filling(t, s)
			}
			if c.begins[t] == s+1 && s > 0 && c.fill == 0 {
				say(t, at, `load: run=2026-11-23T03-00-00Z task=%s generator="memtier_benchmark 2.3.1"`, taskName(t))
			}
			if s < c.begins[t] || c.dies[t] > 0 && s >= c.dies[t] {
				continue
			}
			ops := int64(c.ops(t, s) * (1 + 0.01*random.NormFloat64()))
			if done[t] += ops; (s+1)%max(1, c.every) != 0 {
				continue
			}
			b = append(append(append(b[:0], '['), stamp...), byte('0'+t/100%10), byte('0'+t/10%10), byte('0'+t%10))
			b = append(b, head[t]...)
			b = strconv.AppendInt(b, int64(s+1-c.begins[t]), 10)
			b = append(b, " secs]  2 threads 10 conns:     "...)
			b = strconv.AppendInt(b, done[t], 10)
			b = append(b, " ops,   "...)
			b = strconv.AppendInt(b, ops, 10)
			b = append(strconv.AppendInt(append(b, " (avg:   "...), done[t]/int64(s+1-c.begins[t]), 10), ") ops/sec, "...)
			b = strconv.AppendFloat(b, float64(ops)*300/1048576, 'f', 2, 64)
			b = append(b, "MB/sec (avg: 6.73MB/sec),  0.50 (avg:  0.60) msec latency\n"...)
			out.Write(b)
		}
	}
	for t := range c.tasks {
		if c.dies[t] > 0 {
			continue
		}
		at := c.end().Add(time.Second)
		say(t, at, "Type         Ops/sec     Hits/sec   Misses/sec    Avg. Latency     p50 Latency     p99 Latency   p99.9 Latency       KB/sec ")
		say(t, at, "Totals      %d      8000.00      2000.00         0.5         0.4         5.0        5.0      3000.00 ", done[t]/int64(60*c.minutes)+1)
		counts, values := map[int64]int64{}, c.latencies(t)
		for i, v := range values {
			n := done[t] / int64(len(values))
			if i == 0 {
				n += done[t] % int64(len(values))
			}
			counts[v] += n
		}
		out.WriteString(histogramLines(func(text string) string {
			return fmt.Sprintf("[%s] [load/memtier/%s] %s\n", at.Format("2006-01-02T15:04:05.000Z"), taskName(t), text)
		}, counts))
		say(t, at, "load: finished exit=0 ok")
	}
}

// histogramLines are a histogram of counts by microseconds, in two parts as the wrapper prints it.
func histogramLines(line func(string) string, counts map[int64]int64) (out string) {
	h := hdrhistogram.New(10, 600_000_000, 3)
	for v, n := range counts {
		_ = h.RecordValues(v, n)
	}
	payload, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(payload)
	for i, part := range []string{string(payload[:len(payload)/2]), string(payload[len(payload)/2:])} {
		out += line(fmt.Sprintf("load: hdr sha256=%s part=%d/2 %s", hex.EncodeToString(sum[:]), i+1, part))
	}
	return out
}

func (c crafted) manifest() *export.Manifest {
	load := fmt.Sprintf(`{"task_count": %d, "cpu": 2048, "memory": 4096, "architecture": "X86_64", "threads": 2, "clients": 10, "pipeline": 1,
		"data_size": 256, "ratio": "1:10", "key_pattern": "R:R", "key_maximum": 100000, "rate_limit": null, "extra_args": []%s}`, c.tasks, c.settings)
	m := &export.Manifest{SchemaVersion: 1, Name: "perf", Run: "2026-11-23T03-00-00Z", ToolVersion: "test", Complete: true, CreatedAt: c.end().Add(10 * time.Minute),
		Window:     &export.Window{Start: began.Add(-2 * time.Minute), End: c.end().Add(time.Minute)},
		Settings:   json.RawMessage(`{"cache": {"engine": "valkey", "transit_encryption": false}, "load": ` + load + `}`),
		Membership: &export.Membership{ReplicationGroup: "perf", Engine: "valkey", EngineVersion: "8.1.0", NodeType: "cache.m7g.large"}}
	for n := range c.nodes {
		m.Membership.Nodes = append(m.Membership.Nodes, export.Node{CacheClusterID: c.nodeName(n), CacheNodeID: "0001", NodeGroup: "0001", Role: "primary", AvailabilityZone: "us-east-1b"})
	}
	for t := range c.tasks {
		from, to := began.Add(-time.Minute), c.end().Add(time.Minute)
		m.Tasks = append(m.Tasks, export.Task{ID: taskName(t), LastStatus: "STOPPED", CreatedAt: &from, StoppedAt: &to, StoppedReason: "OutOfMemoryError: Container killed due to memory usage"})
	}
	if c.serverless != "" {
		m.Membership, m.Region = &export.Membership{ServerlessCache: "perf", Engine: "valkey", EngineVersion: "8.1", ClusterMode: true, Nodes: []export.Node{}}, "us-east-1"
		m.Settings = json.RawMessage(`{"cache": {"engine": "valkey", "node_type": null, "serverless": ` + c.serverless + `}, "load": ` + load + `}`)
	}
	return m
}

// run is the crafted files; what they hold is made while it is read.
func (c crafted) run() Run {
	pipe := func(write func(io.Writer)) io.Reader {
		r, w := io.Pipe()
		go func() {
			write(w)
			w.Close()
		}()
		return r
	}
	return Run{Metrics: pipe(c.csv), Logs: pipe(c.log), Manifest: c.manifest()}
}

func (c crafted) analyze(t testing.TB) *Results {
	t.Helper()
	r, err := Analyze(context.Background(), c.run())
	require.NoError(t, err)
	return r
}

// with sets metrics of every node to a value.
func with(values map[string]float64) map[string]func(int, int) float64 {
	out := map[string]func(int, int) float64{}
	for name, v := range values {
		out[name] = func(int, int) float64 { return v }
	}
	return out
}

func plain() crafted { return crafted{minutes: 20, tasks: 2, nodes: 2, taskCPU: 40} }
