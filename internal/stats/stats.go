// Package stats decides whether runs differ, and where a series changes. Its functions are pure; tests verify their error rates by simulation.
//
// A run is one repetition. The minutes within it are not, because they share a host, a placement and a network path, so they vary together.
package stats

import (
	"math"
	"slices"
)

// Interval is a 95 % confidence interval.
type Interval [2]float64

// Change compares runs b with runs a.
type Change struct {
	Percent  float64  // geometric mean of b over that of a, minus 1
	Interval Interval // 95 % of Percent, not corrected for other figures
	P        float64  // two-sided, for no difference
}

// Smallest is the smallest change in percent that is reported, however certain it is: hosts and placements alone move a result by more.
const Smallest = 2.0

// Compare applies Student's t-test to the logarithms of two groups of runs; to groups of different sizes Welch's (B. L. Welch, 1947, "The
// generalization of 'Student's' problem when several different population variances are involved", Biometrika 34). For equal sizes both have the same
// standard error, and Welch's degrees of freedom make intervals of three runs too wide: they cover the truth in over 97 %. With logarithms the
// interval is exactly that of the ratio. It needs two runs a side and values above 0; else ok is false.
func Compare(a, b []float64) (c Change, ok bool) {
	if len(a) < 2 || len(b) < 2 {
		return c, false
	}
	x, ok := logs(a)
	y, too := logs(b)
	if !ok || !too {
		return c, false
	}
	v, w := Variance(x)/float64(len(x)), Variance(y)/float64(len(y))
	delta, se := Mean(y)-Mean(x), math.Sqrt(v+w)
	freedom := float64(len(x) + len(y) - 2)
	if len(x) != len(y) && se > 0 {
		freedom = (v + w) * (v + w) / (v*v/float64(len(x)-1) + w*w/float64(len(y)-1))
	}
	return change(delta, se, freedom), true
}

// Different reports whether a change counts: it is at least Smallest, and p, corrected for the number of figures, is below 5 %.
func (c Change) Different(p float64) bool { return p < 0.05 && math.Abs(c.Percent) >= Smallest }

func logs(x []float64) (out []float64, ok bool) {
	for _, v := range x {
		if !(v > 0) || math.IsInf(v, 0) {
			return nil, false
		}
		out = append(out, math.Log(v))
	}
	return out, true
}

func percent(log float64) float64 { return 100 * math.Expm1(log) }

// GeometricMean is NaN if a value is not above 0.
func GeometricMean(x []float64) float64 {
	l, ok := logs(x)
	if !ok || len(l) == 0 {
		return math.NaN()
	}
	return math.Exp(Mean(l))
}

// Holm corrects p for the number of tests (S. Holm, 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
// Statistics 6): with a threshold of 5 %, at most 5 % of families without a difference have a significant one.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return i - j
	})
	out, highest := make([]float64, len(p)), 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(len(p)-rank)))
		out[i] = highest
	}
	return out
}

// Runs is how many runs a side detect a change, in percent, with 80 % power at 5 %, divided by the comparisons as in Holm's correction, given the
// deviation between runs in percent.
func Runs(change, deviation float64, comparisons int) int {
	change = math.Abs(change)
	for n := 2; n < 1000; n++ {
		t := margin(float64(2*n-2), comparisons)
		if float64(n) >= 2*t*t*(deviation/change)*(deviation/change) {
			return n
		}
	}
	return 1000
}

func Mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Variance of a sample of two or more.
func Variance(x []float64) float64 {
	m, sum := Mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-1)
}

// Quantile of Student's t, for q from 0.5 to below 1, by Newton's method: the tail is convex from 0 on, so it approaches the quantile from below.
func Quantile(q, freedom float64) float64 {
	a, _ := math.Lgamma((freedom + 1) / 2)
	b, _ := math.Lgamma(freedom / 2)
	highest := math.Exp(a-b) / math.Sqrt(freedom*math.Pi)
	t := 0.0
	for range 1000 {
		step := (tail(t, freedom) - (1 - q)) / (highest * math.Pow(1+t*t/freedom, -(freedom+1)/2))
		if t += step; step < 1e-12*(1+t) {
			break
		}
	}
	return t
}

// tail is the probability of a Student's t above t, for t from 0: https://dlmf.nist.gov/8.17 gives it as an incomplete beta function.
func tail(t, freedom float64) float64 {
	if t == 0 {
		return 0.5
	}
	return beta(freedom/(freedom+t*t), freedom/2, 0.5) / 2
}

// beta is the regularized incomplete beta function, by the continued fraction https://dlmf.nist.gov/8.17.E22.
func beta(x, a, b float64) float64 {
	if x <= 0 || x >= 1 {
		return min(max(x, 0), 1)
	}
	if x > (a+1)/(a+b+2) {
		return 1 - beta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log(1-x)) / a
	// Lentz's method
	const tiny = 1e-300
	c, d, f := 1.0, 0.0, 1.0
	for i := range 500 {
		m := float64(i / 2)
		var n float64
		switch {
		case i == 0:
			n = 1
		case i%2 == 0:
			n = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			n = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + n*d; math.Abs(d) < tiny {
			d = tiny
		}
		if c = 1 + n/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		f *= c * d
		if math.Abs(1-c*d) < 1e-14 {
			break
		}
	}
	return front * (f - 1)
}
