package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// steps are the next steps for all limits of a window, the first limit's first: a step that helps against only one of them ends at the other.
func (a *analysis) steps(fired []Finding) string {
	var said []string
	for _, f := range fired {
		if step := a.next(f); !slices.Contains(said, step) {
			said = append(said, step)
		}
	}
	return strings.Join(said, " ")
}

// instead has the steps for limits whose usual step would not help, because of something else that was measured; the first match counts.
var instead = []struct {
	ids         []string
	where, step string
	holds       func(*analysis, Finding) bool
}{
	{[]string{"engine_cpu"}, "replicas alone are at the limit and serve the reads",
		"Add replicas, which the reads spread over, or use a node type with a faster core; or do less work per command.", (*analysis).replicasAlone},
	{[]string{"engine_cpu"}, "one shard has the work (the skew below)",
		"Spread the work over more keys: one shard has most of it, and more shards do not help.", func(a *analysis, _ Finding) bool { return a.noted("skew") }},
	{[]string{"bandwidth_out", "bandwidth_in"}, "one shard has twice the others' traffic or more",
		"Spread the bytes over more keys: one shard carries most of them, and more shards do not help.", func(a *analysis, f Finding) bool { return a.oneSidedTraffic(f.ID) }},
	{[]string{"host_cpu"}, "TLS is off",
		"Use a node type with more vCPUs.", func(a *analysis, _ Finding) bool { return a.Configuration.TLS != nil && !*a.Configuration.TLS }},
	{[]string{"memory"}, "the cache is serverless",
		"Raise the cache's storage limit, or store fewer keys.", func(a *analysis, _ Finding) bool { return a.Configuration.ServerlessCache != "" }},
	{[]string{"throttling"}, "no maximum of ECPUs was reached",
		"Ramp the load up more slowly, or set a minimum of ECPUs, so that the cache is scaled up before the load.", func(a *analysis, _ Finding) bool { return !a.atMaximum(*a.Verdict.Window) }},
	{[]string{"load_generator"}, "the rate limit was reached",
		"Raise the rate limit.", func(_ *analysis, f Finding) bool { return f.Threshold == limitReached }},
}

// next is the next step for a limit.
func (a *analysis) next(f Finding) string {
	for _, other := range instead {
		if slices.Contains(other.ids, f.ID) && other.holds(a, f) {
			return other.step
		}
	}
	for _, r := range rules {
		if r.id == f.ID {
			return r.next
		}
	}
	return ""
}

func (a *analysis) replicasAlone(f Finding) bool {
	replica := func(id string) bool {
		return slices.ContainsFunc(a.Nodes, func(n NodeResult) bool { return n.ID == id && n.Role == "replica" })
	}
	return a.reads == "replicas" && !slices.ContainsFunc(f.Where, func(id string) bool { return !replica(id) })
}

func (a *analysis) noted(id string) bool {
	return slices.ContainsFunc(a.Verdict.Findings, func(f Finding) bool { return f.ID == id && f.State == Noted })
}

// Next steps when the verdict cannot tell.
const (
	runLonger   = "Run for 10 minutes or more."
	finer       = "Set metrics_period_seconds = 60."
	exportAgain = "Export the run again, or look at CloudWatch for what is missing: the table of what could have limited the run names its metrics."
)

// unlimited are the next steps if nothing measured was at its limit; the first match counts. TIME is when the first outage started, LIMIT the name of
// the suspect or of the nearest limit, STEP its step, and MORE the percentage that its limit leaves.
var unlimited = []struct {
	where, step string
	holds       func(a *analysis, suspect string, nearest Finding) bool
}{
	{"a task did not finish for want of memory", "Give the tasks more memory, and repeat the run.", func(a *analysis, _ string, _ Finding) bool {
		return len(unfinished(a.Tasks)) > 0 && strings.Contains(a.why(), "OutOfMemory")
	}},
	{"a task did not finish, or its result does not count", "See the tasks' log for the reason, then repeat the run.", func(a *analysis, _ string, _ Finding) bool { return len(unfinished(a.Tasks)) > 0 }},
	{"an outage without a failover", "See the logs at TIME, when no operation completed; then repeat the run.", func(a *analysis, _ string, _ Finding) bool {
		return a.firstOutage() != nil && !slices.ContainsFunc(a.Verdict.Events, func(e Event) bool { return e.Kind == EventFailover })
	}},
	{"CPU credits that ran dry, or fell so that they last for a day or less", "Run longer, to see what the node does without CPU credits; or use a node type that is not burstable.",
		func(a *analysis, _ string, _ Finding) bool { return a.dry() != nil || a.creditsFall() != "" }},
	{"a counter below its threshold that refused connections, or in whose minutes throughput was lower by 10 %", "STEP", func(_ *analysis, suspect string, _ Finding) bool { return suspect != "" }},
	{"swap", "Raise reserved-memory-percent or use a node type with more memory: a node swaps.", func(a *analysis, _ string, _ Finding) bool { return a.noted("swap") }},
	{"a burst that lasted to the end", "Run until the burst bandwidth ends: what the nodes sustain was not seen.", func(a *analysis, _ string, _ Finding) bool { return a.burstToEnd() }},
	{"a burst that ended shortly before the load's end", "Run longer, to see what the nodes sustain without the burst bandwidth.", func(a *analysis, _ string, _ Finding) bool { return a.burstLate() != nil }},
	{"a limit that leaves room for less than 10 % more operations", "LIMIT is nearly at its limit: more clients add MORE % at most. STEP",
		func(_ *analysis, _ string, nearest Finding) bool { return ratio(nearest) > 1/(1+worth) }},
	{"nothing of these", "Raise clients or pipeline; where that changes nothing, add tasks.", func(*analysis, string, Finding) bool { return true }},
}

// nextUnlimited is the next step if nothing measured was at its limit. The suspect is the rule of a counter that cost throughput below its threshold;
// nearest is the finding closest to its limit.
func (a *analysis) nextUnlimited(suspect string, nearest Finding) string {
	for _, u := range unlimited {
		if !u.holds(a, suspect, nearest) {
			continue
		}
		limit, at := nearest, ""
		if suspect != "" {
			limit = Finding{ID: suspect}
		}
		if e := a.firstOutage(); e != nil {
			at = a.moment(e.Start)
		}
		return strings.NewReplacer("TIME", at, "LIMIT", upper(limit.Name), "MORE", fmt.Sprintf("%.0f", 100/ratio(nearest)-100), "STEP", a.next(limit)).Replace(u.step)
	}
	return ""
}

func (a *analysis) firstOutage() *Event {
	i := slices.IndexFunc(a.Verdict.Events, func(e Event) bool { return e.Kind == EventOutage })
	if i < 0 {
		return nil
	}
	return &a.Verdict.Events[i]
}

// oneSidedTraffic reports whether one shard's traffic is at least twice the mean of the others'.
func (a *analysis) oneSidedTraffic(id string) bool {
	if c := a.Configuration; c.Shards < 2 || !c.ClusterMode {
		return false
	}
	busy := map[string]float64{}
	for _, n := range a.Nodes {
		used := n.BytesOutPerSecond
		if id == "bandwidth_in" {
			used = n.BytesInPerSecond
		}
		if used != nil {
			busy[n.Shard] = max(busy[n.Shard], *used)
		}
	}
	most, sum := 0.0, 0.0
	for _, v := range busy {
		most, sum = max(most, v), sum+v
	}
	return len(busy) > 1 && most >= 2*(sum-most)/float64(len(busy)-1)
}

// creditsFall says how long CPU credits last that fell during the load; "" if they did not fall, ran dry, or last for more than a day.
func (a *analysis) creditsFall() string {
	if !strings.HasPrefix(a.Configuration.NodeType, "cache.t") || a.dry() != nil {
		return ""
	}
	load := *a.Phases.Load
	v := combine(a.s.of(a.nodes, creditBalance, (*samples).grid), math.Min).values(load)
	if len(v) < 2 {
		return ""
	}
	first, last := v[0], v[len(v)-1]
	left := load.Duration().Hours() * last / (first - last)
	if first-last < 1 || left > 24 {
		return ""
	}
	return fmt.Sprintf("The CPU credits fell from %.0f to %.0f: at this rate they last %.2g h more.", first, last, left)
}

// dry is when CPU credits first ran dry during the load of a burstable node; nil if they did not.
func (a *analysis) dry() (at *time.Time) {
	if !strings.HasPrefix(a.Configuration.NodeType, "cache.t") {
		return nil
	}
	for _, w := range combine(a.s.of(a.nodes, creditBalance, (*samples).grid), math.Min).stretches(*a.Phases.Load, func(v float64) bool { return v <= noCredits }) {
		return &w.Start
	}
	return nil
}
