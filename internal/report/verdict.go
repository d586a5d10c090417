package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verdict applies the rules to each segment. What it says is of the segment with the most limits, the longest of these.
func (a *analysis) verdict() {
	v := &a.Verdict
	w := a.window()
	parts := a.parts
	if len(parts) == 0 {
		parts = []Window{w}
	}
	rate := combine(a.s.of(a.nodes, commands, (*samples).rate), add)
	if a.l.window() != nil {
		rate = a.l.ops.grid(*a.Phases.Load, nil)
	}
	worst, length := 0, time.Duration(0)
	for _, p := range parts {
		s := Segment{Window: p, OpsPerSecond: rate.over(p, mean), Limits: []string{}}
		for _, f := range a.judge(p) {
			if f.State == Fired {
				s.Limits = append(s.Limits, f.ID)
			}
		}
		v.Segments = append(v.Segments, s)
		if n := len(s.Limits); n > worst || n == worst && n > 0 && p.Duration() > length {
			worst, length, w = n, p.Duration(), p
		}
	}
	v.Window = &w
	v.Findings = a.judge(w)
	var fired, blind []Finding
	var unseen []string
	nearest := Finding{}
	for i, f := range v.Findings {
		switch {
		case f.State == Fired:
			fired, v.Limits = append(fired, f), append(v.Limits, f.ID)
		case f.State == NoData && rules[i].needed:
			blind = append(blind, f)
		case f.State == Quiet && f.Unit == "percent" && ratio(f) > ratio(nearest):
			nearest = f
		}
		if f.State == NoData {
			unseen = append(unseen, f.Name)
		}
	}
	if len(unseen) > 0 {
		a.warn("the metrics do not show whether the run was limited by %s", join(unseen))
	}
	switch {
	case !a.minutes(w):
		v.Outcome, v.Limits = CannotTell, []string{}
		of, next := "CloudWatch's minutes", "run for 10 minutes or more"
		if period := a.s.longestPeriod(a.nodes); period > 60 {
			of, next = fmt.Sprintf("metrics whose datapoints are of %s s each", Thousands(float64(period))), "metrics_period_seconds = 60"
		}
		v.Sentence = fmt.Sprintf("Cannot tell from %s: %s cover none of them whole", of, clock(w.Duration()))
		if x := v.Segments[0].OpsPerSecond; x != nil {
			v.Sentence += fmt.Sprintf("; the load generator itself saw %s ops/s", Thousands(*x))
		}
		v.Sentence += ". Next: " + next + "."
	case len(fired) > 0:
		v.Outcome = Limited
		var by []string
		for _, f := range fired {
			by = append(by, f.Name+" ("+f.Evidence+")")
		}
		v.Sentence = "Limited by " + join(by) + ", " + a.at(w) + "."
		if v.Limits[0] == "load_generator" && len(blind) == 0 {
			v.Sentence += " The cache was not at a limit: it can do more."
		}
	case len(blind) > 0:
		v.Outcome = CannotTell
		var why []string
		for _, f := range blind {
			why = append(why, f.Evidence)
		}
		slices.Sort(why)
		v.Sentence = "Cannot tell what limited the run, because " + join(slices.Compact(why)) + "; nothing else was at its limit."
	default:
		v.Outcome = NotLimited
		v.Sentence = "Not limited by anything that was measured"
		if nearest.Measured != nil {
			v.Sentence += fmt.Sprintf("; nearest was %s (%s), %s", nearest.Name, nearest.Evidence, a.at(w))
		}
		v.Sentence += ". " + a.unmeasured(w)
	}
	if len(parts) > 1 {
		v.Sentence = a.changes(v.Segments) + " " + v.Sentence
	}
	if at, length := a.outage(); length > 0 {
		v.Sentence = fmt.Sprintf("No operation for %.0f s from %s. %s", length.Seconds(), at.Format("15:04:05"), v.Sentence)
	}
	if n := a.lost(); n > 0 {
		v.Sentence = fmt.Sprintf("%d of %d tasks did not finish. %s", n, len(a.Tasks), v.Sentence)
	}
}

// judge is what every rule sees in a window.
func (a *analysis) judge(w Window) (findings []Finding) {
	for _, r := range rules {
		f := a.applies(r)
		if f.State == "" {
			f = r.look(a, r, w)
		}
		f.ID, f.Name, f.Rule, f.Source = r.id, r.name, r.rule, r.source
		if f.Where == nil {
			f.Where = []string{}
		}
		findings = append(findings, f)
	}
	return findings
}

// minutes tells whether the window covers a whole datapoint of the nodes' metrics; without any it is no matter of minutes.
func (a *analysis) minutes(w Window) bool {
	for _, m := range []metric{engineCPU, hostCPU, bytesOut} {
		for _, g := range a.s.of(a.nodes, m, (*samples).grid) {
			if g == nil {
				continue
			}
			at := w.Start.Unix() - g.start
			first := (at + g.step - 1) / g.step * g.step
			return first+g.step <= w.End.Unix()-g.start
		}
	}
	return true
}

// fewestSeconds without an operation are an outage; below it a late record of progress looks the same.
const fewestSeconds = 5

// outage is the longest time in the load in which no task did an operation.
func (a *analysis) outage() (at time.Time, length time.Duration) {
	if a.l.window() == nil {
		return at, 0
	}
	x := a.l.ops.grid(*a.Phases.Load, nil)
	from, to := x.within(*a.Phases.Load)
	n := 0
	for i := from; i < to; i++ {
		if n++; x.v[i] > 0 {
			n = 0
		}
		if d := time.Duration(int64(n)*x.step) * time.Second; d >= fewestSeconds*time.Second && d > length {
			at, length = x.at(i+1-n), d
		}
	}
	return at, length
}

// lost is how many tasks did not load the cache to the end.
func (a *analysis) lost() (n int) {
	for _, t := range a.Tasks {
		if t.State != "ok" {
			n++
		}
	}
	return n
}

// bound is the share of what a closed loop can do from which on it waits for nothing but replies.
const bound = 0.9

// unmeasured is what may have limited a run that nothing seen did, and the next step. In a closed loop throughput is connections x pipeline over the
// mean latency (J. D. C. Little, 1961, "A proof for the queuing formula L = λW", Operations Research 9): an idle cache with few connections is waiting.
func (a *analysis) unmeasured(w Window) string {
	const blind = "Not measured: the network of the tasks, single threads of memtier, and round trips."
	c := a.Configuration
	if a.Connections.Expected == nil || a.Client.MeanLatency == nil || c.RateLimit != nil && *c.RateLimit > 0 {
		return blind + " Next: raise the load."
	}
	pipeline := max(1, c.Pipeline)
	ms := a.Client.MeanLatency.grid().over(w, mean)
	if ms == nil {
		return blind + " Next: raise the load."
	}
	rate := a.l.ops.grid(*a.Phases.Load, nil).over(w, mean)
	connections := float64(*a.Connections.Expected)
	if n := len(a.Tasks); n > 0 {
		connections *= float64(n-a.lost()) / float64(n)
	}
	if rate == nil || c.ClusterMode || connections == 0 {
		return blind + " Next: raise the load."
	}
	most := connections * float64(pipeline) / *ms * 1000
	said := fmt.Sprintf("%s connections with a pipeline of %d and a mean latency of %.3g ms carry about %s ops/s", Thousands(connections), pipeline, *ms, Thousands(most))
	if *rate >= bound*most {
		return said + ": bound by the round trip. " + blind + " Next: raise clients, pipeline or tasks."
	}
	return said + fmt.Sprintf(", and did %s: the rest of the time is the generator's own, or connections were not open. ", Thousands(*rate)) + blind + " Next: more tasks."
}

// applies tells rules of nodes from those of serverless caches, which show neither CPU nor bandwidth, and which alone are throttled. State is
// "" when the rule applies.
func (a *analysis) applies(r rule) (f Finding) {
	serverless := a.Configuration.ServerlessCache != ""
	switch {
	case r.id == "memory" || r.id == "load_generator" || serverless == (r.id == "throttling"):
		return f
	case serverless:
		f.Evidence = "a serverless cache does not show it"
	default:
		f.Evidence = "the cache is not serverless"
	}
	f.State, f.Threshold, f.Unit = NotApplicable, r.threshold, r.unit
	return f
}

func ratio(f Finding) float64 {
	if f.Measured == nil || f.Threshold == 0 {
		return 0
	}
	return *f.Measured / f.Threshold
}

func join(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
