package authorize_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkcloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdkec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	sdkecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	sdkcache "github.com/aws/aws-sdk-go-v2/service/elasticache"
	cachetypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	sdkpricing "github.com/aws/aws-sdk-go-v2/service/pricing"
	sdktagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	sdks3 "github.com/aws/aws-sdk-go-v2/service/s3"
	sdkscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sdkquotas "github.com/aws/aws-sdk-go-v2/service/servicequotas"
	sdksns "github.com/aws/aws-sdk-go-v2/service/sns"
	sdksqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sdkssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/authorize"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/lambda"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/pricing"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/scheduler"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/servicequotas"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sns"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ssm"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sts"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// fixture is every service behind the authorizer, and a role whose session calls them.
type fixture struct {
	aws.Config // of the role's session
	t          *testing.T
	root       aws.Config
	registry   *wire.Registry
	roles      *iam.Service
	network    *ec2.Service
	buckets    *s3.Service

	mu      sync.Mutex
	decided []iam.Decision
}

func start(t *testing.T) *fixture {
	acct := wiretest.Account(t)
	w := &fixture{t: t, registry: wire.NewRegistry(), roles: iam.New(acct), network: ec2.New(acct)}
	w.roles.Decided = func(d iam.Decision) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.decided = append(w.decided, d)
	}
	w.network.Seed()
	queues, streams := sqs.New(acct), logs.New(acct)
	topics := sns.New(acct, queues)
	metrics := cloudwatch.New(acct, topics, cloudwatch.NewDashboards())
	parameters := ssm.New(acct, w.roles)
	caches := elasticache.New(acct, w.network, streams, metrics)
	tasks := ecs.New(acct, ecs.Deps{EC2: w.network, IAM: w.roles, Logs: streams, SSM: parameters, CloudWatch: metrics})
	functions := lambda.New(acct, lambda.Deps{IAM: w.roles, Logs: streams, CloudWatch: metrics, SQS: queues, SNS: topics, Endpoint: func() string { return "" }})
	schedules := scheduler.New(acct, scheduler.Deps{IAM: w.roles, Lambda: functions, SQS: queues})
	var err error
	w.buckets, err = s3.New(acct)
	require.NoError(t, err)
	require.NoError(t, w.buckets.Bucket("exports", "us-east-1"))
	for _, service := range []interface{ Register(*wire.Registry) }{w.roles, sts.New(acct, w.roles), w.network, queues, topics, metrics, streams,
		parameters, servicequotas.New(acct), caches, tasks, functions, schedules, w.buckets,
		tagging.New(acct), pricing.New()} {
		service.Register(w.registry)
	}
	t.Cleanup(func() {
		for _, end := range []func() error{schedules.Close, functions.Close, tasks.Close, caches.Close, metrics.Close, streams.Close} {
			require.NoError(t, end())
		}
	})
	w.registry.Authorize = authorize.New(acct, authorize.Deps{IAM: w.roles, Tags: w.network.Tags, Documented: true, Miss: w.registry.Miss}).Call
	w.root = wiretest.Config(t, w.registry)
	w.root.Credentials = credentials.NewStaticCredentialsProvider(w.roles.User().AccessKeyID, w.roles.User().SecretAccessKey, "")
	client := sdkiam.NewFromConfig(w.root)
	role, err := client.CreateRole(t.Context(), &sdkiam.CreateRoleInput{RoleName: aws.String("caller"), Path: aws.String("/perf/"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`)})
	require.NoError(t, err)
	w.session(*role.Role.Arn)
	return w
}

func (w *fixture) session(role string) {
	c := w.roles.Session(role, "test")
	w.Config = w.root.Copy()
	w.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// grant is the role's only policy from now on.
func (w *fixture) grant(statement string) {
	w.t.Helper()
	_, err := sdkiam.NewFromConfig(w.root).PutRolePolicy(w.t.Context(), &sdkiam.PutRolePolicyInput{RoleName: aws.String("caller"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statement + `]}`)})
	require.NoError(w.t, err)
}

// asked is what was decided since the last time, as "action resource".
func (w *fixture) asked() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.decided {
		out = append(out, d.Action+" "+strings.NewReplacer("us-east-1:123456789012:", "", "arn:aws:", "").Replace(d.Resource))
	}
	w.decided = nil
	return out
}

// unmapped are served, and deliberately nobody's to ask for under a role.
var unmapped = []string{
	"ecs.RunTask", // it passes roles that its input does not name
}

func TestEveryActionHasALine(t *testing.T) {
	w := start(t)
	inputs := w.registry.Inputs()
	inputs["s3"] = map[string]reflect.Type{}
	for _, action := range s3.Actions() {
		inputs["s3"][action] = reflect.TypeFor[s3.Target]()
	}
	for service, actions := range inputs {
		for action, in := range actions {
			name := service + "." + action
			members, ok := authorize.Members(service, action)
			if ok == slices.Contains(unmapped, name) {
				t.Errorf("%s: has a line: %v", name, ok)
			}
			for _, path := range members {
				at := in
				for member := range strings.SplitSeq(path, ".") {
					for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice {
						at = at.Elem()
					}
					f, ok := at.FieldByName(member)
					require.True(t, ok, "%s has no member %s", name, path)
					at = f.Type
				}
			}
		}
	}
}

// What real clients' calls ask for.
func TestDemands(t *testing.T) {
	w := start(t)
	w.grant(`{"Effect":"Allow","Action":"*","Resource":"*"}`)
	ctx := t.Context()
	tags := []ecstypes.Tag{{Key: aws.String("name"), Value: aws.String("n")}}
	group := w.network.DefaultSecurityGroup(vpc(t, w))
	calls := map[string]struct {
		do   func() error
		want []string
	}{
		"ListTasks": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).ListTasks(ctx, &sdkecs.ListTasksInput{Cluster: aws.String("n")})
			return err
		}, []string{"ecs:ListTasks *"}},
		"DescribeTasks": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).DescribeTasks(ctx, &sdkecs.DescribeTasksInput{Cluster: aws.String("arn:aws:ecs:us-east-1:123456789012:cluster/n"), Tasks: []string{"one", "arn:aws:ecs:us-east-1:123456789012:task/n/two"}})
			return err
		}, []string{"ecs:DescribeTasks ecs:task/n/one", "ecs:DescribeTasks ecs:task/n/two"}},
		"UpdateService": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).UpdateService(ctx, &sdkecs.UpdateServiceInput{Service: aws.String("arn:aws:ecs:us-east-1:123456789012:service/n/n-load"), Cluster: aws.String("n")})
			return err
		}, []string{"ecs:UpdateService ecs:service/n/n-load"}},
		"RegisterTaskDefinition": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).RegisterTaskDefinition(ctx, &sdkecs.RegisterTaskDefinitionInput{Family: aws.String("n-load"), Tags: tags,
				TaskRoleArn: aws.String("arn:aws:iam::123456789012:role/task"), ExecutionRoleArn: aws.String("arn:aws:iam::123456789012:role/execution"), ContainerDefinitions: []ecstypes.ContainerDefinition{}})
			return err
		}, []string{"ecs:RegisterTaskDefinition ecs:task-definition/n-load:*", "ecs:TagResource ecs:task-definition/n-load:*", "iam:PassRole iam::123456789012:role/execution", "iam:PassRole iam::123456789012:role/task"}},
		"DeleteReplicationGroup": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).DeleteReplicationGroup(ctx, &sdkcache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("n"), FinalSnapshotIdentifier: aws.String("last")})
			return err
		}, []string{"elasticache:DeleteReplicationGroup elasticache:replicationgroup:n", "elasticache:DeleteReplicationGroup elasticache:snapshot:last",
			"logs:DeleteLogDelivery *", "logs:GetLogDelivery *", "logs:ListLogDeliveries *"}},
		"DescribeServiceDeployments": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).DescribeServiceDeployments(ctx, &sdkecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{"arn:aws:ecs:us-east-1:123456789012:service-deployment/n/n-load/1"}})
			return err
		}, []string{"ecs:DescribeServiceDeployments ecs:service-deployment/n/n-load/1"}},
		"DescribeReplicationGroups": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).DescribeReplicationGroups(ctx, &sdkcache.DescribeReplicationGroupsInput{})
			return err
		}, []string{"elasticache:DescribeReplicationGroups elasticache:replicationgroup:*"}},
		"CreateReplicationGroup": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).CreateReplicationGroup(ctx, &sdkcache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("n"), ReplicationGroupDescription: aws.String("d"),
				CacheSubnetGroupName: aws.String("n"), CacheParameterGroupName: aws.String("n"), KmsKeyId: aws.String("arn:aws:kms:us-east-1:123456789012:key/1"), Tags: []cachetypes.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
			return err
		}, []string{"elasticache:CreateReplicationGroup elasticache:replicationgroup:n", "elasticache:CreateReplicationGroup elasticache:parametergroup:n", "elasticache:CreateReplicationGroup elasticache:subnetgroup:n",
			"elasticache:AddTagsToResource elasticache:replicationgroup:n", "kms:CreateGrant kms:key/1", "kms:DescribeKey kms:key/1", "iam:CreateServiceLinkedRole iam::123456789012:role/aws-service-role/elasticache.amazonaws.com/AWSServiceRoleForElastiCache"}},
		"CreateServerlessCache": {func() error { // its endpoint is made in the caller's name
			_, err := sdkcache.NewFromConfig(w.Config).CreateServerlessCache(ctx, &sdkcache.CreateServerlessCacheInput{ServerlessCacheName: aws.String("n"), Engine: aws.String("valkey"),
				SubnetIds: []string{"subnet-1", "subnet-2"}, SecurityGroupIds: []string{"sg-1"}})
			return err
		}, []string{"elasticache:CreateServerlessCache elasticache:serverlesscache:n", "ec2:CreateVpcEndpoint ec2:vpc-endpoint/*", "ec2:CreateVpcEndpoint ec2:subnet/subnet-1",
			"ec2:CreateVpcEndpoint ec2:subnet/subnet-2", "ec2:CreateVpcEndpoint ec2:security-group/sg-1", "ec2:CreateTags ec2:vpc-endpoint/*"}},
		"GetLogEvents": {func() error {
			_, err := sdklogs.NewFromConfig(w.Config).GetLogEvents(ctx, &sdklogs.GetLogEventsInput{LogGroupName: aws.String("/a/n"), LogStreamName: aws.String("s/1")})
			return err
		}, []string{"logs:GetLogEvents logs:log-group:/a/n:log-stream:s/1"}},
		"DescribeLogStreams": {func() error {
			_, err := sdklogs.NewFromConfig(w.Config).DescribeLogStreams(ctx, &sdklogs.DescribeLogStreamsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:123456789012:log-group:/a/n")})
			return err
		}, []string{"logs:DescribeLogStreams logs:log-group:/a/n:log-stream:"}},
		"CreateLogGroup": {func() error {
			_, err := sdklogs.NewFromConfig(w.Config).CreateLogGroup(ctx, &sdklogs.CreateLogGroupInput{LogGroupName: aws.String("/a/n"), Tags: map[string]string{"name": "n"}})
			return err
		}, []string{"logs:CreateLogGroup logs:log-group:/a/n:log-stream:", "logs:TagResource logs:log-group:/a/n"}},
		"DescribeAlarms": {func() error {
			_, err := sdkcloudwatch.NewFromConfig(w.Config).DescribeAlarms(ctx, &sdkcloudwatch.DescribeAlarmsInput{AlarmNames: []string{"n"}})
			return err
		}, []string{"cloudwatch:DescribeAlarms cloudwatch:alarm:*"}},
		"GetDashboard": {func() error {
			_, err := sdkcloudwatch.NewFromConfig(w.Config).GetDashboard(ctx, &sdkcloudwatch.GetDashboardInput{DashboardName: aws.String("n")})
			return err
		}, []string{"cloudwatch:GetDashboard cloudwatch::123456789012:dashboard/n"}},
		"Invoke": {func() error {
			_, err := sdklambda.NewFromConfig(w.Config).Invoke(ctx, &sdklambda.InvokeInput{FunctionName: aws.String("n-stop"), Qualifier: aws.String("$LATEST")})
			return err
		}, []string{"lambda:InvokeFunction lambda:function:n-stop:$LATEST"}},
		"CreateFunction": {func() error {
			_, err := sdklambda.NewFromConfig(w.Config).CreateFunction(ctx, &sdklambda.CreateFunctionInput{FunctionName: aws.String("n-stop"), Role: aws.String("arn:aws:iam::123456789012:role/n-stop"), Code: &lambdatypes.FunctionCode{ZipFile: []byte("zip")}, Tags: map[string]string{"name": "n"}})
			return err
		}, []string{"lambda:CreateFunction lambda:function:n-stop", "lambda:TagResource lambda:function:n-stop", "iam:PassRole iam::123456789012:role/n-stop"}},
		"code in a bucket": {func() error {
			_, err := sdklambda.NewFromConfig(w.Config).CreateFunction(ctx, &sdklambda.CreateFunctionInput{FunctionName: aws.String("n-stop"), Role: aws.String("arn:aws:iam::123456789012:role/n-stop"), Code: &lambdatypes.FunctionCode{S3Bucket: aws.String("exports"), S3Key: aws.String("v1/lambda.zip"), S3ObjectVersion: aws.String("null")}})
			return err
		}, []string{"lambda:CreateFunction lambda:function:n-stop", "iam:PassRole iam::123456789012:role/n-stop", "s3:GetObject s3:::exports/v1/lambda.zip", "s3:GetObjectVersion s3:::exports/v1/lambda.zip"}},
		"another code in a bucket": {func() error {
			_, err := sdklambda.NewFromConfig(w.Config).UpdateFunctionCode(ctx, &sdklambda.UpdateFunctionCodeInput{FunctionName: aws.String("n-stop"), S3Bucket: aws.String("exports"), S3Key: aws.String("v2/lambda.zip")})
			return err
		}, []string{"lambda:UpdateFunctionCode lambda:function:n-stop", "s3:GetObject s3:::exports/v2/lambda.zip"}},
		"CreateSchedule": {func() error {
			_, err := sdkscheduler.NewFromConfig(w.Config).CreateSchedule(ctx, &sdkscheduler.CreateScheduleInput{Name: aws.String("n-watch"), GroupName: aws.String("n"), ScheduleExpression: aws.String("rate(10 minutes)"),
				FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
				Target:             &schedulertypes.Target{Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:n-stop"), RoleArn: aws.String("arn:aws:iam::123456789012:role/n-scheduler")}})
			return err
		}, []string{"scheduler:CreateSchedule scheduler:schedule/n/n-watch", "iam:PassRole iam::123456789012:role/n-scheduler"}},
		"SendMessage": {func() error {
			_, err := sdksqs.NewFromConfig(w.Config).SendMessage(ctx, &sdksqs.SendMessageInput{QueueUrl: aws.String("http://127.0.0.1/123456789012/n-stop-dlq"), MessageBody: aws.String("x")})
			return err
		}, []string{"sqs:SendMessage sqs:n-stop-dlq"}},
		"Unsubscribe": {func() error {
			_, err := sdksns.NewFromConfig(w.Config).Unsubscribe(ctx, &sdksns.UnsubscribeInput{SubscriptionArn: aws.String("arn:aws:sns:us-east-1:123456789012:n:1-2")})
			return err
		}, []string{"sns:Unsubscribe sns:n"}},
		"PutParameter": {func() error {
			_, err := sdkssm.NewFromConfig(w.Config).PutParameter(ctx, &sdkssm.PutParameterInput{Name: aws.String("/p/n"), Value: aws.String("v"), Type: ssmtypes.ParameterTypeSecureString, Tags: []ssmtypes.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
			return err
		}, []string{"ssm:PutParameter ssm:parameter/p/n", "ssm:AddTagsToResource ssm:parameter/p/n"}},
		"GetServiceQuota": {func() error {
			_, err := sdkquotas.NewFromConfig(w.Config).GetServiceQuota(ctx, &sdkquotas.GetServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538")})
			return err
		}, []string{"servicequotas:GetServiceQuota servicequotas:fargate/L-3032A538"}},
		"GetResources": {func() error {
			_, err := sdktagging.NewFromConfig(w.Config).GetResources(ctx, &sdktagging.GetResourcesInput{})
			return err
		}, []string{"tag:GetResources *"}},
		"GetProducts": {func() error {
			_, err := sdkpricing.NewFromConfig(w.Config).GetProducts(ctx, &sdkpricing.GetProductsInput{ServiceCode: aws.String("AmazonECS")})
			return err
		}, []string{"pricing:GetProducts *"}},
		"GetRole": {func() error {
			_, err := sdkiam.NewFromConfig(w.Config).GetRole(ctx, &sdkiam.GetRoleInput{RoleName: aws.String("caller")})
			return err
		}, []string{"iam:GetRole iam::123456789012:role/perf/caller"}},
		"AuthorizeSecurityGroupIngress": {func() error {
			_, err := sdkec2.NewFromConfig(w.Config).AuthorizeSecurityGroupIngress(ctx, &sdkec2.AuthorizeSecurityGroupIngressInput{GroupId: &group,
				IpPermissions:     []ec2types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(1), ToPort: aws.Int32(1), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}}}},
				TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeSecurityGroupRule, Tags: []ec2types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}}}})
			return err
		}, []string{"ec2:AuthorizeSecurityGroupIngress ec2:security-group/" + group, "ec2:AuthorizeSecurityGroupIngress ec2:security-group-rule/*", "ec2:CreateTags ec2:security-group-rule/*"}},
		"CreateUserGroup": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).CreateUserGroup(ctx, &sdkcache.CreateUserGroupInput{UserGroupId: aws.String("n"), Engine: aws.String("redis"), UserIds: []string{"default", "app"},
				Tags: []cachetypes.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
			return err
		}, []string{"elasticache:CreateUserGroup elasticache:usergroup:n", "elasticache:CreateUserGroup elasticache:user:default", "elasticache:CreateUserGroup elasticache:user:app",
			"elasticache:AddTagsToResource elasticache:usergroup:n"}},
		"a cache with users": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).CreateServerlessCache(ctx, &sdkcache.CreateServerlessCacheInput{ServerlessCacheName: aws.String("n"), Engine: aws.String("valkey"), UserGroupId: aws.String("u")})
			return err
		}, []string{"elasticache:CreateServerlessCache elasticache:serverlesscache:n", "elasticache:CreateServerlessCache elasticache:usergroup:u",
			"ec2:CreateVpcEndpoint ec2:vpc-endpoint/*", "ec2:CreateTags ec2:vpc-endpoint/*"}},
		"CreateManagedPrefixList": {func() error {
			_, err := sdkec2.NewFromConfig(w.Config).CreateManagedPrefixList(ctx, &sdkec2.CreateManagedPrefixListInput{PrefixListName: aws.String("n"), MaxEntries: aws.Int32(1), AddressFamily: aws.String("IPv4"),
				TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypePrefixList, Tags: []ec2types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}}}})
			return err
		}, []string{"ec2:CreateManagedPrefixList ec2:prefix-list/*", "ec2:CreateTags ec2:prefix-list/*"}},
		"GetManagedPrefixListEntries": {func() error {
			_, err := sdkec2.NewFromConfig(w.Config).GetManagedPrefixListEntries(ctx, &sdkec2.GetManagedPrefixListEntriesInput{PrefixListId: aws.String("pl-1")})
			return err
		}, []string{"ec2:GetManagedPrefixListEntries ec2:prefix-list/pl-1"}},
		"CreateTags": {func() error {
			_, err := sdkec2.NewFromConfig(w.Config).CreateTags(ctx, &sdkec2.CreateTagsInput{Resources: []string{group}, Tags: []ec2types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
			return err
		}, []string{"ec2:CreateTags ec2:security-group/" + group}},
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		w.asked()
		err := calls[name].do() // what the service answers to a permitted call does not matter here
		require.False(t, err != nil && strings.Contains(err.Error(), "not authorized"), "%s: %v", name, err)
		require.Equal(t, calls[name].want, w.asked(), name)
	}
}

func vpc(t *testing.T, w *fixture) string {
	t.Helper()
	out, err := sdkec2.NewFromConfig(w.root).DescribeVpcs(t.Context(), &sdkec2.DescribeVpcsInput{})
	require.NoError(t, err)
	return *out.Vpcs[0].VpcId
}

// AWS's codes and words, service by service.
func TestRefusals(t *testing.T) {
	w := start(t)
	w.grant(`{"Effect":"Allow","Action":"logs:DescribeLogGroups","Resource":"*"},{"Effect":"Deny","Action":"ssm:*","Resource":"*"}`)
	ctx := t.Context()
	const user = "User: arn:aws:sts::123456789012:assumed-role/caller/test is not authorized to perform: "
	because := func(action string) string {
		return " because no identity-based policy allows the " + action + " action"
	}
	const at = "us-east-1:123456789012:"
	for name, c := range map[string]struct {
		do         func() error
		code, text string
	}{
		"ecs": {func() error {
			_, err := sdkecs.NewFromConfig(w.Config).ListTasks(ctx, &sdkecs.ListTasksInput{Cluster: aws.String("n")})
			return err
		}, "AccessDeniedException", user + "ecs:ListTasks on resource: *" + because("ecs:ListTasks")},
		"elasticache": {func() error {
			_, err := sdkcache.NewFromConfig(w.Config).DeleteReplicationGroup(ctx, &sdkcache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("n")})
			return err
		}, "AccessDenied", user + "elasticache:DeleteReplicationGroup on resource: arn:aws:elasticache:" + at + "replicationgroup:n" + because("elasticache:DeleteReplicationGroup")},
		"lambda": {func() error {
			_, err := sdklambda.NewFromConfig(w.Config).Invoke(ctx, &sdklambda.InvokeInput{FunctionName: aws.String("n")})
			return err
		}, "AccessDeniedException", user + "lambda:InvokeFunction on resource: arn:aws:lambda:" + at + "function:n" + because("lambda:InvokeFunction")},
		"ec2": {func() error {
			_, err := sdkec2.NewFromConfig(w.Config).DescribeVpcs(ctx, &sdkec2.DescribeVpcsInput{})
			return err
		}, "UnauthorizedOperation", "You are not authorized to perform this operation. " + user + "ec2:DescribeVpcs on resource: *" + because("ec2:DescribeVpcs")},
		"sns": {func() error {
			_, err := sdksns.NewFromConfig(w.Config).Publish(ctx, &sdksns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:123456789012:n"), Message: aws.String("x")})
			return err
		}, "AuthorizationError", user + "SNS:Publish on resource: arn:aws:sns:" + at + "n" + because("SNS:Publish")},
		"sqs": {func() error {
			_, err := sdksqs.NewFromConfig(w.Config).CreateQueue(ctx, &sdksqs.CreateQueueInput{QueueName: aws.String("n")})
			return err
		}, "AccessDenied", user + "sqs:createqueue on resource: arn:aws:sqs:" + at + "n" + because("sqs:createqueue")},
		"ssm, explicitly": {func() error {
			_, err := sdkssm.NewFromConfig(w.Config).GetParameter(ctx, &sdkssm.GetParameterInput{Name: aws.String("n")})
			return err
		}, "AccessDeniedException", user + "ssm:GetParameter on resource: arn:aws:ssm:" + at + "parameter/n with an explicit deny in an identity-based policy"},
		"s3": {func() error {
			_, err := sdks3.NewFromConfig(w.Config, path).PutObject(ctx, &sdks3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("k"), Body: strings.NewReader("x")})
			return err
		}, "AccessDenied", user + `s3:PutObject on resource: "arn:aws:s3:::exports/k"` + because("s3:PutObject")},
	} {
		refused(t, name, c.do(), c.code, c.text)
	}
	_, err := sdklogs.NewFromConfig(w.Config).DescribeLogGroups(ctx, &sdklogs.DescribeLogGroupsInput{})
	require.NoError(t, err)
}

func path(o *sdks3.Options) { o.UsePathStyle = true }

func refused(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	require.ErrorAs(t, err, &e, what)
	require.Equal(t, code, e.ErrorCode(), what)
	require.Equal(t, text, e.ErrorMessage(), what)
}

// Conditions see the request: the cluster, tags that are brought and tags that are there, and what a role is passed to.
func TestConditions(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	w.grant(`{"Effect":"Allow","Action":"ecs:ListTasks","Resource":"*","Condition":{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/n"}}},
		{"Effect":"Allow","Action":"ec2:CreateSecurityGroup","Resource":"arn:aws:ec2:us-east-1:123456789012:security-group/*","Condition":{"StringEquals":{"aws:RequestTag/name":"n"}}},
		{"Effect":"Allow","Action":"ec2:CreateSecurityGroup","Resource":"arn:aws:ec2:us-east-1:123456789012:vpc/*"},
		{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"ec2:CreateAction":"CreateSecurityGroup"}}},
		{"Effect":"Allow","Action":"ec2:DeleteSecurityGroup","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/name":"n"}}}`)
	client := sdkecs.NewFromConfig(w.Config)
	_, err := client.ListTasks(ctx, &sdkecs.ListTasksInput{Cluster: aws.String("n")})
	require.ErrorContains(t, err, "ClusterNotFoundException")
	_, err = client.ListTasks(ctx, &sdkecs.ListTasksInput{Cluster: aws.String("m")})
	require.ErrorContains(t, err, "not authorized to perform: ecs:ListTasks")
	network := sdkec2.NewFromConfig(w.Config)
	create := func(name string) (string, error) {
		id := vpc(t, w)
		out, err := network.CreateSecurityGroup(ctx, &sdkec2.CreateSecurityGroupInput{GroupName: aws.String("g" + name), Description: aws.String("d"), VpcId: &id,
			TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeSecurityGroup, Tags: []ec2types.Tag{{Key: aws.String("name"), Value: &name}}}}})
		if err != nil {
			return "", err
		}
		return *out.GroupId, nil
	}
	_, err = create("m")
	require.ErrorContains(t, err, "not authorized to perform: ec2:CreateSecurityGroup on resource: arn:aws:ec2:us-east-1:123456789012:security-group/*")
	id, err := create("n")
	require.NoError(t, err)
	_, err = network.CreateTags(ctx, &sdkec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	require.ErrorContains(t, err, "not authorized to perform: ec2:CreateTags")
	other := w.network.DefaultSecurityGroup(vpc(t, w))
	_, err = network.DeleteSecurityGroup(ctx, &sdkec2.DeleteSecurityGroupInput{GroupId: &other})
	require.ErrorContains(t, err, "not authorized to perform: ec2:DeleteSecurityGroup")
	_, err = network.DeleteSecurityGroup(ctx, &sdkec2.DeleteSecurityGroupInput{GroupId: &id})
	require.NoError(t, err)
}

// Who may not list a bucket cannot tell a missing object from a forbidden one; a bucket's key wants its own permissions.
func TestS3(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	client := sdks3.NewFromConfig(w.Config, path)
	get := func() error {
		_, err := client.GetObject(ctx, &sdks3.GetObjectInput{Bucket: aws.String("exports"), Key: aws.String("p/none")})
		return err
	}
	const objects = `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::exports/p/*"}`
	w.grant(objects)
	require.ErrorContains(t, get(), `is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::exports" because`)
	w.grant(objects + `,{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::exports"}`)
	require.ErrorContains(t, get(), "NoSuchKey")
	_, err := client.CopyObject(ctx, &sdks3.CopyObjectInput{Bucket: aws.String("exports"), Key: aws.String("p/copy"), CopySource: aws.String("exports/elsewhere")})
	require.ErrorContains(t, err, `s3:GetObject on resource: "arn:aws:s3:::exports/elsewhere"`)

	const key = "arn:aws:kms:us-east-1:123456789012:key/1"
	w.buckets.Encrypt("exports", key)
	put := func() error {
		_, err := client.PutObject(ctx, &sdks3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("p/x"), Body: strings.NewReader("x")})
		return err
	}
	require.ErrorContains(t, put(), `kms:GenerateDataKey on resource: "`+key+`" because`)
	w.grant(objects + fmt.Sprintf(`,{"Effect":"Allow","Action":"kms:GenerateDataKey","Resource":%q}`, key))
	require.NoError(t, put())
	_, err = client.CreateMultipartUpload(ctx, &sdks3.CreateMultipartUploadInput{Bucket: aws.String("exports"), Key: aws.String("p/y")})
	require.ErrorContains(t, err, "kms:Decrypt", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions")
}

// A session whose role is gone is nobody's.
func TestUnknownKey(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	_, err := sdkiam.NewFromConfig(w.root).DeleteRole(ctx, &sdkiam.DeleteRoleInput{RoleName: aws.String("caller")})
	require.NoError(t, err)
	_, err = sdkecs.NewFromConfig(w.Config).ListTasks(ctx, &sdkecs.ListTasksInput{})
	refused(t, "ecs", err, "UnrecognizedClientException", "The security token included in the request is invalid.")
	_, err = sdkcache.NewFromConfig(w.Config).DescribeReplicationGroups(ctx, &sdkcache.DescribeReplicationGroupsInput{})
	refused(t, "elasticache", err, "InvalidClientTokenId", "The security token included in the request is invalid.")
}

// Without the permission to make it, a first use of ElastiCache has no role to act under.
func TestServiceLinkedRole(t *testing.T) {
	w := start(t)
	w.grant(`{"Effect":"Allow","Action":"elasticache:*","Resource":"*"}`)
	_, err := sdkcache.NewFromConfig(w.Config).CreateReplicationGroup(t.Context(), &sdkcache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("n"), ReplicationGroupDescription: aws.String("d")})
	require.ErrorContains(t, err, "ServiceLinkedRoleNotFoundFault")
	w.grant(`{"Effect":"Allow","Action":["elasticache:*","iam:CreateServiceLinkedRole"],"Resource":"*"}`)
	_, err = sdkcache.NewFromConfig(w.Config).CreateReplicationGroup(t.Context(), &sdkcache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("n"), ReplicationGroupDescription: aws.String("d")})
	require.NotContains(t, err.Error(), "ServiceLinkedRole")
	_, exists := w.roles.Linked("elasticache.amazonaws.com")
	require.True(t, exists)
}
