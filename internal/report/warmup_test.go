package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// Autocorrelated noise from second to second is neither warm-up nor ramp-down in a run of a minute: its throughput is memtier's own.
func TestAMinuteOfNoiseIsAllOfTheLoad(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := synthetic.Plain()
		c.Minutes, c.Tasks = 1, 1
		var rate []float64
		total, noise := 0.0, 0.0
		for range 60 {
			noise = 0.8*noise + 0.12*random.NormFloat64()
			rate = append(rate, 10_000*max(0.1, 1+noise))
			total += rate[len(rate)-1]
		}
		c.Rate = func(_, s int) float64 { return rate[s] }
		r := analyzed(t, c)
		require.InEpsilon(t, total/60, *r.figure("ops_per_second"), 0.005, "seed %d: %v", seed, r.Phases.List)
	}
}

// Noise that is slow compared with the run leaves its throughput open: the page has an interval that covers a long run's throughput, or says that it
// is unknown.
func TestThroughputIsKnownAsWellAsItsNoiseLets(t *testing.T) {
	for _, minutes := range []int{3, 5, 10} {
		held, open := 0, 0
		const trials = 100
		for seed := range uint64(trials) {
			random := rand.New(rand.NewPCG(seed, uint64(minutes)))
			c := synthetic.Plain()
			c.Minutes, c.Tasks, c.Nodes = minutes, 1, 1
			noise := 0.06 * random.NormFloat64()
			var rate []float64
			for range 60 * minutes {
				rate = append(rate, 10_000*(1+noise))
				noise = 0.98*noise + 0.012*random.NormFloat64()
			}
			c.Rate = func(_, s int) float64 { return rate[s] }
			r := analyzed(t, c)
			off := 100 * math.Abs(*r.figure("ops_per_second")/10_000-1)
			said := slices.ContainsFunc(r.Warnings, func(w string) bool {
				return strings.HasPrefix(w, "the run was too short to know its throughput") || strings.Contains(w, "drifted") || strings.HasPrefix(w, "the steady window is only")
			})
			switch u := r.Phases.UncertaintyPercent; {
			case said:
				require.Nil(t, u)
				open++
			case off <= *u:
				held++
				require.Equal(t, *u > 5, slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.HasPrefix(w, "the run was short for the noise in it") }))
			}
		}
		t.Logf("%d min: covers %d, not known %d of %d", minutes, held, open, trials)
		require.GreaterOrEqual(t, held+open, trials*85/100)
	}
	r := analyzed(t, synthetic.Plain())
	require.Less(t, *r.Phases.UncertaintyPercent, 0.1)
	require.Regexp(t, `^mean, ±0\.0\d+ % by the noise of this run$`, r.Headline[0].Note)
}

// A change in the first half of a run, or in its last tenth, is no warm-up or ramp-down if it lasts for three minutes or more.
func TestAStateIsNoWarmUp(t *testing.T) {
	dry := func(minutes, after, low int) *Results {
		c := synthetic.Case{Minutes: minutes, Tasks: 2, Nodes: 1, TaskCPU: 40, Every: 10, NodeType: "cache.t4g.small"}
		c.Rate = func(_, s int) float64 { return map[bool]float64{true: 10_000, false: float64(low)}[s < 60*after] }
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 6e7, "NetworkBytesIn": 6e6})
		c.Metrics["CPUCreditBalance"] = func(_, m int) float64 { return max(0, 100*(1-float64(m)/float64(after))) }
		return analyzed(t, c)
	}
	require.Regexp(t, `^20,000 ops/s until the CPU credits ran dry at 03:30:00 \(minute 20 of the load\), then 5,000 ops/s\. Limited by CPU credits`, dry(60, 20, 2500).Verdict.Sentence)
	require.Regexp(t, `^20,000 ops/s until the CPU credits ran dry at 2026-11-23 12:10:00 \(minute 540 of the load\), then 5,000 ops/s\. Limited by CPU credits`, dry(24*60, 540, 2500).Verdict.Sentence)
	require.Regexp(t, `^20,000 ops/s until .*03:34:00 \(minute 24 of the load\), then 5,000 ops/s\.`, dry(27, 24, 2500).Verdict.Sentence)
	require.NotContains(t, phaseNames(dry(60, 20, 9300)), WarmUp, "7 % less than in the first 20 minutes")

	rises := func(seconds int) []string {
		c := synthetic.Plain()
		c.Rate = func(_, s int) float64 { return map[bool]float64{true: 4000, false: 10_000}[s < seconds] }
		return phaseNames(analyzed(t, c))
	}
	require.Equal(t, []string{WarmUp, Steady}, rises(175))
	require.Equal(t, []string{Changed, Steady}, rises(180))
}

// Autocorrelated noise has stretches like its first seconds later, too; a warm-up does not recur.
func TestNoiseIsNoWarmUp(t *testing.T) {
	dips := func(others float64) []string {
		c := synthetic.Plain()
		c.Rate = func(_, s int) float64 {
			switch {
			case s < 30:
				return 8_000
			case s%300 < 30:
				return others
			}
			return 10_000
		}
		return phaseNames(analyzed(t, c))
	}
	require.Equal(t, []string{Steady}, dips(7_800), "as later ones")
	require.Equal(t, []string{WarmUp, Steady}, dips(9_000))
}

// The minutes before a task died are no warm-up, and those after it no ramp-down: a different set of tasks ran.
func TestATaskThatDiesIsNoWarmUp(t *testing.T) {
	dies := func(second int) *Results {
		c := synthetic.Plain()
		c.Tasks, c.Dies = 5, map[int]int{4: second}
		return analyzed(t, c)
	}
	r := dies(120)
	require.Equal(t, []string{Disturbed, Steady}, phaseNames(r))
	require.Regexp(t, `^1 of 5 tasks did not finish: OutOfMemoryError.*, at 03:12:00 \(minute 2 of the load\)\. Not limited`, r.Verdict.Sentence)
	require.InEpsilon(t, 40_000, *r.figure("ops_per_second"), 0.01)
	r = dies(18 * 60)
	require.Equal(t, []string{Steady, Disturbed}, phaseNames(r))
	require.Contains(t, r.Verdict.Sentence, ", at 03:28:00 (minute 18 of the load).")
	require.InEpsilon(t, 50_000, *r.figure("ops_per_second"), 0.01)
	r = dies(600)
	require.Regexp(t, `memory usage\. 50,000 ops/s until task task0004 ended at 03:20:00`, r.Verdict.Sentence)

	late := synthetic.Plain()
	late.Begins = map[int]int{1: 120}
	require.Equal(t, []string{WarmUp, Steady}, phaseNames(analyzed(t, late)), "a task that comes later")
}

// A change in the last three minutes is a ramp-down, whatever the length of the run: no state is a mean of two rates.
func TestALateChangeIsARampDown(t *testing.T) {
	for _, minutes := range []int{6, 20, 40} {
		for _, last := range []int{20, 60, 120, 170} {
			c := synthetic.Plain()
			c.Minutes = minutes
			c.Rate = paced(60*minutes-last, 10_000, 4_000)
			r := analyzed(t, c)
			require.Equal(t, []string{Steady, RampDown}, phaseNames(r), "the last %d s of %d min: %v", last, minutes, r.Phases.List)
			require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.01)
		}
	}
}
