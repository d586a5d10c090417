package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// A step is no drift: least squares would fit a line that drifts by one and a half of the step.
func TestAStepIsNoDrift(t *testing.T) {
	steps := func(factor float64) *Results {
		c := synthetic.Plain()
		c.Rate = func(_, s int) float64 { return 10_000 * map[bool]float64{true: 1, false: factor}[s < 600] }
		return analyzed(t, c)
	}
	r := steps(0.91)
	require.Equal(t, Steady, r.Phases.Steady.Phase, "drift of %v", *r.Phases.DriftPercent)
	require.Len(t, r.Verdict.Segments, 1)
	require.Len(t, steps(0.89).Verdict.Segments, 2)
}

// Autocorrelated noise looks like a drift within a minute.
func TestADriftTakesMinutes(t *testing.T) {
	rises := func(seconds int) *Results {
		c := synthetic.Plain()
		c.Minutes, c.Tasks, c.Dies = 3, 1, map[int]int{0: seconds}
		c.Rate = func(_, s int) float64 { return 10_000 * (1 + 0.3*float64(s)/180) }
		return analyzed(t, c)
	}
	require.Equal(t, Steady, rises(179).Phases.Steady.Phase)
	require.Nil(t, rises(179).Phases.DriftPercent)
	require.Contains(t, rises(179).Warnings, "the steady window is only 179 s long: its figures are rough")
	require.Equal(t, Drifting, rises(180).Phases.Steady.Phase)
}

// An outage has the same length everywhere in the answer.
func TestTheLengthOfAnOutage(t *testing.T) {
	for _, tasks := range []int{1, 2, 7} {
		for _, every := range []int{1, 5} {
			c := synthetic.Plain()
			c.Tasks, c.Every = tasks, every
			c.Rate = func(_, s int) float64 { return map[bool]float64{true: 0, false: 10_000}[s >= 720 && s < 735] }
			r := analyzed(t, c)
			require.Contains(t, r.Verdict.Sentence, "No operation for 15 s from 03:22:00.")
			require.Len(t, r.Gaps, tasks)
			require.Equal(t, 15.0, r.Gaps[0].Seconds)
			require.Equal(t, synthetic.Began.Add(720e9), r.Gaps[0].Start.Round(1e9))
			require.Equal(t, "See the logs at 03:22:00, when no operation completed; then repeat the run.", r.Verdict.Next)
		}
	}
}

// A load that crosses midnight has two dates.
func TestTimesOfTwoDaysHaveDates(t *testing.T) {
	c := synthetic.Case{Minutes: 24 * 60, Tasks: 1, Nodes: 1, TaskCPU: 40, Every: 10}
	c.Rate = func(_, s int) float64 {
		return map[bool]float64{true: 0, false: 10_000}[s >= 22*3600 && s < 22*3600+600]
	}
	v := analyzed(t, c).Verdict
	require.Contains(t, v.Sentence, "No operation for 600 s from 2026-11-24 01:10:00.")
	require.Contains(t, v.Sentence, "from 2026-11-23 03:10:00 to 2026-11-24 03:10:00 (minutes 0 to 1440 of the load)")
}

// The log alone shows that a rate limit was reached, even in less than a whole minute.
func TestARateLimitNeedsNoMetrics(t *testing.T) {
	of := func(limit string) Verdict {
		c := synthetic.Plain()
		c.Minutes, c.Tasks, c.Settings = 2, 1, `, "rate_limit": `+limit
		c.Begins, c.Dies = map[int]int{0: 30}, map[int]int{0: 90}
		return analyzed(t, c).Verdict
	}
	reached := of("500") // of 20 connections that do 10,000 ops/s
	require.Equal(t, []string{"load_generator"}, reached.Limits)
	require.NotContains(t, reached.Sentence, "it can do more", "nothing of the cache was seen")
	require.Equal(t, CannotTell, of("520").Outcome)
}

// Fewer than three whole minutes decide nothing: one odd minute is half of two. A minute's mean that varies by 5 points is on the wrong side of a
// threshold 5 points away in 16 % of single minutes, in 8 % of means of two and in 4 % of means of three.
func TestAVerdictTakesThreeWholeMinutes(t *testing.T) {
	of := func(start, minutes int, metrics map[string]func(int, int) float64) Verdict {
		c := synthetic.Plain()
		c.Minutes, c.Tasks, c.Begins, c.Metrics = minutes, 1, map[int]int{0: start}, metrics
		r := analyzed(t, c)
		valid(t, r)
		return r.Verdict
	}
	busy := synthetic.With(map[string]float64{"EngineCPUUtilization": 95})
	for minutes, whole := range map[int]string{1: "0:01:00 cover 1 of them whole, and it takes 3", 2: "0:02:00 cover 2 of them whole, and it takes 3"} {
		for _, metrics := range []map[string]func(int, int) float64{nil, busy} {
			v := of(0, minutes, metrics)
			require.Equal(t, CannotTell, v.Outcome)
			require.Regexp(t, `^Cannot tell from CloudWatch's minutes: `+whole+`; the load generator itself saw (10,000|9,9\d0) ops/s\.$`, v.Sentence)
			require.Equal(t, "Run for 10 minutes or more.", v.Next)
			require.Empty(t, v.Limits)
			require.Empty(t, v.Segments[0].Limits)
			require.Equal(t, NoData, v.Findings[0].State)
			require.Contains(t, v.Findings[0].Evidence, "of the metrics' datapoints lie whole in the load, and a limit takes 3")
		}
	}
	require.Equal(t, NotLimited, of(0, 3, nil).Outcome)
	require.Equal(t, Limited, of(0, 3, busy).Outcome)
	require.Equal(t, CannotTell, of(25, 3, busy).Outcome, "of 155 s two minutes are whole")
	require.Equal(t, Limited, of(25, 4, busy).Outcome)
	odd := map[string]func(int, int) float64{"RejectedConnections": func(_, m int) float64 { return map[bool]float64{true: 120}[m == 1] }}
	require.Equal(t, NotLimited, of(0, 3, odd).Outcome, "one of three minutes is not half of them")
	require.Equal(t, CannotTell, of(0, 2, odd).Outcome)
}

// A burst can end too late to show what the nodes sustain. Its end is reported all the same, because the figures are of the burst.
func TestABurstThatEndsLate(t *testing.T) {
	of := func(minutes, end int) *Results {
		c := synthetic.Plain()
		c.Minutes, c.Nodes = minutes, 1
		c.Rate = paced(60*end, 30_000, 8_000)
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": stepAt(end, 60*4*synthetic.Baseline, 60*0.97*synthetic.Baseline)}
		r := analyzed(t, c)
		valid(t, r)
		return r
	}
	two, three := of(20, 18), of(70, 67)
	for _, late := range []*Results{two, three} {
		require.InDelta(t, 60_000, *late.figure("ops_per_second"), 300)
		require.Contains(t, warnings(late), "shortly before the load's end: no figure shows what the nodes sustain")
	}
	require.Contains(t, two.Verdict.Sentence, " The burst bandwidth ended at 03:28:00. ")
	require.Equal(t, "Run longer, to see what the nodes sustain without the burst bandwidth.", two.Verdict.Next)
	require.Contains(t, three.Verdict.Sentence, "60,000 ops/s until the burst bandwidth ended at 04:17:00 (minute 67 of the load), then 16,000 ops/s. Limited by bandwidth out")
	for _, long := range []*Results{of(20, 17), of(60, 57)} {
		require.InDelta(t, 16_000, *long.figure("ops_per_second"), 100)
		require.Contains(t, long.Verdict.Sentence, "Limited by bandwidth out")
		require.NotContains(t, warnings(long), "shortly before")
	}
}

// A task that finished with a result that does not count is not called unfinished.
func TestAResultThatDoesNotCount(t *testing.T) {
	c := synthetic.Plain()
	metrics, log := texts(c)
	r := ofTexts(t, metrics, replaceLast(log, "load: finished exit=0 ok", "load: finished exit=0 invalid: 3 error lines"), c.Manifest())
	require.Regexp(t, `^1 of 2 tasks finished with a result that does not count: 3 error lines \(exit 0\)\. `, r.Verdict.Sentence)
	require.Equal(t, "See the tasks' log for the reason, then repeat the run.", r.Verdict.Next)
	require.Equal(t, []string{"run 2026-11-23T03-00-00Z: 1 of 2 tasks finished with a result that does not count"}, troubles(r))
}
