// Package stack is what is deployed under a name, as AWS shows it: run, load, cache, exports and left-overs.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/smithy-go"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Stack is what is deployed under a name, as AWS shows it. Names are known at plan time, so no state is read.
type Stack struct {
	AWS    aws.Config
	Config shutdown.Config // the Lambda's; without a Lambda, only what names give
	Lambda string          // function name; "" when it does not exist

	ecs       *ecs.Client
	cache     *elasticache.Client
	logs      *cloudwatchlogs.Client
	metrics   *cloudwatch.Client
	schedules *scheduler.Client
	s3        *s3.Client
	functions *lambda.Client

	latency latency
}

// Open is the stack that config names, in a Region ("": the environment's). It reads the Lambda's configuration.
func Open(ctx context.Context, ws *workspace.Workspace, region string, config shutdown.Config) (*Stack, error) {
	cfg, err := ws.AWS(ctx, region)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS Region: set aws_region, or AWS_REGION in the environment")
	}
	s := &Stack{AWS: cfg, Config: config, ecs: ecs.NewFromConfig(cfg), cache: elasticache.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), metrics: cloudwatch.NewFromConfig(cfg),
		schedules: scheduler.NewFromConfig(cfg), s3: s3.NewFromConfig(cfg), functions: lambda.NewFromConfig(cfg)}
	name := config.Name + "-stop"
	out, err := s.functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if Missing(err) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Lambda function %s: %w", name, err)
	}
	s.Lambda = name
	if out.Environment != nil && out.Environment.Variables["CONFIG"] != "" {
		if s.Config, err = shutdown.ParseConfig(out.Environment.Variables["CONFIG"]); err != nil {
			return nil, fmt.Errorf("Lambda function %s: %w", name, err)
		}
	}
	return s, nil
}

// Dashboard is the page of the stack's dashboard in the embedded AWS; "" on AWS.
func (s *Stack) Dashboard() string {
	if s.AWS.BaseEndpoint == nil {
		return ""
	}
	return *s.AWS.BaseEndpoint + "/_localaws/dashboard/" + s.Config.Name + "-" + s.AWS.Region
}

// Missing covers the services' error codes for it: ReplicationGroupNotFoundFault, ResourceNotFoundException, InvalidSubnetID.NotFound, NoSuchKey ...
// but not NoSuchBucket.
func Missing(err error) bool {
	return strings.Contains(Code(err), "NotFound") || Code(err) == "NoSuchKey"
}

// Code is the code of an error of AWS; "" of others.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Run is the current run, from the watch schedule's input; nil if there is none.
func (s *Stack) Run(ctx context.Context) (*shutdown.Event, error) {
	out, err := s.schedules.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &s.Config.Schedules.Group, Name: &s.Config.Schedules.Watch})
	if Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", s.Config.Schedules.Watch, err)
	}
	var event shutdown.Event
	if out.Target == nil || json.Unmarshal([]byte(aws.ToString(out.Target.Input)), &event) != nil || event.Run == "" {
		return nil, fmt.Errorf("schedule %s: its input names no run", s.Config.Schedules.Watch)
	}
	event.StopBy = s.Config.EndOf(event)
	return &event, nil
}

// StopsAt is the time of the stop schedule; zero when there is none.
func (s *Stack) StopsAt(ctx context.Context) (time.Time, error) {
	out, err := s.schedules.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &s.Config.Schedules.Group, Name: &s.Config.Schedules.Stop})
	if Missing(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("schedule %s: %w", s.Config.Schedules.Stop, err)
	}
	return time.Parse("at(2006-01-02T15:04:05)", aws.ToString(out.ScheduleExpression))
}

// Service is the load's; nil when it does not exist or is gone.
func (s *Stack) Service(ctx context.Context) (*types.Service, error) {
	out, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.Config.Cluster, Services: []string{s.Config.Service}})
	if Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.Config.Service, err)
	}
	if len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE" {
		return nil, nil
	}
	return &out.Services[0], nil
}

// Manifest is a run's; nil when it is not written yet, or belongs to another stack.
func (s *Stack) Manifest(ctx context.Context, run string) (*export.Manifest, error) {
	m, err := ReadManifest(ctx, s.s3, s.Config.Bucket, s.Config.ManifestKey(run))
	if Missing(err) || err == nil && m.Name != s.Config.Name {
		return nil, nil
	}
	return m, err
}

// Taken tells whether a run has the name of another stack's: two that start in the same second below one prefix, of which the other one was first.
func (s *Stack) Taken(ctx context.Context, run string) (bool, error) {
	key := s.Config.StateKey(run)
	out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Config.Bucket, Key: &key})
	if Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("s3://%s/%s: %w", s.Config.Bucket, key, err)
	}
	return out.Metadata[export.Metadata] != s.Config.Owner(run), nil
}

// ReadManifest reads the manifest under a key, of whatever stack.
func ReadManifest(ctx context.Context, client *s3.Client, bucket, key string) (*export.Manifest, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", bucket, key, err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", bucket, key, err)
	}
	m, err := export.ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", bucket, key, err)
	}
	return &m, nil
}

// Latest is the newest manifest of this stack; nil when there is none. Runs sort by time.
func (s *Stack) Latest(ctx context.Context) (*export.Manifest, error) {
	prefix := strings.TrimSuffix(s.Config.ManifestKey("x"), "x.json")
	var runs []string
	pages := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: &s.Config.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("s3://%s/%s: %w", s.Config.Bucket, prefix, err)
		}
		for _, o := range page.Contents {
			if run, ok := strings.CutSuffix(strings.TrimPrefix(aws.ToString(o.Key), prefix), ".json"); ok {
				runs = append(runs, run)
			}
		}
	}
	slices.Sort(runs)
	for _, run := range slices.Backward(runs) {
		if m, err := s.Manifest(ctx, run); err != nil || m != nil {
			return m, err
		}
	}
	return nil, nil
}

// Loaded reports whether the load of a run ever started: a task of that time wrote to the log.
func (s *Stack) Loaded(ctx context.Context, run string) (bool, error) {
	started, err := shutdown.ParseRun(run)
	if err != nil {
		return false, err
	}
	events, err := s.LoadLog(ctx, started, 1, "")
	return len(events) > 0, err
}

// LogEvent is one event of the load's log.
type LogEvent struct {
	At           time.Time
	Stream, Text string
}

// LoadLog returns about limit events at most, the first since a time that match a filter pattern ("": all); none if there is no log group.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func (s *Stack) LoadLog(ctx context.Context, since time.Time, limit int, pattern string) ([]LogEvent, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &s.Config.Logs.Load, StartTime: aws.Int64(since.UnixMilli()), Limit: aws.Int32(int32(min(limit, 10_000)))}
	if pattern != "" {
		in.FilterPattern = &pattern
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(s.logs, in)
	var events []LogEvent
	for pages.HasMorePages() && len(events) < limit {
		page, err := pages.NextPage(ctx)
		if Missing(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("log group %s: %w", s.Config.Logs.Load, err)
		}
		for _, e := range page.Events {
			events = append(events, LogEvent{time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), aws.ToString(e.LogStreamName), strings.TrimSpace(aws.ToString(e.Message))})
		}
	}
	return events, nil
}

// Throughput is the operations of the last second, summed over the tasks that reported within the last ten; ops is all they did.
func Throughput(events []LogEvent, now time.Time) (perSecond, ops int64) {
	last := map[string]report.Progress{}
	for _, e := range events {
		if p, ok := report.ParseProgress(e.Text); ok && now.Sub(e.At) < 10*time.Second {
			last[e.Stream] = p
		}
	}
	for _, p := range last {
		perSecond += p.OpsPerSecond
		ops += p.Operations
	}
	return perSecond, ops
}

// Trouble returns why the load does not run: the service's latest events, the stopped tasks' reasons, and the tasks' last lines.
func (s *Stack) Trouble(ctx context.Context) string {
	var b strings.Builder
	if service, err := s.Service(ctx); err == nil && service != nil {
		for _, e := range service.Events[:min(3, len(service.Events))] {
			fmt.Fprintf(&b, "  service: %s\n", aws.ToString(e.Message))
		}
	}
	tasks, err := s.ecs.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &s.Config.Cluster, ServiceName: &s.Config.Service, DesiredStatus: types.DesiredStatusStopped})
	if err == nil && len(tasks.TaskArns) > 0 {
		described, err := s.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &s.Config.Cluster, Tasks: tasks.TaskArns})
		if err == nil {
			for _, t := range described.Tasks[:min(3, len(described.Tasks))] {
				fmt.Fprintf(&b, "  task %s stopped: %s\n", tail(aws.ToString(t.TaskArn)), aws.ToString(t.StoppedReason))
				for _, c := range t.Containers {
					fmt.Fprintf(&b, "    container %s: %s\n", aws.ToString(c.Name), strings.TrimSpace(fmt.Sprintf("%s %s", exitCode(c.ExitCode), aws.ToString(c.Reason))))
				}
			}
		}
	}
	events, err := s.LoadLog(ctx, time.Now().Add(-30*time.Minute), 10_000, "")
	if err == nil {
		for _, e := range events[max(0, len(events)-15):] {
			fmt.Fprintf(&b, "  %s [%s] %s\n", e.At.Format("15:04:05"), e.Stream, e.Text)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func exitCode(c *int32) string {
	if c == nil {
		return "never ran"
	}
	return fmt.Sprintf("exit code %d", *c)
}

// tail is an ARN's last part.
func tail(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// Invoke runs the Lambda in the background, as a schedule does.
func (s *Stack) Invoke(ctx context.Context, event shutdown.Event) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	_, err = s.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &s.Lambda, InvocationType: "Event", Payload: payload})
	if err != nil {
		return fmt.Errorf("Lambda function %s: %w", s.Lambda, err)
	}
	return nil
}

// Progress is the progress of a run's end, in a few words. What cannot be read is unknown.
func (s *Stack) Progress(ctx context.Context) string {
	tasks, cache := "load gone", "cache gone"
	service, err := s.Service(ctx)
	switch {
	case err != nil:
		tasks = "load not known"
	case service != nil:
		tasks = report.Quantity(int(service.RunningCount), "task") + " running"
	}
	status, err := s.CacheStatus(ctx)
	switch {
	case err != nil:
		cache = "cache not known"
	case !s.Config.Cache.Delete:
		cache = "the cache stays"
	case status != "":
		cache = "cache " + status
	}
	return tasks + ", " + cache
}

// Billed names what is billed of the load and the stack's own cache; "" if nothing is. A cache that is being deleted does not count.
func (s *Stack) Billed(ctx context.Context) (string, error) {
	var there []string
	service, err := s.Service(ctx)
	if err != nil {
		return "", err
	}
	if service != nil && service.DesiredCount+service.RunningCount+service.PendingCount > 0 {
		there = append(there, fmt.Sprintf("the service %s runs %d of %s", s.Config.Service, service.RunningCount, report.Quantity(int(service.DesiredCount), "task")))
	}
	status, err := s.CacheStatus(ctx)
	if err != nil {
		return "", err
	}
	if status != "" && status != "deleting" {
		there = append(there, fmt.Sprintf("the cache %s is %s", CacheName(s.Config.Cache), status))
	}
	return strings.Join(there, ", "), nil
}
