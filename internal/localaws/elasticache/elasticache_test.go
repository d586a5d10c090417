package elasticache_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache/node"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// TestMain is also the program that runs the embedded stand-in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "cache-node" {
		if err := node.RunNode(context.Background(), os.Args[2:], os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "reserve" {
		addr, err := elasticache.Reserve(os.Args[2:], 6390)
		fmt.Println(addr, err)
		_, _ = io.Copy(io.Discard, os.Stdin) // holds it until the test closes this
		os.Exit(0)
	}
	_, _ = loaded() // while PATH is whole; each test looks at the error
	os.Exit(m.Run())
}

var loaded = sync.OnceValues(apimodel.Load)

// network has two subnets in a VPC, one elsewhere, and counts interfaces by security group.
type network struct {
	mu       sync.Mutex
	attached map[string]int
}

func (n *network) Subnet(id string) (ec2.Subnet, bool) {
	sub, ok := map[string]ec2.Subnet{"subnet-a": {ID: "subnet-a", VPC: "vpc-1", AZ: "us-east-1a"}, "subnet-b": {ID: "subnet-b", VPC: "vpc-1", AZ: "us-east-1b"},
		"subnet-c": {ID: "subnet-c", VPC: "vpc-2", AZ: "us-east-1a"}, "subnet-d": {ID: "subnet-d", VPC: "vpc-1", AZ: "us-east-1a"}}[id]
	return sub, ok
}

func (n *network) SecurityGroup(id string) (ec2.SecurityGroup, bool) {
	sg, ok := map[string]ec2.SecurityGroup{"sg-1": {ID: "sg-1", VPC: "vpc-1"}, "sg-2": {ID: "sg-2", VPC: "vpc-2"}, "sg-3": {ID: "sg-3", VPC: "vpc-1"}}[id]
	return sg, ok
}

func (n *network) DefaultSecurityGroup(string) string { return "sg-1" }

func (n *network) Attach(_, _ string, groups []string) func() {
	n.count(groups, 1)
	return func() { n.count(groups, -1) }
}

func (n *network) count(groups []string, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range groups {
		n.attached[g] += by
	}
}

func (n *network) of(group string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.attached[group]
}

// books are CloudWatch Logs and metrics that remember everything.
type books struct {
	mu     sync.Mutex
	events map[string][]logs.Event // by group and stream
	points map[string]map[time.Time]float64
	units  map[string]string
}

func (b *books) Group(name string) bool { return strings.HasPrefix(name, "/there/") }

func (b *books) Put(group, stream string, events ...logs.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events[group+" "+stream] = append(b.events[group+" "+stream], events...)
	return nil
}

func (b *books) text(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out strings.Builder
	for _, e := range b.events[key] {
		out.WriteString(e.Message + "\n")
	}
	return out.String()
}

type numbers struct{ *books }

func (b numbers) Put(m cloudwatch.Metric, t time.Time, value float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := m.Name
	for _, d := range m.Dimensions {
		key += " " + d.Name + "=" + d.Value
	}
	if b.points[key] == nil {
		b.points[key] = map[time.Time]float64{}
	}
	b.points[key][t], b.units[m.Name] = value, m.Unit
}

// sum is of all periods; count of them.
func (b *books) sum(metric, cluster string) (total float64, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.points[metric+" CacheClusterId="+cluster+" CacheNodeId=0001"] {
		total += v
		count++
	}
	return total, count
}

type fixture struct {
	acct    *account.Account
	svc     *elasticache.Service
	c       *sdk.Client
	network *network
	books   *books
}

func start(t *testing.T, change ...func(*account.Account)) *fixture {
	w := &fixture{acct: wiretest.Account(t), network: &network{attached: map[string]int{}},
		books: &books{events: map[string][]logs.Event{}, points: map[string]map[time.Time]float64{}, units: map[string]string{}}}
	var err error
	w.acct.Tools, err = os.Executable()
	require.NoError(t, err)
	for _, f := range change {
		f(w.acct)
	}
	w.svc = elasticache.New(w.acct, w.network, w.books, numbers{w.books})
	t.Cleanup(func() { require.NoError(t, w.svc.Close()) })
	r := wire.NewRegistry()
	models, err := loaded()
	require.NoError(t, err)
	r.Record = func(x wire.Exchange) {
		for _, problem := range models.Check(x) {
			t.Errorf("%s: %s", x.Action, problem)
		}
	}
	w.svc.Register(r)
	w.c = sdk.NewFromConfig(wiretest.Config(t, r))
	_, err = w.c.CreateCacheSubnetGroup(t.Context(), &sdk.CreateCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("perf"), CacheSubnetGroupDescription: aws.String("d"), SubnetIds: []string{"subnet-a", "subnet-b"}})
	require.NoError(t, err)
	return w
}

func real(t *testing.T) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if _, err := exec.LookPath(name); err == nil {
			return
		}
	}
	t.Skip("neither redis-server nor valkey-server is on PATH: a real server is what this test is about")
}

// input is a group that can be created; its port is the test's own choice.
func input(change ...func(*sdk.CreateReplicationGroupInput)) *sdk.CreateReplicationGroupInput {
	in := &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ReplicationGroupDescription: aws.String("test"), Engine: aws.String("redis"),
		EngineVersion: aws.String("7.1"), CacheNodeType: aws.String("cache.t4g.micro"), CacheSubnetGroupName: aws.String("perf"), SecurityGroupIds: []string{"sg-1"},
		Port: aws.Int32(6390), NumCacheClusters: aws.Int32(1)}
	for _, f := range change {
		f(in)
	}
	return in
}

func (w *fixture) create(t *testing.T, change ...func(*sdk.CreateReplicationGroupInput)) types.ReplicationGroup {
	_, err := w.c.CreateReplicationGroup(t.Context(), input(change...))
	require.NoError(t, err)
	return w.await(t, "available")
}

func (w *fixture) await(t *testing.T, status string) (g types.ReplicationGroup) {
	t.Helper()
	wiretest.Until(t, "the replication group is "+status, func() (any, bool) {
		out, err := w.c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("perf")})
		if err != nil {
			require.Equal(t, "gone", status)
			require.ErrorContains(t, err, "ReplicationGroupNotFoundFault")
			g = types.ReplicationGroup{}
			return nil, true
		}
		g = out.ReplicationGroups[0]
		return *g.Status, w.reached(t, *g.Status, status)
	})
	return g
}

// reached fails the test when a cache could not be created: nothing else will come.
func (w *fixture) reached(t *testing.T, is, status string) bool {
	t.Helper()
	if is == status {
		return true
	}
	events, err := w.c.DescribeEvents(t.Context(), &sdk.DescribeEventsInput{})
	require.NoError(t, err)
	require.NotEqual(t, "create-failed", is, *events.Events[len(events.Events)-1].Message)
	return false
}

// slow lets a cache be in creating and in deleting for a minute of a clock that the test moves.
func slow(c *wiretest.Clock) func(*account.Account) {
	return func(a *account.Account) {
		a.Clock, a.MetricsPeriod, a.Delays = c, time.Hour, account.Delays{CacheCreate: time.Minute, CacheDelete: time.Minute}
	}
}

func (w *fixture) remove(t *testing.T) {
	_, err := w.c.DeleteReplicationGroup(t.Context(), &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("perf")})
	require.NoError(t, err)
	w.await(t, "gone")
}

func TestLife(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, slow(clock))
	out, err := w.c.CreateReplicationGroup(t.Context(), input())
	require.NoError(t, err)
	require.Equal(t, "creating", *out.ReplicationGroup.Status)
	require.Nil(t, out.ReplicationGroup.NodeGroups[0].PrimaryEndpoint)
	_, err = w.c.CreateReplicationGroup(t.Context(), input())
	require.ErrorContains(t, err, "ReplicationGroupAlreadyExists")
	_, err = w.c.DeleteReplicationGroup(t.Context(), &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("perf")})
	require.ErrorContains(t, err, "InvalidReplicationGroupState")

	clock.Next(t, time.Minute)
	g := w.await(t, "available")
	require.Equal(t, "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:perf", *g.ARN)
	require.Equal(t, []string{"perf-001"}, g.MemberClusters)
	require.Nil(t, g.ConfigurationEndpoint)
	require.EqualValues(t, 6390, *g.NodeGroups[0].PrimaryEndpoint.Port)
	require.False(t, *g.AtRestEncryptionEnabled)
	clusters, err := w.c.DescribeCacheClusters(t.Context(), &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("perf-001"), ShowCacheNodeInfo: aws.Bool(true)})
	require.NoError(t, err)
	n := clusters.CacheClusters[0]
	require.Equal(t, "7.1.0", *n.EngineVersion)
	require.Equal(t, "default.redis7", *n.CacheParameterGroup.CacheParameterGroupName)
	require.Equal(t, "sg-1", *n.SecurityGroups[0].SecurityGroupId)
	require.Equal(t, *g.NodeGroups[0].PrimaryEndpoint.Address, *n.CacheNodes[0].Endpoint.Address)
	require.Equal(t, 1, w.network.of("sg-1"))

	_, err = w.c.DeleteCacheSubnetGroup(t.Context(), &sdk.DeleteCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("perf")})
	require.ErrorContains(t, err, "CacheSubnetGroupInUse")
	_, err = w.c.ModifyReplicationGroup(t.Context(), &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("perf"), SecurityGroupIds: []string{"sg-3"}, ReplicationGroupDescription: aws.String("new")})
	require.NoError(t, err)
	g = w.await(t, "available")
	require.Equal(t, "new", *g.Description)
	require.Equal(t, []int{0, 1}, []int{w.network.of("sg-1"), w.network.of("sg-3")})

	_, err = w.c.DeleteReplicationGroup(t.Context(), &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("perf")})
	require.NoError(t, err)
	require.Equal(t, "deleting", *w.await(t, "deleting").Status)
	clock.Next(t, time.Minute)
	w.await(t, "gone")
	require.Zero(t, w.network.of("sg-3"))
	require.NoDirExists(t, filepath.Join(w.acct.Dir, "nodes", "perf-001"))
	_, err = w.c.DeleteCacheSubnetGroup(t.Context(), &sdk.DeleteCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("perf")})
	require.NoError(t, err)
}

// Each rule is AWS's own; the text says which.
func TestCreateRefuses(t *testing.T) {
	w := start(t)
	for _, x := range []struct {
		want   string
		change func(*sdk.CreateReplicationGroupInput)
	}{
		{"is not a valid identifier", func(in *sdk.CreateReplicationGroupInput) { in.ReplicationGroupId = aws.String(strings.Repeat("a", 41)) }},
		{"is not a valid identifier", func(in *sdk.CreateReplicationGroupInput) { in.ReplicationGroupId = aws.String("a--b") }},
		{"is not a valid identifier", func(in *sdk.CreateReplicationGroupInput) { in.ReplicationGroupId = aws.String("9a") }},
		{"Invalid cache engine", func(in *sdk.CreateReplicationGroupInput) { in.Engine = aws.String("memcached") }},
		{"Cannot find version 7.2 for redis", func(in *sdk.CreateReplicationGroupInput) { in.EngineVersion = aws.String("7.2") }},
		{"Invalid cache node type", func(in *sdk.CreateReplicationGroupInput) { in.CacheNodeType = aws.String("cache.t4g.huge") }},
		{"not offered for redis", func(in *sdk.CreateReplicationGroupInput) { in.CacheNodeType = aws.String("cache.r8g.large") }},
		{"can no longer be created", func(in *sdk.CreateReplicationGroupInput) { in.CacheNodeType = aws.String("cache.t2.micro") }},
		{"Expected a parameter group of family redis7 but found one of family valkey8", func(in *sdk.CreateReplicationGroupInput) { in.CacheParameterGroupName = aws.String("default.valkey8") }},
		{"CacheParameterGroupNotFound", func(in *sdk.CreateReplicationGroupInput) { in.CacheParameterGroupName = aws.String("none") }},
		{"CacheSubnetGroupNotFoundFault", func(in *sdk.CreateReplicationGroupInput) { in.CacheSubnetGroupName = aws.String("none") }},
		{"Some security groups do not exist", func(in *sdk.CreateReplicationGroupInput) { in.SecurityGroupIds = []string{"sg-0"} }},
		{"is in vpc-2", func(in *sdk.CreateReplicationGroupInput) { in.SecurityGroupIds = []string{"sg-2"} }},
		{"0 to 5 replicas", func(in *sdk.CreateReplicationGroupInput) { in.NumCacheClusters = aws.Int32(7) }},
		{"at least 2 cache clusters", func(in *sdk.CreateReplicationGroupInput) { in.AutomaticFailoverEnabled = aws.Bool(true) }},
		{"Multi-AZ needs automatic failover", func(in *sdk.CreateReplicationGroupInput) { in.MultiAZEnabled = aws.Bool(true) }},
		{"only supported when encryption-in-transit", func(in *sdk.CreateReplicationGroupInput) { in.AuthToken = aws.String("sixteencharacters") }},
		{"Invalid AuthToken", func(in *sdk.CreateReplicationGroupInput) {
			in.AuthToken, in.TransitEncryptionEnabled = aws.String("a@secret-of-many-letters"), aws.Bool(true)
		}},
		{"TransitEncryptionMode cannot be set", func(in *sdk.CreateReplicationGroupInput) {
			in.TransitEncryptionMode = types.TransitEncryptionModeRequired
		}},
		{"Data tiering must be enabled", func(in *sdk.CreateReplicationGroupInput) { in.CacheNodeType = aws.String("cache.r6gd.xlarge") }},
		{"Data tiering must be enabled", func(in *sdk.CreateReplicationGroupInput) { in.DataTieringEnabled = aws.Bool(true) }},
		{"KmsKeyId cannot be set", func(in *sdk.CreateReplicationGroupInput) {
			in.KmsKeyId = aws.String("arn:aws:kms:us-east-1:123456789012:key/x")
		}},
		{"Port must be between", func(in *sdk.CreateReplicationGroupInput) { in.Port = aws.Int32(70000) }},
		{"more than one needs a parameter group with cluster-enabled", func(in *sdk.CreateReplicationGroupInput) {
			in.NumCacheClusters, in.NumNodeGroups, in.CacheParameterGroupName = nil, aws.Int32(2), aws.String("default.redis7")
		}},
		{"cannot be created with auto failover turned off", func(in *sdk.CreateReplicationGroupInput) { in.NumCacheClusters, in.NumNodeGroups = nil, aws.Int32(2) }},
		{"Cannot specify NumCacheClusters together", func(in *sdk.CreateReplicationGroupInput) { in.NumNodeGroups = aws.Int32(2) }},
		{"NodeQuotaForClusterExceeded", func(in *sdk.CreateReplicationGroupInput) { in.NumCacheClusters, in.NumNodeGroups = nil, aws.Int32(91) }},
		{"maintenance window", func(in *sdk.CreateReplicationGroupInput) { in.PreferredMaintenanceWindow = aws.String("monday") }},
		{"The maintenance window mon:23:30-tue:00:15 must be at least 60 minutes", func(in *sdk.CreateReplicationGroupInput) {
			in.PreferredMaintenanceWindow = aws.String("mon:23:30-tue:00:15")
		}},
		{"PreferredCacheClusterAZs can only be specified for one node group", func(in *sdk.CreateReplicationGroupInput) {
			in.NumCacheClusters, in.NumNodeGroups, in.CacheParameterGroupName, in.AutomaticFailoverEnabled = nil, aws.Int32(2), aws.String("default.redis7.cluster.on"), aws.Bool(true)
			in.PreferredCacheClusterAZs = []string{"us-east-1a", "us-east-1b"}
		}},
		{"must not overlap", func(in *sdk.CreateReplicationGroupInput) {
			in.PreferredMaintenanceWindow, in.SnapshotWindow = aws.String("sat:23:30-sun:01:00"), aws.String("00:30-02:00")
		}},
		{"must not overlap", func(in *sdk.CreateReplicationGroupInput) {
			in.PreferredMaintenanceWindow, in.SnapshotWindow = aws.String("wed:02:00-wed:04:00"), aws.String("01:30-02:30")
		}},
		{"Specific version selection is not allowed for 7.1.0", func(in *sdk.CreateReplicationGroupInput) { in.EngineVersion = aws.String("7.1.0") }},
		{"at least 60 minutes", func(in *sdk.CreateReplicationGroupInput) { in.SnapshotWindow = aws.String("23:30-00:00") }},
		{"The log group /gone for engine-log does not exist", func(in *sdk.CreateReplicationGroupInput) {
			in.LogDeliveryConfigurations = delivery("engine-log", "/gone", "json")
		}},
		{"Invalid LogFormat", func(in *sdk.CreateReplicationGroupInput) {
			in.LogDeliveryConfigurations = delivery("engine-log", "/there/x", "xml")
		}},
		{"Engine log delivery needs engine version 6.2", func(in *sdk.CreateReplicationGroupInput) {
			in.EngineVersion, in.LogDeliveryConfigurations = aws.String("6.0"), delivery("engine-log", "/there/x", "json")
		}},
		{"User group based access control requires encryption-in-transit", func(in *sdk.CreateReplicationGroupInput) { in.UserGroupIds = []string{"u"} }},
	} {
		_, err := w.c.CreateReplicationGroup(t.Context(), input(x.change))
		require.ErrorContains(t, err, x.want)
	}
	out, err := w.c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{})
	require.NoError(t, err)
	require.Empty(t, out.ReplicationGroups, "a refused request creates nothing")
	for _, size := range []int32{19, 101} {
		_, err = w.c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{MaxRecords: &size})
		require.ErrorContains(t, err, "between 20 and 100")
	}
}

func delivery(kind, group, format string) []types.LogDeliveryConfigurationRequest {
	return []types.LogDeliveryConfigurationRequest{{LogType: types.LogType(kind), DestinationType: types.DestinationTypeCloudWatchLogs, LogFormat: types.LogFormat(format),
		DestinationDetails: &types.DestinationDetails{CloudWatchLogsDetails: &types.CloudWatchLogsDestinationDetails{LogGroup: &group}}}}
}

func TestParameterGroups(t *testing.T) {
	w := start(t)
	name := aws.String("perf")
	_, err := w.c.CreateCacheParameterGroup(t.Context(), &sdk.CreateCacheParameterGroupInput{CacheParameterGroupName: name, CacheParameterGroupFamily: aws.String("redis8"), Description: aws.String("d")})
	require.ErrorContains(t, err, "not a valid parameter group family")
	_, err = w.c.CreateCacheParameterGroup(t.Context(), &sdk.CreateCacheParameterGroupInput{CacheParameterGroupName: name, CacheParameterGroupFamily: aws.String("redis7"), Description: aws.String("d"),
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	require.NoError(t, err)
	set := func(k, v string) error {
		_, err := w.c.ModifyCacheParameterGroup(t.Context(), &sdk.ModifyCacheParameterGroupInput{CacheParameterGroupName: name, ParameterNameValues: []types.ParameterNameValue{{ParameterName: &k, ParameterValue: &v}}})
		return err
	}
	require.NoError(t, set("maxmemory-policy", "allkeys-lru"))
	require.NoError(t, set("timeout", "20"))
	require.ErrorContains(t, set("timeout", "19"), "not allowed")
	require.ErrorContains(t, set("maxmemory-policy", "some"), "not allowed")
	require.ErrorContains(t, set("appendonly", "yes"), "cannot be modified")
	require.ErrorContains(t, set("hash-max-ziplist-entries", "1"), "does not exist in parameter group family redis7")
	_, err = w.c.ModifyCacheParameterGroup(t.Context(), &sdk.ModifyCacheParameterGroupInput{CacheParameterGroupName: aws.String("default.redis7"), ParameterNameValues: []types.ParameterNameValue{{ParameterName: name, ParameterValue: name}}})
	require.ErrorContains(t, err, "default group")

	values := func(in *sdk.DescribeCacheParametersInput) map[string]string {
		out := map[string]string{}
		in.CacheParameterGroupName = name
		p := sdk.NewDescribeCacheParametersPaginator(w.c, in)
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Parameters), 20)
			for _, x := range page.Parameters {
				out[*x.ParameterName] = *x.ParameterValue
			}
		}
		return out
	}
	require.Equal(t, map[string]string{"maxmemory-policy": "allkeys-lru", "timeout": "20"}, values(&sdk.DescribeCacheParametersInput{Source: aws.String("user"), MaxRecords: aws.Int32(20)}))
	all := values(&sdk.DescribeCacheParametersInput{MaxRecords: aws.Int32(20)})
	require.Greater(t, len(all), 60)
	require.Equal(t, "512", all["hash-max-listpack-entries"])

	arn := "arn:aws:elasticache:us-east-1:123456789012:parametergroup:perf"
	_, err = w.c.AddTagsToResource(t.Context(), &sdk.AddTagsToResourceInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("c"), Value: aws.String("d")}}})
	require.NoError(t, err)
	_, err = w.c.RemoveTagsFromResource(t.Context(), &sdk.RemoveTagsFromResourceInput{ResourceName: &arn, TagKeys: []string{"a"}})
	require.NoError(t, err)
	tags, err := w.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceName: &arn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: aws.String("c"), Value: aws.String("d")}}, tags.TagList)

	_, err = w.c.ResetCacheParameterGroup(t.Context(), &sdk.ResetCacheParameterGroupInput{CacheParameterGroupName: name, ResetAllParameters: aws.Bool(true)})
	require.NoError(t, err)
	require.Empty(t, values(&sdk.DescribeCacheParametersInput{Source: aws.String("user")}))
	w.create(t, func(in *sdk.CreateReplicationGroupInput) { in.CacheParameterGroupName = name })
	_, err = w.c.DeleteCacheParameterGroup(t.Context(), &sdk.DeleteCacheParameterGroupInput{CacheParameterGroupName: name})
	require.ErrorContains(t, err, "InvalidCacheParameterGroupState")
	w.remove(t)
	_, err = w.c.DeleteCacheParameterGroup(t.Context(), &sdk.DeleteCacheParameterGroupInput{CacheParameterGroupName: name})
	require.NoError(t, err)
}

func TestSubnetGroups(t *testing.T) {
	w := start(t)
	make := func(subnets ...string) error {
		_, err := w.c.CreateCacheSubnetGroup(t.Context(), &sdk.CreateCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("Other"), CacheSubnetGroupDescription: aws.String("d"), SubnetIds: subnets})
		return err
	}
	require.ErrorContains(t, make("subnet-x"), "The subnet ID 'subnet-x' does not exist")
	require.ErrorContains(t, make("subnet-a", "subnet-c"), "one VPC")
	require.NoError(t, make("subnet-a"))
	require.ErrorContains(t, make("subnet-a"), "CacheSubnetGroupAlreadyExists")
	out, err := w.c.DescribeCacheSubnetGroups(t.Context(), &sdk.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: aws.String("other")})
	require.NoError(t, err)
	require.Equal(t, "us-east-1a", *out.CacheSubnetGroups[0].Subnets[0].SubnetAvailabilityZone.Name)
	_, err = w.c.ModifyCacheSubnetGroup(t.Context(), &sdk.ModifyCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("other"), SubnetIds: []string{"subnet-b"}})
	require.NoError(t, err)
}

// The offerings are the list of a Region's node types, page by page.
func TestNodeTypesAreOffered(t *testing.T) {
	w := start(t)
	offered := map[string][]string{}
	for pages := sdk.NewDescribeReservedCacheNodesOfferingsPaginator(w.c, &sdk.DescribeReservedCacheNodesOfferingsInput{MaxRecords: aws.Int32(20)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, o := range page.ReservedCacheNodesOfferings {
			offered[*o.CacheNodeType] = append(offered[*o.CacheNodeType], *o.ProductDescription)
		}
	}
	require.ElementsMatch(t, []string{"redis", "valkey"}, offered["cache.t4g.micro"])
	require.Equal(t, []string{"valkey"}, offered["cache.r8g.large"])
	require.Empty(t, offered["cache.t2.micro"])
	out, err := w.c.DescribeReservedCacheNodesOfferings(t.Context(), &sdk.DescribeReservedCacheNodesOfferingsInput{CacheNodeType: aws.String("cache.z9g.large")})
	require.NoError(t, err)
	require.Empty(t, out.ReservedCacheNodesOfferings)
	_, err = w.c.DescribeReservedCacheNodesOfferings(t.Context(), &sdk.DescribeReservedCacheNodesOfferingsInput{ReservedCacheNodesOfferingId: aws.String("none")})
	var none *types.ReservedCacheNodesOfferingNotFoundFault
	require.ErrorAs(t, err, &none)
}
