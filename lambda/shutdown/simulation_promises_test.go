package shutdown

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// broken returns the broken promises: about what AWS has in the end, and about the exports of the stack's last run.
func (w *walk) broken() []string {
	broken := w.sim.broken
	not := func(ok bool, format string, args ...any) {
		if !ok {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	not(w.billed() == "", "billed at the end: %s", w.billed())
	run := w.sim.run
	m, err := export.ParseManifest([]byte(w.text(w.cfg.ManifestKey(run))))
	if m.Window != nil && !w.sim.published(*m.Window) { // there was no cache while the load ran: a person has to give up the export
		not(!m.Complete, "the export of a load without a cache is complete")
		not(m.Window.Start.Before(m.Window.End) || slices.ContainsFunc(w.published, func(text string) bool { return strings.Contains(text, "is empty") }), "no message says that the window is empty")
		return broken
	}
	not(w.schedules["perf-watch"] == nil, "the guard is still there")
	not(!w.foreignProbe || w.text("exports/preflight/"+runID) == "theirs", "somebody else's object under the probe's key was removed")
	not(w.laterManifest == "" || w.text(manifestKey) == w.laterManifest, "the manifest of a later version was replaced")
	if len(broken) > 0 || w.laterManifest != "" && run == runID {
		return broken
	}
	if err != nil || !m.Complete {
		return append(broken, fmt.Sprintf("the manifest is not complete: %v %v", err, m.Warnings))
	}
	named, err := ParseRun(run)
	not(err == nil, "%v", err)
	for id, u := range w.uploads {
		not(!strings.Contains(u.key, run), "upload %s of %s is still open", id, u.key)
	}
	if run == runID {
		sent := w.messages()
		result, gone := slices.Index(sent, "ended"), slices.Index(sent, "gone")
		not(result >= 0 && result < gone || w.called("Publish") > len(sent), "the messages were %v", sent)
	}
	for _, o := range m.Objects {
		header := int64(0)
		if o.Kind == export.KindMetrics {
			header = 1
		}
		stored, _, err := export.ReadBack(context.Background(), w, w.cfg.Bucket, w.cfg.Owner(run), header, o)
		not(err == nil, "%v", err)
		stored.Replaced = o.Replaced
		not(reflect.DeepEqual(stored, o), "the manifest has %+v, but the bucket has %+v", o, stored)
	}
	var started, ended time.Time
	for _, t := range w.tasks {
		if t.StartedAt != nil && !t.CreatedAt.Before(named) && (w.sim.complete.IsZero() || t.StartedAt.Before(w.sim.complete)) {
			started, ended = earlier(started, *t.StartedAt), later(ended, *t.StoppedAt)
		}
	}
	if started.IsZero() {
		return broken
	}
	if m.Window == nil || len(m.Objects) != 2 {
		return append(broken, fmt.Sprintf("a load ran since %s, but the window is %v with %d objects", started, m.Window, len(m.Objects)))
	}
	not(!m.Window.Start.After(started) && !m.Window.End.Before(ended), "the load ran from %s to %s, but the window is %v", started, ended, *m.Window)

	// Export once more, now that CloudWatch has all data, including what it had expired.
	w.lag, w.sim.logReadTime, w.sim.keepsAll = 0, 0, true
	target := export.Target{Cluster: w.cfg.Cluster, Service: w.cfg.Service, Membership: *m.Membership}
	var metrics, logs bytes.Buffer
	found, err := target.Discover(context.Background(), w, w)
	not(err == nil, "%v", err)
	job := export.MetricsJob{API: w, Clock: w, Series: target.Series(found), Window: *m.Window, Period: time.Duration(m.Metrics.PeriodSeconds) * time.Second}
	sum, err := job.Write(context.Background(), &metrics)
	not(err == nil, "%v", err)
	_, err = export.LogsJob{API: w, Clock: w, Groups: w.cfg.logGroups(), Rate: 1000, Window: m.Logs.Window}.Write(context.Background(), &logs)
	not(err == nil, "%v", err)
	text := w.text(w.cfg.metricsKey(run))
	if all := metrics.String() == text; w.lateData {
		not(all || len(m.Warnings) > 0, "metrics are missing, and the manifest does not say so")
	} else {
		not(all, "metrics are missing: %d rows instead of %d", strings.Count(text, "\n"), strings.Count(metrics.String(), "\n"))
		not(m.Metrics.Points == sum.Points, "the manifest has %d points, CloudWatch %d", m.Metrics.Points, sum.Points)
	}
	not(logs.String() == w.text(w.cfg.logsKey(run)), "log lines are missing: %d lines instead of %d", strings.Count(w.text(w.cfg.logsKey(run)), "\n"), strings.Count(logs.String(), "\n"))
	stored, err := job.Sum(strings.NewReader(text))
	not(err == nil && stored.Points == m.Metrics.Points && reflect.DeepEqual(stored.Sources, m.Metrics.Sources), "the manifest has %d points of %v, its object %d of %v: %v", m.Metrics.Points, m.Metrics.Sources, stored.Points, stored.Sources, err)
	not(slices.IsSortedFunc(m.Objects, func(a, b export.Object) int { return strings.Compare(b.Kind, a.Kind) }), "objects")
	return broken
}

// published reports whether a cache published metrics in the window.
func (l *simulation) published(window export.Window) bool {
	for minute := window.Start; minute.Before(window.End); minute = minute.Add(time.Minute) {
		if slices.ContainsFunc(l.caches, func(s span) bool { return s.contains(minute) }) {
			return true
		}
	}
	return false
}
