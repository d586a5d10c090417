package page

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

func TestTableOfRuns(t *testing.T) {
	rows := []Row{
		{Name: "r7g-r1", State: "running", Left: 36 * time.Second, OpsPerSecond: ptr(32_905.0)},
		{Name: "a-variant-with-a-name-r12", State: "terraform: applying · 58 % · 10 s · 21 of 36 done, creating module.scheduler.aws_sqs_queue.dead"},
		{Name: "r8g-r1", State: "waiting"},
	}
	require.Equal(t, []string{
		"run                  state                time left  throughput now",
		"r7g-r1               running                   36 s    32,905 ops/s",
		"a-variant-with-a-n…  terraform: applyin…",
		"r8g-r1               waiting",
	}, Table(rows, 68))
	require.Equal(t, []string{
		"run            state          time left",
		"r7g-r1         running             36 s",
		"a-variant-wi…  terraform: a…",
		"r8g-r1         waiting",
	}, Table(rows, 40))
	require.Equal(t, "r7g-r1    running", Table(rows, 20)[1])
	for _, columns := range []int{1, 10, 20, 30, 40, 60, 80, 200} {
		for _, line := range Table(rows, columns) {
			require.LessOrEqual(t, utf8.RuneCountInString(line), max(columns-1, 1), "%d columns: %s", columns, line)
		}
	}
	require.Contains(t, Table(rows, 0)[2], "aws_sqs_queue.dead", "a pipe has no width")
	require.Equal(t, "r7g-r1 · running · 36 s left · 32,905 ops/s", rows[0].Line())
	require.Equal(t, "r8g-r1 · waiting", rows[2].Line())
}

// A table replaces the previous one, below the output, even if the terminal has become narrower.
func TestTableInATerminal(t *testing.T) {
	var b strings.Builder
	columns := 60
	s := &Terminal{W: &b, Columns: func() int { return columns }}
	for i := range 3 {
		s.ShowTable(fmt.Sprintf("round 1 of 2 · %d s", i), []Row{{Name: "a", State: "waiting"}, {Name: "b", State: "running", OpsPerSecond: ptr(float64(i))}}[:1+i%2])
		_, err := io.WriteString(s, fmt.Sprintf("line %d\n", i))
		require.NoError(t, err)
	}
	head := "run  state    time left  throughput now\n"
	require.Equal(t, "line 0\nline 1\nline 2\nround 1 of 2 · 2 s\n"+head+"a    waiting", screen(b.String()))
	b.Reset()
	columns = 20 // the head takes two rows now
	require.Equal(t, "\r\x1b[3A\x1b[J", s.erase())
	s.Show(nil)
	require.Equal(t, "\r\x1b[3A\x1b[J", b.String())
	b.Reset()
	s.ShowTable("x", nil)
	s.Show(&Step{Share: -1})
	require.Equal(t, "  0 s", screen(b.String()))
}

// screen is the content of a terminal that knows carriage return, line feed, cursor up, and clearing to the end.
func screen(text string) string {
	lines, row, at := []string{""}, 0, 0
	for text != "" {
		var up int
		switch n, _ := fmt.Sscanf(text, "\x1b[%dA", &up); {
		case n == 1 && strings.HasPrefix(text, fmt.Sprintf("\x1b[%dA", up)):
			row, text = row-up, text[len(fmt.Sprintf("\x1b[%dA", up)):]
		case strings.HasPrefix(text, "\x1b[J"), strings.HasPrefix(text, "\x1b[K"):
			lines[row] = string([]rune(lines[row])[:at])
			if text[2] == 'J' {
				lines = lines[:row+1]
			}
			text = text[3:]
		case text[0] == '\r':
			at, text = 0, text[1:]
		case text[0] == '\n':
			if row, at, text = row+1, 0, text[1:]; row == len(lines) {
				lines = append(lines, "")
			}
		default:
			r := []rune(text)[0]
			lines[row] = string(append([]rune(lines[row])[:at], r))
			at, text = at+1, text[len(string(r)):]
		}
	}
	return strings.Join(lines, "\n")
}

// A minute's mean is drawn in the middle of its minute, and a second's at its second.
func TestAMeanIsDrawnInItsMiddle(t *testing.T) {
	for step, middle := range map[int]float64{1: 0, 10: 5, 60: 30, 300: 150} {
		s := line("", &report.Series{Start: begin, StepSeconds: step, Values: report.Values{1, 2}}, 1)
		require.Equal(t, []float64{seconds(begin) + middle, seconds(begin) + float64(step) + middle}, s.X)
	}
}
