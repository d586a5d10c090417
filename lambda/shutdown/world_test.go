package shutdown

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
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

// ECS

func (w *world) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return call(w, "DescribeServices", func() (*ecs.DescribeServicesOutput, error) {
		if !w.service {
			return &ecs.DescribeServicesOutput{Failures: []ecstypes.Failure{{Reason: aws.String("MISSING")}}}, nil
		}
		running := w.desired
		if w.stuck {
			running = int32(len(w.tasks))
		}
		return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{Status: aws.String("ACTIVE"), DesiredCount: w.desired, RunningCount: running,
			CreatedAt: aws.Time(at("2026-11-23T03:19:00Z"))}}}, nil
	})
}

func (w *world) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return call(w, "UpdateService", func() (*ecs.UpdateServiceOutput, error) {
		w.desired = *in.DesiredCount
		return &ecs.UpdateServiceOutput{}, nil
	})
}

func (w *world) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return call(w, "ListTasks", func() (*ecs.ListTasksOutput, error) {
		out := &ecs.ListTasksOutput{}
		if !w.service {
			return nil, &ecstypes.ServiceNotFoundException{}
		}
		if running := w.desired > 0; running == (in.DesiredStatus == ecstypes.DesiredStatusRunning) {
			for _, t := range w.tasks {
				out.TaskArns = append(out.TaskArns, *t.TaskArn)
			}
		}
		return out, nil
	})
}

func (w *world) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return call(w, "DescribeTasks", func() (*ecs.DescribeTasksOutput, error) {
		out := &ecs.DescribeTasksOutput{}
		for _, t := range w.tasks {
			if !slices.Contains(in.Tasks, *t.TaskArn) {
				continue
			}
			t.LastStatus = aws.String("STOPPED")
			if w.desired > 0 || w.stuck {
				t.LastStatus, t.StoppedAt, t.StopCode, t.StoppedReason, t.Containers = aws.String("RUNNING"), nil, "", nil, nil
			}
			out.Tasks = append(out.Tasks, t)
		}
		return out, nil
	})
}

// CloudWatch: a few metrics, a datapoint a minute from 03:10 to 04:30, whose value follows from the series and the minute.

var published = []string{"CurrConnections", "CurrItems", "CPUUtilization", "MemoryUtilization"}

func (w *world) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	return call(w, "GetMetricData", func() (*cloudwatch.GetMetricDataOutput, error) {
		out := &cloudwatch.GetMetricDataOutput{}
		for _, q := range in.MetricDataQueries {
			r := cwtypes.MetricDataResult{Id: q.Id, StatusCode: cwtypes.StatusCodeComplete}
			m := q.MetricStat.Metric
			if slices.Contains(published, *m.MetricName) {
				end := at("2026-11-23T04:30:00Z")
				for minute := at("2026-11-23T03:10:00Z"); minute.Before(end) && !minute.Add(w.lag).After(w.clock); minute = minute.Add(time.Minute) {
					if minute.Before(in.StartTime.Truncate(time.Minute)) || !minute.Before(*in.EndTime) {
						continue
					}
					h := fnv.New32()
					fmt.Fprint(h, *m.MetricName, export.FormatDimensions(m.Dimensions), *q.MetricStat.Stat, minute.Unix())
					r.Timestamps, r.Values = append(r.Timestamps, minute), append(r.Values, float64(h.Sum32()%1000)/8)
				}
			}
			out.MetricDataResults = append(out.MetricDataResults, r)
		}
		return out, nil
	})
}

func (w *world) ListMetrics(_ context.Context, in *cloudwatch.ListMetricsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error) {
	return call(w, "ListMetrics", func() (*cloudwatch.ListMetricsOutput, error) {
		out := &cloudwatch.ListMetricsOutput{}
		if node := w.cfg.Cache.Serverless == ""; node && *in.Namespace == export.NamespaceCache {
			out.Metrics = []cwtypes.Metric{{Namespace: in.Namespace, MetricName: aws.String("CurrConnections"), Dimensions: []cwtypes.Dimension{
				{Name: aws.String("CacheClusterId"), Value: aws.String("perf-001")}, {Name: aws.String("CacheNodeId"), Value: aws.String("0001")}}}}
		}
		return out, nil
	})
}

// Logs

func (w *world) DescribeLogStreams(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	return call(w, "DescribeLogStreams", func() (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
		group, ok := w.streams[*in.LogGroupName]
		if !ok {
			return nil, &logstypes.ResourceNotFoundException{}
		}
		out := &cloudwatchlogs.DescribeLogStreamsOutput{}
		for _, name := range slices.Sorted(maps.Keys(group)) {
			out.LogStreams = append(out.LogStreams, logstypes.LogStream{LogStreamName: &name})
		}
		return out, nil
	})
}

func (w *world) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	return call(w, "GetLogEvents", func() (*cloudwatchlogs.GetLogEventsOutput, error) {
		events, ok := w.streams[*in.LogGroupName][*in.LogStreamName]
		if !ok {
			return nil, &logstypes.ResourceNotFoundException{}
		}
		out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String("f/end")}
		if in.NextToken != nil {
			return out, nil
		}
		for _, e := range events {
			when := at("2026-11-23T" + e[:8] + "Z").UnixMilli()
			if when >= *in.StartTime && when < *in.EndTime {
				out.Events = append(out.Events, logstypes.OutputLogEvent{Timestamp: &when, Message: aws.String(e[9:])})
			}
		}
		return out, nil
	})
}

// Scheduler and SNS

func (w *world) GetSchedule(_ context.Context, in *scheduler.GetScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error) {
	return call(w, "GetSchedule", func() (*scheduler.GetScheduleOutput, error) {
		if s := w.schedules[*in.Name]; s != nil {
			return s, nil
		}
		return nil, &schedulertypes.ResourceNotFoundException{}
	})
}

func (w *world) DeleteSchedule(_ context.Context, in *scheduler.DeleteScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error) {
	return call(w, "DeleteSchedule", func() (*scheduler.DeleteScheduleOutput, error) {
		if w.schedules[*in.Name] == nil {
			return nil, &schedulertypes.ResourceNotFoundException{}
		}
		delete(w.schedules, *in.Name)
		return &scheduler.DeleteScheduleOutput{}, nil
	})
}

func (w *world) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	return call(w, "Publish", func() (*sns.PublishOutput, error) {
		w.published = append(w.published, *in.Subject+"\n"+*in.Message)
		return &sns.PublishOutput{}, nil
	})
}

// S3

func (w *world) store(key string, body []byte, meta map[string]string, ifMatch, ifNoneMatch *string) (*string, error) {
	o := w.objects[key]
	if o != nil && ifNoneMatch != nil || ifMatch != nil && o != nil && o.etag != *ifMatch {
		return nil, apiError("PreconditionFailed")
	}
	if ifMatch != nil && o == nil {
		return nil, &s3types.NoSuchKey{}
	}
	w.version++
	w.objects[key] = &object{body, meta, fmt.Sprint("etag-", w.version)}
	return &w.objects[key].etag, nil
}

func (w *world) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return call(w, "PutObject", func() (*s3.PutObjectOutput, error) {
		body, _ := io.ReadAll(in.Body)
		etag, err := w.store(*in.Key, body, in.Metadata, in.IfMatch, in.IfNoneMatch)
		return &s3.PutObjectOutput{ETag: etag}, err
	})
}

func (w *world) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return call(w, "GetObject", func() (*s3.GetObjectOutput, error) {
		o := w.objects[*in.Key]
		if o == nil {
			return nil, &s3types.NoSuchKey{}
		}
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(o.body)), Metadata: o.meta, ETag: &o.etag}, nil
	})
}

func (w *world) HeadObject(_ context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return call(w, "HeadObject", func() (*s3.HeadObjectOutput, error) {
		o := w.objects[*in.Key]
		if o == nil {
			return nil, &s3types.NotFound{}
		}
		return &s3.HeadObjectOutput{Metadata: o.meta, ContentLength: aws.Int64(int64(len(o.body)))}, nil
	})
}

func (w *world) DeleteObject(_ context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return call(w, "DeleteObject", func() (*s3.DeleteObjectOutput, error) {
		delete(w.objects, *in.Key)
		return &s3.DeleteObjectOutput{}, nil
	})
}

func (w *world) CreateMultipartUpload(_ context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return call(w, "CreateMultipartUpload", func() (*s3.CreateMultipartUploadOutput, error) {
		w.version++
		id := fmt.Sprint("upload-", w.version)
		w.uploads[id] = &upload{*in.Key, in.Metadata, map[int32][]byte{}}
		return &s3.CreateMultipartUploadOutput{UploadId: &id}, nil
	})
}

func (w *world) UploadPart(_ context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	return call(w, "UploadPart", func() (*s3.UploadPartOutput, error) {
		u := w.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		u.parts[*in.PartNumber], _ = io.ReadAll(in.Body)
		return &s3.UploadPartOutput{ETag: aws.String("part")}, nil
	})
}

func (w *world) CompleteMultipartUpload(_ context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return call(w, "CompleteMultipartUpload", func() (*s3.CompleteMultipartUploadOutput, error) {
		u := w.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		var body []byte
		for _, p := range in.MultipartUpload.Parts {
			body = append(body, u.parts[*p.PartNumber]...)
		}
		if _, err := w.store(*in.Key, body, u.meta, nil, in.IfNoneMatch); err != nil {
			return nil, err
		}
		delete(w.uploads, *in.UploadId)
		return &s3.CompleteMultipartUploadOutput{}, nil
	})
}

func (w *world) AbortMultipartUpload(_ context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return call(w, "AbortMultipartUpload", func() (*s3.AbortMultipartUploadOutput, error) {
		if w.uploads[*in.UploadId] == nil {
			return nil, apiError("NoSuchUpload")
		}
		delete(w.uploads, *in.UploadId)
		return &s3.AbortMultipartUploadOutput{}, nil
	})
}

func (w *world) ListMultipartUploads(_ context.Context, in *s3.ListMultipartUploadsInput, _ ...func(*s3.Options)) (*s3.ListMultipartUploadsOutput, error) {
	return call(w, "ListMultipartUploads", func() (*s3.ListMultipartUploadsOutput, error) {
		out := &s3.ListMultipartUploadsOutput{}
		for id, u := range w.uploads {
			if strings.HasPrefix(u.key, *in.Prefix) {
				out.Uploads = append(out.Uploads, s3types.MultipartUpload{Key: &u.key, UploadId: &id})
			}
		}
		return out, nil
	})
}
