package report

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// without is the synthetic metrics without the rows that a test drops.
func without(c synthetic.Case, drop func(line string) bool) *strings.Reader {
	var b, kept bytes.Buffer
	c.CSV(&b)
	for line := range strings.Lines(b.String()) {
		if !drop(line) {
			kept.WriteString(line)
		}
	}
	return strings.NewReader(kept.String())
}

func TestGapsAreGrouped(t *testing.T) {
	c := synthetic.Plain()
	c.Nodes = 5
	metrics := without(c, func(l string) bool {
		return strings.Contains(l, "AWS/ElastiCache") && (strings.HasPrefix(l, "2026-11-23T03:15") || // no node has that minute
			strings.HasPrefix(l, "2026-11-23T03:20") && strings.Contains(l, ",EngineCPU") && strings.Contains(l, "perf-002") ||
			strings.HasPrefix(l, "2026-11-23T03:22") && strings.Contains(l, ",NetworkBytes") && !strings.Contains(l, "perf-001"))
	})
	r, err := Analyze(context.Background(), Run{Metrics: metrics, Logs: c.Files().Logs, Manifest: c.Manifest()})
	require.NoError(t, err)
	var what []string
	for _, g := range r.Gaps {
		require.Equal(t, GapInterrupted, g.Reason)
		require.False(t, g.Expected)
		require.EqualValues(t, 60, g.Seconds)
		what = append(what, g.What)
	}
	require.Equal(t, []string{"EngineCPUUtilization, CPUUtilization, NetworkBytesIn and NetworkBytesOut of all 5 nodes", "EngineCPUUtilization of perf-002",
		"NetworkBytesIn and NetworkBytesOut of 4 nodes, perf-002 among them"}, what)
	require.Equal(t, []string{"perf-002", "perf-003", "perf-004", "perf-005"}, r.Gaps[2].Where)
	valid(t, r)
}

// A missing metric is explained only by what the files say.
func TestAbsentMetricsByReason(t *testing.T) {
	analyze := func(endpoint string, missing ...string) []Gap {
		c := synthetic.Plain()
		c.Metrics = synthetic.With(map[string]float64{"HashBasedCmds": 0, "SetBasedCmds": 7, "StringBasedCmds": 0})
		m := c.Manifest()
		m.APIEndpoint, m.Metrics = endpoint, &export.Metrics{Missing: missing}
		r, err := Analyze(context.Background(), Run{Metrics: c.Files().Metrics, Logs: c.Files().Logs, Manifest: m})
		require.NoError(t, err)
		valid(t, r)
		local := "the run was on the embedded AWS at " + endpoint + ": these are figures of the server and the machine there, not of ElastiCache"
		require.Equal(t, endpoint != "", slices.Contains(r.Warnings, local))
		require.Equal(t, endpoint != "", strings.HasPrefix(r.Cost.Note, "Nothing was billed"))
		return r.Gaps
	}
	missing := []string{"AWS/ElastiCache/HashBasedCmdsLatency", "AWS/ElastiCache/NetworkPacketsIn", "AWS/ElastiCache/NetworkPacketsOut",
		"AWS/ElastiCache/SetBasedCmdsLatency", "AWS/ElastiCache/ListBasedCmdsLatency", "AWS/ElastiCache/StringBasedCmdsLatency"}
	require.Equal(t, []Gap{
		{Reason: GapNoDatapoint, What: "4 metrics without any datapoint", Metrics: []string{"NetworkPacketsIn", "NetworkPacketsOut", "SetBasedCmdsLatency", "ListBasedCmdsLatency"}, Where: []string{}},
		{Reason: GapNoCommands, Expected: true, What: "latency of 2 kinds of commands that nobody sent", Metrics: []string{"HashBasedCmdsLatency", "StringBasedCmdsLatency"}, Where: []string{}},
	}, analyze("", missing...), "AWS publishes these: their absence is a gap")
	require.Equal(t, []Gap{
		{Reason: GapNotPublished, Expected: true, What: "1 metric not published by the embedded AWS at http://127.0.0.1:4566", Metrics: []string{"NetworkPacketsIn"}, Where: []string{}},
		{Reason: GapNoCommands, Expected: true, What: "latency of 1 kind of commands that nobody sent", Metrics: []string{"HashBasedCmdsLatency"}, Where: []string{}},
	}, analyze("http://127.0.0.1:4566", missing[:2]...))
	require.Empty(t, analyze(""))
}

func TestATaskThatWasSilent(t *testing.T) {
	c := synthetic.Plain()
	var log bytes.Buffer
	c.Log(&log)
	var kept strings.Builder
	for line := range strings.Lines(log.String()) {
		if at := line[1:20]; !(strings.Contains(line, synthetic.Task(1)) && at >= "2026-11-23T03:15:00" && at < "2026-11-23T03:15:30") {
			kept.WriteString(line)
		}
	}
	r, err := Analyze(context.Background(), Run{Metrics: c.Files().Metrics, Logs: strings.NewReader(kept.String()), Manifest: c.Manifest()})
	require.NoError(t, err)
	require.Len(t, r.Gaps, 1)
	require.Equal(t, "operations of task "+synthetic.Task(1), r.Gaps[0].What)
	require.Equal(t, GapSilent, r.Gaps[0].Reason)
	require.InDelta(t, 31, r.Gaps[0].Seconds, 1.5)
	require.WithinDuration(t, synthetic.Began.Add(5*time.Minute), *r.Gaps[0].Start, 2*time.Second)
}

func TestFilesAreHeldAgainstTheManifest(t *testing.T) {
	c := synthetic.Plain()
	run := Run(c.Files())
	run.Manifest.Objects = []export.Object{{Kind: export.KindMetrics, Key: "exports/metrics/x.csv", SHA256: "0000"}}
	r, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	require.False(t, *r.Provenance.Files[0].Verified)
	require.Contains(t, strings.Join(r.Warnings, "\n"), "do not have the checksum that the manifest gives for exports/metrics/x.csv")
	valid(t, r)
}
