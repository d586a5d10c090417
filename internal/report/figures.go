package report

import (
	"fmt"
	"slices"
)

// Kind is a headline figure: all that report, comparison, page, summary and status know about it. A new figure is a new entry of Figures.
type Kind struct {
	ID, Label, Unit string
	Better          string // higher, lower or "" when neither is
	Tile            bool   // on the first page
	Row, Short      string // its line and format in a summary of a few lines: "latency", "p50 %s"
	spoils          []string
	// look returns the value, its window and how it was made; without a value how is the reason.
	look func(a *analysis, w Window) (v *float64, of *Window, how string)
}

// Only repeats show the noise of a figure from run to run, because the minutes of one run share a placement. Throughput's own noise within a run is a lower bound.

// The settings that make a figure not comparable: those of the workload, and for latencies also the number of connections.
var (
	byWorkload    = []string{"workload"}
	byConnections = []string{"workload", "latency"}
)

const (
	notThere = "not in the exported files"
	merged   = "merged histograms of all of the load: a histogram has no times"
	inside   = "median of the minutes' p99, slowest node; without the network"
	busiest  = "mean, busiest node"
)

// Figures are all headline figures, in the order of presentation.
var Figures = []Kind{
	{"ops_per_second", "Throughput", "ops/s", "higher", true, "throughput", "%s", byWorkload, throughputOf},
	{"ops_per_second_burst", "Throughput with burst bandwidth", "ops/s", "higher", false, "", "", byWorkload, burstOf},
	{"load_bytes_per_second", "Traffic of the load", "bytes/s", "higher", false, "throughput", "%s", byWorkload, func(a *analysis, w Window) (*float64, *Window, string) {
		if a.Client.Bytes == nil {
			return nil, nil, ""
		}
		return a.l.bytes.grid(*a.Phases.Load, nil).over(w, mean), &w, "requests and replies of all tasks, as memtier counts them"
	}},
	{"latency_mean_ms", "Mean latency", "ms", "lower", false, "", "", byConnections, func(a *analysis, _ Window) (*float64, *Window, string) {
		return a.ofLatency(a.Client.Latency.MeanMS)
	}},
	{"latency_p50_ms", "p50 latency", "ms", "lower", true, "latency", "p50 %s", byConnections, percentileOf(50)},
	{"latency_p99_ms", "p99 latency", "ms", "lower", true, "latency", "p99 %s", byConnections, percentileOf(99)},
	{"latency_p999_ms", "p99.9 latency", "ms", "lower", true, "latency", "p99.9 %s", byConnections, percentileOf(99.9)},
	{"latency_max_ms", "Highest latency", "ms", "lower", false, "", "", byConnections, func(a *analysis, _ Window) (*float64, *Window, string) {
		return a.ofLatency(a.Client.Latency.MaxMS)
	}},
	{"over_1_ms_percent", "Operations of 1 ms or more", "percent", "lower", false, "", "", byConnections, overOf(1)},
	{"over_5_ms_percent", "Operations of 5 ms or more", "percent", "lower", false, "", "", byConnections, overOf(5)},
	{"over_10_ms_percent", "Operations of 10 ms or more", "percent", "lower", false, "", "", byConnections, overOf(10)},
	{"server_read_p99_ms", "p99 of reads, by the server", "ms", "lower", false, "", "", byConnections, busiestOf(inside, func(n *NodeResult) *float64 { return n.ReadP99MS })},
	{"server_write_p99_ms", "p99 of writes, by the server", "ms", "lower", false, "", "", byConnections, busiestOf(inside, func(n *NodeResult) *float64 { return n.WriteP99MS })},
	{"engine_cpu_percent", "Engine CPU", "percent", "", true, "", "", nil, busiestNode(engineCPU, (*samples).grid)},
	{"node_bytes_out_per_second", "Traffic out of a node", "bytes/s", "", true, "", "", nil, busiestNode(bytesOut, (*samples).rate)},
	{"node_bytes_in_per_second", "Traffic into a node", "bytes/s", "", false, "", "", nil, busiestNode(bytesIn, (*samples).rate)},
	{"ecpus_per_second", "ElastiCache Processing Units", "ECPU/s", "lower", false, "", "", nil, func(a *analysis, w Window) (*float64, *Window, string) {
		if a.Configuration.ServerlessCache == "" {
			return nil, nil, ""
		}
		return combine(a.s.of(a.nodes, ecpus, (*samples).rate), add).over(w, mean), &w, "mean"
	}},
	{"hit_percent", "Reads that hit", "percent", "", true, "throughput", "%s of the reads hit", byWorkload, func(a *analysis, _ Window) (*float64, *Window, string) {
		if a.Client.HitPercent == nil {
			return nil, nil, "the tasks printed no final table with reads"
		}
		return a.Client.HitPercent, a.Phases.Load, "from the tasks' final tables"
	}},
	{"operations", "Successful operations", "count", "", false, "", "", byWorkload, func(a *analysis, _ Window) (*float64, *Window, string) {
		if a.Client.Throughput == nil {
			return nil, nil, ""
		}
		return known(float64(a.Client.SuccessfulOperations)), a.Phases.Load, "of the tasks whose result counts"
	}},
	{"capacity_ops_per_second", "Capacity, extrapolated", "ops/s", "higher", false, "", "", byWorkload, func(a *analysis, w Window) (*float64, *Window, string) {
		c := a.Capacity
		if c.First == "" {
			return nil, nil, c.Sentence
		}
		v := c.EngineOpsPerSecond
		if c.First == "bandwidth" {
			v = c.BaselineOpsPerSecond
		}
		return v, &w, c.Sentence
	}},
	{"cache_usd_per_million_ops", "Cost of a million operations, cache alone", "USD", "lower", true, "", "", byWorkload, func(a *analysis, w Window) (*float64, *Window, string) {
		if a.Cost.CacheUSDPerMillion == nil {
			return nil, nil, "a price, the number of nodes or the throughput is not known"
		}
		return a.Cost.CacheUSDPerMillion, &w, "cost of the nodes divided by the operations of this time, without the cost of the load"
	}},
	{"usd_total", "Cost of the run", "USD", "lower", false, "", "", nil, func(a *analysis, _ Window) (*float64, *Window, string) {
		return a.ofRun(a.Cost.TotalUSD, a.Cost.Note)
	}},
	{"usd_per_million_ops", "Cost of a million operations, with the test", "USD", "lower", false, "", "", byWorkload, func(a *analysis, _ Window) (*float64, *Window, string) {
		return a.ofRun(a.Cost.USDPerMillionOps, "cost of the run divided by the operations of all its tasks")
	}},
}

// headline makes the figures. A figure that does not apply to the run, such as one of a burst that did not end, is left out; one that lacks data
// is listed with the reason.
func (a *analysis) headline() {
	if a.Phases.Load == nil {
		return
	}
	for _, k := range Figures {
		v, of, how := k.look(a, a.window())
		switch {
		case v == nil && of == nil && how == "":
			continue
		case v == nil:
			of = nil
			if how == "" || how == busiest || how == inside || how == "mean" {
				how = notThere
			}
		}
		a.Headline = append(a.Headline, Figure{ID: k.ID, Label: k.Label, Unit: k.Unit, Better: k.Better, Value: v, Window: of, Note: how})
	}
}

// spoils returns the kinds of settings that make a figure not comparable; nil if it does not depend on the workload.
func spoils(id string) []string {
	return KindOf(id).spoils
}

// KindOf returns the figure with an id, or the zero Kind.
func KindOf(id string) Kind {
	if i := slices.IndexFunc(Figures, func(k Kind) bool { return k.ID == id }); i >= 0 {
		return Figures[i]
	}
	return Kind{}
}

func throughputOf(a *analysis, w Window) (*float64, *Window, string) {
	if a.Client.Throughput == nil {
		how := "commands that the nodes processed, because there is no log of the load"
		if ops, unreadable := a.l.unreadable(); unreadable {
			how = "commands that the nodes processed, because the log's progress records have an unknown format"
			if ops > 0 {
				how += "; the tasks' tables say " + Thousands(ops) + " ops/s"
			}
		}
		return combine(a.s.of(a.nodes, commands, commandsOnce), add).over(w, mean), &w, how
	}
	how := "mean"
	if a.Phases.Steady == nil {
		how = "mean of all of the load: no steady state was found"
	}
	if p := a.Phases; p.UncertaintyPercent != nil && w.Start.Equal(p.Steady.Start) {
		how += fmt.Sprintf(", ±%.2g %% by the noise of this run", *p.UncertaintyPercent)
	}
	return a.l.ops.grid(*a.Phases.Load, nil).over(w, mean), &w, how
}

func burstOf(a *analysis, _ Window) (*float64, *Window, string) {
	if a.Client.Throughput == nil {
		return nil, nil, ""
	}
	for _, p := range a.Phases.List {
		if p.Phase == Burst {
			return a.l.ops.grid(*a.Phases.Load, nil).over(p, mean), &p, "mean"
		}
	}
	return nil, nil, ""
}

func (a *analysis) ofLatency(v *float64) (*float64, *Window, string) {
	if v == nil {
		return nil, nil, first(a.Client.Latency.Note, notThere)
	}
	return v, a.Client.Latency.Window, merged
}

func percentileOf(percent float64) func(*analysis, Window) (*float64, *Window, string) {
	return func(a *analysis, _ Window) (*float64, *Window, string) {
		if ms, ok := a.Client.Latency.At(percent); ok {
			return a.ofLatency(&ms)
		}
		return a.ofLatency(nil)
	}
}

// overOf is the share of operations at or above a latency. Without a histogram there are none of these figures; the percentiles give the reason.
func overOf(ms float64) func(*analysis, Window) (*float64, *Window, string) {
	return func(a *analysis, _ Window) (*float64, *Window, string) {
		for _, o := range a.Client.Latency.Over {
			if o.MS == ms {
				return a.ofLatency(known(o.Percent))
			}
		}
		return nil, nil, ""
	}
}

func busiestOf(how string, of func(*NodeResult) *float64) func(*analysis, Window) (*float64, *Window, string) {
	return func(a *analysis, w Window) (*float64, *Window, string) {
		var all []float64
		for i := range a.Nodes {
			if v := of(&a.Nodes[i]); v != nil {
				all = append(all, *v)
			}
		}
		if len(all) == 0 && a.datapoints(w) == 0 {
			return nil, nil, noWholeMinute
		} else if len(all) == 0 {
			return nil, nil, notThere
		}
		return known(slices.Max(all)), &w, how
	}
}

// busiestNode is the mean of the busiest node, or of a shard's primaries if a failover made them take turns.
func busiestNode(m metric, read func(*samples, *source, metric) *grid) func(*analysis, Window) (*float64, *Window, string) {
	return func(a *analysis, w Window) (*float64, *Window, string) {
		if m.name == engineCPU.name && a.datapoints(w) == 0 {
			return nil, nil, noWholeMinute // diluted by the time without load
		}
		var most *float64
		for _, v := range a.each(m, w, a.byShard(w, read), mean) {
			if v != nil && (most == nil || *v > *most) {
				most = v
			}
		}
		switch {
		case most == nil && a.datapoints(w) == 0:
			return nil, nil, noWholeMinute
		case most == nil:
			return nil, nil, notThere
		}
		return most, &w, busiest
	}
}

func (a *analysis) ofRun(v *float64, how string) (*float64, *Window, string) {
	if v == nil {
		return nil, nil, a.Cost.Note
	}
	w, _ := a.life()
	return v, &w, how
}
