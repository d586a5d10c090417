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
	Limits       []string `json:"limits"` // ids of the rules that fired
}

// fewest minutes of a segment: a shorter change is an event, not another state.
const fewest = 3

// most segments that a reader can follow; a run that changes more often has no steady part.
const most = 12

// segment cuts the steady window where it changes. The longest part stays the steady one; all parts are returned in order.
func (a *analysis) segment(x *grid) []Window {
	w := *a.Phases.Steady
	var cuts []time.Time
	level := 0.0
	if m := x.over(w, mean); m != nil {
		level = *m
	}
	for _, of := range []struct {
		g        *grid
		smallest float64
	}{
		{working(x).resample(60), 0.1 * level},
		{combine(a.s.of(a.nodes, engineCPU, (*samples).grid), math.Max), 10},
		{combine(a.s.of(a.nodes, evictions, (*samples).rate), add), 0.001 * level},
	} {
		if of.g == nil || of.g.step < 60 || of.smallest <= 0 {
			continue
		}
		from, to := of.g.within(w)
		if slices.ContainsFunc(of.g.v[from:to], math.IsNaN) {
			continue // a gap is no change
		}
		for _, at := range stats.Changes(of.g.v[from:to], fewest, of.smallest) {
			cuts = append(cuts, of.g.at(from+at))
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	kept := []time.Time{w.Start}
	for _, at := range cuts { // what changes together is cut once, for metrics of a minute see it a minute apart
		if at.Sub(kept[len(kept)-1]) >= fewest*time.Minute && w.End.Sub(at) >= fewest*time.Minute {
			kept = append(kept, at)
		}
	}
	cuts = append(kept, w.End)
	if len(cuts) > most+1 {
		a.warn("the load changed %d times: no part of it is steady, and figures are of all of it", len(cuts)-2)
		cuts = []time.Time{w.Start, w.End}
	}
	var parts []Window
	longest := 0
	for i := range cuts[1:] {
		parts = append(parts, Window{Changed, cuts[i], cuts[i+1]})
		if parts[i].Duration() > parts[longest].Duration() {
			longest = i
		}
	}
	parts[longest].Phase = Steady
	a.Phases.Steady = &Window{Steady, parts[longest].Start, parts[longest].End}
	a.parts = parts
	return parts
}

// working is a grid without the seconds of no operation: an outage is an event in its segment, no segment of its own.
func working(x *grid) *grid {
	out := newGrid(x.start, x.step, len(x.v))
	for i, v := range x.v {
		if v > 0 {
			out.v[i] = v
		}
	}
	return out
}

// changes says what the segments did, with the time of each change: "40,000 ops/s until 03:46:00 (minute 36), then 30,000".
func (a *analysis) changes(parts []Segment) string {
	var said []string
	for i, s := range parts {
		rate := "an unknown rate"
		if s.OpsPerSecond != nil {
			rate = Thousands(*s.OpsPerSecond) + " ops/s"
		}
		if i > 0 {
			rate = "then " + rate
		}
		if i < len(parts)-1 {
			end := s.Window.End
			rate += fmt.Sprintf(" until %s (minute %.0f of the load)", end.Format("15:04:05"), end.Sub(a.Phases.Load.Start).Minutes())
		}
		said = append(said, rate)
	}
	return strings.Join(said, ", ") + "."
}
