package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	whichToMonitor = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.WhichShouldIMonitor.html"
	hostLevel      = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.HostLevel.html"
	credits        = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html"
	bandwidths     = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html"
	serverless     = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html"
	ecsMetrics     = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html"
)

// rule is one limit. It looks at the verdict's window: the steady one, after a burst that ended.
type rule struct {
	id, name  string
	threshold float64
	unit      string
	needed    bool // without its data nobody can say that nothing was at its limit
	rule      string
	source    string
	look      func(*analysis, rule, Window) Finding
}

// rules is all that a run is judged by, the cache first and what loads it last. A finding's threshold is the table's but where its text says
// otherwise.
var rules = []rule{
	{"engine_cpu", "engine CPU", 90, "percent", true,
		"mean EngineCPUUtilization of a node at 90 % or more; without that metric CPUUtilization at 90 % over the number of vCPUs, for the engine is one thread",
		"AWS: \"set your threshold at 90% of your available CPU\", " + whichToMonitor, lookEngineCPU},
	{"host_cpu", "host CPU", 90, "percent", false,
		"mean CPUUtilization of a node at 90 % or more", "AWS: \"set your threshold at 90% of your available CPU\", " + whichToMonitor, lookHostCPU},
	{"cpu_credits", "CPU credits", 1, "vCPU-minutes", false,
		"a burstable node type whose CPUCreditBalance is at most 1 in half of the window", "a credit is a minute of a vCPU at 100 %; without any the CPU is held at its baseline, " + credits, lookCredits},
	{"bandwidth_out", "bandwidth out", 90, "percent", true,
		"traffic at 90 % or more of the bandwidth that the node has then (the baseline once the burst has ended or where there is none, and where packets are queued at 80 to 110 % of it; else the burst), or NetworkBandwidthOutAllowanceExceeded counts 1 packet or more in 10,000 commands, in half of the minutes",
		"node type table and " + hostLevel + ", " + bandwidths, lookOut},
	{"bandwidth_in", "bandwidth in", 90, "percent", true,
		"the same for the other direction and NetworkBandwidthInAllowanceExceeded", "node type table and " + hostLevel + ", " + bandwidths, lookIn},
	{"packets_per_second", "packets per second", 50, "percent of minutes", false,
		"NetworkPacketsPerSecondAllowanceExceeded counts 1 packet or more in 10,000 commands, in half of the minutes", "counts packets queued or dropped, " + hostLevel, counted(exceededPPS)},
	{"connection_tracking", "connection tracking", 50, "percent of minutes", false,
		"NetworkConntrackAllowanceExceeded counts 1 packet or more in 10,000 commands, in half of the minutes", "counts packets dropped, " + hostLevel, counted(exceededTrack)},
	{"memory", "memory and evictions", 50, "percent of minutes", false,
		"Evictions over 0 in half of the minutes, or memory at 99 % of maxmemory or more", "ElastiCache evicts when maxmemory is reached, " + whichToMonitor, lookMemory},
	{"connections", "connections", 50, "percent of minutes", false,
		"RejectedConnections over 0 in half of the minutes, or CurrConnections of a node at 99 % of 65,000 or more", "a node takes 65,000 connections, " + whichToMonitor, lookConnections},
	{"traffic_management", "traffic management", 50, "percent of minutes", false,
		"TrafficManagementActive over 0 in half of the minutes", "ElastiCache slows clients of a node that is given more commands than it can do, " + whichToMonitor, counted(trafficManaged)},
	{"throttling", "throttling", 50, "percent of minutes", true,
		"ThrottledCmds of a serverless cache over 0 in half of the minutes; at 90 % or more of the maximum of ECPUs a second that was set it is that maximum",
		"a serverless cache throttles above its ECPU maximum, https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html, and while the load grows faster than it can scale, " + serverless, lookThrottling},
	{"load_generator", "the load generator", 90, "percent", true,
		"CPU of the busiest task at 90 % or more of what memtier's threads can use, or throughput at 97 % or more of the rate limit that was set",
		"a thread uses one vCPU at most; service CPUUtilization, " + ecsMetrics, lookGenerator},
}

// lookThrottling names the maximum where that was reached: throttled while it scales, a cache would take more a little later.
func lookThrottling(a *analysis, r rule, w Window) Finding {
	f := counted(throttled)(a, r, w)
	used := combine(a.s.of(a.nodes, ecpus, (*samples).rate), add).over(w, mean)
	if f.State != Fired || used == nil {
		return f
	}
	f.Evidence += fmt.Sprintf(", %s ECPU/s", Thousands(*used))
	switch {
	case a.maxECPU > 0 && *used >= 0.9*a.maxECPU:
		f.Evidence += fmt.Sprintf(" of the maximum of %s that was set", Thousands(a.maxECPU))
	case a.maxECPU > 0:
		f.Evidence += fmt.Sprintf(", below the maximum of %s: the load grew faster than the cache scaled", Thousands(a.maxECPU))
	default:
		f.Evidence += ", no maximum known: the load grew faster than the cache scaled"
	}
	return f
}

func noData(r rule, format string, args ...any) Finding {
	return Finding{State: NoData, Threshold: r.threshold, Unit: r.unit, Evidence: fmt.Sprintf(format, args...)}
}

// highestOf takes the node with the highest value; it fires from the threshold on.
func (a *analysis) highestOf(r rule, values []*float64, what string) Finding {
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit}
	at := -1
	for i, v := range values {
		if v == nil {
			continue
		}
		if at < 0 || *v > *values[at] {
			at = i
		}
		if *v >= r.threshold {
			f.State = Fired
			f.Where = append(f.Where, a.nodes[i].id)
		}
	}
	if at < 0 {
		return noData(r, "%s is missing", what)
	}
	f.Measured = values[at]
	f.Evidence = fmt.Sprintf("%s of %s at %.0f %%, limit %.0f %%", what, a.nodes[at].id, *f.Measured, r.threshold)
	if n := len(f.Where); n > 1 {
		f.Evidence += fmt.Sprintf(", %d of %d nodes", n, len(a.nodes))
	} else if n == 0 {
		f.Where = []string{a.nodes[at].id}
	}
	return f
}

func (a *analysis) each(m metric, w Window, read func(*samples, *source, metric) *grid, statistic func([]float64) float64) (out []*float64) {
	for _, n := range a.nodes {
		out = append(out, read(a.s, n, m).over(w, statistic))
	}
	return out
}

func lookEngineCPU(a *analysis, r rule, w Window) Finding {
	f := a.highestOf(r, a.each(engineCPU, w, (*samples).grid, mean), "EngineCPUUtilization")
	if f.State != NoData || !a.known || a.kind.VCPU > 2 {
		return f
	}
	r.threshold = 90 / float64(a.kind.VCPU)
	if g := a.highestOf(r, a.each(hostCPU, w, (*samples).grid, mean), "CPUUtilization"); g.State != NoData {
		return g
	}
	return f
}

func lookHostCPU(a *analysis, r rule, w Window) Finding {
	return a.highestOf(r, a.each(hostCPU, w, (*samples).grid, mean), "CPUUtilization")
}

func lookCredits(a *analysis, r rule, w Window) Finding {
	if t := a.Configuration.NodeType; t != "" && !strings.HasPrefix(t, "cache.t") {
		return Finding{State: NotApplicable, Threshold: r.threshold, Unit: r.unit, Evidence: t + " is not a burstable type"}
	}
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit}
	at, values := -1, a.each(creditBalance, w, (*samples).grid, median)
	for i, v := range values {
		if v == nil {
			continue
		}
		if at < 0 || *v < *values[at] {
			at = i
		}
		if *v <= r.threshold {
			f.State = Fired
			f.Where = append(f.Where, a.nodes[i].id)
		}
	}
	if at < 0 {
		return noData(r, "CPUCreditBalance is missing")
	}
	f.Measured = values[at]
	f.Evidence = fmt.Sprintf("CPUCreditBalance of %s at %.3g", a.nodes[at].id, *f.Measured)
	if len(f.Where) == 0 {
		f.Where = []string{a.nodes[at].id}
	}
	return f
}

func lookOut(a *analysis, r rule, w Window) Finding {
	return a.lookBandwidth(r, w, bytesOut, exceededOut, func(n NodeNetwork) Direction { return n.Out })
}

func lookIn(a *analysis, r rule, w Window) Finding {
	return a.lookBandwidth(r, w, bytesIn, exceededIn, func(n NodeNetwork) Direction { return n.In })
}

func (a *analysis) lookBandwidth(r rule, w Window, bytes, exceeded metric, of func(NodeNetwork) Direction) Finding {
	baseline, burst, _ := a.bandwidth()
	used := make([]*float64, len(a.nodes))
	over := a.each(exceeded, w, (*samples).notable, func(v []float64) float64 { return share(v, positive) })
	ceilings := make([]float64, len(a.nodes))
	for i, n := range a.nodes {
		ceilings[i] = baseline
		if i < len(a.Network.Nodes) && burst > 0 && of(a.Network.Nodes[i]).State != BurstEnded {
			ceilings[i] = burst
		}
		v := a.s.rate(n, bytes).over(w, mean)
		if v != nil && over[i] != nil && *over[i] >= 50 && *v >= heldAt*baseline && *v <= overBaseline*baseline {
			ceilings[i] = baseline // packets are queued there: no burst is left
		}
		if v != nil && ceilings[i] > 0 {
			used[i] = known(100 * *v / ceilings[i])
		}
	}
	f := a.highestOf(r, used, bytes.name)
	if f.State != NoData {
		for i, n := range a.nodes {
			if used[i] == f.Measured {
				f.Evidence = fmt.Sprintf("%s of %s at %.0f %% of %s", bytes.name, n.id, *f.Measured, gbits(ceilings[i]))
			}
		}
		if n := len(f.Where); f.State == Fired && n > 1 {
			f.Evidence += fmt.Sprintf(", %d of %d nodes", n, len(a.nodes))
		}
	}
	var dropping []string
	most := 0.0
	for i, v := range over {
		if v != nil && *v >= 50 {
			dropping = append(dropping, a.nodes[i].id)
			most = max(most, *v)
		}
	}
	if len(dropping) > 0 {
		words := fmt.Sprintf("%s of %s counted packets in %.0f %% of the minutes", exceeded.name, strings.Join(dropping[:min(3, len(dropping))], ", "), most)
		if f.State == NoData {
			f = Finding{Threshold: 50, Unit: "percent of minutes", Measured: &most, Evidence: words}
		} else {
			f.Evidence += "; " + words
		}
		if f.State != Fired {
			f.State, f.Where = Fired, dropping
		}
		return f
	}
	if f.State == NoData && slices.ContainsFunc(over, func(v *float64) bool { return v != nil }) {
		most = 0 // the counter alone says that nothing was dropped
		return Finding{State: Quiet, Threshold: 50, Unit: "percent of minutes", Measured: &most, Evidence: exceeded.name + " counted no packets in half of the minutes"}
	}
	if f.State == NoData && baseline == 0 {
		f.Evidence = "the bandwidth of the node type is not known and " + exceeded.name + " is missing"
	}
	return f
}

// negligible is how many packets queued or dropped a command are noise.
const negligible = 1e-4

// notable is a node's counter without what is noise: packets of an allowance count from 1 in 10,000 commands on. Without commands to compare with all count.
func (s *samples) notable(n *source, m metric) *grid {
	g, work := s.grid(n, m), s.grid(n, commands)
	if g == nil || work == nil || g.step != work.step || !strings.HasSuffix(m.name, "AllowanceExceeded") {
		return g
	}
	out := newGrid(g.start, g.step, len(g.v))
	for i, v := range g.v {
		out.v[i] = v
		if j := i + int((g.start-work.start)/g.step); j >= 0 && j < len(work.v) && v < negligible*work.v[j] {
			out.v[i] = 0
		}
	}
	return out
}

// connectionsOfNode is how many a node takes, without the few that Redis keeps for itself.
const connectionsOfNode = 65_000

func lookConnections(a *analysis, r rule, w Window) Finding {
	f := counted(rejected)(a, r, w)
	if f.State == Fired {
		return f
	}
	open := a.each(connections, w, (*samples).grid, mean)
	for i, v := range open {
		if v != nil {
			open[i] = known(100 * *v / connectionsOfNode)
		}
	}
	full := a.highestOf(rule{threshold: 99, unit: "percent"}, open, "CurrConnections")
	if full.State != Fired {
		return f
	}
	full.Evidence = fmt.Sprintf("%s open on %s, of %s", Thousands(*full.Measured/100*connectionsOfNode), full.Where[0], Thousands(connectionsOfNode))
	if n := a.Connections.Rejected; n != nil && *n > 0 {
		full.Evidence += fmt.Sprintf(", %s refused", Thousands(*n))
	}
	return full
}

// counted is a rule on a counter that is over 0 only when something is wrong.
func counted(m metric) func(*analysis, rule, Window) Finding {
	return func(a *analysis, r rule, w Window) Finding {
		f := a.highestOf(r, a.each(m, w, (*samples).notable, func(v []float64) float64 { return share(v, positive) }), m.name)
		if f.State != NoData {
			f.Evidence = fmt.Sprintf("%s over 0 in %.0f %% of the minutes", m.name, *f.Measured)
			if f.State == Fired {
				f.Evidence += " on " + strings.Join(f.Where[:min(3, len(f.Where))], ", ")
			}
		}
		return f
	}
}

func lookMemory(a *analysis, r rule, w Window) Finding {
	full := a.highestOf(rule{threshold: 99, unit: "percent"}, a.each(memoryAll, w, (*samples).memory, mean), "memory")
	f := counted(evictions)(a, r, w)
	if f.State == Fired {
		f.Evidence = fmt.Sprintf("evictions in %.0f %% of the minutes", *f.Measured)
		if n := combine(a.s.of(a.nodes, evictions, (*samples).rate), add).over(w, mean); n != nil {
			f.Evidence += fmt.Sprintf(", %s keys/s", Thousands(*n))
		}
		if full.Measured != nil {
			f.Evidence += fmt.Sprintf(", memory at %.0f %%", *full.Measured)
		}
		return f
	}
	if full.State == Fired || f.State == NoData {
		return full
	}
	if full.Measured != nil {
		f.Evidence += fmt.Sprintf(", memory at %.0f %%", *full.Measured)
	}
	return f
}

func lookGenerator(a *analysis, r rule, w Window) Finding {
	c := a.Configuration
	if c.RateLimit != nil && *c.RateLimit > 0 && a.Connections.Expected != nil && a.l.window() != nil && !c.ClusterMode {
		limit := *c.RateLimit * float64(*a.Connections.Expected)
		if v := a.l.ops.grid(*a.Phases.Load, nil).over(w, mean); v != nil && *v >= 0.97*limit {
			return Finding{State: Fired, Measured: known(100 * *v / limit), Threshold: 97, Unit: "percent",
				Evidence: fmt.Sprintf("its rate limit of %s ops/s was reached", Thousands(limit))}
		}
	}
	cpu, most := a.s.grid(a.load, taskCPU).over(w, mean), a.s.grid(a.load, taskCPUMax).over(w, mean)
	if cpu == nil {
		return noData(r, "CPUUtilization of the load service is missing")
	}
	if most == nil {
		most = cpu
	}
	usable, words := 100.0, ""
	if vcpu := float64(c.TaskCPUUnits) / 1024; c.Threads > 0 && vcpu > float64(c.Threads) {
		usable = 100 * float64(c.Threads) / vcpu
		words = fmt.Sprintf(" of which %d threads can use %.0f %%", c.Threads, usable)
	}
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit, Measured: known(100 * *most / usable), Where: []string{a.load.id}}
	f.Evidence = fmt.Sprintf("CPU of the tasks at %.0f %%%s", *cpu, words)
	if math.Abs(*most-*cpu) >= 5 {
		f.Evidence += fmt.Sprintf(", of the busiest at %.0f %%", *most)
	}
	if *f.Measured >= r.threshold {
		f.State = Fired
	}
	return f
}
