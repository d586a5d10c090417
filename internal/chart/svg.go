package chart

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The nested SVG of the lines has this size, stretched to whatever the plot has.
const width, height = 1000., 250.

// drawn is what the script needs to find values again.
type drawn struct {
	Kind   string    `json:"kind"`
	Unit   string    `json:"unit"`
	X      [2]string `json:"x"` // ends as mapped; strings keep their digits
	Y      [2]string `json:"y"`
	Log    bool      `json:"log,omitempty"`
	XUnit  string    `json:"xunit,omitempty"`
	Names  []string  `json:"names,omitempty"`
	Series []points  `json:"series"`
}

type points struct {
	Name  string   `json:"name"`
	Color int      `json:"color"`
	From  number   `json:"from,omitempty"` // with Step: x is From + i * Step
	Step  number   `json:"step,omitempty"`
	X     []number `json:"x,omitempty"`
	Y     []number `json:"y"`
	Low   []number `json:"low,omitempty"`
	High  []number `json:"high,omitempty"`
}

// number is written whole where it is, else with six significant digits, and as null when it is a gap.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if !finite(v) {
		return []byte("null"), nil
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendFloat(nil, v, 'f', 0, 64), nil
	}
	return strconv.AppendFloat(nil, v, 'g', 6, 64), nil
}

func numbers(values []float64) []number {
	out := make([]number, len(values))
	for i, v := range values {
		out[i] = number(v)
	}
	return out
}

var kinds = map[Axis]string{Time: "time", Elapsed: "elapsed", Percentile: "percentile", Ordinal: "ordinal", Quantity: "quantity"}

var xNames = map[Axis]string{Time: "UTC", Elapsed: "since the load began", Percentile: "percentile", Ordinal: ""}

// HTML is the chart as a figure element, with a paragraph in place of the plot when it has no data.
func (c *Chart) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart" id="%s"><figcaption>%s`, esc(c.ID), esc(c.Title))
	if c.Unit != "" {
		fmt.Fprintf(&b, ` <span class="unit">%s</span>`, esc(c.Unit))
	}
	b.WriteString("</figcaption>")
	series := c.shown()
	if len(series) == 0 {
		b.WriteString(`<p class="nodata">no data</p>`)
	} else {
		c.plot(&b, series)
	}
	if c.Note != "" {
		fmt.Fprintf(&b, `<p class="note">%s</p>`, esc(c.Note))
	}
	b.WriteString("</figure>\n")
	return template.HTML(b.String()) // #nosec G203 -- every text went through esc
}

func esc(s string) string { return html.EscapeString(s) }

// shown are the series that have a value, thinned and coloured.
func (c *Chart) shown() []Series {
	var out []Series
	for i, s := range c.Series {
		if s.Color == 0 {
			s.Color = i%Colors + 1
		}
		if s = c.crop(s); !s.empty(c.Log) {
			out = append(out, s.Thin(maxPoints))
		}
	}
	return out
}

// crop drops what is beyond the ends of the x axis, and what has no place on it.
func (c *Chart) crop(s Series) Series {
	to := s
	to.X, to.Y, to.Low, to.High = nil, nil, nil, nil
	for i, x := range s.X {
		if !finite(x) || c.X == Percentile && x >= 100 || (c.From != 0 || c.To != 0) && (x < c.From || x > c.To) {
			continue
		}
		to.X, to.Y = append(to.X, x), append(to.Y, s.Y[i])
		if s.Low != nil && s.High != nil {
			to.Low, to.High = append(to.Low, s.Low[i]), append(to.High, s.High[i])
		}
	}
	return to
}

// extent is the lowest and the highest value of what is drawn.
func (c *Chart) extent(series []Series) (x0, x1, y0, y1 float64) {
	x0, x1, y0, y1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range series {
		for i, x := range s.X {
			x0, x1 = min(x0, x), max(x1, x)
			for _, of := range [][]float64{s.Y, s.Low, s.High} {
				if of != nil && finite(of[i]) && (!c.Log || of[i] > 0) {
					y0, y1 = min(y0, of[i]), max(y1, of[i])
				}
			}
		}
	}
	for _, band := range c.Bands {
		x0, x1 = min(x0, band.From), max(x1, band.To)
	}
	if c.From != 0 || c.To != 0 {
		x0, x1 = c.From, c.To
	}
	return x0, x1, y0, max(y1, c.Top)
}

func (c *Chart) plot(b *strings.Builder, series []Series) {
	x0, x1, y0, y1 := c.extent(series)
	highest := y1
	for _, l := range c.Lines {
		if l.Y <= 2*highest {
			y1 = max(y1, l.Y)
		}
	}
	xs, xTicks := c.xScale(x0, x1)
	ys, yTicks := yScale(y0, y1, c.Log)
	banded := ""
	if len(c.Bands) > 0 {
		banded = " banded"
	}
	fmt.Fprintf(b, `<div class="plot%s" tabindex="0"><svg role="img" aria-label="%s">`, banded, esc(c.describe(series)))
	c.bands(b, xs)
	for _, t := range yTicks {
		fmt.Fprintf(b, `<line class="grid" x2="100%%" y1="%[1]s" y2="%[1]s"/><text class="yt" x="-8" y="%[1]s" dy=".32em">%[2]s</text>`, down(t.at), esc(t.label))
	}
	for _, t := range xTicks {
		class := "xt"
		if t.minor {
			class += " minor"
		}
		if t.at > 0.97 && len(t.label) > 5 {
			class += " last"
		}
		fmt.Fprintf(b, `<line class="notch" x1="%[1]s" x2="%[1]s" y1="100%%" y2="100%%"/><text class="%[2]s" x="%[1]s" y="100%%" dy="1.8em">%[3]s</text>`, across(t.at), class, esc(t.label))
	}
	if name := xNames[c.X] + c.XUnit; name != "" {
		fmt.Fprintf(b, `<text class="xn" x="100%%" y="100%%" dy="3.1em">%s</text>`, esc(name))
	}
	fmt.Fprintf(b, `<svg width="100%%" height="100%%" viewBox="0 0 %g %g" preserveAspectRatio="none">`, width, height)
	for _, s := range series {
		c.paths(b, s, xs, ys)
	}
	b.WriteString("</svg>")
	for _, s := range series {
		c.shapes(b, s, xs, ys)
	}
	c.limits(b, ys)
	c.marks(b, xs)
	c.beside(b, series, xs, ys)
	b.WriteString("</svg></div>")
	c.legend(b, series)
	c.data(b, series, xs, ys)
}

// describe is what a screen reader says.
func (c *Chart) describe(series []Series) string {
	parts := make([]string, 0, len(series))
	for _, s := range series {
		low, high := math.Inf(1), math.Inf(-1)
		for _, y := range s.Y {
			if finite(y) {
				low, high = min(low, y), max(high, y)
			}
		}
		parts = append(parts, fmt.Sprintf("%s %s to %s", s.Name, Number(low), WithUnit(high, c.Unit)))
	}
	return c.Title + ": " + strings.Join(parts, "; ")
}

func across(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/100, 'f', -1, 64) + "%"
}
func down(share float64) string { return across(1 - share) }

func (c *Chart) bands(b *strings.Builder, xs scale) {
	for i, band := range c.Bands {
		from, to := max(0, xs.share(band.From)), min(1, xs.share(band.To))
		if to <= from {
			continue
		}
		class := "band"
		if band.Muted {
			class += " muted"
		}
		fmt.Fprintf(b, `<svg class="%s" x="%s" width="%s" height="100%%"><rect width="100%%" height="100%%"/>`, class, across(from), across(to-from))
		if i > 0 {
			b.WriteString(`<line y2="100%"/>`)
		}
		// About 7 pixels a letter: on a chart of 450 pixels or more, of 900 or more, or never.
		if need := float64(len(band.Name))*7 + 10; (to-from)*900 >= need {
			class := ""
			if (to-from)*450 < need {
				class = ` class="roomy"`
			}
			fmt.Fprintf(b, `<text%s x="2" y="-.5em">%s</text>`, class, esc(band.Name)) // above the plot, where no line is
		}
		fmt.Fprintf(b, `<title>%s</title></svg>`, esc(band.Name))
	}
}

// marks have their names one below the other, so that none covers another.
func (c *Chart) marks(b *strings.Builder, xs scale) {
	row := 0
	for _, m := range c.Marks {
		at := xs.share(m.X)
		if at < 0 || at > 1 {
			continue
		}
		anchor, dx := "start", 5
		if at > 0.6 {
			anchor, dx = "end", -5
		}
		fmt.Fprintf(b, `<g class="mark"><line x1="%[1]s" x2="%[1]s" y2="100%%"/><text x="%[1]s" dx="%[2]d" y="%.1[3]fem" text-anchor="%[4]s">%[5]s</text></g>`,
			across(at), dx, 2.4+1.4*float64(row), anchor, esc(m.Name))
		row++
	}
}

// limits are the horizontal lines; those out of range are named above the plot, where no line is, or at its top where bands have their names there.
func (c *Chart) limits(b *strings.Builder, ys scale) {
	var above []string
	row := 1.1
	if len(c.Bands) == 0 {
		row = -0.35
	}
	for _, l := range c.Lines {
		if at := ys.share(l.Y); at > 1 {
			above = append(above, "↑ "+l.Name)
		} else if at >= 0 {
			fmt.Fprintf(b, `<g class="limit"><line x2="100%%" y1="%[1]s" y2="%[1]s"/><text x="100%%" dx="-5" y="%[1]s" dy="-.35em">%[2]s</text></g>`, down(at), esc(l.Name))
			if at > 0.85 {
				row = 2.4 // below that line
			}
		}
	}
	if len(above) > 0 {
		fmt.Fprintf(b, `<g class="limit"><text x="100%%" dx="-5" y="%.1fem">%s</text></g>`, row, esc(strings.Join(above, "   ")))
	}
}

// beside writes the names of series of one dot beside it, the highest first, so that none covers another.
func (c *Chart) beside(b *strings.Builder, series []Series, xs, ys scale) {
	if c.X != Quantity {
		return
	}
	var named []Series
	for _, s := range series {
		if s.single() && len(s.X) == 1 && s.Name != "" {
			named = append(named, s)
		}
	}
	slices.SortStableFunc(named, func(p, q Series) int { return cmp.Compare(q.Y[0], p.Y[0]) })
	const line = 0.065 // of the plot's height
	free := map[string]float64{"start": 1, "end": 1}
	for _, s := range named {
		anchor, dx := "start", 8
		at := xs.share(s.X[0])
		if at > 0.6 {
			anchor, dx = "end", -8
		}
		y := min(ys.share(s.Y[0]), free[anchor])
		free[anchor] = y - line
		fmt.Fprintf(b, `<text class="beside" x="%s" dx="%d" y="%s" dy=".32em" text-anchor="%s">%s</text>`, across(at), dx, down(y), anchor, esc(s.Name))
	}
}

// gap tells that there is none between two neighbours to draw a line across.
func (s Series) gap(i int) bool {
	return i == 0 || !finite(s.Y[i-1]) || s.Step > 0 && s.X[i]-s.X[i-1] > 2.5*s.Step
}

func (c *Chart) paths(b *strings.Builder, s Series, xs, ys scale) {
	if s.single() || s.Style == Bars {
		return
	}
	x := func(i int) string { return coordinate(xs.share(s.X[i]) * width) }
	y := func(v float64) string {
		return coordinate((1 - min(max(ys.share(v), -0.1), 1.1)) * height)
	}
	visible := func(i int) bool {
		return finite(s.Y[i]) && (!c.Log || s.Y[i] > 0)
	}
	if s.Low != nil && s.High != nil {
		var area strings.Builder
		for i := 0; i < len(s.X); {
			from := i
			for ; i < len(s.X) && visible(i) && (i == from || !s.gap(i)); i++ {
			}
			if i == from {
				i++
				continue
			}
			for j := from; j < i; j++ {
				area.WriteString(letter(j == from) + x(j) + " " + y(s.High[j]))
			}
			for j := i - 1; j >= from; j-- {
				low := s.Low[j]
				if c.Log && low <= 0 {
					low = s.Y[j]
				}
				area.WriteString("L" + x(j) + " " + y(low))
			}
			area.WriteString("Z")
		}
		if area.Len() > 0 {
			fmt.Fprintf(b, `<path class="area c%d" d="%s"/>`, s.Color, area.String())
		}
	}
	var line strings.Builder
	for i, began := 0, false; i < len(s.X); i++ {
		if !visible(i) {
			began = false
			continue
		}
		line.WriteString(letter(!began || s.gap(i)) + x(i) + " " + y(s.Y[i]))
		began = true
	}
	class := "line"
	if s.Style == Dashed {
		class += " dashed"
	}
	fmt.Fprintf(b, `<path class="%s c%d" d="%s"/>`, class, s.Color, line.String())
}

func letter(begins bool) string {
	if begins {
		return "M"
	}
	return "L"
}

func coordinate(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// shapes are what must not be stretched: dots, bars, and single values.
func (c *Chart) shapes(b *strings.Builder, s Series, xs, ys scale) {
	for i, x := range s.X {
		if !finite(s.Y[i]) || c.Log && s.Y[i] <= 0 {
			continue
		}
		at, y := xs.share(x), ys.share(s.Y[i])
		alone := s.gap(i) && (i == len(s.X)-1 || !finite(s.Y[i+1]) || s.gap(i+1))
		switch {
		case s.Style == Bars:
			half := 0.35 / float64(max(1, len(c.Names)))
			zero := max(0, ys.share(0))
			fmt.Fprintf(b, `<rect class="bar c%d" x="%s" width="%s" y="%s" height="%s"/>`, s.Color, across(at-half), across(2*half), down(max(y, zero)), across(math.Abs(y-zero)))
		case s.single() || alone:
			class := ""
			if s.Style == Rings {
				class = " ring"
			}
			fmt.Fprintf(b, `<circle class="dot c%d%s" cx="%s" cy="%s" r="3"/>`, s.Color, class, across(at), down(y))
		}
	}
}

func (c *Chart) legend(b *strings.Builder, series []Series) {
	if len(series) == 1 && series[0].Name == "" {
		return
	}
	b.WriteString(`<ul class="legend">`)
	for _, s := range series {
		dashed := ""
		if s.Style == Dashed || s.Style == Rings {
			dashed = " dashed"
		}
		fmt.Fprintf(b, `<li class="c%d%s">%s</li>`, s.Color, dashed, esc(s.Name))
	}
	b.WriteString("</ul>")
}

func (c *Chart) data(b *strings.Builder, series []Series, xs, ys scale) {
	exact := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	d := drawn{Kind: kinds[c.X], Unit: c.Unit, Log: c.Log, XUnit: c.XUnit, Names: c.Names,
		X: [2]string{exact(xs.low), exact(xs.high)}, Y: [2]string{exact(ys.low), exact(ys.high)}}
	for _, s := range series {
		p := points{Name: s.Name, Color: s.Color, Y: numbers(s.Y)}
		if s.Low != nil && s.High != nil {
			p.Low, p.High = numbers(s.Low), numbers(s.High)
		}
		if step := even(s.X); step > 0 {
			p.From, p.Step = number(s.X[0]), number(step)
		} else {
			p.X = numbers(s.X)
		}
		d.Series = append(d.Series, p)
	}
	text, err := json.Marshal(d) // escapes <, > and &
	if err != nil {
		panic(err) // strings and numbers only
	}
	fmt.Fprintf(b, `<script type="application/json">%s</script>`, text)
}

// even is the distance of neighbours when it is the same everywhere, else 0.
func even(x []float64) float64 {
	if len(x) < 3 {
		return 0
	}
	step := x[1] - x[0]
	for i := range x {
		if math.Abs(x[0]+float64(i)*step-x[i]) > 1e-6*step {
			return 0
		}
	}
	return step
}

// Empty tells that the chart has no value to draw.
func (c *Chart) Empty() bool { return len(c.shown()) == 0 }
