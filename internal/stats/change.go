package stats

import (
	"math"
	"slices"
)

// Changes finds where the mean of a series changes: the first index of each segment but the first. It minimizes the squared deviations from the
// segments' means plus a penalty a segment, exactly, by PELT (R. Killick, P. Fearnhead, I. A. Eckley, 2012, "Optimal detection of changepoints with
// a linear computational cost", Journal of the American Statistical Association 107). The noise is the median of the steps from value to value,
// which a few changes do not move, and the penalty 3 log n of it.
//
// A segment has at least so many values: what is shorter, as two minutes of a spike or one of each two, is taken out first, by medians of twice as many. A change smaller than smallest, in the series' unit, does not count: autocorrelation makes small ones of
// nothing.
func Changes(x []float64, least int, smallest float64) []int {
	n := len(x)
	if n < 2*least {
		return nil
	}
	steps := make([]float64, 0, n)
	for i := range x[1:] {
		steps = append(steps, math.Abs(x[i+1]-x[i]))
	}
	slices.Sort(steps)
	x = smooth(x, least)
	sum, square := make([]float64, n+1), make([]float64, n+1)
	m := Mean(x) // taken out first: squares of large numbers lose the small ones
	for i, v := range x {
		sum[i+1], square[i+1] = sum[i]+v-m, square[i]+(v-m)*(v-m)
	}
	cost := func(from, to int) float64 {
		s := sum[to] - sum[from]
		return square[to] - square[from] - s*s/float64(to-from)
	}
	noise := 1.4826 * steps[len(steps)/2] / math.Sqrt2
	noise = max(noise, smallest/10)
	penalty := 3 * math.Log(float64(n)) * noise * noise
	best, from := make([]float64, n+1), make([]int, n+1)
	for i := range best {
		best[i] = math.Inf(1)
	}
	best[0] = -penalty
	starts := []int{0}
	for to := least; to <= n; to++ {
		if s := to - least; s >= least && s > starts[len(starts)-1] {
			starts = append(starts, s)
		}
		for _, s := range starts {
			if c := best[s] + cost(s, to) + penalty; c < best[to] {
				best[to], from[to] = c, s
			}
		}
		starts = slices.DeleteFunc(starts, func(s int) bool { return to-s >= least && best[s]+cost(s, to) > best[to]+penalty })
		if len(starts) == 0 {
			starts = append(starts, from[to])
		}
	}
	var cuts []int
	for at := from[n]; at > 0; at = from[at] {
		cuts = append(cuts, at)
	}
	slices.Reverse(cuts)
	return merge(x, cuts, smallest)
}

// smooth is the series of medians of what is nearer than least: steps stay where they are, and what holds for fewer than least values is gone.
func smooth(x []float64, least int) (out []float64) {
	width := min(2*least-1, len(x))
	for i := range x {
		from := min(max(0, i-least+1), len(x)-width) // at the ends it is not the middle
		near := slices.Sorted(slices.Values(x[from : from+width]))
		out = append(out, (near[(len(near)-1)/2]+near[len(near)/2])/2)
	}
	return out
}

// merge takes out cuts, the smallest first, between segments whose means differ by less than smallest.
func merge(x []float64, cuts []int, smallest float64) []int {
	for len(cuts) > 0 {
		at, least := 0, math.Inf(1)
		for i, c := range cuts {
			before, after := 0, len(x)
			if i > 0 {
				before = cuts[i-1]
			}
			if i+1 < len(cuts) {
				after = cuts[i+1]
			}
			if d := math.Abs(Mean(x[c:after]) - Mean(x[before:c])); d < least {
				at, least = i, d
			}
		}
		if least >= smallest {
			break
		}
		cuts = slices.Delete(cuts, at, at+1)
	}
	if len(cuts) == 0 {
		return nil
	}
	return cuts
}

// Straight tells whether a straight line through a series leaves smaller squares than the means of the segments that the cuts make.
func Straight(x []float64, cuts []int) bool {
	if len(cuts) == 0 {
		return false
	}
	n, m := float64(len(x)), Mean(x)
	up, square, all := 0.0, 0.0, 0.0
	for i, y := range x {
		t := float64(i) - (n-1)/2
		up, square, all = up+t*(y-m), square+t*t, all+(y-m)*(y-m)
	}
	line, steps, from := all-up*up/square, 0.0, 0
	for _, to := range append(slices.Clone(cuts), len(x)) {
		m := Mean(x[from:to])
		for _, y := range x[from:to] {
			steps += (y - m) * (y - m)
		}
		from = to
	}
	return line <= steps
}
