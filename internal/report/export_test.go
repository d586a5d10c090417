package report

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// CraftedDay is a run of 100 tasks on 90 nodes over the given hours. sparse has a progress record a minute and a datapoint every five, which
// give the page as many points; otherwise it has all data of such a run: in 24 h about 1 GB of CSV and 2 GB of log.
func CraftedDay(hours int, sparse bool) Run {
	c := synthetic.Case{Minutes: 60 * hours, Tasks: 100, Nodes: 90, TaskCPU: 40, Bulk: 45}
	if sparse {
		c.Bulk, c.Every, c.Period = 0, 60, 5
	}
	return Run(c.Files())
}

// CraftedHour is an hour of 4 tasks on 3 nodes, the usual run.
func CraftedHour() Run {
	return Run(synthetic.Case{Minutes: 60, Tasks: 4, Nodes: 3, TaskCPU: 40, Bulk: 50}.Files())
}

func analyzed(t testing.TB, c synthetic.Case) *Results {
	t.Helper()
	r, err := Analyze(context.Background(), Run(c.Files()))
	require.NoError(t, err)
	for _, m := range wanted {
		require.NotContains(t, r.Verdict.Sentence+" "+r.Verdict.Next, m.name, "names of metrics are in the evidence")
	}
	return r
}
