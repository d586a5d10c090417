package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulert "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// settableClock stands still at the time that was set, or follows the machine's clock if none is set. Sleeps are real.
type settableClock struct {
	account.SystemClock
	mu sync.Mutex
	at time.Time // zero: the machine's
}

func (c *settableClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now().UTC()
	}
	return c.at
}

func (c *settableClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *settableClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// skippingClock is the function's clock in a frozen environment. A sleep advances the clock once all tasks and caches have settled, because they take
// other times here than on AWS.
type skippingClock struct{ *frozen }

func (c skippingClock) Now() time.Time { return c.clock.Now() }

func (c skippingClock) Sleep(ctx context.Context, d time.Duration) error {
	for limit := time.Now().Add(waitLimit); !c.Settled(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			return fmt.Errorf("tasks or caches have not settled after %s", waitLimit)
		}
	}
	c.clock.pass(d)
	return ctx.Err()
}

// frozen is an environment with one stack at the planned end of its run: real services, a real cache and a real task, but metrics and logs that the test
// wrote, that are complete and do not change. Time only passes when the test advances the clock. The run starts in the hour after the next, so deadlines
// are in the future.
type frozen struct {
	*localaws.Server
	t       testing.TB
	clock   *settableClock
	cfg     shutdown.Config
	aws     aws.Config
	run     string
	started time.Time
	dir     string
}

// serverless replaces the environment's cache by a serverless one, which has no nodes and no engine log.
func (w *frozen) serverless() {
	w.cfg.Cache, w.cfg.Logs.Engine = shutdown.Cache{Serverless: "perf", Delete: true}, ""
}

var nextHour = time.Now().UTC().Truncate(time.Hour).Add(2 * time.Hour) // the same for all environments of this process, whose files must be equal

// freeze creates the environment. It adds bytes of log to the load's; from 8 MiB on, the export is a multipart upload.
func freeze(t testing.TB, bytes int, change ...func(*frozen)) *frozen {
	t.Helper()
	w := newFrozen(t, nextHour.Add(8*time.Minute+9*time.Second))
	for _, c := range change {
		c(w)
	}
	w.clock.set(w.started.Add(-24 * time.Hour))
	w.CloudWatch.ListDelay = 12 * time.Hour // metrics that the real cache publishes are not listed, so the environment does not change
	w.record(bytes)
	w.clock.set(w.started)
	w.createStack()
	w.clock.set(w.started.Add(22 * time.Minute).Truncate(time.Minute).Add(5 * time.Second))
	return w
}

func newFrozen(t testing.TB, started time.Time, change ...func(*localaws.Config)) *frozen {
	t.Helper()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the function's own log
	w := &frozen{t: t, clock: &settableClock{}, started: started, run: started.Format("2006-01-02T15-04-05Z"),
		cfg: shutdown.Config{Name: "perf", Bucket: "exports", Prefix: "exports", Cluster: "perf", Service: "perf-load", Minutes: 20, PeriodSeconds: 60,
			Cache: shutdown.Cache{ReplicationGroup: "perf", Delete: true}, Logs: shutdown.Logs{Load: "/elasticache-perf/perf/load", Engine: "/aws/vendedlogs/elasticache/perf/engine-log"},
			Schedules: shutdown.Schedules{Group: "perf", Watch: "perf-watch", Stop: "perf-load-stop"}, Settings: json.RawMessage(`{"cache":{"engine":"redis"}}`)}}
	cfg := localaws.Config{Dir: t.TempDir(), Buckets: []string{"exports"}, MetricsPeriod: 100_000 * time.Hour, Tools: tools(t), Clock: w.clock,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))}
	for _, c := range change {
		c(&cfg)
	}
	w.dir = cfg.Dir
	var err error
	w.Server, err = localaws.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Empty(t, w.Unhandled(), "requests that localaws does not serve")
		require.NoError(t, w.Close())
	})
	w.aws = aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(w.URL()), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: w.Env()["AWS_ACCESS_KEY_ID"], SecretAccessKey: w.Env()["AWS_SECRET_ACCESS_KEY"]}, nil
	})}
	return w
}

// record writes the run's metrics and logs.
func (w *frozen) record(bytes int) {
	metric := func(namespace, name, unit string, dims ...cloudwatch.Dimension) {
		for minute := w.started.Truncate(time.Minute); minute.Before(w.started.Add(2 * time.Hour)); minute = minute.Add(time.Minute) {
			w.CloudWatch.Put(cloudwatch.Metric{Namespace: namespace, Name: name, Unit: unit, Dimensions: dims}, minute, float64((len(name)*minute.Minute())%97)/8)
		}
	}
	node := []cloudwatch.Dimension{{Name: "CacheClusterId", Value: "perf-001"}, {Name: "CacheNodeId", Value: "0001"}}
	if name := w.cfg.Cache.Serverless; name != "" {
		node = []cloudwatch.Dimension{{Name: "clusterId", Value: name}}
	}
	for _, name := range []string{"CurrConnections", "CurrItems", "EngineCPUUtilization", "SuccessfulReadRequestLatency", "NotInTheCatalog"} {
		metric("AWS/ElastiCache", name, "", node...)
	}
	service := []cloudwatch.Dimension{{Name: "ClusterName", Value: "perf"}, {Name: "ServiceName", Value: "perf-load"}}
	metric("AWS/ECS", "CPUUtilization", "Percent", service...)
	client := cloudwatchlogs.NewFromConfig(w.aws)
	for _, group := range []string{w.cfg.Logs.Load, "/aws/vendedlogs/elasticache/perf/engine-log"} {
		_, err := client.CreateLogGroup(w.t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
		require.NoError(w.t, err)
	}
	put := func(group, stream string, events ...logs.Event) {
		require.NoError(w.t, w.Logs.Put(group, stream, events...))
	}
	for _, stream := range []string{"load/memtier/aaaa", "load/memtier/bbbb"} {
		put(w.cfg.Logs.Load, stream, logs.Event{Time: w.started.Add(2 * time.Minute), Message: "load: run=" + w.run},
			logs.Event{Time: w.started.Add(20 * time.Minute), Message: "[RUN #1 99%]\r[RUN #1 100%]\r"}, logs.Event{Time: w.started.Add(20*time.Minute + time.Second), Message: "ALL STATS\nTotals 100\n"})
	}
	put("/aws/vendedlogs/elasticache/perf/engine-log", "perf-001", logs.Event{Time: w.started.Add(time.Minute), Message: "Ready to accept connections \x00 ü"})
	const size = 100_000
	for i := range bytes / size { // two streams with the same times
		put(w.cfg.Logs.Load, fmt.Sprintf("load/memtier/%s", []string{"aaaa", "bbbb"}[i%2]),
			logs.Event{Time: w.started.Add(3*time.Minute + time.Duration(i/4)*time.Millisecond), Message: strings.Repeat(fmt.Sprintf("%09d ", i), size/10)})
	}
}

// createStack creates what the stop needs of the stack, as Terraform does.
func (w *frozen) createStack() {
	t, ctx := w.t, w.t.Context()
	role := func(name, service string) string {
		out, err := iam.NewFromConfig(w.aws).CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"` + service + `"}}]}`)})
		require.NoError(t, err)
		return *out.Role.Arn
	}
	cache := elasticache.NewFromConfig(w.aws)
	_, err := cache.CreateCacheSubnetGroup(ctx, &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("perf"), CacheSubnetGroupDescription: aws.String("d"), SubnetIds: w.Subnets()})
	require.NoError(t, err)
	tags := []ect.Tag{{Key: aws.String("run"), Value: &w.run}}
	if name := w.cfg.Cache.Serverless; name != "" {
		_, err = cache.CreateServerlessCache(ctx, &elasticache.CreateServerlessCacheInput{ServerlessCacheName: &name, Engine: aws.String("valkey"), SubnetIds: w.Subnets(), Tags: tags})
	} else {
		_, err = cache.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ReplicationGroupDescription: aws.String("d"),
			Engine: aws.String("redis"), EngineVersion: aws.String("7.1"), CacheNodeType: aws.String("cache.t4g.micro"), CacheSubnetGroupName: aws.String("perf"),
			NumCacheClusters: aws.Int32(1), Port: aws.Int32(6391), Tags: tags})
	}
	require.NoError(t, err)

	tasks, execution := ecs.NewFromConfig(w.aws), role("perf-load-execution", "ecs-tasks.amazonaws.com")
	_, err = tasks.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("perf")})
	require.NoError(t, err)
	_, err = tasks.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("perf-load"), NetworkMode: ecst.NetworkModeAwsvpc, ExecutionRoleArn: &execution,
		Cpu: aws.String("256"), Memory: aws.String("512"), RequiresCompatibilities: []ecst.Compatibility{ecst.CompatibilityFargate}, ContainerDefinitions: []ecst.ContainerDefinition{{
			Name: aws.String("memtier"), Image: aws.String("redislabs/memtier_benchmark:2.3.1"), StopTimeout: aws.Int32(120), LinuxParameters: &ecst.LinuxParameters{InitProcessEnabled: aws.Bool(true)}, // without an init, a SIGTERM before the trap is set is ignored
			EntryPoint: []string{"sh", "-c", "trap 'exit 143' TERM; sleep 1000 & wait"}}}}) // by itself, exit would return 0 for a SIGTERM before wait
	require.NoError(t, err)
	_, err = tasks.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("perf"), ServiceName: aws.String("perf-load"), TaskDefinition: aws.String("perf-load"),
		DesiredCount: aws.Int32(1), LaunchType: ecst.LaunchTypeFargate, NetworkConfiguration: &ecst.NetworkConfiguration{AwsvpcConfiguration: &ecst.AwsVpcConfiguration{Subnets: w.Subnets()}}})
	require.NoError(t, err)

	clock, invoke := scheduler.NewFromConfig(w.aws), role("perf-scheduler", "scheduler.amazonaws.com")
	_, err = clock.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String("perf")})
	require.NoError(t, err)
	input, err := json.Marshal(shutdown.Event{Action: shutdown.ActionWatch, Run: w.run, StopBy: w.started.Add(3 * time.Hour)})
	require.NoError(t, err)
	for name, expression := range map[string]string{"perf-watch": "rate(10 minutes)", "perf-load-stop": "at(" + w.started.Add(21*time.Minute).Format("2006-01-02T15:04:05") + ")"} {
		_, err = clock.CreateSchedule(ctx, &scheduler.CreateScheduleInput{GroupName: aws.String("perf"), Name: &name, ScheduleExpression: &expression, State: schedulert.ScheduleStateDisabled, // the test fires them
			FlexibleTimeWindow: &schedulert.FlexibleTimeWindow{Mode: schedulert.FlexibleTimeWindowModeOff},
			Target:             &schedulert.Target{Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:perf-stop"), RoleArn: &invoke, Input: aws.String(string(input))}})
		require.NoError(t, err)
	}
	w.waitUntilSettled()
	require.Equal(t, "available", w.cache())
	require.EqualValues(t, 1, w.service().RunningCount)
}

// waitUntilSettled waits until tasks and caches have reached their desired states. The clock must not be advanced before.
func (w *frozen) waitUntilSettled() {
	w.t.Helper()
	eventually(w.t, "tasks and caches have settled", func(context.Context) (bool, any, error) {
		if w.Settled() {
			return true, nil, nil
		}
		s := w.service()
		return false, fmt.Sprintf("%d tasks of %d run, the cache is %q", s.RunningCount, s.DesiredCount, w.cache()), nil
	})
}

func (w *frozen) service() ecst.Service {
	out, err := ecs.NewFromConfig(w.aws).DescribeServices(context.Background(), &ecs.DescribeServicesInput{Cluster: aws.String("perf"), Services: []string{"perf-load"}})
	require.NoError(w.t, err)
	return out.Services[0]
}

// cache is the cache's status, "" if it is gone.
func (w *frozen) cache() string {
	if name := w.cfg.Cache.Serverless; name != "" {
		out, err := elasticache.NewFromConfig(w.aws).DescribeServerlessCaches(context.Background(), &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &name})
		if err != nil {
			require.ErrorContains(w.t, err, "ServerlessCacheNotFoundFault")
			return ""
		}
		return *out.ServerlessCaches[0].Status
	}
	out, err := elasticache.NewFromConfig(w.aws).DescribeReplicationGroups(context.Background(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("perf")})
	if err != nil {
		require.ErrorContains(w.t, err, "ReplicationGroupNotFoundFault")
		return ""
	}
	return *out.ReplicationGroups[0].Status
}

func (w *frozen) schedules() int {
	out, err := scheduler.NewFromConfig(w.aws).ListSchedules(context.Background(), &scheduler.ListSchedulesInput{GroupName: aws.String("perf")})
	require.NoError(w.t, err)
	return len(out.Schedules)
}

// uploads returns the ids of open multipart uploads.
func (w *frozen) uploads() (ids []string) {
	out, err := s3.NewFromConfig(w.aws).ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: aws.String("exports")})
	require.NoError(w.t, err)
	for _, u := range out.Uploads {
		ids = append(ids, *u.UploadId)
	}
	return ids
}

func (w *frozen) text(kind, extension string) string {
	return contents(w.file(kind, extension))
}

// caller sends the calls of one invocation. It counts them, and can be cut off for good, as if its process had died.
type caller struct {
	http.Client
	before   func(n int, op string) // called with the number and the operation of each call
	killedOp string                 // the nth call of this operation and every later call never return
	nth      int
	effect   bool // the killing call still has its effect

	mu       sync.Mutex
	ops      []string
	killed   bool
	dieOnce  sync.Once
	died     chan struct{}
	testEnds <-chan struct{} // closed at the end of the test
}

func (w *frozen) caller() *caller {
	return &caller{died: make(chan struct{}), testEnds: w.t.Context().Done()}
}

func operation(r *http.Request) string {
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return op
	}
	if _, op, ok := strings.Cut(r.URL.Path, "/operation/"); ok {
		return op
	}
	switch q := r.URL.Query(); {
	case q.Has("x-id"):
		return q.Get("x-id")
	case q.Has("uploads") && r.Method == http.MethodPost:
		return "CreateMultipartUpload"
	case q.Has("uploadId") && r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" { // ElastiCache and SNS
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil {
			return form.Get("Action")
		}
	}
	return r.Method + " " + r.URL.Path
}

// kill makes no call return from the k-th of ops on, which are the calls of a stop without faults. It counts calls of the same operation only, because
// the number of polls depends on the machine. With effect, that call still has its effect.
func (c *caller) kill(ops []string, k int, effect bool) {
	c.killedOp, c.nth, c.effect = ops[k], count(ops[:k+1], ops[k]), effect
}

func (c *caller) Do(r *http.Request) (*http.Response, error) {
	op := operation(r)
	c.mu.Lock()
	c.ops = append(c.ops, op)
	n := len(c.ops)
	first := !c.killed && op == c.killedOp && count(c.ops, op) == c.nth
	c.killed = c.killed || first
	killed := c.killed
	c.mu.Unlock()
	if c.before != nil {
		c.before(n, op)
	}
	if killed {
		if first && c.effect {
			if resp, err := c.Client.Do(r); err == nil {
				_ = resp.Body.Close() // the response is lost
			}
		}
		c.dieOnce.Do(func() { close(c.died) })
		<-c.testEnds
		runtime.Goexit()
	}
	return c.Client.Do(r)
}

func (c *caller) dead() bool {
	select {
	case <-c.died:
		return true
	default:
		return false
	}
}

// limited is the context of an invocation that ends after some of the environment's time.
type limited struct {
	context.Context
	deadline time.Time
}

func (l limited) Deadline() (time.Time, bool) { return l.deadline, true }

// invoke runs the function once, as Lambda would for a request. alive is false if the caller was cut off.
func (w *frozen) invoke(action, request string, c *caller) (answer shutdown.Answer, err error, alive bool) {
	w.t.Helper()
	ctx := limited{lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: request,
		InvokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:perf-stop"}), w.clock.Now().Add(15 * time.Minute)}
	config := w.aws
	config.HTTPClient = c
	done := make(chan struct{})
	go func() {
		answer, err = shutdown.New(w.cfg, shutdown.NewClients(config), skippingClock{w}).Handle(ctx, shutdown.Event{Action: action, Run: w.run})
		close(done)
	}()
	select {
	case <-done:
		return answer, err, true
	case <-c.died:
		w.waitUntilSettled()
		return shutdown.Answer{}, nil, false
	}
}

// tick fires the watch schedule after that time, if it still exists.
func (w *frozen) tick(after time.Duration) {
	w.t.Helper()
	w.clock.pass(after)
	if w.schedules() == 0 {
		return
	}
	_, err, _ := w.invoke(shutdown.ActionWatch, "tick "+w.clock.Now().String(), w.caller())
	require.NoError(w.t, err)
}

// outcome is the result of a run, which must not depend on how the run ended.
type outcome struct {
	metrics, logs string
	manifest      export.Manifest
}

// assertEnded checks what must be true at the end of any run, and returns the result.
func (w *frozen) assertEnded() outcome {
	w.t.Helper()
	s := w.service()
	require.Zero(w.t, s.DesiredCount+s.RunningCount+s.PendingCount, "ECS is at 0")
	require.Empty(w.t, w.cache(), "the cache is gone")
	require.Zero(w.t, w.schedules(), "the schedules are removed")
	require.Empty(w.t, w.uploads(), "no upload stays open")
	text := w.text("manifest", "json")
	m, err := export.ParseManifest([]byte(text))
	require.NoError(w.t, err)
	require.True(w.t, m.Complete)
	require.NoError(w.t, checkManifest(w.t, []byte(text)))
	m.Attempts, m.Warnings, m.CreatedAt, m.LoadStart, m.Metrics.SourceAge = 0, nil, time.Time{}, nil, ""
	m.APIEndpoint, m.Membership.Endpoint, m.Membership.CreatedAt, m.Membership.DeletionRequestedAt = "", "", nil, nil
	for i := range m.Tasks {
		m.Tasks[i] = export.Task{LastStatus: m.Tasks[i].LastStatus, ExitCode: m.Tasks[i].ExitCode, StopCode: m.Tasks[i].StopCode}
	}
	return outcome{w.text("metrics", "csv"), w.text("logs", "txt"), m}
}

func (w *frozen) file(kind, extension string) string {
	return w.dir + "/s3/exports/exports/" + kind + "/" + w.run + "." + extension
}
