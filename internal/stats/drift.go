package stats

// Drift is how much a series rises from its start to its end: by a straight line through it, or by one step, whichever leaves smaller squares. A line
// through a step would make one and a half of it. A step has a quarter of the values on each side: what is shorter is noise.
func Drift(x []float64) float64 {
	n := float64(len(x))
	m := Mean(x)
	up, square, all := 0.0, 0.0, 0.0
	for i, y := range x {
		t := float64(i) - (n-1)/2
		up, square, all = up+t*(y-m), square+t*t, all+(y-m)*(y-m)
	}
	if square == 0 {
		return 0
	}
	drift, rest := up/square*n, all-up*up/square
	before := 0.0
	for i := 1; i < len(x); i++ {
		before += x[i-1] - m
		left, right := float64(i), n-float64(i)
		if left < n/4 || right < n/4 {
			continue
		}
		if height := -before/right - before/left; all-height*height*left*right/n < rest {
			drift, rest = height, all-height*height*left*right/n
		}
	}
	return drift
}
