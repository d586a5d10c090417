package report

import (
	"fmt"
	"math"
	"slices"
)

// The rules in this file are not limits: their findings are notes beside the verdict.

// lookSkew compares the shards' engine threads: more shards do not help if one has most of the work.
func lookSkew(a *analysis, r rule, w Window) Finding {
	c := a.Configuration
	if c.Shards < 2 || !c.ClusterMode {
		return Finding{State: NotApplicable, Threshold: r.threshold, Unit: r.unit, Evidence: "the cache has one shard"}
	}
	busy := map[string]float64{} // each shard's busiest node
	for i, v := range a.each(engineCPU, w, a.byShard(w, (*samples).grid), mean) {
		if n, ok := a.m.node(a.nodes[i].id); ok && v != nil {
			busy[n.NodeGroup] = max(busy[n.NodeGroup], *v)
		}
	}
	if len(busy) < 2 {
		return noData(r, "EngineCPUUtilization is missing")
	}
	hot, others := "", []float64{}
	for shard, v := range busy {
		if hot == "" || v > busy[hot] || v == busy[hot] && shard < hot {
			hot = shard
		}
	}
	for shard, v := range busy {
		if shard != hot {
			others = append(others, v)
		}
	}
	rest := mean(others)
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit, Measured: known(100 * busy[hot] / max(rest, 1)), Where: []string{"shard " + hot}}
	f.Evidence = fmt.Sprintf("engine CPU of shard %s of %d at %.0f %%, of the others at %.0f %%", hot, c.Shards, busy[hot], rest)
	if *f.Measured >= r.threshold && busy[hot] >= 50 {
		f.State = Noted
		f.Evidence += ": more shards do not help, check the keys"
	}
	return f
}

// lookPeers finds tasks that are slower than the others: the cause is then their host or network, not the cache.
func lookPeers(a *analysis, r rule, _ Window) Finding {
	type peer struct {
		id       string
		ops, p99 float64
	}
	var all []peer
	var ops, p99 []float64
	for _, t := range a.Tasks {
		if t.State != "ok" || t.OpsPerSecond == nil {
			continue
		}
		p := peer{brief(t.ID), *t.OpsPerSecond, math.NaN()}
		for _, of := range t.Percentiles {
			if of.Percent == 99 {
				p.p99 = of.MS
				p99 = append(p99, of.MS)
			}
		}
		all, ops = append(all, p), append(ops, p.ops)
	}
	if len(all) < 3 {
		return Finding{State: NotApplicable, Threshold: r.threshold, Unit: r.unit, Evidence: "fewer than three tasks have no peers"}
	}
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit, Measured: known(0)}
	usual, tail := median(ops), math.NaN()
	if len(p99) >= 3 {
		tail = median(p99)
	}
	for _, p := range all {
		if apart := 100 * math.Abs(p.ops/usual-1); apart > *f.Measured {
			f.Measured, f.Where = &apart, []string{p.id}
			f.Evidence = fmt.Sprintf("task %s did %s ops/s, the median task %s", p.id, rounded(p.ops), rounded(usual))
		}
		if p.p99 >= 2*tail {
			f.State, f.Where = Noted, []string{p.id}
			f.Evidence = fmt.Sprintf("p99 of task %s is %.3g ms, that of the median task %.3g ms", p.id, p.p99, tail)
			break
		}
	}
	if *f.Measured >= r.threshold {
		f.State = Noted
	}
	if f.State == Noted {
		f.Evidence += ": check its CPU, host and zone, because its operations are in all figures"
	}
	return f
}

// lookSwap compares swap with free memory.
func lookSwap(a *analysis, r rule, w Window) Finding {
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit}
	used, free := a.each(swap, w, (*samples).grid, mean), a.each(freeable, w, (*samples).grid, mean)
	for i := range used {
		if used[i] == nil || free[i] == nil {
			continue
		}
		if share := 100 * *used[i] / max(1, *free[i]); f.Measured == nil || share > *f.Measured {
			f.Measured, f.Where = &share, []string{a.nodes[i].id}
			f.Evidence = fmt.Sprintf("%s swaps %.0f MB and has %.0f MB free", a.nodes[i].id, *used[i]/1e6, *free[i]/1e6)
		}
	}
	if f.Measured == nil {
		return noData(r, "swap and freeable memory are not both in the metrics")
	}
	if *f.Measured >= r.threshold {
		f.State = Noted
		f.Evidence += ": it is short of memory outside of maxmemory; raise reserved-memory-percent or use a larger node type"
	}
	return f
}

// lookReplication looks for events of replication.
func lookReplication(a *analysis, r rule, w Window) Finding {
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit}
	seen := false
	for i, v := range a.each(replicationLag, *a.Phases.Load, (*samples).grid, highest) {
		if n, ok := a.m.node(a.nodes[i].id); v == nil || ok && n.Role == "primary" && *v == 0 {
			continue
		}
		if seen = true; f.Measured == nil || *v > *f.Measured {
			f.Measured, f.Where = v, []string{a.nodes[i].id}
			f.Evidence = fmt.Sprintf("%s was at most %.3g s behind its primary", a.nodes[i].id, *v)
		}
	}
	events := slices.DeleteFunc(slices.Clone(a.Verdict.Events), func(e Event) bool {
		return !slices.Contains([]string{EventLag, EventLink, EventFailover, EventSync}, e.Kind)
	})
	if !seen && len(events) == 0 {
		return Finding{State: NotApplicable, Threshold: r.threshold, Unit: r.unit, Evidence: "no replica shows a replication lag"}
	}
	for i, e := range events {
		if f.State = Noted; i == 0 {
			f.Evidence = e.Text
		} else if i < 4 {
			f.Evidence += "; " + e.Text
		}
	}
	if more := len(events) - 4; more > 0 {
		f.Evidence += fmt.Sprintf("; and %d more", more)
	}
	return f
}

// lookSlow counts the commands in the slow log.
func lookSlow(a *analysis, r rule, _ Window) Finding {
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit, Evidence: "the slow log has no command of the load's time"}
	if a.l == nil {
		return noData(r, "there is no log")
	}
	total, worst := 0, &heard{}
	for _, h := range a.l.heard {
		if h.kind != EventSlow || !h.during(*a.Phases.Load) {
			continue
		}
		if total += h.count; h.count > worst.count {
			worst = h
		}
	}
	f.Measured = known(float64(total))
	if total > 0 {
		f.State = Noted
		f.Evidence = fmt.Sprintf("%s in the slow log, most often %s (%s)", Quantity(total, "command"), worst.text, times(worst.count))
	}
	return f
}

// lookModes detects a latency with two modes: a mean far above the median comes from a few slow operations, or from two kinds of operations.
func lookModes(a *analysis, r rule, _ Window) Finding {
	l := &a.Client.Latency
	p50, ok := l.At(50)
	if !ok || l.MeanMS == nil || p50 == 0 {
		return noData(r, "no task wrote its histogram")
	}
	f := Finding{State: Quiet, Threshold: r.threshold, Unit: r.unit, Measured: known(100 * *l.MeanMS / p50), Where: []string{}}
	f.Evidence = fmt.Sprintf("the mean is %.3g ms and the median %.3g ms", *l.MeanMS, p50)
	if *f.Measured >= r.threshold {
		f.State = Noted
		f.Evidence += ": most operations are faster than the mean; a second kind of operation, a zone or a task may be the cause"
	}
	return f
}
