package page

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// look is a variant's style on all charts: there are more variants than colours.
func look(variant int, first, second chart.Style) (color int, style chart.Style) {
	if variant/chart.Colors%2 == 1 {
		first = second
	}
	return variant%chart.Colors + 1, first
}

// Variants are the variants that have a run, in the same order on the whole page.
func (c campaign) Variants() (names []string) {
	if len(c.A.Comparison.Names) > 0 {
		return c.A.Comparison.Names
	}
	for _, r := range c.A.Runs { // without a baseline there is no comparison
		if !slices.Contains(names, r.Variant) {
			names = append(names, r.Variant)
		}
	}
	return names
}

// Prices is the chart of variants by price and throughput, with the frontier: the most throughput for a price per hour, or less.
func (c campaign) Prices() *chart.Chart {
	out := &chart.Chart{ID: "prices", Title: "Throughput against the cache's price", Unit: "operations/s", X: chart.Quantity, XUnit: "USD an hour",
		Note: "The line is the frontier: the most throughput for so much an hour, or less."}
	var frontier []report.Ranked
	var unpriced []string
	highestPrice := 0.0
	for i, v := range c.Variants() {
		at := slices.IndexFunc(c.A.Ranking, func(r report.Ranked) bool { return r.Variant == v })
		if at < 0 || c.A.Ranking[at].OpsPerSecond == nil {
			continue
		}
		r := c.A.Ranking[at]
		if r.CacheUSDPerHour == nil {
			unpriced = append(unpriced, v)
			continue
		}
		if r.Frontier {
			frontier = append(frontier, r)
		}
		highestPrice = max(highestPrice, *r.CacheUSDPerHour)
		color, style := look(i, chart.Dots, chart.Rings)
		out.Series = append(out.Series, chart.Series{Name: v, X: []float64{*r.CacheUSDPerHour}, Y: []float64{*r.OpsPerSecond}, Style: style, Color: color})
	}
	if len(unpriced) > 0 {
		out.Note += " Without a price an hour: " + strings.Join(unpriced, ", ") + "."
	}
	slices.SortFunc(frontier, func(a, b report.Ranked) int { return cmp.Compare(*a.CacheUSDPerHour, *b.CacheUSDPerHour) })
	s := chart.Series{Name: "frontier", Style: chart.Dashed, Color: chart.Colors}
	for i, r := range frontier {
		if i > 0 {
			s.X, s.Y = append(s.X, *r.CacheUSDPerHour), append(s.Y, s.Y[len(s.Y)-1])
		}
		s.X, s.Y = append(s.X, *r.CacheUSDPerHour), append(s.Y, *r.OpsPerSecond)
	}
	if n := len(s.Y); n > 0 && (n > 1 || highestPrice > s.X[0]) {
		s.X, s.Y = append(s.X, highestPrice), append(s.Y, s.Y[n-1])
		out.Series = append(out.Series, s)
	}
	return out
}

// fewAreas is the number of variants up to which their areas can be told apart.
const fewAreas = 3

// OverTime are charts of the variants' throughput and latency since the load's start, each the mean of its runs.
func (c campaign) OverTime() []*chart.Chart {
	throughput := &chart.Chart{ID: "throughput", Title: "Throughput", Unit: "operations/s", X: chart.Elapsed, Note: "Each line is the mean of a variant's runs."}
	latency := &chart.Chart{ID: "latency", Title: "Mean latency", Unit: "ms", X: chart.Elapsed}
	if few := len(c.A.Comparison.Groups) <= fewAreas; few && len(c.A.Comparison.Runs) > len(c.A.Comparison.Groups) {
		throughput.Note += " The area reaches from its lowest run to its highest."
	}
	for g, runs := range c.A.Comparison.Groups {
		color, style := look(g, chart.Solid, chart.Dashed)
		for _, of := range []struct {
			to   *chart.Chart
			from []*report.Series
		}{{throughput, c.A.Comparison.Throughput}, {latency, c.A.Comparison.MeanLatency}} {
			s := overRuns(of.from, runs)
			if s.Name = c.A.Comparison.Names[g]; len(c.A.Comparison.Groups) > fewAreas {
				s.Low, s.High = nil, nil
			}
			of.to.Series = append(of.to.Series, colored(color, style, s))
		}
	}
	return []*chart.Chart{throughput, latency}
}

// overRuns is the mean of several series at each time since their starts, with the lowest and the highest value.
func overRuns(all []*report.Series, runs []int) (s chart.Series) {
	step := 0
	for _, i := range runs {
		if of := all[i]; of != nil {
			step = max(step, of.StepSeconds)
		}
	}
	at := map[int][]float64{}
	for _, i := range runs {
		of := all[i]
		if of == nil {
			continue
		}
		within := map[int][]float64{} // a run can have several values per step
		for j, v := range of.Values {
			if !math.IsNaN(v) {
				k := j * of.StepSeconds / step
				within[k] = append(within[k], v)
			}
		}
		for k, values := range within {
			at[k] = append(at[k], mean(values))
		}
	}
	s.Step = float64(step)
	for _, k := range slices.Sorted(maps.Keys(at)) {
		s.X, s.Y = append(s.X, float64(k*step)), append(s.Y, mean(at[k]))
		s.Low, s.High = append(s.Low, slices.Min(at[k])), append(s.High, slices.Max(at[k]))
	}
	return s
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}

// Points is the chart of all runs by round, each compared with its variant's mean, so that outliers and drift show although variants differ.
func (c campaign) Points() *chart.Chart {
	out := &chart.Chart{ID: "points", Title: c.Kind.Label + " of every run, against its variant's mean", Unit: "%", X: chart.Ordinal}
	most := 0
	var limited []string
	for _, r := range c.A.Runs {
		if most = max(most, r.Round); r.GeneratorLimited {
			limited = append(limited, fmt.Sprintf("%s in round %d", r.Variant, r.Round))
		}
	}
	if len(limited) > 0 {
		out.Note = "The load generator was at its limit: " + strings.Join(limited, ", ") + "."
	}
	for i := range most {
		out.Names = append(out.Names, fmt.Sprintf("round %d", i+1))
	}
	names := c.Variants()
	for i, v := range names {
		var rounds, values []float64
		for _, r := range c.A.Runs {
			if r.Variant == v && r.Value != nil {
				rounds, values = append(rounds, float64(r.Round-1)), append(values, *r.Value)
			}
		}
		s := chart.Series{Name: v}
		s.Color, s.Style = look(i, chart.Dots, chart.Rings)
		aside := 0.7 * ((float64(i)+0.5)/float64(len(names)) - 0.5) // beside each other within their round
		for j, value := range values {
			if m := mean(values); m != 0 {
				s.X, s.Y = append(s.X, rounds[j]+aside), append(s.Y, 100*(value/m-1))
			}
		}
		out.Series = append(out.Series, s)
	}
	return out
}
