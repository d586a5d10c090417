package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// simulated is a campaign with known effects: a row per variant, a column per round.
type simulated struct {
	random  *rand.Rand
	noise   float64 // from run to run, 0.05 is 5 %
	drift   float64 // from one round to the next
	outlier bool    // one run of the first variant has 30 % less
}

func (s simulated) run(rounds int, effects ...float64) [][]float64 {
	out := make([][]float64, len(effects))
	for v, effect := range effects {
		for r := range rounds {
			out[v] = append(out[v], 40_000*(1+effect)*(1+s.drift*float64(r))*math.Exp(s.noise*s.random.NormFloat64()))
		}
	}
	if s.outlier {
		out[0][s.random.IntN(rounds)] *= 0.7
	}
	return out
}

// Campaigns with effects of 0, 2 % and 10 %, noise of 1 % and 5 %, with and without drift over the rounds: 95 % intervals cover the truth in 93 to 97
// % of 1,000 campaigns each. One outlier makes them wider, so that they cover more. Seeds are fixed, so the figures never change.
func TestPairedIntervalsCoverTheTruth(t *testing.T) {
	const trials = 1000
	least, most := 1.0, 0.0
	for _, effect := range []float64{0, 0.02, 0.10} {
		for _, noise := range []float64{0.01, 0.05} {
			for _, drift := range []float64{0, 0.03} {
				for _, outlier := range []bool{false, true} {
					s := simulated{rand.New(rand.NewPCG(uint64(1000*effect), uint64(1000*noise+1e6*drift))), noise, drift, outlier}
					covered := 0
					for range trials {
						runs := s.run(5, 0, effect)
						c, ok := ComparePaired(runs[0], runs[1])
						require.True(t, ok)
						if c.Interval[0] <= 100*effect && 100*effect <= c.Interval[1] {
							covered++
						}
					}
					name := fmt.Sprintf("effect %g, noise %g, drift %g, outlier %t", effect, noise, drift, outlier)
					share := float64(covered) / trials
					if outlier {
						assert.GreaterOrEqual(t, share, 0.93, name)
						continue
					}
					assert.InDelta(t, 0.95, share, 0.02, name)
					least, most = min(least, share), max(most, share)
				}
			}
		}
	}
	t.Logf("coverage: %.1f to %.1f %%", 100*least, 100*most)
}

// In campaigns of ten variants without a difference, at most 5 % find one.
func TestNoEffectIsCalledOne(t *testing.T) {
	const trials = 1000
	s := simulated{random: rand.New(rand.NewPCG(3, 17)), noise: 0.05, drift: 0.02}
	wrong := 0
	for range trials {
		runs := s.run(5, make([]float64, 10)...)
		var changes []Paired
		var p []float64
		for _, of := range runs[1:] {
			c, _ := ComparePaired(runs[0], of)
			changes, p = append(changes, c), append(p, c.P)
		}
		for i, q := range Holm(p) {
			if changes[i].Different(q) {
				wrong++
				break
			}
		}
	}
	t.Logf("campaigns that call no effect one: %.1f %%", 100*float64(wrong)/trials)
	assert.LessOrEqual(t, float64(wrong)/trials, 0.05)
}

// compared simulates a campaign whose first variant has an effect: it returns the change, and p after correction.
func (s simulated) compared(rounds int, effect float64, variants int) (first Paired, q float64) {
	effects := make([]float64, 1+variants)
	effects[1] = effect
	runs := s.run(rounds, effects...)
	var p []float64
	for i, of := range runs[1:] {
		c, _ := ComparePaired(runs[0], of)
		if p = append(p, c.P); i == 0 {
			first = c
		}
	}
	return first, Holm(p)[0]
}

// The smallest detectable difference of a campaign is found in 80 % of campaigns with the noise that it was computed from, for any number of rounds
// and variants, with or without drift. Holm's correction gives the first of several slightly more power.
func TestTheSmallestDifferenceIsSeen(t *testing.T) {
	const trials = 2000
	least, most := 1.0, 0.0
	for _, rounds := range []int{2, 3, 4, 5, 10} {
		for _, variants := range []int{1, 3, 9} {
			for _, noise := range []float64{0.01, 0.05} {
				s := simulated{random: rand.New(rand.NewPCG(uint64(100*rounds+variants), uint64(1000*noise))), noise: noise, drift: 0.03}
				detectable := Detectable(percent(noise*math.Sqrt2), rounds, variants)
				shown := 0
				for range trials {
					if first, q := s.compared(rounds, detectable/100, variants); first.Different(q) {
						shown++
					}
				}
				share := float64(shown) / trials
				if detectable == Smallest {
					assert.Greater(t, share, 0.80, "%d rounds, %d variants, noise %g", rounds, variants, noise)
					continue
				}
				assert.InDelta(t, 0.80, share, 0.035, "%d rounds, %d variants, noise %g: %.1f %%", rounds, variants, noise, detectable)
				least, most = min(least, share), max(most, share)
			}
		}
	}
	t.Logf("shown: %.1f to %.1f %%", 100*least, 100*most)
}

// The rounds that a first campaign of five predicts are enough in 80 %: a new campaign of that size shows the effect, corrected for the comparisons.
func TestPredictedRoundsAreEnough(t *testing.T) {
	const trials = 1000
	for _, effect := range []float64{0.02, 0.10} {
		for _, noise := range []float64{0.01, 0.05} {
			s := simulated{random: rand.New(rand.NewPCG(uint64(1000*effect), uint64(1000*noise))), noise: noise, drift: 0.001}
			const comparisons = 3
			shown, all := 0, 0
			for range trials {
				first := s.run(5, 0, effect)
				c, _ := ComparePaired(first[0], first[1])
				n := c.Needs(100*effect, comparisons)
				require.GreaterOrEqual(t, n, 5)
				all += n
				if first, q := s.compared(n, effect, comparisons); first.Different(q) {
					shown++
				}
			}
			name := fmt.Sprintf("effect %g, noise %g", effect, noise)
			t.Logf("%s: shown in %.1f %%, by %.1f rounds in the mean", name, 100*float64(shown)/trials, float64(all)/trials)
			assert.GreaterOrEqual(t, float64(shown)/trials, 0.80, name)
		}
	}
}

// One run of the first five is 30 % off, in the baseline or in the variant, and remains in the campaign. It is counted once: the predicted rounds
// still show the effect in 80 %, and are fewer than if every round were like it. Noise of 5 % hides most outliers.
func TestARunFarOffIsCountedOnce(t *testing.T) {
	const trials, comparisons = 200, 3
	for _, c := range []struct{ effect, noise, atMost float64 }{{0.02, 0.01, 0.08}, {0.10, 0.01, 0.30}, {0.10, 0.05, 1}} {
		for variant := range 2 {
			s := simulated{random: rand.New(rand.NewPCG(uint64(1000*c.effect), uint64(1000*c.noise))), noise: c.noise}
			effects := make([]float64, 1+comparisons)
			effects[1] = c.effect
			shown, all, taken := 0, 0, 0
			for range trials {
				runs := s.run(5, effects...)
				runs[variant][s.random.IntN(5)] *= 0.7
				first, _ := ComparePaired(runs[0], runs[1])
				n := first.Needs(100*c.effect, comparisons)
				all, taken = all+n, taken+Rounds(100*c.effect, first.Deviation, 5, comparisons)
				var p []float64
				for v, more := range s.run(n-5, effects...) {
					if runs[v] = append(runs[v], more...); v > 0 {
						c, _ := ComparePaired(runs[0], runs[v])
						p = append(p, c.P)
					}
				}
				if whole, _ := ComparePaired(runs[0], runs[1]); whole.Different(Holm(p)[0]) && whole.Percent > 0 {
					shown++
				}
			}
			name := fmt.Sprintf("effect %g, noise %g, in variant %d", c.effect, c.noise, variant)
			t.Logf("%s: shown in %.1f %%, by %d rounds in the mean instead of %d", name, 100*float64(shown)/trials, all/trials, taken/trials)
			assert.GreaterOrEqual(t, float64(shown)/trials, 0.80, name)
			assert.LessOrEqual(t, float64(all), c.atMost*float64(taken), name)
		}
	}
	far, _ := ComparePaired([]float64{100, 101, 70, 99, 100}, []float64{102, 103, 102, 101, 103})
	assert.InDelta(t, 2.2, far.Typical(), 0.3)
	assert.Greater(t, far.Percent, 9.0)
	few, _ := ComparePaired([]float64{100, 101, 70}, []float64{102, 103, 102})
	assert.Nil(t, few.Apart, "of three nobody can tell")
	even, _ := ComparePaired([]float64{100, 100, 100, 100}, []float64{110, 110, 110, 110})
	assert.Nil(t, even.Apart)
}

func TestPairedRuns(t *testing.T) {
	c, ok := ComparePaired([]float64{100, 200, 400}, []float64{110, 220, 440})
	assert.True(t, ok)
	assert.InDelta(t, 10, c.Percent, 1e-9)
	assert.Less(t, c.P, 0.001, "rounds that differ fourfold, and a variant that is 10 %% better in each")
	for _, v := range [][2][]float64{{{1}, {1}}, {{1, 2}, {1, 2, 3}}, {{1, 0}, {1, 2}}, {{1, 2}, {math.NaN(), 2}}} {
		_, ok := ComparePaired(v[0], v[1])
		assert.False(t, ok, "%v", v)
	}
	assert.True(t, math.IsInf(Detectable(5, 1, 1), 1))
	assert.Greater(t, Detectable(5, 5, 9), Detectable(5, 5, 1), "more comparisons share the 5 %%")
	assert.Greater(t, Detectable(5, 5, 1), Detectable(5, 10, 1))
	assert.Zero(t, Rounds(0, 5, 5, 1))
	assert.Zero(t, Rounds(2, 5, 1, 1))
	assert.InDelta(t, 2, Detectable(5, Rounds(2, 5, 50, 1), 1), 0.2, "the one is about the other's inverse when the deviation is known well")
	assert.Equal(t, 10_000, Rounds(0.01, 50, 3, 1))
}
