package test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// creation is a call by which a default apply creates something.
type creation struct {
	resource string
	action   string
	holds    string // text that is only in this call's request, not in others of the action; NAME is the stack's name
	short    bool   // also in mage test
}

func (c creation) holding(name string) string { return strings.ReplaceAll(c.holds, "NAME", name) }

// creations are all such calls; TestDestroyAfterEveryFailure verifies that.
var creations = []creation{
	{resource: "module.cache[0].aws_cloudwatch_log_group.this", action: "logs.CreateLogGroup", holds: "NAME/engine-log"},
	{resource: "module.cache[0].aws_cloudwatch_log_group.this", action: "logs.CreateLogGroup", holds: "NAME/slow-log"},
	{resource: "module.cache[0].aws_cloudwatch_log_group.this", action: "logs.PutRetentionPolicy", holds: "NAME/engine-log"},
	{resource: "module.cache[0].aws_cloudwatch_log_group.this", action: "logs.PutRetentionPolicy", holds: "NAME/slow-log"},
	{resource: "module.cache[0].aws_elasticache_subnet_group.this", action: "elasticache.CreateCacheSubnetGroup"},
	{resource: "module.cache[0].aws_elasticache_parameter_group.this", action: "elasticache.CreateCacheParameterGroup"},
	{resource: "module.cache[0].aws_elasticache_parameter_group.this", action: "elasticache.ModifyCacheParameterGroup"}, // maxmemory-policy
	{resource: "module.cache[0].aws_security_group.this", action: "ec2.CreateSecurityGroup", holds: "GroupName=NAME-cache"},
	{resource: "aws_security_group.this", action: "ec2.RevokeSecurityGroupEgress"}, // both groups start with AWS's rule that allows all outgoing traffic
	{resource: "module.cache[0].aws_vpc_security_group_ingress_rule.clients", action: "ec2.AuthorizeSecurityGroupIngress"},
	{resource: "module.cache[0].aws_elasticache_replication_group.this", action: "elasticache.CreateReplicationGroup"},
	{resource: "module.load.aws_cloudwatch_log_group.load", action: "logs.CreateLogGroup", holds: "NAME/load"},
	{resource: "module.load.aws_cloudwatch_log_group.load", action: "logs.PutRetentionPolicy", holds: "NAME/load"},
	{resource: "module.load.aws_security_group.this", action: "ec2.CreateSecurityGroup", holds: "GroupName=NAME-load"},
	{resource: "module.load.aws_vpc_security_group_egress_rule.https", action: "ec2.AuthorizeSecurityGroupEgress", holds: "ToPort=443"},
	{resource: "module.load.aws_vpc_security_group_egress_rule.dns", action: "ec2.AuthorizeSecurityGroupEgress", holds: "ToPort=53"},
	{resource: "module.load.aws_vpc_security_group_egress_rule.cache", action: "ec2.AuthorizeSecurityGroupEgress", holds: "ToPort=6379"},
	{resource: "module.load.aws_iam_role.execution", action: "iam.CreateRole", holds: "RoleName=NAME-load-execution"},
	{resource: "module.load.aws_iam_role_policy.execution", action: "iam.PutRolePolicy", holds: "RoleName=NAME-load-execution"},
	{resource: "module.load.aws_iam_role.task", action: "iam.CreateRole", holds: "RoleName=NAME-load-task"},
	{resource: "module.load.aws_ecs_cluster.this", action: "ecs.CreateCluster"},
	{resource: "module.load.aws_ecs_task_definition.this", action: "ecs.RegisterTaskDefinition"},
	{resource: "module.load.aws_ecs_service.this", action: "ecs.CreateService"},
	{resource: "module.scheduler.aws_cloudwatch_log_group.this", action: "logs.CreateLogGroup", holds: "/aws/lambda/NAME-stop"},
	{resource: "module.scheduler.aws_cloudwatch_log_group.this", action: "logs.PutRetentionPolicy", holds: "/aws/lambda/NAME-stop"},
	{resource: "module.scheduler.aws_iam_role.lambda", action: "iam.CreateRole", holds: "RoleName=NAME-stop"},
	{resource: "module.scheduler.aws_iam_role_policy.lambda", action: "iam.PutRolePolicy", holds: "RoleName=NAME-stop"},
	{resource: "module.scheduler.aws_iam_role.scheduler", action: "iam.CreateRole", holds: "RoleName=NAME-scheduler"},
	{resource: "module.scheduler.aws_iam_role_policy.scheduler", action: "iam.PutRolePolicy", holds: "RoleName=NAME-scheduler"},
	{resource: "module.scheduler.aws_lambda_function.this", action: "lambda.CreateFunction"},
	{resource: "module.scheduler.aws_sqs_queue.dead", action: "sqs.CreateQueue"},
	{resource: "module.scheduler.aws_lambda_function_event_invoke_config.this", action: "lambda.PutFunctionEventInvokeConfig"},
	{resource: "module.scheduler.aws_cloudwatch_metric_alarm.errors", action: "monitoring.PutMetricAlarm", holds: "AlarmName=NAME-stop-errors"},
	{resource: "module.scheduler.aws_cloudwatch_metric_alarm.dead", action: "monitoring.PutMetricAlarm", holds: "AlarmName=NAME-stop-dlq"},
	{resource: "module.scheduler.aws_scheduler_schedule_group.this", action: "scheduler.CreateScheduleGroup"},
	{resource: "module.scheduler.aws_scheduler_schedule.watch", action: "scheduler.CreateSchedule", holds: "NAME-watch"},
	{resource: "module.scheduler.aws_lambda_invocation.preflight", action: "lambda.Invoke", holds: `"preflight"`},
	{resource: "module.scheduler.aws_lambda_invocation.destroy", action: "lambda.Invoke", holds: `"destroy"`},
	{resource: "module.scheduler.aws_lambda_invocation.destroyed", action: "lambda.Invoke", holds: `"destroyed"`},
	{resource: "module.scheduler.aws_scheduler_schedule.stop", action: "scheduler.CreateSchedule", holds: "NAME-load-stop", short: true},
	{resource: "module.dashboard.aws_cloudwatch_dashboard.this", action: "monitoring.PutDashboard"},
}

// The apply fails at each resource in turn, and destroy then leaves nothing. The longer suite first checks that the list is complete.
func TestDestroyAfterEveryFailure(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	if long() {
		t.Run("the list is complete", func(t *testing.T) {
			for _, call := range callsOfAnApply(t) {
				var found []string
				for _, c := range creations {
					if c.action == call.action && strings.Contains(call.text, c.holding(call.name)) {
						found = append(found, c.resource)
					}
				}
				assert.Len(t, found, 1, "%s of %.300s", call.action, call.text)
			}
		})
	}
	cases := make(chan creation)
	var wg sync.WaitGroup
	for range 3 { // the cases mostly wait for the provider
		wg.Go(func() {
			for c := range cases {
				t.Run(c.action+" "+strings.ReplaceAll(c.holds, "/", " "), c.fails)
			}
		})
	}
	for _, c := range creations {
		if c.short || long() {
			cases <- c
		}
	}
	close(cases)
	wg.Wait()
}

func (c creation) fails(t *testing.T) {
	w := newEnvironment(t)
	s := newStack(t, w, ".", nil)
	w.local.Faults.Add(wire.Fault{Action: c.action, First: 1, Kind: wire.Denied, Holds: c.holding(s.name)})
	start := time.Now()
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "AccessDenied")
	require.Contains(t, strings.Join(strings.Fields(err.Error()), " "), c.resource, "the resource is named")
	t.Logf("apply failed after %s", time.Since(start).Round(time.Second))
	w.local.Faults.Clear()
	_, unguarded := scheduler.NewFromConfig(w.Config).GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &s.name, Name: aws.String(s.name + "-watch")})
	if s.cacheExists(t) {
		require.NoError(t, unguarded, "nothing is billed without its guard")
	}
	if strings.HasPrefix(c.resource, "module.scheduler.aws_iam_role") {
		require.ErrorAs(t, unguarded, new(*types.ResourceNotFoundException), "the guard fires at once, so it is created after its permissions")
	}
	s.destroy(t.Context(), t)
	require.Empty(t, children(w.dir), "processes of nodes or tasks")
}

// call is a call that creates something.
type call struct{ name, action, text string }

// callsOfAnApply records an apply without faults.
func callsOfAnApply(t *testing.T) (calls []call) {
	t.Helper()
	var mu sync.Mutex
	var recorded []wire.Exchange
	w := newEnvironment(t, func(c *localaws.Config) {
		check := c.Record
		c.Record = func(x wire.Exchange) {
			check(x)
			mu.Lock()
			defer mu.Unlock()
			recorded = append(recorded, x)
		}
	})
	s := newStack(t, w, ".", nil)
	mu.Lock()
	recorded = nil // the test's own calls
	mu.Unlock()
	s.apply(t)
	mu.Lock()
	defer mu.Unlock()
	for _, x := range recorded {
		reads := slices.ContainsFunc([]string{"Describe", "Get", "List", "Head"}, func(verb string) bool { return strings.HasPrefix(x.Action, verb) })
		terraform := strings.Contains(x.RequestHeader.Get("User-Agent"), "terraform-provider-aws") // not the Lambda
		if !reads && terraform {
			calls = append(calls, call{s.name, x.Service + "." + x.Action, x.URL + " " + string(x.RequestBody)})
		}
	}
	return calls
}

func (s *stack) cacheExists(t *testing.T) bool {
	t.Helper()
	out, err := elasticache.NewFromConfig(s.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{})
	require.NoError(t, err)
	return len(out.ReplicationGroups) > 0
}

// Failed applies that nobody attends to: the cache exists, the load never did, and the second apply started a new run without reaching the cache, which
// still has the first run's tag. Once the new run is overdue, watch deletes the cache, and removes itself when no apply can create a load any more.
func TestWatchEndsAHalfCreatedRun(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	w.local.Scheduler.RateScale = 40 // rate(10 minutes) ticks every 15 s
	s := newStack(t, w, ".", map[string]any{"margin_minutes": 90})
	w.local.Faults.Add(wire.Fault{Action: "ecs.CreateService", First: 1, Kind: wire.Denied}, wire.Fault{Action: "elasticache.AddTagsToResource", First: 1, Kind: wire.Denied})
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "aws_ecs_service.this")
	first, guard := s.guard(t)
	started, err := shutdown.ParseRun(first)
	require.NoError(t, err)
	require.Contains(t, *guard.Target.Input, `"stop_by":"`+started.Add((60+90)*time.Minute).Format(time.RFC3339)+`"`, "the load's hour and the margin")
	s.options.ExtraArgs.Apply = []string{"-replace=module.scheduler.aws_scheduler_schedule.watch"}
	_, err = terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "aws_elasticache_replication_group.this")
	second, _ := s.guard(t)
	require.Less(t, first, second)
	require.True(t, s.cacheExists(t))
	s.endOverdue(t)
	s.destroy(t.Context(), t)
}

// endOverdue moves the run's stop_by so far back that no apply can create a load any more, and waits until watch has ended the run.
func (s *stack) endOverdue(t *testing.T) {
	t.Helper()
	run, schedule := s.guard(t)
	schedule.Target.Input = aws.String(`{"action":"watch","run":"` + run + `","stop_by":"` + time.Now().Add(-shutdown.Creation).UTC().Format(time.RFC3339) + `"}`)
	client := scheduler.NewFromConfig(s.Config)
	_, err := client.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{GroupName: &s.name, Name: schedule.Name, Target: schedule.Target,
		ScheduleExpression: schedule.ScheduleExpression, FlexibleTimeWindow: schedule.FlexibleTimeWindow})
	require.NoError(t, err)
	eventually(t, "the cache gone and the schedules removed", func(ctx context.Context) (bool, any, error) {
		schedules, err := client.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: &s.name})
		if err != nil {
			return false, nil, err
		}
		there := s.cacheExists(t)
		return len(schedules.Schedules) == 0 && !there, fmt.Sprintf("%d schedules, the cache is there: %v", len(schedules.Schedules), there), nil
	})
}

// guard returns the watch schedule and the run in its input.
func (s *stack) guard(t *testing.T) (run string, schedule *scheduler.GetScheduleOutput) {
	t.Helper()
	schedule, err := scheduler.NewFromConfig(s.Config).GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &s.name, Name: aws.String(s.name + "-watch")})
	require.NoError(t, err)
	var event shutdown.Event
	require.NoError(t, json.Unmarshal([]byte(*schedule.Target.Input), &event))
	return event.Run, schedule
}
