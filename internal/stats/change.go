package stats

import (
	"math"
	"slices"
)

// Segment is the values From to To (exclusive) of a series: at one level, or along a straight line.
type Segment struct {
	From, To int
	Ramp     bool
}

// Segments splits a series where its mean changes, or where a rise or fall starts and ends. It minimizes exactly, by PELT (R. Killick, P. Fearnhead,
// I. A. Eckley, 2012, "Optimal detection of changepoints with a linear computational cost", Journal of the American Statistical Association 107), the
// squared deviations from the segments' levels and lines plus a penalty per segment. The noise is estimated from the median step between values,
// which a few changes do not move. The penalty is 3 log n times the noise's variance per segment (N. R. Zhang, D. O. Siegmund, 2007, "A modified
// Bayes information criterion with applications to the analysis of comparative genomic hybridization data", Biometrics 63), and log n for each
// further parameter, such as a slope (G. Schwarz, 1978, "Estimating the dimension of a model", Annals of Statistics 6). So a part is a ramp only if
// levels would need more parameters to describe it as well. The first value of a level is such a parameter, too: it is a mix of both levels.
//
// A segment has at least that many values: shorter ones, such as a spike of two minutes or of every other minute, are removed first, by medians over
// twice as many. A change below smallest, in the series' unit, does not count, because autocorrelation makes small changes out of noise.
func Segments(x []float64, least int, smallest float64) []Segment {
	n := len(x)
	whole := []Segment{{0, n, false}}
	if n < 2*least {
		return whole
	}
	steps := make([]float64, 0, n)
	for i := range x[1:] {
		steps = append(steps, math.Abs(x[i+1]-x[i]))
	}
	slices.Sort(steps)
	noise := max(1.4826*steps[len(steps)/2]/math.Sqrt2, smallest/10)
	number := math.Log(float64(n)) * noise * noise
	s := sumsOf(smooth(x, least))
	if parts := s.merge(s.best(least, number, false), smallest); len(parts) == 1 {
		return whole // lines would find more in autocorrelated noise
	}
	return s.merge(s.best(least, number, true), smallest)
}

// sums are running sums of a series, which give the squares of any part.
type sums struct{ y, yy, t, tt, ty []float64 }

func sumsOf(x []float64) *sums {
	of := func() []float64 { return make([]float64, len(x)+1) }
	s := &sums{of(), of(), of(), of(), of()}
	m, middle := Mean(x), float64(len(x))/2 // subtracted first: squares of large numbers lose small ones
	for i, v := range x {
		y, t := v-m, float64(i)-middle
		s.y[i+1], s.yy[i+1] = s.y[i]+y, s.yy[i]+y*y
		s.t[i+1], s.tt[i+1], s.ty[i+1] = s.t[i]+t, s.tt[i]+t*t, s.ty[i]+t*y
	}
	return s
}

// of returns the squares that a level and a line leave in a part, and how much the line rises.
func (s *sums) of(from, to int) (level, line, rise float64) {
	n := float64(to - from)
	y, t := s.y[to]-s.y[from], s.t[to]-s.t[from]
	level = s.yy[to] - s.yy[from] - y*y/n
	ty, tt := s.ty[to]-s.ty[from]-t*y/n, s.tt[to]-s.tt[from]-t*t/n
	return level, level - ty*ty/tt, ty / tt * n
}

// best returns the segments with the smallest cost, if each parameter costs number.
func (s *sums) best(least int, number float64, lines bool) (parts []Segment) {
	n := len(s.y) - 1
	cost := func(from, to int) (c float64, ramp bool) {
		level, line, _ := s.of(from, to)
		if lines && from > 0 && to-from > least {
			rest, _, _ := s.of(from+1, to)
			level = min(level, rest+number)
		}
		if lines && line+number < level {
			return line + number, true
		}
		return level, false
	}
	penalty := 3 * number
	costs, from := make([]float64, n+1), make([]int, n+1)
	for i := range costs {
		costs[i] = math.Inf(1)
	}
	costs[0] = -penalty
	starts := []int{0}
	for to := least; to <= n; to++ {
		if start := to - least; start >= least && start > starts[len(starts)-1] {
			starts = append(starts, start)
		}
		of := make([]float64, len(starts))
		for i, start := range starts {
			c, _ := cost(start, to)
			if of[i] = costs[start] + c; of[i]+penalty < costs[to] {
				costs[to], from[to] = of[i]+penalty, start
			}
		}
		kept := starts[:0]
		for i, start := range starts {
			if to-start < least || of[i] <= costs[to]+penalty {
				kept = append(kept, start)
			}
		}
		if starts = kept; len(starts) == 0 {
			starts = append(starts, from[to])
		}
	}
	for to := n; to > 0; to = from[to] {
		_, ramp := cost(from[to], to)
		parts = append(parts, Segment{from[to], to, ramp})
	}
	slices.Reverse(parts)
	return parts
}

// merge joins segments, the most similar first, whose levels differ by less than smallest. A line that rises by less becomes a level.
func (s *sums) merge(parts []Segment, smallest float64) []Segment {
	for i, p := range parts {
		if _, _, rise := s.of(p.From, p.To); math.Abs(rise) < smallest {
			parts[i].Ramp = false
		}
	}
	mean := func(p Segment) float64 { return (s.y[p.To] - s.y[p.From]) / float64(p.To-p.From) }
	for {
		at, least := 0, smallest
		for i, p := range parts[1:] {
			if d := math.Abs(mean(p) - mean(parts[i])); !p.Ramp && !parts[i].Ramp && d < least {
				at, least = i+1, d
			}
		}
		if at == 0 {
			return parts
		}
		parts[at-1].To = parts[at].To
		parts = slices.Delete(parts, at, at+1)
	}
}

// smooth is the series of medians of the values closer than least: steps and ramps stay, and levels of fewer than least values disappear. At the
// ends, a value is the median of itself, its neighbour and the line through that and the next one (J. W. Tukey, 1977, "Exploratory Data Analysis",
// chapter 7).
func smooth(x []float64, least int) []float64 {
	out, inner := slices.Clone(x), least-1
	for i := inner; i < len(x)-inner; i++ {
		out[i] = middle(x[i-inner : i+least]...)
	}
	for i := inner - 1; i >= 0; i-- {
		out[i] = middle(x[i], out[i+1], 2*out[i+1]-out[i+2])
	}
	for i := len(x) - inner; i < len(x); i++ {
		out[i] = middle(x[i], out[i-1], 2*out[i-1]-out[i-2])
	}
	return out
}

// middle is the median of an odd number of values.
func middle(x ...float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[len(sorted)/2]
}
