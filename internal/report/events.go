package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Event is something that happened during the load. It does not split a segment.
type Event struct {
	Kind  string    `json:"kind"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`  // equal to Start if it has no length
	Text  string    `json:"text"` // for people, without a full stop
}

// Kinds of events.
const (
	EventOutage   = "outage"        // no task did an operation
	EventFailover = "failover"      // a replica became the primary
	EventSnapshot = "snapshot"      // SaveInProgress
	EventLink     = "link"          // a replica lost its primary
	EventLag      = "lag"           // a replica was behind
	EventSync     = "full_sync"     // a replica read all of the data again, by the engine log
	EventSlow     = "slow_commands" // by the slow log
)

// behind is the replication lag in seconds from which on it is an event: reads from that replica are that old. AWS documents no threshold.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
const behind = 1.0

// events lists what happened in the load, by time.
func (a *analysis) events() []Event {
	events := append(a.outages(), a.nodeEvents()...)
	if a.l != nil {
		events = append(events, a.l.serverEvents(*a.Phases.Load)...)
	}
	slices.SortStableFunc(events, func(x, y Event) int { return x.Start.Compare(y.Start) })
	return events
}

// fewestSeconds without an operation are an outage; a shorter time can be a late progress record.
const fewestSeconds = 5

// outages are the parts of the load without an operation of any task.
func (a *analysis) outages() []Event {
	events := []Event{}
	if a.l.window() == nil {
		return events
	}
	x := a.l.ops.grid(*a.Phases.Load, nil)
	idle := x.idle()
	for _, w := range x.stretches(*a.Phases.Load, func(v float64) bool { return !(v > idle) }) {
		if w = x.edged(w); w.Duration() >= fewestSeconds*time.Second {
			events = append(events, a.outage(w))
		}
	}
	end := a.Phases.Load.End // of the last operation; records without one may follow
	var said time.Time
	for _, k := range a.l.order {
		if k.records > 0 {
			said = later(said, instantOf(k.at))
		}
	}
	if w := (Window{Start: end, End: said}); w.Duration() >= fewestSeconds*time.Second {
		events = append(events, a.outage(w))
	}
	return events
}

func (a *analysis) outage(w Window) Event {
	return Event{EventOutage, w.Start, w.End, fmt.Sprintf("no operation for %.0f s from %s", w.Duration().Seconds(), a.moment(w.Start))}
}

// idle is the rate up to which the load counts as stopped: a hundredth of the usual one. A progress record can span two seconds, so the first and
// last second of an outage can have a little of its neighbours' operations.
func (g *grid) idle() float64 {
	var busy []float64
	for _, v := range g.v {
		if v > 0 {
			busy = append(busy, v)
		}
	}
	if len(busy) == 0 {
		return 0
	}
	return median(busy) / 100
}

// edged extends a stretch without operations by the missing parts of the seconds beside it, because it starts and ends within a second. The
// result is rounded to seconds.
func (g *grid) edged(w Window) Window {
	from, to := g.within(w)
	lacks := func(i, beside int) time.Duration {
		if min(i, beside) < 0 || max(i, beside) >= len(g.v) || !(g.v[beside] > g.v[i]) {
			return 0
		}
		return time.Duration((1 - g.v[i]/g.v[beside]) * float64(g.step) * float64(time.Second))
	}
	return Window{w.Phase, w.Start.Add(-lacks(from-1, from-2)).Round(time.Second), w.End.Add(lacks(to, to+1)).Round(time.Second)}
}

// stretches are the parts of the window that satisfy a condition.
func (g *grid) stretches(w Window, holds func(float64) bool) (out []Window) {
	if g == nil {
		return nil
	}
	from, to := g.within(w)
	for i := from; i < to; i++ {
		n := i
		for n < to && holds(g.v[n]) {
			n++
		}
		if n > i {
			out, i = append(out, Window{Start: g.at(i), End: g.at(n)}), n
		}
	}
	return out
}

// failoverTo is the prefix of a failover's text if the metrics show it; the engine log has nothing to add to that one.
const failoverTo = "failover to "

// nodeEvents are the events in the nodes' metrics, to the minute.
func (a *analysis) nodeEvents() (events []Event) {
	load := *a.Phases.Load
	for _, n := range a.nodes {
		span := func(w Window) string {
			return fmt.Sprintf("from %s to %s", a.moment(w.Start), a.moment(w.End))
		}
		for i, w := range a.s.grid(n, isMaster).stretches(load, func(v float64) bool { return v >= 0.5 }) {
			if i > 0 || w.Start.After(load.Start.Add(time.Minute)) { // not already at the start
				events = append(events, Event{EventFailover, w.Start, w.Start, fmt.Sprintf(failoverTo+"%s at %s", n.id, a.moment(w.Start))})
			}
		}
		for _, w := range a.s.grid(n, saving).stretches(load, positive) {
			events = append(events, Event{EventSnapshot, w.Start, w.End, fmt.Sprintf("%s wrote a snapshot or a full sync %s", n.id, span(w))})
		}
		for _, w := range a.s.grid(n, linkHealth).stretches(load, func(v float64) bool { return v < 0.5 }) {
			events = append(events, Event{EventLink, w.Start, w.End, fmt.Sprintf("%s had no link to its primary %s", n.id, span(w))})
		}
		lag := a.s.grid(n, replicationLag)
		for _, w := range lag.stretches(load, func(v float64) bool { return v >= behind }) {
			events = append(events, Event{EventLag, w.Start, w.End, fmt.Sprintf("%s lagged behind its primary by up to %.3g s %s", n.id, *lag.over(w, highest), span(w))})
		}
	}
	return events
}

// heard counts one kind of message in the nodes' logs.
type heard struct {
	kind, text  string
	count       int
	first, last time.Time
}

// during reports whether some of the messages can be of that time.
func (h *heard) during(w Window) bool { return !h.last.Before(w.Start) && !h.first.After(w.End) }

var (
	engineSays = []struct{ kind, text, words string }{ // words are in lower case
		{EventFailover, "promotions of a replica in the engine log", "master mode enabled"},
		{EventFailover, "elections won in the engine log", "failover election won"},
		{EventSync, "full syncs in the engine log", "full resync requested by replica"},
		{EventSync, "full syncs in the engine log", "full resync from master"},
		{EventSync, "full syncs in the engine log", "full resync from primary"},
	}
	slowCommand = regexp.MustCompile(`"Command": ?"(\S+)`)
)

// listen counts the messages of a node's log.
func (l *load) listen(line Line) {
	count := func(kind, text string) {
		for _, h := range l.heard {
			if h.kind == kind && h.text == text {
				h.count, h.last = h.count+1, line.Time
				return
			}
		}
		if len(l.heard) < 100 { // bounds memory if every command differs
			l.heard = append(l.heard, &heard{kind, text, 1, line.Time, line.Time})
		}
	}
	switch {
	case strings.HasPrefix(line.Stream, "slow-log/"):
		command := "a command"
		if m := slowCommand.FindStringSubmatch(line.Message); m != nil {
			command = strings.ToUpper(strings.Trim(m[1], `",`))
		}
		count(EventSlow, command)
	case strings.HasPrefix(line.Stream, "engine-log/"):
		text := strings.ToLower(line.Message)
		for _, s := range engineSays {
			if strings.Contains(text, s.words) {
				count(s.kind, s.text)
				return
			}
		}
	}
}

// serverEvents are the events in the nodes' logs during the load.
func (l *load) serverEvents(load Window) (events []Event) {
	for _, h := range l.heard {
		if !h.during(load) {
			continue
		}
		text := fmt.Sprintf("%s: %d", h.text, h.count)
		if h.kind == EventSlow {
			text = fmt.Sprintf("%s in the slow log: %s", h.text, times(h.count))
		}
		events = append(events, Event{h.kind, h.first, h.last, text})
	}
	return events
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return Thousands(float64(n)) + " times"
}
