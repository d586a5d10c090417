//go:build browser

package test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
)

// The dashboard of a live run, as `mage local:up` shows it: Terraform's dashboard with the metrics of real processes.
func TestLiveDashboardInTheBrowser(t *testing.T) {
	if onAWS() {
		t.Skip("the console shows it there")
	}
	charttest.Chromium(t)
	w := newEnvironment(t)
	s := newStack(t, w, ".", nil)
	s.apply(t)
	url := w.local.DashboardURL() + s.name + "-" + s.Region + "?last=5m"
	// Only the graphs of metrics that a local process cannot have stay empty.
	never := []string{"Packets over network allowances", "Traffic management", "CPU credits"}
	var page string
	eventually(t, "values in every graph", func(ctx context.Context) (bool, any, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, nil, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil, err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		page = string(text)
		return slices.Equal(empty(page), never), empty(page), err
	})
	s.waitForDatapoints(t, 5) // enough points for lines instead of dots
	require.Contains(t, page, s.output(t, "run"), "the header")
	require.Contains(t, page, s.output(t, "stop_by"), "the header")
	charttest.Check(t, url, "dashboard-live")
}

// empty returns the titles of the graphs without a value.
func empty(page string) (titles []string) {
	for _, figure := range strings.Split(page, "<figure ")[1:] {
		if strings.Contains(figure, `class="nodata"`) {
			_, title, _ := strings.Cut(figure, "<figcaption>")
			title, _, _ = strings.Cut(title, "</figcaption>")
			title, _, _ = strings.Cut(title, " <span")
			titles = append(titles, title)
		}
	}
	return titles
}
