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

// broken names the promises that were not kept: of the AWS, and of the exports of the run that was the stack's at the end.
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
	if m.Window != nil && !w.sim.published(*m.Window) { // the load met no cache: a person has to give it up
		not(!m.Complete, "the export of a load without a cache is complete")
		not(m.Window.Start.Before(m.Window.End) || slices.ContainsFunc(w.published, func(text string) bool { return strings.Contains(text, "is empty") }), "nobody was told that the window is empty")
		return broken
	}
	not(w.schedules["perf-watch"] == nil, "the guard is still there")
	not(!w.theirs || w.text("exports/preflight/"+runID) == "theirs", "somebody else's object under the probe's key is gone")
	not(w.newer == "" || w.text(manifestKey) == w.newer, "the manifest of a later version was replaced")
	if len(broken) > 0 || w.newer != "" && run == runID {
		return broken
	}
	if err != nil || !m.Complete {
		return append(broken, fmt.Sprintf("the manifest is not complete: %v %v", err, m.Warnings))
	}
	named, err := ParseRun(run)
	not(err == nil, "%v", err)
	for id, u := range w.uploads {
		not(!strings.Contains(u.key, run), "upload %s of %s is open", id, u.key)
	}
	if run == runID {
		told := w.told()
		result, gone := slices.Index(told, "ended"), slices.Index(told, "gone")
		not(result >= 0 && result < gone || w.called("Publish") > len(told), "told were %v", told)
	}
	for _, o := range m.Objects {
		header := int64(0)
		if o.Kind == export.KindMetrics {
			header = 1
		}
		lies, _, err := export.ReadBack(context.Background(), w, w.cfg.Bucket, w.cfg.Owner(run), header, o)
		not(err == nil, "%v", err)
		lies.Replaced = o.Replaced
		not(reflect.DeepEqual(lies, o), "the manifest says %+v, and what lies there is %+v", o, lies)
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
		return append(broken, fmt.Sprintf("a load ran since %s, and the window is %v with %d objects", started, m.Window, len(m.Objects)))
	}
	not(!m.Window.Start.After(started) && !m.Window.End.Before(ended), "the load ran from %s to %s, but the window is %v", started, ended, *m.Window)

	// The same again, now that CloudWatch has all data, also what it had forgotten.
	w.lag, w.sim.slow, w.sim.all = 0, 0, true
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
	if all := metrics.String() == text; w.late {
		not(all || len(m.Warnings) > 0, "the metrics are not all, and the manifest does not say so")
	} else {
		not(all, "the metrics are not all: %d rows instead of %d", strings.Count(text, "\n"), strings.Count(metrics.String(), "\n"))
		not(m.Metrics.Points == sum.Points, "the manifest has %d points, CloudWatch %d", m.Metrics.Points, sum.Points)
	}
	not(logs.String() == w.text(w.cfg.logsKey(run)), "the logs are not all: %d lines instead of %d", strings.Count(w.text(w.cfg.logsKey(run)), "\n"), strings.Count(logs.String(), "\n"))
	lies, err := job.Sum(strings.NewReader(text))
	not(err == nil && lies.Points == m.Metrics.Points && reflect.DeepEqual(lies.Sources, m.Metrics.Sources), "the manifest has %d points of %v, its object %d of %v: %v", m.Metrics.Points, m.Metrics.Sources, lies.Points, lies.Sources, err)
	not(slices.IsSortedFunc(m.Objects, func(a, b export.Object) int { return strings.Compare(b.Kind, a.Kind) }), "objects")
	return broken
}

// published reports whether a cache published metrics in the window.
func (l *simulation) published(window export.Window) bool {
	for minute := window.Start; minute.Before(window.End); minute = minute.Add(time.Minute) {
		if slices.ContainsFunc(l.caches, func(s span) bool { return s.has(minute) }) {
			return true
		}
	}
	return false
}
