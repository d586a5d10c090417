package shutdown

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
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

// world is a small AWS with one stack in it, at the planned end of its run. What the run left in CloudWatch is fixed: the load's last task
// stopped at 04:21:10, whenever it is asked.
type world struct {
	mu    sync.Mutex
	clock time.Time
	cfg   Config

	service   bool
	desired   int32
	tasks     []ecstypes.Task // as they are once stopped
	stuck     bool            // tasks never stop
	cache     string          // status; empty: NotFound
	cacheRun  string          // tag
	cacheName string          // tag
	deleting  int             // descriptions before a deleting cache is gone
	lag       time.Duration   // of the last metrics
	streams   map[string]map[string][]string
	schedules map[string]*scheduler.GetScheduleOutput
	objects   map[string]*object
	uploads   map[string]*upload
	published []string
	version   int

	calls  []string
	before func(n int, op string) error // instead of the call
	after  func(n int, op string) error // after the call had its effect
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

func newWorld() *world {
	w := &world{clock: at("2026-11-23T04:25:00Z"), service: true, desired: 2, cache: "available", cacheRun: runID, cacheName: "perf", deleting: 3,
		objects: map[string]*object{}, uploads: map[string]*upload{},
		cfg: Config{Name: "perf", Bucket: "bucket", Prefix: "exports", Cluster: "perf", Service: "perf-load", Minutes: 60, PeriodSeconds: 60,
			Cache:     Cache{ReplicationGroup: "perf", Delete: true},
			Logs:      Logs{Load: "/elasticache-perf/perf/load", Engine: "/aws/vendedlogs/elasticache/perf/engine-log", Slow: "/aws/vendedlogs/elasticache/perf/slow-log"},
			Schedules: Schedules{Group: "perf", Watch: "perf-watch", Stop: "perf-load-stop"}, TopicARN: "arn:aws:sns:us-east-1:123456789012:perf",
			Settings: []byte(`{"cache":{"engine":"redis"}}`)},
		schedules: map[string]*scheduler.GetScheduleOutput{
			"perf-watch": {ScheduleExpression: aws.String("rate(10 minutes)"), Target: &schedulertypes.Target{
				Input: aws.String(`{"action":"watch","run":"` + runID + `","stop_by":"2026-11-23T06:08:09Z"}`)}},
			"perf-load-stop": {ScheduleExpression: aws.String("at(2026-11-23T04:20:30)"), Target: &schedulertypes.Target{}},
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
		w.tasks = append(w.tasks, ecstypes.Task{TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/perf/" + id),
			CreatedAt: aws.Time(at("2026-11-23T03:19:00Z")), StartedAt: aws.Time(at("2026-11-23T03:20:30Z").Add(time.Duration(i) * time.Second)),
			StoppedAt: aws.Time(at("2026-11-23T04:21:09Z").Add(time.Duration(i) * time.Second)), StopCode: ecstypes.TaskStopCodeServiceSchedulerInitiated,
			StoppedReason: aws.String("Scaling activity"), Containers: []ecstypes.Container{{Name: aws.String("memtier"), ExitCode: aws.Int32(0)}}})
	}
	return w
}

func (w *world) clients() Clients {
	return Clients{ECS: w, ElastiCache: w, CloudWatch: w, Logs: w, S3: w, Scheduler: w, SNS: w, Region: "us-east-1", Endpoint: "http://127.0.0.1:4566"}
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
	return ctx.Err()
}

func (w *world) pass(d time.Duration) { _ = w.Sleep(context.Background(), d) }

// invocation is the context of a Lambda invocation that may last 15 minutes of the world's time.
type invocation struct {
	context.Context
	deadline time.Time
}

func (i invocation) Deadline() (time.Time, bool) { return i.deadline, true }

func (w *world) invocation(request string, lasts time.Duration) context.Context {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: request,
		InvokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:perf-stop"})
	return invocation{ctx, w.Now().Add(lasts)}
}

func (w *world) handle(request, action string) (Answer, error) {
	return New(w.cfg, w.clients(), w).Handle(w.invocation(request, 15*time.Minute), Event{Action: action, Run: runID})
}

// tick is one firing of the watch schedule, if it is still there.
func (w *world) tick() (Answer, error) {
	w.pass(10 * time.Minute)
	if w.schedules["perf-watch"] == nil {
		return Answer{Status: StatusDone}, nil
	}
	return w.handle("tick "+w.Now().String(), ActionWatch)
}

func (w *world) text(key string) string {
	if o := w.objects[key]; o != nil {
		return string(o.body)
	}
	return ""
}

func (w *world) called(op string) (n int) {
	for _, c := range w.calls {
		if c == op {
			n++
		}
	}
	return n
}

// call does one API call, unless a fault says otherwise. Faults run without the lock: they may use the world.
func call[T any](w *world, op string, do func() (*T, error)) (*T, error) {
	w.mu.Lock()
	w.calls = append(w.calls, op)
	n, before, after := len(w.calls), w.before, w.after
	w.mu.Unlock()
	if before != nil {
		if err := before(n, op); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	out, err := do()
	w.mu.Unlock()
	if err == nil && after != nil {
		if err := after(n, op); err != nil {
			return nil, err
		}
	}
	return out, err
}

func apiError(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "world: " + code}
}

var errKilled = errors.New("killed")

// kill makes the k-th call from now, and every later one, fail: at the call, or when it has had its effect.
func (w *world) kill(k int, effect bool) {
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

func (w *world) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = nil, nil
}
