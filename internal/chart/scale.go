package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// tick is one label of an axis, at a share of its length.
type tick struct {
	at    float64
	label string
	minor bool // dropped where there is little room
}

// scale maps values to shares of an axis.
type scale struct {
	low, high float64 // as mapped by to
	to        func(float64) float64
}

func same(v float64) float64 { return v }

// nines turns a percentile into the number of its nines: 90 is 1, 99 is 2.
func nines(q float64) float64 { return -math.Log10(1 - q/100) }

func (s scale) share(v float64) float64 {
	if s.high == s.low {
		return 0.5
	}
	return (s.to(v) - s.low) / (s.high - s.low)
}

// nice is the smallest of 1, 2, 2.5 and 5 times a power of ten that is not below v.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// yScale begins at 0, or on a logarithmic axis at 1, 2 or 5 times a power of ten, and ends at a round number.
func yScale(low, high float64, log bool) (scale, []tick) {
	var ticks []tick
	if log {
		s := scale{to: math.Log10}
		power := math.Floor(math.Log10(low))
		wide := math.Log10(high)-power > 3 // then the decades alone are labels enough
		var marks []float64
		for top := 0.; top < high*(1-1e-9) || len(marks) < 2; power++ {
			for _, m := range []float64{1, 2, 5} {
				switch v := m * math.Pow(10, power); {
				case v <= low*(1+1e-9):
					marks, top = []float64{v}, v // the last one below the lowest value begins the axis
				case (m == 1 || !wide) && (top < high*(1-1e-9) || len(marks) < 2):
					marks, top = append(marks, v), v
				}
			}
		}
		s.low, s.high = math.Log10(marks[0]), math.Log10(marks[len(marks)-1])
		for i, v := range marks {
			if i == 0 && len(marks) > 2 && s.share(marks[1]) < 0.08 {
				continue // its label would overlap the next one
			}
			ticks = append(ticks, tick{at: s.share(v), label: Number(v)})
		}
		return s, ticks
	}
	low = min(low, 0)
	if high <= low {
		high = low + 1
	}
	step := nice((high - low) / 5)
	s := scale{low: math.Floor(low/step+1e-9) * step, high: math.Ceil(high/step-1e-9) * step, to: same}
	n := math.Round((s.high - s.low) / step)
	for i := 0.; i <= n; i++ {
		v := s.low + i*step
		ticks = append(ticks, tick{at: s.share(v), label: Number(v)})
	}
	return s, ticks
}

var steps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400}

// xScale is the axis of c from low to high.
func (c *Chart) xScale(low, high float64) (scale, []tick) {
	switch c.X {
	case Percentile:
		s := scale{low: nines(low), high: nines(high), to: nines}
		var ticks []tick
		for i, q := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
			if at := s.share(q); at > -1e-9 && at <= 1+1e-9 {
				if i == 1 && at-s.share(low) < 0.08 {
					continue // its name would cover the one before it
				}
				ticks = append(ticks, tick{at: at, label: "p" + strconv.FormatFloat(q, 'g', -1, 64), minor: i == 1 || q == 99.99 && high > 99.995 || q == 99.999 && high >= 99.9999})
			}
		}
		return s, ticks
	case Ordinal:
		s := scale{low: -0.5, high: float64(len(c.Names)) - 0.5, to: same}
		every := max(1, (len(c.Names)+7)/8)
		var ticks []tick
		for i := 0; i < len(c.Names); i += every {
			ticks = append(ticks, tick{at: s.share(float64(i)), label: c.Names[i], minor: i/every%2 == 1})
		}
		return s, ticks
	}
	if c.X == Quantity {
		s, ticks := yScale(0, high, false)
		for i := range ticks {
			ticks[i].minor = i%2 != 0
		}
		return s, ticks
	}
	if high <= low {
		high = low + 1
	}
	s := scale{low: low, high: high, to: same}
	step := steps[len(steps)-1]
	for i := len(steps) - 1; i >= 0 && (high-low)/steps[i] <= 8; i-- {
		step = steps[i]
	}
	var ticks []tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, tick{at: s.share(i * step), label: c.moment(i*step, step), minor: int64(i)%2 != 0})
	}
	return s, ticks
}

// moment writes a place on a time axis whose ticks are step seconds apart.
func (c *Chart) moment(v, step float64) string {
	if c.X == Elapsed {
		d := time.Duration(v) * time.Second
		switch {
		case step < 60:
			return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
		case step < 3600:
			return fmt.Sprintf("%d min", int(d.Minutes()))
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	t := time.Unix(int64(v), 0).UTC()
	switch {
	case step < 60:
		return t.Format("15:04:05")
	case step >= 86400 || t.Hour() == 0 && t.Minute() == 0:
		return t.Format("2 Jan")
	}
	return t.Format("15:04")
}

// Number writes v with three significant digits and, from 1,000 on, a metric prefix: 53929 is "53.9 k".
func Number(v float64) string {
	if !finite(v) {
		return "–"
	}
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T", "P"} {
		if math.Abs(v) < 999.5 {
			break
		}
		v, prefix = v/1000, " "+p
	}
	decimals := 0
	if a := math.Abs(v); a > 0 && a < 99.95 {
		decimals = min(2-int(math.Floor(math.Log10(a*1.0005))), 6)
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		s = "0"
	}
	return s + prefix
}

// WithUnit writes v as Number does, with its unit: "53.9 kbit/s" and "12.5 %".
func WithUnit(v float64, unit string) string {
	n := Number(v)
	if unit == "" || n == "–" {
		return n
	}
	last := n[len(n)-1]
	if prefixable[unit] && last > '9' {
		return n + unit
	}
	return n + " " + unit
}

// prefixable units take a metric prefix directly.
var prefixable = map[string]bool{"B": true, "B/s": true, "bit/s": true}
