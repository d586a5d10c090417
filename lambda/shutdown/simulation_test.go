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

// A simulation: services and tasks are created and deleted, tasks write one log line and one datapoint a minute, ECS forgets old tasks, calls take time,
// hang, are refused or lose their answer, and invocations overlap. Its clock is that of a testing/synctest bubble.

// simulation is the state that changes with time, which a fakeAWS without one does not have.
type simulation struct {
	taskStopTime    time.Duration // how long a task takes to stop
	cacheDeleteTime time.Duration // how long the deletion of a cache takes
	logReadTime     time.Duration // how long one read of a log takes: two in a row take longer than an invocation may, but one is shorter than a hold
	forgets         bool          // ECS forgets a deleted service as soon as its tasks have ended
	deleted         time.Time     // when the service that was deleted last had been created
	caches          []span        // when a cache existed that published metrics
	run             string        // the run in watch's input
	complete        time.Time     // when the manifest became complete
	afterComplete   func()        // runs before a call, once the manifest is complete and the cache is gone
	callsBefore     int           // calls that come before afterComplete
	outage          span          // while CloudWatch refuses to return data
	line            string        // the line that a task writes each minute
	keepsAll        bool          // CloudWatch keeps all data
	changed         chan struct{} // receives when something is planned or has ended
	started         int           // invocations so far
	active          int           // planned changes that are still running

	writers []*invocation // who wrote the record, one for each write

	deletable, load time.Time // since when there is a cache that could be deleted, and a load that could be stopped
	acted           int       // invocations that described the load, and exports by a person
	broken          []string  // broken promises
	story           []string
}

// span is a period of time. It has not ended while to is zero.
type span struct{ from, to time.Time }

func (s span) contains(t time.Time) bool {
	return !t.Before(s.from) && (s.to.IsZero() || t.Before(s.to))
}

// fault is a failure of one call of an invocation: the first matching call from the k-th on.
type fault struct {
	kind        string
	k           int
	match       string // part of the call's operation or key; empty: any call
	thenRefused int    // S3 calls after it that are refused
	occurred    func() // called when the fault has occurred
	during      func() // runs during the call
}

const (
	killed       = "killed"    // the invocation, before the call
	killed2      = "killed2"   // the invocation, after the call had its effect
	refused      = "refused"   // the call
	conflict     = "conflict"  // the write, because of another one at the same moment
	lost         = "lost"      // the call's answer
	repeated     = "repeated"  // the call, sent again by the SDK because its answer was lost
	hangs        = "hangs"     // the call, for 20 minutes
	hangs2       = "hangs2"    // the call, after it had its effect
	concurrently = "meanwhile" // something else happens during the call
)

func (w *fakeAWS) logf(format string, args ...any) {
	w.lock()
	defer w.mu.Unlock()
	w.note(" "+format, args...)
}

// note adds a line to the story. The caller holds the lock.
func (w *fakeAWS) note(format string, args ...any) {
	w.sim.story = append(w.sim.story, w.clock.Format(time.TimeOnly)+fmt.Sprintf(format, args...))
}

var errLost = errors.New("the answer was lost")

// wait waits for d, or until the end of ctx or of the invocation.
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
		d += i.w.sim.logReadTime
	case "GetSchedule", "DeleteSchedule": // nothing happens between the last check and the deletion: AWS has no conditional delete
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

// nextFault returns the kind of fault that the call has.
func (i *invocation) nextFault(what string) (kind string) {
	i.w.lock()
	defer i.w.mu.Unlock()
	i.calls++
	l := i.w.sim
	if l.afterComplete != nil && !l.complete.IsZero() && i.w.cache == "" && what != "DeleteSchedule" {
		if l.callsBefore--; l.callsBefore < 0 {
			do := l.afterComplete
			l.afterComplete = nil
			do()
		}
	}
	i.acted = i.acted || what == "DescribeServices"
	if f := i.fault; i.faultAt == "" && f.kind != "" && i.calls >= f.k && strings.Contains(what, f.match) {
		kind, i.faultAt, i.refusalsLeft = f.kind, what, f.thenRefused
		if f.occurred != nil {
			f.occurred()
		}
		if f.during != nil {
			l.start(i.w, f.during)
		}
	} else if i.refusalsLeft > 0 && strings.Contains(what, "Object") {
		kind, i.refusalsLeft = refused, i.refusalsLeft-1
	}
	if what == "GetMetricData" && !l.outage.to.IsZero() && l.outage.contains(i.w.clock) {
		kind = cmp.Or(kind, refused)
	}
	if kind == killed {
		i.dead = true
	}
	return kind
}

// simulateCall makes one call of an invocation in a simulation.
func simulateCall[T any](ctx context.Context, i *invocation, what string, do func() (*T, error)) (*T, error) {
	what, detail, _ := strings.Cut(what, " #")
	if err := i.alive(); err != nil {
		return nil, err
	}
	if err := i.wait(ctx, i.takes(what, detail)); err != nil {
		return nil, err
	}
	hang := func() error { return cmp.Or(i.wait(ctx, 20*time.Minute), errLost) }
	kind := i.nextFault(what)
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
	i.w.checkGuard()
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

// checkGuard notes since when there is a cache to delete or a load to stop, and records a broken promise if something is billed without a guard.
func (w *fakeAWS) checkGuard() {
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
		return fmt.Sprintf("%d tasks desired, %d running", w.desired, running)
	case w.cache != "" && w.cfg.Cache.Delete:
		return "the cache is " + w.cache
	}
	return ""
}

// planChange plans a change.
func (w *fakeAWS) planChange(at time.Time, what string, change func()) {
	w.lock()
	defer w.mu.Unlock()
	w.add(w.change(at, what, change))
}

// change is a plan that runs do under the lock.
func (w *fakeAWS) change(at time.Time, what string, do func()) plan {
	return plan{at, what, func() {
		w.lock()
		do()
		w.mu.Unlock()
		w.checkGuard()
	}}
}

// createCache creates the cache, unless there is one. It takes the given time and ends with the given status.
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
		w.checkGuard()
		if then != nil {
			then()
		}
	}})
}

func (l *simulation) deleteCache(w *fakeAWS) {
	w.add(plan{w.clock.Add(l.cacheDeleteTime), "the cache is gone", func() {
		w.lock()
		if n := len(l.caches); n > 0 && l.caches[n-1].to.IsZero() {
			l.caches[n-1].to = w.clock
		}
		w.cache = ""
		w.mu.Unlock()
	}})
}

// createService creates the service and its tasks, which start a little later.
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
			t.StoppedAt = aws.Time(w.clock.Add(w.sim.taskStopTime))
		}
	}
}

// deleteService deletes the service, whose tasks then stop, and returns when it becomes INACTIVE: once its last task has stopped, which may have been
// told to stop long before. Only then does Terraform create a replacement; modules/ecs-load lets it wait for 10 minutes.
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

// replaceTask stops one task, and ECS starts another one.
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
	if minute.Add(time.Minute+w.lag).After(w.clock) || !l.keepsAll && period < time.Minute && w.clock.Sub(minute) > 3*time.Hour {
		return false
	}
	if namespace == export.NamespaceCache {
		for _, s := range l.caches {
			if s.contains(minute) {
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

// logs returns what the tasks have logged so far, one line a minute and two lines at the end, or the engine's log.
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
