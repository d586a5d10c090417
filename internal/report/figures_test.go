package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// The headline has only figures of the table, in its order, each once.
func TestFiguresAreOneList(t *testing.T) {
	at := map[string]int{}
	for i, k := range Figures {
		require.NotContains(t, at, k.ID)
		at[k.ID] = i
		require.Equal(t, k.Row == "", k.Short == "", k.ID)
	}
	last := -1
	for _, f := range analyzed(t, synthetic.Plain()).Headline {
		i, is := at[f.ID]
		require.True(t, is, f.ID)
		require.Greater(t, i, last, f.ID)
		require.Equal(t, Figures[i].Label, f.Label)
		require.True(t, f.Value != nil || f.Note != "", "%s: what is not there has a reason", f.ID)
		last = i
	}
}

// 20,000 operations/s with engine threads at 40 % are 45,000 at 90 %.
func TestCapacityIsExtrapolated(t *testing.T) {
	of := func(cpu, out float64) Capacity {
		c := synthetic.Plain()
		c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": cpu, "NetworkBytesOut": out * synthetic.Baseline * 60, "NetworkBytesIn": 0})
		return analyzed(t, c).Capacity
	}
	cpu, net := of(40, 0.44), of(40, 0.45)
	require.InEpsilon(t, 45_000, *cpu.EngineOpsPerSecond, 0.001)
	require.InEpsilon(t, 20_000/0.44, *cpu.BaselineOpsPerSecond, 0.001)
	require.Equal(t, "engine_cpu", cpu.First)
	require.Equal(t, "About 45,000 ops/s with the engine thread at 90 %, which comes first; the baseline bandwidth carries about 45,500 ops/s, extrapolated in a straight line from 20,000 ops/s.", cpu.Sentence)
	require.Equal(t, "bandwidth", net.First)
	require.Contains(t, net.Sentence, "About 44,500 ops/s by the baseline bandwidth, which comes first")
	require.Nil(t, of(4.9, 0.5).EngineOpsPerSecond, "a straight line from nearly nothing")
	require.NotNil(t, of(5, 0.5).EngineOpsPerSecond)
	require.Empty(t, of(4.9, 0.049).First)
}

// Cache and test have separate prices; the cost of a million operations counts those of all tasks that are paid for.
func TestCostIsSplit(t *testing.T) {
	c := synthetic.Plain()
	r := analyzed(t, c)
	require.InDelta(t, 2*0.1264, *r.Cost.CacheUSDPerHour, 1e-9)
	require.InDelta(t, 730*2*0.1264, *r.Cost.CacheUSDPerMonth, 1e-6)
	require.InEpsilon(t, 2*0.1264/(20_000*3600)*1e6, *r.Cost.CacheUSDPerMillion, 0.001)
	require.InDelta(t, *r.Cost.TotalUSD-*r.Cost.Items[0].USD, *r.Cost.TestUSD, 1e-9)

	c.Dies = map[int]int{1: 600}
	died := analyzed(t, c)
	require.InEpsilon(t, *died.Cost.TotalUSD/float64(died.Client.Operations)*1e6, *died.Cost.USDPerMillionOps, 1e-9, "the task that died is in both")
}

func TestTimeAboveALatency(t *testing.T) {
	c := synthetic.Plain()
	c.Latency = func(int) []int64 { return []int64{999, 1002, 5010, 10_020} }
	r := analyzed(t, c)
	require.InDelta(t, 75, *r.figure("over_1_ms_percent"), 0.1)
	require.InDelta(t, 50, *r.figure("over_5_ms_percent"), 0.1)
	require.InDelta(t, 25, *r.figure("over_10_ms_percent"), 0.1)
}
