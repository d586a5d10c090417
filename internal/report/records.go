package report

import (
	"math"
	"strings"
	"time"
)

// worker sums the records of one task.
type worker struct {
	task           *Task
	first, last    time.Time // of operations
	seen           time.Time // of any line
	records        int
	operations     float64 // including those before restarts of the generator
	restarts       int
	lost           float64 // seconds whose count a restart lost
	cumulated      int64   // of the last record
	at             float64
	rate           float64 // of the last interval, ops/s
	pending        float64 // start of an interval with an unknown count; 0: none
	bytes          float64
	errors         int64
	throughput     rollup
	histogram      *chunks
	longestSilence time.Duration
	silenceBegan   time.Time
}

func (w *worker) done() int64 { return int64(math.Round(w.operations)) }

// unreadable reports whether tasks did something for which the log has no readable progress record, and the rate in their tables, 0: none.
func (l *load) unreadable() (ops float64, is bool) {
	if l == nil || l.window() != nil {
		return 0, false
	}
	for _, w := range l.order {
		if t := w.task; t.unread > 0 {
			is = true
			if t.Totals != nil && t.Totals.OpsPerSecond > 0 {
				ops += t.Totals.OpsPerSecond
			}
		}
	}
	return ops, is
}

// isRecord reports whether a line of memtier's is a progress record, even one of an unknown form.
func isRecord(message string) bool {
	return strings.Contains(message, "ops") && strings.Contains(message, "sec")
}

// started is when a generator started to count, computed from one of its records: total over mean gives it to the millisecond, if that agrees with
// the record's own seconds, which are truncated.
func started(at float64, p *Progress) float64 {
	if p.Mean > 100 {
		if d := float64(p.Operations) / p.Mean; d >= float64(p.Seconds) && d < float64(p.Seconds)+1 {
			return at - d
		}
	}
	return at - float64(max(1, p.Seconds))
}

// record processes a progress record: it spreads the operations since the last one over the time between the two.
func (l *load) record(w *worker, now time.Time, p *Progress) {
	at := float64(now.UnixMilli()) / 1000
	if base := float64(l.ops.base); at < base || at >= base+longest {
		l.strays++
		return
	}
	if at < w.at { // records that joined exports have twice
		l.log.repeated++
		return
	}
	done, began := float64(p.Operations-w.cumulated), w.at
	if w.records == 0 {
		began = started(at, p)
	}
	if w.records == 0 && w.task.headless { // the log does not have what it did before
		began = at - 1
	}
	if p.Rate || w.records == 0 && w.task.headless { // it has no total
		done = float64(p.OpsPerSecond) * (at - began)
	}
	w.records++
	w.cumulated, w.at = p.Operations, at
	w.errors = max(w.errors, p.ConnectionErrors)
	if done < 0 {
		// memtier restarted a thread after a lost connection, and the thread's count is gone from the total: the operations since the last record are
		// unknown. The record's own rate is a difference of totals, too, and is often nonsense then.
		w.restarts++
		w.lost += at - began
		if own := float64(p.OpsPerSecond); own <= 0 || own > 2*w.rate {
			if w.pending == 0 {
				w.pending = began
			}
			return
		}
		done = float64(p.OpsPerSecond) * (at - began)
	}
	began = max(began, float64(l.ops.base))
	if until := began + done/max(w.rate, 1e-3); p.Threads == 0 && w.rate > 0 && until < at {
		at = until // the last record can come up to a second after the last operation
	}
	if w.pending > 0 && done > 0 { // use the rate of the following interval
		done, began, w.pending = done*(at-w.pending)/max(at-began, 1e-3), w.pending, 0
	}
	if done == 0 {
		return
	}
	l.did(w, began, at, done)
	if !math.IsNaN(p.LatencyMS) {
		l.latency.spread(began, at, done*p.LatencyMS)
		l.weighted.spread(began, at, done)
	}
	if !math.IsNaN(p.BytesPerSecond) {
		bytes := p.BytesPerSecond * (at - began)
		l.bytes.spread(began, at, bytes)
		w.bytes += bytes
	}
}

// did adds operations over an interval.
func (l *load) did(w *worker, began, at, done float64) {
	from, to := instantOf(began), instantOf(at)
	if w.first.IsZero() {
		w.first = from
	} else if silence := from.Sub(w.last); silence > w.longestSilence { // records without an operation
		w.longestSilence, w.silenceBegan = silence, w.last
	}
	if silence := to.Sub(from); !w.last.IsZero() && silence > w.longestSilence { // no record
		w.longestSilence, w.silenceBegan = silence, from
	}
	w.last = to
	w.operations += done
	w.rate = done / max(at-began, 1e-3)
	l.ops.spread(began, at, done)
	l.running.spread(began, at, max(at-began, 1e-3))
	w.throughput.add(max(int64(began), int64(at)-1), done)
}

func instantOf(at float64) time.Time { return time.UnixMilli(int64(math.Round(at * 1000))).UTC() }

// settle adds the operations after a task's last record: memtier prints no record for its last fraction of a second, but its histogram counts them.
func (l *load) settle(w *worker) {
	if w.restarts > 0 || w.histogram == nil || w.histogram.decoded == nil {
		return
	}
	if w.records == 0 && w.task.unread > 0 { // without times
		w.operations = float64(w.histogram.decoded.TotalCount())
	}
	if w.rate == 0 {
		return
	}
	rest := float64(w.histogram.decoded.TotalCount()) - w.operations
	if rest <= 0 || rest > 3*w.rate {
		return
	}
	rate, seconds := w.rate, rest/w.rate
	if until := float64(w.task.Finished.UnixMilli())/1000 - w.at; !w.task.Finished.IsZero() && until > 0 {
		seconds = min(seconds, until)
	}
	l.did(w, w.at, w.at+seconds, rest)
	w.rate = rate
}

// edges corrects the rates of the load's first and last second, which it fills in part. Seconds filled by less than half are not in its window.
func (l *load) edges() {
	var from, to time.Time
	for _, w := range l.order {
		if !w.first.IsZero() && (from.IsZero() || w.first.Before(from)) {
			from = w.first
		}
		to = later(to, w.last)
	}
	if to.Sub(from) < 2*time.Second {
		return
	}
	scale := func(at time.Time, part float64) {
		for _, s := range []*seconds{&l.ops, &l.bytes, &l.running} {
			if i := at.Unix() - s.base; i >= 0 && i < int64(len(s.v)) {
				s.v[i] /= part
			}
		}
	}
	if part := 1 - float64(from.Nanosecond())/1e9; part >= 0.5 {
		scale(from, part)
	}
	if part := float64(to.Nanosecond()) / 1e9; part >= 0.5 {
		scale(to, part)
	}
}
