package stats

// Drift is how much a series rises from start to end: along a straight line, or in one step, whichever leaves smaller squares. A line through a step
// would rise by one and a half of it. A step must have a quarter of the values on each side: a shorter one is noise.
func Drift(x []float64) float64 {
	n := float64(len(x))
	if n < 2 {
		return 0
	}
	s, m := sumsOf(x), Mean(x)
	all, rest, drift := s.of(0, len(x))
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

// Rise is how much a straight line through a series rises from start to end.
func Rise(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	_, _, rise := sumsOf(x).of(0, len(x))
	return rise
}
