package report

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Rounds differ more than the variants do: the difference is found within rounds, but not between groups.
func TestRunsAreComparedWithinRounds(t *testing.T) {
	base, faster := repeats(t, 10_000, 400, 0.9, 1, 1.1), repeats(t, 10_500, 400, 0.903, 1, 1.098)
	require.Equal(t, WithinNoise, cell(t, CompareGroups([][]*Results{base, faster}), "ops_per_second").Direction)
	c := CompareRounds([][]*Results{base, faster}, [][]int{{1, 2, 3}, {1, 2, 3}}, "ops_per_second")
	holds(t, c)
	require.Equal(t, withinRounds, c.Method)
	ops := cell(t, c, "ops_per_second")
	require.Equal(t, BetterThan, ops.Direction)
	require.InDelta(t, 5, *ops.DeltaPercent, 0.2)
	require.Nil(t, ops.MoreRounds)
	require.InDelta(t, 2, *ops.Detectable, 1e-9, "what is smaller does not count")

	// Rounds that only one of the two has do not count, whatever the order of the runs.
	mixed := []*Results{faster[2], faster[0], faster[1]}
	again := CompareRounds([][]*Results{append(base, base[0]), mixed}, [][]int{{1, 2, 3, 4}, {3, 1, 2}}, "ops_per_second")
	require.InDelta(t, *ops.DeltaPercent, *cell(t, again, "ops_per_second").DeltaPercent, 1e-9)
	one := cell(t, CompareRounds([][]*Results{base, faster[:1]}, [][]int{{1, 2, 3}, {2}}, "ops_per_second"), "ops_per_second")
	require.Equal(t, NotTested, one.Direction)
	none := cell(t, CompareRounds([][]*Results{base, faster}, [][]int{{1, 2, 3}, {4, 5, 6}}, "ops_per_second"), "ops_per_second")
	require.Equal(t, NotComparable, none.Direction)
}

// With a true difference of exactly 2 %, half of all campaigns would measure less: a difference counts if its interval includes 2 %.
func TestADifferenceAtTheBoundCounts(t *testing.T) {
	base := repeats(t, 10_000, 400, 0.9, 1, 1.1)
	for _, c := range []struct {
		factor float64
		counts bool
	}{{1.0195, true}, {1.012, false}} {
		group := repeats(t, 10_000, 400, 0.9*c.factor*1.001, c.factor, 1.1*c.factor*0.999)
		ops := cell(t, CompareRounds([][]*Results{base, group}, [][]int{{1, 2, 3}, {1, 2, 3}}, "ops_per_second"), "ops_per_second")
		require.Less(t, *ops.P, 0.05)
		require.Less(t, *ops.DeltaPercent, 2.0)
		require.Equal(t, c.counts, ops.Direction == BetterThan, "%+v", *ops.Interval)
	}
}

// A round with a run in trouble is left out and reported; if every round has trouble, nothing is compared.
func TestARoundWithTroubleIsLeftOut(t *testing.T) {
	base, faster := repeats(t, 10_000, 400, 0.9, 1, 1.1), repeats(t, 10_500, 400, 0.903, 1, 1.098)
	faster[1].Verdict.Limits = []string{"load_generator"}
	compared := func() Compared {
		return cell(t, CompareRounds([][]*Results{base, faster}, [][]int{{1, 2, 3}, {1, 2, 3}}, "ops_per_second"), "ops_per_second")
	}
	one := compared()
	require.Equal(t, "1 of 3 rounds are left out for their runs' trouble", one.Why)
	require.InDelta(t, 5, *one.DeltaPercent, 0.3)
	require.NotNil(t, one.P)
	faster[0].Verdict.Limits, faster[2].Verdict.Limits = faster[1].Verdict.Limits, faster[1].Verdict.Limits
	require.Equal(t, NotComparable, compared().Direction)
}

// An undecided comparison says how many more rounds would decide it.
func TestMoreRoundsAreSaid(t *testing.T) {
	base, same := repeats(t, 10_000, 400, 0.97, 1, 1.03), repeats(t, 10_000, 400, 1.03, 0.98, 1)
	ops := cell(t, CompareRounds([][]*Results{base, same}, [][]int{{1, 2, 3}, {1, 2, 3}}, "ops_per_second"), "ops_per_second")
	require.Equal(t, WithinNoise, ops.Direction)
	require.Greater(t, *ops.MoreRounds, 3)
	require.Greater(t, *ops.Detectable, 5.0)
}
