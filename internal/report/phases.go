package report

import (
	"math"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/stats"
)

// Phases of a load.
const (
	Prefill   = "prefill"   // the keys are written before the load
	WarmUp    = "warm_up"   // throughput not yet at its later level
	Burst     = "burst"     // before a node's burst bandwidth ended
	Steady    = "steady"    // the longest time in which nothing changed; after the end of a burst or of CPU credits, what is sustained
	Drifting  = "drifting"  // like steady, but throughput moved by over 10 %
	Disturbed = "disturbed" // while a different set of tasks ran
	Changed   = "changed"   // the same tasks at a different level than in the steady window
	Ramp      = "ramp"      // throughput rises or falls along a straight line
	RampDown  = "ramp_down" // tasks end
)

const phaseMethod = "Prefill: from the first task's start to the last task's end of it, as they report; otherwise minutes at the start with under 5 % reads when over 20 % follow. Then the longest stretch in which the same tasks ran, " +
	"after the end of the burst bandwidth if it ended. Its warm-up is cut by MSER-5 (K. P. White, 1997, \"An effective truncation heuristic for bias reduction " +
	"in simulation output\", Simulation 69(6); batches of 5: S. C. Spratt, 1998) on throughput by second, searched in the first half, its ramp-down by the same rule " +
	"from the end, searched in the last tenth, or the last 3 minutes where these are longer; a cut counts when the mean of what it cuts differs by over 5 %, lies outside of the 95 % interval that the noise of the rest leaves it and no equally long stretch of the rest is like it, and when it is shorter than 3 minutes: what lasts longer is a state of the run. " +
	"Nothing is cut from less than 3 minutes, where noise of seconds looks the same. " +
	"What is left is cut where it changes for 3 minutes or more: throughput by 10 %, the busiest node's engine CPU by 10 points, evictions by 1 in 1,000 operations (PELT: R. Killick, P. Fearnhead, " +
	"I. A. Eckley, 2012, \"Optimal detection of changepoints with a linear computational cost\", Journal of the American Statistical Association 107). A segment has one level, or is a ramp along a straight line, where levels need more " +
	"numbers to say it as well (G. Schwarz, 1978, \"Estimating the dimension of a model\", Annals of Statistics 6; 3 numbers a segment: N. R. Zhang, D. O. Siegmund, 2007, Biometrics 63). The longest segment at one level is the steady one; where CPU credits ran dry, the longest of those without them " +
	"that are a twentieth of the load or more, because that is what the node sustains."

// phases finds the phases of the load; false if the files have no operation.
func (a *analysis) phases() bool {
	p := &a.Phases
	p.Method = phaseMethod
	var x *grid
	if p.Load = a.l.window(); p.Load != nil {
		x = a.l.ops.grid(*p.Load, nil)
	} else if _, unreadable := a.l.unreadable(); a.l != nil && len(a.l.log.Tasks) > 0 && !unreadable {
		return false // there was a load without an operation
	} else if x = combine(a.s.of(a.nodes, commands, commandsOnce), add); x != nil {
		p.Load = busy(x)
		p.Method = "No log that can be read: the load is where the nodes' commands exceed a twentieth of their peak. " + p.Method
	}
	if p.Load == nil {
		return false
	}
	if w, ok := a.l.prefill(); ok && w.End.Before(p.Load.End) {
		p.List = append(p.List, w)
		p.Load.Start = later(p.Load.Start, w.End)
	}
	from := *p.Load
	if end, ok := a.prefill(); ok && len(p.List) == 0 {
		p.List = append(p.List, Window{Prefill, from.Start, end})
		from.Start = end
	}
	whole := from
	stretch := a.stretch(from)
	ended := a.burstEnd()
	lasts := func(at time.Time) bool {
		return at.After(from.Start) && from.End.Sub(at) >= max(fewest*time.Minute, from.Duration()/20)
	}
	sustained := func(at time.Time) {
		if after := (Window{Start: at, End: from.End}); !stretch.End.After(at.Add(after.Duration() / 2)) {
			stretch = a.stretch(after) // the longest stretch is before it: take one from the sustained time
		}
	}
	burst := !ended.IsZero() && lasts(ended)
	if burst {
		sustained(ended)
		stretch.Start = later(stretch.Start, ended)
	} else if dry := a.dry(); dry != nil && lasts(*dry) {
		sustained(*dry)
	}
	cut := *p.Load
	cut.Start = stretch.Start
	if !burst {
		cut.Start = a.warm(x, stretch)
	}
	cut.End = stretch.End
	ramp := max(whole.Duration()/10, fewest*time.Minute) // the longest ramp-down
	if whole.End.Sub(stretch.End) <= ramp {
		cut.End = a.cool(x, Window{Start: cut.Start, End: stretch.End})
	}
	if cut.Duration() <= 0 {
		p.Method += " Here it found no steady state."
		return true
	}
	p.Steady = &Window{Steady, cut.Start, cut.End}
	begin := from.Start
	if burst {
		warm := a.warm(x, Window{Start: from.Start, End: ended})
		if warm.After(begin) {
			p.List = append(p.List, Window{WarmUp, begin, warm})
		}
		begin = warm
		for _, end := range a.burstEnds() { // split at each node's burst end: the rates before and after it differ
			if end.Equal(ended) || end.Sub(begin) >= fewest*time.Minute && ended.Sub(end) >= fewest*time.Minute {
				for _, part := range a.cut(x, Window{Burst, begin, end}) {
					if part.Phase == Burst && !a.bursts(part) {
						part.Phase = Changed
					}
					p.List = append(p.List, part)
				}
				begin = end
			}
		}
	}
	if cut.Start.After(begin) {
		name := WarmUp
		if burst || stretch.Start.Sub(begin) >= fewest*time.Minute || a.died(Window{Start: begin, End: cut.Start}) {
			name = Disturbed
		}
		p.List = append(p.List, Window{name, begin, cut.Start})
	}
	p.List = append(p.List, a.segment(x)...)
	if end := from.End; end.After(cut.End) {
		name := RampDown
		if end.Sub(cut.End) > ramp || end.Sub(stretch.End) >= fewest*time.Minute || a.died(Window{Start: cut.End, End: end}) {
			name = Disturbed
		}
		p.List = append(p.List, Window{name, cut.End, end})
	}
	a.stability(x)
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// busy is from the first to the last value above a twentieth of the highest.
func busy(g *grid) *Window {
	if len(g.v) == 0 {
		return nil
	}
	top, first, last := 0.0, -1, -1
	for _, v := range g.v {
		if v > top {
			top = v
		}
	}
	for i, v := range g.v {
		if top > 0 && v > top/20 {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return nil
	}
	return &Window{Phase: "load", Start: g.at(first), End: g.at(last + 1)}
}

// prefill is the time in which tasks wrote their keys, by their logs; a task that started when others were already loading does not count.
func (l *load) prefill() (w Window, ok bool) {
	if l == nil {
		return w, false
	}
	w.Phase = Prefill
	var loading time.Time // the first task's load
	for _, t := range l.log.Tasks {
		if !t.Filled.IsZero() && (loading.IsZero() || t.Filled.Before(loading)) {
			loading = t.Filled
		}
		if !t.Filling.IsZero() && (w.Start.IsZero() || t.Filling.Before(w.Start)) {
			w.Start = t.Filling
		}
	}
	for _, t := range l.log.Tasks {
		if !t.Filling.After(loading) {
			w.End = later(w.End, t.Filled)
		}
	}
	w.Start, w.End = w.Start.Round(time.Second), w.End.Round(time.Second)
	return w, !loading.IsZero()
}

// prefill is the time until the first reads, if reads follow.
func (a *analysis) prefill() (time.Time, bool) {
	if a.s == nil {
		return time.Time{}, false
	}
	gets, sets := combine(a.s.of(a.nodes, getCommands, (*samples).rate), add), combine(a.s.of(a.nodes, setCommands, (*samples).rate), add)
	if gets == nil || sets == nil || gets.step != sets.step {
		return time.Time{}, false
	}
	reads := combine([]*grid{gets, sets}, func(get, set float64) float64 {
		if get+set == 0 {
			return math.NaN()
		}
		return 100 * get / (get + set)
	})
	from, to := reads.within(*a.Phases.Load)
	known := reads.values(*a.Phases.Load)
	if len(known) < 4 || median(known) < 20 {
		return time.Time{}, false
	}
	n := from
	for n < to && !(reads.v[n] >= 5) {
		n++
	}
	if n == from || n == to {
		return time.Time{}, false
	}
	end := reads.at(n)
	return end, end.After(a.Phases.Load.Start) && end.Before(a.Phases.Load.End)
}

// stretch is the longest time in the window with the same tasks.
func (a *analysis) stretch(w Window) (best Window) {
	for _, s := range a.sameTasks(w) {
		if s.Duration() > best.Duration() {
			best = s
		}
	}
	return best
}

// died reports whether a task ended in the window without logging its end while others continued: that is neither a warm-up nor a ramp-down.
func (a *analysis) died(w Window) bool {
	if a.l.window() == nil {
		return false
	}
	return slices.ContainsFunc(a.l.order, func(k *worker) bool {
		last := k.last.Round(time.Second)
		return k.task.Finished.IsZero() && !last.Before(w.Start) && !last.After(w.End) && a.Phases.Load.End.Sub(last) >= fewestSeconds*time.Second
	})
}

// sameTasks splits a window where the set of tasks changes.
func (a *analysis) sameTasks(w Window) (parts []Window) {
	if a.l.window() == nil {
		return []Window{w}
	}
	cuts := []time.Time{w.Start, w.End}
	for _, k := range a.l.order {
		for _, t := range []time.Time{k.first, k.last} {
			if t.After(w.Start) && t.Before(w.End) {
				cuts = append(cuts, t)
			}
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	for i := range cuts[1:] {
		parts = append(parts, Window{Start: cuts[i].Round(time.Second), End: cuts[i+1].Round(time.Second)})
	}
	return parts
}

// warm is the end of a stretch's warm-up.
func (a *analysis) warm(x *grid, w Window) time.Time {
	from, to := x.within(w)
	return later(w.Start, x.at(from+x.unsettled(filled(x).v[from:to], 0.5)))
}

// cool is the start of a stretch's ramp-down.
func (a *analysis) cool(x *grid, w Window) time.Time {
	from, to := x.within(w)
	backwards := slices.Clone(filled(x).v[from:to])
	slices.Reverse(backwards)
	searched := 0.1
	if short := float64(fewest*60+10) / float64(x.step) / float64(len(backwards)); short > searched {
		searched = min(short, 0.5) // a ramp-down of up to three minutes must not be at the bound, where a minimum does not count
	}
	if n := x.unsettled(backwards, searched); n > 0 {
		return x.at(to - n)
	}
	return w.End
}

// unsettled is how many values to cut from the start of a stretch. A level that lasts as long as a segment is a state of the run, such as the
// time before CPU credits ran dry; and in a stretch shorter than a segment, MSER takes noise for a warm-up.
func (g *grid) unsettled(x []float64, searched float64) int {
	const short = fewest * 60
	n := mser(x, searched)
	if n == 0 || int64(len(x))*g.step < short || int64(n)*g.step >= short {
		return 0
	}
	// If the first values are noise like the rest, adding them keeps the mean in that interval, too.
	half, known := stats.Within(x[n:])
	if !known || math.Abs(mean(x[:n])-mean(x[n:])) <= half*math.Sqrt(float64(len(x))/float64(n)) {
		return 0
	}
	return n
}

// mser is how many values to cut from the start by MSER: the cut that minimizes the standard error of the mean of the rest. It works on means of
// 5 values (MSER-5) if there are at least 50. Only the given share of the values is searched, because the statistic is unreliable near the end
// of the data; a minimum at its bound does not count: throughput never settled.
func mser(x []float64, searched float64) int {
	batch := 5
	if len(x) < 50 {
		batch = 1
	}
	var means []float64
	for i := 0; i+batch <= len(x); i += batch {
		m := mean(x[i : i+batch])
		if math.IsNaN(m) {
			m = 0 // no report means no operation
		}
		means = append(means, m)
	}
	n := len(means)
	bound := int(float64(n) * searched)
	if n < 10 || bound < 1 {
		return 0
	}
	best, at := math.Inf(1), 0
	sum, squares := 0.0, 0.0
	offset := median(means) // keeps the difference of large numbers exact
	for d := n - 1; d >= 0; d-- {
		v := means[d] - offset
		sum, squares = sum+v, squares+v*v
		if rest := float64(n - d); d <= bound {
			if statistic := (squares - sum*sum/rest) / (rest * rest); statistic <= best {
				best, at = statistic, d
			}
		}
	}
	if at == 0 || at == bound && bound > 1 {
		return 0
	}
	kept := mean(means[at:])
	cut := mean(means[:at])
	if math.Abs(cut-kept) <= 0.05*math.Abs(kept) {
		return 0
	}
	for i := at; i+at <= n; i++ { // autocorrelated noise has similar stretches later, too
		if like := mean(means[i : i+at]); cut < kept && like <= cut || cut > kept && like >= cut {
			return 0
		}
	}
	return at * batch
}

// stability measures how much throughput moved in the steady window. In less than three minutes, noise from second to second looks like a drift.
func (a *analysis) stability(x *grid) {
	p := &a.Phases
	if p.Steady.Duration() < fewest*time.Minute {
		a.warn("the steady window is only %.0f s long: its figures are rough", p.Steady.Duration().Seconds())
		return
	}
	step := int64(60)
	if p.Steady.Duration() < 10*time.Minute {
		step = 5
	}
	v := filled(x).resample(step).values(*p.Steady) // an outage is no drift
	if len(v) < 3 {
		return
	}
	m := mean(v)
	if m == 0 {
		return
	}
	p.VariationPercent = known(100 * deviation(v) / m)
	p.DriftPercent = known(100 * stats.Drift(v) / m)
	if d := *p.DriftPercent; math.Abs(d) > 10 {
		p.Steady.Phase = Drifting
		for i := range p.List {
			if p.List[i].Phase == Steady {
				p.List[i].Phase = Drifting
			}
		}
		a.warn("there was no steady state: throughput drifted by %+.0f %% in the time that figures are of", d)
		return
	}
	a.uncertain(filled(x).values(*p.Steady))
}

// uncertain measures how well the mean throughput is known: noise that is slow compared with the run leaves it open.
func (a *analysis) uncertain(x []float64) {
	p := &a.Phases
	half, known := stats.Within(x)
	if !known {
		a.warn("the run was too short to know its throughput, which varies so slowly by itself that a longer run can have a different mean from these %.0f minutes", p.Steady.Duration().Minutes())
		return
	}
	percent := math.Round(1e5*half/mean(x)) / 1000
	if p.UncertaintyPercent = &percent; percent > placementNoise {
		a.warn("the run was short for the noise in it: its throughput is known to ±%.0f %% (95 %%), and a run of %.0f minutes would know it to %.0f %%", percent,
			math.Ceil(p.Steady.Duration().Minutes()*math.Pow(percent/placementNoise, 2)), placementNoise)
	}
}
