package test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// chartLine is a line of a chart on the dashboard's page: value i is at X[i] or, if they are evenly spaced, at From + i x Step.
type chartLine struct {
	Name       string
	From, Step float64
	X          []float64
	Y          []*float64
}

// within is the mean of the values in a window.
func (d chartLine) within(from, to time.Time) float64 {
	sum, n := 0., 0.
	for i, y := range d.Y {
		at := d.From + float64(i)*d.Step
		if len(d.X) > 0 {
			at = d.X[i]
		}
		if y != nil && !math.IsNaN(*y) && at >= float64(from.Unix()) && at+d.Step <= float64(to.Unix()) {
			sum, n = sum+*y, n+1
		}
	}
	return sum / max(1, n)
}

// dashboardLines returns the lines of a chart on the stack's dashboard, from the page of the embedded AWS.
func (s *stack) dashboardLines(t *testing.T, title string) []chartLine {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.local.DashboardURL()+s.name+"-"+s.Region+"?last=1h", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	_, figure, found := strings.Cut(string(page), "<figcaption>"+html.EscapeString(title))
	require.True(t, found, "the dashboard has no chart %q", title)
	figure, _, _ = strings.Cut(figure, "</figure>")
	_, text, found := strings.Cut(figure, `<script type="application/json">`)
	require.True(t, found, "the chart %q has no data", title)
	text, _, _ = strings.Cut(text, "</script>")
	var c struct{ Series []chartLine }
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	return c.Series
}

// assertReportAgrees compares the report of a finished run with memtier's own figures, the known number of keys, and the dashboard. Report and dashboard
// count each operation and key once, whatever the number of replicas, and no data is missing.
func (s *stack) assertReportAgrees(t *testing.T, m export.Manifest, keys int) {
	t.Helper()
	text := s.object(t, "exports/logs/"+m.Run+".txt")
	r, err := report.Analyze(t.Context(), report.Run{Metrics: bytes.NewReader(s.object(t, "exports/metrics/"+m.Run+".csv")), Logs: bytes.NewReader(text), Manifest: &m})
	require.NoError(t, err)
	for _, g := range r.Gaps {
		require.True(t, g.Expected, "%s: %s %v", g.Reason, g.What, g.Metrics)
	}
	log, err := report.ParseLog(bytes.NewReader(text))
	require.NoError(t, err)
	printed, lineOf := 0., func(of *report.Series) chartLine {
		d := chartLine{From: float64(of.Start.Unix()), Step: float64(of.StepSeconds)}
		for _, v := range of.Values {
			d.Y = append(d.Y, &v)
		}
		return d
	}
	for _, task := range log.Tasks {
		printed += task.Totals.OpsPerSecond
	}
	period := time.Duration(m.Metrics.PeriodSeconds) * time.Second
	from, to := r.Phases.Load.Start.Add(period), r.Phases.Load.End.Add(-period) // whole periods of load
	reported := lineOf(r.Server.Commands).within(from, to)
	commands, items := s.dashboardLines(t, "Commands, each counted once"), s.dashboardLines(t, "Keys, each counted once")
	require.Len(t, commands, 2)
	shown := commands[0].within(from, to) + commands[1].within(from, to)
	t.Logf("operations a second: %.0f by memtier, %.0f in the report, %.0f on the dashboard", printed, reported, shown)
	require.InEpsilon(t, printed, reported, 0.2, "the report's commands") // on a busy machine the start and end of a short load are uneven
	require.InEpsilon(t, reported, shown, 0.1, "the dashboard's commands")
	require.InDelta(t, keys, lineOf(r.Server.Items).within(from, to), 0.5, "the report's keys")
	require.InDelta(t, keys, items[0].within(from, to), 0.5, "the dashboard's keys")
}
