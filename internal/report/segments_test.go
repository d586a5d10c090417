package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// stepAt is a value that changes once, at a minute.
func stepAt(minute int, before, after float64) func(int, int) float64 {
	return func(_, m int) float64 { return map[bool]float64{true: before, false: after}[m < minute] }
}

// paced is a task's rate that changes once, at a second of the load.
func paced(second int, before, after float64) func(int, int) float64 {
	return stepAt(second, before, after)
}

// A burst is judged by the burst bandwidth, whatever its length and whatever followed.
func TestABurstIsJudgedByItsOwnBandwidth(t *testing.T) {
	for _, ends := range []int{3, 10, 17} {
		c := synthetic.Plain()
		c.Rate = paced(60*ends, 30_000, 8_000)
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesIn": stepAt(ends, 60*4*synthetic.Baseline, 60*0.97*synthetic.Baseline)}
		v := analyzed(t, c).Verdict
		require.Contains(t, v.Sentence, "Limited by bandwidth in (perf-001 at 97 % of 937 Mbit/s", "burst of %d minutes", ends)
		require.Empty(t, v.Segments[0].Limits)
		require.Equal(t, []string{"bandwidth_in"}, v.Segments[1].Limits)
		require.Equal(t, synthetic.Began.Add(time.Duration(ends)*time.Minute), v.Window.Start)
	}
}

// Nodes whose bursts end at different times make several states.
func TestBurstsThatEndApart(t *testing.T) {
	apart := func(second int) *Results {
		c := synthetic.Plain()
		c.Minutes, c.Sharded = 60, true
		ends := []int{15, second}
		c.Rate = func(_, s int) float64 {
			rate := 10_000.0
			for _, end := range ends {
				if s < 60*end {
					rate += 10_000
				}
			}
			return rate
		}
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(n, m int) float64 {
			return stepAt(ends[n], 60*3*synthetic.Baseline, 60*0.98*synthetic.Baseline)(n, m)
		}}
		return analyzed(t, c)
	}
	r := apart(30)
	require.Regexp(t, `^60,000 ops/s until the burst bandwidth of a node ended at 03:25:00 \(minute 15 of the load\), then 40,000 ops/s until the burst bandwidth ended at 03:40:00 \(minute 30 of the load\), then 20,000 ops/s\.`, r.Verdict.Sentence)
	require.InDelta(t, 60_000, *r.figure("ops_per_second_burst"), 300, "before the first one ended")
	valid(t, r)
	require.Len(t, apart(17).Verdict.Segments, 2, "two minutes are no state")
	require.Len(t, apart(18).Verdict.Segments, 3)
}

// A drift has no time of change.
func TestADriftIsNotCut(t *testing.T) {
	c := synthetic.Case{Minutes: 12 * 60, Tasks: 1, Nodes: 1, TaskCPU: 40, Every: 10}
	c.Rate = func(_, s int) float64 { return 10_000 * (1 - 0.3*float64(s)/(12*3600)) }
	r := analyzed(t, c)
	require.Len(t, r.Verdict.Segments, 1)
	require.Equal(t, Drifting, r.Phases.Steady.Phase)
	require.Contains(t, r.Verdict.Sentence, "Throughput drifted from 10,000 to 7,000 ops/s in that time.")
}

// A rise over minutes is reported as one, with its start and end, wherever it is; the steady time is before or after it.
func TestARampIsToldAsOne(t *testing.T) {
	of := func(from, minutes int, before, after float64) *Results {
		c := synthetic.Plain()
		c.Minutes = 40
		c.Rate = func(_, s int) float64 {
			return before + (after-before)*min(1, max(0, float64(s-60*from)/float64(max(1, 60*minutes))))
		}
		share := func(m int) float64 { return c.Rate(0, 60*m+30) / 10_000 }
		c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(_, m int) float64 { return 60 * share(m) }}
		r := analyzed(t, c)
		valid(t, r)
		return r
	}
	r := of(0, 10, 1_000, 10_000)
	require.Equal(t, []string{Ramp, Steady}, phaseNames(r))
	require.Regexp(t, `^Steadily up from [12],\d\d0 to (19|20),\d00 ops/s over 10 minutes, until 03:20:00 \(minute 10 of the load\), then 20,000 ops/s\. Not limited`, r.Verdict.Sentence)
	require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.01)
	r = of(15, 20, 10_000, 5_000)
	require.Equal(t, []string{Steady, Ramp, Changed}, phaseNames(r))
	require.Regexp(t, `^20,000 ops/s until 03:25:00 \(minute 15 of the load\), then steadily down from (19|20),\d00 to (10,\d00|9,\d\d0) ops/s over (20|21) minutes, until 03:4[56]:00 .*, then (10,\d00|9,\d\d0) ops/s\.`, r.Verdict.Sentence)
	require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.01)
	require.Equal(t, []string{Steady, Changed}, phaseNames(of(28, 0, 10_000, 5_000)), "a step")
	require.Equal(t, []string{Drifting}, phaseNames(of(0, 40, 5_000, 10_000)), "all of it")
	r = of(20, 20, 10_000, 5_000)
	require.Equal(t, []string{Steady, Ramp}, phaseNames(r))
	require.Regexp(t, `, then steadily down from (19|20),\d00 to (10,\d00|9,\d\d0) ops/s over \d+ minutes\. `, r.Verdict.Sentence)
}

// More changes than a reader can follow are only counted.
func TestManyChangesAreCounted(t *testing.T) {
	saws := func(minutes int) string {
		c := synthetic.Plain()
		c.Minutes = minutes
		c.Rate = func(_, s int) float64 { return map[bool]float64{true: 10_000, false: 7_000}[s/300%2 == 0] }
		return analyzed(t, c).Verdict.Sentence
	}
	require.Regexp(t, `^20,000 ops/s until 03:15:00 .*, then 20,000 ops/s\. Not limited`, saws(25))
	require.Regexp(t, `^The load changed 5 times, between 14,000 and 20,000 ops/s\. Not limited`, saws(30))
}

// A limit in another segment is reported, and figures below a limit there are not extrapolated.
func TestLimitsOfOtherSegments(t *testing.T) {
	of := func(cpu float64) *Results {
		c := synthetic.Plain()
		c.Minutes, c.Settings = 30, `, "rate_limit": 500`
		c.Rate = paced(1080, 10_000, 7_000)
		c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": stepAt(18, 60, cpu)}
		return analyzed(t, c)
	}
	r := of(90)
	require.Contains(t, r.Verdict.Sentence, "(its rate limit of 20,000 ops/s was reached), from 03:10:00 to 03:28:00 (minutes 0 to 18 of the load). Limited by engine CPU from 03:28:00 to 03:40:00 (minutes 18 to 30 of the load).")
	require.NotContains(t, r.Verdict.Sentence, "it can do more")
	require.Nil(t, r.Capacity.EngineOpsPerSecond)
	require.Contains(t, r.Capacity.Sentence, "A CPU of the cache was at its limit with 14,000 ops/s, from 03:28:00")
	r = of(89)
	require.Contains(t, r.Verdict.Sentence, "it can do more")
	require.NotNil(t, r.Capacity.EngineOpsPerSecond)
}

// CPU credits that ran dry in the part that was cut off are reported, and nothing is extrapolated from the time before.
func TestCreditsThatRunDryAtTheEnd(t *testing.T) {
	dry := func(left float64) *Results {
		c := synthetic.Plain()
		c.Nodes, c.NodeType = 1, "cache.t4g.small"
		c.Rate = paced(60*18, 10_000, 2_000)
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 1e6, "NetworkBytesIn": 1e6})
		c.Metrics["CPUCreditBalance"] = stepAt(18, 20, left)
		return analyzed(t, c)
	}
	r := dry(1)
	require.Contains(t, r.Verdict.Sentence, "The CPU credits ran dry at 03:28:00.")
	require.Contains(t, r.Verdict.Next, "Run longer")
	require.Nil(t, r.Capacity.EngineOpsPerSecond)
	r = dry(1.1)
	require.NotContains(t, r.Verdict.Sentence, "dry")
	require.Contains(t, r.Verdict.Sentence, "The CPU credits fell from 20 to 1: at this rate they last 0.019 h more.")
}

// A node sustains what is left after its CPU credits ran dry: tiles and price are of that time, as after a burst, if it is a twentieth of the load or
// more. The same holds if only one of two nodes runs dry.
func TestFiguresAreOfTheTimeWithoutCredits(t *testing.T) {
	dry := func(minutes, at int, left float64) *Results {
		c := synthetic.Case{Minutes: minutes, Tasks: 2, Nodes: 2, TaskCPU: 40, Every: 10, NodeType: "cache.t4g.small"}
		c.Rate = paced(60*at, 20_000, 5_000)
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 1e6, "NetworkBytesIn": 1e6})
		c.Metrics["CPUCreditBalance"] = func(n, m int) float64 { return map[bool]float64{true: left, false: 70}[n == 1 && m >= at] }
		r := analyzed(t, c)
		valid(t, r)
		return r
	}
	r := dry(60, 36, 0)
	require.Equal(t, []string{Changed, Steady}, phaseNames(r))
	require.Regexp(t, `^40,000 ops/s until the CPU credits ran dry at 03:46:00 \(minute 36 of the load\), then 10,000 ops/s\. Limited by CPU credits \(the balance of perf-002 at 0\), from 03:46:00 to 04:10:00`, r.Verdict.Sentence)
	require.InDelta(t, 10_000, *r.figure("ops_per_second"), 50)
	require.InEpsilon(t, *r.Cost.CacheUSDPerHour/36, *r.figure("cache_usd_per_million_ops"), 0.01)
	for _, f := range r.Headline {
		if KindOf(f.ID).Tile && f.Window.Phase == Steady {
			require.Equal(t, synthetic.Began.Add(36*time.Minute), f.Window.Start, f.ID)
		}
	}
	require.InDelta(t, 40_000, *dry(60, 36, 1.1).figure("ops_per_second"), 200, "it was not dry")
	require.InDelta(t, 10_000, *dry(60, 57, 0).figure("ops_per_second"), 50, "3 of 60 minutes")
	died := synthetic.Case{Minutes: 60, Tasks: 2, Nodes: 1, TaskCPU: 40, NodeType: "cache.t4g.small", Dies: map[int]int{1: 60 * 35}, Rate: paced(60*36, 20_000, 5_000)}
	died.Metrics = map[string]func(int, int) float64{"CPUCreditBalance": stepAt(36, 70, 0), "NetworkBytesOut": stepAt(0, 1e6, 1e6), "NetworkBytesIn": stepAt(0, 1e6, 1e6)}
	require.InDelta(t, 5_000, *analyzed(t, died).figure("ops_per_second"), 50, "the longest time with the same tasks was before")
	late := dry(61, 58, 0)
	require.InDelta(t, 40_000, *late.figure("ops_per_second"), 200, "3 of 61 minutes")
	require.Regexp(t, `^40,000 ops/s until the CPU credits ran dry at 04:08:00 \(minute 58 of the load\), then 10,000 ops/s\. Limited by CPU credits`, late.Verdict.Sentence)
}

// The rate depends on CPU credits that fall, unless they last for more than a day.
func TestCreditsThatFall(t *testing.T) {
	falls := func(from float64) *Results {
		c := synthetic.Plain()
		c.Nodes, c.NodeType = 1, "cache.t4g.small"
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 1e6, "NetworkBytesIn": 1e6})
		c.Metrics["CPUCreditBalance"] = func(_, m int) float64 { return from - float64(m)/19 }
		return analyzed(t, c)
	}
	r := falls(73)
	require.Contains(t, r.Verdict.Sentence, "The CPU credits fell from 73 to 72: at this rate they last 24 h more.")
	require.Contains(t, r.Verdict.Next, "Run longer")
	require.Nil(t, r.Capacity.EngineOpsPerSecond)
	r = falls(74)
	require.NotContains(t, r.Verdict.Sentence, "CPU credits fell")
	require.NotNil(t, r.Capacity.EngineOpsPerSecond)
}

// Each level of a burst is reported, even if the last burst ends late.
func TestRegimesWithinABurst(t *testing.T) {
	c := synthetic.Plain()
	c.Minutes, c.Nodes = 60, 1
	share := func(m int) float64 { return []float64{3, 0.98, 0.98, 0.2, 3, 0.98}[min(5, max(0, m/10))] }
	c.Rate = func(_, s int) float64 { return 10_000 * share(s/60) }
	c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 { return 60 * share(m) * synthetic.Baseline }}
	r := analyzed(t, c)
	require.Regexp(t, `^60,000 ops/s until 03:20:00 .*, then 19,600 ops/s until 03:40:00 .*, then 4,000 ops/s until 03:50:00 .*, then 60,000 ops/s until the burst bandwidth ended at 04:00:00 .*, then 19,600 ops/s\.`, r.Verdict.Sentence)
	require.InDelta(t, 60_000, *r.figure("ops_per_second_burst"), 300)
	require.Equal(t, []string{Burst, Changed, Changed, Burst, Steady}, phaseNames(r), "a time at the baseline is no burst")
	valid(t, r)
}

// A level that lasts less than three minutes is not a state, however often it recurs.
func TestSpikesAreNoStates(t *testing.T) {
	for _, of := range []func(m int) bool{func(m int) bool { return m == 5 || m == 6 }, func(m int) bool { return m%5 < 2 }, func(m int) bool { return m >= 18 }} {
		c := synthetic.Plain()
		c.Metrics = map[string]func(int, int) float64{"Evictions": func(_, m int) float64 { return map[bool]float64{true: 12_000}[of(m)] },
			"EngineCPUUtilization": func(_, m int) float64 { return map[bool]float64{true: 99, false: 30}[of(m)] }}
		v := analyzed(t, c).Verdict
		require.Len(t, v.Segments, 1)
		require.Equal(t, NotLimited, v.Outcome)
		require.Contains(t, v.Sentence, "Below the threshold: evictions in ")
	}
	c := synthetic.Plain()
	c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(_, m int) float64 { return map[bool]float64{true: 99, false: 30}[m >= 5 && m < 8] }}
	require.Len(t, analyzed(t, c).Verdict.Segments, 3)
}
