//go:build browser

package dashboardpage

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
)

func TestInTheBrowser(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /_localaws/dashboard/{name...}", Handler(module(t)))
	server := httptest.NewServer(mux)
	defer server.Close()
	charttest.Check(t, server.URL+"/_localaws/dashboard/?last=15m", "dashboard")
}
