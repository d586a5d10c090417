//go:build browser

package page

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// The README's picture is of a node whose burst bandwidth ends after 24 minutes. -update writes it to docs/report.png.
func TestPictureInTheBrowser(t *testing.T) {
	const ends = 24
	rate := func(m int) float64 { return map[bool]float64{true: 60_000, false: 21_000}[m < ends] }
	of := func(share float64) func(int, int) float64 {
		return func(_, m int) float64 { return share * rate(m) * (1 + 0.004*float64(m*7%5-2)) } // no two minutes are alike
	}
	c := synthetic.Case{Minutes: 60, Tasks: 2, Nodes: 1, TaskCPU: 46, Rate: func(_, s int) float64 { return rate(s/60) / 2 }}
	const bytesOfOne = 0.985 * synthetic.Baseline / 21_000
	c.Metrics = map[string]func(int, int) float64{
		"NetworkBytesOut": of(60 * bytesOfOne), "NetworkMaxBytesOut": of(1.03 * bytesOfOne), "NetworkBytesIn": of(6 * bytesOfOne), "NetworkMaxBytesIn": of(0.11 * bytesOfOne),
		"ProcessedCommands": of(60), "GetTypeCmds": of(60. * 10 / 11), "SetTypeCmds": of(60. / 11), "CacheHits": of(60. * 8 / 11), "CacheMisses": of(60. * 2 / 11), "EngineCPUUtilization": of(70. / 60_000),
		"NetworkBandwidthOutAllowanceExceeded": func(_, m int) float64 { return map[bool]float64{false: 40_000}[m < ends] },
	}
	c.Latency = func(int) []int64 { return []int64{300, 310, 320, 330, 350, 380, 400, 420, 500, 900} }
	r, err := report.Analyze(t.Context(), report.Run(c.Files()))
	require.NoError(t, err)
	var html bytes.Buffer
	require.NoError(t, HTML(&html, r))
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, html.Bytes(), 0o644))
	png := charttest.Picture(t, "file://"+file, 1000, 1018)
	require.Greater(t, len(png), 10_000)
	if *update {
		require.NoError(t, os.WriteFile("../../../docs/report.png", png, 0o644))
	}
}
