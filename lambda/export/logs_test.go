package export

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var logWindow = Window{at("2026-11-23T03:00:00Z"), at("2026-11-23T04:00:00Z")}

func logJob(api LogsAPI) LogsJob {
	return LogsJob{API: api, Clock: &ticker{now: at("2026-11-23T05:00:00Z")}, Window: logWindow, Rate: 22.5, Filter: 9.5,
		Groups: []LogGroup{{"load", "/perf/load"}, {"engine-log", "/perf/engine-log"}, {"slow-log", "/perf/slow-log"}}}
}

func TestLogLines(t *testing.T) {
	start := logWindow.Start.UnixMilli()
	api := &fakeLogs{size: 2, groups: map[string]map[string][]logEvent{
		"/perf/load": {
			"load/memtier/b": {{start - 1, "too early"}, {start, "first"}, {start + 5, "same instant, b"}, {start + 5, "and again"}},
			"load/memtier/a": {{start + 5, "same instant, a"}, {start + 1234, "ALL STATS\nTotals 1\r\nGets 2\rSets 3\n"}},
			"empty":          nil,
		},
		"/perf/engine-log": {"perf-001": {{start + 7, "caf\xe9 \x00 ok"}, {start + 8, ""}, {start + 9, "\n\n"}, {logWindow.End.UnixMilli(), "too late"}}},
	}}
	var out bytes.Buffer
	sum, err := logJob(api).Write(t.Context(), &out)
	require.NoError(t, err)
	assert.Equal(t, `[2026-11-23T03:00:00.000Z] [load/memtier/b] first
[2026-11-23T03:00:00.005Z] [load/memtier/a] same instant, a
[2026-11-23T03:00:00.005Z] [load/memtier/b] same instant, b
[2026-11-23T03:00:00.005Z] [load/memtier/b] and again
[2026-11-23T03:00:00.007Z] [engine-log/perf-001] caf`+"\uFFFD \x00"+` ok
[2026-11-23T03:00:00.008Z] [engine-log/perf-001] 
[2026-11-23T03:00:00.009Z] [engine-log/perf-001] 
[2026-11-23T03:00:00.009Z] [engine-log/perf-001] 
[2026-11-23T03:00:01.234Z] [load/memtier/a] ALL STATS
[2026-11-23T03:00:01.234Z] [load/memtier/a] Totals 1
[2026-11-23T03:00:01.234Z] [load/memtier/a] Gets 2
[2026-11-23T03:00:01.234Z] [load/memtier/a] Sets 3
`, out.String())
	assert.Equal(t, Logs{Window: logWindow, Streams: 3, Events: 8, Lines: 12, Bytes: 5 + 15 + 9 + 15 + 34 + 9 + 0 + 2,
		Messages: []string{"log group /perf/slow-log does not exist"}}, sum)
}

// Every event is exported once and in order, whatever the pages: empty pages, more than 50 streams, equal timestamps across pages.
func TestLogsAreLossless(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	streams := map[string][]logEvent{}
	var want []string
	for s := range 120 {
		name := fmt.Sprintf("load/memtier/%03d", s)
		now := logWindow.Start.UnixMilli()
		for i := range random.IntN(60) {
			now += random.Int64N(3) // often the same timestamp
			streams[name] = append(streams[name], logEvent{now, fmt.Sprintf("%s #%d", name, i)})
			want = append(want, fmt.Sprintf("%d %03d %04d [%s] [%s] %s #%d", now, s, i, time.UnixMilli(now).UTC().Format("2006-01-02T15:04:05.000Z"), name, name, i))
		}
	}
	slices.Sort(want)
	for i, line := range want {
		want[i] = line[strings.IndexByte(line, '['):]
	}
	for _, emptyPages := range []bool{false, true} {
		for _, size := range []int{1, 7, 10_000} {
			api := &fakeLogs{size: size, emptyPages: emptyPages, groups: map[string]map[string][]logEvent{"/perf/load": streams}}
			var out bytes.Buffer
			sum, err := logJob(api).Write(t.Context(), &out)
			require.NoError(t, err)
			require.Equal(t, want, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), "page size %d, empty pages %v", size, emptyPages)
			assert.EqualValues(t, len(want), sum.Events)
			assert.LessOrEqual(t, api.maxActive, fetchers)
		}
	}
}

// An event may have 1,024 KB: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
func TestLogsLargeEvents(t *testing.T) {
	streams, want := map[string][]logEvent{}, 0
	for i, size := range []int{256 << 10, 1 << 20, 1<<20 - 26} {
		message := strings.Repeat("0123456\r", size/8)
		streams["load/a"] = append(streams["load/a"], logEvent{logWindow.Start.UnixMilli() + int64(i), message + strings.Repeat("x", size-len(message))})
		want += size
	}
	var out bytes.Buffer
	sum, err := logJob(&fakeLogs{size: 2, groups: map[string]map[string][]logEvent{"/perf/load": streams}}).Write(t.Context(), &out)
	require.NoError(t, err)
	assert.EqualValues(t, want, sum.Bytes)
	assert.EqualValues(t, want/8+1, sum.Lines)
	assert.EqualValues(t, sum.Lines, bytes.Count(out.Bytes(), []byte("\n")))
}

// The minimum is one call per page, and one more that finds the end.
func TestLogCallsAreMinimal(t *testing.T) {
	streams := map[string][]logEvent{}
	for s := range 20 {
		for i := range 95 {
			name := fmt.Sprint("load/", s)
			streams[name] = append(streams[name], logEvent{logWindow.Start.UnixMilli() + int64(i), "x"})
		}
	}
	api := &fakeLogs{size: 10, groups: map[string]map[string][]logEvent{"/perf/load": streams}}
	job := logJob(api)
	clock := job.Clock.(*ticker)
	_, err := job.Write(t.Context(), &bytes.Buffer{})
	require.NoError(t, err)
	assert.Equal(t, 20*(10+1), api.calls)
	assert.InDelta(t, 220/22.5, clock.slept.Seconds(), 1, "paced below the quota")
}

func TestLogsFail(t *testing.T) {
	streams := map[string][]logEvent{"load/a": {{logWindow.Start.UnixMilli(), "x"}}, "load/b": {{logWindow.Start.UnixMilli(), "x"}}}
	broken := errors.New("ServiceUnavailable")
	for call := 1; call <= 4; call++ {
		api := &fakeLogs{size: 1, groups: map[string]map[string][]logEvent{"/perf/load": streams}, fail: func(n int) error {
			if n == call {
				return broken
			}
			return nil
		}}
		_, err := logJob(api).Write(t.Context(), &bytes.Buffer{})
		require.ErrorIs(t, err, broken, "call %d", call)
		assert.ErrorContains(t, err, "of /perf/load")
	}
	api := &fakeLogs{size: 1, groups: map[string]map[string][]logEvent{"/perf/load": streams}}
	_, err := logJob(api).Write(t.Context(), failing{})
	assert.ErrorIs(t, err, errFull)

	job := logJob(api)
	job.Until = job.Clock.Now().Add(50 * time.Millisecond)
	_, err = job.Write(t.Context(), &bytes.Buffer{})
	assert.ErrorIs(t, err, ErrOutOfTime)
}

func TestLogsRate(t *testing.T) {
	assert.Equal(t, 23.75, LogsRate("us-east-1"))
	assert.Equal(t, 9.5, LogsRate("eu-central-1"))
	assert.Equal(t, 28.5, LogsRate("eu-west-3"))
	assert.Equal(t, 23.75, FilterRate("us-east-1"))
	assert.Equal(t, 4.75, FilterRate("eu-central-1"))
	assert.Equal(t, 9.5, FilterRate("eu-west-3"))
}

func FuzzLogEvent(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\nb", "a\r\nb\r\n", "\r\r\r", "[RUN #1] 5%\r", "\x00\xff\xfe", strings.Repeat("x\r", 1000), "\n", "\r\n"} {
		f.Add([]byte(seed))
	}
	f.Add(bytes.Repeat([]byte("5%\r\x00\xe9"), 256<<10/5))
	f.Fuzz(func(t *testing.T, message []byte) {
		const prefix = "[2026-11-23T03:00:00.000Z] [load/memtier/abc] "
		before := []byte("before\n")
		all, lines := appendEvent(bytes.Clone(before), logWindow.Start.UnixMilli(), "load/memtier/abc", message)
		text := string(all[len(before):])
		if !bytes.HasPrefix(all, before) || !utf8.ValidString(text) || strings.Count(text, "\n") != lines || strings.Contains(text, "\r") || !strings.HasSuffix(text, "\n") {
			t.Fatalf("%q became %q", message, text)
		}
		var parts []string
		for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			part, ok := strings.CutPrefix(line, prefix)
			if !ok {
				t.Fatalf("%q: line %q has no prefix", message, line)
			}
			parts = append(parts, part)
		}
		var valid []rune // every invalid byte becomes one U+FFFD
		for _, r := range string(message) {
			valid = append(valid, r)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(valid))
		if strings.TrimSuffix(want, "\n") != strings.Join(parts, "\n") {
			t.Fatalf("%q became %q", message, parts)
		}
	})
}
