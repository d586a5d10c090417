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

// rule is one limit, or a note. It is applied to each segment of the load.
type rule struct {
	id, name  string
	threshold float64
	unit      string
	needed    bool // without its data the verdict cannot exclude a limit
	rule      string
	source    string
	look      func(*analysis, rule, Window) Finding
	next      string // the next step when it is the first limit
	note      bool   // not a limit: the finding is a note beside the verdict
	nodes     bool   // of a note: it does not apply to serverless caches
	blind     string // what it cannot see
}

// engineLimit is the share of the engine's thread, in percent, from which it is at its limit, and to which the capacity is extrapolated.
const engineLimit = 90

// rules are all rules of the verdict: the cache's first, then the load generator's, then the notes. A finding has the table's threshold unless
// its text names another.
var rules = []rule{
	{"engine_cpu", "engine CPU", engineLimit, "percent", true,
		"mean EngineCPUUtilization of a node at 90 % or more. AWS says to use CPUUtilization at 90 % divided by the number of vCPUs for node types of 2 vCPUs and fewer; that also counts what is not the engine's, so it is used only where EngineCPUUtilization is missing",
		"AWS: \"set your threshold at 90% of your available CPU\", " + whichToMonitor, lookEngineCPU, "Add shards or use a node type with a faster core; or do less work per command.", false, false, "a mean over a minute hides a busy second; I/O threads are not in it"},
	{"host_cpu", "host CPU", 90, "percent", false,
		"mean CPUUtilization of a node at 90 % or more", "AWS: \"set your threshold at 90% of your available CPU\", " + whichToMonitor, lookHostCPU, "Use a node type with more vCPUs, or turn TLS off to see what it costs.", false, false, "a single thread at its limit on a node of many vCPUs"},
	{"cpu_credits", "CPU credits", noCredits, "vCPU-minutes", false,
		"a burstable node type whose CPUCreditBalance is at most 1 in half of the window", "a credit is a minute of a vCPU at 100 %; without any the CPU is held at its baseline, " + credits, lookCredits, "Use a node type that is not burstable, or load it at what its baseline carries.", false, false, "the metric has a value every 5 minutes; unlimited mode spends what it has to pay for later"},
	{"bandwidth_out", "bandwidth out", 90, "percent", true,
		"traffic at 90 % or more of the bandwidth that the node has then (the baseline once the burst has ended or where there is none, and where packets are queued at 80 to 110 % of it; else the burst), or NetworkBandwidthOutAllowanceExceeded counts 1 packet or more in 10,000 that the node sent and received (commands where those are not exported), in half of the minutes",
		"node type table and " + hostLevel + ", " + bandwidths, lookOut, "Use a node type with more baseline bandwidth, or smaller values; see the capacity estimate for what the baseline carries.", false, false, "a burst shorter than a minute; the limit of one flow, 5 Gbit/s"},
	{"bandwidth_in", "bandwidth in", 90, "percent", true,
		"the same for the other direction and NetworkBandwidthInAllowanceExceeded", "node type table and " + hostLevel + ", " + bandwidths, lookIn, "Use a node type with more baseline bandwidth, or smaller values; see the capacity estimate for what the baseline carries.", false, false, "the same"},
	{"packets_per_second", "packets per second", 50, "percent of minutes", false,
		"NetworkPacketsPerSecondAllowanceExceeded counts 1 packet or more in 10,000 that the node sent and received (commands where those are not exported), in half of the minutes", "counts packets queued or dropped, " + hostLevel, counted(exceededPPS), "Raise the pipeline, so that a packet carries more commands, or use a larger node type.", false, false, "the limit itself is not documented"},
	{"connection_tracking", "connection tracking", 50, "percent of minutes", false,
		"NetworkConntrackAllowanceExceeded counts 1 packet or more in 10,000 that the node sent and received (commands where those are not exported), in half of the minutes", "counts packets dropped, " + hostLevel, counted(exceededTrack), "Open fewer connections, or use a larger node type.", false, false, "the limit itself is not documented"},
	{"memory", "memory and evictions", 50, "percent of minutes", false,
		"Evictions of 1 key or more in 1,000 commands in half of the minutes, or memory at 99 % of maxmemory or more", "ElastiCache evicts when maxmemory is reached, " + whichToMonitor, lookMemory, "Use a node type with more memory, add shards, or store fewer keys.", false, false, "which keys were evicted"},
	{"connections", "connections", 50, "percent of minutes", false,
		"RejectedConnections over 0 in half of the minutes, or CurrConnections of a node at 99 % of 65,000 or more", "a node takes 65,000 connections, " + whichToMonitor, lookConnections, "Open fewer connections per node: fewer clients, or more shards.", false, false, "connections that the tasks never tried; a parameter maxclients below 65,000"},
	{"traffic_management", "traffic management", 50, "percent of minutes", false,
		"TrafficManagementActive over 0 in half of the minutes", "ElastiCache slows clients of a node that gets more commands than it can process, " + whichToMonitor, counted(trafficManaged), "Open fewer new connections and send fewer commands at once, or use a larger node type.", false, false, "how much it slowed"},
	{"throttling", "throttling", 50, "percent of minutes", true,
		"ThrottledCmds of a serverless cache over 0 in half of the minutes; at 90 % or more of the maximum of ECPUs per second that was set, that maximum is the limit",
		"a serverless cache throttles above its ECPU maximum, https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html, and while the load grows faster than it can scale, " + serverless, lookThrottling, "Raise the maximum of ECPUs, or ramp the load up more slowly.", false, false, "a maximum that was not set is not known"},
	{"load_generator", "the load generator", 90, "percent", true,
		"CPU of the busiest task at 90 % or more of what memtier's threads can use, or throughput at 97 % or more of the rate limit that was set",
		"a thread uses one vCPU at most; service CPUUtilization, " + ecsMetrics, lookGenerator, "Add tasks or vCPUs to the tasks; then measure again.", false, false, "a single thread of a task with several; its network; which task is the busiest, without Container Insights"},

	{"skew", "skew between shards", 200, "percent of the others", false,
		"engine CPU of the busiest shard at twice the mean of the others or more, and at 50 % or more", "a key belongs to one shard, https://valkey.io/topics/cluster-spec/", lookSkew, "", true, true, "a hot key on a shard that is below 50 %"},
	{"peers", "tasks unlike their peers", 20, "percent apart", false,
		"one of three tasks or more whose throughput differs by 20 % or more from the median task's, or whose p99 is twice the median task's",
		"tasks have hosts of different speed, https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html", lookPeers, "", true, false, "two tasks or fewer; all tasks slow alike"},
	{"swap", "swap", 100, "percent of freeable memory", false,
		"SwapUsage of a node at FreeableMemory or more", "AWS: SwapUsage \"greater than the FreeableMemory metric indicates a node that is under memory pressure\", https://repost.aws/knowledge-center/elasticache-swap-activity", lookSwap, "", true, true, "what was swapped out before the load and is never read"},
	{"replication", "replication", behind, "s", false,
		"ReplicationLag of 1 s or more, MasterLinkHealthStatus 0, IsMaster of another node than before, or a promotion or full sync in the engine log",
		"AWS names no threshold: reads of such a replica are 1 s old or more, https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html", lookReplication, "", true, true, "a failover within a minute, without the engine log"},
	{"slow_log", "slow commands", 1, "count", false,
		"a command in the slow log in the load's time", "the slow log has what took longer than slowlog-log-slower-than, https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html", lookSlow, "", true, true, "commands below the threshold of the parameter group, by default 10 ms"},
	{"latency_modes", "bimodal latency", 150, "percent of p50", false,
		"mean latency at 150 % of p50 or more", "for one exponential distribution it is 144 %, 1/ln 2, https://en.wikipedia.org/wiki/Exponential_distribution", lookModes, "", true, false, "two modes of which the slower one is rare: see the percentile curve"},
}

// lookThrottling names the maximum if it was reached: below it, a cache that throttles while it scales will soon take more.
func lookThrottling(a *analysis, r rule, w Window) Finding {
	f := counted(throttled)(a, r, w)
	used := a.ecpus(w)
	if f.State != Fired || used == nil {
		return f
	}
	f.Evidence += fmt.Sprintf(", %s ECPU/s", Thousands(*used))
	switch {
	case a.atMaximum(w):
		f.Evidence += fmt.Sprintf(" of the maximum of %s that was set", Thousands(a.maxECPU))
	case a.maxECPU > 0:
		f.Evidence += fmt.Sprintf(", below the maximum of %s: the load grew faster than the cache scaled", Thousands(a.maxECPU))
	default:
		f.Evidence += ", no maximum known: the load grew faster than the cache scaled"
	}
	return f
}

// ecpus is the ECPUs per second in a window.
func (a *analysis) ecpus(w Window) *float64 {
	return combine(a.s.of(a.nodes, ecpus, (*samples).rate), add).over(w, mean)
}

// atMaximum reports whether a serverless cache was at its configured maximum, as far as known.
func (a *analysis) atMaximum(w Window) bool {
	used := a.ecpus(w)
	return a.maxECPU > 0 && (used == nil || *used >= 0.9*a.maxECPU)
}

func noData(r rule, format string, args ...any) Finding {
	return Finding{State: NoData, Threshold: r.threshold, Unit: r.unit, Evidence: fmt.Sprintf(format, args...)}
}

// highestOf finds the node with the highest value; it fires at the threshold.
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
		f.Evidence += fmt.Sprintf(", %d of %s", n, Quantity(len(a.nodes), "node"))
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

// judged is each node's mean; nil for a node with fewer datapoints than a limit needs in a window that has enough: most of its metric is missing.
func (a *analysis) judged(m metric, w Window) []*float64 {
	read := a.byShard(w, (*samples).grid)
	means, counts := a.each(m, w, read, mean), a.each(m, w, read, func(v []float64) float64 { return float64(len(v)) })
	_, step := a.covered(w)
	for i, n := range counts {
		if n != nil && *n < fewest && int64(*n)*step < fewest*60 && a.enough(w) {
			means[i] = nil
		}
	}
	return means
}

func lookEngineCPU(a *analysis, r rule, w Window) Finding {
	f := a.highestOf(r, a.judged(engineCPU, w), "EngineCPUUtilization")
	if f.State != NoData || !a.known || a.kind.VCPU > 2 {
		return f
	}
	r.threshold = engineLimit / float64(a.kind.VCPU)
	if g := a.highestOf(r, a.judged(hostCPU, w), "CPUUtilization"); g.State != NoData {
		return g
	}
	return f
}

func lookHostCPU(a *analysis, r rule, w Window) Finding {
	return a.highestOf(r, a.judged(hostCPU, w), "CPUUtilization")
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

// withoutCredits reports whether a node has no CPU credits in a window.
func (a *analysis) withoutCredits(w Window) bool {
	return lookCredits(a, rule{threshold: noCredits}, w).State == Fired
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
	over := a.each(exceeded, w, a.byShard(w, (*samples).notable), func(v []float64) float64 { return share(v, positive) })
	ceilings := make([]float64, len(a.nodes))
	for i, n := range a.nodes {
		ceilings[i] = baseline
		if i < len(a.Network.Nodes) && burst > 0 {
			d := of(a.Network.Nodes[i])
			ended := d.State == BurstEnded && !d.EndedAt.After(w.Start.Add(w.Duration()/2))
			if !ended && d.State != BurstSpent {
				ceilings[i] = burst
			}
		}
		v := a.byShard(w, (*samples).rate)(a.s, n, bytes).over(w, mean)
		if v != nil && over[i] != nil && *over[i] >= 50 && *v >= heldAt*baseline && *v <= overBaseline*baseline {
			ceilings[i] = baseline // its packets are queued: no burst is left
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
			f.Evidence += fmt.Sprintf(", %d of %s", n, Quantity(len(a.nodes), "node"))
		}
		f.Evidence += a.otherBandwidth(used, ceilings, f.Measured)
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
		words := fmt.Sprintf("%s of %s: packets queued in %.0f %% of the minutes", exceeded.name, strings.Join(dropping[:min(3, len(dropping))], ", "), most)
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
		most = 0 // the counter alone shows that nothing was dropped
		return Finding{State: Quiet, Threshold: 50, Unit: "percent of minutes", Measured: &most, Evidence: exceeded.name + " counted no packets in half of the minutes"}
	}
	if f.State == NoData && baseline == 0 {
		f.Evidence = "the bandwidth of the node type is not known and " + exceeded.name + " is missing"
	}
	return f
}

// otherBandwidth restates a share of the burst as a share of the baseline, and the other way round.
func (a *analysis) otherBandwidth(used []*float64, ceilings []float64, measured *float64) string {
	baseline, burst, _ := a.bandwidth()
	for i := range used {
		switch v := used[i]; {
		case v != measured || burst == 0 || burst == baseline:
		case ceilings[i] == burst:
			return fmt.Sprintf(", %.0f %% of the baseline of %s", *v*burst/baseline, gbits(baseline))
		default:
			return fmt.Sprintf(", %.0f %% of the burst of %s", *v*baseline/burst, gbits(burst))
		}
	}
	return ""
}

// noCredits is the CPU credit balance at which a node is held at its baseline.
const noCredits = 1.0

// Counts below these shares are noise: of the minute's packets, and of its commands for evictions.
const (
	negligible        = 1e-4
	negligibleEvicted = 1e-3
)

// notable is a node's counter without noise. Packets of an allowance are compared with the minute's packets, or with its commands if the metrics
// have no packets; evictions are compared with commands. Without either, all count.
func (s *samples) notable(n *source, m metric) *grid {
	g, work, share := s.grid(n, m), s.grid(n, commands), negligible
	switch {
	case strings.HasSuffix(m.name, "AllowanceExceeded"):
		packets := []*grid{s.grid(n, packetsIn), s.grid(n, packetsOut)}
		if packets[0] != nil && packets[1] != nil {
			work = combine(packets, add)
		}
	case m.name == evictions.name:
		share = negligibleEvicted
	default:
		return g
	}
	if g == nil || work == nil || g.step != work.step {
		return g
	}
	out := newGrid(g.start, g.step, len(g.v))
	for i, v := range g.v {
		out.v[i] = v
		if j := i + int((g.start-work.start)/g.step); j >= 0 && j < len(work.v) && v < share*work.v[j] {
			out.v[i] = 0
		}
	}
	return out
}

// connectionsOfNode is a node's maximum, without the few that Redis reserves for itself.
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

// counted is a rule for a counter that is above 0 only if something is wrong.
func counted(m metric) func(*analysis, rule, Window) Finding {
	return func(a *analysis, r rule, w Window) Finding {
		f := a.highestOf(r, a.each(m, w, a.byShard(w, (*samples).notable), func(v []float64) float64 { return share(v, positive) }), m.name)
		if f.State != NoData {
			f.Evidence = fmt.Sprintf("%s over 0 in %.0f %% of the minutes", m.name, *f.Measured)
			if f.State == Fired {
				f.Evidence += " on " + strings.Join(f.Where[:min(3, len(f.Where))], ", ") + a.effect(m, w)
			}
		}
		return f
	}
}

// effect compares throughput between the minutes with and without a count, if there are three of each.
func (a *analysis) effect(m metric, w Window) string {
	with, without, ok := a.rates(m, w)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", with %s ops/s in those minutes and %s in the others", rounded(with), rounded(without))
}

// rates are the throughput of the minutes with and without a count, if there are three of each.
func (a *analysis) rates(m metric, w Window) (counted, others float64, ok bool) {
	g := combine(a.s.of(a.nodes, m, (*samples).notable), add)
	if g == nil || a.l.window() == nil {
		return 0, 0, false
	}
	x := a.l.ops.grid(*a.Phases.Load, nil)
	var with, without []float64
	from, to := g.within(w)
	for i := from; i < to; i++ {
		if v := x.over(Window{Start: g.at(i), End: g.at(i + 1)}, mean); v != nil && g.v[i] > 0 {
			with = append(with, *v)
		} else if v != nil && g.v[i] == 0 {
			without = append(without, *v)
		}
	}
	if len(with) < 3 || len(without) < 3 {
		return 0, 0, false
	}
	return mean(with), mean(without), true
}

// falling compares the hit rate of the load's first three minutes with that of the window's last three; "" if it did not fall.
func (a *analysis) falling(w Window) string {
	rate := hitRate(combine(a.s.of(a.nodes, hits, (*samples).rate), add), combine(a.s.of(a.nodes, misses, (*samples).rate), add))
	v := rate.values(Window{Start: a.Phases.Load.Start, End: w.End})
	if len(v) < 2*fewest {
		return ""
	}
	before, now := mean(v[:fewest]), mean(v[len(v)-fewest:])
	if before-now < fallen {
		return ""
	}
	return fmt.Sprintf(", hit rate down from %.0f to %.0f %%", before, now)
}

// fallen is the fall of the hit rate, in points, from which on it is reported.
const fallen = 5.0

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
		f.Evidence += a.falling(w)
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

// limitReached is the share of a rate limit, in percent, at and above which it limits the load.
const limitReached = 97.0

func lookGenerator(a *analysis, r rule, w Window) Finding {
	c := a.Configuration
	if c.RateLimit != nil && *c.RateLimit > 0 && a.Connections.Expected != nil && a.l.window() != nil && (!c.ClusterMode || c.Shards > 0) {
		limit, of := *c.RateLimit*float64(*a.Connections.Expected), ""
		if c.ClusterMode { // memtier opens a connection to each shard, and applies the limit to each
			limit, of = limit*float64(c.Shards), " over "+Quantity(c.Shards, "shard")
		}
		if v := a.l.ops.grid(*a.Phases.Load, nil).over(w, mean); v != nil && *v >= limitReached/100*limit {
			return Finding{State: Fired, Measured: known(100 * *v / limit), Threshold: limitReached, Unit: "percent",
				Evidence: fmt.Sprintf("its rate limit of %s ops/s%s was reached", Thousands(limit), of)}
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
		words = fmt.Sprintf(" of which %s can use %.0f %%", Quantity(c.Threads, "thread"), usable)
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
