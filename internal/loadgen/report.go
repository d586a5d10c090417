package loadgen

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The rows of table and JSON.
const (
	sets = iota
	gets
	waits
	totals
)

var rowNames = [4]string{"Sets", "Gets", "Waits", "Totals"}

// results is a finished run.
type results struct {
	cfg         *config
	began, end  int64 // milliseconds since 1970
	seconds     float64
	interrupted bool
	errors      int64 // of connections
	rows        [4]row
	series      []second
	clients     [][][2]tally // of --client-stats
}

type row struct {
	tally
	latency *hdrhistogram.Histogram
}

func summarize(r *run) *results {
	s := r.stats
	both := wholeRun()
	both.Merge(s.latency[get])
	both.Merge(s.latency[set])
	total := s.total[get]
	total.add(s.total[set])
	return &results{cfg: r.cfg, began: r.began.UnixMilli(), end: r.began.UnixMilli() + r.end/1e6, seconds: max(float64(r.end)/1e9, 1e-6),
		interrupted: r.interrupted, errors: r.connectionErrors.Load(), series: s.seconds, clients: s.clients,
		rows: [4]row{sets: {s.total[set], s.latency[set]}, gets: {s.total[get], s.latency[get]}, waits: {latency: wholeRun()}, totals: {total, both}}}
}

func (r *results) rate(n int64) float64   { return float64(n) / r.seconds }
func (r *results) kbytes(n int64) float64 { return float64(n) / 1024 / r.seconds }

// mean is in milliseconds; of nothing it is C's -nan.
func (w *row) mean() float64 {
	if w.ops == 0 {
		return math.NaN()
	}
	return w.latency.Mean() / 1000
}

func (w *row) percentile(p float64) float64 { return float64(w.latency.ValueAtPercentile(p)) / 1000 }

// column is one of the table's: a title, a width and a cell for each row.
type column struct {
	title string
	width int
	cell  func(i int, w *row) string
}

func (r *results) columns() []column {
	fixed := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	only := func(f func(*row) string, rows ...int) func(int, *row) string {
		return func(i int, w *row) string {
			for _, x := range rows {
				if x == i {
					return f(w)
				}
			}
			return "---"
		}
	}
	latency := func(f func(*row) float64) func(int, *row) string {
		return func(i int, w *row) string {
			if i != totals && w.ops == 0 {
				return "---"
			}
			return msec(0, 5, f(w))
		}
	}
	list := []column{{"Ops/sec", 12, func(_ int, w *row) string { return fixed(r.rate(w.ops)) }}}
	if r.cfg.commands == nil {
		list = append(list,
			column{"Hits/sec", 12, only(func(w *row) string { return fixed(r.rate(w.hits)) }, gets, totals)},
			column{"Misses/sec", 12, only(func(w *row) string { return fixed(r.rate(w.misses)) }, gets, totals)})
	}
	if r.cfg.cluster {
		list = append(list,
			column{"MOVED/sec", 12, only(func(w *row) string { return fixed(r.rate(w.moved)) }, sets, gets, totals)},
			column{"ASK/sec", 12, only(func(w *row) string { return fixed(r.rate(w.ask)) }, sets, gets, totals)})
	}
	list = append(list, column{"Avg. Latency", 15, latency((*row).mean)})
	for _, p := range r.cfg.percentiles {
		title := fmt.Sprintf("p%.10g Latency", p)
		list = append(list, column{title, max(15, len(title)), latency(func(w *row) float64 { return w.percentile(p) })})
	}
	return append(list, column{"KB/sec", 12, only(func(w *row) string { return fixed(r.kbytes(w.rx + w.tx)) }, sets, gets, totals)})
}

// table writes what memtier prints at the end.
func (r *results) table(b *bytes.Buffer) {
	until, unit := uint64(r.cfg.testTime), "Seconds"
	if r.cfg.requests > 0 {
		until, unit = r.cfg.requests, "Requests per client"
	}
	fmt.Fprintf(b, "%-9d Threads\n%-9d Connections per thread\n%-9d %s\n", r.cfg.threads, r.cfg.clients, until, unit)
	list := r.columns()
	fmt.Fprintf(b, "\n\nALL STATS\n%s\n%-7s ", strings.Repeat("=", 12*(len(list)+1)), "Type")
	for _, c := range list {
		fmt.Fprintf(b, "%*s ", c.width, c.title)
	}
	b.WriteString("\n--------")
	for _, c := range list {
		b.WriteString(strings.Repeat("-", c.width+1))
	}
	for _, i := range r.shown() {
		fmt.Fprintf(b, "\n%-7s ", r.name(i))
		for _, c := range list {
			fmt.Fprintf(b, "%*s ", c.width, c.cell(i, &r.rows[i]))
		}
	}
	b.WriteString("\n")
	if r.cfg.hideHistogram {
		return
	}
	fmt.Fprintf(b, "\n\nRequest Latency Distribution\n%-6s %12s %12s\n%s\n", "Type", "<= msec   ", "Percent", strings.Repeat("-", 72))
	for i, name := range histogramNames {
		if r.cfg.commands != nil && i != gets {
			continue
		}
		for _, s := range r.rows[i].latency.CumulativeDistributionWithTicks(histogramTicks) {
			fmt.Fprintf(b, "%-6s %8.3f %12.3f\n", name, float64(s.ValueAt)/1000, s.Quantile)
		}
		if i != waits {
			b.WriteString("---\n")
		}
	}
}

// shown are the rows: all commands of --command are one.
func (r *results) shown() []int {
	if r.cfg.commands != nil {
		return []int{gets, totals}
	}
	return []int{sets, gets, waits, totals}
}

func (r *results) name(i int) string {
	if r.cfg.commands != nil && i == gets {
		return "Commands"
	}
	return rowNames[i]
}

var histogramNames = [3]string{sets: "SET", gets: "GET", waits: "WAIT"}

// histogramTicks is memtier's granularity: lines for each halving of what remains to 100 %.
const histogramTicks = 10

// histograms writes the files of --hdr-file-prefix, for each histogram the
// percentiles as text and the log that HistogramLogAnalyzer reads.
func (r *results) histograms(progress io.Writer) error {
	if r.cfg.hdrPrefix == "" {
		return nil
	}
	for _, f := range []struct {
		row         int
		name, title string
	}{{totals, "FULL_RUN_1", "Full Run"}, {gets, "GET_command_run_1", "GET"}, {sets, "SET_command_run_1", "SET"}} {
		h := r.rows[f.row].latency
		if h.TotalCount() == 0 {
			continue
		}
		name := r.cfg.hdrPrefix + "_" + f.name
		fmt.Fprintf(progress, "Writing %s command HDR latency histogram results to %s.txt...\n", f.title, name)
		var text, log bytes.Buffer
		if _, err := h.PercentilesPrint(&text, histogramTicks, 1000); err != nil {
			return fmt.Errorf("histogram %s: %w", f.title, err)
		}
		h.SetStartTimeMs(r.began)
		h.SetEndTimeMs(r.end)
		w := hdrhistogram.NewHistogramLogWriter(&log)
		for _, step := range []func() error{
			func() error { return w.OutputComment("#[" + f.title + " command HDR latency histogram results]") },
			w.OutputLogFormatVersion,
			func() error { return w.OutputStartTime(r.began) },
			w.OutputLegend,
			func() error { return w.OutputIntervalHistogram(h) },
		} {
			if err := step(); err != nil {
				return fmt.Errorf("histogram %s: %w", f.title, err)
			}
		}
		if err := os.WriteFile(name+".txt", text.Bytes(), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(name+".hgrm", log.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
