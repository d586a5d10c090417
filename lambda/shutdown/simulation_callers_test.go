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

// The callers of the function in a simulation, and what each must achieve.

// guard makes the schedule watch, with a run of its own.
func (w *fakeAWS) guard(run string, stopBy time.Time) {
	w.sim.run, w.sim.complete = run, time.Time{}
	w.schedules["perf-watch"] = &scheduler.GetScheduleOutput{ScheduleExpression: aws.String("rate(10 minutes)"), Target: &schedulertypes.Target{
		Input: aws.String(fmt.Sprintf(`{"action":"watch","run":"%s","stop_by":"%s"}`, run, stopBy.Format(time.RFC3339)))}}
}

// starting waits for the duration of an invocation's start, and names the invocation.
func (w *fakeAWS) starting() string {
	w.lock()
	w.sim.started++
	name := fmt.Sprint("invocation ", w.sim.started)
	w.mu.Unlock()
	h := fnv.New32()
	fmt.Fprint(h, name)
	time.Sleep(time.Duration(h.Sum32() % 900_000_000))
	return name
}

// invoke runs the function once, and holds what an invocation owes: one that has its time and meets no fault there leaves no load and no cache
// that it could have ended.
func (w *fakeAWS) invoke(request, run, action string, f fault) (Answer, error) {
	name := w.starting()
	i := w.invocation(request, 15*time.Minute)
	i.name = name
	ctx, end := context.WithDeadline(i.Context, i.deadline)
	defer end()
	i.Context, i.fault, i.run = ctx, f, run
	w.lock()
	first, began, writes, personal := w.sim.acted, w.clock, len(w.sim.writers), w.personal(run)
	metrics := w.objects[w.cfg.metricsKey(run)]
	w.mu.Unlock()
	answer, err := New(w.cfg, w.clients(), w).Handle(i, w.sent(action, run))
	w.lock()
	defer w.mu.Unlock()
	l := w.sim
	money := i.met != "" && f.kind != another && f.kind != hangs && f.kind != hangs2 && f.kind != conflict
	disturbed := i.dead && (f.kind == killed || f.kind == killed2 || l.acted > first)
	if i.acted {
		l.acted++
	}
	if robbed(answer, err) && !slices.ContainsFunc(l.writers[writes:], func(other *invocation) bool { return other != i }) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s says that another one took the run over, but there is none: %+v %v", w.clock.Format(time.TimeOnly), began.Format(time.TimeOnly), answer, err))
	}
	if l.acted == first+1 && !i.dead && (l.complete.IsZero() || l.complete.After(began)) && w.objects[w.cfg.metricsKey(run)] != metrics && !strings.Contains(i.met, "Task") && !strings.Contains(i.met, "Service") {
		if window, over := w.recorded(run).Window, w.over(began); window == nil || window.End.Before(over) {
			l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s exported %v, and the load that it saw ended at %s", w.clock.Format(time.TimeOnly), began.Format(time.TimeOnly), window, over))
		}
	}
	ends := i.acted || personal && strings.Contains(answer.Message, errHeld.Error())
	if action == ActionExport || !ends || disturbed || l.run != run || len(l.broken) > 0 || answer.Status == StatusIdle {
		return answer, err
	}
	if !l.deletable.IsZero() && l.deletable.Before(began) && w.cfg.Cache.Delete && !(money && (strings.Contains(i.met, "Cache") || strings.Contains(i.met, "Replication") || i.met == "ListTagsForResource")) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s left the cache %s: %+v %v", w.clock.Format(time.TimeOnly), began.Format(time.TimeOnly), w.cache, answer, err))
	}
	if !l.load.IsZero() && l.load.Before(began) && !(i.met != "" && (strings.Contains(i.met, "Service") || strings.Contains(i.met, "Task"))) {
		l.broken = append(l.broken, fmt.Sprintf("%s: an invocation since %s left the load: %+v %v", w.clock.Format(time.TimeOnly), began.Format(time.TimeOnly), answer, err))
	}
	return answer, err
}

// over is when the load of an invocation that began at a time has ended; zero when a part of it runs or is younger, or ECS has forgotten it.
func (w *fakeAWS) over(began time.Time) (end time.Time) {
	for _, t := range w.tasks {
		switch {
		case w.desired > 0, !t.CreatedAt.Before(began), t.StoppedAt == nil, t.StoppedAt.After(w.clock):
			return time.Time{}
		case t.StartedAt != nil && !w.forgot(t):
			end = later(end, *t.StoppedAt)
		}
	}
	return end
}

// recorded returns a run's record.
func (w *fakeAWS) recorded(run string) (s State) {
	_ = json.Unmarshal([]byte(w.text(w.cfg.StateKey(run))), &s) // none, or none that can be read: the zero value
	return s
}

// personal says that a person holds the run, and that the cache need not stay for that.
func (w *fakeAWS) personal(run string) bool {
	s := w.recorded(run)
	return strings.HasPrefix(s.Holder, person) && w.clock.Before(s.HeldUntil)
}

// robbed says that an invocation took another one's write for a takeover, or was taken over.
func robbed(answer Answer, err error) bool {
	return strings.Contains(answer.Message, errTaken.Error()) || errors.Is(err, errTaken)
}

// person is one who runs `mage export`, and loses the run to nobody while no call takes longer than a hold.
func (w *fakeAWS) person(f fault) (Answer, error) {
	w.lock()
	w.sim.acted++
	w.mu.Unlock()
	name := w.starting()
	began := w.Now()
	i := &invocation{Context: context.Background(), w: w, name: name, fault: f, run: w.sim.run}
	answer, err := New(w.cfg, w.clients(), w).Handle(i, Event{Action: ActionExport, Run: w.sim.run})
	w.lock()
	defer w.mu.Unlock()
	if robbed(answer, err) && f.kind != hangs && f.kind != hangs2 {
		w.sim.broken = append(w.sim.broken, fmt.Sprintf("%s: a person who exports since %s lost the run: %v", w.clock.Format(time.TimeOnly), began.Format(time.TimeOnly), err))
	}
	return answer, err
}
