package stats

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	series := func(n int, of func(i int) float64) (x []float64) {
		for i := range n {
			x = append(x, 100+of(i)+0.5*random.NormFloat64())
		}
		return x
	}
	for _, n := range []int{20, 60, 1440} {
		for _, of := range []float64{-12, -8, 8, 12} {
			require.InDelta(t, of, Drift(series(n, func(i int) float64 { return of * float64(i) / float64(n) })), 1)
			for _, at := range []int{n / 4, n / 2, n * 3 / 4} {
				require.InDelta(t, of, Drift(series(n, func(i int) float64 { return map[bool]float64{true: of}[i >= at] })), 1, "a step of %d at %d", n, at)
			}
		}
		require.InDelta(t, 0, Drift(series(n, func(int) float64 { return 0 })), 1)
	}
	require.Zero(t, Drift(nil))
	require.Zero(t, Drift([]float64{1}))
}
