package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// statistic reads a period's samples; ok is false where it does not exist for them.
type statistic func(sample) (value float64, ok bool)

var plain = map[string]statistic{
	"SampleCount": func(p sample) (float64, bool) { return p.n, true },
	"Sum":         func(p sample) (float64, bool) { return p.sum, true },
	"Average":     func(p sample) (float64, bool) { return p.sum / p.n, p.n > 0 },
	"Minimum":     func(p sample) (float64, bool) { return p.min, true },
	"Maximum":     func(p sample) (float64, bool) { return p.max, true },
}

// parseStatistic reads a statistic's name: one of the five, or p0 to p100 with up to ten decimals.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
func parseStatistic(name string) (statistic, error) {
	if f, ok := plain[name]; ok {
		return f, nil
	}
	if digits, ok := strings.CutPrefix(name, "p"); ok {
		_, decimals, _ := strings.Cut(digits, ".")
		if p, err := strconv.ParseFloat(digits, 64); err == nil && p >= 0 && p <= 100 && len(decimals) <= 10 && !strings.ContainsAny(digits, "eE+-") {
			return percentile(p), nil
		}
	}
	return nil, validation("%s is not a statistic that localaws serves: take SampleCount, Sum, Average, Minimum, Maximum or p0 to p100", name)
}

func percentile(p float64) statistic {
	return func(s sample) (float64, bool) {
		raw, ok := s.raw()
		if !ok || s.min < 0 { // not for negative values
			return 0, false
		}
		values := slices.SortedFunc(slices.Values(raw), func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
		rank := math.Max(1, math.Ceil(p/100*s.n))
		for _, v := range values {
			if rank -= v.count; rank <= 0 {
				return v.value, true
			}
		}
		return s.max, true
	}
}

var units = []string{"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
	"Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
	"Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
	"Gigabits/Second", "Terabits/Second", "Count/Second", "None"}

func checkUnit(u *string) (string, error) {
	if u == nil || *u == "" {
		return "", nil
	}
	if !slices.Contains(units, *u) {
		return "", invalidValue("The value %s for parameter Unit is invalid: it must be one of %s.", *u, strings.Join(units, ", "))
	}
	return *u, nil
}

// checkPeriod: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
func checkPeriod(member string, p int) error {
	if slices.Contains([]int{1, 5, 10, 20, 30}, p) || p > 0 && p%60 == 0 {
		return nil
	}
	return validation("The value %d for parameter %s is invalid: it must be 1, 5, 10, 20, 30 or a multiple of 60.", p, member)
}

// roundStart moves a start back as GetMetricData documents it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func roundStart(start, now time.Time, period int) time.Time {
	age, to := now.Sub(start), time.Minute
	switch {
	case age > 63*24*time.Hour:
		to = time.Hour
	case age > 15*24*time.Hour:
		to = 5 * time.Minute
	case period < 60:
		to = time.Duration(period) * time.Second
	}
	return start.Truncate(to)
}
