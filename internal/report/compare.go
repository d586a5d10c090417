package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Comparison holds runs against the first one.
type Comparison struct {
	SchemaVersion int             `json:"schema_version"`
	Runs          []string        `json:"runs"`
	Verdicts      []string        `json:"verdicts"` // each run's sentence
	Differences   []Difference    `json:"differences"`
	Figures       []ComparedRow   `json:"figures"`
	Method        string          `json:"method"`
	Throughput    []*Series       `json:"throughput"` // of each run; nil where it has none. Charts overlay them from their load's begin
	MeanLatency   []*Series       `json:"mean_latency"`
	Curves        [][]Percentile  `json:"curves"`
	Steady        []*Window       `json:"steady"`
	Configuration []Configuration `json:"configuration"`
}

// Difference is a setting that is not the same in all runs.
type Difference struct {
	Setting string   `json:"setting"`
	Values  []string `json:"values"` // of each run
}

// ComparedRow is one figure of all runs.
type ComparedRow struct {
	ID     string     `json:"id"`
	Label  string     `json:"label"`
	Unit   string     `json:"unit"`
	Better string     `json:"better"`
	Cells  []Compared `json:"cells"` // of each run; the first is the reference
}

// Directions of a compared figure.
const (
	Reference     = "reference"
	BetterThan    = "better"
	WorseThan     = "worse"
	WithinNoise   = "within_noise"
	Higher        = "higher" // significant, but neither better nor worse
	Lower         = "lower"
	NotComparable = "not_comparable" // Why says which setting differs
	NotTested     = "not_tested"     // a difference whose noise is not known; Why says why
)

// Compared is a figure against the reference's.
type Compared struct {
	Value        *float64    `json:"value"`
	Delta        *float64    `json:"delta"`         // to the reference, in the figure's unit
	DeltaPercent *float64    `json:"delta_percent"` // of the reference's value
	Interval     *[2]float64 `json:"interval"`      // 95 % of the delta in percent
	Direction    string      `json:"direction"`
	Why          string      `json:"why"`
}

const compareMethod = "Each run is compared with the first. Noise by a moving block bootstrap (H. R. Künsch, 1989, \"The jackknife and the bootstrap for general stationary " +
	"observations\", Annals of Statistics 17(3)): the minutes of each run's steady window (10 s in one under 10 minutes, 5 s under 2) are drawn anew 2,000 times in blocks of the cube root of " +
	"their number, which keeps what follows each other together. A difference counts when its 95 % interval does not hold 0. A percentile of all of the load has no minutes: " +
	"its noise is drawn from the tasks' own percentiles, when each run has 4 of them. A result within noise does not prove that the runs are equal."

// setting is what two runs can differ in. A workload that differs makes figures of kind not comparable.
type setting struct {
	name string
	of   func(*Configuration) string
	// workload: nothing that the load measured can be compared. Otherwise "latency" only, as concurrency moves the latency of a closed loop,
	// or "": it is what a comparison is for.
	spoils string
}

var compared = []setting{
	{"node type", func(c *Configuration) string { return c.NodeType }, ""},
	{"nodes", func(c *Configuration) string { return fmt.Sprint(c.Nodes) }, ""},
	{"shards", func(c *Configuration) string { return fmt.Sprint(c.Shards) }, ""},
	{"engine", func(c *Configuration) string { return strings.TrimSpace(c.Engine + " " + c.EngineVersion) }, ""},
	{"server", func(c *Configuration) string { return c.Server }, ""},
	{"TLS", func(c *Configuration) string {
		if c.TLS == nil {
			return ""
		}
		return fmt.Sprint(*c.TLS)
	}, ""},
	{"region", func(c *Configuration) string { return c.Region }, ""},
	{"zones of the nodes", func(c *Configuration) string { return strings.Join(c.NodeZones, ", ") }, ""},
	{"zones of the tasks", func(c *Configuration) string { return strings.Join(c.TaskZones, ", ") }, ""},
	{"task size", func(c *Configuration) string {
		return fmt.Sprintf("%d CPU units, %d MiB, %s", c.TaskCPUUnits, c.TaskMemoryMiB, c.Architecture)
	}, ""},
	{"generator", func(c *Configuration) string { return c.Generator }, "workload"},
	{"SET:GET ratio", func(c *Configuration) string { return c.Ratio }, "workload"},
	{"data size", func(c *Configuration) string { return fmt.Sprint(c.DataSize) }, "workload"},
	{"key pattern", func(c *Configuration) string { return c.KeyPattern }, "workload"},
	{"key maximum", func(c *Configuration) string { return fmt.Sprint(c.KeyMaximum) }, "workload"},
	{"pipeline", func(c *Configuration) string { return fmt.Sprint(c.Pipeline) }, "workload"},
	{"rate limit", func(c *Configuration) string {
		if c.RateLimit == nil {
			return "none"
		}
		return fmt.Sprint(*c.RateLimit)
	}, "workload"},
	{"extra arguments", func(c *Configuration) string { return strings.Join(c.ExtraArgs, " ") }, "workload"},
	{"tasks", func(c *Configuration) string { return fmt.Sprint(c.Tasks) }, "latency"},
	{"threads", func(c *Configuration) string { return fmt.Sprint(c.Threads) }, "latency"},
	{"clients", func(c *Configuration) string { return fmt.Sprint(c.Clients) }, "latency"},
}

// test is how the noise of a headline figure is found.
type test struct {
	series    func(*Results) *Series // minutes to draw from
	inverse   bool                   // the figure goes as one over the series
	statistic func([]float64) float64
	percent   float64 // else the tasks' own percentile
	exact     bool    // no noise: prices and counts
	spoiledBy []string
}

var tests = map[string]test{
	"ops_per_second":            {series: func(r *Results) *Series { return r.Client.Throughput }, statistic: mean, spoiledBy: []string{"workload"}},
	"load_bytes_per_second":     {series: func(r *Results) *Series { return r.Client.Bytes }, statistic: mean, spoiledBy: []string{"workload"}},
	"latency_mean_ms":           {series: func(r *Results) *Series { return r.Client.MeanLatency }, statistic: mean, spoiledBy: []string{"workload", "latency"}},
	"latency_p50_ms":            {percent: 50, spoiledBy: []string{"workload", "latency"}},
	"latency_p99_ms":            {percent: 99, spoiledBy: []string{"workload", "latency"}},
	"latency_p999_ms":           {percent: 99.9, spoiledBy: []string{"workload", "latency"}},
	"latency_max_ms":            {spoiledBy: []string{"workload", "latency"}},
	"server_read_p99_ms":        {series: func(r *Results) *Series { return r.Server.ReadP99 }, statistic: median, spoiledBy: []string{"workload", "latency"}},
	"server_write_p99_ms":       {series: func(r *Results) *Series { return r.Server.WriteP99 }, statistic: median, spoiledBy: []string{"workload", "latency"}},
	"engine_cpu_percent":        {series: func(r *Results) *Series { return r.CPU.EngineMax }, statistic: mean},
	"node_bytes_out_per_second": {series: func(r *Results) *Series { return r.Network.Out }, statistic: mean},
	"node_bytes_in_per_second":  {series: func(r *Results) *Series { return r.Network.In }, statistic: mean},
	"hit_percent":               {series: func(r *Results) *Series { return r.Server.HitRate }, statistic: mean, spoiledBy: []string{"workload"}},
	"usd_total":                 {exact: true},
	"usd_per_million_ops":       {series: func(r *Results) *Series { return r.Client.Throughput }, inverse: true, statistic: mean, spoiledBy: []string{"workload"}},
}

// Compare puts runs side by side, the first as the reference.
func Compare(runs []*Results) *Comparison {
	c := &Comparison{SchemaVersion: SchemaVersion, Runs: []string{}, Verdicts: []string{}, Differences: []Difference{}, Figures: []ComparedRow{}, Method: compareMethod,
		Throughput: []*Series{}, MeanLatency: []*Series{}, Curves: [][]Percentile{}, Steady: []*Window{}, Configuration: []Configuration{}}
	for _, r := range runs {
		c.Runs, c.Verdicts = append(c.Runs, r.Run), append(c.Verdicts, r.Verdict.Sentence)
		c.Throughput, c.MeanLatency = append(c.Throughput, r.Client.Throughput), append(c.MeanLatency, r.Client.MeanLatency)
		c.Curves, c.Steady, c.Configuration = append(c.Curves, r.Client.Latency.Curve), append(c.Steady, r.Phases.Steady), append(c.Configuration, r.Configuration)
	}
	if len(runs) == 0 {
		return c
	}
	for _, s := range compared {
		d := Difference{Setting: s.name}
		same := true
		for _, r := range runs {
			d.Values = append(d.Values, s.of(&r.Configuration))
			same = same && d.Values[0] == d.Values[len(d.Values)-1]
		}
		if !same {
			c.Differences = append(c.Differences, d)
		}
	}
	var met []string
	for _, r := range runs {
		for _, f := range r.Headline {
			if !slices.Contains(met, f.ID) {
				met = append(met, f.ID)
				c.Figures = append(c.Figures, row(f, runs))
			}
		}
	}
	return c
}

func row(f Figure, runs []*Results) ComparedRow {
	out := ComparedRow{ID: f.ID, Label: f.Label, Unit: f.Unit, Better: f.Better}
	for i, r := range runs {
		cell := Compared{Value: r.figure(f.ID), Direction: Reference}
		if i > 0 {
			cell = against(f, runs[0], r)
		}
		out.Cells = append(out.Cells, cell)
	}
	return out
}

// figure is a headline figure's value.
func (r *Results) figure(id string) *float64 {
	for _, f := range r.Headline {
		if f.ID == id {
			return f.Value
		}
	}
	return nil
}

func against(f Figure, base, run *Results) Compared {
	out := Compared{Value: run.figure(f.ID), Direction: NotComparable}
	was := base.figure(f.ID)
	switch {
	case out.Value == nil:
		out.Why = named(run) + " does not have it"
		return out
	case was == nil:
		out.Why = named(base) + " does not have it"
		return out
	}
	out.Delta = known(*out.Value - *was)
	if *was != 0 {
		out.DeltaPercent = known(100 * (*out.Value - *was) / math.Abs(*was))
	}
	t, ok := tests[f.ID]
	if ok {
		if why := spoiled(t, base, run); why != "" {
			out.Why = why
			return out
		}
	}
	if t.exact {
		out.Direction = direction(f.Better, *out.Delta)
		return out
	}
	interval, why := t.interval(base, run)
	if interval == nil {
		out.Direction, out.Why = NotTested, why
		return out
	}
	out.Interval = interval
	switch {
	case interval[0] > 0:
		out.Direction = direction(f.Better, 1)
	case interval[1] < 0:
		out.Direction = direction(f.Better, -1)
	default:
		out.Direction = WithinNoise
	}
	return out
}

func named(r *Results) string {
	if r.Run == "" {
		return "a run without a name"
	}
	return "run " + r.Run
}

// spoiled names the settings that differ and make a figure not comparable.
func spoiled(t test, a, b *Results) string {
	var names []string
	for _, s := range compared {
		if x, y := s.of(&a.Configuration), s.of(&b.Configuration); slices.Contains(t.spoiledBy, s.spoils) && s.spoils != "" && x != y {
			names = append(names, fmt.Sprintf("%s differs (%s, %s)", s.name, first(x, "unknown"), first(y, "unknown")))
		}
	}
	return strings.Join(names, "; ")
}

func direction(better string, delta float64) string {
	switch {
	case delta == 0:
		return WithinNoise
	case better == "":
		return map[bool]string{true: Higher, false: Lower}[delta > 0]
	case (better == "higher") == (delta > 0):
		return BetterThan
	}
	return WorseThan
}

// interval is the 95 % interval of the difference in percent of the reference; nil and why when it cannot be found.
func (t test) interval(base, run *Results) (*[2]float64, string) {
	const least = 5
	var a, b []float64
	block := 1
	switch {
	case t.series != nil:
		unit := int64(60)
		for _, r := range []*Results{base, run} {
			if r.Phases.Steady == nil {
				return nil, named(r) + " has no steady window"
			}
			switch m := r.Phases.Steady.Duration().Minutes(); {
			case m < 2:
				unit = 5
			case m < 10:
				unit = min(unit, 10)
			}
		}
		a, b = t.series(base).grid().resample(unit).values(*base.Phases.Steady), t.series(run).grid().resample(unit).values(*run.Phases.Steady)
		if len(a) < least || len(b) < least {
			return nil, fmt.Sprintf("under %d values in a steady window (%d, %d): the noise is not known", least, len(a), len(b))
		}
	case t.percent > 0:
		a, b = ownPercentiles(base, t.percent), ownPercentiles(run, t.percent)
		if len(a) < 4 || len(b) < 4 {
			return nil, "one histogram for all of the load, and under 4 tasks: the noise is not known"
		}
		t.statistic, block = median, -1
	default:
		return nil, "its noise is not known"
	}
	if t.inverse {
		statistic := t.statistic
		t.statistic = func(v []float64) float64 { return 1 / statistic(v) }
	}
	// The same files give the same answer: the seed is fixed.
	random := rand.New(rand.NewPCG(20260101, uint64(len(a))<<32|uint64(len(b))))
	deltas := make([]float64, 0, 2000)
	for range cap(deltas) {
		x, y := t.statistic(draw(random, a, block)), t.statistic(draw(random, b, block))
		if d := 100 * (y - x) / x; !math.IsNaN(d) && !math.IsInf(d, 0) {
			deltas = append(deltas, d)
		}
	}
	if len(deltas) == 0 {
		return nil, "its values are 0"
	}
	slices.Sort(deltas)
	at := func(q float64) float64 { return deltas[int(q*float64(len(deltas)-1)+0.5)] }
	return &[2]float64{at(0.025), at(0.975)}, ""
}

// draw resamples values in blocks of the cube root of their number; block -1 draws them one by one.
func draw(random *rand.Rand, v []float64, block int) []float64 {
	if block < 0 {
		block = 1
	} else {
		block = int(math.Ceil(math.Cbrt(float64(len(v)))))
	}
	out := make([]float64, 0, len(v)+block)
	for len(out) < len(v) {
		at := random.IntN(len(v) - block + 1)
		out = append(out, v[at:at+block]...)
	}
	return out[:len(v)]
}

func ownPercentiles(r *Results, percent float64) (out []float64) {
	for _, t := range r.Tasks {
		for _, p := range t.Percentiles {
			if p.Percent == percent {
				out = append(out, p.MS)
			}
		}
	}
	return out
}
