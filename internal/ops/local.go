package ops

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// localPeriod is the period of the embedded AWS's metrics and of their export: a minute of load gives a dozen rows per metric.
const localPeriod = 5 * time.Second

func terraformLog(ws *workspace.Workspace) string {
	return filepath.Join(local.Dir(ws), "terraform.log")
}

func localMinutes(ws *workspace.Workspace) (int, error) {
	text := ws.Getenv("MINUTES")
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1440 {
		return 0, fmt.Errorf("MINUTES=%s: take a whole number from 1 to 1440", text)
	}
	return n, nil
}
