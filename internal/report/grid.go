package report

import (
	"math"
	"slices"
	"time"
)

// grid is evenly spaced values: value i covers step seconds from start+i*step on, in Unix seconds. NaN is no value.
type grid struct {
	start, step int64
	v           []float64
}

func newGrid(start, step int64, n int) *grid {
	g := &grid{start: start, step: step, v: make([]float64, n)}
	for i := range g.v {
		g.v[i] = math.NaN()
	}
	return g
}

func (g *grid) at(i int) time.Time { return time.Unix(g.start+int64(i)*g.step, 0).UTC() }

// within returns the indices of the values that are completely in the window; if there are none, of those that overlap it.
func (g *grid) within(w Window) (from, to int) {
	begin, end := w.Start.Sub(time.Unix(g.start, 0)).Seconds()/float64(g.step), w.End.Sub(time.Unix(g.start, 0)).Seconds()/float64(g.step)
	from, to = int(math.Ceil(begin)), int(math.Floor(end))
	if from >= to {
		from, to = int(math.Floor(begin)), int(math.Ceil(end))
	}
	from = min(max(from, 0), len(g.v))
	return from, max(from, min(to, len(g.v)))
}

// values returns the known values in the window.
func (g *grid) values(w Window) (known []float64) {
	if g == nil {
		return nil
	}
	from, to := g.within(w)
	for _, x := range g.v[from:to] {
		if !math.IsNaN(x) {
			known = append(known, x)
		}
	}
	return known
}

// over applies a statistic to the known values in the window; nil without any.
func (g *grid) over(w Window, statistic func([]float64) float64) *float64 {
	known := g.values(w)
	if len(known) == 0 {
		return nil
	}
	v := statistic(known)
	return &v
}

func (g *grid) scale(by float64) *grid {
	if g != nil {
		for i := range g.v {
			g.v[i] *= by
		}
	}
	return g
}

// combine folds grids into one, value by value, ignoring NaN. The result has the longest step; a grid that cannot be resampled to it is left out.
func combine(grids []*grid, fold func(a, b float64) float64) *grid {
	var out *grid
	step, first, last := int64(0), int64(math.MaxInt64), int64(math.MinInt64)
	for _, g := range grids {
		if g != nil {
			step = max(step, g.step)
		}
	}
	same := make([]*grid, 0, len(grids))
	for _, g := range grids {
		if g = g.resample(step); g != nil && g.step == step {
			same = append(same, g)
			first, last = min(first, g.start), max(last, g.start+int64(len(g.v))*g.step)
		}
	}
	for _, g := range same {
		if out == nil {
			out = newGrid(first, step, int(min((last-first)/step, longest)))
		}
		for i, x := range g.v {
			j := int((g.start + int64(i)*g.step - out.start) / out.step)
			switch {
			case math.IsNaN(x) || j >= len(out.v):
			case math.IsNaN(out.v[j]):
				out.v[j] = x
			default:
				out.v[j] = fold(out.v[j], x)
			}
		}
	}
	return out
}

func add(a, b float64) float64 { return a + b }

// average of grids, value by value.
func average(grids []*grid) *grid {
	sum, count := combine(grids, add), combine(ones(grids), add)
	if sum != nil {
		for i := range sum.v {
			sum.v[i] /= count.v[i]
		}
	}
	return sum
}

func ones(grids []*grid) (out []*grid) {
	for _, g := range grids {
		if g == nil {
			continue
		}
		one := newGrid(g.start, g.step, len(g.v))
		for i, x := range g.v {
			if !math.IsNaN(x) {
				one.v[i] = 1
			}
		}
		out = append(out, one)
	}
	return out
}

// steps are divisors or multiples of a minute, so that any series can be read per minute.
var steps = []int64{1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400}

// series returns at most limit values of a grid: means, or maxima if stat is "max". A nil grid, or one without a value, gives nil.
func (g *grid) series(name, unit, stat string, limit int) *Series {
	if g == nil || !slices.ContainsFunc(g.v, func(x float64) bool { return !math.IsNaN(x) }) {
		return nil
	}
	step := g.step
	for _, s := range steps {
		if step = s; s >= g.step && s%g.step == 0 && (int64(len(g.v))*g.step+s-1)/s < int64(limit) {
			break
		}
	}
	if step < g.step || step%g.step != 0 {
		step = g.step
	}
	out := &Series{Name: name, Unit: unit, Stat: stat, StepSeconds: int(step), Values: Values{}, Low: Values{}, High: Values{}}
	if step == g.step {
		out.Start, out.Values = g.at(0), slices.Clone(Values(g.v))
		return out
	}
	start := g.start - g.start%step
	out.Start = time.Unix(start, 0).UTC()
	n := int((g.start + int64(len(g.v))*g.step - start + step - 1) / step)
	count := make([]float64, n)
	for range n {
		out.Values, out.Low, out.High = append(out.Values, math.NaN()), append(out.Low, math.NaN()), append(out.High, math.NaN())
	}
	for i, x := range g.v {
		if math.IsNaN(x) {
			continue
		}
		j := int((g.start + int64(i)*g.step - start) / step)
		if count[j]++; count[j] == 1 {
			out.Values[j], out.Low[j], out.High[j] = x, x, x
			continue
		}
		out.Values[j], out.Low[j], out.High[j] = out.Values[j]+x, min(out.Low[j], x), max(out.High[j], x)
	}
	for j := range out.Values {
		if out.Values[j] /= count[j]; stat == "max" {
			out.Values[j] = out.High[j]
		}
	}
	return out
}

// grid converts a series back.
func (s *Series) grid() *grid {
	if s == nil {
		return nil
	}
	return &grid{start: s.Start.Unix(), step: int64(s.StepSeconds), v: s.Values}
}

// resample returns means over a longer step, which must be a multiple of the grid's; otherwise the grid itself.
func (g *grid) resample(step int64) *grid {
	if g == nil || step <= g.step || step%g.step != 0 {
		return g
	}
	start := g.start - g.start%step
	out := newGrid(start, step, int((g.start+int64(len(g.v))*g.step-start+step-1)/step))
	count := make([]float64, len(out.v))
	for i, x := range g.v {
		if math.IsNaN(x) {
			continue
		}
		j := (g.start + int64(i)*g.step - start) / step
		if count[j]++; count[j] == 1 {
			out.v[j] = 0
		}
		out.v[j] += x
	}
	for j := range out.v {
		out.v[j] /= count[j] // NaN stays NaN
	}
	return out
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func total(x []float64) float64 { return mean(x) * float64(len(x)) }

func deviation(x []float64) float64 {
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(max(1, len(x)-1)))
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 1 {
		return s[n/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

func lowest(x []float64) float64  { return slices.Min(x) }
func highest(x []float64) float64 { return slices.Max(x) }

// share of the values for which a condition holds, in percent.
func share(x []float64, holds func(float64) bool) float64 {
	n := 0
	for _, v := range x {
		if holds(v) {
			n++
		}
	}
	return 100 * float64(n) / float64(len(x))
}

func positive(v float64) bool { return v > 0 }
