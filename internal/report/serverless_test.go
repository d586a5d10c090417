package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// A serverless cache has no nodes, CPU or bandwidth: the report uses the metrics that it has, and says what is missing.
func TestServerless(t *testing.T) {
	run := func(values map[string]float64, limits string) synthetic.Case {
		c := synthetic.Case{Minutes: 20, Tasks: 2, Nodes: 1, TaskCPU: 40, Serverless: limits, Metrics: synthetic.With(map[string]float64{"TotalCmdsCount": 1_200_000, "ElastiCacheProcessingUnits": 1_500_000, "ThrottledCmds": 0})}
		for name, v := range synthetic.With(values) {
			c.Metrics[name] = v
		}
		return c
	}
	r := analyzed(t, run(nil, `{"max_ecpu_per_second": 100000}`))
	require.Equal(t, NotLimited, r.Verdict.Outcome, r.Verdict.Sentence)
	require.Equal(t, "perf", r.Configuration.ServerlessCache)
	require.Zero(t, r.Configuration.Nodes)
	require.Equal(t, "us-east-1", r.Configuration.Region)
	require.Len(t, r.Nodes, 1)
	require.InDelta(t, 20_000, *r.Nodes[0].CommandsPerSecond, 1)
	require.InDelta(t, 25_000, r.Server.ECPUs.Values[len(r.Server.ECPUs.Values)/2], 1)
	require.InDelta(t, 90, *r.Nodes[0].HitPercent, 0.1)
	require.Nil(t, r.Network.BaselineBytesPerSecond)
	require.Contains(t, r.Network.Summary, "AWS documents no bandwidth of a serverless cache")
	require.NotNil(t, r.Network.Out)
	require.Empty(t, r.Network.Allowances)
	for _, f := range r.Verdict.Findings {
		switch f.ID {
		case "latency_modes":
			require.Equal(t, Noted, f.State, "the percentiles of a synthetic run are far apart")
		case "throttling", "load_generator", "memory":
			require.Equal(t, Quiet, f.State, f.ID)
		default:
			require.Equal(t, NotApplicable, f.State, f.ID)
		}
	}
	for _, w := range r.Warnings {
		require.NotContains(t, w, "do not show whether")
	}
	require.Contains(t, r.Lacking, Lack{"cpu", "a serverless cache shows no CPU"})
	valid(t, r)

	// 20 minutes of 1.5 million ECPUs at $0.0023 a million; 1 GiB at $0.084 a GB-hour from the run's start to the manifest.
	require.Equal(t, []string{"million ECPUs", "GB-hours", "vCPU-hours", "GB-hours"}, []string{r.Cost.Items[0].Unit, r.Cost.Items[1].Unit, r.Cost.Items[2].Unit, r.Cost.Items[3].Unit})
	require.InDelta(t, 30*0.0023, *r.Cost.Items[0].USD, 1e-9)
	require.InDelta(t, 1.073741824*40.0/60*0.084, *r.Cost.Items[1].USD, 1e-6)
	require.NotNil(t, r.Cost.TotalUSD)
	require.Contains(t, r.Cost.Note, "third party")
	require.Contains(t, r.Cost.Items[0].Source, "usage.ai")

	small := analyzed(t, run(map[string]float64{"BytesUsedForCache": 1e6}, "{}"))
	require.InDelta(t, 0.1*40.0/60, *small.Cost.Items[1].Quantity, 1e-9, "AWS meters 100 MB of valkey at least")

	for name, c := range map[string]struct {
		values map[string]float64
		limits string
		says   string
	}{
		"the maximum":         {map[string]float64{"ThrottledCmds": 5}, `{"max_ecpu_per_second": 25000}`, "Limited by throttling (commands throttled in 100 % of the minutes on perf, 25,000 ECPU/s of the maximum of 25,000 that was set)"},
		"scales too slowly":   {map[string]float64{"ThrottledCmds": 5}, `{"max_ecpu_per_second": 100000}`, "below the maximum of 100,000: the load grew faster than the cache scaled"},
		"no maximum":          {map[string]float64{"ThrottledCmds": 5}, `{}`, "no maximum known"},
		"the storage maximum": {map[string]float64{"Evictions": 6000}, `{}`, "Limited by memory and evictions (evictions in 100 % of the minutes, 100 keys/s)"},
	} {
		r := analyzed(t, run(c.values, c.limits))
		require.Equal(t, Limited, r.Verdict.Outcome, name)
		require.Contains(t, r.Verdict.Sentence, c.says, name)
	}

	unseen := run(nil, "{}")
	unseen.Metrics["ThrottledCmds"], unseen.Metrics["ElastiCacheProcessingUnits"] = nil, nil
	r = analyzed(t, unseen)
	require.Equal(t, CannotTell, r.Verdict.Outcome)
	require.Contains(t, r.Verdict.Sentence, "the count of throttled commands is missing")
	require.Nil(t, r.Cost.TotalUSD)
	require.True(t, strings.Contains(strings.Join(r.Cost.Missing, "\n"), "amount of ElastiCache Serverless, valkey, requests: ElastiCacheProcessingUnits is not in the metrics"), "%q", r.Cost.Missing)
	valid(t, r)
}
