package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/terraform"
	terratest "github.com/gruntwork-io/terratest/modules/testing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	tfcli "github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// stack is a Terraform root applied in an environment, with its own state and data.
type stack struct {
	*environment
	name      string
	cache     string // the existing cache that it loads; empty: its own, which has the stack's name
	options   *terraform.Options
	destroyed bool
}

// newStack prepares a root folder ("." is the project's own) with the deployer's policy. It is destroyed at the end of the test.
func newStack(t *testing.T, w *environment, root string, vars map[string]any) *stack {
	t.Helper()
	name := nameOf(t)
	inputs := w.inputs(map[string]any{"name": name, "load": light(nil)}, vars)
	s := &stack{environment: w, name: name, options: w.options(t, root, inputs)}
	maps.Copy(s.options.EnvVars, w.deployer(t, name, inputs))
	s.destroyAtEnd(t)
	terraform.InitContext(t, t.Context(), s.options)
	require.NoError(t, tfcli.ForgetChecksums(s.options.TerraformDir)) // or each command takes half a second more
	return s
}

// nameOf derives a stack's name from its test. It ends in random letters, because others may run the same test in the same account at the same time.
func nameOf(t *testing.T) string {
	name := "e2e-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	return strings.TrimRight(name[:min(len(name), 30)], "-") + "-" + account.NewID(6)
}

// light is a load that leaves most of the machine to other tests: some 400 requests per second.
func light(other map[string]any) map[string]any {
	load := map[string]any{"threads": 1, "clients": 4, "key_maximum": 10000, "rate_limit": 100}
	maps.Copy(load, other)
	return load
}

// options are a root folder's: its own inputs, state and data, and the credentials of the environment's owner.
func (w *environment) options(t *testing.T, root string, inputs map[string]any) *terraform.Options {
	t.Helper()
	env := map[string]string{"TF_DATA_DIR": filepath.Join(t.TempDir(), "terraform"), "TF_IN_AUTOMATION": "1"}
	maps.Copy(env, w.env)
	binary := os.Getenv("E2E_TERRAFORM")
	if binary == "" {
		t.Fatal("run the journeys by `go tool mage test:e2e`: it finds Terraform and its provider and builds the Lambda")
	}
	options := &terraform.Options{TerraformBinary: binary, TerraformDir: folder(t, root, inputs), EnvVars: env, NoColor: true, Logger: transcript(t),
		RetryableTerraformErrors: slowMachine, MaxRetries: 5, TimeBetweenRetries: time.Second}
	if testing.Verbose() && os.Getenv("E2E_LOG") != "" {
		options.Logger = logger.Default
	}
	return options
}

// slowMachine is the error at Terraform's own limit of a minute for the start of a provider, which no setting changes. Nothing was asked of AWS then.
// https://github.com/hashicorp/go-plugin/blob/v1.8.0/client.go (StartTimeout)
var slowMachine = map[string]string{"timeout while waiting for plugin to start": "the machine is busy"}

// transcript keeps the end of Terraform's output, and prints it if the test has failed.
func transcript(t *testing.T) *logger.Logger {
	said := &lines{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Terraform's output:\n%s", said)
		}
	})
	return logger.New(said)
}

// lines are the last logged lines.
type lines struct {
	mu   sync.Mutex
	last []string
}

func (l *lines) Logf(_ terratest.TestingT, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, fmt.Sprintf(format, args...))
	l.last = l.last[max(0, len(l.last)-200):]
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// destroyAtEnd destroys the stack at the end of the test, whatever happened. If the test failed, it first prints the stack's logs.
func (s *stack) destroyAtEnd(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*waitLimit)
		defer cancel()
		if t.Failed() {
			s.collect(ctx, t)
		}
		if !s.destroyed {
			s.waitCacheGone(ctx)
			s.destroy(ctx, t)
		}
	})
}

// inputs are the inputs that a root needs in this environment, overridden by the test's.
func (w *environment) inputs(wanted ...map[string]any) map[string]any {
	all := map[string]any{"vpc_id": w.vpc, "subnet_ids": w.subnets, "metrics_export_s3_bucket": w.bucket, "lambda_architecture": w.architecture,
		"aws_region": w.Region, "test_duration_minutes": 60, "metrics_period_seconds": w.period} // a journey brings the stop forward
	for _, vars := range wanted {
		maps.Copy(all, vars)
	}
	return all
}

// folder creates a root with the test's inputs and links to the files in a folder of the project, so that the test has its own state and lock file. An
// example that uses modules of a release, which may not exist yet, gets the project's instead.
func folder(t *testing.T, root string, inputs map[string]any) string {
	t.Helper()
	project, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := awkwardDir(t)
	override, err := tfcli.OverrideReleased(filepath.Join(project, root), filepath.Join(project, "modules"))
	require.NoError(t, err)
	if len(override) > 0 { // such an example needs nothing outside its folder
		require.NoError(t, os.WriteFile(filepath.Join(dir, "override.tf"), override, 0o600))
	} else {
		for _, name := range []string{"modules", "build"} {
			require.NoError(t, os.Symlink(filepath.Join(project, name), filepath.Join(dir, name)))
		}
	}
	files, err := workspace.Glob(filepath.Join(project, root), "*.tf")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no Terraform files in %s", root)
	for _, f := range files {
		require.NoError(t, os.Symlink(f, filepath.Join(dir, filepath.Base(f))))
	}
	write(t, dir, "terraform.tfvars.json", inputs)
	return dir
}

func write(t *testing.T, dir, file string, inputs map[string]any) {
	t.Helper()
	text, err := json.Marshal(inputs)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), text, 0o600))
}

// zip is the Lambda's zip, for roots outside the project.
func (w *environment) zip(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../build/lambda-" + w.architecture + ".zip")
	require.NoError(t, err)
	return path
}

// changeInputs sets other inputs of a stack. They override terraform.tfvars.json.
func (s *stack) changeInputs(t *testing.T, inputs map[string]any) {
	t.Helper()
	write(t, s.options.TerraformDir, "changed.auto.tfvars.json", inputs)
}

func (s *stack) apply(t *testing.T) {
	t.Helper()
	start := time.Now()
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.NoError(t, err)
	t.Logf("apply took %s", time.Since(start).Round(time.Second))
}

// destroy checks that the destroy succeeds, and that nothing is left.
func (s *stack) destroy(ctx context.Context, t *testing.T) {
	t.Helper()
	start := time.Now()
	_, err := terraform.DestroyContextE(t, ctx, s.options)
	if s.destroyed = err == nil; assert.NoError(t, err, "destroy") {
		t.Logf("destroy took %s", time.Since(start).Round(time.Second))
		s.nothingLeft(ctx, t)
	}
}

// assertEmptyPlan checks that a second plan is empty, so AWS's responses match the configuration.
func (s *stack) assertEmptyPlan(t *testing.T) {
	t.Helper()
	if code := planExitCode(t, s.options); code != 0 {
		text, _ := terraform.PlanContextE(t, t.Context(), s.options)
		require.Equal(t, 0, code, "the second plan is not empty:\n%s", text)
	}
}

// planExitCode returns 0 if there is nothing to change, otherwise 2. Unlike plan itself, terratest does not repeat this on a slow machine.
func planExitCode(t *testing.T, options *terraform.Options) int {
	t.Helper()
	for {
		code, err := terraform.PlanExitCodeContextE(t, t.Context(), options)
		require.NoError(t, err)
		if code != 1 {
			return code
		}
		text, err := terraform.PlanContextE(t, t.Context(), options)
		require.NoError(t, err, text)
	}
}

func (s *stack) output(t *testing.T, name string) string {
	t.Helper()
	return terraform.OutputContext(t, t.Context(), s.options, name)
}

// collect prints the end of every log group of the stack, because destroy removes them.
func (s *stack) collect(ctx context.Context, t *testing.T) {
	client := cloudwatchlogs.NewFromConfig(s.Config)
	for _, prefix := range []string{"/elasticache-perf/" + s.name, "/aws/lambda/" + s.name} {
		groups, err := client.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix})
		if err != nil {
			t.Logf("log groups: %v", err)
			continue
		}
		for _, g := range groups.LogGroups {
			streams, err := client.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: g.LogGroupName})
			if err != nil {
				t.Logf("%s: %v", *g.LogGroupName, err)
				continue
			}
			for _, st := range streams.LogStreams {
				events, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: g.LogGroupName, LogStreamName: st.LogStreamName, Limit: aws.Int32(40)})
				if err != nil {
					t.Logf("%s %s: %v", *g.LogGroupName, *st.LogStreamName, err)
					continue
				}
				for _, e := range events.Events {
					t.Logf("%s %s: %s", *g.LogGroupName, *st.LogStreamName, *e.Message)
				}
			}
		}
	}
}

// waitCacheGone waits for a cache's deletion, as `mage destroy` does: the provider does not retry CacheSubnetGroupInUse.
func (s *stack) waitCacheGone(ctx context.Context) {
	for ctx.Err() == nil {
		if status, err := s.cacheStatus(ctx); err != nil || status != "deleting" {
			return
		}
		time.Sleep(time.Second)
	}
}

// cacheStatus is the status of the cache with the stack's name, of either kind; "" if it does not exist.
func (s *stack) cacheStatus(ctx context.Context) (string, error) {
	client := elasticache.NewFromConfig(s.Config)
	group, err := client.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &s.name})
	var noGroup *ect.ReplicationGroupNotFoundFault
	if !errors.As(err, &noGroup) {
		if err != nil {
			return "", err
		}
		return aws.ToString(group.ReplicationGroups[0].Status), nil
	}
	serverless, err := client.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &s.name})
	var noCache *ect.ServerlessCacheNotFoundFault
	if errors.As(err, &noCache) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(serverless.ServerlessCaches[0].Status), nil
}

// nothingLeft checks that no service has resources of the stack. AWS only keeps INACTIVE task definitions and service-linked roles.
func (s *stack) nothingLeft(ctx context.Context, t *testing.T) {
	t.Helper()
	stop := s.name + "-stop"
	status, err := s.cacheStatus(ctx)
	assert.NoError(t, err)
	assert.Empty(t, status, "cache")
	_, err = elasticache.NewFromConfig(s.Config).DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: &s.name})
	assert.ErrorContains(t, err, "CacheSubnetGroupNotFound", "subnet group")
	_, err = elasticache.NewFromConfig(s.Config).DescribeCacheParameterGroups(ctx, &elasticache.DescribeCacheParameterGroupsInput{CacheParameterGroupName: &s.name})
	assert.ErrorContains(t, err, "CacheParameterGroupNotFound", "parameter group")
	clusters, err := ecs.NewFromConfig(s.Config).DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{s.name}})
	if assert.NoError(t, err) && len(clusters.Clusters) > 0 {
		assert.Equal(t, "INACTIVE", *clusters.Clusters[0].Status, "ECS cluster")
	}
	_, err = lambda.NewFromConfig(s.Config).GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &stop})
	assert.ErrorContains(t, err, "ResourceNotFoundException", "Lambda")
	_, err = scheduler.NewFromConfig(s.Config).GetScheduleGroup(ctx, &scheduler.GetScheduleGroupInput{Name: &s.name})
	assert.ErrorContains(t, err, "ResourceNotFoundException", "schedule group")
	_, err = sqs.NewFromConfig(s.Config).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(stop + "-dlq")})
	assert.ErrorContains(t, err, "NonExistentQueue", "dead-letter queue")
	for _, role := range []string{stop, s.name + "-scheduler", s.name + "-load-execution", s.name + "-load-task"} {
		_, err = iam.NewFromConfig(s.Config).GetRole(ctx, &iam.GetRoleInput{RoleName: &role})
		assert.ErrorContains(t, err, "NoSuchEntity", "role %s", role)
	}
	alarms, err := cloudwatch.NewFromConfig(s.Config).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: &s.name})
	if assert.NoError(t, err) {
		assert.Empty(t, alarms.MetricAlarms, "alarms")
	}
	_, err = cloudwatch.NewFromConfig(s.Config).GetDashboard(ctx, &cloudwatch.GetDashboardInput{DashboardName: aws.String(s.name + "-" + s.Region)})
	assert.ErrorContains(t, err, "ResourceNotFound", "dashboard")
	for _, prefix := range []string{"/elasticache-perf/" + s.name, "/aws/lambda/" + s.name, "/aws/vendedlogs/elasticache/" + s.name, "/aws/ecs/containerinsights/" + s.name} {
		groups, err := cloudwatchlogs.NewFromConfig(s.Config).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix})
		if assert.NoError(t, err) {
			assert.Empty(t, groups.LogGroups, "log groups")
		}
	}
	topics, err := sns.NewFromConfig(s.Config).ListTopics(ctx, &sns.ListTopicsInput{})
	if assert.NoError(t, err) {
		for _, topic := range topics.Topics {
			assert.False(t, strings.HasSuffix(*topic.TopicArn, ":"+s.name), "topic %s", *topic.TopicArn)
		}
	}
	groups, err := ec2.NewFromConfig(s.Config).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: []ec2t.Filter{{Name: aws.String("group-name"), Values: []string{s.name + "-load", s.name + "-cache", s.name}}}})
	if assert.NoError(t, err) {
		assert.Empty(t, groups.SecurityGroups, "security groups")
	}
}
