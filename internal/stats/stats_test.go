package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Values from printed tables of Student's t.
func TestQuantilesAreTheTables(t *testing.T) {
	for _, v := range []struct{ q, freedom, want float64 }{
		{0.975, 1, 12.706}, {0.975, 2, 4.303}, {0.975, 4, 2.776}, {0.975, 8, 2.306}, {0.975, 30, 2.042}, {0.8, 4, 0.941}, {0.95, 10, 1.812}, {0.975, 1e6, 1.960},
	} {
		assert.InDelta(t, v.want, Quantile(v.q, v.freedom), 0.0006, "%v", v)
	}
}

func TestHolm(t *testing.T) {
	assert.InDeltaSlice(t, []float64{0.03, 0.06, 0.06, 0.02}, Holm([]float64{0.01, 0.04, 0.03, 0.005}), 1e-12)
	assert.Equal(t, []float64{1, 1}, Holm([]float64{0.9, 0.6}))
	assert.Empty(t, Holm(nil))
}

func TestRunsThatTellTwoGroupsApart(t *testing.T) {
	assert.Equal(t, 2, Runs(20, 2, 1))
	assert.Equal(t, 4, Runs(5, 2, 1))
	assert.Equal(t, 17, Runs(2, 2, 1))
	assert.Equal(t, Runs(5, 2, 1), Runs(-5, 2, 1))
}

// meanOf is the mean of a run's minutes: the run's level, with noise of 1 % and autocorrelation rho within it. A mean of such noise is normal, with
// the variance of https://en.wikipedia.org/wiki/Effective_sample_size, which TestMeansOfMinutes compares with means of single minutes.
func meanOf(random *rand.Rand, minutes int, rho, between, level float64) float64 {
	n, variance := float64(minutes), 1.0
	for i := 1; i < minutes; i++ {
		variance += 2 * (1 - float64(i)/n) * math.Pow(rho, float64(i))
	}
	return level * (1 + between*random.NormFloat64()) * (1 + 0.01*math.Sqrt(variance/n)*random.NormFloat64())
}

func TestMeansOfMinutes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 4))
	for _, minutes := range []int{10, 60} {
		for _, rho := range []float64{0, 0.8} {
			var drawn, added []float64
			for range 4000 {
				drawn = append(drawn, meanOf(random, minutes, rho, 0, 1))
				sum, e := 0.0, random.NormFloat64()
				for range minutes {
					sum += e
					e = rho*e + math.Sqrt(1-rho*rho)*random.NormFloat64()
				}
				added = append(added, 1+0.01*sum/float64(minutes))
			}
			assert.InEpsilon(t, Variance(added), Variance(drawn), 0.1, "%d min, rho %g", minutes, rho)
		}
	}
}

// Pairs of groups without a difference, and with one of 5 %: at most 5 % of families of four figures have a false difference, and the 95 % interval
// covers the truth in 93 to 97 %, in each cell. Seeds are fixed, so the figures never change; -v prints them.
func TestIntervalsCoverTheTruth(t *testing.T) {
	const trials = 3000
	all, wrongOfAll := 0, 0
	for _, runs := range []int{3, 5} {
		for _, between := range []float64{0, 0.01, 0.02} {
			for _, minutes := range []int{10, 30, 60} {
				line := ""
				for _, rho := range []float64{0, 0.5, 0.8} {
					random := rand.New(rand.NewPCG(uint64(runs*1000+minutes), uint64(1000*rho+1e5*between)))
					group := func(level float64) (out []float64) {
						for range runs {
							out = append(out, meanOf(random, minutes, rho, between, level))
						}
						return out
					}
					covered, wrong := 0, 0
					for range trials {
						c, ok := Compare(group(40000), group(42000))
						require.True(t, ok)
						require.True(t, c.Interval[0] <= c.Percent && c.Percent <= c.Interval[1])
						if c.Interval[0] <= 5 && 5 <= c.Interval[1] {
							covered++
						}
						changes, p := make([]Change, 4), make([]float64, 4) // independent figures: the worst case of a family
						for i := range p {
							changes[i], _ = Compare(group(1), group(1))
							p[i] = changes[i].P
						}
						for i, q := range Holm(p) {
							if changes[i].Different(q) {
								wrong++
								break
							}
						}
					}
					name := fmt.Sprintf("%d runs of %d min, rho %g, between %g", runs, minutes, rho, between)
					assert.InDelta(t, 0.95, float64(covered)/trials, 0.02, "coverage, %s", name)
					assert.LessOrEqual(t, float64(wrong)/trials, 0.05+2*math.Sqrt(0.05*0.95/trials), "called different, %s: two standard errors of so many trials above 5 %%", name)
					all, wrongOfAll = all+trials, wrongOfAll+wrong
					line += fmt.Sprintf(" | %.1f, %.1f", 100*float64(wrong)/trials, 100*float64(covered)/trials)
				}
				t.Logf("%d runs | %g %% between | %d min%s", runs, 100*between, minutes, line)
			}
		}
	}
	assert.LessOrEqual(t, float64(wrongOfAll)/float64(all), 0.05)
}

func TestNotEnoughToCompare(t *testing.T) {
	for _, v := range [][2][]float64{{{1}, {1, 2}}, {{1, 2}, {2}}, {{1, 0}, {1, 2}}, {{1, 2}, {math.NaN(), 2}}} {
		_, ok := Compare(v[0], v[1])
		assert.False(t, ok, "%v", v)
	}
	c, ok := Compare([]float64{2, 2}, []float64{2, 2})
	assert.True(t, ok)
	assert.Equal(t, Change{P: 1}, c)
}

func TestChangesAreFoundWhereTheyAre(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, v := range []struct {
		name   string
		levels []float64
		cuts   []int
	}{
		{"none", []float64{100}, nil},
		{"one", []float64{100, 100, 75}, []int{40}},
		{"credits run dry", []float64{40000, 10000, 10000}, []int{20}},
		{"two", []float64{100, 50, 100}, []int{20, 40}},
		{"too small to name", []float64{100, 103}, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			var x []float64
			for _, level := range v.levels {
				for range 20 {
					x = append(x, level*(1+0.01*random.NormFloat64()))
				}
			}
			assert.Equal(t, v.cuts, cuts(Segments(x, 3, 0.05*v.levels[0])))
		})
	}
	assert.Nil(t, cuts(Segments([]float64{1, 2, 3}, 3, 1)), "too short")
	assert.Nil(t, cuts(Segments(make([]float64, 60), 3, 1)), "constant")
}

func cuts(parts []Segment) (at []int) {
	for _, p := range parts[1:] {
		at = append(at, p.From)
	}
	return at
}

// A ramp is one segment, and no step is a ramp, whether it is at a minute or within one, or lasts.
func TestRampsAreOneSegment(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	// along is 60 values: a before from, b from to on, and a line between.
	along := func(a, b, from, to float64) (x []float64) {
		for i := range 60 {
			t := float64(i) + 0.5 // the middle of the interval that the value covers
			share := (t - from) / (to - from)
			if from == to {
				share = float64(i) + 1 - from // the value at the step is a mix of both
			}
			v := a + (b-a)*min(1, max(0, share))
			x = append(x, v*(1+0.01*random.NormFloat64()))
		}
		return x
	}
	const trials = 50
	for _, levels := range [][2]float64{{10, 100}, {100, 10}, {70, 100}, {100, 130}} {
		for _, at := range []float64{0, 20, 50} {
			found := 0
			for range trials {
				if parts := Segments(along(levels[0], levels[1], at, at+10), 3, 10); slices.ContainsFunc(parts, func(p Segment) bool {
					return p.Ramp && math.Abs(float64(p.From)-at) <= 3 && math.Abs(float64(p.To)-at-10) <= 3
				}) {
					found++
				}
			}
			require.GreaterOrEqual(t, found, trials*8/10, "%v from %v", levels, at)
		}
		for _, at := range []float64{20, 20.25, 20.5, 20.75} {
			found := 0
			for range trials {
				if parts := Segments(along(levels[0], levels[1], at, at), 3, 10); len(parts) == 2 && !parts[0].Ramp && !parts[1].Ramp {
					found++
				}
			}
			require.GreaterOrEqual(t, found, trials*96/100, "%v, a step at %v", levels, at)
		}
		require.Equal(t, []Segment{{0, 60, true}}, Segments(along(levels[0], levels[1], 0, 60), 3, 10), "all of it")
	}
}

// Autocorrelated noise is not a change.
func TestNoChangeOfNoise(t *testing.T) {
	wrong := 0
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 7))
		var x []float64
		for range 60 {
			last := 0.0
			if len(x) > 0 {
				last = x[len(x)-1] - 100
			}
			x = append(x, 100+0.8*last+0.6*random.NormFloat64())
		}
		if len(Segments(x, 3, 5)) > 1 {
			wrong++
		}
	}
	assert.LessOrEqual(t, wrong, 5)
}
