package ecs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

const forever = `trap 'echo terminated; exit 3' TERM; echo started; while :; do sleep 0.1; done`

func update(change func(*sdk.UpdateServiceInput)) *sdk.UpdateServiceInput {
	in := &sdk.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("s")}
	change(in)
	return in
}

func TestServiceLife(t *testing.T) {
	w := start(t, func(a *account.Account, _ *ecs.Deps) {
		a.Delays.TaskStart, a.Delays.TaskStop = 20*time.Millisecond, 20*time.Millisecond
	})
	ctx := t.Context()
	arn := w.register(definition(container(forever)))
	in := service(arn, 2)
	in.ClientToken = aws.String("token")
	created, err := w.ecs.CreateService(ctx, in)
	require.NoError(t, err)
	require.Equal(t, types.DeploymentRolloutStateInProgress, created.Service.Deployments[0].RolloutState)
	w.create(in) // the same token is the same call
	in.ClientToken = nil
	_, err = w.ecs.CreateService(ctx, in)
	code(t, err, "InvalidParameterException", "Creation of service was not idempotent.")

	v := w.steady()
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:service/c/s", *v.ServiceArn)
	require.Equal(t, "ACTIVE", *v.Status)
	require.Equal(t, "LATEST", *v.PlatformVersion)
	require.Equal(t, "1.4.0", *v.Deployments[0].PlatformVersion)
	require.Equal(t, types.AvailabilityZoneRebalancingEnabled, v.AvailabilityZoneRebalancing)
	require.Equal(t, types.AssignPublicIpDisabled, v.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp)
	require.Equal(t, []types.Tag{{Key: aws.String("name"), Value: aws.String("x")}}, v.Tags)
	require.Equal(t, int32(200), *v.DeploymentConfiguration.MaximumPercent)
	id := *v.Deployments[0].Id
	said := events(v)
	require.Regexp(t, `^\(service s\) has started 2 tasks: \(task [0-9a-f]{32}\) \(task [0-9a-f]{32}\)\.$`, said[0])
	require.Equal(t, []string{"(service s) (deployment " + id + ") deployment completed.", "(service s) has reached a steady state."}, said[1:])

	running := w.tasks(types.DesiredStatusRunning)
	require.Len(t, running, 2)
	task := running[0]
	require.Equal(t, "RUNNING", *task.LastStatus)
	require.Equal(t, "service:s", *task.Group)
	require.Equal(t, id, *task.StartedBy)
	require.Equal(t, "256", *task.Cpu)
	require.Contains(t, task.Tags, types.Tag{Key: aws.String("aws:ecs:serviceName"), Value: aws.String("s")})
	require.Contains(t, task.Tags, types.Tag{Key: aws.String("name"), Value: aws.String("x")})
	require.Equal(t, "ElasticNetworkInterface", *task.Attachments[0].Type)
	details := map[string]string{}
	for _, d := range task.Attachments[0].Details {
		details[*d.Name] = *d.Value
	}
	require.Regexp(t, `^10\.0\.1\.\d+$`, details["privateIPv4Address"])
	require.Equal(t, details["privateIPv4Address"], *task.Containers[0].NetworkInterfaces[0].PrivateIpv4Address)
	require.False(t, task.StartedAt.Before(*task.PullStartedAt) || task.PullStartedAt.Before(*task.CreatedAt))

	_, err = w.ecs.DeleteService(ctx, &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s")})
	code(t, err, "InvalidParameterException", "scaled above 0")
	_, err = w.ecs.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})
	code(t, err, "ClusterContainsServicesException", "Services are active")

	for _, task := range running { // and will hear SIGTERM
		w.says(task, "started")
	}
	// a changed count is no new deployment; it stops tasks by SIGTERM, and their last words arrive
	_, err = w.ecs.UpdateService(ctx, update(func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(0) }))
	require.NoError(t, err)
	for _, task := range w.stopped(2) {
		require.Equal(t, types.TaskStopCodeServiceSchedulerInitiated, task.StopCode)
		require.Equal(t, "Scaling activity initiated by (deployment "+id+")", *task.StoppedReason)
		require.Equal(t, int32(3), *task.Containers[0].ExitCode)
		require.False(t, task.StoppedAt.Before(*task.ExecutionStoppedAt) || task.ExecutionStoppedAt.Before(*task.StoppingAt))
		require.Equal(t, []string{"started", "terminated"}, w.lines(task))
	}
	v = w.steady()
	require.Equal(t, id, *v.Deployments[0].Id)
	require.Empty(t, w.tasks(types.DesiredStatusRunning), "ListTasks gives RUNNING by default, and none is")
	w.mu.Lock()
	require.Empty(t, w.attached)
	w.mu.Unlock()
	require.Empty(t, folders(t, filepath.Join(w.acct.Dir, "tasks")))

	_, err = w.ecs.DeleteService(ctx, &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s")})
	require.NoError(t, err)
	require.Equal(t, "INACTIVE", *w.describe().Status)
	again, err := w.ecs.DeleteService(ctx, &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s")}) // as the SDK does when an answer was lost
	require.NoError(t, err)
	require.Equal(t, "INACTIVE", *again.Service.Status)
	_, err = w.ecs.UpdateService(ctx, update(func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(1) }))
	code(t, err, "ServiceNotActiveException", "Service was not ACTIVE.")
	w.create(service(arn, 0)) // the name is free again
	_, err = w.ecs.DeleteService(ctx, &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), Force: aws.Bool(true)})
	require.NoError(t, err)
	gone, err := w.ecs.DescribeServices(ctx, &sdk.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"never"}})
	require.NoError(t, err)
	require.Equal(t, "MISSING", *gone.Failures[0].Reason)
	deleted, err := w.ecs.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("c")})
	require.NoError(t, err)
	require.Equal(t, "INACTIVE", *deleted.Cluster.Status)
}

func TestANewTaskDefinitionIsARollingDeployment(t *testing.T) {
	w := start(t)
	w.create(service(w.register(definition(container(forever))), 2))
	first := w.steady().Deployments[0]
	two := w.register(definition(container("echo two; " + forever)))
	updated, err := w.ecs.UpdateService(t.Context(), update(func(in *sdk.UpdateServiceInput) { in.TaskDefinition = &two }))
	require.NoError(t, err)
	require.Equal(t, "PRIMARY", *updated.Service.Deployments[0].Status)
	require.Equal(t, "ACTIVE", *updated.Service.Deployments[1].Status)
	v := w.until("replaced", func(v types.Service) bool {
		return len(v.Deployments) == 1 && v.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
	require.NotEqual(t, *first.Id, *v.Deployments[0].Id)
	require.Equal(t, two, *v.TaskDefinition)
	for _, task := range w.tasks(types.DesiredStatusRunning) {
		require.Equal(t, two, *task.TaskDefinitionArn)
	}
	// minimum 100 %: no old one went before a new one ran
	fresh := w.tasks(types.DesiredStatusRunning)
	for _, old := range w.stopped(2) {
		require.False(t, old.StoppingAt.Before(*fresh[0].StartedAt) && old.StoppingAt.Before(*fresh[1].StartedAt))
	}
	_, err = w.ecs.UpdateService(t.Context(), update(func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true }))
	require.NoError(t, err)
	w.until("replaced again", func(n types.Service) bool {
		return len(n.Deployments) == 1 && *n.Deployments[0].Id != *v.Deployments[0].Id && n.RunningCount == 2
	})
}

// Minimum 0 % and maximum 100 %: the old tasks make room first.
func TestReplaceInPlace(t *testing.T) {
	w := start(t)
	in := service(w.register(definition(container(forever))), 1)
	in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(100)}
	in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingDisabled
	w.create(in)
	w.steady()
	_, err := w.ecs.UpdateService(t.Context(), update(func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true }))
	require.NoError(t, err)
	old := w.stopped(1)[0]
	w.until("replaced", func(v types.Service) bool { return len(v.Deployments) == 1 && v.RunningCount == 1 })
	require.NotEqual(t, *old.TaskArn, *w.tasks(types.DesiredStatusRunning)[0].TaskArn)
}

func TestATaskThatEndsIsReplaced(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock))
	flag := filepath.Join(w.acct.Dir, "once")
	w.create(service(w.register(definition(container(fmt.Sprintf("[ -e %s ] || { touch %[1]s; echo out; echo err >&2; exit 7; }; %s", flag, forever)))), 1))
	ended := w.stopped(1)[0]
	require.Equal(t, types.TaskStopCodeEssentialContainerExited, ended.StopCode)
	require.Equal(t, "Essential container in task exited", *ended.StoppedReason)
	require.Equal(t, int32(7), *ended.Containers[0].ExitCode)
	require.ElementsMatch(t, []string{"out", "err"}, w.lines(ended))
	clock.Next(t, time.Second) // the scheduler's round
	v := w.steady()
	require.Len(t, w.tasks(types.DesiredStatusRunning), 1)
	require.Zero(t, v.Deployments[0].FailedTasks, "it ran, so it is no failure to start")
	out, err := w.ecs.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{"unknown"}})
	require.NoError(t, err)
	require.Equal(t, "MISSING", *out.Failures[0].Reason)
}

// The circuit breaker's threshold is 3 for small services.
func TestTasksThatCannotStart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*types.ContainerDefinition)
		reason string
	}{
		"secret": {func(c *types.ContainerDefinition) {
			c.Secrets = []types.Secret{{Name: aws.String("TOKEN"), ValueFrom: aws.String("/x/none")}}
		}, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: /x/none"},
		"log group": {func(c *types.ContainerDefinition) { c.LogConfiguration.Options["awslogs-group"] = "/none" },
			"ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"},
		"program": {func(c *types.ContainerDefinition) { c.EntryPoint = []string{"no-such-program"} }, `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim: OCI runtime create failed: runc create failed: unable to start container process: exec: "no-such-program": executable file not found in $PATH: unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			clock := wiretest.NewClock()
			w := start(t, standing(clock))
			bad := container("true")
			c.change(&bad)
			in := service(w.register(definition(bad)), 1)
			in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}}
			w.create(in)
			clock.Next(t, time.Second) // each wait is twice as long
			clock.Next(t, 2*time.Second)
			v := w.until("FAILED", func(v types.Service) bool { return v.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed })
			require.Equal(t, int32(3), v.Deployments[0].FailedTasks)
			require.Equal(t, "ECS deployment circuit breaker: tasks failed to start.", *v.Deployments[0].RolloutStateReason)
			said := events(v)
			require.Contains(t, said, "(service s) (deployment "+*v.Deployments[0].Id+") deployment failed: tasks failed to start.")
			require.Contains(t, said, "(service s) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
			for _, task := range w.stopped(3) {
				require.Equal(t, types.TaskStopCodeTaskFailedToStart, task.StopCode)
				require.Equal(t, c.reason, *task.StoppedReason)
				require.Nil(t, task.StartedAt)
				require.Nil(t, task.Containers[0].ExitCode)
			}
		})
	}
}

func TestCircuitBreakerRollsBack(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock))
	good := w.register(definition(container(forever)))
	in := service(good, 1)
	in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	w.create(in)
	w.steady()
	bad := container("true")
	bad.EntryPoint = []string{"no-such-program"}
	arn := w.register(definition(bad))
	_, err := w.ecs.UpdateService(t.Context(), update(func(in *sdk.UpdateServiceInput) { in.TaskDefinition = &arn }))
	require.NoError(t, err)
	clock.Next(t, time.Second)
	clock.Next(t, 2*time.Second)
	w.until("rolled back", func(v types.Service) bool {
		return *v.TaskDefinition == good && len(v.Deployments) == 1 && v.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted
	})
}

func TestRoleThatECSCannotAssume(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock))
	w.untrust = true
	w.create(service(w.register(definition(container(forever))), 1))
	said := events(w.describe())
	require.Len(t, said, 1)
	require.Contains(t, said[0], "(service s) failed to launch a task with (error ECS was unable to assume the role '"+execution+"'")
	w.mu.Lock()
	w.untrust = false // the role became ready: the scheduler tries again by itself
	w.mu.Unlock()
	clock.Next(t, time.Second)
	w.steady()
}

// https://docs.aws.amazon.com/general/latest/gr/ecs-service.html: 6 vCPUs.
func TestVCPUQuota(t *testing.T) {
	w := start(t)
	d := definition(container(forever))
	d.Cpu, d.Memory = aws.String("2 vCPU"), aws.String("4 GB")
	w.create(service(w.register(d), 4))
	v := w.until("at its limit", func(v types.Service) bool { return v.RunningCount == 3 })
	require.Contains(t, events(v), "(service s) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	require.Equal(t, int32(4), v.DesiredCount)
	_, err := w.ecs.UpdateService(t.Context(), update(func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(3) }))
	require.NoError(t, err)
	w.steady()
}

// Close leaves no process, whatever the tasks do with SIGTERM.
func TestCloseEndsEveryProcess(t *testing.T) {
	w := start(t)
	pids := filepath.Join(w.acct.Dir, "pids")
	w.create(service(w.register(definition(container("trap '' TERM; sleep 1000 & echo $$ $! >>"+pids+"; wait; sleep 1000"))), 2))
	w.steady()
	var fields []string
	wiretest.Until(t, "four processes", func() (any, bool) {
		b, _ := os.ReadFile(pids)
		fields = strings.Fields(string(b))
		return fields, len(fields) == 4
	})
	require.NoError(t, w.svc.Close())
	for _, f := range fields {
		stat, err := os.ReadFile("/proc/" + f + "/stat")
		require.True(t, err != nil || strings.Contains(string(stat), ") Z "), "process %s lives: %s", f, stat)
	}
}

func TestWrongServices(t *testing.T) {
	w := start(t)
	arn := w.register(definition(container(forever)))
	for text, change := range map[string]func(*sdk.CreateServiceInput){
		"Cluster not found.":        func(in *sdk.CreateServiceInput) { in.Cluster = aws.String("none") },
		"TaskDefinition not found.": func(in *sdk.CreateServiceInput) { in.TaskDefinition = aws.String("none") },
		"The subnet ID 'net-1' does not exist (ErrorCode: InvalidSubnetID.NotFound)": func(in *sdk.CreateServiceInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{"net-1"}
		},
		"The security group 'g' does not exist": func(in *sdk.CreateServiceInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = []string{"g"}
		},
		"must be in the same VPC": func(in *sdk.CreateServiceInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = []string{"sg-2"}
		},
		"Network Configuration must be provided":  func(in *sdk.CreateServiceInput) { in.NetworkConfiguration = nil },
		"The specified platform does not exist.":  func(in *sdk.CreateServiceInput) { in.PlatformVersion = aws.String("9") },
		"localaws serves launchType FARGATE only": func(in *sdk.CreateServiceInput) { in.LaunchType = types.LaunchTypeEc2 },
		"ENABLED with a maximumPercent above 100": func(in *sdk.CreateServiceInput) {
			in.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled
			in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(0), MaximumPercent: aws.Int32(100)}
		},
		"no deployment could proceed": func(in *sdk.CreateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{MaximumPercent: aws.Int32(100)}
		},
		"localaws does not serve loadBalancers": func(in *sdk.CreateServiceInput) {
			in.LoadBalancers = []types.LoadBalancer{{ContainerName: aws.String("x")}}
		},
	} {
		in := service(arn, 1)
		change(in)
		_, err := w.ecs.CreateService(t.Context(), in)
		require.ErrorContains(t, err, text)
	}
	_, err := w.ecs.DescribeServices(t.Context(), &sdk.DescribeServicesInput{Cluster: aws.String("c"), Services: make([]string, 11)})
	require.ErrorContains(t, err, "more than 10 elements")
	_, err = w.ecs.DescribeTasks(t.Context(), &sdk.DescribeTasksInput{Cluster: aws.String("c"), Tasks: make([]string, 101)})
	require.ErrorContains(t, err, "more than 100 elements")
}

// What the execution role may not do ends a task before it runs, with AWS's reason.
func TestExecutionRole(t *testing.T) {
	for action, reason := range map[string]string{
		"logs:CreateLogStream": "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: " +
			"AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/load-execution/TASK is not authorized to perform: logs:CreateLogStream on resource: " +
			"arn:aws:logs:us-east-1:123456789012:log-group:/load:log-stream:load/memtier/TASK because no identity-based policy allows the logs:CreateLogStream action",
		"ssm:GetParameters": "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: " +
			"arn:aws:sts::123456789012:assumed-role/load-execution/TASK is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:123456789012:parameter/x/auth because",
		"secretsmanager:GetSecretValue": "failed to fetch secret arn:aws:secretsmanager:us-east-1:123456789012:secret:hub from secrets manager: AccessDeniedException: ",
		"ecr:GetAuthorizationToken":     "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: ",
		"ecr:BatchGetImage":             "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/hub/memtier:1: ",
		"ecr:BatchImportUpstreamImage":  "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/hub/memtier:1: ",
	} {
		t.Run(action, func(t *testing.T) {
			w := start(t)
			w.mu.Lock()
			w.denied = []string{action}
			w.mu.Unlock()
			c := container(`echo started`)
			c.Secrets = []types.Secret{{Name: aws.String("TOKEN"), ValueFrom: aws.String("/x/auth")}}
			c.Image = aws.String("123456789012.dkr.ecr.us-east-1.amazonaws.com/hub/memtier:1")
			w.svc.PullThrough("hub")
			if action == "secretsmanager:GetSecretValue" {
				c.RepositoryCredentials = &types.RepositoryCredentials{CredentialsParameter: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:hub")}
			}
			ended := w.run(w.register(definition(c)))
			require.Equal(t, types.TaskStopCodeTaskFailedToStart, ended.StopCode)
			require.Contains(t, *ended.StoppedReason, strings.ReplaceAll(reason, "TASK", filepath.Base(*ended.TaskArn)))
		})
	}
}
