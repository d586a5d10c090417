package shutdown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// A simulation: services and tasks are created and deleted, tasks write a line and a datapoint a minute, ECS forgets, calls take their time, hang, are
// refused, or lose their answer, and invocations overlap. Its time is that of a bubble of testing/synctest.

// simulation is the state that changes with time, which a static fakeAWS does not have.
type simulation struct {
	takes    time.Duration // that a task needs to end
	goes     time.Duration // that a cache needs to be deleted
	slow     time.Duration // that a read of a log takes: two after the other are too long for Lambda, one is not for a hold
	forgets  bool          // ECS forgets a deleted service as soon as its tasks have ended
	deleted  time.Time     // creation of the service that was deleted last
	caches   []span        // when there was one that publishes
	run      string        // in watch's input
	complete time.Time     // when the manifest was
	atLast   func()        // happens once the manifest is complete and the cache gone, before a call
	calls    int           // that come first
	outage   span          // CloudWatch refuses to give data
	line     string        // that a task writes each minute
	all      bool          // CloudWatch forgets nothing
	changed  chan struct{} // something is planned, or has ended
	started  int           // invocations
	active   int           // of what was planned, and goes on

	writers []*invocation // of the record, one for each write

	deletable, load time.Time // since when there is a cache that could be deleted, a load that could be stopped
	acted           int       // invocations that looked at the load, and persons
	broken          []string  // promises
	story           []string
}

// span is a time; it is not over while its end is zero.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && (s.to.IsZero() || t.Before(s.to)) }

// fault is a failure of one call of an invocation: the first matching call from the k-th on.
type fault struct {
	kind  string
	k     int
	ops   string // a text in the call's operation or key; empty: any call
	more  int    // calls of S3 after it that are refused
	spent func() // called when the fault has occurred
	while func() // runs during the call
}

const (
	killed   = "killed"    // the invocation, before the call
	killed2  = "killed2"   // the invocation, after the call had its effect
	refused  = "refused"   // the call
	conflict = "conflict"  // the write, by another one at the same moment
	lost     = "lost"      // the call's answer
	repeated = "repeated"  // the call, by the SDK, because its answer was lost
	hangs    = "hangs"     // the call, for 20 minutes
	hangs2   = "hangs2"    // the call, after it had its effect
	another  = "meanwhile" // something else happens
)

func (w *fakeAWS) tell(format string, args ...any) {
	w.lock()
	defer w.mu.Unlock()
	w.note(" "+format, args...)
}

// note adds to the story; the caller holds the lock.
func (w *fakeAWS) note(format string, args ...any) {
	w.sim.story = append(w.sim.story, w.clock.Format(time.TimeOnly)+fmt.Sprintf(format, args...))
}

var errLost = errors.New("the answer was lost")

// wait lets the time pass, up to the end of ctx or of the invocation.
func (i *invocation) wait(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, deadline.Sub(i.w.Now()))
	}
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return cmp.Or(i.alive(), ctx.Err())
}

// takes returns how long a call takes. No two calls end at the same time, and the duration depends on the seed only, so that a simulation can be
// repeated.
func (i *invocation) takes(what, detail string) time.Duration {
	d := 50 * time.Millisecond
	switch what {
	case "GetLogEvents":
		d += i.w.sim.slow
	case "GetSchedule", "DeleteSchedule": // nothing happens between the last look and the deletion: AWS has no condition for it
		return 0
	}
	i.w.lock()
	defer i.w.mu.Unlock()
	if i.made == nil {
		i.made = map[string]int{}
	}
	i.made[what+detail]++
	h := fnv.New32()
	fmt.Fprint(h, i.name, what, detail, i.made[what+detail])
	return d + time.Duration(h.Sum32()%10_000_000)
}

// meets returns the kind of fault that a call has.
func (i *invocation) meets(what string) (kind string) {
	i.w.lock()
	defer i.w.mu.Unlock()
	i.calls++
	l := i.w.sim
	if l.atLast != nil && !l.complete.IsZero() && i.w.cache == "" && what != "DeleteSchedule" {
		if l.calls--; l.calls < 0 {
			do := l.atLast
			l.atLast = nil
			do()
		}
	}
	i.acted = i.acted || what == "DescribeServices"
	if f := i.fault; i.met == "" && f.kind != "" && i.calls >= f.k && strings.Contains(what, f.ops) {
		kind, i.met, i.away = f.kind, what, f.more
		if f.spent != nil {
			f.spent()
		}
		if f.while != nil {
			l.start(i.w, f.while)
		}
	} else if i.away > 0 && strings.Contains(what, "Object") {
		kind, i.away = refused, i.away-1
	}
	if what == "GetMetricData" && !l.outage.to.IsZero() && l.outage.has(i.w.clock) {
		kind = cmp.Or(kind, refused)
	}
	if kind == killed {
		i.dead = true
	}
	return kind
}

// meet does a call of an invocation in a simulation.
func meet[T any](ctx context.Context, i *invocation, what string, do func() (*T, error)) (*T, error) {
	what, detail, _ := strings.Cut(what, " #")
	if err := i.alive(); err != nil {
		return nil, err
	}
	if err := i.wait(ctx, i.takes(what, detail)); err != nil {
		return nil, err
	}
	hang := func() error { return cmp.Or(i.wait(ctx, 20*time.Minute), errLost) }
	kind := i.meets(what)
	switch kind {
	case killed:
		return nil, errKilled
	case refused:
		return nil, apiError("ServiceUnavailable")
	case conflict:
		return nil, apiError("ConditionalRequestConflict")
	case hangs:
		return nil, hang()
	}
	out, err := do()
	if kind == repeated && err == nil {
		out, err = do()
	}
	i.w.lock()
	if err == nil && strings.HasPrefix(what, "PutObject exports/state/") {
		i.w.sim.writers = append(i.w.sim.writers, i)
	}
	i.dead = i.dead || kind == killed2
	i.w.mu.Unlock()
	i.w.look()
	switch {
	case kind == killed2:
		return nil, errKilled
	case kind == hangs2:
		return nil, hang()
	case kind == lost && err == nil:
		return nil, errLost
	}
	return out, err
}

// changes signals that there is something new to wait for.
func (l *simulation) changes() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// start runs do concurrently. The caller holds the lock.
func (l *simulation) start(w *fakeAWS, do func()) {
	l.active++
	go func() {
		do()
		w.lock()
		defer w.mu.Unlock()
		l.active--
		l.changes()
	}()
}

// look records a broken promise: something is billed without a guard.
func (w *fakeAWS) look() {
	w.lock()
	defer w.mu.Unlock()
	l := w.sim
	since := func(t *time.Time, is bool) {
		if !is {
			*t = time.Time{}
		} else if t.IsZero() {
			*t = w.clock
		}
	}
	since(&l.deletable, w.cache == "available" || w.cache == "create-failed")
	since(&l.load, w.desired > 0)
	if l.complete.IsZero() && strings.Contains(w.text(w.cfg.ManifestKey(l.run)), `"complete": true`) {
		l.complete = w.clock
	}
	if billed := w.billed(); billed != "" && w.schedules["perf-watch"] == nil && len(l.broken) == 0 {
		l.broken = append(l.broken, fmt.Sprintf("%s: no guard, and %s", w.clock.Format(time.TimeOnly), billed))
	}
}

func (w *fakeAWS) billed() string {
	running := 0
	for _, t := range w.tasks {
		if t.StoppedAt == nil || t.StoppedAt.After(w.clock) {
			running++
		}
	}
	switch {
	case w.desired > 0 || running > 0:
		return fmt.Sprintf("%d tasks are wanted, %d run", w.desired, running)
	case w.cache != "" && w.cfg.Cache.Delete:
		return "the cache is " + w.cache
	}
	return ""
}

// happen plans a change.
func (w *fakeAWS) happen(at time.Time, what string, change func()) {
	w.lock()
	defer w.mu.Unlock()
	w.add(w.change(at, what, change))
}

// change is a plan that does something under the lock.
func (w *fakeAWS) change(at time.Time, what string, do func()) plan {
	return plan{at, what, func() {
		w.lock()
		do()
		w.mu.Unlock()
		w.look()
	}}
}

// createCache makes the cache in so much time, unless there is one. status is how that ends.
func (w *fakeAWS) createCache(takes time.Duration, status string, then func()) {
	if w.cache != "" {
		return
	}
	w.cache, w.cacheMade, w.cacheRun, w.cacheName = "creating", w.clock, w.sim.run, "perf"
	w.add(plan{w.clock.Add(takes), "the cache is " + status, func() {
		w.lock()
		w.cache = status
		if status == "available" {
			w.sim.caches = append(w.sim.caches, span{from: w.clock})
		}
		w.mu.Unlock()
		w.look()
		if then != nil {
			then()
		}
	}})
}

func (l *simulation) deleteCache(w *fakeAWS) {
	w.add(plan{w.clock.Add(l.goes), "the cache is gone", func() {
		w.lock()
		if n := len(l.caches); n > 0 && l.caches[n-1].to.IsZero() {
			l.caches[n-1].to = w.clock
		}
		w.cache = ""
		w.mu.Unlock()
	}})
}

// createService makes the service, and its tasks, which start a little later.
func (w *fakeAWS) createService(tasks int) {
	w.service, w.created, w.desired = true, w.clock, int32(tasks)
	for range tasks {
		w.startTask()
	}
}

func (w *fakeAWS) startTask() {
	n := len(w.tasks)
	w.tasks = append(w.tasks, ecstypes.Task{TaskArn: aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/perf/%03d", n)), Group: aws.String("service:perf-load"),
		CreatedAt: aws.Time(w.clock), StopCode: ecstypes.TaskStopCodeServiceSchedulerInitiated, Containers: []ecstypes.Container{{Name: aws.String("memtier"), ExitCode: aws.Int32(0)}}})
	w.add(plan{w.clock.Add(40 * time.Second), "a task starts", func() {
		w.lock()
		defer w.mu.Unlock()
		if t := &w.tasks[n]; t.StoppedAt == nil {
			t.StartedAt = aws.Time(w.clock)
		}
	}})
}

// endTasks ends the tasks if the desired count is 0.
func (w *fakeAWS) endTasks() {
	for i := range w.tasks {
		if t := &w.tasks[i]; t.StoppedAt == nil && w.desired == 0 {
			t.StoppedAt = aws.Time(w.clock.Add(w.sim.takes))
		}
	}
}

// deleteService deletes the service, whose tasks then end, and says when it is INACTIVE: once the last of them has ended, which may have been told to
// long before. Terraform creates a replacement then; modules/ecs-load lets it wait for 10 minutes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
func (w *fakeAWS) deleteService() (inactive time.Time) {
	w.service, w.desired, w.sim.deleted = false, 0, w.created
	w.endTasks()
	inactive = w.clock
	for _, t := range w.tasks {
		if t.StoppedAt.After(inactive) {
			inactive = *t.StoppedAt
		}
	}
	return inactive
}

// replaceTask ends one task, and ECS starts another one.
func (w *fakeAWS) replaceTask() {
	for i := range w.tasks {
		if t := &w.tasks[i]; t.StoppedAt == nil && t.StartedAt != nil && w.desired > 0 {
			t.StoppedAt = aws.Time(w.clock)
			w.startTask()
			return
		}
	}
}

func (w *fakeAWS) simulatedService() *ecs.DescribeServicesOutput {
	running, status := int32(0), "ACTIVE"
	for _, t := range w.tasks {
		if t.StoppedAt == nil || t.StoppedAt.After(w.clock) {
			running++
		}
	}
	s := ecstypes.Service{Status: &status, DesiredCount: w.desired, RunningCount: running, CreatedAt: &w.created}
	switch {
	case w.service:
	case running > 0 && !w.sim.deleted.IsZero():
		status = "DRAINING"
	case w.sim.deleted.IsZero() || w.sim.forgets:
		return &ecs.DescribeServicesOutput{Failures: []ecstypes.Failure{{Reason: aws.String("MISSING")}}}
	default:
		status = "INACTIVE"
	}
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{s}}
}

// forgot reports whether ECS has forgotten a task.
func (w *fakeAWS) forgot(t ecstypes.Task) bool {
	return w.sim != nil && t.StoppedAt != nil && w.clock.After(t.StoppedAt.Add(time.Hour))
}

func (l *simulation) publishes(w *fakeAWS, namespace string, minute time.Time, period time.Duration) bool {
	if minute.Add(time.Minute+w.lag).After(w.clock) || !l.all && period < time.Minute && w.clock.Sub(minute) > 3*time.Hour {
		return false
	}
	if namespace == export.NamespaceCache {
		for _, s := range l.caches {
			if s.has(minute) {
				return true
			}
		}
		return false
	}
	for _, t := range w.tasks {
		if t.StartedAt != nil && t.StartedAt.Before(minute.Add(time.Minute)) && (t.StoppedAt == nil || t.StoppedAt.After(minute)) {
			return true
		}
	}
	return false
}

// logs are what the tasks have said so far, one line a minute and two last words, and the engine.
func (l *simulation) logs(w *fakeAWS, group string) map[string][]line {
	all := map[string][]line{}
	if group != w.cfg.Logs.Load {
		for n, s := range l.caches {
			all[fmt.Sprintf("perf-00%d", n+1)] = []line{{s.from, "Server initialized"}}
		}
		return all
	}
	for n, t := range w.tasks {
		if t.StartedAt == nil {
			continue
		}
		var lines []line
		say := func(at time.Time, text string) {
			if !at.After(w.clock) && (t.StoppedAt == nil || !at.After(*t.StoppedAt)) {
				lines = append(lines, line{at, text})
			}
		}
		say(*t.StartedAt, "load: run="+l.run)
		for at := t.StartedAt.Add(time.Minute); !at.After(w.clock) && (t.StoppedAt == nil || at.Before(*t.StoppedAt)); at = at.Add(time.Minute) {
			say(at, cmp.Or(l.line, "[RUN #1]"))
		}
		if t.StoppedAt != nil {
			say(*t.StoppedAt, "ALL STATS\nTotals 100\n")
		}
		all[fmt.Sprintf("load/memtier/%03d", n)] = lines
	}
	return all
}
