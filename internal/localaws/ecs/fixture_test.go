package ecs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

const execution = "arn:aws:iam::123456789012:role/load-execution"

// fixture is ECS between real logs and the smallest stand-ins for its other neighbours.
type fixture struct {
	t    *testing.T
	acct *account.Account
	ecs  *sdk.Client
	logs *cloudwatchlogs.Client
	svc  *ecs.Service

	mu       sync.Mutex
	attached map[string]bool // task ARNs that hold a network interface
	untrust  bool
	denied   []string // actions of the execution role
	points   []point
}

type point struct {
	cloudwatch.Metric
	at    time.Time
	value float64
}

func (w *fixture) Subnet(id string) (ec2.Subnet, bool) {
	return ec2.Subnet{ID: id, VPC: "vpc-1", AZ: "us-east-1a", CIDR: "10.0.1.0/24"}, strings.HasPrefix(id, "subnet-")
}

func (w *fixture) SecurityGroup(id string) (ec2.SecurityGroup, bool) {
	return ec2.SecurityGroup{ID: id, VPC: "vpc-" + id[len(id)-1:]}, strings.HasPrefix(id, "sg-")
}

func (w *fixture) Attach(owner, _ string, _ []string) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached[owner] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.attached, owner)
	}
}

func (w *fixture) Trusts(arn, service string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return arn == execution && service == "ecs-tasks.amazonaws.com" && !w.untrust
}

func (w *fixture) Decide(principal, action, resource string, _ map[string]string) iam.Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	return iam.Decision{Principal: principal, Action: action, Resource: resource, Allowed: !slices.Contains(w.denied, action)}
}

func (w *fixture) Parameter(name string) (string, bool) {
	return "s3cret", name == "/x/auth" || name == "arn:aws:ssm:us-east-1:123456789012:parameter/x/auth"
}

func (w *fixture) Put(m cloudwatch.Metric, at time.Time, value float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.points = append(w.points, point{m, at, value})
}

func (w *fixture) measured() []point {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]point{}, w.points...)
}

// start has a cluster c and a log group /load.
func start(t *testing.T, change ...func(*account.Account, *ecs.Deps)) *fixture {
	w := &fixture{t: t, acct: wiretest.Account(t), attached: map[string]bool{}}
	l, r := logs.New(w.acct), wire.NewRegistry()
	deps := ecs.Deps{EC2: w, IAM: w, Logs: l, SSM: w, CloudWatch: w}
	for _, f := range change {
		f(w.acct, &deps)
	}
	w.svc = ecs.New(w.acct, deps)
	t.Cleanup(func() { require.NoError(t, w.svc.Close()); require.NoError(t, l.Close()) })
	l.Register(r)
	w.svc.Register(r)
	cfg := wiretest.Config(t, r)
	w.ecs, w.logs = sdk.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	_, err := w.logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/load")})
	require.NoError(t, err)
	_, err = w.ecs.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: aws.String("c")})
	require.NoError(t, err)
	return w
}

// standing is a clock that the test moves; metrics are a day apart.
func standing(c *wiretest.Clock) func(*account.Account, *ecs.Deps) {
	return func(a *account.Account, _ *ecs.Deps) { a.Clock, a.MetricsPeriod = c, 24*time.Hour }
}

func code(t *testing.T, err error, want, text string) {
	t.Helper()
	var e smithy.APIError
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.ErrorCode())
	require.Contains(t, e.ErrorMessage(), text)
}

// container runs a shell script and writes to /load.
func container(script string) types.ContainerDefinition {
	return types.ContainerDefinition{Name: aws.String("memtier"), Image: aws.String("redislabs/memtier_benchmark:2.3.1"),
		EntryPoint: []string{"sh", "-c", script}, Command: []string{"memtier", "--x=1"}, StopTimeout: aws.Int32(5),
		LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
			"awslogs-group": "/load", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "load", "mode": "blocking"}}}
}

func definition(containers ...types.ContainerDefinition) *sdk.RegisterTaskDefinitionInput {
	return &sdk.RegisterTaskDefinitionInput{Family: aws.String("load"), RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String(execution), ContainerDefinitions: containers}
}

func (w *fixture) register(in *sdk.RegisterTaskDefinitionInput) string {
	w.t.Helper()
	out, err := w.ecs.RegisterTaskDefinition(w.t.Context(), in)
	require.NoError(w.t, err)
	return *out.TaskDefinition.TaskDefinitionArn
}

func service(definition string, count int32) *sdk.CreateServiceInput {
	return &sdk.CreateServiceInput{Cluster: aws.String("c"), ServiceName: aws.String("s"), TaskDefinition: &definition, DesiredCount: &count,
		LaunchType: types.LaunchTypeFargate, PropagateTags: types.PropagateTagsService, EnableECSManagedTags: true,
		Tags: []types.Tag{{Key: aws.String("name"), Value: aws.String("x")}}, NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-1"}}}}
}

func (w *fixture) create(in *sdk.CreateServiceInput) {
	w.t.Helper()
	_, err := w.ecs.CreateService(w.t.Context(), in)
	require.NoError(w.t, err)
}

func (w *fixture) describe() types.Service {
	w.t.Helper()
	out, err := w.ecs.DescribeServices(w.t.Context(), &sdk.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"s"}, Include: []types.ServiceField{types.ServiceFieldTags}})
	require.NoError(w.t, err)
	require.Len(w.t, out.Services, 1)
	return out.Services[0]
}

// until waits for a state of the service.
func (w *fixture) until(what string, is func(types.Service) bool) types.Service {
	w.t.Helper()
	var v types.Service
	wiretest.Until(w.t, "the service is "+what, func() (any, bool) { v = w.describe(); return shown{v}, is(v) })
	return v
}

// shown is a message's text, should it be needed.
type shown struct{ of any }

func (s shown) String() string {
	text, _ := json.MarshalIndent(s.of, "", " ") // what the SDK gave always encodes
	return string(text)
}

func (w *fixture) steady() types.Service {
	w.t.Helper()
	return w.until("steady", func(v types.Service) bool {
		return len(v.Deployments) == 1 && v.RunningCount == v.DesiredCount && v.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
}

// tasks lists a service's tasks by their desired status.
func (w *fixture) tasks(status types.DesiredStatus) []types.Task {
	w.t.Helper()
	l, err := w.ecs.ListTasks(w.t.Context(), &sdk.ListTasksInput{Cluster: aws.String("c"), DesiredStatus: status})
	require.NoError(w.t, err)
	if len(l.TaskArns) == 0 {
		return nil
	}
	out, err := w.ecs.DescribeTasks(w.t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: l.TaskArns, Include: []types.TaskField{types.TaskFieldTags}})
	require.NoError(w.t, err)
	require.Empty(w.t, out.Failures)
	return out.Tasks
}

// stopped waits until n tasks are STOPPED.
func (w *fixture) stopped(n int) (ended []types.Task) {
	w.t.Helper()
	wiretest.Until(w.t, fmt.Sprintf("%d tasks are STOPPED", n), func() (any, bool) {
		ended = nil
		for _, t := range w.tasks(types.DesiredStatusStopped) {
			if *t.LastStatus == "STOPPED" {
				ended = append(ended, t)
			}
		}
		return shown{ended}, len(ended) >= n
	})
	return ended
}

// lines are the messages of a task's stream.
func (w *fixture) lines(t types.Task) (messages []string) {
	w.t.Helper()
	stream := "load/memtier/" + filepath.Base(*t.TaskArn)
	out, err := w.logs.GetLogEvents(w.t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/load"), LogStreamName: &stream, StartFromHead: aws.Bool(true)})
	require.NoError(w.t, err)
	for _, e := range out.Events {
		messages = append(messages, *e.Message)
	}
	return messages
}

// says waits until a running task has written a line.
func (w *fixture) says(t types.Task, line string) {
	w.t.Helper()
	wiretest.Until(w.t, fmt.Sprintf("%s says %q", *t.TaskArn, line), func() (any, bool) {
		lines := w.lines(t)
		return lines, slices.Contains(lines, line)
	})
}

// events are the service's, oldest first, without the parts that are different each time.
func events(v types.Service) (messages []string) {
	for i := range v.Events {
		messages = append(messages, *v.Events[len(v.Events)-1-i].Message)
	}
	return messages
}

func folders(t *testing.T, dir string) (names []string) {
	l, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range l {
		names = append(names, e.Name())
	}
	return names
}
