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

// TestWalk ends runs of random simulations. Whatever happened on the way: at the end nothing is billed, the guard was there as long as anything was, the
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
		broken, story := walked(t, seed)
		if len(broken) > 0 {
			t.Errorf("WALK_SEED=%d: %s\n  %s", seed, strings.Join(broken, "\n  "), strings.Join(story, "\n  "))
		} else if first == last {
			t.Logf("seed %d\n  %s", seed, strings.Join(story, "\n  "))
		}
	}
}

// TestWalkFollowsFromItsSeed runs some simulations twice: they do not depend on the machine. Only when an invocation is cut off do its goroutines end at
// the same time, and then Go decides which one reports first.
func TestWalkFollowsFromItsSeed(t *testing.T) {
	untilCut := func(story []string) []string {
		if n := slices.IndexFunc(story, func(line string) bool {
			return strings.Contains(line, "context ") || strings.Contains(line, "out of time")
		}); n >= 0 {
			return story[:n]
		}
		return story
	}
	for seed := 1; seed <= 20; seed++ {
		_, first := walked(t, seed)
		_, second := walked(t, seed)
		require.Equal(t, untilCut(first), untilCut(second), "WALK_SEED=%d", seed)
	}
}

// walked runs a simulation, and returns the broken promises and the story.
func walked(t *testing.T, seed int) (broken, story []string) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // simultaneous events then have a fixed order
	synctest.Test(t, func(*testing.T) {
		w := newWalk(uint64(seed))
		w.run()
		broken, story = w.broken(), w.sim.story
	})
	return broken, story
}

// walk is a simulation and what happens to it, all of it drawn from a seed.
type walk struct {
	*fakeAWS
	rng     *rand.Rand
	rare    *rand.Rand // for later additions, so that the other simulations do not change
	stopBy  time.Time
	faults  int     // that are left: the AWS gets better
	aimed   []fault // the first faults of invocations, in order
	working int     // invocations that overlap
	late    bool    // datapoints come later than any wait
	newer   string  // the manifest of a later version
	theirs  bool    // something else lies under the probe's key
}

func (w *walk) chance(percent int) bool { return w.rng.IntN(100) < percent }

// between returns a random duration from a to b.
func (w *walk) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1)).Round(time.Second)
}

// newWalk draws a simulation: an apply that is quick, slow or broken, a load that lives, and what may happen to it.
func newWalk(seed uint64) *walk {
	w := &walk{fakeAWS: newFakeAWS(), rng: rand.New(rand.NewPCG(seed, 0)), rare: rand.New(rand.NewPCG(seed, 1))}
	started := at("2026-11-23T03:08:09Z")
	w.fakeAWS = bare()
	if w.chance(20) {
		w.cfg = newServerless().cfg
	}
	ahead := w.rare.IntN(100) < 2
	if ahead { // the clock that named the run, of a stack that knows no more of its cache than the endpoint: the load ends before the run is said to begin
		started, w.cfg.Cache = started.Add(-4*time.Hour), Cache{}
	}
	time.Sleep(time.Until(started))
	w.deleting, w.tasks = 0, nil
	w.sim = &simulation{changed: make(chan struct{}, 1), takes: w.between(time.Second, time.Minute), goes: w.between(time.Minute, 20*time.Minute), forgets: w.chance(50)}
	if w.lag = w.between(0, 80*time.Second); w.chance(6) {
		w.late, w.lag = true, w.between(4*time.Minute, 15*time.Minute)
	}
	if w.chance(20) {
		w.cfg.PeriodSeconds = 10 + 20*w.rng.IntN(2)
	}
	minutes := 20 * time.Minute
	if w.chance(25) { // ECS forgets in the middle of it
		minutes = 85 * time.Minute
	}
	if w.chance(20) {
		w.sim.takes = w.between(3*time.Minute, 25*time.Minute)
	}
	w.stopBy = started.Add(minutes + time.Hour)
	w.faults = w.rng.IntN(5)
	w.guard(runID, w.stopBy)
	if w.chance(7) || w.cfg.PeriodSeconds < 60 && w.chance(40) { // CloudWatch gives nothing while the load ends
		from := started.Add(w.between(0, minutes))
		w.sim.outage = span{from, from.Add(w.between(time.Hour, 5*time.Hour))}
	}
	if w.chance(15) {
		w.theirs = w.chance(50)
		w.plan(started.Add(w.between(time.Second, 20*time.Second)), "preflight", w.preflight)
	}
	if w.chance(3) {
		w.plan(started.Add(minutes+w.between(0, 30*time.Minute)), "a later version completes the run", func() {
			if w.sim.run == runID {
				w.newer = `{"schema_version": 2, "complete": true}`
				w.objects[manifestKey] = &object{[]byte(w.newer), map[string]string{export.Metadata: w.cfg.Owner(runID)}, "newer"}
			}
		})
	}

	// The apply.
	creates, takes, status := w.between(30*time.Second, 3*time.Minute), w.between(4*time.Minute, 12*time.Minute), "available"
	if w.chance(20) { // it waited for something, and comes when the guard ends the run
		creates = minutes + time.Hour - w.between(5*time.Second, 12*time.Minute)
	}
	if w.chance(10) {
		status = "create-failed"
	}
	tasks, loads := 1+w.rng.IntN(3), w.chance(90)
	if !w.chance(95) {
		status, loads = "", false // it fails before there is a cache
	}
	if minutes == 20*time.Minute && w.chance(5) { // an upload of several parts
		w.sim.line = "[RUN #1]" + strings.Repeat(" 0123456789", 20<<20/11/20/tasks)
		switch {
		case w.chance(50): // another invocation carries it on
			w.aimed = []fault{{kind: killed, k: 1, ops: "CompleteMultipartUpload"}}
		case w.chance(50): // the first one that is opened is nobody's
			w.aimed = []fault{{kind: repeated, k: 1, ops: "CreateMultipartUpload"}}
		}
	}
	load := w.between(5*time.Second, 2*time.Minute)
	late := rand.New(rand.NewPCG(seed, 2)).IntN(100) < 3
	if late { // what the load waits for is there in the last moment, and the load itself long after it; its cache is not the stack's
		creates, load, loads = minutes+time.Hour-time.Minute, 2*time.Minute+time.Duration(w.rare.IntN(43))*time.Minute, true
	}
	then := func() { // Terraform saw the cache available, and goes on
		if !loads || w.sim.run != runID {
			return
		}
		now := w.Now()
		w.happen(now.Add(load), "the load", func() { w.createService(tasks) })
		w.happen(now.Add(load+time.Minute), "the schedule stop", func() {
			w.stops(minutes)
		})
		w.lives(now.Add(load), minutes, tasks)
	}
	switch {
	case ahead, late, w.chance(12): // the cache is there, and is not the stack's
		w.cfg.Cache.Delete, w.cache, w.cacheRun = false, "available", ""
		w.sim.caches = []span{{from: started.Add(-time.Hour)}}
		w.plan(started.Add(creates), "the load is next", then)
	case status != "":
		if status != "available" {
			then = nil
		}
		w.happen(started.Add(creates), "the cache", func() {
			if w.sim.run == runID { // else the apply has been given up
				w.createCache(takes, status, then)
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
	if w.chance(15) && !ahead { // a new run takes the running stack over: terraform apply -replace
		another := func() {
			if w.schedules["perf-watch"] == nil || w.sim.run != runID || w.cache == "creating" || w.cache == "deleting" {
				return
			}
			w.guard(w.clock.Format(runLayout), w.clock.Add(minutes+time.Hour))
			delete(w.schedules, "perf-load-stop") // what depends on the service goes first, and the service has to know its run
			if w.cache == "available" && w.cfg.Cache.Delete {
				w.cacheRun = w.sim.run
			}
			inactive := w.clock
			if w.service {
				inactive = w.deleteService()
			}
			again := func() {
				w.add(w.change(later(w.clock, inactive).Add(5*time.Second), "its load", func() {
					w.createService(tasks)
					w.stops(minutes)
				}))
			}
			switch w.cache {
			case "": // Terraform makes something else first
				w.add(plan{w.clock.Add(w.between(0, 40*time.Second)), "its cache", func() {
					w.lock()
					defer w.mu.Unlock()
					w.createCache(5*time.Minute, "available", again)
				}})
			case "create-failed": // tainted, hence recreated
				w.deleteCache()
				w.add(plan{w.clock.Add(w.sim.goes + time.Second), "its cache", func() {
					w.lock()
					defer w.mu.Unlock()
					w.createCache(5*time.Minute, "available", again)
				}})
			default:
				again()
			}
		}
		calls := w.rng.IntN(14)
		if w.chance(50) {
			w.happen(started.Add(w.between(time.Minute, minutes+25*time.Minute)), "another run", another)
		} else { // in the last moments of the stop
			w.sim.calls, w.sim.atLast = calls, func() {
				w.note("   another run")
				another()
			}
		}
	}
	w.plan(started.Add(w.between(0, 10*time.Minute)), "watch", w.tick)
	return w
}

// lives plans what may happen to a load.
func (w *walk) lives(born time.Time, minutes time.Duration, tasks int) {
	during := func() time.Time { return born.Add(w.between(2*time.Minute, minutes)) }
	atTheEnd := func() time.Time { return born.Add(minutes + w.between(0, 6*time.Minute)) }
	for range w.rng.IntN(4) - 1 {
		w.happen(born.Add(w.between(2*time.Minute, minutes/2)), "a task is replaced", w.replaceTask)
	}
	if w.chance(12) {
		w.happen(during(), "the service is deleted", func() {
			if w.service {
				w.deleteService()
			}
		})
	}
	replaced := func(at time.Time) {
		w.happen(at, "the service is replaced", func() {
			if !w.service || w.schedules["perf-watch"] == nil {
				return
			}
			delete(w.schedules, "perf-load-stop") // Terraform destroys what depends on the service first
			w.add(plan{w.deleteService().Add(5 * time.Second), "its replacement", func() {
				w.lock()
				w.createService(tasks)
				w.stops(minutes)
				w.mu.Unlock()
				w.look()
			}})
		})
	}
	switch {
	case w.chance(6):
		replaced(during())
	case w.chance(9):
		replaced(atTheEnd())
	case w.cfg.PeriodSeconds < 60 && w.chance(20): // what an attempt left without a record is richer than what CloudWatch has hours later
		w.aimed = []fault{{kind: killed2, k: 1, ops: "PutObject exports/metrics", spent: func() { w.sim.outage = span{w.clock, w.clock.Add(5 * time.Hour)} }}}
	case w.sim.line == "" && w.chance(4): // after a stop that was cut off, and the next one cannot ask ECS
		w.aimed = []fault{{kind: killed, k: 1, ops: "PutObject exports/metrics"}, {kind: refused, k: 1, ops: "DescribeServices"}}
		at := born.Add(minutes + w.between(8*time.Minute, 13*time.Minute))
		replaced(at)
		if w.chance(50) {
			w.exports(at.Add(w.between(0, 4*time.Minute)))
		}
	}
	switch n := w.rare.IntN(100); {
	case len(w.aimed) > 0 || w.sim.line != "":
	case n < 3: // what an attempt left without a record is richer than what CloudWatch tells the next ones
		w.aimed = []fault{{kind: killed2, k: 1, ops: "PutObject exports/metrics", spent: func() { w.late, w.lag = true, w.lag+w.between(5*time.Minute, 30*time.Minute) }}}
	case n < 7: // the stop and its retries end before their first export, an apply recreates the load, and a person exports what there is
		f := fault{kind: killed, k: 1, ops: "PutObject exports/metrics"}
		w.aimed = []fault{f, f, f}
		at := born.Add(minutes + time.Duration(9+w.rare.IntN(12))*time.Minute)
		replaced(at)
		w.exports(at.Add(time.Duration(w.rare.IntN(5)) * time.Minute))
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
	if w.sim.line == "" && w.chance(9) { // too slow for Lambda: a person has to export
		w.sim.slow = w.between(450*time.Second, 570*time.Second)
	}
	if w.sim.slow > 0 || w.chance(20) {
		for n := range 4 {
			when := w.between(0, 2*time.Hour)
			if n == 0 && w.chance(50) {
				when = w.between(0, 20*time.Minute)
			}
			w.exports(born.Add(minutes + time.Duration(n)*4*time.Hour + when))
		}
	}
}

// exports plans a person's export.
func (w *walk) exports(at time.Time) {
	w.plan(at, "a person exports", func() {
		w.working++
		answer, err := w.person(w.fault())
		w.working--
		w.tell("a person exported: %s %s %v", answer.Status, answer.Message, err)
	})
}

// fault draws what an invocation meets. One that is not met is left for the next: most invocations only look whether it is time.
func (w *walk) fault() (f fault) {
	if len(w.aimed) > 0 {
		f, rest := w.aimed[0], w.aimed[1:]
		also := f.spent
		f.spent = func() {
			if w.aimed = rest; also != nil {
				also()
			}
		}
		return f
	}
	if w.faults <= 0 || !w.chance(60) {
		return f
	}
	f.spent = func() { w.faults-- }
	f.kind = []string{killed, killed2, refused, lost, repeated, hangs, hangs2, conflict, another}[w.rng.IntN(9)]
	f.k = 1 + w.rng.IntN(60)
	switch {
	case w.late && w.chance(60):
		f.kind, f.k, f.ops = killed2, 1, "PutObject exports/metrics"
	case w.sim.line != "" && w.chance(60):
		f.kind, f.k, f.ops = killed, 1+w.rng.IntN(80), "CompleteMultipartUpload"
	case f.kind == conflict, (f.kind == lost || f.kind == refused || f.kind == repeated) && w.chance(60):
		f.ops, f.k = "PutObject exports/"+[]string{"", "state", "state", "metrics", "manifest"}[w.rng.IntN(5)], 1+w.rng.IntN(40)
	case f.kind == refused && w.chance(60):
		f.ops, f.k = []string{"DescribeServices", "GetMetricData"}[w.rng.IntN(2)], 1+w.rng.IntN(3)
	case (f.kind == hangs || f.kind == hangs2) && w.chance(40):
		f.ops, f.k = "Delete", 1
	case f.kind == killed2 && w.chance(30):
		f.ops, f.k = "PutObject exports/metrics", 1
	}
	if f.kind == lost { // the connection is gone for a moment
		f.more = w.rng.IntN(3)
	}
	return f
}

// event is what Scheduler sends to the function, and Lambda sends twice more when it fails. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
func (w *walk) event(request, run, action string, attempt int) {
	f := w.fault()
	request += " " + w.Now().Format(time.TimeOnly)
	if f.kind == another { // the same event again, while the first is handled
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
	w.redeploy()
	w.working++
	answer, err := w.invoke(request, run, action, f)
	w.working--
	w.tell("%s answered: %s %s %v", request, answer.Status, answer.Message, err)
	if err != nil && attempt < 2 {
		w.plan(w.Now().Add(time.Duration(attempt+1)*time.Minute), "retry", func() { w.event(strings.Fields(request)[0], run, action, attempt+1) })
	}
}

// stops makes the schedule stop, which fires if it is still there.
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

// run runs the simulation for three days, or until nothing is planned and nobody works any more. One thing happens after the other.
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
			w.look()
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

// preflight is the apply's, which may find somebody else's object where it writes its own.
func (w *walk) preflight() {
	if w.theirs {
		w.objects["exports/preflight/"+runID] = &object{[]byte("theirs"), nil, "theirs"}
	}
	answer, err := w.handle("preflight", ActionPreflight)
	w.tell("preflight: %s %v", answer.Status, err)
}

// redeploy makes what is open of an upload the work of another build, which writes other bytes.
func (w *walk) redeploy() {
	record := w.objects[w.cfg.StateKey(w.sim.run)]
	if w.working > 0 || record == nil || !w.chance(70) {
		return
	}
	for id, u := range w.uploads {
		if part := u.parts[1]; len(part) > 0 && bytes.Contains(record.body, []byte(id)) {
			u.parts[1] = append([]byte("another build\n"), part...)
			record.body = bytes.ReplaceAll(record.body, []byte(export.Format()), []byte("another"))
			w.tell("another build is deployed")
		}
	}
}
