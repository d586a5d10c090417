package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Header is the first row of an exported CSV.
var Header = []string{"Timestamp", "Namespace", "MetricName", "Stat", "Value", "Unit", "Dimensions"}

// Metrics is what an exported CSV holds.
type Metrics struct {
	Rows       int
	Namespaces map[string]int // rows of each
}

// ReadMetrics counts the rows of an exported CSV; an error when its header or a row is not as promised.
func ReadMetrics(r io.Reader) (*Metrics, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("exported CSV: no header: %w", err)
	}
	if !slices.Equal(header, Header) {
		return nil, fmt.Errorf("exported CSV: header is %q, want %q", strings.Join(header, ","), strings.Join(Header, ","))
	}
	m := &Metrics{Namespaces: map[string]int{}}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("exported CSV: %w", err)
		}
		m.Rows++
		m.Namespaces[row[1]]++
	}
}

// File is one exported object, for the summary.
type File struct {
	Name, Path string
	Bytes      int64
	Holds      string // for example "1,234 rows"
}

// Summary is the short answer of one run.
type Summary struct {
	Run, What         string // What: the configuration in a few words
	Server, Generator string // as measured; "" takes what the log says
	Log               *Log
	Files             []File
	Notes             []string // what a reader must know about the figures
}

// WriteTo prints the summary as a short page of text.
func (s Summary) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-13s %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "Run %s\n", s.Run)
	row("load", s.What)
	row("server", first(s.Server, s.Log.Server, "unknown: no engine log"))
	generator := s.Generator
	if len(s.Log.Tasks) > 0 {
		generator = first(s.Log.Tasks[0].Generator, s.Generator)
	}
	row("generator", generator)
	for _, line := range throughput(s.Log.Tasks) {
		row(line[0], line[1])
	}
	for _, t := range s.Log.Tasks {
		if !t.OK() {
			row("task "+t.ID, t.Trouble())
		}
	}
	for _, n := range s.Notes {
		row("note", n)
	}
	for _, f := range s.Files {
		row(f.Name, fmt.Sprintf("%s (%s bytes, %s)", f.Path, Thousands(float64(f.Bytes)), f.Holds))
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// throughput is summed over the tasks whose result counts; a percentile of several tasks is their range.
func throughput(tasks []*Task) [][2]string {
	var done []*Totals
	for _, t := range tasks {
		if t.OK() {
			done = append(done, t.Totals)
		}
	}
	if len(done) == 0 {
		return [][2]string{{"operations/s", "unknown: no task has a result that counts"}}
	}
	sum := func(of func(*Totals) float64) (v float64) {
		for _, t := range done {
			if x := of(t); !math.IsNaN(x) {
				v += x
			}
		}
		return v
	}
	note := ""
	if len(tasks) > 1 {
		note = fmt.Sprintf(" by %d of %d tasks", len(done), len(tasks))
	}
	ops := sum(func(t *Totals) float64 { return t.OpsPerSecond })
	hits, misses := sum(func(t *Totals) float64 { return t.HitsPerSecond }), sum(func(t *Totals) float64 { return t.MissesPerSecond })
	rows := [][2]string{{"operations/s", Thousands(ops) + note}}
	if hits+misses > 0 {
		rows[0][1] += fmt.Sprintf("; %.1f %% of the reads hit", 100*hits/(hits+misses))
	}
	rows = append(rows, [2]string{"latency", fmt.Sprintf("p50 %s, p99 %s, p99.9 %s ms%s",
		span(done, func(t *Totals) float64 { return t.P50 }), span(done, func(t *Totals) float64 { return t.P99 }),
		span(done, func(t *Totals) float64 { return t.P999 }), map[bool]string{true: " (lowest to highest task)"}[len(done) > 1])})
	return append(rows, [2]string{"throughput", Thousands(sum(func(t *Totals) float64 { return t.KBPerSecond })) + " KB/s"})
}

func span(totals []*Totals, of func(*Totals) float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range totals {
		if x := of(t); !math.IsNaN(x) {
			low, high = min(low, x), max(high, x)
		}
	}
	if low > high {
		return "unknown"
	}
	a, b := fmt.Sprintf("%.3f", low), fmt.Sprintf("%.3f", high)
	if a == b {
		return a
	}
	return a + " to " + b
}

// Trouble says why a task is not OK.
func (t *Task) Trouble() string {
	switch {
	case t.Failed != "":
		return "failed: " + t.Failed
	case t.Verdict == "":
		return "did not finish"
	case t.Totals == nil:
		return "printed no final table"
	case t.Verdict != "ok":
		return fmt.Sprintf("%s (exit %d)", t.Verdict, t.Exit)
	}
	return "no operations"
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Thousands is a whole number with separators: 1234567.8 is 1,234,568.
func Thousands(v float64) string {
	s := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v <= -0.5 {
		s = "-" + s
	}
	return s
}
