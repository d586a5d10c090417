// Package synthetic makes the exported files of runs with a known answer: a new rule of the report starts with two of them, one just below its
// threshold and one just above it. The same case always gives the same files.
package synthetic

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Began is the start of every synthetic load; the cache exists two minutes earlier.
var Began = time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)

// Case is a run with a known answer: cache.m7g.large nodes, tasks of 2 vCPU with 2 threads of 10 clients, nothing near its limit unless a test
// sets it.
type Case struct {
	Minutes      int
	Tasks, Nodes int
	Rate         func(task, second int) float64       // ops/s; default 10,000
	Begins, Dies map[int]int                          // seconds of the load
	Fill         int                                  // seconds of prefill before the load; a task that starts later fills until then
	Metrics      map[string]func(node, m int) float64 // of a node in a minute of the load; nil: the metric is missing
	TaskCPU      float64                              // percent; negative: missing
	Settings     string                               // more members of settings.load
	TaskCPUMax   float64                              // percent of the busiest task; default 1 above TaskCPU
	NodeType     string                               // default cache.m7g.large
	Sharded      bool                                 // each primary is a shard, in cluster mode
	Replicas     int                                  // how many of the nodes, the last ones, are replicas: of the shards in turn
	Mean         func(task, second int) float64       // ms, of progress records; default 0.5
	Latency      func(task int) []int64               // microseconds; each value counts as a share of the operations
	Says         []Line                               // further lines of the log
	Serverless   string                               // members of settings.cache.serverless; "" for nodes
	Bulk         int                                  // metrics that the analysis does not read, for each node
	Every        int                                  // seconds between progress records; default 1
	Period       int                                  // minutes between datapoints; default 1
}

// Line is a log line of a stream in a second of the load.
type Line struct {
	Second       int
	Stream, Text string
}

// Files are an export's files. They can be read only once.
type Files struct {
	Metrics, Logs io.Reader
	Manifest      *export.Manifest
}

// Plain is 20 minutes of 2 tasks on 2 nodes, at no limit.
func Plain() Case { return Case{Minutes: 20, Tasks: 2, Nodes: 2, TaskCPU: 40} }

// End of the load.
func (c Case) End() time.Time { return Began.Add(time.Duration(c.Minutes) * time.Minute) }

// Bandwidth of the default node type, bytes/s.
const (
	Baseline = 0.937e9 / 8
	Burst    = 12.5e9 / 8
)

// Usual has the metrics of a node that is at no limit.
func Usual() map[string]func(node, minute int) float64 {
	flat := func(v float64) func(int, int) float64 { return func(int, int) float64 { return v } }
	return map[string]func(int, int) float64{
		"EngineCPUUtilization": flat(40), "CPUUtilization": flat(25),
		"NetworkBytesIn": flat(0.2 * Baseline * 60), "NetworkBytesOut": flat(0.5 * Baseline * 60),
		"NetworkMaxBytesIn": flat(0.3 * Baseline), "NetworkMaxBytesOut": flat(0.6 * Baseline),
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

func (c Case) Node(i int) string { return fmt.Sprintf("perf-%03d", i+1) }

func (c Case) CSV(w io.Writer) {
	out := bufio.NewWriterSize(w, 1<<16)
	defer out.Flush()
	fmt.Fprintln(out, strings.Join(export.Columns, ","))
	values := Usual()
	if c.Serverless != "" {
		for name := range values {
			if !slices.Contains([]string{"NetworkBytesIn", "NetworkBytesOut", "BytesUsedForCache", "Evictions", "CurrConnections", "NewConnections", "GetTypeCmds", "SetTypeCmds", "CacheHits", "CacheMisses", "CurrItems"}, name) {
				delete(values, name)
			}
		}
	}
	for name, f := range c.Metrics {
		values[name] = f
	}
	var names []string
	for name, f := range values {
		if f != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	tails := make([]string, c.Nodes)
	for n := range tails {
		tails[n] = ",Unit,CacheClusterId=" + c.Node(n) + ";CacheNodeId=0001\n"
		if c.Serverless != "" {
			tails[n] = ",Unit,clusterId=perf\n"
		}
	}
	var b []byte
	for m := -2; m < c.Minutes+1; m += max(1, c.Period) {
		stamp := Began.Add(time.Duration(m) * time.Minute).Format("2006-01-02T15:04:05+00:00")
		row := func(namespace, name, stat string, v float64, tail string) {
			b = append(append(append(append(append(b[:0], stamp...), namespace...), name...), ','), stat...)
			b = strconv.AppendFloat(append(b, ','), v, 'f', -1, 64)
			out.Write(append(b, tail...))
		}
		if c.TaskCPU >= 0 {
			row(",AWS/ECS,", "CPUUtilization", "Average", c.TaskCPU, ",Percent,ClusterName=perf;ServiceName=perf-load\n")
			row(",AWS/ECS,", "CPUUtilization", "Maximum", cmp.Or(c.TaskCPUMax, c.TaskCPU+1), ",Percent,ClusterName=perf;ServiceName=perf-load\n")
		}
		for _, name := range names {
			for n := range c.Nodes {
				v := values[name](n, m)
				if loaded := m >= 0 && m < c.Minutes; statOf(name) == "Sum" {
					if v *= float64(max(1, c.Period)); !loaded {
						v = 0
					}
				}
				row(",AWS/ElastiCache,", name, statOf(name), v, tails[n])
			}
		}
		for i := range c.Bulk {
			for n := range c.Nodes {
				row(",AWS/ElastiCache,", "SomeOtherMetricWithALongName"+strconv.Itoa(i), "Average", float64(m), tails[n])
			}
		}
	}
}

func (c Case) ops(task, second int) float64 {
	if c.Rate != nil {
		return c.Rate(task, second)
	}
	return 10_000
}

func Task(i int) string { return fmt.Sprintf("task%04d", i) }

func (c Case) latencies(task int) []int64 {
	if c.Latency != nil {
		return c.Latency(task)
	}
	return []int64{300, 400, 500, 5000}
}

// Log writes what the tasks print: progress each second with 1 % noise, then table, histogram and the last line.
func (c Case) Log(w io.Writer) {
	out := bufio.NewWriterSize(w, 1<<16)
	defer out.Flush()
	random := rand.New(rand.NewPCG(1, 2))
	say := func(task int, at time.Time, format string, args ...any) {
		fmt.Fprintf(out, "[%s] [load/memtier/%s] %s\n", at.Format("2006-01-02T15:04:05.000Z"), Task(task), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(out, "[%s] [engine-log/x] 1:M # Valkey version=8.1.0, bits=64\n", Began.Add(-time.Minute).Format("2006-01-02T15:04:05.000Z"))
	done := make([]int64, c.Tasks)
	head := make([]string, c.Tasks)
	for t := range c.Tasks {
		at := Began.Add(time.Duration(c.Begins[t])*time.Second - 3*time.Second)
		if c.Fill > 0 {
			at = Began.Add(time.Duration(-c.Fill) * time.Second)
		}
		if c.Begins[t] == 0 || c.Fill > 0 {
			say(t, at, `load: run=2026-11-23T03-00-00Z task=%s generator="memtier_benchmark 2.3.1"`, Task(t))
			say(t, at.Add(2*time.Second), "load: ready")
		}
		head[t] = "Z] [load/memtier/" + Task(t) + "] [RUN #1 5%, "
	}
	// A prefill writes in its first half and reads in its second, each time with a generator that counts from zero.
	filling := func(t, second int) {
		at := Began.Add(time.Duration(second) * time.Second)
		if whole := c.Fill + c.Begins[t]; second == c.Begins[t] {
			say(t, at, "load: prefilled keys=100000 of 100000 seconds=%d", whole)
		} else if n := c.Fill + second; n == 0 {
			say(t, at, "load: prefill keys=100000 bytes=25600000")
		} else {
			say(t, at, "[RUN #1 5%%, %3d secs]  2 threads 10 conns: %d ops, 50000 (avg: 50000) ops/sec, 9.00MB/sec (avg: 9.00MB/sec), 0.20 (avg: 0.20) msec latency", n%(whole/2+1), 50000*int64(n%(whole/2+1)))
		}
	}
	for s := -c.Fill; s < 0; s++ {
		for t := range c.Tasks {
			filling(t, s)
		}
	}
	var b []byte
	for s := range 60 * c.Minutes {
		at := Began.Add(time.Duration(s+1) * time.Second)
		stamp := at.Format("2006-01-02T15:04:05.")
		for t := range c.Tasks {
			if c.Fill > 0 && s <= c.Begins[t] {
				filling(t, s)
			}
			if c.Begins[t] == s+1 && s > 0 && c.Fill == 0 {
				say(t, at, `load: run=2026-11-23T03-00-00Z task=%s generator="memtier_benchmark 2.3.1"`, Task(t))
			}
			if s < c.Begins[t] || c.Dies[t] > 0 && s >= c.Dies[t] {
				continue
			}
			ops := int64(c.ops(t, s) * (1 + 0.01*random.NormFloat64()))
			if done[t] += ops; (s+1)%max(1, c.Every) != 0 {
				continue
			}
			b = append(append(append(b[:0], '['), stamp...), byte('0'+t/100%10), byte('0'+t/10%10), byte('0'+t%10))
			b = append(b, head[t]...)
			b = strconv.AppendInt(b, int64(s+1-c.Begins[t]), 10)
			b = append(b, " secs]  2 threads 10 conns:     "...)
			b = strconv.AppendInt(b, done[t], 10)
			b = append(b, " ops,   "...)
			b = strconv.AppendInt(b, ops, 10)
			b = append(strconv.AppendInt(append(b, " (avg:   "...), done[t]/int64(s+1-c.Begins[t]), 10), ") ops/sec, "...)
			b = strconv.AppendFloat(b, float64(ops)*300/1048576, 'f', 2, 64)
			b = append(b, "MB/sec (avg: 6.73MB/sec),  "...)
			mean := 0.5
			if c.Mean != nil {
				mean = c.Mean(t, s)
			}
			b = strconv.AppendFloat(b, mean, 'f', 2, 64)
			b = append(b, " (avg:  0.60) msec latency\n"...)
			out.Write(b)
		}
		for _, l := range c.Says {
			if l.Second == s {
				fmt.Fprintf(out, "[%s] [%s] %s\n", at.Format("2006-01-02T15:04:05.000Z"), l.Stream, l.Text)
			}
		}
	}
	for t := range c.Tasks {
		if c.Dies[t] > 0 {
			continue
		}
		at := c.End().Add(time.Second)
		say(t, at, "Type         Ops/sec     Hits/sec   Misses/sec    Avg. Latency     p50 Latency     p99 Latency   p99.9 Latency       KB/sec ")
		say(t, at, "Totals      %d      8000.00      2000.00         0.5         0.4         5.0        5.0      3000.00 ", done[t]/int64(60*c.Minutes)+1)
		counts, values := map[int64]int64{}, c.latencies(t)
		for i, v := range values {
			n := done[t] / int64(len(values))
			if i == 0 {
				n += done[t] % int64(len(values))
			}
			counts[v] += n
		}
		out.WriteString(HistogramLines(func(text string) string {
			return fmt.Sprintf("[%s] [load/memtier/%s] %s\n", at.Format("2006-01-02T15:04:05.000Z"), Task(t), text)
		}, counts))
		say(t, at, "load: finished exit=0 ok")
	}
}

// HistogramLines are a histogram of counts by microseconds, in two parts as the wrapper prints it.
func HistogramLines(line func(string) string, counts map[int64]int64) (out string) {
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

func (c Case) Manifest() *export.Manifest {
	load := fmt.Sprintf(`{"task_count": %d, "cpu": 2048, "memory": 4096, "architecture": "X86_64", "threads": 2, "clients": 10, "pipeline": 1,
		"data_size": 256, "ratio": "1:10", "key_pattern": "R:R", "key_maximum": 100000, "rate_limit": null, "extra_args": []%s}`, c.Tasks, c.Settings)
	m := &export.Manifest{SchemaVersion: 1, Name: "perf", Run: "2026-11-23T03-00-00Z", ToolVersion: "test", Complete: true, CreatedAt: c.End().Add(10 * time.Minute),
		Window:     &export.Window{Start: Began.Add(-2 * time.Minute), End: c.End().Add(time.Minute)},
		Settings:   json.RawMessage(`{"cache": {"engine": "valkey", "transit_encryption": false}, "load": ` + load + `}`),
		Membership: &export.Membership{ReplicationGroup: "perf", Engine: "valkey", EngineVersion: "8.1.0", NodeType: cmp.Or(c.NodeType, "cache.m7g.large"), ClusterMode: c.Sharded}}
	for n := range c.Nodes {
		shard, role := "0001", "primary"
		if c.Sharded {
			shard = fmt.Sprintf("%04d", n%(c.Nodes-c.Replicas)+1)
		}
		if n >= c.Nodes-c.Replicas {
			role = "replica"
		}
		m.Membership.Nodes = append(m.Membership.Nodes, export.Node{CacheClusterID: c.Node(n), CacheNodeID: "0001", NodeGroup: shard, Role: role, AvailabilityZone: "us-east-1b"})
	}
	for t := range c.Tasks {
		from, to := Began.Add(-time.Minute), c.End().Add(time.Minute)
		m.Tasks = append(m.Tasks, export.Task{ID: Task(t), LastStatus: "STOPPED", CreatedAt: &from, StoppedAt: &to, StoppedReason: "OutOfMemoryError: Container killed due to memory usage"})
	}
	if c.Serverless != "" {
		m.Membership, m.Region = &export.Membership{ServerlessCache: "perf", Engine: "valkey", EngineVersion: "8.1", ClusterMode: true, Nodes: []export.Node{}}, "us-east-1"
		m.Settings = json.RawMessage(`{"cache": {"engine": "valkey", "node_type": null, "serverless": ` + c.Serverless + `}, "load": ` + load + `}`)
	}
	return m
}

// Files returns the files; they are generated while they are read.
func (c Case) Files() Files {
	pipe := func(write func(io.Writer)) io.Reader {
		r, w := io.Pipe()
		go func() {
			write(w)
			w.Close()
		}()
		return r
	}
	return Files{Metrics: pipe(c.CSV), Logs: pipe(c.Log), Manifest: c.Manifest()}
}

// With sets metrics of every node to a value.
func With(values map[string]float64) map[string]func(int, int) float64 {
	out := map[string]func(int, int) float64{}
	for name, v := range values {
		out[name] = func(int, int) float64 { return v }
	}
	return out
}
