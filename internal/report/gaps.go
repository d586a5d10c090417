package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Reasons of gaps. The files themselves explain the expected ones: nothing went wrong.
const (
	GapInterrupted  = "hole"          // a metric that stops and comes back, or ends before the load
	GapSilent       = "silent"        // a task without a progress record
	GapNoDatapoint  = "no_datapoint"  // a metric that ElastiCache or ECS publishes and the export did not find
	GapNoCommands   = "no_commands"   // expected: the latency of commands, if the export counts none of them
	GapNotPublished = "not_published" // expected: not published by an embedded AWS, which the manifest names
)

const latencyOf = "Latency" // HashBasedCmdsLatency is the latency of the commands that HashBasedCmds counts

// counters are the metrics that count the commands whose latency metrics the manifest lists as missing.
func (m *manifest) counters() map[string]*count {
	out := map[string]*count{}
	if m == nil || m.Metrics == nil {
		return out
	}
	for _, name := range m.Metrics.Missing {
		if counter, is := strings.CutSuffix(name[strings.LastIndexByte(name, '/')+1:], latencyOf); is && strings.HasSuffix(counter, "Cmds") {
			out[counter] = &count{}
		}
	}
	return out
}

// gaps lists missing data, grouped: interruptions of metrics that the verdict needs by time, metrics without a datapoint by reason.
func (a *analysis) gaps() {
	if a.s == nil {
		return
	}
	a.findInterruptions()
	if a.m != nil && a.m.Metrics != nil {
		a.absent(a.m.Metrics.Missing)
	}
	slices.SortStableFunc(a.Gaps, func(x, y Gap) int {
		if x.Expected != y.Expected {
			return map[bool]int{false: -1, true: 1}[x.Expected]
		}
		if x.Start == nil || y.Start == nil {
			return 0
		}
		return x.Start.Compare(*y.Start)
	})
	const most = 100
	if n := len(a.Gaps); n > most {
		a.Gaps = a.Gaps[:most]
		a.warn("%d gaps, of which the first %d are listed", n, most)
	}
}

// absent groups the metrics that have no datapoint anywhere by the reason that the files give.
func (a *analysis) absent(missing []string) {
	by := map[string][]string{}
	for _, name := range missing {
		name = name[strings.LastIndexByte(name, '/')+1:]
		counter, _ := strings.CutSuffix(name, latencyOf)
		reason := GapNoDatapoint
		if c := a.s.counts[counter]; c != nil && c.known && c.sum == 0 {
			reason = GapNoCommands
		} else if a.m.APIEndpoint != "" {
			reason = GapNotPublished
		}
		by[reason] = append(by[reason], name)
	}
	for _, reason := range []string{GapNoDatapoint, GapNotPublished, GapNoCommands} {
		names := by[reason]
		if len(names) == 0 {
			continue
		}
		what := ""
		switch n := len(names); reason {
		case GapNoDatapoint:
			what = Quantity(n, "metric") + " without any datapoint"
		case GapNotPublished:
			what = Quantity(n, "metric") + " not published by the embedded AWS at " + a.m.APIEndpoint
		case GapNoCommands:
			what = "latency of " + Quantity(n, "kind") + " of commands that nobody sent"
		}
		a.Gaps = append(a.Gaps, Gap{Reason: reason, Expected: reason != GapNoDatapoint, What: what, Metrics: names, Where: []string{}})
	}
}

// interruption is a part of the load in which a metric of a node has no value.
type interruption struct {
	start, end   time.Time
	metric, node string
}

// findInterruptions lists interruptions of the metrics that the verdict needs; those with the same time and nodes are one gap.
func (a *analysis) findInterruptions() {
	var all []interruption
	period := int64(0)
	for _, m := range []metric{engineCPU, hostCPU, bytesIn, bytesOut} {
		for _, n := range a.nodes {
			g := a.s.grid(n, m)
			if g == nil {
				continue
			}
			period = max(period, g.step)
			if a.Phases.Load != nil {
				for _, w := range g.interruptions(*a.Phases.Load) {
					all = append(all, interruption{w.Start, w.End, m.name, n.id})
				}
			}
		}
	}
	a.Provenance.MetricPeriod = int(period)
	slices.SortStableFunc(all, func(x, y interruption) int { return cmp.Or(x.start.Compare(y.start), x.end.Compare(y.end)) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].start.Equal(all[0].start) && all[n].end.Equal(all[0].end) {
			n++
		}
		a.sameTime(all[:n])
		all = all[n:]
	}
}

// sameTime makes gaps of interruptions at the same time: one for all metrics that are missing on the same nodes.
func (a *analysis) sameTime(found []interruption) {
	var metrics []string
	nodes := map[string][]string{}
	for _, h := range found {
		if nodes[h.metric] == nil {
			metrics = append(metrics, h.metric)
		}
		nodes[h.metric] = append(nodes[h.metric], h.node)
	}
	for len(metrics) > 0 {
		where := nodes[metrics[0]]
		var same, rest []string
		for _, m := range metrics {
			if slices.Equal(nodes[m], where) {
				same = append(same, m)
			} else {
				rest = append(rest, m)
			}
		}
		of := where[0]
		switch n := len(where); {
		case n == len(a.nodes) && n > 1:
			of = "all " + Quantity(n, "node")
		case n > 3:
			of = Quantity(n, "node") + ", " + where[0] + " among them"
		case n > 1:
			of = join(where)
		}
		h := found[0]
		a.Gaps = append(a.Gaps, Gap{Reason: GapInterrupted, What: join(same) + " of " + of, Metrics: same, Where: where,
			Start: instant(h.start), End: instant(h.end), Seconds: h.end.Sub(h.start).Seconds()})
		metrics = rest
	}
}

// interruptions are the parts of the window without a value.
func (g *grid) interruptions(w Window) (out []Window) {
	step := time.Duration(g.step) * time.Second
	begin := time.Time{}
	for t := w.Start.Truncate(step).Add(step); !t.Add(step).After(w.End); t = t.Add(step) {
		i := (t.Unix() - g.start) / g.step
		switch there := i >= 0 && i < int64(len(g.v)) && !math.IsNaN(g.v[i]); {
		case !there && begin.IsZero():
			begin = t
		case there && !begin.IsZero():
			out = append(out, Window{Start: begin, End: t})
			begin = time.Time{}
		}
	}
	if !begin.IsZero() {
		out = append(out, Window{Start: begin, End: w.End})
	}
	return out
}
