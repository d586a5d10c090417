package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// steps are the steps after all limits of a window, the first limit's first: what helps against one alone ends at the other.
func (a *analysis) steps(fired []Finding) string {
	var said []string
	for _, f := range fired {
		if step := a.next(f); !slices.Contains(said, step) {
			said = append(said, step)
		}
	}
	return strings.Join(said, " ")
}

// next is the step after a limit: the rule's, where what else was seen does not say that it would not help.
func (a *analysis) next(f Finding) string {
	replica := func(id string) bool {
		return slices.ContainsFunc(a.Nodes, func(n NodeResult) bool { return n.ID == id && n.Role == "replica" })
	}
	switch {
	case f.ID == "engine_cpu" && a.reads == "replicas" && !slices.ContainsFunc(f.Where, func(id string) bool { return !replica(id) }):
		return "Add replicas, which the reads spread over, or take a node type with a faster core; or ask for less a command."
	case f.ID == "engine_cpu" && slices.ContainsFunc(a.Verdict.Findings, func(o Finding) bool { return o.ID == "skew" && o.State == Noted }):
		return "Spread the work over more keys: one shard has most of it, and more shards do not help."
	case strings.HasPrefix(f.ID, "bandwidth_") && a.oneSidedTraffic(f.ID):
		return "Spread the bytes over more keys: one shard carries most of them, and more shards do not help."
	case f.ID == "host_cpu" && a.Configuration.TLS != nil && !*a.Configuration.TLS:
		return "Take a node type with more vCPUs."
	case f.ID == "memory" && a.Configuration.ServerlessCache != "":
		return "Raise the maximum of data that the cache stores, or store fewer keys."
	case f.ID == "throttling" && !a.atMaximum(*a.Verdict.Window):
		return "Let the load grow more slowly, or set a minimum of ECPUs, for which the cache is scaled before the load."
	case f.ID == "load_generator" && f.Threshold == limitReached:
		return "Raise the rate limit."
	}
	for _, r := range rules {
		if r.id == f.ID {
			return r.next
		}
	}
	return ""
}

// nextUnlimited is the step after a run that nothing measured limited. The suspect is the rule of a counter that cost throughput below its threshold, the
// nearest that whose limit leaves the least room.
func (a *analysis) nextUnlimited(suspect string, nearest Finding) string {
	v := &a.Verdict
	outage := slices.IndexFunc(v.Events, func(e Event) bool { return e.Kind == EventOutage })
	switch {
	case len(unfinished(a.Tasks)) > 0 && strings.Contains(a.why(), "OutOfMemory"):
		return "Give the tasks more memory, and repeat the run."
	case len(unfinished(a.Tasks)) > 0:
		return "See what the tasks said in the log, and repeat the run."
	case outage >= 0 && !slices.ContainsFunc(v.Events, func(e Event) bool { return e.Kind == EventFailover }):
		return fmt.Sprintf("See what the logs say of %s, when nothing was done; then repeat the run.", a.moment(v.Events[outage].Start))
	case a.dry() != nil || a.creditsFall() != "":
		return "Run longer, to see what the node does without CPU credits; or take a node type that is not burstable."
	case suspect != "":
		return a.next(Finding{ID: suspect})
	case slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.ID == "swap" && f.State == Noted }):
		return "Raise reserved-memory-percent or take a node type with more memory: a node swaps."
	case a.burstToEnd():
		return "Run until the burst bandwidth ends: what the nodes sustain was not seen."
	case a.burstLate() != nil:
		return "Run longer, to see what the nodes sustain without the burst bandwidth."
	case ratio(nearest) > 1/(1+worth):
		return fmt.Sprintf("%s is nearly at its limit: more clients add %.0f %% at most. %s", upper(nearest.Name), 100/ratio(nearest)-100, a.next(nearest))
	}
	return "Raise clients or pipeline; where that changes nothing, add tasks."
}

// oneSidedTraffic tells whether one shard carries twice as much as the others in the mean, or more.
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

// creditsFall says how long CPU credits last that fell in the load; "" when they did not, ran dry, or last for more than a day.
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

// dry is when CPU credits first ran dry in the load of a burstable node, nil when they did not.
func (a *analysis) dry() (at *time.Time) {
	if !strings.HasPrefix(a.Configuration.NodeType, "cache.t") {
		return nil
	}
	for _, w := range combine(a.s.of(a.nodes, creditBalance, (*samples).grid), math.Min).stretches(*a.Phases.Load, func(v float64) bool { return v <= noCredits }) {
		return &w.Start
	}
	return nil
}
