package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// longest is how far a time may be from the run's other times, in seconds, which bounds memory: AWS keeps 60-second metrics for 15 days.
const longest = 15 * 86400

// seconds sums amounts per second of wall-clock time.
type seconds struct {
	base int64 // Unix time of v[0]
	v    []float64
}

func (s *seconds) add(at int64, amount float64) {
	i := at - s.base
	if i < 0 || i >= longest {
		return
	}
	for int64(len(s.v)) <= i {
		s.v = append(s.v, 0)
	}
	s.v[i] += amount
}

// spread distributes an amount evenly over the seconds between two instants.
func (s *seconds) spread(from, to float64, amount float64) {
	if to-from < 1e-3 {
		s.add(int64(math.Floor(to)), amount)
		return
	}
	for at := math.Floor(from); at < to; at++ {
		if part := min(to, at+1) - max(from, at); part > 0 {
			s.add(int64(at), amount*part/(to-from))
		}
	}
}

// rollup sums amounts in at most 4,096 steps; the steps double when more are needed.
type rollup struct {
	base, step int64
	v          []float64
}

func (f *rollup) add(at int64, amount float64) {
	if f.step == 0 {
		f.base, f.step = at, 1
	}
	i := max(0, (at-f.base)/f.step)
	for i >= 4096 {
		for j := range f.v {
			if half := f.v[j]; j%2 == 1 {
				f.v[j/2] += half
			} else {
				f.v[j/2] = half
			}
		}
		f.v = f.v[:(len(f.v)+1)/2]
		f.step *= 2
		i = (at - f.base) / f.step
	}
	for int64(len(f.v)) <= i {
		f.v = append(f.v, 0)
	}
	f.v[i] += amount
}

// load is the log's data about the load.
type load struct {
	log               *Log
	from, to          time.Time
	ops, bytes        seconds
	latency, weighted seconds // ms x operations, and the operations that have a latency
	running           seconds // task-seconds with operations
	workers           map[*Task]*worker
	errors            Errors
	heard             []*heard
	strays            int // records whose time is far from the log's start
	kinds             map[string]*ErrorKind
	order             []*worker // by first operations, those without at the end
}

func readLoad(r io.Reader) (*load, error) {
	l := &load{log: &Log{}, workers: map[*Task]*worker{}, kinds: map[string]*ErrorKind{}, errors: Errors{Kinds: []ErrorKind{}}}
	if err := l.log.scan(r, l.visit); err != nil {
		return nil, err
	}
	for _, k := range l.kinds {
		l.errors.Kinds = append(l.errors.Kinds, *k)
	}
	slices.SortFunc(l.errors.Kinds, func(a, b ErrorKind) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Text, b.Text)
	})
	l.errors.Kinds = l.errors.Kinds[:min(10, len(l.errors.Kinds))]
	for _, w := range l.workers {
		l.settle(w)
		l.errors.Connections += w.errors
		l.order = append(l.order, w)
	}
	l.edges()
	slices.SortFunc(l.order, func(a, b *worker) int {
		if c := earlier(a.first, b.first); c != 0 {
			return c
		}
		if c := earlier(a.task.Started, b.task.Started); c != 0 {
			return c
		}
		return strings.Compare(a.task.Stream, b.task.Stream)
	})
	return l, nil
}

// say adds warnings about the file.
func (l *load) say(r *Results) {
	switch log := l.log; {
	case log.Lines == 0:
		r.warn("the log is empty")
	case log.Events == 0:
		r.warn("the log has no line that is `[timestamp] [stream] message`")
	default:
		log.wrong.say(r, "the log")
		headless := 0
		for _, t := range log.Tasks {
			if t.headless {
				headless++
			}
		}
		if headless > 0 {
			r.warn("the log starts in the middle of the load: the first part of %s is missing, and operations in it do not count", Quantity(headless, "task"))
		}
		if log.repeated > 0 {
			r.warn("%s of the log are left out: they lie before others of their stream, as when exports were joined", Quantity(log.repeated, "line"))
		}
	}
}

// earlier orders times, the zero time last.
func earlier(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

func (l *load) visit(task *Task, line Line, p *Progress) {
	if l.from.IsZero() {
		l.from = line.Time
		base := line.Time.Unix() - 60
		l.ops.base, l.bytes.base, l.latency.base, l.weighted.base, l.running.base = base, base, base, base, base
	}
	l.to = line.Time
	if task == nil {
		l.listen(line)
		return
	}
	w := l.workers[task]
	if w == nil {
		w = &worker{task: task}
		l.workers[task] = w
	}
	w.seen = line.Time
	switch {
	case p != nil:
		l.record(w, line.Time, p)
	case strings.HasPrefix(line.Message, histogramLine):
		if w.histogram == nil {
			w.histogram = &chunks{}
		}
		w.histogram.add(line.Message)
	case w.histogram != nil && isPayload(strings.TrimSpace(line.Message)):
		w.histogram.more(line.Message)
	case !strings.HasPrefix(line.Message, "load: "):
		l.complaint(line)
	}
}

// complaint counts lines about errors, found by the same words as in the load's wrapper.
func (l *load) complaint(line Line) {
	text := strings.ToLower(line.Message)
	if strings.Contains(text, "reconnect") {
		l.errors.Reconnects++
	}
	if !strings.Contains(text, "error") && !strings.Contains(text, "dropped") && !strings.Contains(text, "failed") && !strings.HasSuffix(text, "restarting") {
		return
	}
	l.errors.Lines++
	kind := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, strings.TrimSpace(line.Message))
	if len(kind) > 200 {
		kind = strings.ToValidUTF8(kind[:200], "")
	}
	if k := l.kinds[kind]; k != nil {
		k.Count++
	} else if len(l.kinds) < 1000 { // bounds memory if every text differs
		l.kinds[kind] = &ErrorKind{Text: kind, Count: 1, First: line.Time}
	}
}

// window is from the first to the last operation of any task, to the nearest second; nil if there was none.
func (l *load) window() *Window {
	if l == nil {
		return nil
	}
	var w *Window
	for _, k := range l.order {
		if k.first.IsZero() {
			continue
		}
		if w == nil {
			w = &Window{Phase: "load", Start: k.first, End: k.last}
		}
		if k.first.Before(w.Start) {
			w.Start = k.first
		}
		if k.last.After(w.End) {
			w.End = k.last
		}
	}
	if w != nil {
		if w.Start, w.End = w.Start.Round(time.Second), w.End.Round(time.Second); w.Duration() <= 0 {
			return nil
		}
	}
	return w
}

// grid returns the part of a sum per second that is in the window; a second is unknown if its count is 0. count may be nil.
func (s *seconds) grid(w Window, count *seconds) *grid {
	g := newGrid(w.Start.Unix(), 1, int(w.Duration()/time.Second))
	for i := range g.v {
		j := g.start + int64(i) - s.base
		if j < 0 || j >= int64(len(s.v)) || count != nil && count.v[j] == 0 {
			continue
		}
		if g.v[i] = s.v[j]; count != nil {
			g.v[i] /= count.v[j]
		}
	}
	return g
}

func (f *rollup) grid(w Window) *grid {
	if f.step == 0 {
		return nil
	}
	g := &grid{start: f.base, step: f.step, v: make([]float64, len(f.v))}
	for i, x := range f.v {
		g.v[i] = x / float64(f.step)
	}
	return g
}

// fill writes what the load generators measured.
func (l *load) fill(r *Results) {
	c := &r.Client
	c.Errors = l.errors
	w := *r.Phases.Load
	c.Throughput = l.ops.grid(w, nil).series("throughput", "ops/s", "mean", pointsOfRun)
	c.MeanLatency = l.latency.grid(w, &l.weighted).series("mean latency", "ms", "mean", pointsOfRun)
	c.Bytes = l.bytes.grid(w, nil).series("traffic of the load", "bytes/s", "mean", pointsOfRun)
	running := l.running.grid(w, nil)
	for i, x := range running.v {
		running.v[i] = math.Round(x)
	}
	c.Running = running.series("tasks with operations", "tasks", "mean", pointsOfRun)
	hits, misses := 0.0, 0.0
	for _, k := range l.order {
		c.Operations += k.done()
		if !k.task.OK() {
			continue
		}
		c.SuccessfulOperations += k.done()
		if t := k.task.Totals; !math.IsNaN(t.HitsPerSecond) && !math.IsNaN(t.MissesPerSecond) {
			hits, misses = hits+t.HitsPerSecond, misses+t.MissesPerSecond
		}
	}
	if hits+misses > 0 {
		c.HitPercent = known(100 * hits / (hits + misses))
	}
}

// tasks adds each task of the log, and those that only ECS lists.
func (l *load) tasks(r *Results, m *manifest) {
	limit := each(len(l.order))
	var begin time.Time
	for _, k := range l.order {
		if begin.IsZero() || !k.first.IsZero() && k.first.Before(begin) {
			begin = k.first
		}
	}
	seen, zones := map[string]bool{}, m.zones()
	for _, k := range l.order {
		t := k.task
		seen[shortID(t.ID)] = true
		out := TaskResult{ID: t.ID, AvailabilityZone: zones[shortID(t.ID)], State: k.state(), Generator: t.Generator, Started: instant(t.Started), FirstOps: instant(k.first), LastOps: instant(k.last),
			Finished: instant(t.Finished), Operations: k.done(), Percentiles: []Percentile{}}
		if out.State != "ok" {
			out.Trouble = t.Trouble()
		}
		if out.State == "died" && !k.seen.IsZero() {
			out.Trouble = "did not finish; its last log line was at " + r.moment(k.seen)
			if why := m.stopped(t.ID); why != "" {
				out.Trouble += "; ECS says: " + why
			}
		}
		if !k.first.IsZero() {
			out.LateSeconds = known(k.first.Sub(begin).Seconds())
			if d := k.last.Sub(k.first).Seconds(); d > 0 {
				out.OpsPerSecond, out.BytesPerSec = known(k.operations/d), known(k.bytes/d)
			}
			own := k.throughput.grid(Window{})
			if r.Phases.Steady != nil {
				if v := own.over(*r.Phases.Steady, mean); v != nil && k.last.After(r.Phases.Steady.Start) {
					out.OpsPerSecond = v
				}
			}
			out.Throughput = own.series("throughput of task "+t.ID, "ops/s", "mean", limit)
		}
		if k.records == 0 && t.Totals != nil {
			out.OpsPerSecond = known(t.Totals.OpsPerSecond)
		}
		if k.histogram != nil && k.histogram.decoded != nil {
			out.Percentiles = percentilesOf(k.histogram.decoded)
		}
		r.Tasks = append(r.Tasks, out)
		if k.restarts > 0 {
			r.warn("task %s: memtier restarted %s after a lost connection and forgot what it had done; what it did in these %.0f s is taken from its rate, and its final table and histogram lack what was forgotten", t.ID, Quantity(k.restarts, "time"), k.lost)
		}
		if t.unread > 0 {
			r.warn("task %s: %s of %s in an unknown format", t.ID, Quantity(t.unread, "progress record"), first(t.Generator, "its generator"))
		}
		if k.longestSilence > 10*time.Second {
			r.Gaps = append(r.Gaps, Gap{Reason: GapSilent, What: "operations of task " + t.ID, Metrics: []string{}, Where: []string{t.ID},
				Start: instant(k.silenceBegan), End: instant(k.silenceBegan.Add(k.longestSilence)), Seconds: k.longestSilence.Seconds()})
		}
	}
	for _, t := range m.tasks() {
		if !seen[shortID(t.ID)] {
			r.Tasks = append(r.Tasks, TaskResult{ID: t.ID, AvailabilityZone: t.AvailabilityZone, State: "silent", Trouble: "the log has no line from it; ECS says: " + first(t.StoppedReason, t.StopCode, t.LastStatus),
				Started: t.StartedAt, Finished: t.StoppedAt, Percentiles: []Percentile{}})
		}
	}
}

// shortID is a task's id as the wrapper prints it: up to the first hyphen.
func shortID(id string) string {
	short, _, _ := strings.Cut(id, "-")
	return short
}

func (w *worker) state() string {
	switch t := w.task; {
	case t.OK():
		return "ok"
	case t.Failed != "":
		return "failed"
	case t.Verdict == "":
		return "died"
	}
	return "invalid"
}

// trouble warns about tasks in trouble, and errors.
func (l *load) trouble(r *Results) {
	for _, t := range r.Tasks {
		if t.State != "ok" {
			r.warn("task %s %s: %s", t.ID, t.State, strings.TrimPrefix(t.Trouble, t.State+": "))
		}
		if t.LateSeconds != nil && *t.LateSeconds > 10 {
			r.warn("task %s started %.0f s after the first", t.ID, *t.LateSeconds)
		}
	}
	if l.strays > 0 {
		r.warn("%s of the log left out, days away from its start", Quantity(l.strays, "progress record"))
	}
	if n := l.errors.Connections; n > 0 {
		r.warn("%s by the load generators", Quantity(int(n), "connection error"))
	}
	if n := l.errors.Lines; n > 0 {
		r.warn("%d error lines in the load's log, most often: %s", n, l.errors.Kinds[0].Text)
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (r *Results) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

func (r *Results) lack(section, format string, args ...any) {
	r.Lacking = append(r.Lacking, Lack{Section: section, Why: fmt.Sprintf(format, args...)})
}
