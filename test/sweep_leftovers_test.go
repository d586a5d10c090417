package test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamt "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	st "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snst "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmt "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/price"
)

// A stack's leftovers, without function, state and run, are found by its tag and removed in an order that works. Resources of others, or with the same
// name but without the tag, stay.
func TestSweepOfLeftovers(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	ctx, name, other := t.Context(), "left", "neighbour"
	key := "elasticache-perf"
	ok := func(_ any, err error) { t.Helper(); require.NoError(t, err) }

	network := ec2.NewFromConfig(w.Config)
	group := func(group string, tagged bool) string {
		in := &ec2.CreateSecurityGroupInput{GroupName: &group, Description: &group, VpcId: &w.vpc}
		if tagged {
			in.TagSpecifications = []ec2t.TagSpecification{{ResourceType: ec2t.ResourceTypeSecurityGroup, Tags: []ec2t.Tag{{Key: &key, Value: &name}}}}
		}
		out, err := network.CreateSecurityGroup(ctx, in)
		require.NoError(t, err)
		return *out.GroupId
	}
	lets := func(in, from string) {
		ok(network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &in,
			IpPermissions:     []ec2t.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(6379), ToPort: aws.Int32(6379), UserIdGroupPairs: []ec2t.UserIdGroupPair{{GroupId: &from}}}},
			TagSpecifications: []ec2t.TagSpecification{{ResourceType: ec2t.ResourceTypeSecurityGroupRule, Tags: []ec2t.Tag{{Key: &key, Value: &name}}}}}))
	}
	cacheGroup, loadGroup, theirs := group("left-cache", true), group("left-load", true), group("theirs", false)
	lets(cacheGroup, loadGroup) // the two groups refer to each other
	lets(loadGroup, cacheGroup)
	lets(theirs, loadGroup)

	caches := elasticache.NewFromConfig(w.Config)
	tags := []ect.Tag{{Key: &key, Value: &name}}
	ok(caches.CreateCacheSubnetGroup(ctx, &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: &name, CacheSubnetGroupDescription: &name, SubnetIds: w.subnets, Tags: tags}))
	ok(caches.CreateCacheSubnetGroup(ctx, &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: &other, CacheSubnetGroupDescription: &other, SubnetIds: w.subnets}))
	ok(caches.CreateCacheParameterGroup(ctx, &elasticache.CreateCacheParameterGroupInput{CacheParameterGroupName: &name, CacheParameterGroupFamily: aws.String("redis7"), Description: &name, Tags: tags}))
	for _, id := range []string{name, other} {
		in := &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &id, ReplicationGroupDescription: &id, Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro"),
			NumCacheClusters: aws.Int32(1), Port: aws.Int32(6397), CacheSubnetGroupName: &name}
		if id == name {
			in.CacheParameterGroupName, in.SecurityGroupIds, in.Tags = &name, []string{cacheGroup}, tags
		} else {
			in.CacheSubnetGroupName = &other
		}
		ok(caches.CreateReplicationGroup(ctx, in))
	}
	tasks := ecs.NewFromConfig(w.Config)
	ok(tasks.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &name, Tags: []ecst.Tag{{Key: &key, Value: &name}}}))
	roles := iam.NewFromConfig(w.Config)
	for _, role := range []string{"left-stop", "left-scheduler"} {
		in := &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`)}
		if role == "left-stop" {
			in.Tags = []iamt.Tag{{Key: &key, Value: &name}}
		}
		ok(roles.CreateRole(ctx, in))
		ok(roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)}))
	}
	ok(scheduler.NewFromConfig(w.Config).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &name, Tags: []st.Tag{{Key: &key, Value: &name}}}))
	ok(sqs.NewFromConfig(w.Config).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("left-stop-dlq"), Tags: map[string]string{key: name}}))
	ok(sns.NewFromConfig(w.Config).CreateTopic(ctx, &sns.CreateTopicInput{Name: &name, Tags: []snst.Tag{{Key: &key, Value: &name}}}))
	parameters := ssm.NewFromConfig(w.Config)
	ok(parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/elasticache-perf/left/auth-token"), Value: aws.String("secret"), Type: ssmt.ParameterTypeSecureString, Tags: []ssmt.Tag{{Key: &key, Value: &name}}}))
	metrics := cloudwatch.NewFromConfig(w.Config)
	ok(metrics.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("left-stop-errors"), Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"), Statistic: cwt.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(0), ComparisonOperator: cwt.ComparisonOperatorGreaterThanThreshold, Tags: []cwt.Tag{{Key: &key, Value: &name}}}))
	logs := cloudwatchlogs.NewFromConfig(w.Config)
	for group, tagged := range map[string]bool{"/elasticache-perf/left/load": true, "/elasticache-perf/left/load-of-others": false} {
		in := &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}
		if tagged {
			in.Tags = map[string]string{key: name}
		}
		ok(logs.CreateLogGroup(ctx, in))
	}

	eventually(t, "the cache is available", func(ctx context.Context) (bool, any, error) {
		said, err := w.sweep(t, nil)
		return err == nil && strings.Contains(said, "left: ORPHAN, no run: it has no guard") && strings.Contains(said, "the cache left is available; about 0.02 USD is billed so far (1 node-hours)") &&
			!strings.Contains(said, other), said, nil
	})
	_, err := w.sweep(t, nil, "SWEEP=left", "APPROVE=1")
	require.NoError(t, err)
	said, err := w.sweep(t, nil)
	require.NoError(t, err)
	require.Contains(t, said, "there is no stack in")
	for what, err := range map[string]error{
		"their cache": func() error {
			_, err := caches.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &other})
			return err
		}(),
		"a role without the tag": func() error {
			_, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("left-scheduler")})
			return err
		}(),
	} {
		require.NoError(t, err, what)
	}
	_, err = roles.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("left-stop")})
	require.ErrorContains(t, err, "NoSuchEntity")
	_, err = parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/elasticache-perf/left/auth-token")})
	require.ErrorContains(t, err, "ParameterNotFound")
	there, err := network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{theirs}})
	require.NoError(t, err)
	require.Empty(t, there.SecurityGroups[0].IpPermissions, "the rule that let the load in")
	left, err := logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	require.NoError(t, err)
	require.Len(t, left.LogGroups, 1)
}

// The embedded AWS's prices for nodes, serverless caches and Fargate are those of the price tables.
func TestPricesOfTheEmbeddedAWS(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	prices, why := price.Ask(t.Context(), w.Config, price.Wanted{NodeType: "cache.r7g.large", Engine: "valkey"}, price.Wanted{Engine: "redis"})
	require.NoError(t, why)
	dated := price.Dated("us-east-1")
	listed, known := prices.NodeHour("cache.r7g.large", "valkey")
	require.True(t, known)
	table, _ := dated.NodeHour("cache.r7g.large", "valkey")
	require.InDelta(t, table, listed, 1e-9)
	for _, architecture := range []string{"X86_64", "ARM64"} {
		a, b, known := prices.Fargate(architecture)
		c, d, is := dated.Fargate(architecture)
		require.Equal(t, is, known, architecture)
		require.InDeltaSlice(t, []float64{c, d}, []float64{a, b}, 1e-9, architecture)
	}
	million, gb, _, known := prices.Serverless("redis")
	require.True(t, known)
	require.InDeltaSlice(t, []float64{0.0034, 0.125}, []float64{million, gb}, 1e-9)
}
