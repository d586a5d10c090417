//go:build browser

package test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
)

// The dashboard of a run that is under way, as `mage local:up` shows it: what Terraform put there, with the metrics of real processes.
func TestLiveDashboardInTheBrowser(t *testing.T) {
	if onAWS() {
		t.Skip("the console shows it there")
	}
	charttest.Chromium(t)
	w := newWorld(t)
	s := newStack(t, w, ".", map[string]any{"test_duration_minutes": 5}) // which nobody waits for
	s.apply(t)
	s.waitLoad(t)
	time.Sleep(40 * time.Second) // eight periods of metrics
	url := w.local.DashboardURL() + s.name + "?last=5m"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	var empty []string
	for _, figure := range strings.Split(string(page), "<figure ")[1:] {
		if strings.Contains(figure, `class="nodata"`) {
			title, _, _ := strings.Cut(figure[strings.Index(figure, "<figcaption>")+len("<figcaption>"):], " <span")
			empty = append(empty, title)
		}
	}
	require.Equal(t, []string{"Latency of successful reads, inside the cache", "Latency of successful writes, inside the cache",
		"Packets over the network allowances, all nodes", "CPU credits"}, empty, "what a local process cannot give, and nothing else")
	require.Contains(t, string(page), s.output(t, "run"), "the header")
	require.Contains(t, string(page), s.output(t, "stop_by"), "the header")
	charttest.Check(t, url, "dashboard-live")
}
