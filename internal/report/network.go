package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// A direction counts as above its baseline from overBaseline on, because shaping is not exact, and the minute in which a burst ends is a mix of
// both. It was held at the baseline if its traffic was above heldAt of it afterwards, or if packets were queued or dropped in half of the
// minutes.
const (
	overBaseline = 1.10
	heldAt       = 0.80
)

// AWS: "Instances can use burst bandwidth for a limited time, typically from 5 to 60 minutes, depending on the instance size."
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html
const burstSource = "AWS says that burst bandwidth lasts typically 5 to 60 minutes (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html)"

// bandwidth returns the baseline and burst of the nodes in bytes/s; baseline 0 is unknown.
func (a *analysis) bandwidth() (baseline, burst float64, source string) {
	if a.known {
		return a.kind.Baseline, a.kind.Burst, reference.Known().Types.String()
	}
	// AWS publishes the used share of the baseline, on node-based caches since May 2026.
	for _, n := range a.nodes {
		for _, m := range [][2]metric{{bytesOut, usageOut}, {bytesIn, usageIn}} {
			used, percent := a.s.rate(n, m[0]), a.s.grid(n, m[1])
			u, p := used.over(*a.Phases.Load, mean), percent.over(*a.Phases.Load, mean)
			if u != nil && p != nil && *p > 5 {
				return *u / *p * 100, 0, m[0].name + " over " + m[1].name
			}
		}
	}
	return 0, 0, ""
}

// burstEnds are the times at which nodes' burst bandwidth ended, sorted, without duplicates.
func (a *analysis) burstEnds() (ends []time.Time) {
	baseline, burst, _ := a.bandwidth()
	for _, n := range a.nodes {
		for _, m := range [][2]metric{{bytesIn, exceededIn}, {bytesOut, exceededOut}} {
			if d := a.direction(n, m[0], m[1], baseline, burst); d.EndedAt != nil && !slices.ContainsFunc(ends, d.EndedAt.Equal) {
				ends = append(ends, *d.EndedAt)
			}
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	return ends
}

// bursts reports whether any node's traffic is above its baseline in a window.
func (a *analysis) bursts(w Window) bool {
	baseline, _, _ := a.bandwidth()
	return slices.ContainsFunc(a.nodes, func(n *source) bool {
		in, out := a.s.rate(n, bytesIn).over(w, median), a.s.rate(n, bytesOut).over(w, median)
		return in != nil && *in > overBaseline*baseline || out != nil && *out > overBaseline*baseline
	})
}

// burstEnd is when the last node's burst bandwidth ended; the zero time if none did.
func (a *analysis) burstEnd() time.Time {
	if ends := a.burstEnds(); len(ends) > 0 {
		return ends[len(ends)-1]
	}
	return time.Time{}
}

// direction compares one node's traffic in one direction with its baseline.
func (a *analysis) direction(n *source, bytes, exceeded metric, baseline, burst float64) Direction {
	load := *a.Phases.Load
	used := a.s.rate(n, bytes)
	if used == nil {
		return Direction{State: BurstUnknown, Sentence: bytes.name + " is not in the metrics"}
	}
	steady := load
	if a.Phases.Steady != nil {
		steady = *a.Phases.Steady
	}
	d := Direction{SustainedBytesPerSecond: used.over(steady, mean)}
	switch {
	case a.Configuration.ServerlessCache != "":
		d.State, d.Sentence = BurstUnknown, "AWS documents no bandwidth of a serverless cache"
		return d
	case baseline == 0:
		d.State, d.Sentence = BurstUnknown, "the baseline of the node type is not known"
		return d
	case a.known && burst == 0:
		d.State, d.LongEnough = BurstNone, true
		d.Sentence = fmt.Sprintf("the node type does not burst: %s at any time", gbits(baseline))
		return d
	}
	from, to := used.within(load)
	over, last := 0, -1
	singles := 0
	var above []float64
	for i := from; i < to; i++ {
		// credits regained at the baseline allow single minutes above it: one minute proves nothing, except in a load of three or fewer
		alone := to-from > 3 && !(i > from && used.v[i-1] > overBaseline*baseline) && !(i+1 < to && used.v[i+1] > overBaseline*baseline)
		if used.v[i] > overBaseline*baseline && !alone {
			over++
			last, singles = i, 0
			above = append(above, used.v[i])
		} else if used.v[i] > overBaseline*baseline {
			singles++
		}
	}
	step := time.Duration(used.step) * time.Second
	length := time.Duration(over) * step
	if length < time.Minute {
		queued := a.s.notable(n, exceeded).values(load)
		if len(queued) > 0 && share(queued, positive) >= 50 && mean(used.values(load)) >= heldAt*baseline {
			d.State, d.LongEnough = BurstSpent, true
			d.Sentence = fmt.Sprintf("held at the baseline of %s from the start, with packets queued or dropped: no burst was left, because a prefill or an earlier run had used it up", gbits(baseline))
			return d
		}
		d.State, d.LongEnough = BelowBaseline, true
		if m := mean(used.values(load)); m > baseline {
			d.Sentence = fmt.Sprintf("at %.0f %% of the baseline of %s on average, and never over %.0f %% for two minutes in a row: what a burst would carry was not tried", 100*m/baseline, gbits(baseline), 100*overBaseline)
			return d
		}
		d.Sentence = fmt.Sprintf("never two minutes in a row above the baseline of %s: no burst was needed", gbits(baseline))
		return d
	}
	d.BurstMinutes, d.BurstBytesPerSecond = known(length.Minutes()), known(mean(above))
	ended := used.at(last + 1)
	after := Window{Start: ended, End: load.End}
	rest := used.values(after)
	if len(rest) == 0 || last >= to-2 {
		d.State = BurstToEnd
		d.SustainedBytesPerSecond = nil
		d.Sentence = fmt.Sprintf("above the baseline of %s until the load ended, %s in all: the test was too short to show what the node sustains; %s",
			gbits(baseline), minutesOf(*d.BurstMinutes), burstSource)
		return d
	}
	dropped := 0.0
	if g := a.s.notable(n, exceeded); len(g.values(after)) > 0 {
		dropped = share(g.values(after), positive)
	}
	if m := mean(rest); m < heldAt*baseline && dropped < 50 {
		d.State = BurstUnclear
		d.Sentence = fmt.Sprintf("%s above the baseline of %s, then less load (%s): not enough to tell whether the burst ended", minutesOf(*d.BurstMinutes), gbits(baseline), gbits(m))
		return d
	}
	minute := int(ended.Sub(load.Start).Minutes() + 0.5)
	d.State, d.EndedAt, d.EndedMinute, d.LongEnough = BurstEnded, &ended, &minute, true
	d.SustainedBytesPerSecond = known(mean(rest))
	d.Sentence = fmt.Sprintf("burst of %s until minute %d of the load, then %s of a baseline of %s", gbits(mean(above)), minute, gbits(mean(rest)), gbits(baseline))
	budget := 0.0
	for i := from; i <= last; i++ {
		budget += max(0, used.v[i]-baseline) * step.Seconds() // a NaN adds nothing
	}
	d.BudgetBytes = known(budget)
	d.Sentence += fmt.Sprintf("; %.3g GB above the baseline until then, which last %s at twice the baseline", budget/1e9, minutesOf(budget/baseline/60))
	if burst > baseline {
		d.Sentence += fmt.Sprintf(" and %s at %s", minutesOf(budget/(burst-baseline)/60), gbits(burst))
	}
	if singles > 0 {
		d.Sentence += fmt.Sprintf("; %s above it later is credit regained at the baseline", Quantity(singles, "single minute"))
	}
	return d
}

// gbits formats bytes/s in bits, as AWS does.
func gbits(bytesPerSecond float64) string {
	bits := bytesPerSecond * 8
	if bits < 1e9 {
		return fmt.Sprintf("%.3g Mbit/s", bits/1e6)
	}
	return fmt.Sprintf("%.3g Gbit/s", bits/1e9)
}

func minutesOf(m float64) string { return fmt.Sprintf("%.3g min", m) }

// network makes the section.
func (a *analysis) network() {
	w := &a.Network
	w.NodeType = a.Configuration.NodeType
	a.fargate()
	baseline, burst, source := a.bandwidth()
	w.Source = source
	if baseline > 0 {
		w.BaselineBytesPerSecond = known(baseline)
	}
	if burst > 0 {
		w.BurstBytesPerSecond = known(burst)
	}
	in, out := a.s.of(a.nodes, bytesIn, (*samples).rate), a.s.of(a.nodes, bytesOut, (*samples).rate)
	w.In = combine(in, math.Max).series("in, busiest node", "bytes/s", "max", pointsOfRun)
	w.Out = combine(out, math.Max).series("out, busiest node", "bytes/s", "max", pointsOfRun)
	w.PeakIn = combine(a.s.of(a.nodes, peakIn, (*samples).grid), math.Max).series("in, highest second", "bytes/s", "max", pointsOfRun)
	w.PeakOut = combine(a.s.of(a.nodes, peakOut, (*samples).grid), math.Max).series("out, highest second", "bytes/s", "max", pointsOfRun)
	if w.In == nil && w.Out == nil {
		a.lack("network", "NetworkBytesIn and NetworkBytesOut of the nodes are not in the metrics")
		w.Summary = "The nodes' traffic is not known."
		return
	}
	counts := map[string]int{}
	telling := Direction{}
	where := ""
	for _, n := range a.nodes {
		x := NodeNetwork{Node: n.id, In: a.direction(n, bytesIn, exceededIn, baseline, burst), Out: a.direction(n, bytesOut, exceededOut, baseline, burst)}
		w.Nodes = append(w.Nodes, x)
		for _, d := range []struct {
			Direction
			name string
		}{{x.Out, "out"}, {x.In, "in"}} {
			counts[d.State]++
			if rank(d.State) > rank(telling.State) {
				telling, where = d.Direction, n.id+" "+d.name
			}
		}
	}
	for _, m := range []metric{exceededIn, exceededOut, exceededPPS, exceededTrack, exceededLocal} {
		if a.Configuration.ServerlessCache != "" {
			break // it has none of them
		}
		w.Allowances = append(w.Allowances, a.allowance(m))
	}
	if a.Configuration.ServerlessCache != "" {
		w.Summary = "AWS documents no bandwidth of a serverless cache: its traffic is shown, and there is no baseline to compare it with."
		return
	}
	w.Summary = where + ": " + telling.Sentence + "."
	if l := a.Phases.List; len(l) > 0 && l[0].Phase == Prefill && (telling.State == BurstEnded || telling.State == BurstToEnd) {
		w.Summary += " The prefill before the load used up some of the burst, which lasts longer from rest."
	}
	if a.burstToEnd() {
		a.warn("the nodes' traffic was above their baseline bandwidth until the load ended: no figure shows what they sustain; run longer")
	}
	if end := a.burstLate(); end != nil {
		a.warn("the burst bandwidth ended at %s, shortly before the load's end: no figure shows what the nodes sustain; run longer", a.moment(*end))
	}
	if n := counts[telling.State]; n > 1 {
		w.Summary += fmt.Sprintf(" The same in %d of %d directions of %s.", n, 2*len(a.nodes), Quantity(len(a.nodes), "node"))
	}
	if baseline == 0 && a.Configuration.NodeType != "" {
		a.warn("node type %s is not in the embedded table: its baseline and burst bandwidth are not known", a.Configuration.NodeType)
	}
}

// burstToEnd reports whether nodes used burst bandwidth until the load ended, and no node showed what it sustains.
func (a *analysis) burstToEnd() bool {
	is := func(state string) bool {
		return slices.ContainsFunc(a.Network.Nodes, func(n NodeNetwork) bool { return n.In.State == state || n.Out.State == state })
	}
	return is(BurstToEnd) && !is(BurstEnded)
}

// burstLate is when the burst bandwidth ended, if the rest of the load is too short for figures of what the nodes sustain; else nil.
func (a *analysis) burstLate() *time.Time {
	if end := a.burstEnd(); !end.IsZero() && a.Phases.Steady != nil && a.Phases.Steady.Start.Before(end) {
		return &end
	}
	return nil
}

// rank orders states by how informative they are.
func rank(state string) int {
	for i, s := range []string{BurstUnknown, BurstNone, BelowBaseline, BurstUnclear, BurstToEnd, BurstSpent, BurstEnded} {
		if s == state {
			return i + 1
		}
	}
	return 0
}

func (a *analysis) allowance(m metric) Allowance {
	out := Allowance{Metric: m.name, Nodes: []string{}}
	all := a.s.of(a.nodes, m, (*samples).grid)
	for i, g := range all {
		if n := g.over(*a.Phases.Load, total); n != nil && *n > 0 {
			out.Nodes = append(out.Nodes, a.nodes[i].id)
		}
	}
	sum := combine(all, add)
	out.Packets = sum.over(*a.Phases.Load, total)
	for _, v := range sum.values(*a.Phases.Load) {
		if v > 0 {
			out.Minutes++
		}
	}
	if out.Packets != nil && *out.Packets > 0 {
		out.Rate = sum.scale(1/float64(sum.step)).series(m.name, "packets/s", "mean", pointsOfRun)
	}
	return out
}

// fargate does the same check for the tasks, for which AWS documents no bandwidth (https://github.com/aws/containers-roadmap/issues/715): the end
// of a burst looks like traffic that falls for good while all tasks run.
func (a *analysis) fargate() {
	f := &a.Network.Fargate
	c := a.Configuration
	if c.TaskCPUUnits > 0 {
		f.TaskVCPU = known(float64(c.TaskCPUUnits) / 1024)
	}
	if c.TaskMemoryMiB > 0 {
		f.TaskMemoryGiB = known(float64(c.TaskMemoryMiB) / 1024)
	}
	f.ServiceCPU = a.s.grid(a.load, taskCPU).series("CPU of the tasks", "percent", "mean", pointsOfRun)
	f.ServiceCPUMax = a.s.grid(a.load, taskCPUMax).series("CPU of the busiest task", "percent", "max", pointsOfRun)
	f.ServiceMemoryMax = a.s.grid(a.load, taskMemoryMax).series("memory of the fullest task", "percent", "max", pointsOfRun)
	load := *a.Phases.Load
	var perTask *grid
	if rx, tx := a.s.grid(a.load, taskRx), a.s.grid(a.load, taskTx); rx != nil && tx != nil {
		f.Source, perTask = "Container Insights", combine([]*grid{rx, tx}, add)
	} else if a.l.window() != nil {
		f.Source = "load generator"
		perTask = a.l.bytes.grid(load, &a.l.running).resample(60)
	}
	if perTask == nil {
		f.Sentence = "The tasks' traffic is not known."
		return
	}
	f.MeanPerTask, f.PeakPerTask = perTask.over(load, mean), perTask.over(load, highest)
	if f.MeanPerTask == nil || *f.MeanPerTask == 0 {
		f.MeanPerTask, f.PeakPerTask = nil, nil
		f.Sentence = "The tasks' traffic is not known."
		return
	}
	f.Sentence = fmt.Sprintf("A task carried %s on average and %s in its highest minute, both directions together, as the %s counts; AWS documents no bandwidth of a Fargate task.",
		gbits(*f.MeanPerTask), gbits(*f.PeakPerTask), f.Source)
	if a.Phases.Steady == nil || a.l.window() == nil {
		return
	}
	span := Window{Start: a.parts[0].Start, End: a.parts[len(a.parts)-1].End} // all segments, and the burst before them
	for _, p := range slices.Backward(a.Phases.List) {
		if p.Phase == Burst {
			span.Start = p.Start
		}
	}
	sum := a.l.bytes.grid(load, nil).resample(60)
	from, to := sum.within(span)
	if at, before, after, ok := fall(sum.v[from:to]); ok {
		f.FellAt, f.BeforePerSecond, f.AfterPerSecond = instant(sum.at(from+at)), known(before), known(after)
		f.Sentence += fmt.Sprintf(" Traffic of all tasks fell from %s to %s at %s of the load", gbits(before), gbits(after), clock(f.FellAt.Sub(load.Start)))
		if end := a.burstEnd(); !end.IsZero() && f.FellAt.Sub(end).Abs() <= 2*time.Minute {
			f.Sentence += ", when the nodes' burst ended."
		} else {
			f.Sentence += ", with no end of a node's burst at that time: a burst of the tasks' own may have ended."
		}
	}
}

// fall finds where per-minute traffic falls for good: the split that explains most of the variance, if each side has 5 minutes and the later one
// is lower by 15 % and by 4 standard errors.
func fall(x []float64) (at int, before, after float64, ok bool) {
	best := 0.0
	for i := 5; i+5 <= len(x); i++ {
		l, r := mean(x[:i]), mean(x[i:])
		n, m := float64(i), float64(len(x)-i)
		if gain := n * m / (n + m) * (l - r) * (l - r); gain > best {
			best, at, before, after = gain, i, l, r
		}
	}
	if at == 0 || !(after < 0.85*before) {
		return 0, 0, 0, false
	}
	l, r := deviation(x[:at]), deviation(x[at:])
	noise := math.Sqrt(l*l/float64(at) + r*r/float64(len(x)-at))
	return at, before, after, before-after > 4*noise
}
