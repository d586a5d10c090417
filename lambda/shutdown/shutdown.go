package shutdown

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Shutdown ends runs of one stack.
type Shutdown struct {
	cfg   Config
	aws   Clients
	clock export.Clock
	sent  *sync.Map // messages that this process sent, by run
}

// New returns a Shutdown for the stack that cfg describes.
func New(cfg Config, clients Clients, clock export.Clock) *Shutdown {
	clients.S3 = encrypting{clients.S3, cfg.KMSKeyARN}
	return &Shutdown{cfg: cfg, aws: clients, clock: clock, sent: &sync.Map{}}
}

const (
	stopGrace = 15 * time.Minute // this long after its stop schedule, a run is overdue
	alarmLate = 24 * time.Hour   // a run that is overdue this long is an error, which raises the alarm

	// WatchEvery is the rate of the schedule watch: watch_minutes in modules/scheduler/schedules.tf.
	WatchEvery = 10 * time.Minute

	// Creation is how long after stop_by an apply can still create a load: modules/cache creates no cache after stop_by, Terraform waits 60 minutes for
	// its creation (40 for a serverless cache), and modules/ecs-load waits 10 more for its service.
	// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/elasticache_replication_group#timeouts
	Creation = 70 * time.Minute
)

// Handle serves one event. An error makes Lambda retry; what only needs more time is StatusPending, and watch continues it.
func (s *Shutdown) Handle(ctx context.Context, event Event) (Answer, error) {
	r, err := s.newRun(ctx, event)
	if err != nil {
		return Answer{}, err
	}
	answer, err := r.handle(ctx, event)
	if err != nil {
		r.log.Error("failed", "status", answer.Status, "error", err)
		return answer, err
	}
	r.log.Info("answered", "status", answer.Status, "message", answer.Message)
	return answer, nil
}

func (s *Shutdown) newRun(ctx context.Context, event Event) (*run, error) {
	started, err := ParseRun(event.Run)
	if err != nil {
		return nil, err
	}
	return &run{Shutdown: s, turn: make(turn, 1), id: event.Run, start: started, action: event.Action, holder: holder(ctx), ends: ends(ctx),
		log:   slog.With("run", event.Run, "action", event.Action),
		store: store{s.aws.S3, s.cfg.Bucket, s.cfg.Owner(event.Run)}}, nil
}

func (r *run) handle(ctx context.Context, event Event) (Answer, error) {
	switch event.Action {
	case ActionPreflight:
		return r.preflight(ctx)
	case ActionExport:
		return r.export(ctx)
	case ActionDestroy, ActionDestroyed:
		answer, err := r.destroy(ctx, event)
		if err == nil && event.Action == ActionDestroyed && event.Terraform.Action == "delete" {
			r.awaitInsights(ctx)
		}
		return answer, err
	case ActionStop, ActionWatch:
	default:
		return Answer{}, fmt.Errorf("action %q: expected stop, watch, preflight, export or destroy", event.Action)
	}
	current, err := r.current(ctx)
	overdue := func() bool {
		return err != nil && event.Action == ActionWatch && !event.StopBy.IsZero() && r.clock.Now().After(event.StopBy)
	}
	for tries := 1; tries < 3 && overdue(); tries++ { // the event can be an hour old, and the run may have been replaced or extended since
		if err := r.clock.Sleep(ctx, 10*time.Second); err != nil {
			return Answer{}, err
		}
		current, err = r.current(ctx)
	}
	if overdue() {
		r.log.Warn("the run is taken from the guard's own event", "error", err) // the run is overdue in any case, and what is billed must end
		current, err = event, nil
	}
	if err != nil && event.Action == ActionStop && current.Run == r.id {
		r.log.Warn("the schedule's input is invalid but names the run, which is stopped", "error", err) // somebody changed its stop_by
		err = nil
	}
	switch {
	case err != nil:
		return Answer{}, err
	case current.Run == "":
		return r.unguarded(ctx)
	case current.Run != r.id:
		return r.answer(StatusIdle, fmt.Sprintf("the stack's run is %s, not %s: nothing was touched", current.Run, r.id)), nil
	}
	r.stopBy = r.cfg.EndOf(current)
	if event.Action == ActionWatch {
		return r.watch(ctx)
	}
	return r.stop(ctx)
}

// unguarded handles an event that arrives after its run's guard is gone. If an apply has created a load or a cache in the meantime, nothing else
// ends them.
func (r *run) unguarded(ctx context.Context) (Answer, error) {
	_, billed, err := r.billed(ctx)
	if err != nil {
		return Answer{}, err
	}
	if billed == "" {
		return r.answer(StatusIdle, fmt.Sprintf("schedule %s is gone: no run is under way", r.cfg.Schedules.Watch)), nil
	}
	r.warn("schedule %s is gone, but %s: ending it", r.cfg.Schedules.Watch, billed)
	answer, err := r.stop(ctx)
	if err == nil && answer.Status != StatusDone { // there is no next tick, but Lambda retries after an error
		err = fmt.Errorf("schedule %s is gone, but the run is not: %s; run `go tool mage destroy`", r.cfg.Schedules.Watch, answer.Message)
	}
	return answer, err
}

// current returns the event in the watch schedule's input, which names the stack's only run; zero when there is none.
func (r *run) current(ctx context.Context) (Event, error) {
	event, err := r.event(ctx, r.cfg.Schedules.Watch)
	if err == nil && event.Run != "" && event.StopBy.IsZero() {
		event.StopBy = r.cfg.EndOf(event)
		r.log.Warn("the input of the schedule has no stop_by: the run ends when the longest would", "schedule", r.cfg.Schedules.Watch, "stop_by", event.StopBy)
	}
	return event, err
}

// event returns the event that a schedule sends; zero when there is no such schedule.
func (r *run) event(ctx context.Context, schedule string) (event Event, err error) {
	out, err := r.schedule(ctx, schedule)
	if err != nil || out == nil || out.Target == nil {
		return event, err
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Target.Input)), &event); err != nil {
		return event, fmt.Errorf("read the input of schedule %s: %w", schedule, err)
	}
	return event, nil
}

// replaced is errReplaced if the stack has another run by now, and nil if that is not known: this run's resources also name their run themselves.
func (r *run) replaced(ctx context.Context) error {
	if current, _ := r.current(ctx); current.Run != "" && current.Run != r.id { // an input with an invalid stop_by still names its run
		return fmt.Errorf("%w: %s", errReplaced, current.Run)
	}
	return nil
}

// schedule returns nil when there is none of that name.
func (r *run) schedule(ctx context.Context, name string) (*scheduler.GetScheduleOutput, error) {
	ctx, done := r.brief(ctx)
	defer done()
	out, err := r.aws.Scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &r.cfg.Schedules.Group, Name: &name})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read schedule %s/%s: %w", r.cfg.Schedules.Group, name, err)
	}
	return out, nil
}

// watch is the guard: it ends a run that is overdue or whose stop has started, and leaves any other run alone.
func (r *run) watch(ctx context.Context) (Answer, error) {
	due, err := r.due(ctx, r.stopBy)
	if err != nil {
		return Answer{}, err
	}
	now := r.clock.Now()
	r.late = now.Sub(due)
	if now.Before(due) {
		record, etag, err := r.record(ctx)
		if err != nil {
			return Answer{}, err
		}
		if record.Attempts == 0 {
			return r.answer(StatusIdle, "in time until "+due.Format(time.RFC3339)), r.cacheFailed(ctx, record, etag)
		}
	}
	answer, err := r.stop(ctx)
	if err == nil && answer.Status != StatusDone && now.After(due.Add(alarmLate)) {
		err = fmt.Errorf("run %s was due to end at %s and is still not gone: %s; look at the log of this function, then run `go tool mage destroy`",
			r.id, due.Format(time.RFC3339), answer.Message)
		if saveErr := r.publishOnce(ctx, messageOverdue, err.Error()+"\n"+r.advice()); saveErr != nil {
			r.log.Warn("the message about the overdue run was sent, but not recorded", "error", saveErr)
		}
	}
	return answer, err
}

// due returns when the run becomes overdue: stopGrace after its stop schedule, which exists once the load is steady, or at stop_by.
func (r *run) due(ctx context.Context, stopBy time.Time) (time.Time, error) {
	stops, err := r.stopsAt(ctx)
	r.unfinished = err == nil && stops.IsZero()
	if late := stops.Add(stopGrace); err == nil && !stops.IsZero() && late.Before(stopBy) {
		return late, nil
	}
	if r.clock.Now().After(stopBy) { // whatever the stop schedule has
		return stopBy, nil
	}
	return stopBy, err
}

// stopsAt returns the time of the stop schedule, zero when there is none.
func (r *run) stopsAt(ctx context.Context) (time.Time, error) {
	var none time.Time
	out, err := r.schedule(ctx, r.cfg.Schedules.Stop)
	if err != nil || out == nil {
		return none, err
	}
	text := aws.ToString(out.ScheduleExpression)
	zone, err := time.LoadLocation(aws.ToString(out.ScheduleExpressionTimezone))
	if err != nil {
		return none, fmt.Errorf("schedule %s: %w", r.cfg.Schedules.Stop, err)
	}
	at, err := time.ParseInLocation("at(2006-01-02T15:04:05)", text, zone)
	if err != nil {
		return none, fmt.Errorf("schedule %s has the expression %q: expected at(yyyy-mm-ddThh:mm:ss)", r.cfg.Schedules.Stop, text)
	}
	return at.UTC(), nil
}

// run is one invocation for one run.
type run struct {
	*Shutdown
	id     string
	start  time.Time // the instant the run is named after
	action string
	holder string
	ends   time.Time // when Lambda ends this invocation; zero: never
	stopBy time.Time // from watch's input; zero: no apply can still be creating something, as before a destroy
	log    *slog.Logger
	store  store

	state    State
	etag     string // of the record
	recorded bool   // state is the record, not just this invocation's memory
	saved    time.Time
	unsaved  bool     // the last write of the record failed
	unread   bool     // there may be a record, but it could not be read
	exported []string // kinds of objects that this invocation wrote or found, for the whole window
	turn     turn     // locks the record: concurrent reads of a person's export renew the hold

	idle      bool      // ECS runs nothing of this run
	delivered time.Time // when the cache's logs of the window should be in CloudWatch
	awaited   bool      // the window's last datapoints are in CloudWatch, or the wait for them is over
	gone      bool      // the cache does not exist, or the run must not delete it

	late time.Duration // how long the run is overdue, set by a tick of watch

	createFailed bool // the cache was seen as create-failed
	unfinished   bool // the guard ends the run, and there is no stop schedule

	waiting  []string // what only needs more time
	failures []failure
	news     []string // what exporting again has changed
}

// holder names this invocation. Lambda's retries of an event have the same request id, so a retry need not wait for the attempt that died.
func holder(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok && lc.AwsRequestID != "" {
		return lc.AwsRequestID
	}
	return person + rand.Text()
}

const person = "person-" // prefix of holders outside Lambda

func (r *run) answer(status, message string) Answer {
	a := Answer{Run: r.id, Action: r.action, Status: status, Message: message}
	if r.state.Complete {
		a.Manifest = "s3://" + r.cfg.Bucket + "/" + r.cfg.ManifestKey(r.id)
	}
	return a
}

// pending is not a failure but something that needs more time; the next watch tick continues.
type pending string

func (p pending) Error() string { return string(p) }

func (r *run) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.log.Warn(text)
	if !slices.Contains(r.state.Warnings, text) {
		r.state.Warnings = append(r.state.Warnings, text)
	}
}

func ends(ctx context.Context) time.Time {
	deadline, _ := ctx.Deadline()
	return deadline.UTC()
}

// left returns the time until this invocation ends; a day when it has no deadline.
func (r *run) left(context.Context) time.Duration {
	if r.ends.IsZero() {
		return 24 * time.Hour
	}
	return r.ends.Sub(r.clock.Now())
}

// limited is a context that ends before its parent, by the run's clock.
type limited struct {
	context.Context
	clock    export.Clock
	deadline time.Time
}

func (l limited) Deadline() (time.Time, bool) { return l.deadline, true }

func (l limited) Err() error {
	if l.clock.Now().Before(l.deadline) {
		return l.Context.Err()
	}
	return context.DeadlineExceeded // also if the timer fired first
}

func (r *run) limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(d, cancel)
	return limited{ctx, r.clock, r.clock.Now().Add(d)}, func() { timer.Stop(); cancel() }
}

// brief returns a context for one call: a hanging call takes a quarter of the time that is left, or 5 seconds if that is more.
func (r *run) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	left := deadline.Sub(r.clock.Now())
	return r.limit(ctx, max(left/4, min(left, 5*time.Second)))
}

// poll calls done every interval until it returns true or an error, or the time is up.
func (r *run) poll(ctx context.Context, interval, atMost time.Duration, done func() (bool, error)) (bool, error) {
	end := r.clock.Now().Add(atMost)
	for {
		if ok, err := done(); ok || err != nil {
			return ok, err
		}
		if !r.clock.Now().Add(interval).Before(end) {
			return false, nil
		}
		if err := r.clock.Sleep(ctx, interval); err != nil {
			return false, err
		}
	}
}

// problems describes this invocation's waits and failures.
func (r *run) problems() []string {
	all := slices.Clone(r.waiting)
	for _, f := range r.failures {
		all = append(all, f.Error())
	}
	return all
}

func (r *run) failed() error {
	var errs []error
	for _, f := range r.failures {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
