package dashboardpage

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
)

// Source is where a page has its content from. All of it must be set, but for Finest.
type Source struct {
	Now        func() time.Time
	Dashboards func() []string                          // names, sorted
	Body       func(name string) (body string, ok bool) // as PutDashboard got it
	// Finest is how often metrics are published; a graph whose period is longer is drawn that densely. 0: graphs keep their periods.
	Finest time.Duration
	// Absent says why a metric of this name is never there; "" when it can be.
	Absent func(metric string) string
	// Series are the values of a metric from from to to, in time order: what GetMetricData gives.
	Series func(m Metric, from, to time.Time) (times []time.Time, values []float64, err error)
	// Events returns at most limit events of a log group since from whose messages match, newest first; none if the group does not exist.
	Events func(group string, from time.Time, limit int, match func(message string) bool) ([]Event, error)
}

// Event is a log event.
type Event struct {
	Time            time.Time
	Stream, Message string
}

var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed page.css
	stylesheet string

	page = template.Must(template.New("page").Funcs(template.FuncMap{
		"chartCSS": func() template.CSS { return chart.Stylesheet },
		"chartJS":  func() template.JS { return chart.Script },
		"pageCSS":  func() template.CSS { return template.CSS(stylesheet) }, // #nosec G203 -- our own file
		"add":      func(a, b int) int { return a + b },
	}).Parse(pageText))
)

// theRun is the span that a dashboard names with start and end; the default where it does.
const theRun = "run"

// spans are how far a page can look back; the first is the default.
var spans = []string{"5m", "15m", "1h", "3h", "12h", "24h"}

type view struct {
	Name, Last string
	Names      []string
	Spans      []string
	Now        time.Time
	Widgets    []shown
	Error      string
	Finest     time.Duration
}

// shown is a widget with what it shows.
type shown struct {
	widget
	Plot   int // height in pixels
	Text   template.HTML
	Chart  template.HTML
	Single []single
	Events []Event
	Said   []string // what is not shown, and why
}

type single struct{ Name, Value string }

// Handler serves the page of the dashboard whose name is the path value "name"; without one, of the first that there is. ?last=1h looks as far back.
func Handler(s Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := view{Name: r.PathValue("name"), Last: spans[0], Names: s.Dashboards(), Spans: spans, Now: s.Now().UTC(), Finest: s.Finest}
		if v.Name == "" && len(v.Names) > 0 {
			v.Name = v.Names[0]
		}
		text, ok := s.Body(v.Name)
		status := http.StatusOK
		switch {
		case !ok && v.Name == "":
			v.Error = "There is no dashboard yet: it comes with `go tool mage deploy`. This page looks again by itself."
		case !ok:
			v.Error, status = fmt.Sprintf("There is no dashboard %q.", v.Name), http.StatusNotFound
		default:
			b, err := parse(text)
			if err != nil {
				v.Error = err.Error()
				break
			}
			from, to, ofRun := b.window(v.Now)
			if ofRun {
				v.Spans = append([]string{theRun}, spans...)
			}
			if v.Last = r.FormValue("last"); !slices.Contains(v.Spans, v.Last) {
				v.Last = v.Spans[0]
			}
			if back, err := time.ParseDuration(v.Last); err == nil { // not theRun
				from, to = v.Now.Add(-back), v.Now
			}
			for i, one := range b.Widgets {
				v.Widgets = append(v.Widgets, s.show(i, one, from, to))
			}
		}
		var out bytes.Buffer
		if err := page.Execute(&out, v); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(out.Bytes()) // the reader may be gone
	})
}

func (s *Source) show(i int, w widget, from, to time.Time) shown {
	v := shown{widget: w, Plot: max(w.Height*rowHeight-140, 80)}
	switch w.Type {
	case "text":
		v.Text = markdown(w.Properties.Markdown)
	case "metric":
		s.metric(&v, "widget-"+strconv.Itoa(i), from, to)
	case "log":
		s.log(&v, "widget-"+strconv.Itoa(i), from, to)
	default:
		v.Said = []string{"widgets of type " + w.Type + " are not shown here"}
	}
	return v
}

// say tells once what is not shown.
func (v *shown) say(what string) {
	if what != "" && !slices.Contains(v.Said, what) {
		v.Said = append(v.Said, what)
	}
}

const rowHeight = 50 // pixels of a dashboard's row

func (s *Source) metric(v *shown, id string, from, to time.Time) {
	p := &v.Properties
	metrics, calculated := p.metrics()
	c := &chart.Chart{ID: id, Title: p.Title, Unit: p.YAxis.Left.Label, From: float64(from.Unix()), To: float64(to.Unix())}
	if p.YAxis.Left.Max != nil {
		c.Top = *p.YAxis.Left.Max
	}
	add := func(label, color string, period time.Duration, values series) {
		l := line(label, color, period, values)
		c.Series = append(c.Series, l)
		last := "–"
		if n := len(l.Y); n > 0 {
			last = chart.WithUnit(l.Y[n-1], c.Unit)
		}
		v.Single = append(v.Single, single{l.Name, last})
	}
	var all []fetched
	var period time.Duration // of what is calculated
	for _, m := range metrics {
		if s.Finest > 0 && m.Period > s.Finest {
			m.Period = s.Finest
		}
		period = max(period, m.Period)
		times, values, err := s.Series(m, from, to)
		if err != nil {
			v.say(m.label + ": " + err.Error())
			continue
		}
		one := fetched{m, series{}}
		for i, t := range times {
			one.values[t.Unix()] = values[i]
		}
		if all = append(all, one); len(values) == 0 {
			v.say(s.Absent(m.Name))
		}
		if !m.hidden {
			add(m.label, m.color, m.Period, one.values)
		}
	}
	for _, e := range calculated {
		lines, err := calculate(e.text, all)
		if err != nil {
			v.say(err.Error())
		}
		for _, values := range lines {
			add(e.label, e.color, period, values)
		}
	}
	if p.View != "" && p.View != "timeSeries" {
		return // the last values, as numbers
	}
	v.Single = nil
	for _, a := range annotations(p.Annotations.Horizontal) {
		if value, is := a.Value.(float64); is {
			c.Lines = append(c.Lines, chart.Line{Name: a.Label, Y: value})
		}
	}
	for _, a := range annotations(p.Annotations.Vertical) {
		if t, err := time.Parse(time.RFC3339, text(a.Value)); err == nil {
			c.Marks = append(c.Marks, chart.Mark{Name: a.Label, X: float64(t.Unix())})
		}
	}
	v.Chart = c.HTML()
}

// log shows what a query gives: a graph of its statistics, or the newest events.
func (s *Source) log(v *shown, id string, from, to time.Time) {
	q, err := parseQuery(v.Properties.Query)
	if err != nil {
		v.say(err.Error())
		return
	}
	limit := q.limit
	if len(q.columns) > 0 {
		limit = math.MaxInt32 // statistics are of all that match
	}
	v.Events, err = s.Events(q.group, from, limit, q.match)
	if err != nil {
		v.say(err.Error())
		return
	}
	v.Events = slices.DeleteFunc(v.Events, func(e Event) bool { return e.Time.After(to) })
	if len(q.columns) == 0 {
		if len(v.Events) == 0 {
			v.say("no events")
		}
		return
	}
	bin := q.bin
	if s.Finest > 0 {
		bin = min(bin, s.Finest)
	}
	all, err := q.statistics(v.Events, bin)
	if v.Events = nil; err != nil {
		v.say(err.Error())
		return
	}
	c := &chart.Chart{ID: id, Title: v.Properties.Title, From: float64(from.Unix()), To: float64(to.Unix())}
	for i, values := range all {
		c.Series = append(c.Series, line(q.columns[i].name, "", bin, values))
	}
	v.Chart = c.HTML()
}

// line is a series of a chart; its label may show values, its colour is one of CloudWatch's.
func line(label, color string, step time.Duration, values series) chart.Series {
	l := chart.Series{Name: label, Step: step.Seconds(), Color: colors[strings.ToLower(color)]}
	for _, t := range slices.Sorted(maps.Keys(values)) {
		l.X, l.Y = append(l.X, float64(t)), append(l.Y, values[t])
	}
	l.Name = dynamic.ReplaceAllStringFunc(label, func(what string) string {
		if len(l.Y) == 0 {
			return "–"
		}
		switch what {
		case "${LAST}":
			return chart.Number(l.Y[len(l.Y)-1])
		case "${MAX}":
			return chart.Number(slices.Max(l.Y))
		case "${MIN}":
			return chart.Number(slices.Min(l.Y))
		}
		return what
	})
	return l
}

// dynamic are the parts of a label that show values: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
var dynamic = regexp.MustCompile(`\$\{[A-Z]+\}`)

// colors are CloudWatch's, as the stylesheet has them.
var colors = map[string]int{"#1f77b4": 1, "#ff7f0e": 2, "#2ca02c": 3, "#d62728": 4, "#9467bd": 5, "#17becf": 6, "#e377c2": 7, "#8c564b": 8}
