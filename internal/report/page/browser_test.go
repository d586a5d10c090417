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
)

func TestInTheBrowser(t *testing.T) {
	var comparison bytes.Buffer
	require.NoError(t, CompareHTML(&comparison, compared()))
	day := func() *report.Results { return burst(24*60, 60, 100, 90) }
	for name, text := range map[string]string{"report": render(t, burst(30, 10, 4, 2)), "report-idle": render(t, idle()), "report-day": render(t, day()), "compare": comparison.String()} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.html")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			charttest.Check(t, "file://"+file, name)
		})
	}
}
