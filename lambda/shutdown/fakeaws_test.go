package shutdown

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

const runID = "2026-11-23T03-08-09Z"

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// fakeAWS is a small AWS with one stack in it. newFakeAWS returns one at the planned end of its run, with fixed data in CloudWatch: the load's last task
// stopped at 04:21:10, whatever the clock says. In a simulation (simulation_test.go) all of this changes with time.
type fakeAWS struct {
	mu    sync.Mutex
	clock time.Time
	cfg   Config
	plans []plan // in the order of their times; they also happen while an invocation waits

	service   bool
	created   time.Time // of the service
	desired   int32
	rollout   ecstypes.DeploymentRolloutState // of the service's deployment; empty: there is no deployment
	tasks     []ecstypes.Task                 // as they are once they have stopped
	stuck     bool                            // tasks never stop
	cache     string                          // status; empty: NotFound
	cacheRun  string                          // tag
	cacheName string                          // tag
	cacheMade time.Time
	deleting  int           // describe calls until a deleting cache is gone
	lag       time.Duration // how late CloudWatch has a datapoint
	every     time.Duration // between two datapoints of a metric; 0: a minute, as at AWS
	streams   map[string]map[string][]string
	schedules map[string]*scheduler.GetScheduleOutput
	objects   map[string]*object
	uploads   map[string]*upload
	published []string
	lastInput string // the input of Terraform's previous invocation
	version   int
	sim       *simulation // nil: only the clock changes

	calls  []string
	before func(n int, op string) error         // its error replaces the call
	after  func(n int, op string) error         // its error replaces the answer, after the call had its effect
	hangs  func(n int, op string) bool          // whether the call hangs until its context ends
	late   func(n int, op string) time.Duration // how long after its effect the call is answered; an answer after the end of the context is lost
}

// plan is a change at a given time.
type plan struct {
	at   time.Time
	what string
	do   func()
}

type object struct {
	body []byte
	meta map[string]string
	etag string
}

type upload struct {
	key   string
	meta  map[string]string
	parts map[int32][]byte
}

func newFakeAWS() *fakeAWS {
	w := &fakeAWS{clock: at("2026-11-23T04:25:00Z"), service: true, created: at("2026-11-23T03:19:00Z"), desired: 2, cacheMade: at("2026-11-23T03:10:00Z"), cache: "available", cacheRun: runID, cacheName: "perf", deleting: 3,
		objects: map[string]*object{}, uploads: map[string]*upload{},
		cfg: Config{Name: "perf", Bucket: "bucket", Prefix: "exports", Cluster: "perf", Service: "perf-load", Minutes: 60, PeriodSeconds: 60,
			Cache:     Cache{ReplicationGroup: "perf", Delete: true},
			Logs:      Logs{Load: "/elasticache-perf/perf/load", Engine: "/aws/vendedlogs/elasticache/perf/engine-log", Slow: "/aws/vendedlogs/elasticache/perf/slow-log"},
			Schedules: Schedules{Group: "perf", Watch: "perf-watch", Stop: "perf-load-stop"}, TopicARN: "arn:aws:sns:us-east-1:123456789012:perf",
			Settings: []byte(`{"cache":{"engine":"redis"}}`)},
		schedules: map[string]*scheduler.GetScheduleOutput{
			"perf-watch": {ScheduleExpression: aws.String("rate(10 minutes)"), Target: &schedulertypes.Target{
				Input: aws.String(`{"action":"watch","run":"` + runID + `","stop_by":"2026-11-23T06:08:09Z"}`)}},
			"perf-load-stop": {ScheduleExpression: aws.String("at(2026-11-23T04:20:30)"), Target: &schedulertypes.Target{Input: aws.String(`{"action":"stop","run":"` + runID + `"}`)}},
		},
		streams: map[string]map[string][]string{
			"/elasticache-perf/perf/load": {
				"load/memtier/a": {"03:20:31 load: run=" + runID + " task=a", "04:20:00 [RUN #1 99%]", "04:21:05 ALL STATS\nTotals 100\n", "04:22:30 a late word"},
				"load/memtier/b": {"03:20:32 load: run=" + runID + " task=b", "04:20:00 [RUN #1 98%]", "04:21:06 ALL STATS\nTotals 90\n"},
			},
			"/aws/vendedlogs/elasticache/perf/engine-log": {"perf-001": {"03:12:00 Server initialized", "04:29:00 deleted"}},
			"/aws/vendedlogs/elasticache/perf/slow-log":   {},
		},
	}
	for i, id := range []string{"a", "b"} {
		w.tasks = append(w.tasks, ecstypes.Task{TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/perf/" + id), AvailabilityZone: aws.String("us-east-1b"), Group: aws.String("service:perf-load"),
			CreatedAt: aws.Time(at("2026-11-23T03:19:00Z")), StartedAt: aws.Time(at("2026-11-23T03:20:30Z").Add(time.Duration(i) * time.Second)),
			StoppedAt: aws.Time(at("2026-11-23T04:21:09Z").Add(time.Duration(i) * time.Second)), StopCode: ecstypes.TaskStopCodeServiceSchedulerInitiated,
			StoppedReason: aws.String("Scaling activity"), Containers: []ecstypes.Container{{Name: aws.String("memtier"), ExitCode: aws.Int32(0)}}})
	}
	return w
}

func (w *fakeAWS) clients() Clients {
	return Clients{ECS: w, ElastiCache: w, CloudWatch: w, Logs: w, S3: w, Scheduler: w, SNS: w, Region: "us-east-1", Endpoint: "http://127.0.0.1:4566"}
}

func (w *fakeAWS) Now() time.Time {
	w.lock()
	defer w.mu.Unlock()
	return w.clock
}

// lock takes the mutex. In a simulation it also sets the clock to the bubble's time.
func (w *fakeAWS) lock() {
	w.mu.Lock()
	if w.sim != nil {
		w.clock = time.Now().UTC().Round(0)
	}
}

// Sleep advances the clock. An invocation does not continue past its deadline.
func (w *fakeAWS) Sleep(ctx context.Context, d time.Duration) error {
	i, ok := ctx.Value(invocationKey{}).(*invocation)
	switch {
	case w.sim == nil:
		w.pass(d)
	case ok:
		return i.wait(ctx, d)
	default:
		time.Sleep(d)
	}
	return ctx.Err()
}

// pass advances the clock outside simulations, and runs what was planned for that time.
func (w *fakeAWS) pass(d time.Duration) {
	end := w.Now().Add(d)
	for {
		w.mu.Lock()
		if len(w.plans) == 0 || w.plans[0].at.After(end) {
			w.clock = later(w.clock, end)
			w.mu.Unlock()
			return
		}
		p := w.plans[0]
		w.clock, w.plans = later(w.clock, p.at), w.plans[1:]
		w.mu.Unlock()
		p.do()
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (w *fakeAWS) plan(at time.Time, what string, do func()) {
	w.lock()
	defer w.mu.Unlock()
	w.add(plan{at, what, do})
}

// add adds a plan. The caller holds the lock.
func (w *fakeAWS) add(p plan) {
	n, _ := slices.BinarySearchFunc(w.plans, p, func(q, p plan) int { return cmp.Or(q.at.Compare(p.at), -1) })
	w.plans = slices.Insert(w.plans, n, p)
	if w.sim != nil {
		w.sim.changes()
	}
}

type invocationKey struct{} // the context key of an invocation

// invocation is the context of an invocation, which may last 15 minutes of the fake's time when it is Lambda's.
type invocation struct {
	context.Context
	w            *fakeAWS
	name         string // unique
	run          string // in a simulation
	deadline     time.Time
	fault        fault
	made         map[string]int // in a simulation: how often each call was made
	faultAt      string         // the call at which the fault occurred
	refusalsLeft int            // S3 calls that are still refused
	calls        int
	acted        bool // it described the load
	dead         bool
}

func (i *invocation) Deadline() (time.Time, bool) { return i.deadline, !i.deadline.IsZero() }

func (i *invocation) Value(key any) any {
	if key == (invocationKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// alive returns an error once the invocation is dead.
func (i *invocation) alive() error {
	now := i.w.Now()
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	if i.w.sim != nil && !i.deadline.IsZero() && !now.Before(i.deadline) {
		i.dead = true
	}
	if i.dead {
		return errKilled
	}
	return nil
}

func (w *fakeAWS) invocation(request string, lasts time.Duration) *invocation {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: request,
		InvokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:perf-stop"})
	return &invocation{Context: ctx, w: w, deadline: w.Now().Add(lasts)}
}

func (w *fakeAWS) handle(request, action string) (Answer, error) {
	return New(w.cfg, w.clients(), w).Handle(w.invocation(request, 15*time.Minute), w.eventFor(action, runID))
}

// eventFor returns the event of a run. An event of the run's own guard has the whole input of its schedule.
func (w *fakeAWS) eventFor(action, run string) Event {
	var input Event
	if s := w.schedules["perf-watch"]; s != nil && action == ActionWatch && json.Unmarshal([]byte(*s.Target.Input), &input) == nil && input.Run == run {
		input.Action = action
		return input
	}
	return Event{Action: action, Run: run}
}

// tick fires the watch schedule once, if it still exists.
func (w *fakeAWS) tick() (Answer, error) {
	w.pass(10 * time.Minute)
	if w.schedules["perf-watch"] == nil {
		return Answer{Status: StatusDone}, nil
	}
	return w.handle("tick "+w.Now().String(), ActionWatch)
}

// ticks fires watch until it removes itself. If the load or the cache is missing, that is when no apply can create one any more, long after stop_by.
func (w *fakeAWS) ticks(t *testing.T) {
	t.Helper()
	for n := 0; w.schedules["perf-watch"] != nil; n++ {
		require.Less(t, n, 30, "the guard is not removed")
		_, err := w.tick()
		require.NoError(t, err)
	}
}

func (w *fakeAWS) text(key string) string {
	if o := w.objects[key]; o != nil {
		return string(o.body)
	}
	return ""
}

// messages returns the last words of the subjects of the messages so far, such as "ended".
func (w *fakeAWS) messages() (all []string) {
	for _, message := range w.published {
		subject, _, _ := strings.Cut(message, "\n")
		all = append(all, strings.Join(strings.Fields(subject)[3:], " "))
	}
	return all
}

func (w *fakeAWS) called(op string) (n int) {
	for _, c := range w.calls {
		if c == op {
			n++
		}
	}
	return n
}

// call makes one API call, unless a fault prevents it. what is the operation and maybe a key or, after a #, what distinguishes the call from others of the
// same operation. Faults run without the lock, so they may use the fake.
func call[T any](ctx context.Context, w *fakeAWS, what string, do func() (*T, error)) (*T, error) {
	op, _, _ := strings.Cut(what, " ")
	w.lock()
	w.calls = append(w.calls, op)
	n, before, after, hangs := len(w.calls), w.before, w.after, w.hangs
	w.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok && hangs != nil && hangs(n, op) {
		w.pass(deadline.Sub(w.Now()))
		return nil, context.DeadlineExceeded
	}
	done := func() (*T, error) {
		w.lock()
		defer w.mu.Unlock()
		return do()
	}
	if late := w.late; late != nil && late(n, op) > 0 {
		out, err := done()
		if deadline, ok := ctx.Deadline(); ok && deadline.Sub(w.Now()) < late(n, op) {
			w.pass(deadline.Sub(w.Now()))
			return nil, context.DeadlineExceeded
		}
		w.pass(late(n, op))
		return out, err
	}
	if i, ok := ctx.Value(invocationKey{}).(*invocation); ok && w.sim != nil {
		return simulateCall(ctx, i, what, done)
	}
	if before != nil {
		if err := before(n, op); err != nil {
			return nil, err
		}
	}
	out, err := done()
	if err == nil && after != nil {
		if err := after(n, op); err != nil {
			return nil, err
		}
	}
	return out, err
}

func apiError(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "fake AWS: " + code}
}

var errKilled = errors.New("killed")

// kill makes the k-th call from now and every later one fail: before the k-th call, or after it had its effect.
func (w *fakeAWS) kill(k int, effect bool) {
	first := len(w.calls) + k
	w.before = func(n int, op string) error {
		if n > first || n == first && !effect {
			return errKilled
		}
		return nil
	}
	w.after = func(n int, op string) error {
		if n >= first {
			return errKilled
		}
		return nil
	}
}

// refuse makes every call of an operation fail with an error code.
func (w *fakeAWS) refuse(op, code string) {
	w.before = func(_ int, called string) error {
		if called == op {
			return apiError(code)
		}
		return nil
	}
}

// refuseOnce makes the next call of an operation fail with an error code.
func (w *fakeAWS) refuseOnce(op, code string) {
	next := w.called(op) + 1
	w.before = func(_ int, called string) error {
		if called == op && w.called(op) == next {
			return apiError(code)
		}
		return nil
	}
}

func (w *fakeAWS) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = nil, nil
}

// killOnceComplete kills the process at its first call after it has written a complete manifest.
func (w *fakeAWS) killOnceComplete() {
	die := func(int, string) error {
		if strings.Contains(w.text(manifestKey), `"complete": true`) {
			return errKilled
		}
		return nil
	}
	w.before, w.after = die, die
}
