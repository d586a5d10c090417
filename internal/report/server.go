package report

import "math"

// ms converts the server's microseconds.
func (s *samples) ms(n *source, m metric) *grid { return s.grid(n, m).scale(1e-3) }

// memory is a node's used share of maxmemory in percent; without the memory that eviction does not count, if AWS publishes that metric.
func (s *samples) memory(n *source, _ metric) *grid {
	if g := s.grid(n, memoryEvict); g != nil {
		return g
	}
	return s.grid(n, memoryAll)
}

// server makes the sections of the nodes: server, cpu, memory and connections.
func (a *analysis) server() {
	all := func(m metric, read func(*samples, *source, metric) *grid) []*grid { return a.s.of(a.nodes, m, read) }
	line := func(g *grid, name, unit, stat string) *Series { return g.series(name, unit, stat, pointsOfRun) }
	grid, rate, ms := (*samples).grid, (*samples).rate, (*samples).ms
	load := *a.Phases.Load

	a.Server = Server{
		Commands: line(combine(all(commands, commandsOnce), add), "commands", "commands/s", "mean"),
		ReadP50:  line(combine(all(readP50, ms), math.Max), "p50 of reads, slowest node", "ms", "max"),
		ReadP99:  line(combine(all(readP99, ms), math.Max), "p99 of reads, slowest node", "ms", "max"),
		WriteP50: line(combine(all(writeP50, ms), math.Max), "p50 of writes, slowest node", "ms", "max"),
		WriteP99: line(combine(all(writeP99, ms), math.Max), "p99 of writes, slowest node", "ms", "max"),
		HitRate:  line(hitRate(combine(all(hits, rate), add), combine(all(misses, rate), add)), "hit rate", "percent", "mean"),
		Items:    line(combine(all(items, asPrimary(grid)), add), "keys", "count", "mean"),

		ECPUs:     line(combine(all(ecpus, rate), add), "ECPUs", "ECPU/s", "mean"),
		Throttled: line(combine(all(throttled, rate), add), "throttled commands", "commands/s", "mean"),
	}
	engine, host, credits := all(engineCPU, grid), all(hostCPU, grid), all(creditBalance, grid)
	a.CPU = CPU{
		Engine:    line(average(engine), "engine CPU, mean of the nodes", "percent", "mean"),
		EngineMax: line(combine(engine, math.Max), "engine CPU, busiest node", "percent", "max"),
		Host:      line(average(host), "host CPU, mean of the nodes", "percent", "mean"),
		HostMax:   line(combine(host, math.Max), "host CPU, busiest node", "percent", "max"),
		Credits:   line(combine(credits, math.Min), "CPU credits, lowest node", "vCPU-minutes", "mean"),
	}
	a.Memory = Memory{
		Percent:   line(combine(all(memoryAll, (*samples).memory), math.Max), "memory, fullest node", "percent", "max"),
		UsedBytes: line(combine(all(usedMemory, grid), add), "memory used by data", "bytes", "mean"),
		Freeable:  line(combine(all(freeable, grid), math.Min), "freeable memory, node with least", "bytes", "mean"),
		Swap:      line(combine(all(swap, grid), math.Max), "swap, node with most", "bytes", "max"),
		Evictions: line(combine(all(evictions, asPrimary(rate)), add), "evictions", "1/s", "mean"),
		Evicted:   combine(all(evictions, asPrimary(grid)), add).over(load, total),
	}
	a.Connections = Connections{
		Current:  line(combine(all(connections, grid), add), "connections", "count", "max"),
		New:      line(combine(all(newConnections, rate), add), "new connections", "1/s", "mean"),
		Rejected: combine(all(rejected, grid), add).over(load, total),
	}
	if a.known {
		vcpu, memory := a.kind.VCPU, a.kind.MemoryGiB
		a.CPU.VCPU, a.Memory.NodeGiB = &vcpu, &memory
	}
	if c := a.Configuration; c.Tasks > 0 && c.Threads > 0 && c.Clients > 0 {
		n := c.Tasks * c.Threads * c.Clients
		a.Connections.Expected = &n
	}
	noCPU := "neither EngineCPUUtilization nor CPUUtilization of the nodes is in the metrics"
	if a.Configuration.ServerlessCache != "" {
		noCPU = "a serverless cache shows no CPU"
	}
	for _, lack := range []struct {
		section string
		has     *Series
		why     string
	}{
		{"server", a.Server.Commands, "ProcessedCommands is not in the metrics"},
		{"cpu", first2(a.CPU.Engine, a.CPU.Host), noCPU},
		{"memory", first2(a.Memory.Percent, a.Memory.UsedBytes), "neither DatabaseMemoryUsagePercentage nor BytesUsedForCache is in the metrics"},
		{"connections", a.Connections.Current, "CurrConnections is not in the metrics"},
	} {
		if lack.has == nil {
			a.lack(lack.section, "%s", lack.why)
		}
	}
	limit := each(len(a.nodes))
	for _, n := range a.nodes {
		a.Nodes = append(a.Nodes, a.node(n, limit))
	}
	if early, late := a.halves(a.Server.HitRate); late-early > 5 {
		a.warn("the cache was still filling: its hit rate was %.0f %% in the first half of the steady window and %.0f %% in the second", early, late)
	}
}

func first2(a, b *Series) *Series {
	if a != nil {
		return a
	}
	return b
}

// hitRate in percent.
func hitRate(hits, misses *grid) *grid {
	if hits == nil || misses == nil {
		return nil
	}
	return combine([]*grid{hits, misses}, func(hit, miss float64) float64 { return 100 * hit / (hit + miss) })
}

// halves returns the means of a series in the first and in the second half of the steady window; 0 and 0 without one.
func (a *analysis) halves(s *Series) (early, late float64) {
	if a.Phases.Steady == nil {
		return 0, 0
	}
	v := s.grid().values(*a.Phases.Steady)
	if len(v) < 4 {
		return 0, 0
	}
	return mean(v[:len(v)/2]), mean(v[len(v)/2:])
}

// window is the steady window, or the whole load if there is none.
func (a *analysis) window() Window {
	if a.Phases.Steady != nil {
		return *a.Phases.Steady
	}
	return *a.Phases.Load
}

func (a *analysis) node(n *source, limit int) NodeResult {
	w, load := a.window(), *a.Phases.Load
	s := a.s
	out := NodeResult{ID: n.id}
	if m, ok := a.m.node(n.id); ok {
		out.Shard, out.Role, out.AvailabilityZone = m.NodeGroup, m.Role, m.AvailabilityZone
	}
	if v := s.grid(n, isMaster).over(w, mean); out.Role == "" && v != nil {
		out.Role = map[bool]string{true: "primary", false: "replica"}[*v >= 0.5]
	}
	engine, host, credits := s.grid(n, engineCPU), s.grid(n, hostCPU), s.grid(n, creditBalance)
	work, in, outward := s.rate(n, commands), s.rate(n, bytesIn), s.rate(n, bytesOut)
	highIn, highOut := s.grid(n, peakIn), s.grid(n, peakOut)
	reads, writes := s.ms(n, readP99), s.ms(n, writeP99)
	memory, evicted, connected := s.memory(n, memoryAll), s.rate(n, evictions), s.grid(n, connections)
	out.EngineCPUPercent, out.HostCPUPercent, out.CreditBalance = engine.over(w, mean), host.over(w, mean), credits.over(load, lowest)
	if a.datapoints(w) == 0 {
		out.EngineCPUPercent, out.HostCPUPercent = nil, nil // diluted by the time without load; counters, as rates, are corrected for it
	}
	out.CommandsPerSecond, out.ReadP99MS, out.WriteP99MS = work.over(w, mean), reads.over(w, median), writes.over(w, median)
	out.HitPercent = hitRate(s.rate(n, hits), s.rate(n, misses)).over(w, mean)
	out.MemoryPercent, out.Evictions, out.MaxConnections = memory.over(w, highest), s.grid(n, evictions).over(w, total), connected.over(w, highest)
	out.BytesInPerSecond, out.BytesOutPerSecond = in.over(w, mean), outward.over(w, mean)
	out.PeakBytesInPerSecond, out.PeakBytesOutPerSecond = highIn.over(load, highest), highOut.over(load, highest)
	out.Series = NodeSeries{
		EngineCPU: engine.series("engine CPU", "percent", "mean", limit), HostCPU: host.series("host CPU", "percent", "mean", limit),
		CreditBalance: credits.series("CPU credits", "vCPU-minutes", "mean", limit), Commands: work.series("commands", "commands/s", "mean", limit),
		ReadP99: reads.series("p99 of reads", "ms", "max", limit), WriteP99: writes.series("p99 of writes", "ms", "max", limit),
		BytesIn: in.series("in", "bytes/s", "mean", limit), BytesOut: outward.series("out", "bytes/s", "mean", limit),
		PeakIn: highIn.series("in, highest second", "bytes/s", "max", limit), PeakOut: highOut.series("out, highest second", "bytes/s", "max", limit),
		Memory: memory.series("memory", "percent", "max", limit), Evictions: evicted.series("evictions", "1/s", "mean", limit),
		Connections: connected.series("connections", "count", "max", limit),
	}
	return out
}
