package ops

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// clock is set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestALongStepInALog(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1_800_000_000, 0)}
	s := (&Project{Out: &out}).begin(at.now, "terraform: applying")
	for range 65 {
		at.at = at.at.Add(time.Second)
		s.at(0.5, "16 of 32 done")
		s.show()
	}
	require.Equal(t, "terraform: applying\nterraform: applying · 50 % · 30 s · 16 of 32 done\nterraform: applying · 50 % · 60 s · 16 of 32 done\n", out.String())
}

func TestALongStepInATerminal(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1_800_000_000, 0)}
	terminal := &page.Terminal{W: &out, Columns: func() int { return 60 }}
	p := &Project{Out: terminal, Terminal: terminal}
	s := p.begin(at.now, "waiting")
	at.at = at.at.Add(90 * time.Second)
	s.at(-1, "cache deleting")
	p.say("said meanwhile")
	close(s.done) // begin starts no ticker
	s.end()
	s.end()
	require.Equal(t, "waiting\n  0 s\r  90 s  cache deleting\x1b[K\r\x1b[Ksaid meanwhile\n  90 s  cache deleting\r\x1b[K", out.String())
	(*step)(nil).end()
}

func TestAStepEndsWithItsTicker(t *testing.T) {
	var out bytes.Buffer
	s := (&Project{Out: &out}).step("building %s", "it")
	s.end()
	require.Equal(t, "building it\n", out.String())
}

func TestTerraformIsFollowed(t *testing.T) {
	var log, out bytes.Buffer
	at := &clock{time.Unix(1_800_000_000, 0)}
	terminal := &page.Terminal{W: &out, Columns: func() int { return 200 }}
	p := &Project{Out: terminal, Terminal: terminal}
	f := &followed{to: &log}
	write := func(text string) {
		_, err := io.WriteString(f, text)
		require.NoError(t, err)
	}
	shows := func(text string) {
		t.Helper()
		lines := strings.Split(strings.ReplaceAll(out.String(), "\x1b[K", ""), "\r")
		require.Equal(t, text, lines[len(lines)-1])
	}
	f.follow(p.begin(at.now, "terraform: planning"))
	write("\x1b[1mPlan:\x1b[0m \x1b[0m3 to add, 0 to change, 1 to destroy.\n")
	f.follow(p.begin(at.now, "terraform: applying"))
	write("\x1b[0m\x1b[1mmodule.a.aws_x.this[\"a b\"]: Creating...\x1b[0m\nmodule.a.aws_y.this: Destr")
	shows("  ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 s  0 of 4 done, creating module.a.aws_x.this[\"a b\"]")
	write("oying... [id=y]\n")
	shows("  ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 s  0 of 4 done, creating module.a.aws_x.this[\"a b\"] and 1 more")
	write("module.a.aws_x.this[\"a b\"]: Still creating... [10s elapsed]\nmodule.a.aws_x.this[\"a b\"]: Creation complete after 1s [id=x]\n")
	shows("  ██████░░░░░░░░░░░░░░░░░░  25 %  0 s  1 of 4 done, destroying module.a.aws_y.this")
	write("the end")
	require.NotContains(t, log.String(), "the end", "whole lines only")
	f.flush()
	require.Contains(t, log.String(), "[10s elapsed]\nmodule.a.aws_x.this[\"a b\"]: Creation complete after 1s [id=x]\nthe end\n")
	f.follow(p.begin(at.now, "terraform: destroying"))
	write("Plan: 0 to add, 0 to change, 3 to destroy.\nmodule.a.aws_x.this: Destruction complete after 0s\n")
	shows("  ████████░░░░░░░░░░░░░░░░  33 %  0 s  1 of 3 done")
}

func TestPrefillIsReadFromTheLog(t *testing.T) {
	now := time.Now()
	at := func(age int, stream, message string) string {
		return fmt.Sprintf(`{"timestamp":%d,"logStreamName":%q,"message":%q}`, now.Add(-time.Duration(age)*time.Second).UnixMilli(), stream, message)
	}
	words := []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(8, "b", "load: prefill keys=10 bytes=2560"), at(8, "c", "load: prefill keys=10 bytes=2560"),
		at(7, "c", "load: failed: prefill: out of memory")}
	records := []string{at(6, "a", "[RUN #1 40%,   1 secs]  2 threads  8 conns: 4094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency"),
		at(5, "a", "[RUN #1 50%,   2 secs]  2 threads  8 conns: 8094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency"),
		at(5, "c", "[RUN #1 90%,   2 secs]  2 threads  8 conns: 8094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency")}
	_, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
		events := records
		if what == "FilterLogEvents" && len(words) > 0 { // the first call asks for the wrapper's words
			events, words = words, nil
		}
		return 200, nil, `{"events":[` + strings.Join(events, ",") + `]}`
	})
	none, err := s.prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Nil(t, none, "the settings say nothing of it")
	require.NotEmpty(t, words, "no call was made")

	s.config.Settings, s.config.Minutes = []byte(`{"load":{"prefill":{"minutes":0}}}`), 9
	require.Zero(t, s.prefillMinutes())
	s.config.Settings = []byte(`{"load":{"prefill":{"minutes":null}}}`)
	require.Equal(t, 5, s.prefillMinutes(), "at most half of the run")
	s.config.Settings = []byte(`{"load":{"prefill":{"minutes":10}}}`)
	require.Equal(t, 10, s.prefillMinutes())
	f, err := s.prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 12 %, 0 of 2 tasks done", f.String(), "half of what one of two tasks has to write, and then to read")
	require.Equal(t, "out of memory", f.failed)

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(7, "a", "load: prefill: written; reading every key back")}
	f, err = s.prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 75 %, 0 of 1 tasks done", f.String())

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(8, "b", "load: prefill keys=10 bytes=2560"), at(3, "a", "load: prefilled keys=10 of 10 seconds=6")}
	f, err = s.prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 50 %, 1 of 2 tasks done", f.String())

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(3, "a", "load: prefilled keys=10 of 10 seconds=6")}
	f, err = s.prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Nil(t, f, "over")
}
