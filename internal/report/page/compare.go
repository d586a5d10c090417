package page

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// CompareHTML writes a comparison as one self-contained file.
func CompareHTML(w io.Writer, c *report.Comparison) error {
	view := comparison{c, "elasticache-perf: " + strings.Join(c.Runs, ", "), overlaid(c)}
	if err := pages.ExecuteTemplate(w, "compare.html.tmpl", view); err != nil {
		return fmt.Errorf("comparison of %s: %w", strings.Join(c.Runs, ", "), err)
	}
	return nil
}

type comparison struct {
	C      *report.Comparison
	Title  string
	Charts []*chart.Chart
}

// Repeats reports whether a group has more than one run.
func (c comparison) Repeats() bool { return len(c.C.Groups) < len(c.C.Runs) }

// Reference reports whether a run is in the group that the others are compared with.
func (c comparison) Reference(run int) bool {
	return len(c.C.Groups) > 0 && slices.Contains(c.C.Groups[0], run)
}

func (c comparison) Letters() []string { return letters(c.C) }

// Groups are the names of the groups: their runs.
func (c comparison) Groups() (names []string) {
	if len(c.C.Names) > 0 {
		return c.C.Names
	}
	for _, g := range c.C.Groups {
		var runs []string
		for _, i := range g {
			runs = append(runs, c.C.Runs[i])
		}
		names = append(names, report.Letter(len(names))+": "+strings.Join(runs, ", "))
	}
	return names
}

// chance formats p, corrected for the number of figures.
func chance(p *float64) string {
	if *p < 0.001 {
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", *p)
}

// overlaid are charts of all runs on the same axis, each from its load's start.
func overlaid(c *report.Comparison) []*chart.Chart {
	throughput := &chart.Chart{ID: "throughput", Title: "Throughput", Unit: "operations/s", X: chart.Elapsed}
	latency := &chart.Chart{ID: "latency", Title: "Mean latency of all tasks", Unit: "ms", X: chart.Elapsed}
	curves := &chart.Chart{ID: "percentiles", Title: "Latency by percentile", Unit: "ms", X: chart.Percentile, Log: true}
	for i, run := range c.Runs {
		shade := color(i)
		for _, of := range []struct {
			to   *chart.Chart
			from []*report.Series
		}{{throughput, c.Throughput}, {latency, c.MeanLatency}} {
			if i < len(of.from) && of.from[i] != nil {
				s := colored(shade, chart.Solid, line(run, of.from[i], 1))
				s.Low, s.High = nil, nil // areas over each other hide the lines
				begin := seconds(of.from[i].Start)
				for j := range s.X {
					s.X[j] -= begin
				}
				of.to.Series = append(of.to.Series, s)
			}
		}
		if i < len(c.Curves) {
			curves.Series = append(curves.Series, colored(shade, chart.Solid, curve(run, c.Curves[i])))
		}
	}
	return []*chart.Chart{throughput, latency, curves}
}

func color(i int) int { return i%chart.Colors + 1 }

// interval formats the 95 % interval of a difference in percent.
func interval(v *[2]float64) string {
	return fmt.Sprintf("95 %%: %s to %s %%", signed(v[0], decimals(abs(v[0]), 1)), signed(v[1], decimals(abs(v[1]), 1)))
}

func abs(v float64) float64 { return max(v, -v) }

// letters names each run by its group's letter, numbered if the group has several.
func letters(c *report.Comparison) []string {
	of := make([]string, len(c.Runs))
	for i, g := range c.Groups {
		for n, run := range g {
			if of[run] = report.Letter(i); len(g) > 1 {
				of[run] = fmt.Sprintf("%s%d", report.Letter(i), n+1)
			}
		}
	}
	return of
}

// judged says how significant a difference is.
func judged(c report.Compared, why string) string {
	if c.Direction == report.Reference {
		return ""
	}
	said := strings.TrimSpace(arrow(c) + " " + directions[c.Direction])
	if c.Interval != nil {
		said += ", " + interval(c.Interval)
	}
	if c.P != nil {
		said += ", " + chance(c.P)
	}
	if why != "" {
		said += ": " + why
	}
	return said
}

// CompareText writes a comparison for a terminal: groups are named by letters, and the first is the reference.
func CompareText(w io.Writer, c *report.Comparison) error {
	t := &text{}
	t.line("%d runs, each against A", len(c.Runs))
	if len(c.Groups) < len(c.Runs) {
		t.line("in %d groups of repeats", len(c.Groups))
	}
	for _, caution := range c.Unsaid() {
		t.line("%s", strings.Join(wrap("! "+caution, columns), "\n  "))
	}
	for _, answer := range c.Answers {
		t.line("\n%s", strings.Join(wrap(answer, columns), "\n"))
	}
	of := letters(c)
	for i, run := range c.Runs {
		t.line("\n%s  %s", of[i], run)
		if i < len(c.Verdicts) {
			t.line("   %s", strings.Join(wrap(c.Verdicts[i], columns-3), "\n   "))
		}
	}
	if len(c.Differences) > 0 {
		t.head("what differs")
		for _, d := range c.Differences {
			var values []string
			for i, v := range d.Values {
				values = append(values, of[i]+" "+v)
			}
			t.row(d.Setting, strings.Join(values, ", "))
		}
	}
	for _, row := range c.Figures {
		t.head(row.Label)
		var rows [][]string
		for i, cell := range row.Cells {
			rows = append(rows, []string{report.Letter(i), " " + amount(cell.Value, row.Unit), " " + change(cell, row.Unit), judged(cell, c.Reason(cell))})
		}
		t.table(rows)
	}
	if c.Method != "" {
		t.line("\n%s", strings.Join(wrap(c.Method, columns), "\n"))
	}
	_, err := io.WriteString(w, Printable(t.String()))
	return err
}
