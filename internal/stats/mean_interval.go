package stats

import "math"

// mostBatches are enough for the variance of a series, and few enough that their means have a simple autocorrelation, whatever the noise within them
// (B. Schmeiser, 1982, "Batch size effects in the analysis of simulation output", Operations Research 30, finds no use in more than 30).
const mostBatches = 30

// Within is half the 95 % interval of the mean of an endless series of which x is a part, by the noise in x alone. Autocorrelated values count for
// fewer (H. J. Thiébaux, F. W. Zwiers, 1984, "The interpretation and estimation of effective sample size", Journal of Climate and Applied Meteorology
// 23): by the correlation of each batch's mean with the next, corrected for its bias in short series (M. G. Kendall, 1954, "Note on bias in the
// estimation of autocorrelation", Biometrika 41). It is unknown if they count for fewer than two.
func Within(x []float64) (half float64, known bool) {
	size := (len(x) + mostBatches - 1) / mostBatches
	var batches []float64
	for i := 0; i+size <= len(x) && size > 0; i += size {
		batches = append(batches, Mean(x[i:i+size]))
	}
	n := float64(len(batches))
	if n < 10 {
		return 0, false
	}
	m, square, next := Mean(batches), 0.0, 0.0
	for i, v := range batches {
		if square += (v - m) * (v - m); i > 0 {
			next += (v - m) * (batches[i-1] - m)
		}
	}
	if square == 0 {
		return 0, true
	}
	follows := min(1, max(0, (n*next/square+1)/(n-3)))
	each, power := 1.0, 1.0 // how many batches count for one
	for i := 1.0; i < n; i++ {
		power *= follows
		each += 2 * (1 - i/n) * power
	}
	if n/each < 2 {
		return 0, false
	}
	return Quantile(0.975, n/each-1) * math.Sqrt(square/(n-each)*each/n), true
}
