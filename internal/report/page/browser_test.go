//go:build browser

package page

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

func TestInTheBrowser(t *testing.T) {
	var comparison bytes.Buffer
	require.NoError(t, CompareHTML(&comparison, compared()))
	campaign := func(variants ...string) string {
		var b bytes.Buffer
		a, _ := campaigned(variants...)
		require.NoError(t, CampaignHTML(&b, a, [][2]string{{"order", "random, seed 7"}}))
		return b.String()
	}
	ten := strings.Fields("r7g-large r8g-large r7g-xlarge r8g-xlarge m7g-large m8g-large redis-no-tls redis-tls valkey-no-tls valkey-tls-with-a-long-name")
	day := func() *report.Results { return burst(24*60, 60, 100, 90) }
	for name, text := range map[string]string{"report": render(t, burst(30, 10, 4, 2)), "report-idle": render(t, idle()), "report-day": render(t, day()), "compare": comparison.String(),
		"campaign": campaign("r7g", "r8g", "m7g", "m8g", "c7gn"), "campaign-ten": campaign(ten...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "report.html")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			charttest.Check(t, "file://"+file, name)
		})
	}
}
