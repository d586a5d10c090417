package loadgen

import (
	"context"
	"encoding/csv"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// As in memtier, the parts have one length, and of few keys the last begin past the end: the client with the last part
// then has its first key only. https://github.com/redis/memtier_benchmark/blob/master/client.cpp (setup_client)
func TestPartsOfFewKeysAreMemtiers(t *testing.T) {
	var firsts []uint64
	for i := range 7 {
		g := generatorOf(t, i, "-t 1 -c 7 --ratio=1:0 --key-pattern=P:P --key-minimum=1 --key-maximum=10")
		_, first := g.draw()
		_, second := g.draw()
		firsts = append(firsts, first)
		require.Equal(t, map[bool]uint64{true: first, false: first + 1}[i == 6], second)
	}
	require.Equal(t, []uint64{1, 3, 5, 7, 9, 11, 13}, firsts)
}

func TestClientStatsCountEveryReply(t *testing.T) {
	s, port := mini(t)
	for _, k := range []string{"k-1", "k-2", "k-30"} {
		require.NoError(t, s.Set(k, "value"))
	}
	prefix := filepath.Join(t.TempDir(), "stats")
	o := load(t, context.Background(), port, "-t 2 -c 2 -n allkeys --key-pattern P:P --key-minimum 1 --key-maximum 40 --ratio 0:1 --key-prefix k- --client-stats="+prefix)
	require.Zero(t, o.code, o.progress)
	sum := map[string]int{}
	for _, name := range []string{"-1-0-0.csv", "-1-0-1.csv", "-1-1-0.csv", "-1-1-1.csv"} {
		text, err := os.ReadFile(prefix + name)
		require.NoError(t, err)
		title, table, _ := strings.Cut(string(text), "\n")
		require.Equal(t, "Per-Second Benchmark Data", title)
		rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
		require.NoError(t, err)
		for _, row := range rows[1:] {
			for i, column := range rows[0] {
				n, err := strconv.ParseFloat(row[i], 64)
				require.NoError(t, err)
				sum[column] += int(n)
			}
		}
	}
	require.Equal(t, []int{40, 37, 3, 0, 0}, []int{sum["GET Requests"], sum["GET Misses"], sum["GET Hits"], sum["SET Requests"], sum["WAIT Requests"]})
	require.Equal(t, 37*len("$-1\r\n")+3*len("$5\r\nvalue\r\n"), sum["GET Total Bytes RX"])
	require.Equal(t, sum["GET Total Bytes"], sum["GET Total Bytes RX"]+sum["GET Total Bytes TX"])
}

const ownPrefix = "memtier-0123456789abcdef0123456789abcdef-"

// filling are a task's arguments as the module writes them, for a load that lasts and leaves the machine to others.
func filling(port int, more ...string) []string {
	return append([]string{"--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "--threads=2", "--clients=3", "--pipeline=4", "--data-size=64", "--ratio=1:10",
		"--key-pattern=R:R", "--key-minimum=1", "--rate-limiting=100", "--test-time=3000"}, more...)
}

// measured is a load under way after its prefill.
const measured = `(?s)load: prefilled .*\n\[RUN #1 \d+%, [^\n]*: +[1-9]\d* ops,[^\n]*latency`

func TestPrefill(t *testing.T) {
	for name, tc := range map[string]struct {
		keys int
		more []string
		tls  bool
		env  []string
	}{
		"a whole number of parts":     {keys: 600},
		"parts that do not fit":       {keys: 1000},
		"fewer keys than connections": {keys: 3},
		"what only the load may have": {keys: 500, more: []string{"--rate-limiting=1", "--expiry-range=1-1", "--key-pattern=G:G", "--key-stddev", "3", "--key-median=100", "--random-data"}},
		"TLS and a token":             {keys: 300, more: []string{"--tls"}, tls: true, env: []string{"CACHE_AUTH_TOKEN=top-secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				s, port := mini(t)
				env := append([]string{"PREFILL_SECONDS=3600"}, tc.env...)
				if tc.tls {
					serverSide, ca := certificate(t)
					pem, err := os.ReadFile(ca)
					require.NoError(t, err)
					s, port = tlsMini(t, serverSide)
					env = append(env, "CA_PEM="+string(pem))
				}
				if tc.env != nil {
					s.RequireAuth("top-secret")
				}
				j := task(t, shell, generatorDir(t), env, filling(port, append(tc.more, fmt.Sprintf("--key-maximum=%d", tc.keys))...)...)
				j.until(measured)
				j.terminate()
				require.Zero(t, j.exit(), j.log())
				require.Regexp(t, fmt.Sprintf(`(?s)\nload: ready\nload: prefill keys=%d bytes=%d\n.*\nload: prefilled keys=%[1]d of %[1]d seconds=\d+\n.*\nload: finished exit=0 ok\n$`, tc.keys, 64*tc.keys), j.log())
				require.NotContains(t, j.log(), "top-secret")
				require.Equal(t, 1, strings.Count(j.log(), "ALL STATS"), "the table is the load's")
				require.Len(t, s.Keys(), tc.keys, "each key, and no other")
				for i := range tc.keys {
					require.True(t, s.Exists(ownPrefix+strconv.Itoa(i+1)))
				}
			})
		})
	}
}

// A load that reads from replicas: the keys go where they can be written, the load's reads do not.
func TestPrefillOfAnotherServerThanTheLoads(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		port, tools := freePort(t, beside{"127.0.0.2", 0}), t.TempDir()
		startRedis(t, "127.0.0.1", port, "--repl-diskless-sync-delay", "0")
		startRedis(t, "127.0.0.2", port, "--replicaof", "127.0.0.1", fmt.Sprint(port))
		reports(t, address(port), "INFO replication", "state=online")
		// The load waits until the replica has what the primary has.
		tool(t, tools, "memtier_benchmark", `case "$*" in *--json-out-file*) while [ ! -e `+tools+`/replicated ]; do sleep 0.05; done ;; esac
exec `+generatorDir(t)+`/memtier_benchmark "$@"`)
		j := task(t, shell, tools, []string{"PREFILL_SECONDS=3600", "PREFILL_SERVER=127.0.0.1"}, filling(port, "--server=127.0.0.2", "--ratio=0:1", "--key-maximum=500")...)
		j.until(`load: prefilled `)
		reports(t, net.JoinHostPort("127.0.0.2", fmt.Sprint(port)), "INFO keyspace", "keys=500,")
		require.NoError(t, os.WriteFile(filepath.Join(tools, "replicated"), nil, 0o600))
		j.until(measured)
		j.terminate()
		require.Zero(t, j.exit(), j.log())
		require.Contains(t, j.log(), "load: prefilled keys=500 of 500 ")
		table := regexp.MustCompile(`(?m)^Gets +(\S+) +(\S+) +0\.00 `).FindStringSubmatch(j.log())
		require.NotNil(t, table, "every read of the load finds its key: %s", j.log())
		stats := redis(t, port, "INFO", "commandstats").(string)
		require.Regexp(t, `cmdstat_set:calls=504,`, stats) // 6 parts of 84
		require.Regexp(t, `cmdstat_get:calls=504,`, stats, "the primary has the prefill's reads and none of the load's")
	})
}

func TestPrefillInClusterMode(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		a, b := realCluster(t)
		j := task(t, shell, generatorDir(t), []string{"PREFILL_SECONDS=3600"}, filling(a, "--cluster-mode", "--key-maximum=1000")...)
		j.until(measured)
		j.terminate()
		require.Zero(t, j.exit(), j.log())
		require.Contains(t, j.log(), "load: prefilled keys=1000 of 1000 ")
		require.EqualValues(t, 1000, redis(t, a, "DBSIZE").(int64)+redis(t, b, "DBSIZE").(int64))
	})
}

func TestPrefillFails(t *testing.T) {
	for name, tc := range map[string]struct {
		server  []string
		seconds int
		keys    int
		want    string
	}{
		"evicted": {[]string{"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"}, 3600, 100_000,
			`(?m)^load: failed: prefill: [1-9]\d* of 100000 keys were gone when they were read back: the working set .* does not fit into maxmemory; take a larger node`},
		"never written": {[]string{"--maxmemory", "8mb", "--maxmemory-policy", "noeviction"}, 3600, 100_000,
			`(?s)-OOM command not allowed.*\nload: failed: prefill: [1-9]\d* of 100000 keys were gone`},
		"too short a time": {nil, 1, 100_000_000, `(?m)^load: failed: prefill: not done in 1 s: give it more time \(load.prefill.minutes\), or fewer keys`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				port := redisServer(t, tc.server...)
				j := task(t, shell, generatorDir(t), []string{fmt.Sprintf("PREFILL_SECONDS=%d", tc.seconds), "PREFILL_REQUIRED=1"}, filling(port, fmt.Sprintf("--key-maximum=%d", tc.keys))...)
				j.until(tc.want)
				j.lingers()
				j.terminate()
				require.Equal(t, 1, j.exit())
				require.NotContains(t, j.log(), "load: prefilled")
				require.NotContains(t, j.log(), "load: finished")
				require.NotContains(t, j.log(), "ALL STATS")
			})
		})
	}
}

// A prefill that nobody asked for by name does not stand in the way of the load: it says what is missing.
func TestPrefillThatIsNotRequired(t *testing.T) {
	for name, tc := range map[string]struct {
		server  []string
		seconds int
		keys    int
		want    string
	}{
		"evicted": {[]string{"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"}, 3600, 100_000,
			`(?m)^load: prefilled keys=\d+ of 100000 seconds=\d+: [1-9]\d* of 100000 keys were gone when they were read back: `},
		"too short a time": {nil, 1, 100_000_000, `(?m)^load: prefilled keys=unknown of 100000000 seconds=\d+: not done in 1 s: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				port := redisServer(t, tc.server...)
				j := task(t, shell, generatorDir(t), []string{fmt.Sprintf("PREFILL_SECONDS=%d", tc.seconds)}, filling(port, fmt.Sprintf("--key-maximum=%d", tc.keys))...)
				j.until(tc.want)
				j.until(measured)
				j.terminate()
				require.Zero(t, j.exit(), j.log())
				require.Contains(t, j.log(), "load: finished exit=0 ok")
			})
		})
	}
}

func TestTermDuringPrefill(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		_, port := mini(t)
		j := task(t, shell, generatorDir(t), []string{"PREFILL_SECONDS=3600"}, filling(port, "--key-maximum=100000000")...)
		j.until(`(?s)load: prefill keys=.*\[RUN #1 \d+%, .*latency`)
		j.terminate()
		require.Equal(t, 1, j.exit())
		require.Regexp(t, `\nload: failed: told to stop before the load on 127.0.0.1:\d+ began; nothing to do\n$`, j.log())
	})
}
