package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

var (
	//go:embed *.tmpl
	templates embed.FS
	//go:embed page.css
	stylesheet string
)

var word = regexp.MustCompile(`([a-z])([A-Z])`)

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"chartCSS": func() template.CSS { return chart.Stylesheet },
	"chartJS":  func() template.JS { return chart.Script },
	"pageCSS":  func() template.CSS { return template.CSS(stylesheet) }, // #nosec G203 -- our own file

	"amount": amount, "phase": phase, "pace": pace, "duration": duration, "span": span, "short": short, "join": and,
	"window":     func(w *report.Window) string { return window(w) },
	"headline":   func(v report.Verdict) string { return headline(&v) },
	"state":      func(s string) string { return states[s] },
	"ptr":        func(v float64) *float64 { return &v },
	"millions":   func(n int64) string { return report.Thousands(float64(n)) },
	"meter":      meter,
	"limit":      limit,
	"where":      where,
	"directions": directionRows,
	"percentile": percentile,
	"color":      color, "arrow": arrow, "change": change, "interval": interval, "chance": chance,
	"against": func(r report.Ranked) string { return strings.ReplaceAll(against(r), " %", "\u00a0%") }, "marks": marks, "runReport": RunReport,
	"direction": func(s string) string { return directions[s] },
	"words": func(name string) template.HTML { // a metric's name can break between its words
		return template.HTML(word.ReplaceAllString(template.HTMLEscapeString(name), "$1<wbr>$2")) // #nosec G203 -- escaped
	},
	"counted": func(all []report.Allowance) bool {
		return slices.ContainsFunc(all, func(a report.Allowance) bool { return a.Packets != nil })
	},
	"verified": func(s report.Source) string {
		if s.Verified == nil {
			return ""
		}
		return map[bool]string{true: "as read", false: "but what was read has a different one"}[*s.Verified]
	},
	"clock": func(t *time.Time) string {
		if t == nil {
			return unknown
		}
		return t.UTC().Format("15:04:05")
	},
}).ParseFS(templates, "*.tmpl"))

// HTML writes the answer as one self-contained file.
func HTML(w io.Writer, r *report.Results) error {
	if err := pages.ExecuteTemplate(w, "report.html.tmpl", newView(r)); err != nil {
		return fmt.Errorf("report of run %s: %w", r.Run, err)
	}
	return nil
}

// view is Results with what only the page needs.
type view struct {
	R                         *report.Results
	Title, What, Aside, Lost  string
	Cautions                  []string // under the verdict
	Facts                     []row    // capacity and cost, on the first page
	Unknown                   string   // figures without a value
	Tiles                     []report.Figure
	Configuration, Provenance []row
	Settings                  string
	Clean                     bool
	NodesFew, TasksFew        fold
	GapsFew                   fold
	Gaps, Expected            []report.Gap
	charts                    figures
}

type row struct{ Name, Value string }

// fold hides a long table until it is opened.
type fold struct {
	Many  bool
	Label string
}

func folded(n int, what string) fold {
	return fold{Many: n > 12, Label: fmt.Sprintf("%s %s", report.Thousands(float64(n)), what)}
}

func newView(r *report.Results) *view {
	v := &view{R: r, Title: "elasticache-perf " + r.Run, What: what(r), charts: draw(r),
		NodesFew: folded(len(r.Nodes), "nodes"), TasksFew: folded(len(r.Tasks), "tasks"), GapsFew: folded(len(unexpected(r.Gaps)), "gaps"), Gaps: unexpected(r.Gaps), Expected: r.Gaps[len(unexpected(r.Gaps)):],
		Clean: len(r.Warnings)+len(r.Lacking)+len(unexpected(r.Gaps)) == 0, Configuration: configuration(&r.Configuration), Provenance: provenance(&r.Provenance)}
	for _, k := range report.Figures {
		if f, ok := figure(r, k.ID); ok && k.Tile && f.Value != nil {
			v.Tiles = append(v.Tiles, f)
		}
	}
	v.Lost, v.Cautions, v.Facts, v.Unknown = finished(r), cautions(r), facts(r), unknowns(r)
	if c := caveats(r); c != "" {
		v.Aside = c + ": all are at the end of this page."
	}
	if len(r.Configuration.Settings) > 0 && string(r.Configuration.Settings) != "null" {
		var b bytes.Buffer
		if json.Indent(&b, r.Configuration.Settings, "", "  ") == nil {
			v.Settings = b.String()
		}
	}
	return v
}

func figure(r *report.Results, id string) (report.Figure, bool) {
	if i := slices.IndexFunc(r.Headline, func(f report.Figure) bool { return f.ID == id }); i >= 0 {
		return r.Headline[i], true
	}
	return report.Figure{}, false
}

// Chart draws a chart of the page.
func (v *view) Chart(id string) template.HTML { return v.charts[id].HTML() }

// Get returns a chart for a template of its own.
func (v *view) Get(id string) *chart.Chart { return v.charts[id] }

func (v *view) Has(id string) bool { return !v.charts[id].Empty() }

// Limits joins the names of a segment's limits.
func (v *view) Limits(s report.Segment) string { return limits(&v.R.Verdict, s.Limits) }

// Lack returns why a section has no data; "" if it has data.
func (v *view) Lack(section string) string {
	why, _ := v.R.Lacks(section)
	return why
}

// caveats counts what is missing from the answer.
func caveats(r *report.Results) string {
	var parts []string
	for _, of := range []struct {
		n         int
		one, many string
	}{{len(r.Warnings), "warning", "warnings"}, {len(r.Lacking), "section without data", "sections without data"}, {len(unexpected(r.Gaps)), "gap", "gaps"}} {
		switch of.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+of.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", of.n, of.many))
		}
	}
	return and(parts)
}

// unexpected are the gaps without an explanation, which come first.
func unexpected(gaps []report.Gap) []report.Gap {
	for i, g := range gaps {
		if g.Expected {
			return gaps[:i]
		}
	}
	return gaps
}

// finished says of how many tasks the figures are if some did not finish; "" if all did.
func finished(r *report.Results) string {
	ok := 0
	for _, t := range r.Tasks {
		if t.State == "ok" {
			ok++
		}
	}
	if ok == len(r.Tasks) {
		return ""
	}
	return fmt.Sprintf("%d of %s", ok, report.Quantity(len(r.Tasks), "task"))
}

// most cautions under the verdict: more would push the figures off the first page.
const most = 4

// cautions are the notes and warnings under the verdict.
func cautions(r *report.Results) []string {
	all := slices.Concat(r.Verdict.Notes, r.Warnings)
	return all[:min(most, len(all))]
}

// facts are capacity and cost in a few lines.
func facts(r *report.Results) (rows []row) {
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, row{name, value})
		}
	}
	if r.Capacity.First != "" {
		add("capacity", r.Capacity.Sentence)
	}
	c := &r.Cost
	var cache []string
	for _, of := range []struct {
		v   *float64
		how string
	}{{c.CacheUSDPerHour, "an hour"}, {c.CacheUSDPerMonth, "a month of 730 h"}, {c.CacheUSDPerMillion, "a million operations"}} {
		if of.v != nil {
			cache = append(cache, amount(of.v, "USD")+" "+of.how)
		}
	}
	add("cost of the cache", and(cache))
	if c.TestUSD != nil {
		add("cost of the test", amount(c.TestUSD, "USD")+" for its tasks, apart from the cache; "+amount(c.TotalUSD, "USD")+" in all")
	}
	return rows
}

// unknowns are the figures that have no value.
func unknowns(r *report.Results) string {
	var names []string
	for _, f := range r.Headline {
		if f.Value == nil {
			names = append(names, f.Label+" ("+strings.TrimSuffix(f.Note, ".")+")")
		}
	}
	return strings.Join(names, "; ")
}

// what says what ran, in one line. The engine is the one that answered, if its log says.
func what(r *report.Results) string {
	c := &r.Configuration
	var parts []string
	if c.Server != "" {
		parts = append(parts, c.Server)
	} else if c.Engine != "" {
		parts = append(parts, strings.TrimSpace(strings.ToUpper(c.Engine[:1])+c.Engine[1:]+" "+c.EngineVersion))
	}
	if c.ServerlessCache != "" {
		parts = append(parts, "serverless")
	}
	if c.NodeType != "" {
		parts = append(parts, fmt.Sprintf("%d × %s", max(c.Nodes, 1), c.NodeType))
	}
	if c.Tasks > 0 {
		parts = append(parts, report.Quantity(c.Tasks, "load task"))
	}
	if w := r.Phases.Load; w != nil {
		parts = append(parts, duration(w.Duration())+" of load from "+moment(w.Start)+" UTC")
	}
	return strings.Join(parts, " · ")
}

// meter is how far a finding is on the way to its limit, which is drawn at 80 %; nil if a higher value is not closer to it.
func meter(f report.Finding) *int {
	if f.Measured == nil || f.Threshold <= 0 || (f.State == report.Fired) != (*f.Measured >= f.Threshold) {
		return nil
	}
	share := int(80 * min(*f.Measured/f.Threshold, 1.25))
	return &share
}

func limit(f report.Finding) string {
	if f.State == report.NoData || f.State == report.NotApplicable {
		return ""
	}
	return amount(&f.Threshold, f.Unit)
}

// where lists the nodes or tasks of a finding, at most three; "" if its evidence does.
func where(f report.Finding) string {
	if len(f.Where) == 1 && strings.Contains(f.Evidence, f.Where[0]) {
		return ""
	}
	if len(f.Where) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(f.Where[:3], ", "), len(f.Where)-3)
	}
	return strings.Join(f.Where, ", ")
}

type direction struct {
	report.Direction
	Way, Said string
}

var bursts = map[string]string{
	report.BelowBaseline: "below baseline", report.BurstEnded: "burst ended", report.BurstToEnd: "bursting at the end",
	report.BurstUnclear: "unclear", report.BurstSpent: "burst spent before", report.BurstNone: "no burst", report.BurstUnknown: "no data",
}

func directionRows(n report.NodeNetwork) []direction {
	return []direction{{n.In, "in", bursts[n.In.State]}, {n.Out, "out", bursts[n.Out.State]}}
}

func percentile(of []report.Percentile, percent float64) string {
	for _, p := range of {
		if p.Percent == percent {
			return amount(&p.MS, "ms")
		}
	}
	return unknown
}

// zones lists the zones of nodes and tasks.
func zones(c *report.Configuration) string {
	var parts []string
	if len(c.NodeZones) > 0 {
		parts = append(parts, "nodes in "+and(c.NodeZones))
	}
	if len(c.TaskZones) > 0 {
		parts = append(parts, "tasks in "+and(c.TaskZones))
	}
	return strings.Join(parts, ", ")
}

func configuration(c *report.Configuration) []row {
	var rows []row
	add := func(name, value string) {
		if value != "" && value != "0" {
			rows = append(rows, row{name, value})
		}
	}
	add("engine", strings.TrimSpace(c.Engine+" "+c.EngineVersion))
	add("server says", c.Server)
	add("serverless cache", c.ServerlessCache)
	add("node type", c.NodeType)
	add("nodes", strconv.Itoa(c.Nodes))
	if c.ClusterMode && c.ServerlessCache == "" {
		add("cluster mode", report.Quantity(c.Shards, "shard"))
	}
	if c.TLS != nil {
		add("TLS", map[bool]string{true: "yes", false: "no"}[*c.TLS])
	}
	add("region", c.Region)
	add("zones", zones(c))
	add("generator", c.Generator)
	if c.DifferentGenerator {
		add("", "tasks ran different generators")
	}
	add("image", c.Image)
	add("tasks", strconv.Itoa(c.Tasks))
	if c.TaskCPUUnits > 0 {
		add("of a task", fmt.Sprintf("%g vCPU, %g GiB, %s", float64(c.TaskCPUUnits)/1024, float64(c.TaskMemoryMiB)/1024, c.Architecture))
	}
	if c.Threads > 0 {
		add("connections", fmt.Sprintf("%s × %s a task, pipeline %d", report.Quantity(c.Threads, "thread"), report.Quantity(c.Clients, "client"), c.Pipeline))
	}
	if c.DataSize > 0 {
		add("value size", report.Quantity(c.DataSize, "byte"))
	}
	add("SET:GET", c.Ratio)
	if c.KeyMaximum > 0 {
		add("keys", strings.TrimSpace(report.Thousands(float64(c.KeyMaximum))+" "+c.KeyPattern))
	}
	if c.RateLimit != nil {
		add("rate limit", amount(c.RateLimit, "requests/s a connection"))
	}
	add("further arguments", strings.Join(c.ExtraArgs, " "))
	return rows
}

func provenance(p *report.Provenance) []row {
	rows := []row{}
	add := func(name, value string) { rows = append(rows, row{name, value}) }
	switch {
	case p.ManifestComplete == nil:
		add("manifest", "none")
	case *p.ManifestComplete:
		add("manifest", "complete")
	default:
		add("manifest", "not complete: the run may still be exporting")
	}
	if p.ManifestCreated != nil {
		add("exported", moment(*p.ManifestCreated))
	}
	if p.APIEndpoint != "" {
		add("ran on", "the embedded AWS at "+p.APIEndpoint)
	}
	if p.ExportTool != "" {
		add("by", p.ExportTool)
	}
	metrics := report.Thousands(float64(p.MetricRows)) + " rows"
	if p.MetricPeriod > 0 {
		metrics += ", one each " + duration(time.Duration(p.MetricPeriod)*time.Second)
	}
	if p.MetricsFrom != nil && p.MetricsTo != nil {
		metrics += ", " + moment(*p.MetricsFrom) + " to " + p.MetricsTo.UTC().Format("15:04:05")
	}
	add("metrics", metrics)
	lines := report.Thousands(float64(p.LogLines)) + " lines"
	if p.LogFrom != nil && p.LogTo != nil {
		lines += ", " + moment(*p.LogFrom) + " to " + p.LogTo.UTC().Format("15:04:05")
	}
	add("log", lines)
	return rows
}
