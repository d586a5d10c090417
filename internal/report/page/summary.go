package page

import (
	"fmt"
	"io"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// Summary writes a run in a few lines: what ran, its first figures, and the caller's rows.
func Summary(w io.Writer, r *report.Results, rows [][2]string) error {
	c := &r.Configuration
	values := func(row string) string { // the known ones, formatted
		var parts []string
		for _, k := range report.Figures {
			if f, ok := figure(r, k.ID); ok && k.Row == row && f.Value != nil {
				parts = append(parts, fmt.Sprintf(k.Short, amount(f.Value, f.Unit)))
			}
		}
		return strings.Join(parts, ", ")
	}
	var all [][2]string
	add := func(name, text string) { all = append(all, [2]string{name, text}) }
	if load := r.Phases.Load; load != nil {
		add("load", fmt.Sprintf("%s, %s x %s x %s, pipeline %d, %s, SET:GET %s", duration(load.Duration()), report.Quantity(c.Tasks, "task"),
			report.Quantity(c.Threads, "thread"), report.Quantity(c.Clients, "client"), c.Pipeline, report.Quantity(c.DataSize, "byte"), c.Ratio))
	}
	add("server", c.Server)
	add("generator", c.Generator)
	add("throughput", values("throughput"))
	add("latency", values("latency"))
	fmt.Fprintf(w, "Run %s\n", oneLine(r.Run))
	for _, row := range append(all, rows...) {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "  %-13s %s\n", row[0], Printable(strings.TrimSpace(row[1]))); err != nil {
			return err
		}
	}
	return nil
}
