package shutdown

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// TestWalk runs random simulations to their end. Whatever happened in between: in the end nothing is billed, the guard existed as long as anything was
// billed, the exports contain every datapoint and every line that CloudWatch has, and only then is the manifest complete.
//
//	WALK_SEED=7 go test ./lambda/shutdown -run TestWalk -v	shows what happened in one simulation; WALK_SEED=1001-5000 runs others
func TestWalk(t *testing.T) {
	t.Parallel()
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
		broken, story := runWalk(t, seed)
		if len(broken) > 0 {
			t.Errorf("WALK_SEED=%d: %s\n  %s", seed, strings.Join(broken, "\n  "), strings.Join(story, "\n  "))
		} else if first == last {
			t.Logf("seed %d\n  %s", seed, strings.Join(story, "\n  "))
		}
	}
}

// TestWalkIsDeterministic runs some simulations twice: the seed alone decides what happens. The exception is an invocation that is cut off: its goroutines
// end at the same time, and the Go scheduler decides which one reports first.
func TestWalkIsDeterministic(t *testing.T) {
	untilCut := func(story []string) []string {
		if n := slices.IndexFunc(story, func(line string) bool {
			return strings.Contains(line, "context ") || strings.Contains(line, "out of time")
		}); n >= 0 {
			return story[:n]
		}
		return story
	}
	for seed := 1; seed <= 20; seed++ {
		_, first := runWalk(t, seed)
		_, second := runWalk(t, seed)
		require.Equal(t, untilCut(first), untilCut(second), "WALK_SEED=%d", seed)
	}
}

// runWalk runs a simulation, and returns the broken promises and the story.
func runWalk(t *testing.T, seed int) (broken, story []string) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // simultaneous events then have a fixed order
	synctest.Test(t, func(*testing.T) {
		w := newWalk(uint64(seed))
		w.run()
		broken, story = w.broken(), w.sim.story
	})
	return broken, story
}

// walk is a simulation and the events in it, all of them drawn from a seed.
type walk struct {
	*fakeAWS
	rng           *rand.Rand
	rareRNG       *rand.Rand // for events that were added later, so that the other simulations do not change
	stopBy        time.Time
	faults        int     // faults that are left; there are none after them
	forced        []fault // the first faults of invocations, in order
	overlapping   int     // invocations that are running
	lateData      bool    // datapoints arrive after any wait for them
	laterManifest string  // the manifest that a later version wrote
	foreignProbe  bool    // somebody else's object has the preflight probe's key
}

func (w *walk) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between returns a random duration from a to b.
func (w *walk) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1)).Round(time.Second)
}

// newWalk draws a simulation: an apply that is quick, slow or fails, a load that runs, and what may happen to it.
func newWalk(seed uint64) *walk {
	w := &walk{fakeAWS: newFakeAWS(), rng: rand.New(rand.NewPCG(seed, 0)), rareRNG: rand.New(rand.NewPCG(seed, 1))}
	started := at("2026-11-23T03:08:09Z")
	w.fakeAWS = bare()
	if w.chance(20) {
		w.cfg = newServerless().cfg
	}
	fastClock := w.rareRNG.IntN(100) < 2
	if fastClock { // the clock that named the run is ahead, and the stack only knows its cache's endpoint: the load ends before the run's nominal start
		started, w.cfg.Cache = started.Add(-4*time.Hour), Cache{}
	}
	time.Sleep(time.Until(started))
	w.deleting, w.tasks = 0, nil
	w.sim = &simulation{changed: make(chan struct{}, 1), taskStopTime: w.between(time.Second, time.Minute), cacheDeleteTime: w.between(time.Minute, 20*time.Minute), forgets: w.chance(50)}
	if w.lag = w.between(0, 80*time.Second); w.chance(6) {
		w.lateData, w.lag = true, w.between(4*time.Minute, 15*time.Minute)
	}
	if w.chance(20) {
		w.cfg.PeriodSeconds = 10 + 20*w.rng.IntN(2)
	}
	minutes := 20 * time.Minute
	if w.chance(25) { // long enough for ECS to forget tasks during the run
		minutes = 85 * time.Minute
	}
	if w.chance(20) {
		w.sim.taskStopTime = w.between(3*time.Minute, 25*time.Minute)
	}
	w.stopBy = started.Add(minutes + time.Hour)
	w.faults = w.rng.IntN(5)
	w.guard(runID, w.stopBy)
	if w.chance(7) || w.cfg.PeriodSeconds < 60 && w.chance(40) { // CloudWatch returns no data while the load ends
		from := started.Add(w.between(0, minutes))
		w.sim.outage = span{from, from.Add(w.between(time.Hour, 5*time.Hour))}
	}
	if w.chance(15) {
		w.foreignProbe = w.chance(50)
		w.plan(started.Add(w.between(time.Second, 20*time.Second)), "preflight", w.preflight)
	}
	if w.chance(3) {
		w.plan(started.Add(minutes+w.between(0, 30*time.Minute)), "a later version completes the run", func() {
			if w.sim.run == runID {
				w.laterManifest = `{"schema_version": 2, "complete": true}`
				w.objects[manifestKey] = &object{[]byte(w.laterManifest), map[string]string{export.Metadata: w.cfg.Owner(runID)}, "newer"}
			}
		})
	}

	// The apply.
	creates, takes, status := w.between(30*time.Second, 3*time.Minute), w.between(4*time.Minute, 12*time.Minute), "available"
	if w.chance(20) { // the apply had to wait, and continues when the guard ends the run
		creates = minutes + time.Hour - w.between(5*time.Second, 12*time.Minute)
	}
	if w.chance(10) {
		status = "create-failed"
	}
	tasks, loads := 1+w.rng.IntN(3), w.chance(90)
	if !w.chance(95) {
		status, loads = "", false // the apply fails before there is a cache
	}
	if minutes == 20*time.Minute && w.chance(5) { // an upload of several parts
		w.sim.line = "[RUN #1]" + strings.Repeat(" 0123456789", 20<<20/11/20/tasks)
		switch {
		case w.chance(50): // another invocation continues the upload
			w.forced = []fault{{kind: killed, k: 1, match: "CompleteMultipartUpload"}}
		case w.chance(50): // no record names the first upload that is created
			w.forced = []fault{{kind: repeated, k: 1, match: "CreateMultipartUpload"}}
		}
	}
	load := w.between(5*time.Second, 2*time.Minute)
	lateLoad := rand.New(rand.NewPCG(seed, 2)).IntN(100) < 3
	if lateLoad { // what the load depends on is created at the last moment, and the load long after it; the cache is not the stack's
		creates, load, loads = minutes+time.Hour-time.Minute, 2*time.Minute+time.Duration(w.rareRNG.IntN(43))*time.Minute, true
	}
	loadFollows := func() { // Terraform saw that the cache is available, and continues
		if !loads || w.sim.run != runID {
			return
		}
		now := w.Now()
		w.planChange(now.Add(load), "the load", func() { w.createService(tasks) })
		w.planChange(now.Add(load+time.Minute), "the schedule stop", func() {
			w.stops(minutes)
		})
		w.planLoad(now.Add(load), minutes, tasks)
	}
	switch {
	case fastClock, lateLoad, w.chance(12): // an existing cache, which is not the stack's
		w.cfg.Cache.Delete, w.cache, w.cacheRun = false, "available", ""
		w.sim.caches = []span{{from: started.Add(-time.Hour)}}
		w.plan(started.Add(creates), "the load is next", loadFollows)
	case status != "":
		if status != "available" {
			loadFollows = nil
		}
		w.planChange(started.Add(creates), "the cache", func() {
			if w.sim.run == runID { // otherwise the apply was abandoned
				w.createCache(takes, status, loadFollows)
			}
		})
	}
	if w.chance(20) {
		when := w.between(10*time.Second, minutes+30*time.Minute)
		if w.chance(40) {
			when = w.between(time.Second, creates)
		}
		w.plan(started.Add(when), "stop by hand", func() { w.event("by hand", runID, ActionStop, 0) })
	}
	if w.chance(15) && !fastClock { // a new run takes over the running stack: terraform apply -replace
		startNewRun := func() {
			if w.schedules["perf-watch"] == nil || w.sim.run != runID || w.cache == "creating" || w.cache == "deleting" {
				return
			}
			w.guard(w.clock.Format(runLayout), w.clock.Add(minutes+time.Hour))
			delete(w.schedules, "perf-load-stop") // Terraform deletes what depends on the service first; the service is replaced because it has its run's id
			if w.cache == "available" && w.cfg.Cache.Delete {
				w.cacheRun = w.sim.run
			}
			inactive := w.clock
			if w.service {
				inactive = w.deleteService()
			}
			recreateLoad := func() {
				w.add(w.change(later(w.clock, inactive).Add(5*time.Second), "its load", func() {
					w.createService(tasks)
					w.stops(minutes)
				}))
			}
			switch w.cache {
			case "": // Terraform creates something else first
				w.add(plan{w.clock.Add(w.between(0, 40*time.Second)), "its cache", func() {
					w.lock()
					defer w.mu.Unlock()
					w.createCache(5*time.Minute, "available", recreateLoad)
				}})
			case "create-failed": // tainted, hence recreated
				w.deleteCache()
				w.add(plan{w.clock.Add(w.sim.cacheDeleteTime + time.Second), "its cache", func() {
					w.lock()
					defer w.mu.Unlock()
					w.createCache(5*time.Minute, "available", recreateLoad)
				}})
			default:
				recreateLoad()
			}
		}
		calls := w.rng.IntN(14)
		if w.chance(50) {
			w.planChange(started.Add(w.between(time.Minute, minutes+25*time.Minute)), "another run", startNewRun)
		} else { // at the very end of the stop
			w.sim.callsBefore, w.sim.afterComplete = calls, func() {
				w.note("   another run")
				startNewRun()
			}
		}
	}
	w.plan(started.Add(w.between(0, 10*time.Minute)), "watch", w.tick)
	return w
}

// planLoad plans what may happen to a load.
func (w *walk) planLoad(born time.Time, minutes time.Duration, tasks int) {
	during := func() time.Time { return born.Add(w.between(2*time.Minute, minutes)) }
	atTheEnd := func() time.Time { return born.Add(minutes + w.between(0, 6*time.Minute)) }
	for range w.rng.IntN(4) - 1 {
		w.planChange(born.Add(w.between(2*time.Minute, minutes/2)), "a task is replaced", w.replaceTask)
	}
	if w.chance(12) {
		w.planChange(during(), "the service is deleted", func() {
			if w.service {
				w.deleteService()
			}
		})
	}
	replaced := func(at time.Time) {
		w.planChange(at, "the service is replaced", func() {
			if !w.service || w.schedules["perf-watch"] == nil {
				return
			}
			delete(w.schedules, "perf-load-stop") // Terraform destroys what depends on the service first
			w.add(plan{w.deleteService().Add(5 * time.Second), "its replacement", func() {
				w.lock()
				w.createService(tasks)
				w.stops(minutes)
				w.mu.Unlock()
				w.checkGuard()
			}})
		})
	}
	switch {
	case w.chance(6):
		replaced(during())
	case w.chance(9):
		replaced(atTheEnd())
	case w.cfg.PeriodSeconds < 60 && w.chance(20): // an attempt leaves an unrecorded object that has more rows than CloudWatch returns hours later
		w.forced = []fault{{kind: killed2, k: 1, match: "PutObject exports/metrics", occurred: func() { w.sim.outage = span{w.clock, w.clock.Add(5 * time.Hour)} }}}
	case w.sim.line == "" && w.chance(4): // after an interrupted stop, and the next one cannot ask ECS
		w.forced = []fault{{kind: killed, k: 1, match: "PutObject exports/metrics"}, {kind: refused, k: 1, match: "DescribeServices"}}
		at := born.Add(minutes + w.between(8*time.Minute, 13*time.Minute))
		replaced(at)
		if w.chance(50) {
			w.exports(at.Add(w.between(0, 4*time.Minute)))
		}
	}
	switch n := w.rareRNG.IntN(100); {
	case len(w.forced) > 0 || w.sim.line != "":
	case n < 3: // an attempt leaves an unrecorded object that has more rows than CloudWatch returns to the next ones
		w.forced = []fault{{kind: killed2, k: 1, match: "PutObject exports/metrics", occurred: func() { w.lateData, w.lag = true, w.lag+w.between(5*time.Minute, 30*time.Minute) }}}
	case n < 7: // the stop and its retries end before their first export, an apply recreates the load, and a person exports what there is
		f := fault{kind: killed, k: 1, match: "PutObject exports/metrics"}
		w.forced = []fault{f, f, f}
		at := born.Add(minutes + time.Duration(9+w.rareRNG.IntN(12))*time.Minute)
		replaced(at)
		w.exports(at.Add(time.Duration(w.rareRNG.IntN(5)) * time.Minute))
	}
	if w.chance(10) {
		at := atTheEnd()
		w.planChange(at, "the cache is modifying", func() {
			if w.cfg.Cache.Delete && w.cache == "available" {
				w.cache = "modifying"
			}
		})
		w.planChange(at.Add(w.between(time.Minute, 30*time.Minute)), "the cache was modified", func() {
			if w.cache == "modifying" {
				w.cache = "available"
			}
		})
	}
	if w.sim.line == "" && w.chance(9) { // too slow for Lambda: a person has to export
		w.sim.logReadTime = w.between(450*time.Second, 570*time.Second)
	}
	if w.sim.logReadTime > 0 || w.chance(20) {
		for n := range 4 {
			when := w.between(0, 2*time.Hour)
			if n == 0 && w.chance(50) {
				when = w.between(0, 20*time.Minute)
			}
			w.exports(born.Add(minutes + time.Duration(n)*4*time.Hour + when))
		}
	}
}

// exports plans an export by a person.
func (w *walk) exports(at time.Time) {
	w.plan(at, "a person exports", func() {
		w.overlapping++
		answer, err := w.runExport(w.fault())
		w.overlapping--
		w.logf("a person exported: %s %s %v", answer.Status, answer.Message, err)
	})
}

// fault draws the fault of an invocation. If it does not occur, it is left for the next one: most invocations only check whether the run is due.
func (w *walk) fault() (f fault) {
	if len(w.forced) > 0 {
		f, rest := w.forced[0], w.forced[1:]
		also := f.occurred
		f.occurred = func() {
			if w.forced = rest; also != nil {
				also()
			}
		}
		return f
	}
	if w.faults <= 0 || !w.chance(60) {
		return f
	}
	f.occurred = func() { w.faults-- }
	f.kind = []string{killed, killed2, refused, lost, repeated, hangs, hangs2, conflict, concurrently}[w.rng.IntN(9)]
	f.k = 1 + w.rng.IntN(60)
	switch {
	case w.lateData && w.chance(60):
		f.kind, f.k, f.match = killed2, 1, "PutObject exports/metrics"
	case w.sim.line != "" && w.chance(60):
		f.kind, f.k, f.match = killed, 1+w.rng.IntN(80), "CompleteMultipartUpload"
	case f.kind == conflict, (f.kind == lost || f.kind == refused || f.kind == repeated) && w.chance(60):
		f.match, f.k = "PutObject exports/"+[]string{"", "state", "state", "metrics", "manifest"}[w.rng.IntN(5)], 1+w.rng.IntN(40)
	case f.kind == refused && w.chance(60):
		f.match, f.k = []string{"DescribeServices", "GetMetricData"}[w.rng.IntN(2)], 1+w.rng.IntN(3)
	case (f.kind == hangs || f.kind == hangs2) && w.chance(40):
		f.match, f.k = "Delete", 1
	case f.kind == killed2 && w.chance(30):
		f.match, f.k = "PutObject exports/metrics", 1
	}
	if f.kind == lost { // the connection is down for a moment
		f.thenRefused = w.rng.IntN(3)
	}
	return f
}

// event is an event that Scheduler sends to the function. If it fails, Lambda sends it twice more. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
func (w *walk) event(request, run, action string, attempt int) {
	f := w.fault()
	request += " " + w.Now().Format(time.TimeOnly)
	if f.kind == concurrently { // the same event is delivered again while the first is handled
		inner := fault{}
		if w.chance(70) {
			inner = fault{kind: killed, k: 1 + w.rng.IntN(40)}
		}
		f.during = func() {
			answer, err := w.invoke(request, run, action, inner)
			w.logf("  its duplicate (%+v): %s %s %v", inner, answer.Status, answer.Message, err)
		}
	}
	w.logf("%s (%s %d %s)", request, f.kind, f.k, f.match)
	w.redeploy()
	w.overlapping++
	answer, err := w.invoke(request, run, action, f)
	w.overlapping--
	w.logf("%s answered: %s %s %v", request, answer.Status, answer.Message, err)
	if err != nil && attempt < 2 {
		w.plan(w.Now().Add(time.Duration(attempt+1)*time.Minute), "retry", func() { w.event(strings.Fields(request)[0], run, action, attempt+1) })
	}
}

// stops creates the schedule stop, which fires if it still exists by then.
func (w *walk) stops(minutes time.Duration) {
	when, run := w.clock.Add(minutes), w.sim.run
	mine := &scheduler.GetScheduleOutput{ScheduleExpression: aws.String("at(" + when.Format("2006-01-02T15:04:05") + ")"), Target: &schedulertypes.Target{
		Input: aws.String(fmt.Sprintf(`{"action":"stop","run":"%s"}`, run))}}
	w.schedules["perf-load-stop"] = mine
	w.add(plan{when, "stop", func() {
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
	w.event("watch", w.sim.run, ActionWatch, 0)
}

// run runs the simulation for three days, or until nothing is planned or running any more. Planned changes start one after the other.
func (w *walk) run() {
	end := w.Now().Add(3 * 24 * time.Hour)
	for {
		w.lock()
		next, over := end, len(w.sim.broken) > 0 || !w.clock.Before(end)
		if len(w.plans) > 0 && !over {
			next = earlier(next, w.plans[0].at)
		}
		switch {
		case w.sim.active == 0 && (over || len(w.plans) == 0):
			w.mu.Unlock()
			return
		case !over && !w.clock.Before(next):
			p := w.plans[0]
			w.plans = w.plans[1:]
			w.note("   %s", p.what)
			w.sim.start(w.fakeAWS, p.do)
			w.mu.Unlock()
			synctest.Wait()
			w.checkGuard()
			continue
		}
		timer := time.NewTimer(max(next.Sub(w.clock), time.Second))
		w.mu.Unlock()
		select {
		case <-timer.C:
		case <-w.sim.changed:
			timer.Stop()
		}
	}
}

// preflight is the apply's preflight, which may find somebody else's object where it writes its probe.
func (w *walk) preflight() {
	if w.foreignProbe {
		w.objects["exports/preflight/"+runID] = &object{[]byte("theirs"), nil, "theirs"}
	}
	answer, err := w.handle("preflight", ActionPreflight)
	w.logf("preflight: %s %v", answer.Status, err)
}

// redeploy turns the open upload into one of another build, which writes other bytes.
func (w *walk) redeploy() {
	record := w.objects[w.cfg.StateKey(w.sim.run)]
	if w.overlapping > 0 || record == nil || !w.chance(70) {
		return
	}
	for id, u := range w.uploads {
		if part := u.parts[1]; len(part) > 0 && bytes.Contains(record.body, []byte(id)) {
			u.parts[1] = append([]byte("another build\n"), part...)
			record.body = bytes.ReplaceAll(record.body, []byte(export.Format()), []byte("another"))
			w.logf("another build is deployed")
		}
	}
}
