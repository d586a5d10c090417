package page

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestStatus(t *testing.T) {
	s := Status{Now: at(15), Run: "2026-11-23T03-08-00Z", Phase: "running", Meaning: "until 2026-11-23T03:38:00Z", Began: at(0), Stops: at(30),
		Recent: []float64{0, 12000, 24000, 48211}, ReadP99: ptr(0.094), WriteP99: ptr(0.131),
		Rows: [][2]string{{"cache", "available"}, {"tasks", "4 of 4 running"}, {"results", "will be in s3://perf/exports/"}}}
	narrow(t, s.String())
	require.Equal(t, `run 2026-11-23T03-08-00Z: running
              until 2026-11-23T03:38:00Z
  time        █████████████████░░░░░░░░░░░░░░░░░  50 %  15 min left
  throughput   ▂▄█                                48,211 ops/s
  p99         read 0.0940 ms, write 0.131 ms (inside the cache, last minute)
  cache       available
  tasks       4 of 4 running
  results     will be in s3://perf/exports/
`, s.String())
	require.Equal(t, "running · 50 %, 15 min left · 48,211 ops/s · p99 read 0.0940 ms, write 0.131 ms · cache available · tasks 4 of 4 running", s.Line())
	require.Equal(t, "none\n              nothing is deployed\n", Status{Phase: "none", Meaning: "nothing is deployed"}.String())
	s.Now = at(31)
	require.Contains(t, s.String(), "100 %  time is up")
}

func TestScreen(t *testing.T) {
	var b strings.Builder
	c := Screen{W: &b, Every: 10 * time.Second}
	for i := range 5 {
		require.NoError(t, c.Show(Status{Phase: "running", Now: begin.Add(time.Duration(4*i) * time.Second)}, i == 4))
	}
	require.Equal(t, "running\nrunning\n", b.String())
}

// At every width a status replaces the previous one, even in a terminal that is too low for it, and the last one is shown whole.
func TestScreenInATerminal(t *testing.T) {
	full := Status{Now: at(15), Run: "2026-11-23T03-08-00Z", Phase: "running", Meaning: "until 2026-11-23T03:38:00Z", Began: at(0), Stops: at(30),
		Recent: []float64{0, 12000, 24000, 48211}, ReadP99: ptr(0.094), WriteP99: ptr(0.131), Latency: 0.2,
		Rows: [][2]string{{"trouble", "AWS does not answer; trying again every 2 s: https://sts.us-east-1.amazonaws.com/: connection refused"}, {"cache", "available"},
			{"tasks", "4 of 4 running"}, {"results", "will be in s3://perf/exports/"}, {"hint", strings.Repeat("x", 40)}}}
	short := Status{Phase: "starting", Meaning: "not steady yet; `go tool mage stop` ends it", Rows: [][2]string{{"cache", "creating"}}}
	for columns := 20; columns <= 100; columns++ {
		for _, height := range []int{8, 40} {
			term := &emulator{columns: columns, rows: height, lines: []string{""}}
			c := Screen{W: term, Terminal: &Terminal{Columns: func() int { return columns }, Rows: func() int { return height }}}
			_, _ = io.WriteString(term, "$ watch\n")
			for _, s := range []Status{short, full, short, full, full} {
				require.NoError(t, c.Show(s, false))
			}
			all := term.text()
			require.Equal(t, 1, strings.Count(all, "$ watch\n"), "%d columns: %s", columns, all)
			require.Equal(t, 1, strings.Count(all, "2026-11-23T03-08-00Z"), "%d columns, %d rows:\n%s", columns, height, all)
			require.NotContains(t, all, "starting", "%d columns, %d rows:\n%s", columns, height, all)
			require.NoError(t, c.Show(full, true))
			require.Equal(t, "$ watch\n"+full.fitting(min(columns, 80)), term.text(), "%d columns, %d rows", columns, height)
		}
	}
	for columns := 24; columns <= 80; columns++ {
		for line := range strings.Lines(full.fitting(columns)) {
			if !strings.Contains(line, "://") && !strings.Contains(line, "xxx") && !strings.HasPrefix(line, "2026") {
				require.LessOrEqual(t, utf8.RuneCountInString(line)-1, columns, line)
			}
		}
	}
	require.Equal(t, `run 2026-11-23T03-08-00Z: running
  until 2026-11-23T03:38:00Z
  time        ████░░░░  50 %  15 min left
  throughput   ▂▄█           48,211 ops/s
`, strings.Join(strings.SplitAfter(full.fitting(41), "\n")[:4], ""))
	require.Contains(t, full.fitting(20), "\n  time 50 % 15 min\n  left\n")
}

// emulator is a terminal of fixed size, with its scrollback.
type emulator struct {
	columns, rows int
	lines         []string // a line that the terminal wrapped ends with a NUL
	row, at       int
}

func (w *emulator) Write(b []byte) (int, error) {
	text := string(b)
	down := func(mark string) {
		w.lines[w.row] += mark
		if w.row, w.at = w.row+1, 0; w.row == len(w.lines) {
			w.lines = append(w.lines, "")
		}
	}
	for text != "" {
		var up int
		r := []rune(text)[0]
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			w.lines[w.row] = string([]rune(w.lines[w.row])[:w.at])
			w.lines, text = w.lines[:w.row+1], text[3:]
		case r == 0x1b:
			if n, _ := fmt.Sscanf(text, "\x1b[%dA", &up); n != 1 {
				return 0, fmt.Errorf("not known: %q", text)
			}
			w.row = max(w.row-up, len(w.lines)-w.rows, 0) // the cursor cannot reach what has scrolled away
			text = text[strings.Index(text, "A")+1:]
		case r == '\n':
			down("")
			text = text[1:]
		default:
			if w.at == w.columns { // a full line wraps when more follows
				down("\x00")
			}
			w.lines[w.row] = string([]rune(w.lines[w.row])[:w.at]) + string(r)
			w.at, text = w.at+1, text[len(string(r)):]
		}
	}
	return len(b), nil
}

func (w *emulator) text() string {
	return strings.ReplaceAll(strings.Join(w.lines, "\n"), "\x00\n", "")
}
