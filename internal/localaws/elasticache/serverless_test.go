package elasticache_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// serverless is a cache that can be created.
func serverless(change ...func(*sdk.CreateServerlessCacheInput)) *sdk.CreateServerlessCacheInput {
	in := &sdk.CreateServerlessCacheInput{ServerlessCacheName: aws.String("perf"), Engine: aws.String("valkey"), MajorEngineVersion: aws.String("8"),
		SubnetIds: []string{"subnet-a", "subnet-b"}, SecurityGroupIds: []string{"sg-1"}, Tags: []types.Tag{{Key: aws.String("run"), Value: aws.String("r1")}}}
	for _, f := range change {
		f(in)
	}
	return in
}

func (w *fixture) awaitServerless(t *testing.T, status string) (c types.ServerlessCache) {
	t.Helper()
	wiretest.Until(t, "the serverless cache is "+status, func() (any, bool) {
		out, err := w.c.DescribeServerlessCaches(t.Context(), &sdk.DescribeServerlessCachesInput{ServerlessCacheName: aws.String("perf")})
		if err != nil {
			require.Equal(t, "gone", status)
			require.ErrorAs(t, err, new(*types.ServerlessCacheNotFoundFault))
			c = types.ServerlessCache{}
			return nil, true
		}
		c = out.ServerlessCaches[0]
		return *c.Status, w.reached(t, *c.Status, status)
	})
	return c
}

// A serverless cache is one server in cluster mode behind TLS, whose metrics have the one dimension clusterId.
func TestServerlessLife(t *testing.T) {
	real(t)
	t.Parallel() // with its likes: they wait for servers to join
	clock := wiretest.NewClock()
	w := start(t, slow(clock))
	name := aws.String("perf")
	out, err := w.c.CreateServerlessCache(t.Context(), serverless(func(in *sdk.CreateServerlessCacheInput) {
		in.ServerlessCacheName, in.Description = aws.String("Perf"), aws.String("a test")
		in.CacheUsageLimits = &types.CacheUsageLimits{DataStorage: &types.DataStorage{Maximum: aws.Int32(1), Unit: types.DataStorageUnitGb}, ECPUPerSecond: &types.ECPUPerSecond{Maximum: aws.Int32(5000)}}
	}))
	require.NoError(t, err)
	require.Equal(t, "creating", *out.ServerlessCache.Status)
	require.Nil(t, out.ServerlessCache.Endpoint)
	_, err = w.c.CreateServerlessCache(t.Context(), serverless())
	require.ErrorAs(t, err, new(*types.ServerlessCacheAlreadyExistsFault))
	_, err = w.c.DeleteServerlessCache(t.Context(), &sdk.DeleteServerlessCacheInput{ServerlessCacheName: name})
	require.ErrorAs(t, err, new(*types.InvalidServerlessCacheStateFault))

	clock.Next(t, time.Minute)
	c := w.awaitServerless(t, "available")
	arn := "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:perf"
	require.Equal(t, []string{"perf", arn, "a test", "valkey", "8", "8.2"}, []string{*c.ServerlessCacheName, *c.ARN, *c.Description, *c.Engine, *c.MajorEngineVersion, *c.FullEngineVersion})
	require.EqualValues(t, []int32{6379, 6380}, []int32{*c.Endpoint.Port, *c.ReaderEndpoint.Port})
	require.Equal(t, *c.Endpoint.Address, *c.ReaderEndpoint.Address)
	require.EqualValues(t, 1, *c.CacheUsageLimits.DataStorage.Maximum)
	require.Nil(t, c.CacheUsageLimits.DataStorage.Minimum)
	require.Equal(t, []string{"subnet-a", "subnet-b"}, c.SubnetIds)
	require.Equal(t, types.StorageEncryptionTypeSseElasticache, c.StorageEncryptionType)
	require.Equal(t, 2, w.network.of("sg-1"), "an interface in each subnet")
	require.Equal(t, []elasticache.Listener{{SecurityGroups: []string{"sg-1"}, Port: 6379}}, w.svc.Listeners())

	groups, err := w.c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{})
	require.NoError(t, err)
	require.Empty(t, groups.ReplicationGroups)

	pem, err := os.ReadFile(w.svc.CAFile())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	client := connect(t, c.Endpoint, &tls.Config{RootCAs: pool, ServerName: *c.Endpoint.Address})
	const sets, gets, misses = 500, 1000, 100
	for i := range sets {
		do(t, client, "SET", "key"+strconv.Itoa(i), strings.Repeat("x", 100))
	}
	for i := range gets + misses {
		do(t, client, "GET", "key"+strconv.Itoa(i%gets%sets+i/gets*sets))
	}
	require.Contains(t, do(t, client, "CLUSTER", "INFO"), "cluster_state:ok")
	require.Len(t, do(t, client, "CLUSTER", "SLOTS"), 1, "one shard, all slots")
	memory := do(t, client, "INFO", "memory")
	require.Contains(t, memory, "maxmemory:1073741824\r\n")
	require.Contains(t, memory, "maxmemory_policy:volatile-lru")
	_, err = client.Do("CONFIG", "GET", "*")
	require.ErrorContains(t, err, "NOPERM")

	tags, err := w.c.AddTagsToResource(t.Context(), &sdk.AddTagsToResourceInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("more"), Value: aws.String("m")}}})
	require.NoError(t, err)
	require.Len(t, tags.TagList, 2)
	tags2, err := w.c.RemoveTagsFromResource(t.Context(), &sdk.RemoveTagsFromResourceInput{ResourceName: &arn, TagKeys: []string{"more"}})
	require.NoError(t, err)
	require.Equal(t, "r1", *tags2.TagList[0].Value)

	modified, err := w.c.ModifyServerlessCache(t.Context(), &sdk.ModifyServerlessCacheInput{ServerlessCacheName: name, Engine: aws.String("valkey"), MajorEngineVersion: aws.String("8"), SecurityGroupIds: []string{"sg-3"},
		CacheUsageLimits: &types.CacheUsageLimits{DataStorage: &types.DataStorage{Maximum: aws.Int32(2), Minimum: aws.Int32(1), Unit: types.DataStorageUnitGb}}, SnapshotRetentionLimit: aws.Int32(1), DailySnapshotTime: aws.String("05:30")})
	require.NoError(t, err)
	require.Equal(t, "modifying", *modified.ServerlessCache.Status)
	c = w.awaitServerless(t, "available")
	require.EqualValues(t, 5000, *c.CacheUsageLimits.ECPUPerSecond.Maximum, "not asked to change")
	require.Equal(t, "05:30", *c.DailySnapshotTime)
	require.Equal(t, []int{0, 2}, []int{w.network.of("sg-1"), w.network.of("sg-3")})
	require.Contains(t, do(t, client, "INFO", "memory"), "maxmemory:2147483648\r\n")

	_, err = w.c.DeleteServerlessCache(t.Context(), &sdk.DeleteServerlessCacheInput{ServerlessCacheName: name})
	require.NoError(t, err)
	w.awaitServerless(t, "deleting")
	clock.Next(t, time.Minute)
	w.awaitServerless(t, "gone")
	require.Zero(t, w.network.of("sg-3"))
	require.NoDirExists(t, filepath.Join(w.acct.Dir, "nodes", "perf.serverless"))
	_, err = w.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceName: &arn})
	require.ErrorAs(t, err, new(*types.ServerlessCacheNotFoundFault))

	for metric, want := range map[string]float64{"SetTypeCmds": sets, "GetTypeCmds": gets + misses, "CacheHits": gets, "CacheMisses": misses, "NewConnections": 1, "Evictions": 0} {
		total := 0.0
		for _, v := range w.books.points[metric+" clusterId=perf"] {
			total += v
		}
		require.InEpsilon(t, want+1, total+1, 0.01, metric)
	}
	total := 0.0
	for _, v := range w.books.points["TotalCmdsCount clusterId=perf"] {
		total += v
	}
	require.InEpsilon(t, sets+gets+misses, total, 0.05)
	for key := range w.books.points {
		metric, dimensions, _ := strings.Cut(key, " ")
		require.Equal(t, "clusterId=perf", dimensions)
		require.NotContains(t, []string{"ElastiCacheProcessingUnits", "ThrottledCmds", "SuccessfulReadRequestLatency", "EngineCPUUtilization"}, metric, "what cannot be measured is not published")
	}
}

// Each rule names the member that breaks it.
func TestServerlessRules(t *testing.T) {
	w := start(t)
	limits := func(storage *types.DataStorage, ecpu *types.ECPUPerSecond) func(*sdk.CreateServerlessCacheInput) {
		return func(in *sdk.CreateServerlessCacheInput) {
			in.CacheUsageLimits = &types.CacheUsageLimits{DataStorage: storage, ECPUPerSecond: ecpu}
		}
	}
	gb := func(minimum, maximum int32) *types.DataStorage {
		return &types.DataStorage{Unit: types.DataStorageUnitGb, Minimum: &minimum, Maximum: &maximum}
	}
	ecpu := func(minimum, maximum int32) *types.ECPUPerSecond {
		return &types.ECPUPerSecond{Minimum: &minimum, Maximum: &maximum}
	}
	for _, c := range []struct {
		code, text string
		change     func(*sdk.CreateServerlessCacheInput)
	}{
		{"InvalidParameterValue", "not a valid identifier", func(in *sdk.CreateServerlessCacheInput) { in.ServerlessCacheName = aws.String("1perf") }},
		{"InvalidParameterValue", "not a valid identifier", func(in *sdk.CreateServerlessCacheInput) { in.ServerlessCacheName = aws.String("perf--x") }},
		{"InvalidParameterValue", "1 to 40 characters", func(in *sdk.CreateServerlessCacheInput) { in.ServerlessCacheName = aws.String(strings.Repeat("a", 41)) }},
		{"InvalidParameterValue", "Invalid cache engine: memcached", func(in *sdk.CreateServerlessCacheInput) { in.Engine = aws.String("memcached") }},
		{"InvalidParameterValue", "MajorEngineVersion for redis: 6", func(in *sdk.CreateServerlessCacheInput) {
			in.Engine, in.MajorEngineVersion = aws.String("redis"), aws.String("6")
		}},
		{"InvalidParameterValue", "MajorEngineVersion for valkey: 8.0", func(in *sdk.CreateServerlessCacheInput) { in.MajorEngineVersion = aws.String("8.0") }},
		{"InvalidParameterValue", "No default VPC", func(in *sdk.CreateServerlessCacheInput) { in.SubnetIds = nil }},
		{"InvalidParameterValue", "two or three subnets: it has 1", func(in *sdk.CreateServerlessCacheInput) { in.SubnetIds = []string{"subnet-a"} }},
		{"InvalidParameterValue", "both in us-east-1a", func(in *sdk.CreateServerlessCacheInput) { in.SubnetIds = []string{"subnet-a", "subnet-d"} }},
		{"InvalidParameterValue", "in one VPC", func(in *sdk.CreateServerlessCacheInput) { in.SubnetIds = []string{"subnet-b", "subnet-c"} }},
		{"InvalidParameterValue", "'subnet-0' does not exist", func(in *sdk.CreateServerlessCacheInput) { in.SubnetIds = []string{"subnet-a", "subnet-0"} }},
		{"InvalidParameterValue", "Some security groups do not exist", func(in *sdk.CreateServerlessCacheInput) { in.SecurityGroupIds = []string{"sg-0"} }},
		{"InvalidParameterCombination", "is in vpc-2", func(in *sdk.CreateServerlessCacheInput) { in.SecurityGroupIds = []string{"sg-2"} }},
		{"InvalidParameterValue", "DataStorage must be between 1 and 5000: it is 0", limits(gb(0, 1), nil)},
		{"InvalidParameterValue", "DataStorage must be between 1 and 5000: it is 5001", limits(gb(1, 5001), nil)},
		{"InvalidParameterCombination", "Minimum, 3, above its Maximum, 2", limits(gb(3, 2), nil)},
		{"InvalidParameterValue", "ECPUPerSecond must be between 1000 and 15000000: it is 999", limits(nil, ecpu(999, 1000))},
		{"InvalidParameterValue", "it is 15000001", limits(nil, ecpu(1000, 15_000_001))},
		{"InvalidParameterCombination", "Minimum, 2000, above its Maximum, 1000", limits(nil, ecpu(2000, 1000))},
		{"InvalidParameterValue", "DataStorage.Unit: TB", limits(&types.DataStorage{Unit: "TB", Maximum: aws.Int32(1)}, nil)},
		{"InvalidParameterValue", "KmsKeyId", func(in *sdk.CreateServerlessCacheInput) { in.KmsKeyId = aws.String("mine") }},
		{"InvalidParameterValue", "SnapshotRetentionLimit", func(in *sdk.CreateServerlessCacheInput) { in.SnapshotRetentionLimit = aws.Int32(36) }},
		{"InvalidParameterValue", "DailySnapshotTime", func(in *sdk.CreateServerlessCacheInput) { in.DailySnapshotTime = aws.String("24:00") }},
		{"InvalidParameterValue", "Description", func(in *sdk.CreateServerlessCacheInput) { in.Description = aws.String(strings.Repeat("d", 256)) }},
		{"UserGroupNotFound", "UserGroup mine not found", func(in *sdk.CreateServerlessCacheInput) { in.UserGroupId = aws.String("mine") }},
		{"InvalidParameterCombination", "keeps no snapshots", func(in *sdk.CreateServerlessCacheInput) {
			in.SnapshotArnsToRestore = []string{"arn:aws:elasticache:us-east-1:123456789012:serverlesscachesnapshot:s"}
		}},
		{"InvalidParameterCombination", "IPv4 only", func(in *sdk.CreateServerlessCacheInput) { in.NetworkType = types.NetworkTypeDualStack }},
		{"InvalidParameterCombination", "ConnectionType vpc only", func(in *sdk.CreateServerlessCacheInput) { in.ConnectionType = types.ConnectionTypePublic }},
	} {
		_, err := w.c.CreateServerlessCache(t.Context(), serverless(c.change))
		require.ErrorContains(t, err, c.code)
		require.ErrorContains(t, err, c.text)
	}
	missing := aws.String("missing")
	_, err := w.c.ModifyServerlessCache(t.Context(), &sdk.ModifyServerlessCacheInput{ServerlessCacheName: missing})
	require.ErrorAs(t, err, new(*types.ServerlessCacheNotFoundFault))
	_, err = w.c.DeleteServerlessCache(t.Context(), &sdk.DeleteServerlessCacheInput{ServerlessCacheName: missing})
	require.ErrorAs(t, err, new(*types.ServerlessCacheNotFoundFault))
	_, err = w.c.DeleteServerlessCache(t.Context(), &sdk.DeleteServerlessCacheInput{ServerlessCacheName: missing, FinalSnapshotName: aws.String("s")})
	require.ErrorContains(t, err, "leave FinalSnapshotName out")
	_, err = w.c.DescribeServerlessCaches(t.Context(), &sdk.DescribeServerlessCachesInput{MaxResults: aws.Int32(51)})
	require.ErrorContains(t, err, "between 1 and 50")
}

// What a living cache refuses to become, and that its pages hold together.
func TestServerlessModifyAndPages(t *testing.T) {
	real(t)
	t.Parallel()
	w := start(t)
	for _, name := range []string{"perf", "perf-2", "perf-3"} {
		_, err := w.c.CreateServerlessCache(t.Context(), serverless(func(in *sdk.CreateServerlessCacheInput) {
			in.ServerlessCacheName, in.SecurityGroupIds, in.KmsKeyId, in.MajorEngineVersion = &name, nil, aws.String("arn:aws:kms:us-east-1:123456789012:key/1"), nil
		}))
		require.NoError(t, err)
	}
	c := w.awaitServerless(t, "available")
	require.Equal(t, "9.1", *c.FullEngineVersion, "the newest, when none is asked for")
	require.Equal(t, []string{"sg-1"}, c.SecurityGroupIds, "the VPC's default group")
	require.Equal(t, types.StorageEncryptionTypeSseKms, c.StorageEncryptionType)
	require.Nil(t, c.CacheUsageLimits)
	for text, change := range map[string]func(*sdk.ModifyServerlessCacheInput){
		"does not change the engine":     func(in *sdk.ModifyServerlessCacheInput) { in.Engine = aws.String("redis") },
		"or its version":                 func(in *sdk.ModifyServerlessCacheInput) { in.MajorEngineVersion = aws.String("8") },
		"does not change the user group": func(in *sdk.ModifyServerlessCacheInput) { in.RemoveUserGroup = aws.Bool(true) },
		"user group of a living":         func(in *sdk.ModifyServerlessCacheInput) { in.UserGroupId = aws.String("mine") },
		"is in vpc-2":                    func(in *sdk.ModifyServerlessCacheInput) { in.SecurityGroupIds = []string{"sg-2"} },
		"between 1 and 5000": func(in *sdk.ModifyServerlessCacheInput) {
			in.CacheUsageLimits = &types.CacheUsageLimits{DataStorage: &types.DataStorage{Unit: types.DataStorageUnitGb, Maximum: aws.Int32(5001)}}
		},
	} {
		in := &sdk.ModifyServerlessCacheInput{ServerlessCacheName: aws.String("perf")}
		change(in)
		_, err := w.c.ModifyServerlessCache(t.Context(), in)
		require.ErrorContains(t, err, text)
	}
	w.svc.ServerlessQuota(3)
	_, err := w.c.CreateServerlessCache(t.Context(), serverless(func(in *sdk.CreateServerlessCacheInput) { in.ServerlessCacheName = aws.String("perf-4") }))
	require.ErrorAs(t, err, new(*types.ServerlessCacheQuotaForCustomerExceededFault))
	pages := sdk.NewDescribeServerlessCachesPaginator(w.c, &sdk.DescribeServerlessCachesInput{MaxResults: aws.Int32(2)})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, c := range page.ServerlessCaches {
			names = append(names, *c.ServerlessCacheName)
		}
	}
	require.Equal(t, []string{"perf", "perf-2", "perf-3"}, names)
}
