package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/stats"
)

// Segment is a part of the load in which nothing changed, and what limited it.
type Segment struct {
	Window       Window   `json:"window"`
	OpsPerSecond *float64 `json:"ops_per_second"`
	Ended        string   `json:"ended"`  // what ended it; "" for the last one, and if no measured cause did
	Limits       []string `json:"limits"` // ids of the rules that fired
	// Ramp is the operations per second at its start and end if they rose or fell along a straight line; else null.
	Ramp *[2]float64 `json:"ramp"`
}

// fewest minutes of a segment: a shorter change is an event.
const fewest = 3

// worth is the smallest change of throughput, as a share, that starts a new segment.
const worth = 0.1

// most is how many segments a reader can follow; a run that changes more often has no steady part.
const most = 12

// segment splits the steady window where it changes. The longest part at one level becomes the steady one. If CPU credits ran dry, it is the longest
// part after that: that level is sustained, as after a burst. It returns all parts in order.
func (a *analysis) segment(x *grid) []Window {
	parts := a.cut(x, Window{Changed, a.Phases.Steady.Start, a.Phases.Steady.End})
	long := a.Phases.Load.Duration() / 20 // the same minimum as after a burst
	sustained := func(p Window) bool { return p.Phase != Ramp && p.Duration() >= long && a.withoutCredits(p) }
	longest := 0
	for i, p := range parts {
		level, was := p.Phase != Ramp, parts[longest].Phase != Ramp
		last, before := sustained(p), sustained(parts[longest])
		if last == before && (level == was && p.Duration() > parts[longest].Duration() || level && !was) || last && !before {
			longest = i
		}
	}
	parts[longest].Phase = Steady
	a.Phases.Steady = &Window{Steady, parts[longest].Start, parts[longest].End}
	a.parts = parts
	return parts
}

// cut splits a window into parts in which nothing changed, or throughput rose or fell along a straight line.
func (a *analysis) cut(x *grid, w Window) (parts []Window) {
	var ramps []Window
	cuts := []time.Time{w.Start, w.End}
	level := 0.0
	if m := x.over(w, mean); m != nil {
		level = *m
	}
	for i, of := range []struct {
		g        *grid
		smallest float64
	}{
		{working(x).resample(60), worth * level},
		{combine(a.s.of(a.nodes, engineCPU, (*samples).grid), math.Max), 10},
		{combine(a.s.of(a.nodes, evictions, (*samples).rate), add), 0.001 * level},
	} {
		if of.g == nil || of.g.step < 60 || of.smallest <= 0 {
			continue
		}
		from, to := of.g.within(w)
		if slices.ContainsFunc(of.g.v[from:to], math.IsNaN) {
			continue // a gap is not a change
		}
		for _, s := range stats.Segments(of.g.v[from:to], fewest, of.smallest) {
			at := of.g.at(from + s.From)
			if r := (Window{Start: at, End: of.g.at(from + s.To)}); s.Ramp && i == 0 {
				ramps = append(ramps, r)
			} else if s.Ramp && i == 1 {
				a.cpuRamps = append(a.cpuRamps, r)
			}
			// changes at the same time are one cut, at throughput's time if it changed, because metrics of a minute can show it a minute apart
			if s.From > 0 && !slices.ContainsFunc(cuts, func(other time.Time) bool { return other.Sub(at).Abs() < fewest*time.Minute }) {
				cuts = append(cuts, at)
			}
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	if len(cuts) > most+1 {
		a.warn("the load changed %d times: no part of it is steady, and figures are for all of it", len(cuts)-2)
		cuts, ramps = []time.Time{w.Start, w.End}, nil
	}
	for i := range cuts[1:] {
		p := Window{w.Phase, cuts[i], cuts[i+1]}
		if slices.ContainsFunc(ramps, func(r Window) bool { return r.common(p) > p.Duration()/2 }) {
			p.Phase = Ramp
		}
		parts = append(parts, p)
	}
	return parts
}

// common is the overlap of two windows.
func (w Window) common(other Window) time.Duration {
	end := w.End
	if other.End.Before(end) {
		end = other.End
	}
	return max(0, end.Sub(later(w.Start, other.Start)))
}

// ramp is the start and end of a straight line through a window. If the line leaves the range of the values, it does not fit, for example because the
// rise ends before the window does: then the ends are the means of the first and the last twentieth.
func (g *grid) ramp(w Window) *[2]float64 {
	v := g.values(w)
	if len(v) == 0 {
		return nil
	}
	rise, m, lo, hi := stats.Rise(v), mean(v), lowest(v), highest(v)
	if from, to := m-rise/2, m+rise/2; min(from, to) >= lo && max(from, to) <= hi {
		return &[2]float64{from, to}
	}
	end := max(1, len(v)/20)
	return &[2]float64{mean(v[:end]), mean(v[len(v)-end:])}
}

// states are the segments that are judged: those of the steady time, the burst before it with its parts, and times with a different set of tasks.
func (a *analysis) states() []Window {
	if len(a.parts) == 0 {
		return []Window{a.window()}
	}
	states := slices.Clone(a.parts)
	for _, p := range a.Phases.List {
		parts := []Window{p}
		if p.Phase == Disturbed {
			parts = a.sameTasks(p)
		}
		for _, w := range parts {
			judged := slices.ContainsFunc(a.parts, func(part Window) bool { return part.Start.Equal(w.Start) })
			if w.Phase = p.Phase; !judged && slices.Contains([]string{Burst, Changed, Ramp, Disturbed}, p.Phase) && w.Duration() >= fewest*time.Minute {
				states = append(states, w)
			}
		}
	}
	slices.SortFunc(states, func(x, y Window) int { return x.Start.Compare(y.Start) })
	return states
}

// filled is a grid in which outages have the value before them: an outage is an event in its segment, not a segment or a warm-up.
func filled(x *grid) *grid {
	out := newGrid(x.start, x.step, len(x.v))
	copy(out.v, x.v)
	idle := x.idle()
	for i := 0; i < len(out.v); i++ {
		n := i
		for n < len(out.v) && out.v[n] <= idle {
			n++
		}
		if i > 0 && int64(n-i)*x.step >= fewestSeconds {
			// the second at each end is part of the outage
			from, to := max(1, i-1), min(len(out.v), n+1)
			for j := from; j < to; j++ {
				out.v[j] = out.v[from-1]
			}
		}
		i = max(i, n)
	}
	return out
}

// working is a grid without the seconds of outages: an outage is an event in its segment, not a segment.
func working(x *grid) *grid {
	out := newGrid(x.start, x.step, len(x.v))
	idle := x.idle()
	for i, v := range x.v {
		if v > idle {
			out.v[i] = v
		}
	}
	return out
}

// told is the number of segments up to which the sentence describes each; the table of segments has them all.
const told = 5

// alike is the difference of two rates, in percent, below which they are called the same.
const alike = 2.0

// changes describes the segments, with the time and cause of each change: "40,000 ops/s until the CPU credits ran dry at 03:46:00 (minute 36 of the
// load), then 10,000 ops/s."
func (a *analysis) changes(parts []Segment) string {
	if len(parts) > told {
		low, high := math.Inf(1), 0.0
		for _, s := range parts {
			if s.OpsPerSecond != nil {
				low, high = min(low, *s.OpsPerSecond), max(high, *s.OpsPerSecond)
			}
		}
		if high == 0 {
			return fmt.Sprintf("The load changed %d times.", len(parts)-1)
		}
		if high < low*(1+alike/100) {
			return fmt.Sprintf("The load changed %d times, at %s ops/s all the time.", len(parts)-1, rounded(high))
		}
		return fmt.Sprintf("The load changed %d times, between %s and %s ops/s.", len(parts)-1, rounded(low), rounded(high))
	}
	var said []string
	for i, s := range parts {
		rate := "an unknown rate"
		if s.OpsPerSecond != nil {
			rate = rounded(*s.OpsPerSecond) + " ops/s"
		}
		if r := s.Ramp; r != nil {
			rate = fmt.Sprintf("steadily %s from %s to %s ops/s over %.0f minutes,", map[bool]string{true: "up", false: "down"}[r[1] > r[0]], rounded(r[0]), rounded(r[1]), s.Window.Duration().Minutes())
		}
		if i > 0 {
			if was := parts[i-1].OpsPerSecond; s.Ramp == nil && parts[i-1].Ramp == nil && was != nil && s.OpsPerSecond != nil && math.Abs(*s.OpsPerSecond / *was - 1) < alike/100 {
				rate = "the same rate"
			}
			rate = "then " + rate
		}
		if i < len(parts)-1 {
			rate += " until " + s.Ended
			if s.Ended != "" {
				rate += " at "
			}
			rate += fmt.Sprintf("%s (minute %.0f of the load)", a.moment(s.Window.End), s.Window.End.Sub(a.Phases.Load.Start).Minutes())
		}
		said = append(said, rate)
	}
	return upper(strings.TrimSuffix(strings.ReplaceAll(strings.Join(said, ", "), ",,", ","), ",")) + "."
}

// rounded formats a rate with three digits: more would be noise.
func rounded(v float64) string {
	unit := math.Pow(10, max(0, math.Floor(math.Log10(max(1, v)))-2))
	return Thousands(math.Round(v/unit) * unit)
}

// brief is a task's id, short but still easy to find.
func brief(id string) string {
	if len(id) > 10 {
		return id[:8]
	}
	return id
}

// cause is what changed from one segment to the next; "" if nothing that was measured did.
func (a *analysis) cause(before, after Window) string {
	at := before.End
	ends := a.burstEnds()
	if i := slices.IndexFunc(ends, func(end time.Time) bool { return end.Sub(at).Abs() <= time.Minute }); i >= 0 && i < len(ends)-1 {
		return "the burst bandwidth of a node ended"
	} else if i >= 0 {
		return "the burst bandwidth ended"
	}
	if a.spent(before, after) {
		return "the burst bandwidth ended"
	}
	if a.l.window() != nil {
		var began, ended []string
		for _, k := range a.l.order {
			if !k.first.IsZero() && k.first.Sub(at).Abs() <= time.Minute {
				began = append(began, k.task.ID)
			}
			if !k.last.IsZero() && k.last.Sub(at).Abs() <= time.Minute {
				ended = append(ended, k.task.ID)
			}
		}
		switch {
		case len(ended) == 1:
			return "task " + brief(ended[0]) + " ended"
		case len(ended) > 1:
			return Quantity(len(ended), "task") + " ended"
		case len(began) > 0:
			return Quantity(len(began), "more task") + " started"
		}
	}
	of := func(m metric, read func(*samples, *source, metric) *grid, fold func(a, b float64) float64) (x, y float64, ok bool) {
		g := combine(a.s.of(a.nodes, m, read), fold)
		was, is := g.over(before, median), g.over(after, median)
		if was == nil || is == nil {
			return 0, 0, false
		}
		return *was, *is, true
	}
	if was, is, ok := of(creditBalance, (*samples).grid, math.Min); ok && was > noCredits && is <= noCredits {
		return "the CPU credits ran dry"
	}
	for _, counter := range []struct {
		metric
		name string
	}{{evictions, "evictions"}, {throttled, "throttling"}} {
		if was, is, ok := of(counter.metric, (*samples).rate, add); ok && (was == 0) != (is == 0) {
			return counter.name + map[bool]string{true: " started", false: " ended"}[was == 0]
		}
	}
	for _, e := range a.Verdict.Events {
		switch near := func(t time.Time) bool { return t.Sub(at).Abs() <= time.Minute }; {
		case e.Kind != EventSnapshot:
		case near(e.Start):
			return "a snapshot or full sync started"
		case near(e.End):
			return "the snapshot or full sync ended"
		}
	}
	was, is, ok := of(engineCPU, (*samples).grid, math.Max)
	switch {
	case !ok || before.Phase == Ramp || after.Phase == Ramp:
		return ""
	case a.rises(after) != 0:
		return fmt.Sprintf("engine CPU started to %s from %.0f %%", map[bool]string{true: "rise", false: "fall"}[a.rises(after) > 0], was)
	case a.rises(before) != 0:
		return fmt.Sprintf("engine CPU had %s to %.0f %%", map[bool]string{true: "risen", false: "fallen"}[a.rises(before) > 0], is)
	case math.Abs(is-was) >= 10 && !a.follows(before, after, is-was):
		return fmt.Sprintf("engine CPU went from %.0f to %.0f %%", was, is)
	}
	return ""
}

// rises is the direction in which engine CPU moves along a straight line in most of a window; 0 if it does not.
func (a *analysis) rises(w Window) float64 {
	for _, r := range a.cpuRamps {
		if r.common(w) > w.Duration()/2 {
			return stats.Rise(combine(a.s.of(a.nodes, engineCPU, (*samples).grid), math.Max).values(w))
		}
	}
	return 0
}

// follows reports whether throughput moved in the same direction as another metric: that metric then follows the load, and is not the cause.
func (a *analysis) follows(before, after Window, change float64) bool {
	if a.l.window() == nil {
		return false
	}
	x := a.l.ops.grid(*a.Phases.Load, nil)
	was, is := x.over(before, median), x.over(after, median)
	return was != nil && is != nil && (*is-*was)*change > 0 && math.Abs(*is-*was) >= worth**was
}

// spent reports whether a node was above its baseline bandwidth before, and is held at it afterwards with packets queued.
func (a *analysis) spent(before, after Window) bool {
	baseline, _, _ := a.bandwidth()
	for _, d := range []struct{ bytes, exceeded metric }{{bytesIn, exceededIn}, {bytesOut, exceededOut}} {
		was, is := a.each(d.bytes, before, (*samples).rate, mean), a.each(d.bytes, after, (*samples).rate, mean)
		queued := a.each(d.exceeded, after, (*samples).notable, func(v []float64) float64 { return share(v, positive) })
		for i := range was {
			if was[i] != nil && is[i] != nil && queued[i] != nil && *was[i] > overBaseline*baseline && *is[i] >= heldAt*baseline && *is[i] <= overBaseline*baseline && *queued[i] >= 50 {
				return true
			}
		}
	}
	return false
}
