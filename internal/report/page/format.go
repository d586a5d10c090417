package page

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

const unknown = "–"

// amount formats a value of Results with its unit; traffic is in bits, like the bandwidth of node types.
func amount(v *float64, unit string) string {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return unknown
	}
	x := *v
	switch unit {
	case "percent", "%":
		return decimals(x, 1) + " %"
	case "ms":
		return significant(x, 3) + " ms"
	case "us":
		return significant(x, 3) + " µs"
	case "USD":
		return significant(x, 3) + " USD"
	case "bytes/s":
		return chart.WithUnit(x*8, "bit/s")
	case "bytes", "B":
		return chart.WithUnit(x, "B")
	case "s", "seconds":
		return duration(time.Duration(x * float64(time.Second)))
	case "minutes":
		return duration(time.Duration(x * float64(time.Minute)))
	case "", "count":
		return count(x)
	}
	if of, is := strings.CutPrefix(unit, "percent "); is {
		return decimals(x, 1) + " % " + of
	}
	if x == 1 {
		unit = strings.TrimSuffix(unit, "s") // 1 node-hour
	}
	return count(x) + " " + unit
}

// count formats whole numbers with separators from 100 on, and three digits below.
func count(v float64) string {
	if math.Abs(v) >= 100 || v == math.Trunc(v) {
		return report.Thousands(v)
	}
	return significant(v, 3)
}

func decimals(v float64, n int) string {
	s := strconv.FormatFloat(v, 'f', n, 64)
	if strings.Trim(s, "-0.") == "" {
		return "0"
	}
	return strings.TrimSuffix(s, "."+strings.Repeat("0", n))
}

// significant formats v with n significant digits, or more if its integer part has more.
func significant(v float64, n int) string {
	if v == 0 {
		return "0"
	}
	places := n - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(places, 0), 9), 64)
}

// duration formats with the two largest units: "1 h 30 min", "45 s".
func duration(d time.Duration) string {
	switch d = d.Abs(); {
	case d < 10*time.Second && d%time.Second != 0:
		return significant(d.Seconds(), 2) + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		if s := int(d.Seconds()) % 60; s != 0 && d < 10*time.Minute {
			return fmt.Sprintf("%d min %d s", int(d.Minutes()), s)
		}
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	d = d.Round(time.Minute)
	if m := int(d.Minutes()) % 60; m != 0 {
		return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// moment is a date and time in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// window is formatted as "steady, 12 min from 15:04:05".
func window(w *report.Window) string {
	if w == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s from %s", phase(w.Phase), duration(w.Duration()), w.Start.UTC().Format("15:04:05"))
}

// span is the window's start and end, as times of day.
func span(w report.Window) string {
	layout := "15:04:05"
	if w.End.Sub(w.Start) >= 20*time.Hour {
		layout = "2 Jan 15:04"
	}
	return w.Start.UTC().Format(layout) + " – " + w.End.UTC().Format(layout)
}

var phases = map[string]string{
	"run": "all of the run", "cache": "the cache's life", "metrics": "what the metrics cover", "load": "all of the load", "prefill": "prefill", "warm_up": "warm-up", "burst": "burst", "steady": "steady", "ramp_down": "ramp-down",
}

// pace is the rate of a segment; of a ramp, start and end.
func pace(s report.Segment) string {
	if s.Ramp != nil {
		return amount(&s.Ramp[0], "") + " to " + amount(&s.Ramp[1], "")
	}
	return amount(s.OpsPerSecond, "")
}

func phase(name string) string { return cmp.Or(phases[name], strings.ReplaceAll(name, "_", " ")) }

// headline is the verdict in a few words; its sentence has the rest.
func headline(v *report.Verdict) string {
	switch v.Outcome {
	case report.NotLimited:
		return "Not limited by anything measured"
	case report.Limited:
		return strings.TrimSuffix("Limit: "+limits(v, v.Limits), ": ")
	}
	return "Cannot tell"
}

// limits joins the names of rules.
func limits(v *report.Verdict, ids []string) string {
	var names []string
	for _, id := range ids {
		name := strings.ReplaceAll(id, "_", " ")
		for _, f := range v.Findings {
			if f.ID == id {
				name = cmp.Or(f.Name, name)
			}
		}
		names = append(names, strings.TrimPrefix(name, "the "))
	}
	return and(names)
}

func and(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}

var states = map[string]string{
	report.Fired: "at its limit", report.Quiet: "below", report.NoData: "no data", report.NotApplicable: "does not apply", report.Noted: "noted",
}

var directions = map[string]string{
	report.BetterThan: "better", report.WorseThan: "worse", report.WithinNoise: "no difference shown", report.Higher: "higher", report.Lower: "lower",
	report.NotComparable: "not comparable", report.NotTested: "not tested", report.Reference: "reference",
}

// arrow is the direction of a compared figure.
func arrow(c report.Compared) string {
	switch {
	case c.Direction == report.WithinNoise:
		return "≈"
	case c.Direction == report.NotComparable || c.Direction == report.Reference || c.Delta == nil:
		return ""
	case c.DeltaPercent != nil && decimals(*c.DeltaPercent, 1) == "0":
		return "="
	case *c.Delta > 0:
		return "▲"
	case *c.Delta < 0:
		return "▼"
	}
	return "="
}

// change is a difference in percent with its sign, or in the figure's own unit.
func change(c report.Compared, unit string) string {
	switch {
	case c.DeltaPercent != nil:
		return signed(*c.DeltaPercent, decimals(math.Abs(*c.DeltaPercent), 1)+" %")
	case c.Delta != nil:
		v := math.Abs(*c.Delta)
		return signed(*c.Delta, amount(&v, unit))
	}
	return ""
}

// signed adds the sign of v to its unsigned text; a text of 0 gets none.
func signed(v float64, text string) string {
	switch {
	case !strings.ContainsAny(text, "123456789"):
	case v > 0:
		return "+" + text
	case v < 0:
		return "−" + text
	}
	return text
}

// short is a task's id, short but still unique.
func short(id string) string {
	if len(id) > 10 {
		return id[:8]
	}
	return id
}
