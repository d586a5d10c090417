package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// following is a value per second around 100: noise of 1 with autocorrelation rho, plus white noise.
func following(random *rand.Rand, seconds int, rho, white float64) (x []float64) {
	e := random.NormFloat64()
	for range seconds {
		x = append(x, 100+e+white*random.NormFloat64())
		e = rho*e + math.Sqrt(1-rho*rho)*random.NormFloat64()
	}
	return x
}

// In 92 % of runs or more, the interval of a mean covers the mean of an endless run, or is reported as unknown because the run was too short; in runs
// that are long compared with their noise it is known, and covers in 92 to 98 %.
func TestAMeanIsKnownAsWellAsItsNoiseLets(t *testing.T) {
	const trials = 500
	for _, v := range []struct {
		minutes    int
		rho, white float64
		long       bool
	}{
		{3, 0, 0, true}, {10, 0, 0, true}, {60, 0, 0, true}, {3, 0.9, 0, false}, {10, 0.9, 0, true}, {60, 0.9, 0, true},
		{3, 0.98, 0, false}, {5, 0.98, 0, false}, {10, 0.98, 0, false}, {30, 0.98, 0, true}, {60, 0.98, 0, true}, {10, 0.98, 1, false}, {60, 0.98, 1, true}, {60, 0.995, 1, false},
	} {
		random := rand.New(rand.NewPCG(uint64(v.minutes), uint64(1000*(v.rho+v.white))))
		covered, unknown := 0, 0
		for range trials {
			x := following(random, 60*v.minutes, v.rho, v.white)
			if half, known := Within(x); !known {
				unknown++
			} else if math.Abs(Mean(x)-100) <= half {
				covered++
			}
		}
		t.Logf("%d min, rho %g, white %g: covers %.1f %%, not known %.1f %%", v.minutes, v.rho, v.white, 100*float64(covered)/trials, 100*float64(unknown)/trials)
		assert.GreaterOrEqual(t, float64(covered+unknown)/trials, 0.92, "%+v", v)
		if v.long {
			assert.Zero(t, unknown, "%+v", v)
			assert.LessOrEqual(t, float64(covered)/trials, 0.98, "%+v", v)
		}
	}
	_, known := Within([]float64{1, 2, 3})
	require.False(t, known)
	half, known := Within(make([]float64, 180))
	require.True(t, known && half == 0)
	_, known = Within(nil)
	require.False(t, known)
}
