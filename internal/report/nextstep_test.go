package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// The next step follows from what was seen: no step that the same page says does not help.
func TestNextStep(t *testing.T) {
	of := func(change func(*synthetic.Case)) Verdict {
		c := synthetic.Plain()
		change(&c)
		return analyzed(t, c).Verdict
	}
	skewed := func(other float64) string {
		return of(func(c *synthetic.Case) {
			c.Nodes, c.Sharded = 3, true
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[bool]float64{true: 96, false: other}[n == 1] }}
		}).Next
	}
	require.Equal(t, "Spread the work over more keys: one shard has most of it, and more shards do not help.", skewed(48))
	require.Contains(t, skewed(48.1), "Add shards")

	limited := func(each int) Verdict {
		return of(func(c *synthetic.Case) {
			c.Settings = map[int]string{500: `, "rate_limit": 500`, 520: `, "rate_limit": 520`}[each] // of 40 connections that do 20,000 ops/s
		})
	}
	require.Equal(t, []string{"load_generator"}, limited(500).Limits)
	require.Equal(t, "Raise the rate limit.", limited(500).Next)
	require.Empty(t, limited(520).Limits)
	require.Equal(t, "Raise clients or pipeline; where that changes nothing, add tasks.", limited(520).Next, "a limit that is not reached is not what holds the load")

	dies := of(func(c *synthetic.Case) { c.Dies = map[int]int{1: 600} })
	require.Equal(t, "Give the tasks more memory, and repeat the run.", dies.Next)
	require.Contains(t, of(func(c *synthetic.Case) {
		c.Dies = map[int]int{1: 600}
		c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 95})
	}).Next, "Add shards", "the limit of the cache comes first")
}

// A node without CPU credits is held at its baseline: its engine CPU is no share of what it could do.
func TestNoCapacityWithoutCredits(t *testing.T) {
	balance := func(credits float64) Capacity {
		c := synthetic.Plain()
		c.NodeType = "cache.t4g.small"
		c.Metrics = synthetic.With(map[string]float64{"CPUCreditBalance": credits, "EngineCPUUtilization": 20})
		return analyzed(t, c).Capacity
	}
	require.NotNil(t, balance(1.1).EngineOpsPerSecond)
	dry := balance(1)
	require.Nil(t, dry.EngineOpsPerSecond)
	require.Empty(t, dry.First)
	require.Equal(t, "The CPU credits ran dry: what the node does without them is all that it sustains, and nothing is extrapolated.", dry.Sentence)
}
