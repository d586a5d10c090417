package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// Every criterion for bandwidth, just below and just above its threshold, in both directions.
func TestEachWayOfJudgingBandwidth(t *testing.T) {
	for _, d := range []string{"Out", "In"} {
		bytes, exceeded := "NetworkBytes"+d, "NetworkBandwidth"+d+"AllowanceExceeded"
		sent := func(share, packets float64) func(*synthetic.Case) {
			return func(c *synthetic.Case) {
				c.Metrics = synthetic.With(map[string]float64{bytes: 60 * share * synthetic.Baseline, exceeded: packets})
			}
		}
		steady := func(share float64) func(*synthetic.Case) { // a burst of 10 minutes, then a share of the baseline
			return func(c *synthetic.Case) {
				c.Minutes = 40
				c.Rate = paced(600, 30_000, 8_000)
				c.Metrics = map[string]func(int, int) float64{bytes: stepAt(10, 60*3*synthetic.Baseline, 60*share*synthetic.Baseline)}
			}
		}
		queued := func(minutes int) func(*synthetic.Case) { return half(exceeded, minutes) }
		alone := func(minutes int) func(*synthetic.Case) { // the counter, without the traffic
			return func(c *synthetic.Case) {
				queued(minutes)(c)
				c.Metrics[bytes] = nil
			}
		}
		noBurst := func(share float64) func(*synthetic.Case) { // a node type with a single bandwidth
			return func(c *synthetic.Case) {
				c.NodeType = "cache.r5.24xlarge"
				c.Metrics = synthetic.With(map[string]float64{bytes: 60 * share * 25e9 / 8})
			}
		}
		for what, of := range map[string]struct {
			under, over func(*synthetic.Case)
			says        string
		}{
			"of the baseline after the burst":     {steady(0.899), steady(0.901), "perf-001 at 90 % of 937 Mbit/s, 2 of 2 nodes, 7 % of the burst of 12.5 Gbit/s"},
			"of a bandwidth that is no burst":     {noBurst(0.899), noBurst(0.901), "perf-001 at 90 % of 25 Gbit/s, 2 of 2 nodes)"},
			"queued at the baseline, packets":     {sent(0.95, 119), sent(0.95, 120), "perf-001 at 95 % of 937 Mbit/s"},
			"queued in half of the minutes":       {queued(9), queued(10), "packets queued in 50 % of the minutes"},
			"queued, without the traffic's bytes": {alone(9), alone(10), "packets queued in 50 % of the minutes"},
		} {
			for i, change := range []func(*synthetic.Case){of.under, of.over} {
				c := synthetic.Plain()
				change(&c)
				v := analyzed(t, c).Verdict
				require.Equal(t, i == 1, slices.Contains(v.Limits, "bandwidth_"+strings.ToLower(d)), "%s %s: %s", d, what, v.Sentence)
				if i == 1 {
					require.Contains(t, v.Sentence, of.says, "%s %s", d, what)
				}
			}
		}
		// A node whose packets are queued is limited whatever it sends; between 80 and 110 % of its baseline it is limited by the baseline, without a burst.
		for share, is := range map[float64]bool{0.79: false, 0.81: true, 1.09: true, 1.11: false} {
			c := synthetic.Plain()
			sent(share, 120)(&c)
			v := analyzed(t, c).Verdict
			require.Equal(t, []string{"bandwidth_" + strings.ToLower(d)}, v.Limits)
			require.Equal(t, is, strings.Contains(v.Sentence, "% of the burst of 12.5 Gbit/s"), "%v: %s", share, v.Sentence)
			require.Equal(t, !is, strings.Contains(v.Sentence, "% of the baseline of 937 Mbit/s"), "%v: %s", share, v.Sentence)
		}
	}
}

// A serverless cache that throttles at 90 % or more of its configured maximum is limited by the maximum; below it, or without a known maximum,
// it scaled too slowly.
func TestEachWayOfJudgingThrottling(t *testing.T) {
	of := func(limits string, minutes int, used float64) Verdict {
		c := synthetic.Plain()
		throttles(minutes)(&c)
		if c.Serverless = limits; used > 0 {
			c.Metrics["ElastiCacheProcessingUnits"] = func(int, int) float64 { return used }
		}
		return analyzed(t, c).Verdict
	}
	const set = `{"max_ecpu_per_second": 20000}`
	slower := "Ramp the load up more slowly, or set a minimum of ECPUs, so that the cache is scaled up before the load."
	raise := "Raise the maximum of ECPUs, or ramp the load up more slowly."
	for _, test := range []struct {
		limits     string
		used       float64
		says, next string
	}{
		{set, 60 * 18_000, "18,000 ECPU/s of the maximum of 20,000 that was set", raise},
		{set, 60 * 17_900, "17,900 ECPU/s, below the maximum of 20,000: the load grew faster than the cache scaled", slower},
		{"{}", 60 * 18_000, "18,000 ECPU/s, no maximum known: the load grew faster than the cache scaled", slower},
		{set, 0, "commands throttled in 50 % of the minutes", raise}, // the metrics do not have what was used
	} {
		v := of(test.limits, 10, test.used)
		require.Equal(t, []string{"throttling"}, v.Limits)
		require.Contains(t, v.Sentence, test.says)
		require.Equal(t, test.next, v.Next)
		require.Equal(t, NotLimited, of(test.limits, 9, test.used).Outcome)
	}
}
