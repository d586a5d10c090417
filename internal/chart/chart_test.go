package chart

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.5: "0.5", 0.0123456: "0.0123", 12.345: "12.3", 99.97: "100", 999.4: "999", 999.6: "1 k", 53929: "53.9 k",
		1.25e9: "1.25 G", -2500: "-2.5 k", -0.000000001: "0", math.Inf(1): "–"} {
		require.Equal(t, want, Number(v), "%g", v)
	}
	require.Equal(t, "62.5 Mbit/s", WithUnit(62.5e6, "bit/s"))
	require.Equal(t, "12 bit/s", WithUnit(12, "bit/s"))
	require.Equal(t, "53.9 k operations/s", WithUnit(53929, "operations/s"))
	require.Equal(t, "7", WithUnit(7, ""))
}

func labels(ticks []tick) (all []string) {
	for _, tick := range ticks {
		all = append(all, tick.label)
	}
	return all
}

func TestScales(t *testing.T) {
	s, ticks := yScale(3, 97, false)
	require.Equal(t, []string{"0", "20", "40", "60", "80", "100"}, labels(ticks))
	require.InDelta(t, 0.97, s.share(97), 1e-9)
	_, ticks = yScale(-4, 8, false)
	require.Equal(t, []string{"-5", "-2.5", "0", "2.5", "5", "7.5", "10"}, labels(ticks))
	_, ticks = yScale(0, 0, false)
	require.Equal(t, []string{"0", "0.2", "0.4", "0.6", "0.8", "1"}, labels(ticks), "nothing happened")
	for _, c := range []struct {
		low, high float64
		want      []string
	}{
		{0.6, 13, []string{"0.5", "1", "2", "5", "10", "20"}}, {0.008, 120, []string{"0.01", "0.1", "1", "10", "100", "1 k"}},
		{1, 1, []string{"1", "2"}}, {2, 5, []string{"2", "5"}}, {7, 7, []string{"5", "10"}},
	} {
		s, ticks = yScale(c.low, c.high, true)
		require.Equal(t, c.want, labels(ticks), "%g to %g", c.low, c.high)
		require.GreaterOrEqual(t, s.share(c.low), -1e-9)
		require.LessOrEqual(t, s.share(c.high), 1+1e-9)
	}
	c := &Chart{X: Percentile}
	s, ticks = c.xScale(0, 99.9)
	require.Equal(t, []string{"p0", "p50", "p90", "p99", "p99.9"}, labels(ticks))
	require.InDelta(t, 2./3, s.share(99), 1e-9, "nines are evenly apart")
	_, ticks = c.xScale(0, 99.99995)
	var kept []string
	for _, tick := range ticks {
		if !tick.minor {
			kept = append(kept, tick.label)
		}
	}
	require.Equal(t, []string{"p0", "p90", "p99", "p99.9", "p99.9999"}, kept, "on a narrow chart the others would overlap")
	c.X = Time
	_, ticks = c.xScale(1795446000, 1795446000+86400) // 2026-11-23T15:00:00Z
	require.Equal(t, []string{"15:00", "18:00", "21:00", "24 Nov", "03:00", "06:00", "09:00", "12:00", "15:00"}, labels(ticks))
	c.X = Elapsed
	_, ticks = c.xScale(0, 1800)
	require.Equal(t, []string{"0 min", "5 min", "10 min", "15 min", "20 min", "25 min", "30 min"}, labels(ticks))
}

func TestThin(t *testing.T) {
	s := Series{Step: 1}
	for i := range 10_000 {
		y := 100.
		if i == 7777 {
			y = 900 // a peak that must survive
		}
		s.X, s.Y = append(s.X, float64(i)), append(s.Y, y)
	}
	thin := s.Thin(1000)
	require.LessOrEqual(t, len(thin.X), 1000)
	require.EqualValues(t, 11, thin.Step, "whole steps")
	high, sum := 0., 0.
	for i := range thin.X {
		high, sum = max(high, thin.High[i]), sum+thin.Y[i]*min(11, 10_000-thin.X[i])
	}
	require.EqualValues(t, 900, high)
	require.InDelta(t, 100*9_999+900, sum, 1e-6)
	require.Equal(t, s.X, s.Thin(10_000).X)
}

// data is what the script gets.
func data(t *testing.T, figure string) (d struct {
	Series []struct {
		Name       string
		From, Step float64
		X          []float64
		Y          []*float64
	}
}) {
	t.Helper()
	_, text, ok := strings.Cut(figure, `<script type="application/json">`)
	require.True(t, ok)
	text, _, _ = strings.Cut(text, "</script>")
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

func TestHTML(t *testing.T) {
	c := &Chart{ID: "c", Title: "a <b>", Unit: "ops/s", From: 100, To: 200, Bands: []Band{{Name: "</svg>", From: 100, To: 150, Muted: true}},
		Lines:  []Line{{Name: "near", Y: 12}, {Name: "far", Y: 1000}, {Name: "farther", Y: 2000}},
		Marks:  []Mark{{Name: "died", X: 150}, {Name: "outside", X: 300}},
		Series: []Series{{Name: "</script>", X: []float64{90, 110, 120, 130, 190, 210}, Y: []float64{99, 5, math.NaN(), 7, 10, 99}, Step: 10}, {Name: "empty", X: []float64{100}, Y: []float64{math.NaN()}}}}
	text := string(c.HTML())
	require.NotContains(t, text, "<b>")
	require.Equal(t, 1, strings.Count(text, "</script>"), "a name cannot end the script")
	require.Equal(t, strings.Count(text, "<svg"), strings.Count(text, "</svg>"))
	require.Contains(t, text, `>near</text>`)
	require.Contains(t, text, `>↑ far   ↑ farther</text>`)
	require.Contains(t, text, `y="2.4em">↑ far`, "below the line that is near the top")
	require.Contains(t, text, `>died</text>`)
	require.NotContains(t, text, "outside")
	require.NotContains(t, text, ">empty<")
	require.Equal(t, 3, strings.Count(text, "<circle"), "values that stand alone are dots: no line goes over what is missing")
	d := data(t, text)
	require.Len(t, d.Series, 1)
	require.Equal(t, []float64{110, 120, 130, 190}, d.Series[0].X, "what is beyond the axis is left out")
	require.Nil(t, d.Series[0].Y[1])

	c = &Chart{ID: "c", Title: "t", Lines: []Line{{Name: "far", Y: 1000}}, Series: []Series{{X: []float64{0, 10, 20}, Y: []float64{1, 2, 3}}}}
	text = string(c.HTML())
	require.Contains(t, text, `y="-0.3em">↑ far`, "above the plot, where no line is")
	require.Contains(t, text, `d="M0 166.7L500 83.3L1000 0"`)
	require.EqualValues(t, 10, data(t, text).Series[0].Step)
	require.Nil(t, data(t, text).Series[0].X)

	require.Contains(t, string((&Chart{ID: "c", Note: "CPUCreditBalance is missing"}).HTML()), `<p class="nodata">no data</p><p class="note">CPUCreditBalance is missing</p>`)
}
