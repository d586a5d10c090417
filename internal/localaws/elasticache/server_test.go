package elasticache_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache/node"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func connect(t *testing.T, e *types.Endpoint, config *tls.Config, password ...string) *elasticache.Client {
	user, secret := "", ""
	if len(password) > 0 {
		user, secret = "default", password[0]
	}
	c, err := elasticache.Connect(t.Context(), net.JoinHostPort(*e.Address, strconv.Itoa(int(*e.Port))), config, user, secret)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func do(t *testing.T, c *elasticache.Client, args ...string) any {
	v, err := c.Do(args...)
	require.NoError(t, err, "%q", args)
	return v
}

// With metrics, the counts of commands are those that the client sent, also in the periods that began
// and ended in the middle.
func TestMeasuredCommands(t *testing.T) {
	real(t)
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock = clock })
	g := w.create(t)
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	started := time.Now()
	const sets, gets, misses, seconds = 4000, 8000, 1000, 4
	value := strings.Repeat("x", 100)
	for i := range sets {
		do(t, c, "SET", "key"+strconv.Itoa(i), value)
	}
	for i := range gets {
		if i%(gets/seconds) == 1 {
			clock.Next(t, time.Second)
		}
		do(t, c, "GET", "key"+strconv.Itoa(i%sets))
	}
	for i := range misses {
		do(t, c, "GET", "none"+strconv.Itoa(i))
	}
	do(t, c, "HSET", "h", "a", "1")
	do(t, c, "EVAL", "return 1", "0")
	_, err := c.Do("GET")
	require.ErrorContains(t, err, "wrong number of arguments")
	_, err = c.Do("CONFIG", "GET", "*")
	require.ErrorContains(t, err, "NOPERM", "ElastiCache keeps CONFIG from callers")
	w.remove(t)

	for metric, want := range map[string]float64{"SetTypeCmds": sets + 1, "GetTypeCmds": gets + misses, "StringBasedCmds": sets + gets + misses, "HashBasedCmds": 1, "EvalBasedCmds": 1,
		"CacheHits": gets, "CacheMisses": misses, "NewConnections": 1, "Evictions": 0} {
		got, n := w.books.sum(metric, "perf-001")
		require.InEpsilon(t, want+1, got+1, 0.01, metric)
		require.Equal(t, seconds+1, n, "%s: a value for each second and for the one that its end cut short", metric)
	}
	in, _ := w.books.sum("NetworkBytesIn", "perf-001")
	require.Greater(t, in, float64(sets*len(value)))
	errors, _ := w.books.sum("ErrorCount", "perf-001")
	require.GreaterOrEqual(t, errors, 2.0)
	processed, _ := w.books.sum("ProcessedCommands", "perf-001")
	require.InEpsilon(t, sets+gets+misses, processed, 0.01)
	cpu, n := w.books.sum("EngineCPUUtilization", "perf-001")
	require.True(t, cpu > 0 && cpu <= float64(100*n), "%g over %d", cpu, n)
	items, _ := w.books.sum("CurrItems", "perf-001")
	require.GreaterOrEqual(t, items, float64(sets+1))
	spent, node := 0.0, " CacheClusterId=perf-001 CacheNodeId=0001"
	for at, micros := range w.books.points["GetTypeCmdsLatency"+node] {
		spent += micros * w.books.points["GetTypeCmds"+node][at]
	}
	require.True(t, spent > 0 && spent < float64(time.Since(started).Microseconds()), "%g microseconds of %s", spent, time.Since(started))
	require.Equal(t, "Microseconds", w.books.units["GetTypeCmdsLatency"])
	require.Contains(t, w.books.points, "CPUUtilization CacheClusterId=perf-001")
	require.Contains(t, w.books.points, "EngineCPUUtilization ReplicationGroupId=perf Role=Primary")
	require.Contains(t, w.books.points, "EngineCPUUtilization NodeGroupId=0001 ReplicationGroupId=perf")
	require.NotContains(t, w.books.points, "ProcessedCommands CacheClusterId=perf-001", "for nodes only")
	for key, points := range w.books.points {
		for at := range points {
			require.Zero(t, at.UnixNano()%int64(time.Second), "%s: a period begins at a boundary", key)
		}
	}
}

func TestParametersReachTheServer(t *testing.T) {
	real(t)
	w := start(t)
	name := aws.String("mine")
	_, err := w.c.CreateCacheParameterGroup(t.Context(), &sdk.CreateCacheParameterGroupInput{CacheParameterGroupName: name, CacheParameterGroupFamily: aws.String("valkey8"), Description: aws.String("d")})
	require.NoError(t, err)
	set := func(pairs ...string) {
		in := &sdk.ModifyCacheParameterGroupInput{CacheParameterGroupName: name}
		for i := 0; i < len(pairs); i += 2 {
			in.ParameterNameValues = append(in.ParameterNameValues, types.ParameterNameValue{ParameterName: &pairs[i], ParameterValue: &pairs[i+1]})
		}
		_, err := w.c.ModifyCacheParameterGroup(t.Context(), in)
		require.NoError(t, err)
	}
	set("reserved-memory-percent", "50", "maxmemory-policy", "allkeys-lfu", "databases", "3", "slowlog-log-slower-than", "0")
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.Engine, in.EngineVersion, in.CacheParameterGroupName = aws.String("valkey"), aws.String("8.0"), name
		in.LogDeliveryConfigurations = append(delivery("engine-log", "/there/engine", "text"), delivery("slow-log", "/there/slow", "json")...)
	})
	require.Equal(t, types.LogDeliveryConfigurationStatusActive, g.LogDeliveryConfigurations[0].Status)
	require.True(t, *g.AtRestEncryptionEnabled, "on by default for valkey")
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	memory := do(t, c, "INFO", "memory").(string)
	require.Contains(t, memory, fmt.Sprintf("maxmemory:%d\r\n", 1<<28), "half of the 0.5 GiB of cache.t4g.micro")
	require.Contains(t, memory, "maxmemory_policy:allkeys-lfu")
	_, err = c.Do("SELECT", "3")
	require.ErrorContains(t, err, "out of range")
	set("maxmemory-policy", "noeviction")
	require.Contains(t, do(t, c, "INFO", "memory"), "maxmemory_policy:noeviction", "changes that take effect immediately reach living nodes")
	do(t, c, "SET", "secret-key", "secret-value")

	_, err = w.c.ModifyReplicationGroup(t.Context(), &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ApplyImmediately: aws.Bool(true), CacheNodeType: aws.String("cache.m7g.large"),
		LogDeliveryConfigurations: []types.LogDeliveryConfigurationRequest{{LogType: types.LogTypeEngineLog, Enabled: aws.Bool(false)}}})
	require.NoError(t, err)
	g = w.await(t, "available")
	require.Len(t, g.LogDeliveryConfigurations, 1)
	require.Contains(t, do(t, c, "INFO", "memory"), "maxmemory:3425236418\r\n", "half of 6.38 GiB")
	_, err = w.c.ModifyReplicationGroup(t.Context(), &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ApplyImmediately: aws.Bool(true), EngineVersion: aws.String("7.2")})
	require.ErrorContains(t, err, "cannot be downgraded")
	_, err = w.c.IncreaseReplicaCount(t.Context(), &sdk.IncreaseReplicaCountInput{ReplicationGroupId: aws.String("perf"), ApplyImmediately: aws.Bool(true), NewReplicaCount: aws.Int32(1)})
	require.ErrorContains(t, err, "does not change the number of replicas")
	w.remove(t)

	engine := w.books.text("/there/engine elasticache/valkey/perf-001/0001/engine-log")
	version := strings.Fields(w.svc.ServerVersion())[1]
	require.Regexp(t, `(?m)^perf-001/0001:[CM] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} UTC [.*#-] .*version=`+version, engine)
	require.Contains(t, engine, "Ready to accept connections")
	var slow struct {
		CacheClusterId, Command, ClientAddress string
		Duration                               *int64 `json:"Duration (us)"`
	}
	found := false
	for _, line := range strings.Split(strings.TrimSpace(w.books.text("/there/slow elasticache/valkey/perf-001/0001/slow-log")), "\n") {
		require.NoError(t, json.Unmarshal([]byte(line), &slow), line)
		found = found || slow.Command == "SET ... (2 more arguments)" && slow.CacheClusterId == "perf-001" && slow.Duration != nil
		require.NotContains(t, line, "secret")
	}
	require.True(t, found)
}

// Who sees a period's datapoints can read what the slow log has of that period.
func TestSlowLogComesBeforeTheDatapoints(t *testing.T) {
	real(t)
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock, a.MetricsPeriod = clock, 3*time.Second }) // the slow log by itself is read each 5 s
	_, err := w.c.CreateCacheParameterGroup(t.Context(), &sdk.CreateCacheParameterGroupInput{CacheParameterGroupName: aws.String("slow"), CacheParameterGroupFamily: aws.String("redis7"), Description: aws.String("d")})
	require.NoError(t, err)
	_, err = w.c.ModifyCacheParameterGroup(t.Context(), &sdk.ModifyCacheParameterGroupInput{CacheParameterGroupName: aws.String("slow"),
		ParameterNameValues: []types.ParameterNameValue{{ParameterName: aws.String("slowlog-log-slower-than"), ParameterValue: aws.String("0")}}})
	require.NoError(t, err)
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.CacheParameterGroupName, in.LogDeliveryConfigurations = aws.String("slow"), delivery("slow-log", "/there/slow", "json")
	})
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	for period := range 3 { // the second one has the slow log read by itself, too
		do(t, c, "LRANGE", fmt.Sprint("period-", period), "0", strings.Repeat("1", 1+period))
		do(t, c, "LPUSH", fmt.Sprint("list-", period), "a")
		at := clock.Now().Truncate(3 * time.Second)
		clock.Next(t, 3*time.Second)
		key := "ListBasedCmds CacheClusterId=perf-001"
		wiretest.Until(t, "the period's datapoint", func() (any, bool) {
			w.books.mu.Lock()
			defer w.books.mu.Unlock()
			_, there := w.books.points[key][at]
			return w.books.points[key], there
		})
		require.Equal(t, 1+period, strings.Count(w.books.text("/there/slow elasticache/redis/perf-001/0001/slow-log"), "LPUSH"))
	}
}

func TestReplicas(t *testing.T) {
	real(t)
	t.Parallel()
	w := start(t)
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.NumCacheClusters, in.AutomaticFailoverEnabled, in.MultiAZEnabled = aws.Int32(3), aws.Bool(true), aws.Bool(true)
	})
	require.Equal(t, []string{"perf-001", "perf-002", "perf-003"}, g.MemberClusters)
	members := g.NodeGroups[0].NodeGroupMembers
	require.Equal(t, "primary replica replica", *members[0].CurrentRole+" "+*members[1].CurrentRole+" "+*members[2].CurrentRole)
	require.NotEqual(t, *members[0].PreferredAvailabilityZone, *members[1].PreferredAvailabilityZone)
	require.NotEqual(t, *g.NodeGroups[0].PrimaryEndpoint.Address, *g.NodeGroups[0].ReaderEndpoint.Address)
	primary := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	do(t, primary, "SET", "k", "v")
	require.Equal(t, int64(2), do(t, primary, "WAIT", "2", "0"), "no limit")
	replication := do(t, primary, "INFO", "replication").(string)
	for _, m := range members[1:] {
		require.Contains(t, replication, "ip="+*m.ReadEndpoint.Address, "a replica is known by its own address")
		replica := connect(t, m.ReadEndpoint, nil)
		require.Equal(t, "v", do(t, replica, "GET", "k"))
		_, err := replica.Do("SET", "k", "w")
		require.ErrorContains(t, err, "READONLY")
	}
	w.remove(t)
	master, _ := w.books.sum("IsMaster", "perf-001")
	require.Positive(t, master)
	replica, n := w.books.sum("IsMaster", "perf-002")
	require.Zero(t, replica)
	require.Positive(t, n)
	bytes, _ := w.books.sum("ReplicationBytes", "perf-001")
	require.Positive(t, bytes)
	_, n = w.books.sum("ReplicationLag", "perf-003")
	require.Positive(t, n)
	require.Contains(t, w.books.points, "EngineCPUUtilization ReplicationGroupId=perf Role=Replica")
}

func TestClusterMode(t *testing.T) {
	real(t)
	t.Parallel()
	w := start(t)
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.NumCacheClusters, in.NumNodeGroups, in.ReplicasPerNodeGroup, in.AutomaticFailoverEnabled = nil, aws.Int32(2), aws.Int32(1), aws.Bool(true)
	})
	require.Equal(t, []string{"perf-0001-001", "perf-0001-002", "perf-0002-001", "perf-0002-002"}, g.MemberClusters)
	require.Equal(t, "0-8191 8192-16383", *g.NodeGroups[0].Slots+" "+*g.NodeGroups[1].Slots)
	require.True(t, *g.ClusterEnabled)
	require.Nil(t, g.NodeGroups[0].PrimaryEndpoint)
	c := connect(t, g.ConfigurationEndpoint, nil)
	require.Contains(t, do(t, c, "CLUSTER", "INFO"), "cluster_state:ok")
	_, err := c.Do("SET", "key", "v") // slot 12539
	require.ErrorContains(t, err, "MOVED 12539 127.")
	_, err = c.Do("CLUSTER", "RESET")
	require.ErrorContains(t, err, "NOPERM")
	shards := do(t, c, "CLUSTER", "SLOTS").([]any)
	require.Len(t, shards, 2)
	require.Len(t, shards[0], 4, "first and last slot, a primary and a replica")
	w.remove(t)
	got, _ := w.books.sum("ClusterBasedCmds", "perf-0001-001")
	require.Positive(t, got)
}

func TestTLSAndToken(t *testing.T) {
	real(t)
	w := start(t)
	first, second := "first-secret#of<many>chars", "second-secret&of^many-chars"
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.TransitEncryptionEnabled, in.AuthToken, in.NumCacheClusters, in.AutomaticFailoverEnabled = aws.Bool(true), &first, aws.Int32(2), aws.Bool(true)
	})
	require.True(t, *g.AuthTokenEnabled)
	require.Equal(t, types.TransitEncryptionModeRequired, g.TransitEncryptionMode)
	pem, err := os.ReadFile(w.svc.CAFile())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	e := g.NodeGroups[0].PrimaryEndpoint
	verified := func() *tls.Config { return &tls.Config{RootCAs: pool, ServerName: *e.Address} }
	refused := func(config *tls.Config, password string) {
		c, err := elasticache.Connect(t.Context(), net.JoinHostPort(*e.Address, "6390"), config, "default", password)
		require.Error(t, err)
		_ = c
	}
	do(t, connect(t, e, verified(), first), "SET", "k", "v")
	refused(verified(), "wrong")
	refused(nil, first)
	refused(&tls.Config{RootCAs: x509.NewCertPool(), ServerName: *e.Address}, first)
	_, err = connect(t, e, verified()).Do("GET", "k")
	require.ErrorContains(t, err, "NOAUTH")

	modify := func(strategy types.AuthTokenUpdateStrategyType, token *string) {
		_, err := w.c.ModifyReplicationGroup(t.Context(), &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ApplyImmediately: aws.Bool(true), AuthToken: token, AuthTokenUpdateStrategy: strategy})
		require.NoError(t, err)
		w.await(t, "available")
	}
	modify(types.AuthTokenUpdateStrategyTypeRotate, &second)
	do(t, connect(t, e, verified(), first), "GET", "k")
	do(t, connect(t, e, verified(), second), "GET", "k")
	modify(types.AuthTokenUpdateStrategyTypeSet, &second)
	refused(verified(), first)
	do(t, connect(t, g.NodeGroups[0].ReaderEndpoint, &tls.Config{RootCAs: pool, ServerName: *g.NodeGroups[0].ReaderEndpoint.Address}, second), "GET", "k")
	w.remove(t)
	failures, _ := w.books.sum("AuthenticationFailures", "perf-001")
	require.GreaterOrEqual(t, failures, 2.0)
}

func TestEmbeddedServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	w := start(t)
	require.Equal(t, "miniredis "+node.Version+" (embedded; not Redis)", w.svc.ServerVersion())
	for what, change := range map[string]func(*sdk.CreateReplicationGroupInput){
		"replicas":              func(in *sdk.CreateReplicationGroupInput) { in.NumCacheClusters = aws.Int32(2) },
		"encryption in transit": func(in *sdk.CreateReplicationGroupInput) { in.TransitEncryptionEnabled = aws.Bool(true) },
		"cluster mode": func(in *sdk.CreateReplicationGroupInput) {
			in.CacheParameterGroupName, in.NumCacheClusters, in.AutomaticFailoverEnabled = aws.String("default.redis7.cluster.on"), nil, aws.Bool(true)
		},
	} {
		_, err := w.c.CreateReplicationGroup(t.Context(), input(change))
		require.ErrorContains(t, err, "has "+what)
		require.ErrorContains(t, err, "install redis-server")
	}
	_, err := w.c.CreateServerlessCache(t.Context(), serverless())
	require.ErrorContains(t, err, "perf has cluster mode")
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.LogDeliveryConfigurations = delivery("engine-log", "/there/engine", "json")
	})
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	for i := range 1000 {
		do(t, c, "SET", "key"+strconv.Itoa(i), "v")
	}
	require.Equal(t, "v", do(t, c, "GET", "key1"))
	w.remove(t)
	got, _ := w.books.sum("SetTypeCmds", "perf-001")
	require.InEpsilon(t, 1000, got, 0.01)
	items, _ := w.books.sum("CurrItems", "perf-001")
	require.GreaterOrEqual(t, items, 1000.0)
	require.NotContains(t, w.books.points, "BytesUsedForCache CacheClusterId=perf-001", "what cannot be measured is not published")
	require.Contains(t, w.books.text("/there/engine elasticache/redis/perf-001/0001/engine-log"), "miniredis version="+node.Version+" (embedded in localaws; not Redis)")
}

func TestMiniredisVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	require.NoError(t, err)
	require.Contains(t, string(mod), "github.com/alicebob/miniredis/v2 v"+node.Version+"\n")
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	w := start(t)
	_, err = w.c.CreateReplicationGroup(t.Context(), input(func(in *sdk.CreateReplicationGroupInput) { in.Port = aws.Int32(int32(port)) }))
	require.ErrorContains(t, err, fmt.Sprintf("another server listens on 0.0.0.0:%d", port))
	require.ErrorContains(t, err, "give the replication group another Port")
}

// CreateServerlessCache has neither an error for missing capacity nor a Port. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html
func TestServerlessCacheWithoutAnAddress(t *testing.T) {
	defer elasticache.DrawOnly("192.0.2.1")() // of RFC 5737: no machine's address
	w := start(t)
	_, err := w.c.CreateServerlessCache(t.Context(), serverless())
	require.ErrorContains(t, err, "InvalidParameterCombination: localaws cannot start serverless cache perf on port 6379: ")
	require.NotContains(t, err.Error(), "Port.")
	_, err = w.c.CreateReplicationGroup(t.Context(), input())
	require.ErrorContains(t, err, "InsufficientCacheClusterCapacity: localaws cannot start perf-001 on port ")
}

// Processes that start at once and draw the same addresses get one each, and free it by their end.
func TestNoTwoProcessesTakeOneAddress(t *testing.T) {
	var few []string
	for range 8 {
		few = append(few, elasticache.Draw())
	}
	type process struct {
		cmd   *exec.Cmd
		stdin io.Closer
		said  *bufio.Reader
	}
	var processes []process
	for range few[1:] {
		p := process{cmd: exec.CommandContext(t.Context(), os.Args[0], append([]string{"reserve"}, few...)...)}
		stdin, err := p.cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := p.cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, p.cmd.Start())
		p.stdin, p.said = stdin, bufio.NewReader(stdout)
		processes = append(processes, p)
	}
	left := slices.Clone(few)
	for _, p := range processes {
		line, err := p.said.ReadString('\n')
		require.NoError(t, err)
		addr, _, _ := strings.Cut(line, " ")
		require.Contains(t, left, addr, line)
		left = slices.DeleteFunc(left, func(a string) bool { return a == addr })
	}
	mine, err := elasticache.Reserve(few, 6390)
	require.NoError(t, err)
	require.Equal(t, left, []string{mine})
	_, err = elasticache.Reserve(few, 6390)
	require.Error(t, err)
	for _, p := range processes {
		require.NoError(t, p.stdin.Close())
		require.NoError(t, p.cmd.Wait())
	}
	_, err = elasticache.Reserve(few, 6390)
	require.NoError(t, err)
}

// Close ends nodes that are up and nodes that are still starting.
func TestClose(t *testing.T) {
	w := start(t, func(a *account.Account) { a.Delays.CacheCreate = time.Hour })
	_, err := w.c.CreateReplicationGroup(t.Context(), input())
	require.NoError(t, err)
	pids := func() int {
		n := 0
		entries, err := os.ReadDir("/proc")
		require.NoError(t, err)
		for _, e := range entries {
			if cwd, err := os.Readlink("/proc/" + e.Name() + "/cwd"); err == nil && strings.HasPrefix(cwd, w.acct.Dir) {
				n++
			}
		}
		return n
	}
	wiretest.Until(t, "a server runs", func() (any, bool) { return pids(), pids() == 1 })
	require.NoError(t, w.svc.Close())
	require.Zero(t, pids())
}

// A server that does not answer for a while leaves a gap in its node's metrics and nothing else: no answer is taken for another's, and when it answers
// again there are datapoints again.
func TestServerThatStalls(t *testing.T) {
	real(t)
	t.Cleanup(elasticache.AnswerTime(time.Second))
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock = clock })
	g := w.create(t)
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	const items = 100
	for i := range items {
		do(t, c, "SET", "key"+strconv.Itoa(i), "x")
	}
	points := func() int { _, n := w.books.sum("CurrItems", "perf-001"); return n }
	_, rest, _ := strings.Cut(do(t, c, "INFO", "server").(string), "process_id:")
	pid, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	clock.Next(t, time.Second)
	wiretest.Until(t, "a datapoint", func() (any, bool) { n := points(); return n, n == 1 })

	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	for range 2 {
		clock.Next(t, time.Second)
	}
	wiretest.Until(t, "the stall is an event", func() (any, bool) {
		events, err := w.c.DescribeEvents(t.Context(), &sdk.DescribeEventsInput{})
		require.NoError(t, err)
		last := *events.Events[len(events.Events)-1].Message
		return last, strings.Contains(last, "The server of perf-001 does not answer")
	})
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	before := points()
	wiretest.Until(t, "there are datapoints again", func() (any, bool) {
		if slices.Contains(clock.Sleeping(), time.Second) {
			clock.Move(time.Second)
		}
		return points(), points() >= before+3
	})
	w.remove(t)
	total, n := w.books.sum("CurrItems", "perf-001")
	require.Equal(t, float64(items*n), total, "in each of %d datapoints", n)
	sets, _ := w.books.sum("SetTypeCmds", "perf-001")
	require.Equal(t, float64(items), sets)
	_, used := w.books.sum("BytesUsedForCache", "perf-001")
	require.Equal(t, n, used)
}
