package test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// createNeighbours creates resources of stacks whose names start with this one's, and returns a check that all of them still exist.
func (s *stack) createNeighbours(t *testing.T) (there func()) {
	t.Helper()
	ctx := t.Context()
	logs, roles, schedules, caches := cloudwatchlogs.NewFromConfig(s.Config), iam.NewFromConfig(s.Config), scheduler.NewFromConfig(s.Config), elasticache.NewFromConfig(s.Config)
	names := []string{s.name + "-2", s.name + "x"}
	for _, name := range names {
		for _, group := range logGroups(name) {
			_, err := logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
			require.NoError(t, err)
		}
		for _, role := range rolesOf(name) {
			s.createRole(t, role, "scheduler.amazonaws.com")
		}
		_, err := schedules.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &name})
		require.NoError(t, err)
		input, err := json.Marshal(shutdown.Event{Action: shutdown.ActionWatch, Run: "2026-11-23T03-08-09Z", StopBy: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		for _, schedule := range []string{name + "-watch", name + "-load-stop"} {
			in := &scheduler.CreateScheduleInput{GroupName: &name, Name: &schedule, ScheduleExpression: aws.String("rate(10 minutes)"), State: types.ScheduleStateDisabled,
				FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, Target: &types.Target{Input: aws.String(string(input)),
					Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:" + name + "-stop"), RoleArn: aws.String("arn:aws:iam::123456789012:role/" + name + "-scheduler")}}
			eventually(t, "Scheduler can assume the role", func(ctx context.Context) (bool, any, error) {
				_, err := schedules.CreateSchedule(ctx, in)
				return err == nil, err, nil
			})
		}
		_, err = caches.CreateCacheSubnetGroup(ctx, &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: &name, CacheSubnetGroupDescription: aws.String("of a neighbour"), SubnetIds: s.subnets})
		require.NoError(t, err)
		_, err = caches.CreateCacheParameterGroup(ctx, &elasticache.CreateCacheParameterGroupInput{CacheParameterGroupName: &name, CacheParameterGroupFamily: aws.String("valkey8"), Description: aws.String("of a neighbour")})
		require.NoError(t, err)
		for _, group := range []string{name + "-cache", name + "-load"} {
			_, err = ec2.NewFromConfig(s.Config).CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &group, Description: aws.String("of a neighbour"), VpcId: &s.vpc})
			require.NoError(t, err)
		}
	}
	return func() {
		t.Helper()
		for _, name := range names {
			for _, group := range logGroups(name) {
				out, err := logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
				require.NoError(t, err)
				require.Len(t, out.LogGroups, 1, group)
			}
			for _, role := range rolesOf(name) {
				_, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: &role})
				require.NoError(t, err)
			}
			for _, schedule := range []string{name + "-watch", name + "-load-stop"} {
				_, err := schedules.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &name, Name: &schedule})
				require.NoError(t, err)
			}
			_, err := caches.DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: &name})
			require.NoError(t, err)
			_, err = caches.DescribeCacheParameterGroups(ctx, &elasticache.DescribeCacheParameterGroupsInput{CacheParameterGroupName: &name})
			require.NoError(t, err)
		}
	}
}

// createRole creates a role for a service and returns its ARN. It leaves an existing role unchanged.
func (s *stack) createRole(t *testing.T, name, service string) string {
	t.Helper()
	roles := iam.NewFromConfig(s.Config)
	if out, err := roles.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &name}); err == nil {
		return *out.Role.Arn
	}
	out, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"` + service + `"}}]}`)})
	require.NoError(t, err)
	return *out.Role.Arn
}

func logGroups(name string) []string {
	return []string{"/elasticache-perf/" + name + "/load", "/aws/lambda/" + name + "-stop", "/aws/vendedlogs/elasticache/" + name + "/engine-log", "/aws/vendedlogs/elasticache/" + name + "/slow-log",
		"/aws/ecs/containerinsights/" + name + "/performance"}
}

func rolesOf(name string) []string {
	return []string{name + "-stop", name + "-scheduler", name + "-load-execution", name + "-load-task"}
}

// A stack is identified by its exact name: NAME-2 and NAMEx are other people's, whether or not a stack NAME exists.
func TestNamesAreExact(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})
	there := p.createNeighbours(t)
	require.Contains(t, p.mustRun(ops.Status), "nothing is deployed")
	require.Contains(t, p.mustRun(ops.Stop), "no task runs, and there is no cache of it")
	require.Contains(t, p.mustRun(ops.Destroy), "there is no stack elasticache-perf in account 123456789012, Region us-east-1: the state is empty, and AWS has nothing under its names")
	there()
	if !long() {
		return
	}
	p.mustRun(ops.Deploy)
	p.loads(t, 1)
	require.Contains(t, p.mustRun(ops.Stop), "is stopped and exported")
	there()
	require.Contains(t, p.mustRun(ops.Destroy), "is removed")
	there()
}
