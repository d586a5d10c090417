package shutdown

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// TestWalk ends runs of random worlds. Whatever happened on the way: at the end nothing is billed, the guard was there as long as anything was, the
// exports hold every datapoint and every line that CloudWatch has, and the manifest is complete only then.
//
//	WALK_SEED=7 go test ./lambda/shutdown -run TestWalk -v	tells what happened in one; WALK_SEED=1001-5000 takes others
func TestWalk(t *testing.T) {
	first, last := 1, 100
	if os.Getenv("E2E_LONG") == "1" {
		last = 1000
	}
	if text := os.Getenv("WALK_SEED"); text != "" {
		from, to, _ := strings.Cut(text, "-")
		var err, err2 error
		first, err = strconv.Atoi(from)
		last, err2 = strconv.Atoi(cmp.Or(to, from))
		require.NoError(t, errors.Join(err, err2))
	}
	for seed := first; seed <= last; seed++ {
		w := newWalk(uint64(seed))
		w.run()
		if broken := w.broken(); len(broken) > 0 {
			t.Errorf("WALK_SEED=%d: %s\n  %s", seed, strings.Join(broken, "\n  "), strings.Join(w.life.story, "\n  "))
		} else if first == last {
			t.Logf("seed %d\n  %s", seed, strings.Join(w.life.story, "\n  "))
		}
	}
}

// walk is a world and what happens to it, all of it drawn from a seed.
type walk struct {
	*world
	rng    *rand.Rand
	stopBy time.Time
	faults int // that are left: the world gets better
}

func (w *walk) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between is a time from a to b.
func (w *walk) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1)).Round(time.Second)
}

// newWalk draws a world: an apply that is quick, slow or broken, a load that lives, and what may happen to it.
func newWalk(seed uint64) *walk {
	w := &walk{world: newWorld(), rng: rand.New(rand.NewPCG(seed, 0))}
	begun := at("2026-11-23T03:08:09Z")
	w.world = bare()
	if w.chance(20) {
		w.cfg = newServerless().cfg
	}
	w.clock, w.deleting, w.tasks = begun, 0, nil
	w.life = &life{takes: w.between(time.Second, time.Minute), goes: w.between(time.Minute, 20*time.Minute), forgets: w.chance(50)}
	w.lag = w.between(0, 80*time.Second)
	minutes := 20 * time.Minute
	if w.chance(25) { // ECS forgets in the middle of it
		minutes = 85 * time.Minute
	}
	if w.chance(20) {
		w.life.takes = w.between(3*time.Minute, 25*time.Minute)
	}
	w.stopBy = begun.Add(minutes + time.Hour)
	w.faults = w.rng.IntN(5)
	w.guard(runID, w.stopBy)

	// The apply.
	creates, takes, status := w.between(30*time.Second, 3*time.Minute), w.between(4*time.Minute, 12*time.Minute), "available"
	if w.chance(20) { // it waited for something, and meets the guard
		creates = minutes + time.Hour - w.between(5*time.Second, 12*time.Minute)
	}
	if w.chance(10) {
		status = "create-failed"
	}
	tasks, loads := 1+w.rng.IntN(3), w.chance(90)
	if !w.chance(95) {
		status, loads = "", false // it fails before there is a cache
	}
	load := w.between(5*time.Second, 2*time.Minute)
	then := func() { // Terraform saw the cache available, and goes on
		if !loads || w.life.run != runID {
			return
		}
		now := w.Now()
		w.happen(now.Add(load), "the load", func() { w.born(tasks) })
		w.happen(now.Add(load+time.Minute), "the schedule stop", func() {
			w.stops(minutes)
		})
		w.lives(now.Add(load), minutes, tasks)
	}
	switch {
	case w.chance(12): // the cache is there, and is not the stack's
		w.cfg.Cache.Delete, w.cache, w.cacheRun = false, "available", ""
		w.life.caches = []span{{from: begun.Add(-time.Hour)}}
		w.plan(begun.Add(creates), "the load is next", then)
	case status != "":
		if status != "available" {
			then = nil
		}
		w.happen(begun.Add(creates), "the cache", func() {
			if w.life.run == runID { // else the apply has been given up
				w.create(takes, status, then)
			}
		})
	}
	if w.chance(20) {
		when := w.between(10*time.Second, minutes+30*time.Minute)
		if w.chance(40) {
			when = w.between(time.Second, creates)
		}
		w.plan(begun.Add(when), "stop by hand", func() { w.event("by hand", runID, ActionStop, 0) })
	}
	if w.chance(15) { // a new run takes the living stack over: terraform apply -replace
		another := func() {
			if w.schedules["perf-watch"] == nil || w.life.run != runID || w.cache == "creating" || w.cache == "deleting" {
				return
			}
			w.guard(w.clock.Format(runLayout), w.clock.Add(minutes+time.Hour))
			delete(w.schedules, "perf-load-stop") // what depends on the service goes first, and the service has to know its run
			if w.cache == "available" && w.cfg.Cache.Delete {
				w.cacheRun = w.life.run
			}
			if w.service {
				w.vanish()
			}
			again := func() {
				w.happen(w.Now().Add(w.life.takes+5*time.Second), "its load", func() {
					w.born(tasks)
					w.stops(minutes)
				})
			}
			switch w.cache {
			case "":
				w.create(5*time.Minute, "available", again)
			case "create-failed": // tainted, hence made anew
				w.unmake()
				w.plans = append(w.plans, plan{w.clock.Add(w.life.goes + time.Second), "its cache", func() {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.create(5*time.Minute, "available", again)
				}})
			default:
				w.mu.Unlock()
				again()
				w.mu.Lock()
			}
		}
		if w.chance(50) {
			w.happen(begun.Add(w.between(time.Minute, minutes+25*time.Minute)), "another run", another)
		} else { // in the last moments of the stop
			after := w.between(0, 8*time.Second)
			w.life.gone = func() { w.happen(w.Now().Add(after), "another run", another) }
		}
	}
	w.plan(begun.Add(w.between(0, 10*time.Minute)), "watch", w.tick)
	return w
}

// lives plans what may happen to a load.
func (w *walk) lives(born time.Time, minutes time.Duration, tasks int) {
	during := func() time.Time { return born.Add(w.between(2*time.Minute, minutes)) }
	atTheEnd := func() time.Time { return born.Add(minutes + w.between(0, 6*time.Minute)) }
	for range w.rng.IntN(4) - 1 {
		w.happen(born.Add(w.between(2*time.Minute, minutes/2)), "a task is replaced", w.replace)
	}
	if w.chance(12) {
		w.happen(during(), "the service is deleted", func() {
			if w.service {
				w.vanish()
			}
		})
	}
	if w.chance(15) {
		at := during()
		if w.chance(60) {
			at = atTheEnd()
		}
		w.happen(at, "the service is replaced", func() {
			if !w.service || w.schedules["perf-watch"] == nil {
				return
			}
			delete(w.schedules, "perf-load-stop") // Terraform destroys what depends on the service first
			w.vanish()
			w.plans = append(w.plans, plan{w.clock.Add(w.life.takes + 5*time.Second), "its replacement", func() {
				w.mu.Lock()
				w.born(tasks)
				w.stops(minutes)
				w.mu.Unlock()
				w.look()
			}})
		})
	}
	if w.chance(10) {
		at := atTheEnd()
		w.happen(at, "the cache is modifying", func() {
			if w.cfg.Cache.Delete && w.cache == "available" {
				w.cache = "modifying"
			}
		})
		w.happen(at.Add(w.between(time.Minute, 30*time.Minute)), "the cache was modified", func() {
			if w.cache == "modifying" {
				w.cache = "available"
			}
		})
	}
	if w.chance(6) { // too slow for Lambda: a person has to export
		w.life.slow = w.between(450*time.Second, 570*time.Second)
	}
	if w.life.slow > 0 || w.chance(20) {
		for n := range 4 {
			w.plan(born.Add(minutes+time.Duration(n)*4*time.Hour+w.between(0, 2*time.Hour)), "a person exports", func() {
				answer, err := w.person(w.fault())
				w.tell("a person exported: %s %s %v", answer.Status, answer.Message, err)
			})
		}
	}
}

// fault draws what an invocation meets.
func (w *walk) fault() (f fault) {
	if w.faults == 0 || !w.chance(60) {
		return f
	}
	w.faults--
	f.kind = []string{killed, killed2, refused, lost, hangs, hangs2, conflict, another}[w.rng.IntN(8)]
	f.k = 1 + w.rng.IntN(60)
	if f.kind == conflict || (f.kind == lost || f.kind == refused) && w.chance(40) {
		f.ops, f.k = "Put", 1+w.rng.IntN(40)
	}
	return f
}

// event is what Scheduler sends to the function, and Lambda sends twice more when it fails. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
func (w *walk) event(request, run, action string, attempt int) {
	f := w.fault()
	request += " " + w.Now().Format(time.TimeOnly)
	if f.kind == another { // the same event once more, while the first is at work
		inner := fault{}
		if w.chance(70) {
			inner = fault{kind: killed, k: 1 + w.rng.IntN(40)}
		}
		f.while = func() {
			answer, err := w.invoke(request, run, action, inner)
			w.tell("  its twin (%+v): %s %s %v", inner, answer.Status, answer.Message, err)
		}
	}
	w.tell("%s (%s %d %s)", request, f.kind, f.k, f.ops)
	answer, err := w.invoke(request, run, action, f)
	w.tell("%s answered: %s %s %v", request, answer.Status, answer.Message, err)
	if err != nil && attempt < 2 {
		w.plan(w.Now().Add(time.Duration(attempt+1)*time.Minute), "retry", func() { w.event(strings.Fields(request)[0], run, action, attempt+1) })
	}
}

// stops makes the schedule stop, which fires if it is still there.
func (w *walk) stops(minutes time.Duration) {
	when, run := w.clock.Add(minutes), w.life.run
	mine := &scheduler.GetScheduleOutput{ScheduleExpression: aws.String("at(" + when.Format("2006-01-02T15:04:05") + ")"), Target: &schedulertypes.Target{
		Input: aws.String(fmt.Sprintf(`{"action":"stop","run":"%s"}`, run))}}
	w.schedules["perf-load-stop"] = mine
	w.plans = append(w.plans, plan{when, "stop", func() {
		if w.schedules["perf-load-stop"] == mine {
			w.event("stop", run, ActionStop, 0)
		}
	}})
}

func (w *walk) tick() {
	if w.schedules["perf-watch"] == nil {
		return
	}
	w.plan(w.Now().Add(10*time.Minute), "watch", w.tick)
	w.event("watch", w.life.run, ActionWatch, 0)
}

// run lets the time pass until nothing is planned any more.
func (w *walk) run() {
	for n := 0; n < 24*6*3 && len(w.plans) > 0 && len(w.life.broken) == 0; n++ {
		w.pass(10 * time.Minute)
		w.look()
	}
}

// broken names the promises that were not kept.
func (w *walk) broken() []string {
	broken := w.life.broken
	not := func(ok bool, format string, args ...any) {
		if !ok {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	not(w.billed() == "", "billed at the end: %s", w.billed())
	not(w.schedules["perf-watch"] == nil, "the guard is still there")
	if len(broken) > 0 || w.life.run != runID {
		return broken
	}
	m, err := export.ParseManifest([]byte(w.text(manifestKey)))
	if err != nil || !m.Complete {
		return append(broken, fmt.Sprintf("the manifest is not complete: %v %v", err, m.Warnings))
	}
	not(len(w.uploads) == 0, "uploads are open")
	told := w.told()
	result, gone := slices.Index(told, "ended"), slices.Index(told, "gone")
	not(result >= 0 && result < gone || w.called("Publish") > len(told), "told were %v", told)
	var started, ended time.Time
	for _, t := range w.tasks {
		if t.StartedAt != nil && (w.life.complete.IsZero() || t.StartedAt.Before(w.life.complete)) {
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

	// The same once more, now that CloudWatch has all there is.
	w.lag, w.life.slow = 0, 0
	target := export.Target{Cluster: w.cfg.Cluster, Service: w.cfg.Service, Membership: *m.Membership}
	var metrics, logs bytes.Buffer
	found, err := target.Discover(context.Background(), w, w)
	not(err == nil, "%v", err)
	sum, err := export.MetricsJob{API: w, Clock: w, Series: target.Series(found), Window: *m.Window, Period: time.Minute}.Write(context.Background(), &metrics)
	not(err == nil, "%v", err)
	_, err = export.LogsJob{API: w, Clock: w, Groups: w.cfg.logGroups(), Rate: 1000, Window: m.Logs.Window}.Write(context.Background(), &logs)
	not(err == nil, "%v", err)
	not(metrics.String() == w.text(metricsKey), "the metrics are not all: %d rows instead of %d", strings.Count(w.text(metricsKey), "\n"), strings.Count(metrics.String(), "\n"))
	not(logs.String() == w.text(logsKey), "the logs are not all: %d lines instead of %d", strings.Count(w.text(logsKey), "\n"), strings.Count(logs.String(), "\n"))
	object, _ := m.Object(export.KindMetrics)
	not(object.Rows == m.Metrics.Points && m.Metrics.Points == sum.Points, "the manifest has %d points, its object %d rows, CloudWatch %d", m.Metrics.Points, object.Rows, sum.Points)
	not(slices.IsSortedFunc(m.Objects, func(a, b export.Object) int { return strings.Compare(b.Kind, a.Kind) }), "objects")
	return broken
}
