package shutdown

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// The callers of the function in a simulation, and what each invocation must achieve.

// guard creates the schedule watch for a new run.
func (w *fakeAWS) guard(run string, stopBy time.Time) {
	w.sim.run, w.sim.complete = run, time.Time{}
	w.schedules["perf-watch"] = &scheduler.GetScheduleOutput{ScheduleExpression: aws.String("rate(10 minutes)"), Target: &schedulertypes.Target{
		Input: aws.String(fmt.Sprintf(`{"action":"watch","run":"%s","stop_by":"%s"}`, run, stopBy.Format(time.RFC3339)))}}
}

// startInvocation waits as long as an invocation takes to start, and returns its name.
func (w *fakeAWS) startInvocation() string {
	w.lock()
	w.sim.started++
	name := fmt.Sprint("invocation ", w.sim.started)
	w.mu.Unlock()
	h := fnv.New32()
	fmt.Fprint(h, name)
	time.Sleep(time.Duration(h.Sum32() % 900_000_000))
	return name
}

// invoke runs the function once and checks the result: an invocation that is not cut off, and whose calls for load and cache have no fault, leaves no
// load and no cache that it could have ended.
func (w *fakeAWS) invoke(request, run, action string, f fault) (Answer, error) {
	name := w.startInvocation()
	i := w.invocation(request, 15*time.Minute)
	i.name = name
	ctx, end := context.WithDeadline(i.Context, i.deadline)
	defer end()
	i.Context, i.fault, i.run = ctx, f, run
	w.lock()
	first, start, writes, personal := w.sim.acted, w.clock, len(w.sim.writers), w.heldByPerson(run)
	metrics := w.objects[w.cfg.metricsKey(run)]
	w.mu.Unlock()
	answer, err := New(w.cfg, w.clients(), w).Handle(i, w.eventFor(action, run))
	w.lock()
	defer w.mu.Unlock()
	l := w.sim
	money := i.faultAt != "" && f.kind != concurrently && f.kind != hangs && f.kind != hangs2 && f.kind != conflict
	disturbed := i.dead && (f.kind == killed || f.kind == killed2 || l.acted > first)
	if i.acted {
		l.acted++
	}
	if lostRun(answer, err) && !slices.ContainsFunc(l.writers[writes:], func(other *invocation) bool { return other != i }) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s reports that another one took over the run, but there is none: %+v %v", w.clock.Format(time.TimeOnly), start.Format(time.TimeOnly), answer, err))
	}
	if l.acted == first+1 && !i.dead && (l.complete.IsZero() || l.complete.After(start)) && w.objects[w.cfg.metricsKey(run)] != metrics && !strings.Contains(i.faultAt, "Task") && !strings.Contains(i.faultAt, "Service") {
		if window, over := w.record(run).Window, w.loadEnd(start); window == nil || window.End.Before(over) {
			l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s exported %v, and the load that it saw ended at %s", w.clock.Format(time.TimeOnly), start.Format(time.TimeOnly), window, over))
		}
	}
	ends := i.acted || personal && strings.Contains(answer.Message, errHeld.Error())
	if action == ActionExport || !ends || disturbed || l.run != run || len(l.broken) > 0 || answer.Status == StatusIdle {
		return answer, err
	}
	if !l.deletable.IsZero() && l.deletable.Before(start) && w.cfg.Cache.Delete && !(money && (strings.Contains(i.faultAt, "Cache") || strings.Contains(i.faultAt, "Replication") || i.faultAt == "ListTagsForResource")) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s left the cache %s: %+v %v", w.clock.Format(time.TimeOnly), start.Format(time.TimeOnly), w.cache, answer, err))
	}
	if !l.load.IsZero() && l.load.Before(start) && !(i.faultAt != "" && (strings.Contains(i.faultAt, "Service") || strings.Contains(i.faultAt, "Task"))) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s left the load: %+v %v", w.clock.Format(time.TimeOnly), start.Format(time.TimeOnly), answer, err))
	}
	return answer, err
}

// loadEnd returns when the load that an invocation found at its start has ended; zero if a task still runs or was created later, or if ECS has forgotten
// them.
func (w *fakeAWS) loadEnd(start time.Time) (end time.Time) {
	for _, t := range w.tasks {
		switch {
		case w.desired > 0, !t.CreatedAt.Before(start), t.StoppedAt == nil, t.StoppedAt.After(w.clock):
			return time.Time{}
		case t.StartedAt != nil && !w.forgot(t):
			end = later(end, *t.StoppedAt)
		}
	}
	return end
}

// record returns a run's record.
func (w *fakeAWS) record(run string) (s State) {
	_ = json.Unmarshal([]byte(w.text(w.cfg.StateKey(run))), &s) // the zero value if there is none or it is invalid
	return s
}

// heldByPerson reports whether an export by a person holds the run, for which the cache need not stay.
func (w *fakeAWS) heldByPerson(run string) bool {
	s := w.record(run)
	return strings.HasPrefix(s.Holder, person) && w.clock.Before(s.HeldUntil)
}

// lostRun reports whether an invocation says that another one has taken over its run.
func lostRun(answer Answer, err error) bool {
	return strings.Contains(answer.Message, errTaken.Error()) || errors.Is(err, errTaken)
}

// runExport exports as a person does with `mage export`. It checks that the export never loses the run unless a call takes longer than a hold.
func (w *fakeAWS) runExport(f fault) (Answer, error) {
	w.lock()
	w.sim.acted++
	w.mu.Unlock()
	name := w.startInvocation()
	start := w.Now()
	i := &invocation{Context: context.Background(), w: w, name: name, fault: f, run: w.sim.run}
	answer, err := New(w.cfg, w.clients(), w).Handle(i, Event{Action: ActionExport, Run: w.sim.run})
	w.lock()
	defer w.mu.Unlock()
	if lostRun(answer, err) && f.kind != hangs && f.kind != hangs2 {
		w.sim.broken = append(w.sim.broken, fmt.Sprintf("%s: a person who exports since %s lost the run: %v", w.clock.Format(time.TimeOnly), start.Format(time.TimeOnly), err))
	}
	return answer, err
}
