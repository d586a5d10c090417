package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// workload is an entry of modules/ecs-load/workloads.json.
type workload struct {
	Ratio       *string  `json:"ratio"`
	DataSize    *int     `json:"data_size"`
	SizeList    *string  `json:"data_size_list"`
	SizeRange   *string  `json:"data_size_range"`
	KeyPattern  *string  `json:"key_pattern"`
	ZipfExp     float64  `json:"key_zipf_exp"`
	KeyMaximum  int      `json:"key_maximum"`
	ExpiryRange *string  `json:"expiry_range"`
	ExtraArgs   []string `json:"extra_args"`
}

// sizes are the flags for the sizes of values, and their mean.
func (w workload) sizes() (flag string, mean float64) {
	switch {
	case w.SizeList != nil:
		var sum, weights float64
		for pair := range strings.SplitSeq(*w.SizeList, ",") {
			var size, weight float64
			_, _ = fmt.Sscanf(pair, "%f:%f", &size, &weight) // the module's validation has this form
			sum, weights = sum+size*weight, weights+weight
		}
		return "--data-size-list=" + *w.SizeList, sum / weights
	case w.SizeRange != nil:
		var least, most float64
		_, _ = fmt.Sscanf(*w.SizeRange, "%f-%f", &least, &most)
		return "--data-size-range=" + *w.SizeRange, (least + most) / 2
	}
	return fmt.Sprintf("--data-size=%d", *w.DataSize), float64(*w.DataSize)
}

// args are what the module gives memtier for it.
func (w workload) args() []string {
	size, _ := w.sizes()
	args := append([]string{size, "--key-minimum=1", fmt.Sprintf("--key-maximum=%d", w.KeyMaximum), fmt.Sprintf("--key-zipf-exp=%g", w.ZipfExp)}, w.ExtraArgs...)
	if w.Ratio != nil {
		args = append(args, "--ratio="+*w.Ratio, "--key-pattern="+*w.KeyPattern)
	}
	if w.ExpiryRange != nil {
		args = append(args, "--expiry-range="+*w.ExpiryRange)
	}
	return args
}

// share is that of the first so many of n keys, of which the k-th is asked for with a probability proportional to k^-exp.
func share(first, n int, exp float64) float64 {
	var top, all float64
	for k := 1; k <= n; k++ {
		p := math.Pow(float64(k), -exp)
		all += p
		if k <= first {
			top += p
		}
	}
	return top / all
}

// Each workload of modules/ecs-load on a real server is what it says. docs/workloads.md has what -v prints; MEMTIER=program takes memtier_benchmark itself
// instead of the embedded generator.
func TestWorkloadsAreWhatTheySay(t *testing.T) {
	text, err := os.ReadFile("../../modules/ecs-load/workloads.json")
	require.NoError(t, err)
	var workloads map[string]workload
	require.NoError(t, json.Unmarshal(text, &workloads))
	row := "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n"
	table := fmt.Sprintf(row, "workload", "writes should be", "were", "share of the top 1 % of keys should be", "was", "bytes of a value should be", "were", "hit rate should be", "was", "memory of a key")
	for _, name := range []string{"cache-aside", "session-store", "write-heavy", "large-values", "hot-keys", "hashes", "sorted-sets"} {
		w, found := workloads[name]
		require.True(t, found, name)
		delete(workloads, name)
		t.Run(name, func(t *testing.T) {
			port := redisServer(t, "--save", "", "--maxmemory", "0")
			run := func(args ...string) {
				t.Helper()
				args = append([]string{"--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "--threads=1", "--clients=4"}, args...)
				var said bytes.Buffer
				if program := os.Getenv("MEMTIER"); program != "" {
					c := exec.CommandContext(t.Context(), program, args...)
					c.Stderr = &said
					require.NoError(t, c.Run(), said.String())
					return
				}
				require.Zero(t, Main(context.Background(), args, io.Discard, &said), said.String())
			}
			empty := float64(info(t, port)("used_memory"))
			size, mean := w.sizes()
			if w.Ratio != nil { // as load.sh writes them
				run(size, "--key-minimum=1", fmt.Sprintf("--key-maximum=%d", w.KeyMaximum), "--ratio=1:0", "--key-pattern=P:P", "--requests=allkeys", "--pipeline=50")
				require.Equal(t, float64(w.KeyMaximum), float64(redis(t, port, "DBSIZE").(int64)))
			}
			filled := float64(info(t, port)("used_memory"))
			seen := watch(t, port)
			run(append(w.args(), "--requests=10000")...)
			got := seen()
			keys := float64(redis(t, port, "DBSIZE").(int64))
			if w.Ratio == nil {
				filled = float64(info(t, port)("used_memory"))
			}

			writes := wanted(w)
			require.InDelta(t, writes, got.writes(), 0.02)
			top := share(w.KeyMaximum/100, w.KeyMaximum, w.ZipfExp)
			require.InDelta(t, top, got.topShare(w.KeyMaximum/100), 0.03)
			require.InEpsilon(t, mean, got.meanSize(), 0.1)
			hits, should := "", ""
			if w.Ratio != nil {
				rate := float64(info(t, port)("keyspace_hits")) / (float64(info(t, port)("keyspace_hits")) + float64(info(t, port)("keyspace_misses")))
				require.InDelta(t, 1, rate, 0.0001, "every key is there")
				hits, should = percent(rate), "100.0 %"
			}
			table += fmt.Sprintf(row, name, percent(writes), percent(got.writes()), percent(top), percent(got.topShare(w.KeyMaximum/100)), rounded(mean), rounded(got.meanSize()), should, hits, rounded((filled-empty)/keys))
		})
	}
	require.Empty(t, workloads, "workloads without a test")
	t.Log("\n" + table)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
func rounded(v float64) string { return fmt.Sprintf("%.0f", v) }

// wanted is a workload's share of writes.
func wanted(w workload) float64 {
	var set, get float64
	if w.Ratio != nil {
		_, _ = fmt.Sscanf(*w.Ratio, "%f:%f", &set, &get)
		return set / (set + get)
	}
	var ratios []float64
	for _, a := range w.ExtraArgs {
		if n, is := strings.CutPrefix(a, "--command-ratio="); is {
			v, _ := strconv.ParseFloat(n, 64)
			ratios = append(ratios, v)
		}
	}
	return ratios[0] / (ratios[0] + ratios[1])
}

var writing = []string{"SET", "SETEX", "HSET", "ZADD"}

// seen is what a server was asked for.
type seen struct {
	commands map[string]int
	ids      []int
	sizes    []int
}

func (s seen) writes() float64 {
	writes, all := 0, 0
	for name, n := range s.commands {
		all += n
		if slices.Contains(writing, strings.ToUpper(name)) {
			writes += n
		}
	}
	return float64(writes) / float64(all)
}

// topShare is the share of the requests for the keys with the lowest numbers: those that a Zipf distribution takes most often.
func (s seen) topShare(first int) float64 {
	n := 0
	for _, id := range s.ids {
		if id <= first {
			n++
		}
	}
	return float64(n) / float64(len(s.ids))
}

func (s seen) meanSize() float64 {
	sum := 0
	for _, size := range s.sizes {
		sum += size
	}
	return float64(sum) / float64(len(s.sizes))
}

// A word of MONITOR's lines, and a byte of one that is written by several.
var (
	quoted  = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	escaped = regexp.MustCompile(`\\(x[0-9a-f]{2}|.)`)
)

var monitored = regexp.MustCompile(`^\+[0-9.]+ \[\S+ [0-9.:]+\] "(SET|SETEX|GET|HSET|HGET|ZADD|ZRANGE|set|setex|get|hset|hget|zadd|zrange)" "memtier-([0-9]+)"(.*)\r\n$`)

// watch has the server tell every command from now on (https://redis.io/docs/latest/commands/monitor/), until the result is asked for: a last command of our
// own says that all others have come.
func watch(t *testing.T, port int) func() seen {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Minute)))
	_, err = fmt.Fprint(conn, "MONITOR\r\n")
	require.NoError(t, err)
	in := bufio.NewReaderSize(conn, 1<<20)
	ok, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", ok)
	done := make(chan seen, 1)
	go func() {
		defer close(done)
		s := seen{commands: map[string]int{}}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if strings.Contains(line, `"ECHO" "over"`) {
				done <- s
				return
			}
			m := monitored.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			s.commands[m[1]]++
			id, _ := strconv.Atoi(m[2]) // digits
			s.ids = append(s.ids, id)
			if words := quoted.FindAllStringSubmatch(m[3], -1); len(words) > 0 && slices.Contains(writing, strings.ToUpper(m[1])) {
				value := words[len(words)-1][1]
				if strings.EqualFold(m[1], "SET") {
					value = words[0][1]
				}
				s.sizes = append(s.sizes, len(escaped.ReplaceAllString(value, "x")))
			}
		}
	}()
	return func() seen {
		t.Helper()
		redis(t, port, "ECHO", "over")
		s, told := <-done
		require.True(t, told, "the server stopped telling")
		return s
	}
}
