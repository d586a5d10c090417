package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

// outcome is what one call of Main left.
type outcome struct {
	code            int
	table, progress string
	doc             document
	file            string
	writes          int           // of the table
	took            time.Duration // in virtual time
}

// read takes in the JSON file.
func (o *outcome) read(t testing.TB) {
	t.Helper()
	b, err := os.ReadFile(o.file)
	require.NoError(t, err)
	if len(b) > 0 {
		require.NoError(t, json.Unmarshal(b, &o.doc), string(b))
	}
}

// document is the part of the JSON file that others read.
type document struct {
	Configuration map[string]any `json:"configuration"`
	Information   map[string]any `json:"run information"`
	All           struct {
		Runtime struct {
			Start       int64  `json:"Start time"`
			Finish      int64  `json:"Finish time"`
			Duration    int64  `json:"Total duration"`
			Unit        string `json:"Time unit"`
			Interrupted string
		}
		Sets, Gets, Waits, Totals block
	} `json:"ALL STATS"`
}

type block struct {
	Count      int64
	Rate       float64                       `json:"Ops/sec"`
	Hits       float64                       `json:"Hits/sec"`
	Misses     float64                       `json:"Misses/sec"`
	Errors     int64                         `json:"Connection Errors"`
	Average    float64                       `json:"Average Latency"`
	Min        float64                       `json:"Min Latency"`
	Max        float64                       `json:"Max Latency"`
	RX         float64                       `json:"KB/sec RX"`
	TX         float64                       `json:"KB/sec TX"`
	Series     map[string]map[string]float64 `json:"Time-Serie"`
	Percentile struct {
		P50  float64 `json:"p50.00"`
		P99  float64 `json:"p99.00"`
		P999 float64 `json:"p99.90"`
		Log  struct {
			Payload string `json:"Compressed Histogram"`
		} `json:"Histogram log format"`
	} `json:"Percentile Latencies"`
}

type counter struct {
	bytes.Buffer
	writes int
}

func (c *counter) Write(b []byte) (int, error) { c.writes++; return c.Buffer.Write(b) }

// load calls Main with a JSON file.
func load(t testing.TB, ctx context.Context, port int, args string) *outcome {
	t.Helper()
	o := &outcome{file: filepath.Join(t.TempDir(), "out.json")}
	var out counter
	var progress bytes.Buffer
	o.code = Main(ctx, append(strings.Fields(args), "-s", "127.0.0.1", fmt.Sprintf("-p%d", port), "--json-out-file", o.file), &out, &progress)
	o.table, o.progress, o.writes = out.String(), progress.String(), out.writes
	o.read(t)
	return o
}

func mini(t testing.TB) (*miniredis.Miniredis, int) {
	s := miniredis.RunT(t)
	return s, s.Server().Addr().Port
}

var (
	record     = regexp.MustCompile(`^\[RUN #1 \d+%, +\d+ secs\] +\d+ threads +\d+ conns( \d+ conn errors)?: +\d+ ops, +\d+ \(avg: +\d+\) ops/sec, \d+\.\d\d[KMG]B/sec \(avg: \d+\.\d\d[KMG]B/sec\), +(\d+\.\d\d|-nan) \(avg: +(\d+\.\d\d|-nan)\) msec latency$`)
	operations = regexp.MustCompile(`: +[1-9]\d* ops,`)
	shape      = regexp.MustCompile(`^2         Threads
2         Connections per thread
2         Seconds


ALL STATS
={108}
Type         Ops/sec     Hits/sec   Misses/sec    Avg\. Latency     p50 Latency     p99 Latency   p99\.9 Latency       KB/sec 
-{124}
Sets     +\d+\.\d\d          ---          ---  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d\d 
Gets     +\d+\.\d\d  +\d+\.\d\d  +\d+\.\d\d  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d\d 
Waits           0\.00          ---          ---             ---             ---             ---             ---          --- 
Totals   +\d+\.\d\d  +\d+\.\d\d  +\d+\.\d\d  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d{5}  +\d+\.\d\d 
$`)
)

func TestOutputIsMemtiers(t *testing.T) {
	keys := map[string]bool{}
	var mu sync.Mutex
	o := virtual(t, "-t 2 -c 2 --test-time 2 --ratio 1:3 --key-maximum 50 --hide-histogram -a=ignored --authenticate=", time.Millisecond, func(words []string) string {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case words[0] == "SET":
			keys[words[1]] = true
			return "+OK\r\n"
		case keys[words[1]]:
			return "$1\r\nx\r\n"
		}
		return "$-1\r\n"
	})
	require.Zero(t, o.code, o.progress)
	require.Regexp(t, shape, o.table)
	require.Equal(t, 1, o.writes, "the table is one write")

	start, rest, _ := strings.Cut(o.progress, "Launching threads now...\n")
	require.Equal(t, "Json file "+o.file+" created...\nWriting results to stdout\n[RUN #1] Preparing benchmark client...\n[RUN #1] ", start)
	records, after, ok := strings.Cut(rest, "\r\n\n")
	require.True(t, ok, rest)
	require.Equal(t, "Saving JSON output file: "+o.file+"\n", after)
	lines := strings.Split(records, "\r")
	require.GreaterOrEqual(t, len(lines), 2)
	for _, line := range lines {
		require.Regexp(t, record, line)
	}
	require.Contains(t, lines[0], "  2 threads  2 conns:")
	require.Contains(t, lines[len(lines)-1], "  0 threads  2 conns:")

	require.Len(t, o.doc.Configuration, 53, "members of memtier 2.3.1's configuration")
	require.Equal(t, map[string]any{"Threads": 2.0, "Connections per thread": 2.0, "Seconds": 2.0, "Format version": 2.0}, o.doc.Information)
	require.Equal(t, "false", o.doc.All.Runtime.Interrupted)
	require.Equal(t, "MILLISECONDS", o.doc.All.Runtime.Unit)
	require.InDelta(t, 2000, o.doc.All.Runtime.Duration, 1)
	sets, gets, all := o.doc.All.Sets, o.doc.All.Gets, o.doc.All.Totals
	require.Equal(t, all.Count, sets.Count+gets.Count)
	require.InDelta(t, 4*2000, all.Count, 4)
	require.InEpsilon(t, 3*sets.Count, gets.Count, 0.01)
	require.Zero(t, o.doc.All.Waits.Count)
	require.InDelta(t, gets.Rate, gets.Hits+gets.Misses, 0.1)
	require.Greater(t, gets.Hits, gets.Misses, "50 keys are soon all there")
	for _, latency := range []float64{all.Min, all.Percentile.P50, all.Percentile.P99, all.Percentile.P999, all.Max} {
		require.InDelta(t, 1, latency, 0.008, "%+v", all)
	}

	var inSeries int64
	for at, s := range all.Series {
		inSeries += int64(s["Count"])
		if s["Count"] > 0 {
			require.Positive(t, s["p99.90"], "second %s", at)
		}
	}
	require.Equal(t, all.Count, inSeries)
	for _, b := range []block{sets, gets, all} {
		h, err := hdrhistogram.Decode([]byte(b.Percentile.Log.Payload))
		require.NoError(t, err)
		require.Equal(t, b.Count, h.TotalCount())
		require.InDelta(t, b.Percentile.P99*1000, h.ValueAtPercentile(99), 1)
	}
}

func TestHistogramAndPercentilesOnRequest(t *testing.T) {
	_, port := mini(t)
	prefix := filepath.Join(t.TempDir(), "h")
	o := load(t, context.Background(), port, "-t 1 -c 1 -n 500 --print-percentiles 50,99.999 --hdr-file-prefix "+prefix)
	require.Zero(t, o.code, o.progress)
	require.Contains(t, o.table, "500       Requests per client\n")
	require.Contains(t, o.table, "  p50 Latency p99.999 Latency       KB/sec \n")
	_, distribution, ok := strings.Cut(o.table, "\n\nRequest Latency Distribution\nType     <= msec         Percent\n"+strings.Repeat("-", 72)+"\n")
	require.True(t, ok, o.table)
	require.Regexp(t, `(?s)^SET +\d+\.\d{3} +0\.000\n.*SET +\d+\.\d{3} +100\.000\n---\nGET .*GET +\d+\.\d{3} +100\.000\n---\n`, distribution)
	b, err := os.ReadFile(prefix + "_FULL_RUN_1.hgrm")
	require.NoError(t, err)
	require.Contains(t, string(b), "HISTFAAA")
	require.FileExists(t, prefix+"_GET_command_run_1.txt")
}

func TestCountsEqualTheServers(t *testing.T) {
	for _, args := range []string{"--pipeline 1", "--pipeline 16 --data-size 100000 -c 2 -n 500", "--pipeline 7 -P resp3 --expiry-range 100-200 --data-size-range 1-5000 -R"} {
		t.Run(args, func(t *testing.T) {
			port := redisServer(t)
			redis(t, port, "CONFIG", "RESETSTAT")
			o := load(t, context.Background(), port, "-t 2 -c 4 -n 2000 --ratio 1:2 --key-maximum 100 --hide-histogram "+args)
			require.Zero(t, o.code, o.progress)
			all, gets := o.doc.All.Totals, o.doc.All.Gets
			server := info(t, port)
			require.InDelta(t, server("total_commands_processed"), all.Count, 10, "HELLO is a command, too")
			// The file has the others as rates.
			require.InEpsilon(t, server("keyspace_hits"), gets.Hits*float64(gets.Count)/gets.Rate, 0.001)
			// Bytes too: the server's view of the same traffic.
			require.InEpsilon(t, server("total_net_input_bytes"), 1024*all.TX*float64(all.Count)/all.Rate, 0.01)
			require.InEpsilon(t, server("total_net_output_bytes"), 1024*all.RX*float64(all.Count)/all.Rate, 0.01)
		})
	}
}

func TestExactNumberOfRequests(t *testing.T) {
	s, port := mini(t)
	o := load(t, context.Background(), port, "-t 2 -c 2 -n allkeys --key-pattern P:P --key-minimum 1 --key-maximum 400 --ratio 1:0 --pipeline 9 --key-prefix k-")
	require.Zero(t, o.code, o.progress)
	require.Equal(t, "setting requests to 100\n", o.table[:24])
	require.EqualValues(t, 400, o.doc.All.Totals.Count)
	require.Len(t, s.Keys(), 400)
	require.True(t, s.Exists("k-1") && s.Exists("k-400"))
}

func TestReconnectInterval(t *testing.T) {
	s, port := mini(t)
	o := load(t, context.Background(), port, "-t 1 -c 1 -n 100 --reconnect-interval 10 --pipeline 4")
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 100, o.doc.All.Totals.Count)
	require.Equal(t, 10, s.TotalConnectionCount())
}

func TestRateLimiting(t *testing.T) {
	o := virtual(t, "-t 1 -c 3 --test-time 2 --rate-limiting 75 --pipeline 4", 0, nothing)
	require.Zero(t, o.code, o.progress)
	require.InDelta(t, 3*2*75, o.doc.All.Totals.Count, 6)
}

// nothing is a server without keys.
func nothing([]string) string { return "$-1\r\n" }

func TestErrorRepliesAreNoOperations(t *testing.T) {
	o := virtual(t, "-s cache -t 1 -c 2 -n 2000", 0, func([]string) string { return "-NOAUTH Authentication required.\r\n" })
	require.Equal(t, 1, o.code)
	line := "server cache:6379 handle error response: -NOAUTH Authentication required."
	require.Equal(t, inFull+1, strings.Count(o.progress, line), o.progress)
	require.Contains(t, o.progress, line+" (3990 more)\n")
	require.Contains(t, o.progress, "error: not one operation succeeded on cache:6379")
	require.Regexp(t, `Totals +0\.00 +0\.00 +0\.00 +-nan +0\.00000 `, o.table)

	s, port := mini(t)
	s.RequireAuth("secret")
	o = load(t, context.Background(), port, "-t 1 -c 2 -n 20 -a wrong")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.progress, "error: authentication failed [-WRONGPASS")
	o = load(t, context.Background(), port, "-t 1 -c 2 -n 20 -a secret")
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 40, o.doc.All.Totals.Count)
	b, err := os.ReadFile(o.file)
	require.NoError(t, err)
	require.NotContains(t, string(b), "secret")
}

func TestNoServer(t *testing.T) {
	port := freePort(t)
	o := load(t, context.Background(), port, "-t 2 -c 2 --test-time 1")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.progress, "Connection error: connection refused\n")
	require.EqualValues(t, 4, o.doc.All.Totals.Errors)
	o = virtual(t, "-t 1 -c 1 -n 5 --reconnect-on-error --max-reconnect-attempts 1", 0, nil)
	require.Equal(t, 1, o.code)
	require.EqualValues(t, 2, o.doc.All.Totals.Errors)
	require.Equal(t, time.Second, o.took)
}

func TestReconnectKeepsWhatWasMeasured(t *testing.T) {
	var n atomic.Int64
	o := virtual(t, "-t 1 -c 1 -n 100 --ratio 0:1 --reconnect-on-error", 0, func(words []string) string {
		if n.Add(1) == 50 {
			return "" // drops the connection once
		}
		return nothing(words)
	})
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 99, o.doc.All.Totals.Count)
	require.Contains(t, o.progress, "connection dropped.\n")
	require.Regexp(t, ` 1 conns 1 conn errors: `, o.progress)
}

func TestTLS(t *testing.T) {
	serverSide, ca := certificate(t)
	_, port := tlsMini(t, serverSide)
	for args, want := range map[string]string{
		"--tls --cacert " + ca:    "",
		"--tls --tls-skip-verify": "",
		"--tls":                   "TLS connection error: ",
		"":                        "connection",
		"--tls --cacert " + filepath.Dir(ca) + "/": "Failed to load CA certificate file",
	} {
		var out, progress bytes.Buffer
		code := Main(context.Background(), append(strings.Fields(args), "-s", "127.0.0.1", fmt.Sprintf("-p%d", port), "-t1", "-c2", "-n100", "--hide-histogram"), &out, &progress)
		if want == "" {
			require.Zero(t, code, progress.String())
			continue
		}
		require.Equal(t, 1, code, args)
		require.Contains(t, progress.String(), want)
	}
}

func TestClusterSendsEachKeyToItsShard(t *testing.T) {
	var border atomic.Int64
	border.Store(5000)
	ports, keys := twoShards(t, &border)
	o := load(t, context.Background(), ports[0], "--cluster-mode -t 1 -c 2 -n 1000 --pipeline 3 --hide-histogram")
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 2000, o.doc.All.Totals.Count, "each client's requests, not each connection's")
	require.EqualValues(t, 2000, keys[0].Load()+keys[1].Load())
	require.InDelta(t, 2000*5000/slotCount, keys[0].Load(), 150)
	require.Contains(t, o.table, " MOVED/sec      ASK/sec ")
	require.NotContains(t, o.progress, "error")
}

func TestClusterFollowsMoved(t *testing.T) {
	var border atomic.Int64
	border.Store(slotCount)
	ports, keys := twoShards(t, &border)
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	go func() {
		defer cancel()
		for keys[0].Load() < 1000 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		border.Store(100) // nearly everything goes to a node that no client knows yet
		for keys[1].Load() < 5000 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	o := load(t, ctx, ports[0], "--cluster-mode -t 1 -c 2 --test-time 3600 --hide-histogram")
	require.Zero(t, o.code, o.progress)
	require.GreaterOrEqual(t, keys[1].Load(), int64(5000))
	require.InDelta(t, keys[0].Load()+keys[1].Load(), o.doc.All.Totals.Count, 10)
}

func TestRealCluster(t *testing.T) {
	a, b := realCluster(t)
	o := load(t, context.Background(), a, "--cluster-mode -t 2 -c 2 -n allkeys --key-pattern P:P --key-minimum 1 --key-maximum 1000 --ratio 1:0 --hide-histogram")
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 1000, o.doc.All.Totals.Count)
	require.EqualValues(t, 1000, redis(t, a, "DBSIZE").(int64)+redis(t, b, "DBSIZE").(int64))

	alone := redisServer(t)
	var out, progress bytes.Buffer
	require.Equal(t, 1, Main(context.Background(), []string{"-s", "127.0.0.1", "-p", fmt.Sprint(alone), "--cluster-mode", "--test-time=5"}, &out, &progress))
	require.Contains(t, progress.String(), "cluster support disabled]; is 127.0.0.1")
}

func TestFrozenServerDoesNotHangTheRun(t *testing.T) {
	var n atomic.Int64
	o := virtual(t, "-t 1 -c 4 --test-time 5", time.Millisecond, func(words []string) string {
		if n.Add(1) > 100 {
			return silence
		}
		return nothing(words)
	})
	require.Zero(t, o.code, o.progress)
	require.EqualValues(t, 100, o.doc.All.Totals.Count)
	require.Equal(t, 5*time.Second+drainTime, o.took)
}

func TestInterrupt(t *testing.T) {
	_, port := mini(t)
	file := filepath.Join(t.TempDir(), "out.json")
	cmd := exec.Command(filepath.Join(generatorDir(t), "memtier_benchmark"), "-s", "127.0.0.1", fmt.Sprintf("-p%d", port), "-t2", "-c2", "--test-time=3600", "--hide-histogram", "--json-out-file", file)
	var out bytes.Buffer
	cmd.Stdout = &out
	progress, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var seen bytes.Buffer
	for buf := make([]byte, 4096); !operations.Match(seen.Bytes()); {
		n, err := progress.Read(buf)
		require.NoError(t, err)
		seen.Write(buf[:n])
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_, _ = seen.ReadFrom(progress)
	require.NoError(t, cmd.Wait(), seen.String())
	require.Contains(t, seen.String(), "Interrupted by user (Ctrl+C) after ")
	require.Regexp(t, `(?m)^Totals +[1-9]`, out.String())
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(b), `"Interrupted": "true"`)
}

func TestVersionAndHelp(t *testing.T) {
	var out, progress bytes.Buffer
	require.Zero(t, Main(context.Background(), []string{"-v"}, &out, &progress))
	require.Equal(t, version+"\n", out.String())
	require.Zero(t, Main(context.Background(), []string{"--help"}, &out, &progress))
	require.Contains(t, out.String(), "-s, --server=VALUE")
	require.Empty(t, progress.String())
	require.Equal(t, 2, Main(context.Background(), []string{"--nope"}, &out, &progress))
	require.Contains(t, progress.String(), "'--nope'")
}
