package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// A mean over a minute that the load covers in part is used nowhere: not in the verdict, in the table of rules or as a figure.
func TestPartsOfMinutesAreNoFigures(t *testing.T) {
	c := synthetic.Plain()
	c.Minutes, c.Tasks = 2, 1
	c.Begins, c.Dies = map[int]int{0: 30}, map[int]int{0: 90}
	c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 95, "NetworkBytesOut": 60 * 0.5 * 3 * synthetic.Baseline})
	r := analyzed(t, c)
	require.Equal(t, CannotTell, r.Verdict.Outcome)
	for _, f := range r.Verdict.Findings {
		if f.ID == "engine_cpu" || f.ID == "host_cpu" || f.ID == "load_generator" {
			require.Equal(t, NoData, f.State, f.ID)
			require.Equal(t, "no whole minute of metrics lies in the load", f.Evidence)
		}
	}
	require.Empty(t, r.Verdict.Segments[0].Limits)
	require.Nil(t, r.figure("engine_cpu_percent"))
	require.NotNil(t, r.figure("node_bytes_out_per_second"), "what was counted is a rate over the part with load")
	require.NotNil(t, r.figure("ops_per_second"))
	valid(t, r)
}

// A counter above 0 in less than half of the minutes decides nothing, but is reported.
func TestCountersInSomeMinutesAreSaid(t *testing.T) {
	c := synthetic.Plain()
	throttles(9)(&c)
	v := analyzed(t, c).Verdict
	require.Equal(t, NotLimited, v.Outcome)
	require.Contains(t, v.Sentence, "Below the threshold: commands throttled in 45 % of the minutes, with 20,000 ops/s in those minutes and 20,000 in the others.")

	c = synthetic.Plain()
	c.Rate = func(_, s int) float64 { return map[bool]float64{true: 8_000, false: 10_000}[s/60*7%20 < 9] }
	half("NetworkPacketsPerSecondAllowanceExceeded", 9, 3e6)(&c)
	require.Contains(t, analyzed(t, c).Verdict.Sentence, "Below the threshold: packets queued or dropped in 45 % of the minutes, with 16,000 ops/s in those minutes and 20,000 in the others.")

	c = synthetic.Plain()
	half("NetworkBandwidthOutAllowanceExceeded", 9, 3e6)(&c)
	require.Contains(t, analyzed(t, c).Verdict.Sentence, "Below the threshold: packets queued in 45 % of the minutes, with 20,000 ops/s in those minutes and 20,000 in the others.")
}

// A limit that held in more than one segment is reported for all of them.
func TestALimitThatHoldsOn(t *testing.T) {
	c := synthetic.Plain()
	c.Dies = map[int]int{1: 600}
	c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 95})
	require.Contains(t, analyzed(t, c).Verdict.Sentence, "from 03:10:00 to 03:20:00 (minutes 0 to 10 of the load), and after it, too.")
	c.Metrics["EngineCPUUtilization"] = func(_, m int) float64 { return map[bool]float64{true: 95, false: 89}[m < 10] }
	require.NotContains(t, analyzed(t, c).Verdict.Sentence, "too.")
}

// A load that used burst bandwidth to its end did not show what the node sustains: the first page says so.
func TestBurstToTheEndIsAWarning(t *testing.T) {
	carries := func(share float64) *Results {
		c := synthetic.Plain()
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * share * synthetic.Baseline})
		return analyzed(t, c)
	}
	const said = "the nodes' traffic was above their baseline bandwidth until the load ended: no figure shows what they sustain; run longer"
	require.Contains(t, carries(1.11).Warnings, said)
	require.NotContains(t, carries(1.09).Warnings, said)
}

// A load that stops before its end has an outage.
func TestNoOperationUntilTheEnd(t *testing.T) {
	c := synthetic.Plain()
	c.Rate = func(_, s int) float64 { return map[bool]float64{true: 10_000, false: 0}[s < 18*60] }
	require.Regexp(t, `^No operation for 120 s from 03:28:00\.`, analyzed(t, c).Verdict.Sentence)
	c.Rate = func(_, s int) float64 { return map[bool]float64{true: 10_000, false: 0}[s < 20*60-3] }
	require.NotContains(t, analyzed(t, c).Verdict.Sentence, "No operation")
}
