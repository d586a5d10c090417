package page

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// Status is the state of a run. Zero, nil and empty members are left out.
type Status struct {
	Now            time.Time
	Run            string
	Phase, Meaning string      // for example "running", and what that means
	Began, Stops   time.Time   // of the load; with Now they give the progress bar
	Recent         []float64   // operations/s of the last seconds, all tasks, oldest first; the last is the current rate
	Latency        float64     // ms, as the load measures it, mean of the last second; 0 or NaN: unknown
	ReadP99        *float64    // ms, inside the cache, of the last minute
	WriteP99       *float64    // ms
	Rows           [][2]string // further facts: cache, tasks, the place of the results
}

// Bar is a progress bar, for a share of 0 to 1.
func Bar(share float64, columns int) string {
	full := int(math.Round(min(max(share, 0), 1) * float64(columns)))
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}

// Spark is a row of small bars from 0 to the highest value, one column each; an unknown value is a space.
func Spark(values []float64) string {
	high := 0.
	for _, v := range values {
		if !math.IsNaN(v) {
			high = max(high, v)
		}
	}
	bars := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		i := 0
		if high > 0 && v > 0 {
			i = int(math.Ceil(v / high * 8))
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}

// share is how much of the load's time has passed; false if unknown.
func (s Status) share() (float64, bool) {
	if s.Began.IsZero() || !s.Stops.After(s.Began) || s.Now.Before(s.Began) {
		return 0, false
	}
	return min(float64(s.Now.Sub(s.Began))/float64(s.Stops.Sub(s.Began)), 1), true
}

func (s Status) left() string {
	if d := s.Stops.Sub(s.Now); d > 0 {
		return duration(d.Round(time.Second)) + " left"
	}
	return "time is up"
}

// live is a figure of a running load, in the report's unit.
func live(id string, v *float64) string { return amount(v, report.KindOf(id).Unit) }

func (s Status) p99() string {
	var parts []string
	if s.ReadP99 != nil {
		parts = append(parts, "read "+live("server_read_p99_ms", s.ReadP99))
	}
	if s.WriteP99 != nil {
		parts = append(parts, "write "+live("server_write_p99_ms", s.WriteP99))
	}
	return strings.Join(parts, ", ")
}

// String is the status in a few lines of at most 80 columns; only an address or a command can be longer.
func (s Status) String() string { return s.fitting(columns) }

// Wider bars show nothing more, and narrower ones nothing at all.
const mostBars, leastBars = 34, 5

// fitting is the status for a terminal of the given width.
func (s Status) fitting(columns int) string {
	var b strings.Builder
	row := func(name, value string) {
		if value == "" {
			return
		}
		indent := 14
		if columns < 50 { // on a narrow terminal the name is part of the value
			value, name, indent = strings.TrimSpace(name+" "+value), "", 2
		}
		lines := []string{value}
		if !strings.Contains(value, "://") {
			lines = wrap(value, columns-indent)
		}
		for i, l := range lines {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "  %-*s%s\n", indent-2, name, l)
		}
	}
	bars := func(name string, draw func(columns int) string, says string) {
		if n := min(mostBars, columns-14-utf8.RuneCountInString(says)); n >= leastBars {
			fmt.Fprintf(&b, "  %-11s %s%s\n", name, draw(n), says)
			return
		}
		row(name, strings.TrimSpace(says))
	}
	title := s.Phase
	if s.Run != "" {
		title = "run " + s.Run + ": " + title
	}
	fmt.Fprintln(&b, strings.Join(wrap(title, columns), "\n"))
	row("", s.Meaning)
	if share, ok := s.share(); ok {
		bars("time", func(n int) string { return Bar(share, n) }, fmt.Sprintf(" %3.0f %%  %s", 100*share, s.left()))
	}
	if n := len(s.Recent); n > 0 {
		bars("throughput", func(columns int) string {
			spark := Spark(s.Recent[max(0, n-columns):])
			return spark + strings.Repeat(" ", columns-utf8.RuneCountInString(spark))
		}, "  "+live("ops_per_second", &s.Recent[n-1]))
	}
	if p := s.p99(); p != "" {
		row("p99", p+" (inside the cache, last minute)")
	}
	if s.Latency > 0 {
		row("latency", live("latency_mean_ms", &s.Latency)+" mean (at the load, network included, last second)")
	}
	for _, r := range s.Rows {
		row(r[0], r[1])
	}
	return Printable(b.String())
}

func (s Status) Line() string {
	parts := []string{s.Phase}
	if share, ok := s.share(); ok {
		parts = append(parts, fmt.Sprintf("%.0f %%, %s", 100*share, s.left()))
	}
	if n := len(s.Recent); n > 0 {
		parts = append(parts, live("ops_per_second", &s.Recent[n-1]))
	}
	if p := s.p99(); p != "" {
		parts = append(parts, "p99 "+p)
	} else if s.Latency > 0 {
		parts = append(parts, "mean at the load "+live("latency_mean_ms", &s.Latency))
	}
	for _, r := range s.Rows {
		if !strings.Contains(r[1], "://") {
			parts = append(parts, r[0]+" "+r[1])
		}
	}
	return oneLine(strings.Join(parts, " · "))
}

// Screen shows a status that changes: a terminal redraws it in place, a log gets a line at intervals.
type Screen struct {
	W io.Writer
	// Every is the minimum time between two lines of a log.
	Every time.Duration
	// Terminal is W's terminal; nil: a log.
	Terminal *Terminal

	drawn string
	said  time.Time
}

// Show draws s. Lines that do not fit in the terminal are left out, because what has scrolled away cannot be redrawn; the last status is shown whole.
func (c *Screen) Show(s Status, last bool) error {
	if c.Terminal == nil {
		line := s.Line()
		if !c.said.IsZero() && s.Now.Sub(c.said) < c.Every {
			return nil
		}
		c.said = s.Now
		_, err := fmt.Fprintln(c.W, line)
		return err
	}
	width := max(c.Terminal.Columns(), 1)
	up := ""
	if n := rows(c.drawn, width); n > 0 {
		up = fmt.Sprintf("\x1b[%dA\x1b[J", n) // to the first line of the previous one, and clear from there
	}
	c.drawn = s.fitting(min(columns, width))
	if most := c.Terminal.rows() - 1; !last && rows(c.drawn, width) > most { // the cursor needs one row below
		shown := strings.SplitAfter(c.drawn, "\n")
		for len(shown) > 0 && rows(strings.Join(shown, ""), width) > most-1 {
			shown = shown[:len(shown)-1]
		}
		c.drawn = strings.Join(shown, "") + "…\n"
	}
	_, err := io.WriteString(c.W, up+c.drawn)
	return err
}

// rows is how many terminal rows the text takes. A line that just fits takes one row.
func rows(text string, columns int) (n int) {
	for line := range strings.Lines(text) {
		n += 1 + max(0, utf8.RuneCountInString(line)-2)/columns // without its line break
	}
	return n
}
