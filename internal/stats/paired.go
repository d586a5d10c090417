package stats

import (
	"math"
	"slices"
	"sort"
)

// most is the limit of the search for a number of rounds: nobody pays for more.
const most = 10_000

// Paired compares a variant's runs with the baseline's runs of the same rounds. Effects that a round shares, such as the hour and the neighbours,
// cancel out: randomized complete blocks, D. C. Montgomery, "Design and Analysis of Experiments", chapter 4.
type Paired struct {
	Change
	Rounds    int
	Deviation float64 // of the rounds' differences, in percent
	Apart     *Apart  // nil: none
}

// Apart describes the rounds without an outlier, as when a run had a bad host; the outlier is most of their deviation.
type Apart struct {
	Percent, Deviation float64 // of the others
	Away               float64 // the outlier's distance from their mean, as a logarithm
}

// ComparePaired applies Student's t-test to the rounds' differences of logarithms: a[i] and b[i] are the runs of one round. It needs two rounds and
// values above 0; else ok is false.
func ComparePaired(a, b []float64) (c Paired, ok bool) {
	x, ok := logs(a)
	y, too := logs(b)
	if !ok || !too || len(x) != len(y) || len(x) < 2 {
		return c, false
	}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = y[i] - x[i]
	}
	variance := Variance(d)
	c.Change = change(Mean(d), math.Sqrt(variance/float64(len(d))), float64(len(d)-1))
	c.Rounds, c.Deviation, c.Apart = len(d), percent(math.Sqrt(variance)), apart(d)
	return c, true
}

// apart finds an outlier among the differences, by Student's t-test of each against the others at 1 %, divided by their number (F. E. Grubbs, 1969,
// "Procedures for detecting outlying observations in samples", Technometrics 11). It needs four or more.
func apart(d []float64) (found *Apart) {
	n := float64(len(d))
	if n < 4 {
		return nil
	}
	least := Quantile(1-0.005/n, n-2)
	for i, x := range d {
		others := append(slices.Clone(d[:i]), d[i+1:]...)
		deviation, away := math.Sqrt(Variance(others)), x-Mean(others)
		if t := math.Abs(away) / (deviation * math.Sqrt(1+1/(n-1))); t > least {
			least, found = t, &Apart{percent(Mean(others)), percent(deviation), away}
		}
	}
	return found
}

// Typical is the change in percent without an outlier.
func (c Paired) Typical() float64 {
	if c.Apart != nil {
		return c.Apart.Percent
	}
	return c.Percent
}

// Needs is Rounds, predicted from these rounds. An outlier remains the only one as rounds are added, so its effect on mean and deviation is divided
// among them. Counted as every round's noise, it made the number 4 to 17 times as large.
func (c Paired) Needs(change float64, comparisons int) int {
	if c.Apart == nil || change == 0 || change <= -100 || c.Rounds >= most {
		return Rounds(change, c.Deviation, c.Rounds, comparisons)
	}
	s, away, wanted := math.Log1p(c.Apart.Deviation/100), math.Abs(c.Apart.Away), math.Abs(math.Log1p(change/100))
	variance := s * s / lowest(float64(c.Rounds-2))
	return c.Rounds + sort.Search(most-c.Rounds, func(more int) bool {
		n := float64(c.Rounds + more)
		return wanted-away/n >= margin(n-1, comparisons)*math.Sqrt((variance+away*away/n)/n)
	})
}

// Different reports whether the change counts, if its p is q after correction for the comparisons: "no change" is unlikely, and a change of Smallest
// is not excluded. (A true change of exactly Smallest would be measured below it in half of all campaigns, however many rounds they have.)
func (c Paired) Different(q float64) bool {
	return q < 0.05 && max(math.Abs(c.Interval[0]), math.Abs(c.Interval[1])) >= Smallest
}

// change converts a difference of logarithms and its standard error.
func change(delta, se, freedom float64) (c Change) {
	c.Percent = percent(delta)
	if se == 0 {
		c.Interval = Interval{c.Percent, c.Percent}
		if delta == 0 {
			c.P = 1
		}
		return c
	}
	half := Quantile(0.975, freedom) * se
	c.Interval, c.P = Interval{percent(delta - half), percent(delta + half)}, 2*tail(math.Abs(delta)/se, freedom)
	return c
}

// Detectable is the smallest change in percent that the rounds detect with 80 % power, given the deviation of their differences in percent, if the
// comparisons share the 5 %; it is at least Smallest. It is infinite for fewer than two rounds.
func Detectable(deviation float64, rounds, comparisons int) float64 {
	if rounds < 2 {
		return math.Inf(1)
	}
	return max(Smallest, percent(margin(float64(rounds-1), comparisons)*math.Log1p(deviation/100)/math.Sqrt(float64(rounds))))
}

// Rounds is the total number of rounds that detect a change, in percent, with 80 % power, given the deviation of the rounds so far. The deviation of
// few rounds is uncertain, so its upper 80 % limit is used: the prediction is enough in 80 % of campaigns (R. H. Browne, 1995, "On the use of a pilot
// sample for sample size determination", Statistics in Medicine 14). It is soFar if these are enough, and 0 if there is no number: no change, or
// fewer than two rounds.
func Rounds(change, deviation float64, soFar, comparisons int) int {
	if change == 0 || change <= -100 || soFar < 2 || soFar >= most {
		return 0
	}
	lower, ratio := lowest(float64(soFar-1)), math.Log1p(deviation/100)/math.Log1p(change/100)
	return soFar + sort.Search(most-soFar, func(more int) bool {
		m := margin(float64(soFar+more-1), comparisons)
		return float64(soFar+more) >= m*m*ratio*ratio/lower
	})
}

// lowest is the 20 % quantile of chi-square over its degrees of freedom, by E. B. Wilson and M. M. Hilferty (1931).
func lowest(freedom float64) float64 {
	return math.Pow(1-2/(9*freedom)-0.8416*math.Sqrt(2/(9*freedom)), 3)
}

// margin is how many standard errors a change must have for 80 % power at 5 %, divided by the comparisons: that is the threshold of Holm's smallest
// p. The test statistic is then noncentral t: (Z + margin)/S, where Z is normal and freedom S^2 is chi-square. With few rounds S is uncertain, which
// the sum of two quantiles of t ignores: it gave 69 to 79 %.
func margin(freedom float64, comparisons int) float64 {
	critical := Quantile(1-0.025/float64(max(1, comparisons)), freedom)
	if freedom > 200 {
		return critical + Quantile(0.8, freedom) // S is known
	}
	low, high := 0.0, 4*critical+4
	for range 30 {
		middle := (low + high) / 2
		if power(middle, critical, freedom) < 0.8 {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// power is the probability of a statistic above critical, by the trapezoidal rule over S.
func power(margin, critical, freedom float64) (p float64) {
	const steps = 100
	from, to := max(0, 1-8/math.Sqrt(2*freedom)), 1+8/math.Sqrt(2*freedom)
	gamma, _ := math.Lgamma(freedom / 2)
	scale := math.Ln2 + freedom/2*math.Log(freedom/2) - gamma
	for i := range steps {
		s := from + (to-from)*(float64(i)+0.5)/steps
		density := math.Exp(scale + (freedom-1)*math.Log(s) - freedom*s*s/2)
		p += density * (to - from) / steps * 0.5 * math.Erfc((critical*s-margin)/math.Sqrt2)
	}
	return p
}
