package page

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/chart"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// line is a series of Results for a time chart; a nil series is left out of the chart. A value covers a step from its time on, as in CloudWatch: it
// is drawn in the middle, so that a change between two minutes is drawn between them. Whole seconds keep the page small.
func line(name string, s *report.Series, factor float64) chart.Series {
	to := chart.Series{Name: name}
	if s == nil {
		return to
	}
	to.Step = float64(s.StepSeconds)
	to.X, to.Y = make([]float64, len(s.Values)), make([]float64, len(s.Values))
	wide := len(s.Low) == len(s.Values) && len(s.High) == len(s.Values)
	for i, v := range s.Values {
		to.X[i], to.Y[i] = seconds(s.At(i))+float64(s.StepSeconds/2), v*factor
		if wide {
			to.Low, to.High = append(to.Low, s.Low[i]*factor), append(to.High, s.High[i]*factor)
		}
	}
	return to
}

func colored(color int, style chart.Style, s chart.Series) chart.Series {
	s.Color, s.Style = color, style
	return s
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// figures are the charts of one run, by their names in the page.
type figures map[string]*chart.Chart

func draw(r *report.Results) figures {
	d := &drawing{r: r}
	d.bound()
	f := figures{}
	for _, c := range []*chart.Chart{
		d.throughput(), d.latency(), d.serverLatency(), d.network("in"), d.network("out"), d.allowances(), d.cpu(), d.credits(), d.load(), d.memory(),
		d.evictions(), d.connections(), d.curve(), d.spread(), d.taskLatency(), d.taskTime(),
	} {
		f[c.ID] = c
	}
	return f
}

type drawing struct {
	r        *report.Results
	from, to float64 // the same on all time charts, so that they can be compared
}

// bound makes the time axis a little wider than the load.
func (d *drawing) bound() {
	w := d.r.Phases.Load
	if w == nil {
		return
	}
	start := w.Start
	if l := d.r.Phases.List; len(l) > 0 && l[0].Start.Before(start) { // a prefill comes before the load
		start = l[0].Start
	}
	room := w.End.Sub(start) / 40
	d.from, d.to = seconds(start.Add(-room)), seconds(w.End.Add(room))
}

// timed is a chart over time, with the run's phases.
func (d *drawing) timed(id, title, unit, section string, series ...chart.Series) *chart.Chart {
	c := &chart.Chart{ID: id, Title: title, Unit: unit, From: d.from, To: d.to, Series: series}
	for _, p := range d.r.Phases.List {
		c.Bands = append(c.Bands, chart.Band{Name: phase(p.Phase), From: seconds(p.Start), To: seconds(p.End), Muted: p.Phase != "steady"})
	}
	if why, lacks := d.r.Lacks(section); lacks {
		c.Note = why
	}
	return c
}

func (d *drawing) throughput() *chart.Chart {
	r := d.r
	c := d.timed("throughput", "Throughput", "operations/s", "client",
		colored(1, chart.Solid, line("load, all tasks", r.Client.Throughput, 1)), colored(2, chart.Dashed, line("commands of the cache", r.Server.Commands, 1)))
	if s := r.Client.Throughput; s != nil && len(s.Low) > 0 {
		c.Note = fmt.Sprintf("Each point is the mean of %s; the area reaches from its lowest to its highest second.", duration(time.Duration(s.StepSeconds)*time.Second))
	}
	for _, n := range r.Network.Nodes {
		for way, of := range map[string]report.Direction{"in": n.In, "out": n.Out} {
			if of.State == report.BurstEnded && of.EndedAt != nil {
				c.Marks = append(c.Marks, chart.Mark{Name: "burst ended (" + way + ", " + n.Node + ")", X: seconds(*of.EndedAt)})
			}
		}
	}
	for _, t := range r.Tasks {
		if t.State == "died" && t.LastOps != nil {
			c.Marks = append(c.Marks, chart.Mark{Name: "task " + short(t.ID) + " died", X: seconds(*t.LastOps)})
		}
	}
	slices.SortFunc(c.Marks, func(a, b chart.Mark) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Name, b.Name)) })
	c.Marks = c.Marks[:min(len(c.Marks), 3)] // more would cover the data; the sections below list all
	return c
}

func (d *drawing) latency() *chart.Chart {
	return d.timed("latency", "Mean latency of all tasks", "ms", "latency", line("", d.r.Client.MeanLatency, 1))
}

func (d *drawing) serverLatency() *chart.Chart {
	s := d.r.Server
	c := d.timed("server-latency", "Latency inside the cache, slowest node", "ms", "server",
		colored(1, chart.Solid, line("read p99", s.ReadP99, 1)), colored(1, chart.Dashed, line("read p50", s.ReadP50, 1)),
		colored(2, chart.Solid, line("write p99", s.WriteP99, 1)), colored(2, chart.Dashed, line("write p50", s.WriteP50, 1)))
	if c.Empty() && c.Note == "" {
		c.Note = "SuccessfulReadRequestLatency and SuccessfulWriteRequestLatency are not in the metrics"
	}
	return c
}

func (d *drawing) network(way string) *chart.Chart {
	n := d.r.Network
	mean, peak := n.In, n.PeakIn
	if way == "out" {
		mean, peak = n.Out, n.PeakOut
	}
	c := d.timed("network-"+way, "Network "+way+", busiest node", "bit/s", "network",
		line("mean", mean, 8), colored(2, chart.Dashed, line("highest second", peak, 8)))
	for _, l := range []struct {
		name string
		of   *float64
	}{{"baseline", n.BaselineBytesPerSecond}, {"burst", n.BurstBytesPerSecond}} {
		if l.of != nil {
			c.Lines = append(c.Lines, chart.Line{Name: l.name + " " + chart.WithUnit(*l.of*8, "bit/s"), Y: *l.of * 8})
		}
	}
	return c
}

func (d *drawing) allowances() *chart.Chart {
	c := d.timed("allowances", "Packets queued or dropped by an allowance", "packets/s", "network")
	for _, a := range d.r.Network.Allowances {
		if a.Rate != nil {
			c.Series = append(c.Series, line(a.Metric, a.Rate, 1))
		}
	}
	return c
}

func (d *drawing) cpu() *chart.Chart {
	p := d.r.CPU
	c := d.timed("cpu", "CPU of the cache nodes", "%", "cpu", colored(1, chart.Solid, line("engine thread, busiest node", p.EngineMax, 1)),
		colored(2, chart.Solid, line("host, busiest node", p.HostMax, 1)))
	if len(d.r.Nodes) > 1 {
		c.Series = append(c.Series, colored(1, chart.Dashed, line("engine thread, mean", p.Engine, 1)), colored(2, chart.Dashed, line("host, mean", p.Host, 1)))
	}
	c.Top = 100
	return c
}

func (d *drawing) credits() *chart.Chart {
	return d.timed("credits", "CPU credits, node with least", "vCPU-minutes", "", line("", d.r.CPU.Credits, 1))
}

func (d *drawing) load() *chart.Chart {
	f := d.r.Network.Fargate
	c := d.timed("load-cpu", "Load tasks: CPU and memory", "%", "", colored(1, chart.Solid, line("CPU, busiest task", f.ServiceCPUMax, 1)),
		colored(1, chart.Dashed, line("CPU, mean", f.ServiceCPU, 1)), colored(3, chart.Solid, line("memory, fullest task", f.ServiceMemoryMax, 1)))
	c.Top = 100
	return c
}

func (d *drawing) memory() *chart.Chart {
	c := d.timed("memory", "Memory, fullest node", "% of maxmemory", "memory", line("", d.r.Memory.Percent, 1))
	c.Top = 100
	return c
}

func (d *drawing) evictions() *chart.Chart {
	c := d.timed("evictions", "Evictions, all nodes", "keys/s", "memory", colored(4, chart.Solid, line("", d.r.Memory.Evictions, 1)))
	c.Top = 1
	return c
}

func (d *drawing) connections() *chart.Chart {
	k := d.r.Connections
	c := d.timed("connections", "Connections, all nodes", "", "connections", line("open", k.Current, 1), colored(2, chart.Dashed, line("new each second", k.New, 1)))
	if k.Expected != nil && *k.Expected > 0 {
		c.Lines = []chart.Line{{Name: fmt.Sprintf("load: %s", count(float64(*k.Expected))), Y: float64(*k.Expected)}}
	}
	return c
}

func curve(name string, points []report.Percentile) chart.Series {
	s := chart.Series{Name: name}
	for _, p := range points {
		s.X, s.Y = append(s.X, p.Percent), append(s.Y, p.MS)
	}
	return s
}

func (d *drawing) curve() *chart.Chart {
	c := &chart.Chart{ID: "percentiles", Title: "Latency by percentile, all tasks merged", Unit: "ms", X: chart.Percentile, Log: true, Note: d.r.Client.Latency.Note,
		Series: []chart.Series{curve("", d.r.Client.Latency.Curve)}}
	if why, lacks := d.r.Lacks("latency"); lacks && c.Note == "" {
		c.Note = why
	}
	return c
}

// places is a chart with the tasks on an axis, in the order of Results.
func (d *drawing) places(id, title, unit string) *chart.Chart {
	c := &chart.Chart{ID: id, Title: title, Unit: unit, X: chart.Ordinal}
	for _, t := range d.r.Tasks {
		c.Names = append(c.Names, short(t.ID))
	}
	if why, lacks := d.r.Lacks("tasks"); lacks {
		c.Note = why
	}
	return c
}

func (d *drawing) spread() *chart.Chart {
	c := d.places("task-throughput", "Throughput of each task", "operations/s")
	s := chart.Series{Style: chart.Bars}
	for i, t := range d.r.Tasks {
		if t.OpsPerSecond != nil {
			s.X, s.Y = append(s.X, float64(i)), append(s.Y, *t.OpsPerSecond)
		}
	}
	c.Series = []chart.Series{s}
	return c
}

func (d *drawing) taskLatency() *chart.Chart {
	c := d.places("task-latency", "Latency of each task", "ms")
	for i, percent := range []float64{50, 99, 99.9} {
		s := chart.Series{Name: fmt.Sprintf("p%g", percent), Style: chart.Dots, Color: i + 1}
		for j, t := range d.r.Tasks {
			for _, p := range t.Percentiles {
				if p.Percent == percent {
					s.X, s.Y = append(s.X, float64(j)), append(s.Y, p.MS)
				}
			}
		}
		c.Series = append(c.Series, s)
	}
	c.Log = true
	return c
}

// taskTime is each task over time; for many tasks the median, with the area from lowest to highest.
func (d *drawing) taskTime() *chart.Chart {
	c := d.timed("task-time", "Throughput of each task over time", "operations/s", "tasks")
	if len(d.r.Tasks) <= chart.Colors {
		for i, t := range d.r.Tasks {
			c.Series = append(c.Series, colored(i+1, chart.Solid, line(short(t.ID), t.Throughput, 1)))
		}
		return c
	}
	at := map[int64][]float64{}
	step := 0
	for _, t := range d.r.Tasks {
		if t.Throughput == nil || t.Throughput.StepSeconds == 0 {
			continue
		}
		step = max(step, t.Throughput.StepSeconds)
	}
	for _, t := range d.r.Tasks {
		if t.Throughput == nil || t.Throughput.StepSeconds == 0 {
			continue
		}
		for i, v := range t.Throughput.Values {
			if !math.IsNaN(v) {
				k := t.Throughput.At(i).Unix() / int64(step)
				at[k] = append(at[k], v)
			}
		}
	}
	c.Note = fmt.Sprintf("The line is the median of %d tasks, the area reaches from the lowest to the highest.", len(d.r.Tasks))
	s := chart.Series{Step: float64(step)}
	for _, k := range slices.Sorted(maps.Keys(at)) {
		values := at[k]
		slices.Sort(values)
		s.X, s.Y = append(s.X, float64(k*int64(step))), append(s.Y, values[len(values)/2])
		s.Low, s.High = append(s.Low, values[0]), append(s.High, values[len(values)-1])
	}
	c.Series = []chart.Series{s}
	return c
}
