package report

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func cell(t *testing.T, c *Comparison, id string) Compared {
	t.Helper()
	for _, f := range c.Figures {
		if f.ID == id {
			require.Equal(t, Reference, f.Cells[0].Direction)
			return f.Cells[1]
		}
	}
	t.Fatalf("no figure %s", id)
	return Compared{}
}

func TestCompare(t *testing.T) {
	base := crafted{minutes: 30, tasks: 4, nodes: 1, taskCPU: 40}
	faster := base
	faster.rate = func(int, int) float64 { return 11_000 }
	faster.metrics = with(map[string]float64{"EngineCPUUtilization": 60})
	faster.latency = func(int) []int64 { return []int64{200, 300, 400, 4000} }
	same := base
	same.rate = func(task, s int) float64 { return 10_000 + 600*float64((s/60)%3-1) } // minutes that differ, with the same mean

	one := base.analyze(t)
	c := Compare([]*Results{one, faster.analyze(t)})
	require.Empty(t, c.Differences)
	ops := cell(t, c, "ops_per_second")
	require.Equal(t, BetterThan, ops.Direction)
	require.InDelta(t, 10, *ops.DeltaPercent, 0.2)
	require.True(t, ops.Interval[0] > 9 && ops.Interval[1] < 11 && ops.Interval[0] < 10 && ops.Interval[1] > 9.9)
	require.Equal(t, BetterThan, cell(t, c, "latency_p99_ms").Direction, "four tasks each: their own percentiles say how much they spread")
	require.Equal(t, Higher, cell(t, c, "engine_cpu_percent").Direction)
	require.Equal(t, BetterThan, cell(t, c, "usd_per_million_ops").Direction)
	require.Equal(t, NotTested, cell(t, c, "latency_max_ms").Direction)
	asSchema(t, "comparison", c)
	back := Compare([]*Results{faster.analyze(t), one})
	require.Equal(t, WorseThan, cell(t, back, "ops_per_second").Direction)
	require.Equal(t, Lower, cell(t, back, "engine_cpu_percent").Direction, "neither better nor worse")

	require.Equal(t, WithinNoise, cell(t, Compare([]*Results{one, same.analyze(t)}), "ops_per_second").Direction)
	require.Equal(t, Compare([]*Results{one, same.analyze(t)}), Compare([]*Results{one, same.analyze(t)}), "no chance in the answer")

	other := base
	other.settings = `, "data_size": 1024`
	c = Compare([]*Results{one, other.analyze(t)})
	require.Equal(t, []Difference{{"data size", []string{"256", "1024"}}}, c.Differences)
	for _, id := range []string{"ops_per_second", "latency_p99_ms", "usd_per_million_ops"} {
		require.Equal(t, NotComparable, cell(t, c, id).Direction)
		require.Equal(t, "data size differs (256, 1024)", cell(t, c, id).Why)
	}

	more := base
	more.settings = `, "clients": 20`
	c = Compare([]*Results{one, more.analyze(t)})
	require.Equal(t, WithinNoise, cell(t, c, "ops_per_second").Direction)
	require.Equal(t, NotComparable, cell(t, c, "latency_p99_ms").Direction)
	require.Equal(t, "clients differs (10, 20)", cell(t, c, "latency_p99_ms").Why)

	run := base.run()
	run.Manifest.Membership.NodeType = "cache.m7g.xlarge"
	bigger, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	c = Compare([]*Results{one, bigger})
	require.Equal(t, "node type", c.Differences[0].Setting)
	require.Equal(t, WithinNoise, cell(t, c, "ops_per_second").Direction, "the node type is what a comparison is for")
	require.Equal(t, WorseThan, cell(t, c, "usd_total").Direction)

	short := base
	short.minutes, short.tasks = 1, 1
	c = Compare([]*Results{one, short.analyze(t)})
	require.Equal(t, NotTested, cell(t, c, "engine_cpu_percent").Direction)
	require.Contains(t, cell(t, c, "engine_cpu_percent").Why, "under 5 values")
	asSchema(t, "comparison", c)
	require.Empty(t, Compare(nil).Figures)
	asSchema(t, "comparison", Compare(nil))

	nothing, err := Analyze(context.Background(), Run{})
	require.NoError(t, err)
	c = Compare([]*Results{one, nothing, one})
	asSchema(t, "comparison", c)
	require.Equal(t, NotComparable, cell(t, c, "ops_per_second").Direction)
	require.Equal(t, "a run without a name does not have it", cell(t, c, "ops_per_second").Why)
	require.Equal(t, WithinNoise, c.Figures[0].Cells[2].Direction, "a third run is compared with the first as well")
}

// Minutes that hang together are fewer than they seem: blocks keep them together, and the interval of the same spread is wider.
func TestBlocksKnowThatMinutesHangTogether(t *testing.T) {
	of := func(rate func(minute int) float64) *Results {
		c := crafted{minutes: 120, tasks: 1, nodes: 1, taskCPU: 40, every: 5, rate: func(_, s int) float64 { return rate(s / 60) }}
		return c.analyze(t)
	}
	slow := of(func(m int) float64 { return 10_000 + 500*math.Sin(2*math.Pi*float64(m)/30) })
	fast := of(func(m int) float64 { return 10_000 + 500*math.Sin(2*math.Pi*float64(m*11%30)/30) }) // the same values, shuffled
	width := func(r *Results) float64 {
		i := cell(t, Compare([]*Results{r, r}), "ops_per_second").Interval
		return i[1] - i[0]
	}
	require.Greater(t, width(slow), 1.5*width(fast))
}
