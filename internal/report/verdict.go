package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// verdict applies the rules to each segment. The sentence is about the segment with the most limits, the longest one of several.
func (a *analysis) verdict() {
	v := &a.Verdict
	w := a.window()
	parts := a.states()
	rate := combine(a.s.of(a.nodes, commands, commandsOnce), add)
	if a.l.window() != nil {
		rate = a.l.ops.grid(*a.Phases.Load, nil)
	}
	v.Events = a.events()
	worst, length := 0, time.Duration(0)
	for i, p := range parts {
		var ramp *[2]float64
		if s := a.Phases.Steady; p.Phase == Ramp || len(parts) > 1 && s != nil && s.Phase == Drifting && p.Start.Equal(s.Start) {
			ramp = rate.ramp(p)
		}
		s := Segment{Window: p, OpsPerSecond: rate.over(p, mean), Limits: []string{}, Ramp: ramp}
		if i < len(parts)-1 {
			s.Ended = a.cause(p, parts[i+1])
		}
		for _, f := range a.judge(p) {
			if f.State == Fired && (a.enough(p) || byLog(f)) {
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
	whole := a.enough(w)
	if !whole {
		a.withoutMinutes(a.datapoints(w))
	}
	var fired, blind []Finding
	var unseen []string
	nearest := Finding{}
	for i, f := range v.Findings {
		switch {
		case f.State == Fired:
			fired, v.Limits = append(fired, f), append(v.Limits, f.ID)
		case f.State == Noted:
			v.Notes = append(v.Notes, plainly(f.Name+": "+f.Evidence)+".")
		case f.State == NoData && rules[i].needed:
			blind = append(blind, f)
		case f.State == Quiet && f.Unit == "percent" && !rules[i].note && ratio(f) > ratio(nearest):
			nearest = f
		}
		if f.State == NoData && !rules[i].note {
			unseen = append(unseen, f.Name)
		}
	}
	if whole && len(unseen) > 0 {
		a.warn("the metrics do not show whether the run was limited by %s", join(unseen))
	}
	switch {
	case !whole && !slices.ContainsFunc(fired, byLog):
		v.Outcome, v.Limits = CannotTell, []string{}
		of, next := "CloudWatch's minutes", runLonger
		if period := a.s.longestPeriod(a.nodes); period > 60 {
			of, next = fmt.Sprintf("metrics whose datapoints are of %s s each", Thousands(float64(period))), finer
		}
		v.Sentence = fmt.Sprintf("Cannot tell from %s: %s cover ", of, clock(w.Duration()))
		if n := a.datapoints(w); n == 0 {
			v.Sentence += "none of them whole"
		} else {
			v.Sentence += fmt.Sprintf("%d of them whole, and it takes %d", n, fewest)
		}
		if x := v.Segments[0].OpsPerSecond; x != nil {
			v.Sentence += fmt.Sprintf("; the load generator itself saw %s ops/s", rounded(*x))
		}
		v.Sentence += "."
		v.Next = next
	case len(fired) > 0:
		v.Outcome = Limited
		var by []string
		for _, f := range fired {
			by = append(by, f.Name+" ("+plainly(f.Evidence)+")")
		}
		v.Sentence = "Limited by " + join(by) + ", " + a.at(w) + heldOn(v.Segments, w, v.Limits) + "."
		if others := a.otherLimits(v.Limits); others != "" {
			v.Sentence += others
		} else if v.Limits[0] == "load_generator" && len(blind) == 0 {
			v.Sentence += " The cache was not at a limit: it can do more."
		}
		v.Next = a.steps(fired)
	case len(blind) > 0:
		v.Outcome = CannotTell
		var why []string
		for _, f := range blind {
			why = append(why, plainly(f.Evidence))
		}
		slices.Sort(why)
		v.Sentence = "Cannot tell what limited the run, because " + join(slices.Compact(why)) + "; nothing else was at its limit."
		v.Next = exportAgain
	default:
		v.Outcome = NotLimited
		v.Sentence = "Not limited by anything that was measured"
		if nearest.Measured != nil {
			v.Sentence += fmt.Sprintf("; nearest was %s (%s), %s", nearest.Name, plainly(nearest.Evidence), a.at(w))
		}
		v.Sentence += "."
		if d := a.Phases.DriftPercent; d != nil && w.Phase == Drifting && len(parts) == 1 {
			if r := rate.ramp(w); r != nil {
				v.Sentence += fmt.Sprintf(" Throughput drifted from %s to %s ops/s in that time.", rounded(r[0]), rounded(r[1]))
			}
		}
		some, suspect := a.sometimes(w)
		if len(some) > 0 {
			v.Sentence += " Below the threshold: " + join(some) + "."
		}
		if said := a.creditsFall(); said != "" {
			v.Sentence += " " + said
		}
		if dry := a.dry(); dry != nil {
			v.Sentence += fmt.Sprintf(" The CPU credits ran dry at %s.", a.moment(*dry))
		}
		if end := a.burstLate(); end != nil {
			v.Sentence += fmt.Sprintf(" The burst bandwidth ended at %s.", a.moment(*end))
		}
		if loop := a.roundTrip(w); loop != "" {
			v.Sentence += " " + loop
		}
		v.Sentence += " Not measured: the network of the tasks, and single threads of memtier."
		v.Next = a.nextUnlimited(suspect, nearest)
	}
	if len(parts) > 1 {
		v.Sentence = a.changes(v.Segments) + " " + v.Sentence
	}
	seen := slices.ContainsFunc(v.Events, func(e Event) bool { return e.Kind == EventFailover && strings.HasPrefix(e.Text, failoverTo) })
	for _, e := range slices.Backward(v.Events) {
		if again := seen && !strings.HasPrefix(e.Text, failoverTo); e.Kind == EventOutage || e.Kind == EventFailover && !again {
			v.Sentence = upper(e.Text) + ". " + v.Sentence
		}
	}
	if said := unfinished(a.Tasks); len(said) > 0 {
		v.Sentence = strings.Join(said, "; ") + a.why() + a.when(parts) + ". " + v.Sentence
	}
}

// heldOn says in which other segments all limits of a window held: otherwise a reader would think that they ended with the window.
func heldOn(all []Segment, w Window, limits []string) string {
	before, after := false, false
	for _, s := range all {
		if s.Window.Phase == Burst || slices.ContainsFunc(limits, func(id string) bool { return !slices.Contains(s.Limits, id) }) {
			continue // a burst has its own bandwidth
		}
		before = before || s.Window.End.Equal(w.Start)
		after = after || s.Window.Start.Equal(w.End)
	}
	switch {
	case before && after:
		return ", and before and after it, too"
	case before:
		return ", and before it, too"
	case after:
		return ", and after it, too"
	}
	return ""
}

// otherLimits lists what limited only other segments.
func (a *analysis) otherLimits(named []string) (said string) {
	for _, s := range a.Verdict.Segments {
		var others []string
		for _, id := range s.Limits {
			for _, r := range rules {
				if r.id == id && !slices.Contains(named, id) {
					others = append(others, r.name)
				}
			}
		}
		if len(others) > 0 {
			said += fmt.Sprintf(" Limited by %s %s.", join(others), a.at(s.Window))
		}
	}
	return said
}

// plainly replaces metric names in evidence by words: names belong in the table, not in a sentence.
func plainly(evidence string) string { return metricNames.Replace(evidence) }

var metricNames = strings.NewReplacer(" over 0 in", " in", "ThrottledCmds is", "the count of throttled commands is", "EngineCPUUtilization of ", "", "EngineCPUUtilization", "engine CPU", "CPUUtilization of the load", "CPU of the load", "CPUUtilization of ", "host CPU of ", "CPUUtilization", "host CPU",
	"NetworkBytesOut of ", "", "NetworkBytesIn of ", "", "NetworkBytesOut", "the nodes' traffic out", "NetworkBytesIn", "the nodes' traffic in",
	"NetworkBandwidthOutAllowanceExceeded of ", "", "NetworkBandwidthInAllowanceExceeded of ", "", "NetworkBandwidthOutAllowanceExceeded", "the count of packets that were queued",
	"NetworkBandwidthInAllowanceExceeded", "the count of packets that were queued", "NetworkPacketsPerSecondAllowanceExceeded", "packets queued or dropped", "NetworkConntrackAllowanceExceeded", "packets dropped",
	"CPUCreditBalance of ", "the balance of ", "CPUCreditBalance", "CPU credits", "RejectedConnections", "connections refused", "CurrConnections of ", "", "TrafficManagementActive", "commands slowed",
	"ThrottledCmds", "commands throttled", "Evictions", "evictions", "ElastiCacheProcessingUnits", "ECPUs")

// upper capitalizes a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// judge returns the findings of all rules in a window.
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

// noWholeMinute is why a figure is missing: the time before and after the load dilutes a datapoint that it covers in part.
const noWholeMinute = "no whole minute of metrics lies in the load"

// byLog reports whether a finding needs no metrics: the log alone shows that a rate limit was reached.
func byLog(f Finding) bool { return f.ID == "load_generator" && f.Threshold == limitReached }

// withoutMinutes removes findings that so few whole minutes cannot support.
func (a *analysis) withoutMinutes(whole int) {
	why := noWholeMinute
	if whole > 0 {
		why = fmt.Sprintf("%d of the metrics' datapoints lie whole in the load, and a limit takes %d", whole, fewest)
	}
	for i, f := range a.Verdict.Findings {
		if (f.State == Fired || f.State == Quiet && slices.Contains([]string{"engine_cpu", "host_cpu", "load_generator"}, f.ID)) && !byLog(f) {
			f := &a.Verdict.Findings[i]
			f.State, f.Measured, f.Where, f.Evidence = NoData, nil, []string{}, why
		}
	}
}

// datapoints is how many datapoints of the nodes' metrics are completely in the window; without any metrics enough for a verdict.
func (a *analysis) datapoints(w Window) int {
	whole, _ := a.covered(w)
	return whole
}

// enough reports whether a window has enough datapoints for a verdict. Rules use half of the minutes or their mean: one odd minute, for example with
// new connections or a snapshot, is half of two and dominates their mean; of three it is the smaller part of both. A longer datapoint is a mean of as
// many minutes.
func (a *analysis) enough(w Window) bool {
	whole, step := a.covered(w)
	return whole >= fewest || whole > 0 && int64(whole)*step >= fewest*60
}

func (a *analysis) covered(w Window) (whole int, step int64) {
	for _, m := range []metric{engineCPU, hostCPU, bytesOut} {
		for _, g := range a.s.of(a.nodes, m, (*samples).grid) {
			if g == nil {
				continue
			}
			from, to := w.Start.Unix()-g.start, w.End.Unix()-g.start
			return int(max(0, to/g.step-(from+g.step-1)/g.step)), g.step
		}
	}
	return fewest, 60
}

// unfinished says how many tasks did not load the cache to the end, and how many did with a result that does not count.
func unfinished(tasks []TaskResult) (said []string) {
	lost, invalid := 0, 0
	for _, t := range tasks {
		switch t.State {
		case "ok":
		case "invalid":
			invalid++
		default:
			lost++
		}
	}
	if lost > 0 {
		said = append(said, fmt.Sprintf("%d of %s did not finish", lost, Quantity(len(tasks), "task")))
	}
	if invalid > 0 {
		said = append(said, fmt.Sprintf("%d of %s finished with a result that does not count", invalid, Quantity(len(tasks), "task")))
	}
	return said
}

// why is what is known about the first task whose result does not count: its own message, or ECS's reason for stopping it.
func (a *analysis) why() string {
	for _, t := range a.Tasks {
		said := t.Trouble
		if t.State == "died" || t.State == "silent" {
			said = a.m.stopped(t.ID)
		}
		if t.State != "ok" && said != "" {
			return ": " + strings.TrimPrefix(said, t.State+": ")
		}
	}
	return ""
}

// when is the time at which the task of why ended; "" if the end of a segment says it.
func (a *analysis) when(parts []Window) string {
	i := slices.IndexFunc(a.Tasks, func(t TaskResult) bool { return t.State != "ok" })
	t := a.Tasks[i]
	if t.State != "died" && t.State != "failed" || t.LastOps == nil || a.Phases.Load.End.Sub(*t.LastOps) < fewestSeconds*time.Second ||
		slices.ContainsFunc(parts[:len(parts)-1], func(p Window) bool { return p.End.Sub(*t.LastOps).Abs() <= time.Minute }) {
		return ""
	}
	at, which := t.LastOps.Round(time.Second), ""
	if slices.ContainsFunc(a.Tasks[i+1:], func(t TaskResult) bool { return t.State != "ok" }) {
		which = "one of them "
	}
	return fmt.Sprintf(", %sat %s (minute %.0f of the load)", which, a.moment(at), at.Sub(a.Phases.Load.Start).Minutes())
}

// sometimes reports counters above 0 in less than half of the minutes: too few to limit the window, too many to ignore. The suspect is the rule of a
// counter that cost throughput, or counted refusals.
func (a *analysis) sometimes(w Window) (said []string, suspect string) {
	for _, c := range []struct {
		metric
		words, rule string
	}{
		{exceededOut, "packets queued", "bandwidth_out"}, {exceededIn, "packets queued on their way in", "bandwidth_in"},
		{exceededPPS, "packets queued or dropped", "packets_per_second"}, {exceededTrack, "packets dropped", "connection_tracking"},
		{evictions, "evictions", "memory"}, {rejected, "connections refused", "connections"}, {trafficManaged, "commands slowed", "traffic_management"},
		{throttled, "commands throttled", "throttling"},
	} {
		most := 0.0
		for _, v := range a.each(c.metric, w, (*samples).notable, func(v []float64) float64 { return share(v, positive) }) {
			if v != nil {
				most = max(most, *v)
			}
		}
		if most > 0 && most < 50 {
			said = append(said, fmt.Sprintf("%s in %.0f %% of the minutes", c.words, most)+a.effect(c.metric, w))
			if with, without, ok := a.rates(c.metric, w); suspect == "" && (ok && with < 0.9*without || c.rule == "connections") {
				suspect = c.rule
			}
		}
	}
	return said, suspect
}

// bound is the share of the time between a connection's requests from which on all of it counts as waiting for replies.
const bound = 0.9

// roundTrip says what a closed loop waits for; "" if the load was not closed or is not known. In a closed loop, throughput is connections x pipeline
// over the time between requests (J. D. C. Little, 1961, "A proof for the queuing formula L = λW", Operations Research 9): if no resource is at its
// limit, only more connections or a deeper pipeline raise it.
func (a *analysis) roundTrip(w Window) string {
	c := a.Configuration
	if a.Connections.Expected == nil || a.l.window() == nil || c.ClusterMode || c.RateLimit != nil && *c.RateLimit > 0 {
		return ""
	}
	// Weighted by operations, not by seconds: slow seconds have few. Outages count in neither of the two times.
	waited, replies := a.l.latency.grid(*a.Phases.Load, nil).over(w, total), a.l.weighted.grid(*a.Phases.Load, nil).over(w, total)
	rate := working(a.l.ops.grid(*a.Phases.Load, nil)).over(w, mean)
	connections := 0.0
	if running := a.l.running.grid(*a.Phases.Load, nil).over(w, mean); running != nil {
		connections = math.Round(*running) * float64(c.Threads*c.Clients)
	}
	if waited == nil || replies == nil || *replies == 0 || rate == nil || *rate == 0 || connections == 0 {
		return ""
	}
	ms := *waited / *replies
	pipeline := max(1, c.Pipeline)
	cycle := connections * float64(pipeline) / *rate * 1000
	said := fmt.Sprintf("%s connections with a pipeline of %d send again every %.3g ms; replies take %.3g ms of that", Thousands(connections), pipeline, cycle, ms)
	if ms >= bound*cycle {
		return "Bound by the round trip: " + said + "."
	}
	return "Bound by the closed loop: " + said + ", the rest is spent in memtier."
}

// applies separates the rules of nodes from those of serverless caches, which have no CPU or bandwidth metrics, and which alone throttle. State
// is "" if the rule applies.
func (a *analysis) applies(r rule) (f Finding) {
	serverless := a.Configuration.ServerlessCache != ""
	switch {
	case r.note:
		if serverless && r.nodes {
			return Finding{State: NotApplicable, Threshold: r.threshold, Unit: r.unit, Evidence: "a serverless cache does not show it"}
		}
		return f
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
