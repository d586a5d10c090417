package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3t "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqst "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	local "github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// One run with all features, under the deployer's policy, so that it needs every statement of every policy.
func TestEveryStatementIsNeeded(t *testing.T) {
	if onAWS() {
		t.Skip("removes policy statements, which is for localaws only")
	}
	t.Parallel()
	w := newEnvironment(t, slow)
	const key, cacheKey = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:us-east-1:123456789012:key/5678abcd-12ab-34cd-56ef-1234567890ab"
	ca, err := w.local.CA()
	require.NoError(t, err)
	s := newStack(t, w, ".", map[string]any{
		"cache": map[string]any{"transit_encryption": true, "kms_key_arn": cacheKey}, "auth_token": "correct-horse-battery", "metrics_export_kms_key_arn": key,
		"notifications": map[string]any{"email": "team@example.com"},
		"load": light(map[string]any{"ca_pem": ca, "container_insights": "enabled",
			"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/hub/redislabs/memtier_benchmark:2.3.1", "image_credentials_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hub-abcdef"}),
	})
	// The exports must name their key: the bucket's default is another one, which nobody may use.
	w.local.S3.Encrypt(w.bucket, "arn:aws:kms:us-east-1:123456789012:key/0000abcd-12ab-34cd-56ef-1234567890ab")
	w.local.Tasks.PullThrough("hub")
	s.apply(t)
	s.assertEmptyPlan(t)
	s.callAsCommandsDo(t)
	roles := []string{s.name + "-stop", s.name + "-scheduler", s.name + "-load-execution", s.name + "-deployer"}
	policies := map[string][]document{}
	for _, role := range roles {
		policies[role] = w.policies(t, role)
	}
	s.assertOnlyTheLoadReachesTheCache(t)
	s.assertPreflightNamesEachPermission(t, policies[s.name+"-stop"])
	s.loads(t, 1)
	s.stops(t)
	s.waitForEnd(t, s.output(t, "run"), 1)
	s.assertDeadLetters(t, policies[s.name+"-scheduler"])
	for _, role := range roles {
		s.assertEachIsNeeded(t, role, policies[role], func(statement) bool { return true })
	}
}

// assertEachIsNeeded checks that each of these statements is the only one that allowed some request and, for roles of the stack, so is each of its actions.
func (w *environment) assertEachIsNeeded(t *testing.T, role string, policies []document, selected func(statement) bool) {
	t.Helper()
	asked := w.decided.of(role)
	require.NotEmpty(t, asked, "%s made no request", role)
	for i, d := range policies {
		for j, st := range d.statements {
			if !selected(st) {
				continue
			}
			without := slices.Clone(policies)
			without[i] = d.without(j)
			needed := map[string]bool{}
			for _, one := range asked {
				if one.Allowed && !allows(t, without, one) {
					needed[strings.ToLower(one.Action)] = true
				}
			}
			require.NotEmpty(t, needed, "%s: nothing needs %s", role, st.Sid)
			for _, action := range st.Action {
				if !needed[strings.ToLower(action)] {
					require.True(t, strings.HasSuffix(role, "-deployer"), "nothing needs %s of %s", action, st.Sid) // a deployer also changes and destroys
				}
			}
		}
	}
}

// callAsCommandsDo makes the calls of `mage validate`, `status` and `stop` that Terraform does not make.
func (s *stack) callAsCommandsDo(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	env := s.options.EnvVars
	cfg := s.Config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
	objects := s3.NewFromConfig(cfg)
	_, err := objects.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	require.NoError(t, err)
	probe := "exports/probe"
	put := &s3.PutObjectInput{Bucket: &s.bucket, Key: &probe, Body: strings.NewReader("x")}
	put.ServerSideEncryption, put.SSEKMSKeyId = shutdown.Encryption(s.lambdaConfig(t).KMSKeyARN)
	_, err = objects.PutObject(ctx, put)
	require.NoError(t, err)
	_, err = objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &probe})
	require.NoError(t, err)
	_, err = servicequotas.NewFromConfig(cfg).GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538")})
	require.NoError(t, err)
	_, err = servicequotas.NewFromConfig(cfg).GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538")})
	require.NoError(t, err)
	_, why := price.Ask(ctx, cfg, price.Wanted{NodeType: "cache.t4g.micro", Engine: "valkey"})
	require.NoError(t, why)
	_, err = ecs.NewFromConfig(cfg).ListTasks(ctx, &ecs.ListTasksInput{Cluster: &s.name, ServiceName: aws.String(s.name + "-load")})
	require.NoError(t, err)
	_, err = cloudwatchlogs.NewFromConfig(cfg).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/elasticache-perf/" + s.name + "/load")})
	require.NoError(t, err)
	_, err = cloudwatch.NewFromConfig(cfg).GetMetricData(ctx, &cloudwatch.GetMetricDataInput{StartTime: aws.Time(time.Now().Add(-time.Minute)), EndTime: aws.Time(time.Now()),
		MetricDataQueries: []cwt.MetricDataQuery{{Id: aws.String("m"), MetricStat: &cwt.MetricStat{Period: aws.Int32(60), Stat: aws.String("p99"),
			Metric: &cwt.Metric{Namespace: aws.String("AWS/ElastiCache"), MetricName: aws.String("SuccessfulReadRequestLatency")}}}}})
	require.NoError(t, err)

	// A request that no policy allows is refused with AWS's message.
	_, err = objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("elsewhere"), Body: strings.NewReader("x")})
	denied(t, err, "AccessDenied", `is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::exports/elsewhere" because no identity-based policy allows the s3:PutObject action`)
	_, err = ecs.NewFromConfig(cfg).ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String("another")})
	denied(t, err, "AccessDeniedException", "is not authorized to perform: ecs:ListTasks on resource: * because no identity-based policy allows the ecs:ListTasks action")
}

func denied(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.ErrorCode())
	require.Contains(t, e.ErrorMessage(), text)
}

// instantClock is a clock that never waits.
type instantClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *instantClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *instantClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	return ctx.Err()
}

// assertPreflightNamesEachPermission runs the preflight with one statement of the Lambda's role removed at a time: it must name each missing permission
// that it can check without side effects.
func (s *stack) assertPreflightNamesEachPermission(t *testing.T, documents []document) {
	t.Helper()
	client := iam.NewFromConfig(s.Config)
	role := s.name + "-stop"
	// These change or end something, or Lambda itself needs them.
	doing := []string{"WriteOwnLog", "EndSchedules", "SendFailures", "Notify", "DeleteCache", "EndLogDelivery"}
	d := documents[0]
	config := s.lambdaConfig(t)
	// An upload left open by an interrupted preflight: the next one must abort it.
	_, err := s3.NewFromConfig(s.Config).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: aws.String("exports/preflight/" + s.output(t, "run")),
		ServerSideEncryption: s3t.ServerSideEncryptionAes256})
	require.NoError(t, err)
	for i, st := range d.statements {
		if slices.Contains(doing, st.Sid) {
			continue
		}
		_, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &d.name, PolicyDocument: aws.String(d.without(i).text())})
		require.NoError(t, err)
		s.local.IAM.Act()
		c := s.local.IAM.Session("arn:aws:iam::"+account.ID+":role/"+role, role)
		cfg := s.Config.Copy()
		cfg.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
		cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported // config.LoadDefaultConfig sets it
		_, err = shutdown.New(config, shutdown.NewClients(cfg), &instantClock{}).Handle(t.Context(), shutdown.Event{Action: "preflight", Run: s.output(t, "run")})
		require.ErrorContains(t, err, "is not authorized to perform: ", "preflight without %s", st.Sid)
		require.True(t, slices.ContainsFunc(st.Action, func(a string) bool { return strings.Contains(err.Error(), a) }), "preflight without %s: %v", st.Sid, err)
	}
	_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &d.name, PolicyDocument: aws.String(d.text())})
	require.NoError(t, err)
	s.local.IAM.Act()
}

// assertOnlyTheLoadReachesTheCache runs the same command in the load's security group and in the VPC's default one.
func (s *stack) assertOnlyTheLoadReachesTheCache(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	found, err := elasticache.NewFromConfig(s.Config).DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &s.name})
	require.NoError(t, err)
	cache := found.ReplicationGroups[0].NodeGroups[0].PrimaryEndpoint
	client := ecs.NewFromConfig(s.Config)
	definition, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String(s.name + "-knock"), Cpu: aws.String("256"), Memory: aws.String("512"),
		NetworkMode: ecst.NetworkModeAwsvpc, RequiresCompatibilities: []ecst.Compatibility{ecst.CompatibilityFargate}, ContainerDefinitions: []ecst.ContainerDefinition{{
			Name: aws.String("knock"), Image: aws.String("bash"), EntryPoint: []string{"bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", *cache.Address, *cache.Port)}}}})
	require.NoError(t, err)
	groups, err := ec2.NewFromConfig(s.Config).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: []ec2t.Filter{{Name: aws.String("vpc-id"), Values: []string{s.vpc}}, {Name: aws.String("group-name"), Values: []string{s.name + "-load", "default"}}}})
	require.NoError(t, err)
	require.Len(t, groups.SecurityGroups, 2)
	for _, group := range groups.SecurityGroups {
		ran, err := client.RunTask(ctx, &ecs.RunTaskInput{Cluster: &s.name, TaskDefinition: definition.TaskDefinition.TaskDefinitionArn, LaunchType: ecst.LaunchTypeFargate,
			NetworkConfiguration: &ecst.NetworkConfiguration{AwsvpcConfiguration: &ecst.AwsVpcConfiguration{Subnets: s.subnets, SecurityGroups: []string{*group.GroupId}}}})
		require.NoError(t, err)
		var exit int32
		eventually(t, "the end of a task", func(ctx context.Context) (bool, any, error) {
			out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &s.name, Tasks: []string{*ran.Tasks[0].TaskArn}})
			if err != nil {
				return false, nil, err
			}
			exit = aws.ToInt32(out.Tasks[0].Containers[0].ExitCode)
			return *out.Tasks[0].LastStatus == "STOPPED", *out.Tasks[0].LastStatus, nil
		})
		require.Equal(t, *group.GroupName == "default", exit != 0, "exit code %d in the security group %s", exit, *group.GroupName)
	}
	_, err = client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: definition.TaskDefinition.TaskDefinitionArn})
	require.NoError(t, err)
}

// assertDeadLetters removes the permission to invoke from the scheduler's role: events that it cannot deliver go to the queue.
func (s *stack) assertDeadLetters(t *testing.T, documents []document) {
	t.Helper()
	role, d := s.name+"-scheduler", documents[0]
	i := slices.IndexFunc(d.statements, func(st statement) bool { return st.Sid == "Invoke" })
	_, err := iam.NewFromConfig(s.Config).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &d.name, PolicyDocument: aws.String(d.without(i).text())})
	require.NoError(t, err)
	s.local.IAM.Act()
	arn := func(service, resource string) *string {
		return aws.String("arn:aws:" + service + ":us-east-1:" + account.ID + ":" + resource)
	}
	_, err = scheduler.NewFromConfig(s.Config).CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{Name: aws.String("once"), GroupName: &s.name,
		ScheduleExpression: aws.String("at(" + time.Now().UTC().Add(2*time.Second).Format("2006-01-02T15:04:05") + ")"), FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete, Target: &types.Target{Arn: arn("lambda", "function:"+s.name+"-stop"), RoleArn: aws.String("arn:aws:iam::" + account.ID + ":role/" + role),
			Input: aws.String(`{"undelivered":true}`), RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(0)}, DeadLetterConfig: &types.DeadLetterConfig{Arn: arn("sqs", s.name+"-stop-dlq")}}})
	require.NoError(t, err)
	client := sqs.NewFromConfig(s.Config)
	queue, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(s.name + "-stop-dlq")})
	require.NoError(t, err)
	eventually(t, "a dead letter", func(ctx context.Context) (bool, any, error) {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
		if err != nil {
			return false, nil, err
		}
		return slices.ContainsFunc(out.Messages, func(m sqst.Message) bool { return strings.Contains(*m.Body, "undelivered") }), out.Messages, nil
	})
	_, err = iam.NewFromConfig(s.Config).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &d.name, PolicyDocument: aws.String(d.text())})
	require.NoError(t, err)
	s.local.IAM.Act()
}

// lambdaConfig is the function's configuration, from its environment.
func (s *stack) lambdaConfig(t *testing.T) shutdown.Config {
	t.Helper()
	f, err := lambda.NewFromConfig(s.Config).GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(s.name + "-stop")})
	require.NoError(t, err)
	config, err := shutdown.ParseConfig(f.Environment.Variables["CONFIG"])
	require.NoError(t, err)
	return config
}

// decisions are the decisions of an environment's IAM.
type decisions struct {
	mu  sync.Mutex
	all []local.Decision
}

func (d *decisions) add(one local.Decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
}

// of returns the decisions about a role, by its ARN or a session's.
func (d *decisions) of(role string) []local.Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []local.Decision
	for _, one := range d.all {
		if strings.HasSuffix(one.Principal, ":role/"+role) || strings.Contains(one.Principal, ":assumed-role/"+role+"/") {
			out = append(out, one)
		}
	}
	return out
}

// deployerPolicies returns the policies in docs/permissions.md that a stack needs: the first two, one for a serverless or an existing cache, one for KMS
// keys, and one for sweeping.
func (w *environment) deployerPolicies(t *testing.T, name string, inputs map[string]any) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/permissions.md")
	require.NoError(t, err)
	existing, _ := inputs["existing_cache"].(map[string]any)
	if inputs["replication_group_id"] != nil { // a root with a variable of that name
		existing = inputs
	}
	cache, _ := inputs["cache"].(map[string]any)
	keys := []any{inputs["metrics_export_kms_key_arn"], cache["kms_key_arn"]}
	fill := strings.NewReplacer("EXPORTS_KEY", fmt.Sprint(keys[0]), "CACHE_KEY", fmt.Sprint(keys[1]), "REGION", w.Region, "ACCOUNT", account.ID, "NAME", name, "BUCKET", w.bucket, "PREFIX", "exports", "VPC", w.vpc,
		"CACHE", fmt.Sprint(existing["replication_group_id"]), "GROUP", fmt.Sprint(existing["security_group_id"]))
	var out []string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(page, -1) {
		out = append(out, fill.Replace(string(block[1])))
	}
	require.Len(t, out, 6, "policies in docs/permissions.md")
	wanted := out[:2:2]
	switch {
	case cache["serverless"] != nil:
		wanted = append(wanted, out[2])
	case existing != nil:
		wanted = append(wanted, out[3])
	}
	if keys[0] != nil || keys[1] != nil {
		wanted = append(wanted, out[4])
	}
	if inputs["sweeps"] != nil {
		wanted = append(wanted, out[5])
	}
	return wanted
}

// deployer is the environment of a session with exactly the permissions that docs/permissions.md grants a deployer.
func (w *environment) deployer(t *testing.T, name string, inputs map[string]any) map[string]string {
	t.Helper()
	if w.local == nil {
		return nil // the caller's own permissions
	}
	role := name + "-deployer"
	arn := "arn:aws:iam::" + account.ID + ":role/" + role
	if _, exists := w.local.IAM.Role(arn); !exists { // two roots with the same name share it
		client := iam.NewFromConfig(w.Config)
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + account.ID + `:root"}}]}`
		_, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: &trust, MaxSessionDuration: aws.Int32(4 * 3600)})
		require.NoError(t, err)
		for i, text := range w.deployerPolicies(t, name, inputs) {
			p, err := client.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String(fmt.Sprintf("%s-%d", role, i+1)), PolicyDocument: &text})
			require.NoError(t, err)
			_, err = client.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: &role, PolicyArn: p.Policy.Arn})
			require.NoError(t, err)
		}
		w.local.IAM.Act()
	}
	c := w.local.IAM.Session(arn, "journey")
	return map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_SESSION_TOKEN": c.SessionToken}
}

// document is a policy from which statements can be removed.
type document struct {
	name       string
	raw        []json.RawMessage
	statements []statement
}

type statement struct {
	Sid    string
	Action words
}

// words is one text or a list of them.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

func (d document) without(i int) document {
	return document{d.name, slices.Delete(slices.Clone(d.raw), i, i+1), slices.Delete(slices.Clone(d.statements), i, i+1)}
}

// has reports whether a statement is in this policy.
func (d document) has(st statement) bool {
	return slices.ContainsFunc(d.statements, func(one statement) bool { return one.Sid == st.Sid })
}

func (d document) text() string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": d.raw}) // unchanged
	return string(b)
}

func allows(t *testing.T, documents []document, d local.Decision) bool {
	t.Helper()
	ruling := policy.None
	for _, one := range documents {
		if len(one.raw) == 0 {
			continue
		}
		p, err := policy.Parse(policy.Identity, one.text())
		require.NoError(t, err)
		ruling = max(ruling, p.Decide(policy.Request{Action: d.Action, Resource: d.Resource, Context: d.Context}))
	}
	return ruling == policy.Allow
}

// policies are all policies of a role, inline and attached.
func (w *environment) policies(t *testing.T, role string) (out []document) {
	t.Helper()
	client := iam.NewFromConfig(w.Config)
	read := func(name, encoded string) {
		text, err := url.QueryUnescape(encoded)
		require.NoError(t, err)
		var raw struct{ Statement []json.RawMessage }
		var parsed struct{ Statement []statement }
		require.NoError(t, errors.Join(json.Unmarshal([]byte(text), &raw), json.Unmarshal([]byte(text), &parsed)))
		out = append(out, document{name, raw.Statement, parsed.Statement})
	}
	inline, err := client.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: &role})
	require.NoError(t, err)
	for _, name := range inline.PolicyNames {
		p, err := client.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
		require.NoError(t, err)
		read(name, *p.PolicyDocument)
	}
	attached, err := client.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: &role})
	require.NoError(t, err)
	for _, a := range attached.AttachedPolicies {
		v, err := client.GetPolicyVersion(t.Context(), &iam.GetPolicyVersionInput{PolicyArn: a.PolicyArn, VersionId: aws.String("v1")})
		require.NoError(t, err)
		read(*a.PolicyName, *v.PolicyVersion.Document)
	}
	return out
}
