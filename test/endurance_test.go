package test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
)

// An embedded AWS that is used for hours: each round makes a cache and a task that talks, reads their logs and metrics, writes an object, and removes all
// of it. Reported: what the process holds after the first rounds, and how much more of it at the end. CloudWatch keeps what it was given, so memory grows
// by that; descriptors, goroutines and processes do not.
//
//	go test ./test -run '^$' -bench Endurance -benchtime 60m -timeout 0
func BenchmarkEndurance(b *testing.B) {
	cfg := localaws.Config{Dir: b.TempDir(), Buckets: []string{"exports"}, MetricsPeriod: time.Second, Tools: tools(b), Delays: account.Delays{TaskStart: 10 * time.Millisecond},
		Log: slog.New(slog.NewTextHandler(testWriter{b}, &slog.HandlerOptions{Level: slog.LevelError}))}
	server, err := localaws.Start(b.Context(), cfg)
	require.NoError(b, err)
	defer func() { require.NoError(b, server.Close()) }()
	r := newRounds(b, server)
	const warm = 20
	for range warm {
		r.round(b)
	}
	before, rounds := hold(cfg.Dir), 0
	began := time.Now()
	for b.Loop() {
		r.round(b)
		rounds++
	}
	after := hold(cfg.Dir)
	b.ReportMetric(float64(rounds)/time.Since(began).Hours(), "rounds/h")
	b.ReportMetric(before.heap, "MB")
	b.ReportMetric((after.heap-before.heap)*1000/float64(max(rounds, 1)), "KB-more/round")
	for unit, counts := range map[string][2]int{"descriptors": {before.descriptors, after.descriptors}, "goroutines": {before.goroutines, after.goroutines}, "processes": {before.processes, after.processes}} {
		b.ReportMetric(float64(counts[0]), unit)
		b.ReportMetric(float64(counts[1]-counts[0]), unit+"-more")
		// One that is left behind by each round would be as many as there were rounds.
		require.Less(b, counts[1]-counts[0], 10+rounds/10, "%s: %d after %d rounds, %d after %d more", unit, counts[0], warm, counts[1], rounds)
	}
}

// held is what this process has, with the children that the embedded AWS in dir started.
type held struct {
	heap                               float64 // MB
	descriptors, goroutines, processes int
}

func hold(dir string) held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, _ := os.ReadDir("/proc/self/fd")
	return held{float64(m.HeapAlloc) / 1e6, len(open), runtime.NumGoroutine(), len(children(dir))}
}

// rounds is what somebody does again and again.
type rounds struct {
	caches  *elasticache.Client
	tasks   *ecs.Client
	logs    *cloudwatchlogs.Client
	metrics *cloudwatch.Client
	objects *s3.Client
	network *ecst.NetworkConfiguration
}

func newRounds(b *testing.B, server *localaws.Server) *rounds {
	env := server.Env()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL()), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}, nil
	})}
	r := &rounds{elasticache.NewFromConfig(cfg), ecs.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg), cloudwatch.NewFromConfig(cfg), s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		&ecst.NetworkConfiguration{AwsvpcConfiguration: &ecst.AwsVpcConfiguration{Subnets: server.Subnets()[:1]}}}
	_, err := r.caches.CreateCacheSubnetGroup(b.Context(), &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("perf"), CacheSubnetGroupDescription: aws.String("perf"), SubnetIds: server.Subnets()})
	require.NoError(b, err)
	roles := iam.NewFromConfig(cfg)
	role, err := roles.CreateRole(b.Context(), &iam.CreateRoleInput{RoleName: aws.String("execution"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}`)})
	require.NoError(b, err)
	_, err = roles.PutRolePolicy(b.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("execution"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`)})
	require.NoError(b, err)
	_, err = r.tasks.CreateCluster(b.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c")})
	require.NoError(b, err)
	_, err = r.tasks.RegisterTaskDefinition(b.Context(), &ecs.RegisterTaskDefinitionInput{Family: aws.String("load"), RequiresCompatibilities: []ecst.Compatibility{ecst.CompatibilityFargate},
		NetworkMode: ecst.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: role.Role.Arn,
		ContainerDefinitions: []ecst.ContainerDefinition{{Name: aws.String("memtier"), Image: aws.String("redislabs/memtier_benchmark:2.5.1"),
			EntryPoint: []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; sleep 1"},
			LogConfiguration: &ecst.LogConfiguration{LogDriver: ecst.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/load", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "load"}}}}})
	require.NoError(b, err)
	return r
}

func (r *rounds) round(b *testing.B) {
	ctx, id, group := b.Context(), aws.String("perf"), aws.String("/load")
	_, err := r.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	require.NoError(b, err)
	_, err = r.caches.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: id, ReplicationGroupDescription: id, Engine: aws.String("redis"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(1), CacheSubnetGroupName: id, AutomaticFailoverEnabled: aws.Bool(false)})
	require.NoError(b, err)
	cache := func(is func(status string) bool) {
		eventually(b, "the cache's state", func(ctx context.Context) (bool, any, error) {
			out, err := r.caches.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: id})
			if err != nil {
				gone := strings.Contains(err.Error(), "NotFound")
				return gone && is(""), err, nil
			}
			return is(*out.ReplicationGroups[0].Status), *out.ReplicationGroups[0].Status, nil
		})
	}
	cache(func(status string) bool { return status == "available" })
	started, err := r.tasks.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("load"), LaunchType: ecst.LaunchTypeFargate, NetworkConfiguration: r.network})
	require.NoError(b, err)
	require.Empty(b, started.Failures)
	eventually(b, "the task is STOPPED", func(ctx context.Context) (bool, any, error) {
		out, err := r.tasks.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{*started.Tasks[0].TaskArn}})
		if err != nil {
			return false, nil, err
		}
		return *out.Tasks[0].LastStatus == "STOPPED", *out.Tasks[0].LastStatus, nil
	})
	said, err := r.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group})
	require.NoError(b, err)
	require.Len(b, said.Events, 9)
	_, err = r.metrics.ListMetrics(ctx, nil)
	require.NoError(b, err)
	for i := range 10 {
		key := aws.String(filepath.Join("exports", fmt.Sprint(i)))
		_, err = r.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("exports"), Key: key, Body: strings.NewReader(strings.Repeat("x", 10_000))})
		require.NoError(b, err)
		_, err = r.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("exports"), Key: key})
		require.NoError(b, err)
	}
	_, err = r.caches.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: id})
	require.NoError(b, err)
	cache(func(status string) bool { return status == "" })
	_, err = r.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group})
	require.NoError(b, err)
}
