package loadgen

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func generatorOf(t *testing.T, i int, args string) *generator {
	t.Helper()
	c, err := parse(strings.Fields(args))
	require.NoError(t, err)
	return newGenerator(c, i, 7, valueBytes(c, 7))
}

func TestRatio(t *testing.T) {
	g := generatorOf(t, 0, "--ratio=2:3")
	got := ""
	for range 10 {
		command, _ := g.draw()
		got += string("gs"[command])
	}
	require.Equal(t, "ssgggssggg", got)
}

func TestSequentialKeysAreWalkedByEachCommand(t *testing.T) {
	g := generatorOf(t, 0, "--ratio=1:1 --key-pattern=S:S --key-minimum=3 --key-maximum=5")
	var keys []uint64
	for range 8 {
		_, k := g.draw()
		keys = append(keys, k)
	}
	require.Equal(t, []uint64{3, 3, 4, 4, 5, 5, 3, 3}, keys)
}

func TestParallelKeysAreDividedWithoutGapOrOverlap(t *testing.T) {
	seen := map[uint64]int{}
	for i := range 6 {
		g := generatorOf(t, i, "-t 2 -c 3 --ratio=1:0 --key-pattern=P:P --key-minimum=1 --key-maximum=100")
		for range g.hi - g.lo + 1 {
			_, k := g.draw()
			seen[k]++
		}
	}
	require.Len(t, seen, 100)
	for k, n := range seen {
		require.Equal(t, 1, n, "key %d", k)
	}
}

func TestSeeds(t *testing.T) {
	first := func(i int, args string) (keys [4]uint64) {
		g := generatorOf(t, i, args)
		for j := range keys {
			_, keys[j] = g.draw()
		}
		return keys
	}
	require.Equal(t, first(0, ""), first(1, ""), "clients share a seed by default, as in memtier")
	require.NotEqual(t, first(0, "--distinct-client-seed"), first(1, "--distinct-client-seed"))
}

func TestUniformAndGaussianKeys(t *testing.T) {
	const n = 200_000
	for pattern, want := range map[string]struct{ mean, stddev float64 }{
		"R:R": {550, 900 / math.Sqrt(12)},
		"G:G": {550.5, 900 / 6 * 0.9865}, // cut off at three standard deviations
	} {
		g := generatorOf(t, 0, "--key-minimum=100 --key-maximum=1000 --key-pattern="+pattern)
		sum, squares := 0.0, 0.0
		for range n {
			_, k := g.draw()
			require.True(t, k >= 100 && k <= 1000)
			sum += float64(k)
			squares += float64(k) * float64(k)
		}
		mean := sum / n
		require.InEpsilon(t, want.mean, mean, 0.01, pattern)
		require.InEpsilon(t, want.stddev, math.Sqrt(squares/n-mean*mean), 0.02, pattern)
	}
	g := generatorOf(t, 0, "--key-pattern=G:G --key-median=300 --key-stddev=10 --key-minimum=1 --key-maximum=1000")
	for range 1000 {
		_, k := g.draw()
		require.InDelta(t, 300, k, 60)
	}
}

func TestZipfKeysFollowTheLaw(t *testing.T) {
	const n = 500_000
	for _, exp := range []string{"0.5", "1", "1.5"} {
		g := generatorOf(t, 0, "--key-minimum=1 --key-maximum=1000 --key-pattern=Z:Z --key-zipf-exp="+exp)
		count := [1001]float64{}
		for range n {
			_, k := g.draw()
			require.True(t, k >= 1 && k <= 1000)
			count[k]++
		}
		all := 0.0
		for k := 1; k <= 1000; k++ {
			all += math.Pow(float64(k), -g.cfg.zipfExp)
		}
		for _, k := range []int{1, 2, 3, 10, 50} {
			p := math.Pow(float64(k), -g.cfg.zipfExp) / all
			require.InDelta(t, p, count[k]/n, 5*math.Sqrt(p/n), "exp %s, key %d", exp, k)
		}
	}
}

func TestValues(t *testing.T) {
	require.Equal(t, strings.Repeat("x", 32), string(generatorOf(t, 0, "").value(1)))
	g := generatorOf(t, 0, "--data-size-range=10-20")
	for range 1000 {
		n := len(g.value(1))
		require.True(t, n >= 10 && n <= 20)
	}
	g = generatorOf(t, 0, "--data-size-range=100-200 --data-size-pattern=S --key-minimum=1 --key-maximum=101")
	require.Equal(t, []int{100, 150, 200}, []int{len(g.value(1)), len(g.value(51)), len(g.value(101))})
	g = generatorOf(t, 0, "--data-size-list=10:1,20:3")
	sizes := map[int]int{}
	for range 4000 {
		sizes[len(g.value(1))]++
	}
	require.InDelta(t, 1000, sizes[10], 150)
	require.InDelta(t, 3000, sizes[20], 150)
	g = generatorOf(t, 0, "--random-data")
	require.NotEqual(t, string(g.value(1)), string(g.value(1)))
	g = generatorOf(t, 0, "--expiry-range=5-6")
	require.Contains(t, []int{5, 6}, g.expiry())
}

func TestSlot(t *testing.T) {
	// From redis-cli CLUSTER KEYSLOT.
	for key, want := range map[string]int{"123456789": 12739, "foo": 12182, "{user1000}.following": 3443, "foo{}{bar}": 8363, "": 0} {
		require.Equal(t, want, slot([]byte(key)), key)
	}
}
