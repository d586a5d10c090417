package test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
)

// An embedded AWS that runs for hours, with a cache under steady load: each round creates another cache and a task that logs, reads their logs and
// metrics, writes an object, and removes everything. It logs the process's resources after the first rounds, after 5, 20, 40 and 60 minutes and at the
// end, between two rounds, and writes a heap profile each time. CloudWatch keeps its data, and so do logs, so memory grows by those; descriptors,
// goroutines and processes do not grow. See docs/performance.md.
//
//	go test ./test -run '^$' -bench Endurance -benchtime 60m -timeout 0 -v -artifacts -outputdir build
func BenchmarkEndurance(b *testing.B) {
	cfg := localaws.Config{Dir: b.TempDir(), Buckets: []string{"exports"}, MetricsPeriod: 5 * time.Second, Tools: tools(b), Delays: account.Delays{TaskStart: 10 * time.Millisecond},
		Log: slog.New(slog.NewTextHandler(testWriter{b}, &slog.HandlerOptions{Level: slog.LevelError}))}
	server, err := localaws.Start(b.Context(), cfg)
	require.NoError(b, err)
	defer func() { require.NoError(b, server.Close()) }()
	r := newRounds(b, server)
	load := r.load(b)
	const warm = 20
	for range warm {
		r.round(b)
	}
	rounds, began := 0, time.Now()
	look := func() held {
		h, d := hold(cfg.Dir), time.Since(began).Round(time.Second)
		b.Logf("after %s and %d rounds: %s", d, rounds, h)
		profile, err := os.Create(filepath.Join(b.ArtifactDir(), fmt.Sprintf("heap-%s.pb.gz", d)))
		require.NoError(b, err)
		require.NoError(b, pprof.WriteHeapProfile(profile))
		require.NoError(b, profile.Close())
		return h
	}
	first := look()
	early, marks := first, []time.Duration{5 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour}
	for b.Loop() {
		r.round(b)
		rounds++
		if len(marks) > 0 && time.Since(began) >= marks[0] {
			marks = marks[1:]
			if h := look(); early == first {
				early = h
			}
		}
	}
	after := look()
	status, err := r.status(b.Context(), load)
	require.NoError(b, err)
	require.Equal(b, "RUNNING", status, "the steady load")
	b.ReportMetric(float64(rounds)/time.Since(began).Hours(), "rounds/h")
	b.ReportMetric(after.heap, "MB-heap")
	b.ReportMetric(after.resident, "MB-resident")
	b.ReportMetric((after.heap-first.heap)*1000/float64(max(rounds, 1)), "KB-more/round")
	for unit, counts := range map[string][2]int{"descriptors": {early.descriptors, after.descriptors}, "goroutines": {early.goroutines, after.goroutines}, "processes": {early.processes, after.processes}} {
		b.ReportMetric(float64(counts[1]), unit)
		b.ReportMetric(float64(counts[1]-counts[0]), unit+"-more")
		// If each round leaked one, there would be as many as rounds.
		require.Less(b, counts[1]-counts[0], 10+rounds/10, "%s: %d, and %d after %d rounds", unit, counts[0], counts[1], rounds)
	}
}

// held counts the resources of this process, and the children that the embedded AWS in dir started. Sizes are in MB, just after a garbage collection.
type held struct {
	heap                               float64 // live objects
	gaps                               float64 // free parts of pages that have live objects
	spare                              float64 // free pages that the runtime keeps for the next allocations
	other                              float64 // the runtime's own: stacks, tables, its profile
	resident, file                     float64 // of this process, and the program's own pages therein
	descriptors, goroutines, processes int
}

func (h held) String() string {
	return fmt.Sprintf("%.1f MB heap (and %.1f MB gaps, %.1f MB spare, %.1f MB other), %.1f MB resident (%.1f MB of files), %d descriptors, %d goroutines, %d processes",
		h.heap, h.gaps, h.spare, h.other, h.resident, h.file, h.descriptors, h.goroutines, h.processes)
}

func hold(dir string) held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, _ := os.ReadDir("/proc/self/fd")
	var size, resident, file float64 // pages; https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
	statm, _ := os.ReadFile("/proc/self/statm")
	_, _ = fmt.Sscan(string(statm), &size, &resident, &file)
	page := float64(os.Getpagesize()) / 1e6
	return held{float64(m.HeapAlloc) / 1e6, float64(m.HeapInuse-m.HeapAlloc) / 1e6, float64(m.HeapIdle-m.HeapReleased) / 1e6, float64(m.Sys-m.HeapSys) / 1e6,
		resident * page, file * page, len(open), runtime.NumGoroutine(), len(children(dir))}
}

// rounds does the same operations again and again.
type rounds struct {
	caches  *elasticache.Client
	tasks   *ecs.Client
	logs    *cloudwatchlogs.Client
	metrics *cloudwatch.Client
	objects *s3.Client
	network *ecst.NetworkConfiguration
	role    string
}

func newRounds(b *testing.B, server *localaws.Server) *rounds {
	env := server.Env()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL()), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}, nil
	})}
	r := &rounds{caches: elasticache.NewFromConfig(cfg), tasks: ecs.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), metrics: cloudwatch.NewFromConfig(cfg), objects: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		network: &ecst.NetworkConfiguration{AwsvpcConfiguration: &ecst.AwsVpcConfiguration{Subnets: server.Subnets()[:1]}}}
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
	r.role = *role.Role.Arn
	open, err := ec2.NewFromConfig(cfg).DescribeSecurityGroups(b.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []ec2t.Filter{
		{Name: aws.String("vpc-id"), Values: []string{server.VPC()}}, {Name: aws.String("group-name"), Values: []string{"default"}}}}) // the group's members reach each other
	require.NoError(b, err)
	r.network.AwsvpcConfiguration.SecurityGroups = []string{*open.SecurityGroups[0].GroupId}
	r.define(b, "talk", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; sleep 1")
	return r
}

// define registers a task definition whose task runs script and logs to the group of the same name.
func (r *rounds) define(b *testing.B, family, script string) {
	_, err := r.tasks.RegisterTaskDefinition(b.Context(), &ecs.RegisterTaskDefinitionInput{Family: aws.String(family), RequiresCompatibilities: []ecst.Compatibility{ecst.CompatibilityFargate},
		NetworkMode: ecst.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"), ExecutionRoleArn: aws.String(r.role),
		ContainerDefinitions: []ecst.ContainerDefinition{{Name: aws.String("memtier"), Image: aws.String("redislabs/memtier_benchmark:2.5.1"), EntryPoint: []string{"sh", "-c", script},
			LogConfiguration: &ecst.LogConfiguration{LogDriver: ecst.LogDriverAwslogs, Options: map[string]string{
				"awslogs-group": "/" + family, "awslogs-region": "us-east-1", "awslogs-stream-prefix": family}}}}})
	require.NoError(b, err)
}

// load creates a cache that stays, and a task that loads it for the whole benchmark.
func (r *rounds) load(b *testing.B) (task string) {
	r.create(b, "steady")
	out, err := r.caches.DescribeReplicationGroups(b.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("steady")})
	require.NoError(b, err)
	at := out.ReplicationGroups[0].NodeGroups[0].PrimaryEndpoint
	_, err = r.logs.CreateLogGroup(b.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/steady")})
	require.NoError(b, err)
	r.define(b, "steady", fmt.Sprintf(`memtier_benchmark --server %s --port %d --threads 1 --clients 10 --rate-limiting 200 --test-time 36000 2>&1 | stdbuf -oL tr '\r' '\n'`, *at.Address, *at.Port))
	task = r.run(b, "steady")
	eventually(b, "the load talks", func(ctx context.Context) (bool, any, error) {
		said, err := r.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/steady")})
		return err == nil && len(said.Events) > 2, said, err
	})
	return task
}

// create creates a cache with one node, and waits until it is available.
func (r *rounds) create(b *testing.B, id string) {
	_, err := r.caches.CreateReplicationGroup(b.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String(id), ReplicationGroupDescription: aws.String(id), Engine: aws.String("redis"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(1), CacheSubnetGroupName: aws.String("perf"), AutomaticFailoverEnabled: aws.Bool(false),
		SecurityGroupIds: r.network.AwsvpcConfiguration.SecurityGroups})
	require.NoError(b, err)
	r.cache(b, id, "available")
}

// cache waits for a cache's status; "" means that it is gone.
func (r *rounds) cache(b *testing.B, id, status string) {
	eventually(b, "the cache's state", func(ctx context.Context) (bool, any, error) {
		out, err := r.caches.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String(id)})
		if err != nil {
			gone := strings.Contains(err.Error(), "NotFound")
			return gone && status == "", err, nil
		}
		return *out.ReplicationGroups[0].Status == status, *out.ReplicationGroups[0].Status, nil
	})
}

// run starts a task, and returns its ARN.
func (r *rounds) run(b *testing.B, family string) string {
	started, err := r.tasks.RunTask(b.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String(family), LaunchType: ecst.LaunchTypeFargate, NetworkConfiguration: r.network})
	require.NoError(b, err)
	require.Empty(b, started.Failures)
	return *started.Tasks[0].TaskArn
}

func (r *rounds) status(ctx context.Context, task string) (string, error) {
	out, err := r.tasks.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{task}})
	if err != nil {
		return "", err
	}
	return *out.Tasks[0].LastStatus, nil
}

func (r *rounds) round(b *testing.B) {
	ctx, group := b.Context(), aws.String("/talk")
	_, err := r.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	require.NoError(b, err)
	r.create(b, "perf")
	task := r.run(b, "talk")
	eventually(b, "the task is STOPPED", func(ctx context.Context) (bool, any, error) {
		status, err := r.status(ctx, task)
		return status == "STOPPED", status, err
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
	_, err = r.caches.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("perf")})
	require.NoError(b, err)
	r.cache(b, "perf", "")
	_, err = r.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group})
	require.NoError(b, err)
}
