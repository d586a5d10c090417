package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

func changedBy(t *testing.T, change func(*synthetic.Case)) *Results {
	t.Helper()
	c := synthetic.Plain()
	c.Minutes, c.Nodes = 40, 1
	change(&c)
	r := analyzed(t, c)
	valid(t, r)
	return r
}

// Engine CPU that follows the load is not the cause of a change; the end of a burst is, even if traffic falls again later.
func TestWhatFollowsTheLoadIsNoCause(t *testing.T) {
	r := changedBy(t, func(c *synthetic.Case) {
		c.Minutes = 60
		of := func(burst, baseline, less float64) func(m int) float64 {
			return func(m int) float64 { return []float64{burst, baseline, less, less}[min(3, max(0, m)/15)] }
		}
		rate, share, queued, cpu := of(30_000, 10_000, 15_000), of(3, 0.99, 0.4), of(0, 5e5, 0), of(70, 25, 97)
		c.Rate = func(_, s int) float64 { return rate(s / 60) }
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 { return 60 * synthetic.Baseline * share(m) },
			"NetworkBandwidthOutAllowanceExceeded": func(_, m int) float64 { return queued(m) }, "EngineCPUUtilization": func(_, m int) float64 { return cpu(m) }}
	})
	require.Regexp(t, `^60,000 ops/s until the burst bandwidth ended at 03:25:00 \(minute 15 of the load\), then 20,000 ops/s until 03:40:00 \(minute 30 of the load\), then 30,000 ops/s\. Limited by engine CPU`, r.Verdict.Sentence)
}

// Engine CPU that rises at a constant rate of operations is reported as one rise, with its start and end.
func TestEngineCPUThatRises(t *testing.T) {
	r := changedBy(t, func(c *synthetic.Case) {
		c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(_, m int) float64 { return 40 + 55*min(1, max(0, float64(m-10)/20)) }}
	})
	require.Regexp(t, `^20,000 ops/s until engine CPU started to rise from 40 % at 03:\d\d:00 .*, then the same rate until engine CPU had risen to 95 % at 03:(39|4\d):00 .*, then the same rate\. Limited by engine CPU`, r.Verdict.Sentence)
}

// A run that rises and falls has no level: both are reported, and no mean rate that it never had.
func TestARunWithoutALevel(t *testing.T) {
	r := changedBy(t, func(c *synthetic.Case) {
		c.Minutes = 30
		c.Rate = func(_, s int) float64 { return 10_000 * (1 - 0.5*math.Abs(float64(s)-900)/900) }
	})
	require.Regexp(t, `^Steadily up from 10,\d00 to (19|20),\d00 ops/s over 1\d minutes, until 03:2\d:00 .*, then steadily down from (19|20),\d00 to 10,\d00 ops/s over 1\d minutes\. Not limited`, r.Verdict.Sentence)
	require.NotContains(t, r.Verdict.Sentence, "drifted")
	require.Contains(t, r.Warnings[0], "there was no steady state")

	short := changedBy(t, func(c *synthetic.Case) {
		c.Minutes = 8
		c.Rate = func(_, s int) float64 { return 10_000 * min(1, 0.1+0.9*float64(s)/300) }
	})
	require.Regexp(t, `Throughput drifted from 2,\d\d0 to (20,0|19,9)00 ops/s in that time`, short.Verdict.Sentence, "a line through it goes over what was there, and starts above it")
}

// If several tasks died, the reported time is of one.
func TestTheTimeOfADeathIsOfOneTask(t *testing.T) {
	said := func(dies map[int]int) string {
		return changedBy(t, func(c *synthetic.Case) { c.Tasks, c.Dies = 5, dies }).Verdict.Sentence
	}
	require.Regexp(t, `^2 of 5 tasks did not finish: .*, one of them at 03:11:00 \(minute 1 of the load\)\.`, said(map[int]int{1: 60, 3: 150}))
	require.Regexp(t, `^1 of 5 tasks did not finish: .*, at 03:11:00 \(minute 1 of the load\)\.`, said(map[int]int{1: 60}))
}

// A snapshot at the time of a change is named.
func TestASnapshotIsNamedAtAChange(t *testing.T) {
	said := func(from, to int) string {
		return changedBy(t, func(c *synthetic.Case) {
			c.Rate = func(_, s int) float64 { return map[bool]float64{true: 6_000, false: 10_000}[s >= 1200 && s < 1560] }
			c.Metrics = map[string]func(int, int) float64{"SaveInProgress": func(_, m int) float64 { return map[bool]float64{true: 1}[m >= from && m < to] }}
		}).Verdict.Sentence
	}
	require.Regexp(t, `^20,000 ops/s until a snapshot or full sync started at 03:30:00 \(minute 20 of the load\), then 12,000 ops/s until the snapshot or full sync ended at 03:36:00 \(minute 26 of the load\), then 20,000 ops/s\.`, said(20, 26))
	require.Regexp(t, `^20,000 ops/s until 03:30:00 .*, then 12,000 ops/s until 03:36:00`, said(22, 24))
}
