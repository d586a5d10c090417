package report

import (
	"fmt"
	"math"
	"slices"
)

// Capacity is what the cache could do, extrapolated linearly from the steady window; it was not measured.
type Capacity struct {
	EngineOpsPerSecond   *float64 `json:"engine_ops_per_second"`   // with the busiest engine thread at 90 %
	BaselineOpsPerSecond *float64 `json:"baseline_ops_per_second"` // carried by the baseline bandwidth of the busiest node
	First                string   `json:"first"`                   // the limit reached first: engine_cpu, bandwidth or "" if neither is known
	Sentence             string   `json:"sentence"`
}

// fewestPercent of a resource must be in use: an extrapolation from less is meaningless.
const fewestPercent = 5

func (a *analysis) capacity() {
	c, w := &a.Capacity, a.window()
	ops, _, _ := throughputOf(a, w)
	if ops == nil || *ops == 0 {
		c.Sentence = "The throughput is not known."
		return
	}
	if !a.enough(w) {
		c.Sentence = "Too few whole minutes of metrics lie in the load: there is nothing to extrapolate from."
		return
	}
	if slices.ContainsFunc(a.Verdict.Segments, func(s Segment) bool { return slices.Contains(s.Limits, "cpu_credits") }) || a.dry() != nil {
		c.Sentence = "The CPU credits ran dry: what the node does without them is all that it sustains, and nothing is extrapolated."
		return
	}
	if a.creditsFall() != "" {
		c.Sentence = "The CPU credits fell: what the node does without them was not seen, and nothing is extrapolated."
		return
	}
	cpu := func(s Segment) bool {
		return slices.Contains(s.Limits, "engine_cpu") || slices.Contains(s.Limits, "host_cpu")
	}
	here := slices.ContainsFunc(a.Verdict.Segments, func(s Segment) bool { return s.Window.Start.Equal(w.Start) && cpu(s) })
	for _, s := range a.Verdict.Segments {
		if slow := s.OpsPerSecond; slow != nil && *slow < *ops && cpu(s) && !here {
			c.Sentence = fmt.Sprintf("A CPU of the cache was at its limit with %s ops/s, %s: nothing is extrapolated from another time.", rounded(*slow), a.at(s.Window))
			return
		}
	}
	if v, _, _ := busiestNode(engineCPU, (*samples).grid)(a, w); v != nil && *v >= fewestPercent {
		c.EngineOpsPerSecond = known(*ops * engineLimit / *v)
	}
	if baseline, _, _ := a.bandwidth(); baseline > 0 {
		for _, m := range []metric{bytesIn, bytesOut} {
			if used, _, _ := busiestNode(m, (*samples).rate)(a, w); used != nil && *used >= fewestPercent/100.*baseline {
				v := *ops * baseline / *used
				if c.BaselineOpsPerSecond != nil {
					v = math.Min(v, *c.BaselineOpsPerSecond)
				}
				c.BaselineOpsPerSecond = &v
			}
		}
	}
	engine, net := c.EngineOpsPerSecond, c.BaselineOpsPerSecond
	said := func(v *float64) string { return rounded(*v) + " ops/s" }
	thread := fmt.Sprintf(" the engine thread at %d %%", engineLimit)
	switch from := fmt.Sprintf(", extrapolated in a straight line from %s ops/s", rounded(*ops)); {
	case engine == nil && net == nil:
		c.Sentence = fmt.Sprintf("Engine CPU and bandwidth are not known, or below %d %%: nothing to extrapolate from.", fewestPercent)
	case net == nil:
		c.First, c.Sentence = "engine_cpu", "About "+said(engine)+" with"+thread+from+"; bandwidth is not known or hardly used."
	case engine == nil:
		c.First, c.Sentence = "bandwidth", "About "+said(net)+" by the baseline bandwidth"+from+"; engine CPU is not known or hardly used."
	case *engine <= *net:
		c.First, c.Sentence = "engine_cpu", "About "+said(engine)+" with"+thread+", which comes first; the baseline bandwidth carries about "+said(net)+from+"."
	default:
		c.First, c.Sentence = "bandwidth", "About "+said(net)+" by the baseline bandwidth, which comes first;"+thread+" would do about "+said(engine)+from+"."
	}
}
