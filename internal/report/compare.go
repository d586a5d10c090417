package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/stats"
)

// Comparison compares groups of runs with the first group. A group is repeats of one setting, or a single run.
type Comparison struct {
	SchemaVersion int             `json:"schema_version"`
	Runs          []string        `json:"runs"`     // of all groups, in their order
	Groups        [][]int         `json:"groups"`   // indices into runs; the first group is the reference
	Names         []string        `json:"names"`    // of the groups, if any: a campaign's variants
	Cautions      []string        `json:"cautions"` // what must be known before any figure is read
	Answers       []string        `json:"answers"`  // how each other group differs from the first, one sentence each; groups are named A, B and so on
	Verdicts      []string        `json:"verdicts"` // each run's sentence
	Differences   []Difference    `json:"differences"`
	Figures       []ComparedRow   `json:"figures"`
	Method        string          `json:"method"`
	Throughput    []*Series       `json:"throughput"` // of each run; nil if it has none. Charts overlay them from the start of their load
	MeanLatency   []*Series       `json:"mean_latency"`
	Curves        [][]Percentile  `json:"curves"`
	Steady        []*Window       `json:"steady"`
	Configuration []Configuration `json:"configuration"`
}

// Difference is a setting that differs between runs.
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
	Cells  []Compared `json:"cells"` // of each group; the first is the reference
}

// Directions of a compared figure.
const (
	Reference     = "reference"
	BetterThan    = "better"
	WorseThan     = "worse"
	WithinNoise   = "within_noise" // no difference could be shown
	Higher        = "higher"       // significant, but neither better nor worse
	Lower         = "lower"
	NotComparable = "not_comparable" // Why names the setting that differs
	NotTested     = "not_tested"     // a difference of too few runs; Why says why
)

// Compared is a figure compared with the reference's.
type Compared struct {
	Value        *float64    `json:"value"`         // of several runs their geometric mean
	Delta        *float64    `json:"delta"`         // to the reference, in the figure's unit
	DeltaPercent *float64    `json:"delta_percent"` // of the reference's value
	Interval     *[2]float64 `json:"interval"`      // 95 % of delta_percent, over runs
	P            *float64    `json:"p"`             // of no difference, corrected for the number of figures
	Direction    string      `json:"direction"`
	Why          string      `json:"why"`
	reasons      []string    // why it is not comparable, one by one

	// Only of runs that are compared within rounds.
	Detectable *float64 `json:"detectable_percent"` // the smallest difference that these rounds show with 80 % power
	MoreRounds *int     `json:"more_rounds"`        // to show the difference, or the smallest that counts, if no difference was shown
}

// runToRun is the assumed deviation from run to run in percent if there are no repeats to show it; a difference below placementNoise percent can be caused by
// placement alone. C. Laaber, J. Scheuner, P. Leitner, 2019, "Software microbenchmarking in the cloud. How bad is it really?", Empirical Software
// Engineering 24; A. Maricq et al., 2018, "Taming performance variability", OSDI 18.
const (
	runToRun       = 2.0
	placementNoise = 5.0
)

const (
	overRuns = "A run is one repetition; its minutes share a placement and are not repetitions. Groups are compared by their geometric means, with Student's t-test on logarithms (Welch's where " +
		"groups differ in size); the interval is 95 % of the difference shown. A difference counts when its p is below 5 % after Holm's correction for the number of figures, and when it is " +
		"2 % or more. No difference shown does not prove that the groups are equal."
	withinRounds = "A run is one repetition. Each round has every variant once, in a random order, and a variant is compared with the baseline within rounds: the mean of the rounds' " +
		"differences of logarithms, by Student's t-test, so that what changes from round to round does not count. The interval is 95 % of the difference shown. A difference counts when its p is " +
		"below 5 % and its interval reaches 2 %; p is after Holm's correction, for the figure ranked by over the variants, for all others over variants and figures."
	oneRunEach = "One run each: differences below about 5 % cannot be told from placement, and larger ones can be its effect, too (C. Laaber et al., 2019, \"Software microbenchmarking in the cloud. " +
		"How bad is it really?\"; A. Maricq et al., 2018, \"Taming performance variability\"). Repeat both: RUNS=\"a1,a2,a3 vs b1,b2,b3\". How many runs would show it is given for runs " +
		"that vary by 2 %, with 80 % power at 5 % for all figures together."
)

// setting is a setting that can differ between runs. A workload that differs makes figures of kind not comparable.
type setting struct {
	name string
	of   func(*Configuration) string
	// workload: no figure of the load can be compared. "latency": only latencies cannot, because concurrency (requests in flight: connections x pipeline)
	// changes the latency of a closed loop. "": all can, because the comparison is about this setting.
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
	{"pipeline", func(c *Configuration) string { return fmt.Sprint(c.Pipeline) }, "latency"},
}

// Compare compares single runs with the first.
func Compare(runs []*Results) *Comparison {
	groups := make([][]*Results, len(runs))
	for i, r := range runs {
		groups[i] = []*Results{r}
	}
	return CompareGroups(groups)
}

// CompareGroups compares groups of repeats with the first.
func CompareGroups(groups [][]*Results) *Comparison {
	c := compare(groups, nil, "")
	c.answer()
	return c
}

// CompareRounds compares variants with the first, the baseline. rounds has the round of each run of a group, by index; only runs of the same round
// are compared. The campaign ranks by one figure: its p is corrected for the number of variants alone.
func CompareRounds(groups [][]*Results, rounds [][]int, ranked string) *Comparison {
	return compare(groups, rounds, ranked)
}

func compare(groups [][]*Results, rounds [][]int, ranked string) *Comparison {
	c := &Comparison{SchemaVersion: SchemaVersion, Runs: []string{}, Groups: [][]int{}, Names: []string{}, Cautions: []string{}, Answers: []string{}, Verdicts: []string{}, Differences: []Difference{},
		Figures: []ComparedRow{}, Method: overRuns, Throughput: []*Series{}, MeanLatency: []*Series{}, Curves: [][]Percentile{}, Steady: []*Window{}, Configuration: []Configuration{}}
	var runs []*Results
	for _, g := range groups {
		at := []int{}
		for _, r := range g {
			at, runs = append(at, len(runs)), append(runs, r)
			c.Runs, c.Verdicts = append(c.Runs, r.Run), append(c.Verdicts, r.Verdict.Sentence)
			c.Throughput, c.MeanLatency = append(c.Throughput, r.Client.Throughput), append(c.MeanLatency, r.Client.MeanLatency)
			c.Curves, c.Steady, c.Configuration = append(c.Curves, r.Client.Latency.Curve), append(c.Steady, r.Phases.Steady), append(c.Configuration, r.Configuration)
		}
		c.Groups = append(c.Groups, at)
	}
	if len(runs) == 0 {
		return c
	}
	switch {
	case rounds != nil:
		c.Method = withinRounds
	case len(runs) == len(groups):
		c.Method = oneRunEach
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
			if s.spoils != "" {
				c.Cautions = append(c.Cautions, differs(s.name, d.Values))
			}
		}
	}
	c.Cautions = append(c.Cautions, troubles(runs...)...)
	for _, r := range runs {
		if s := r.Phases.Steady; s != nil && s.Phase == Drifting && r.Phases.DriftPercent != nil {
			c.Cautions = append(c.Cautions, fmt.Sprintf("%s: no steady state, throughput drifted by %+.0f %%: its figures are means of that", named(r), *r.Phases.DriftPercent))
		}
	}
	var met []string
	var figures []Figure
	for _, r := range runs {
		for _, f := range r.Headline {
			if f.Value != nil && !slices.Contains(met, f.ID) { // a figure that no run has gets no row
				met, figures = append(met, f.ID), append(figures, f)
			}
		}
	}
	comparisons := len(figures) * (len(groups) - 1)
	for _, f := range figures {
		c.Figures = append(c.Figures, row(f, groups, rounds, comparisons))
	}
	different := func(cell *Compared, q float64) bool { return stats.Change{Percent: *cell.DeltaPercent}.Different(q) }
	if rounds != nil {
		different = func(cell *Compared, q float64) bool {
			return stats.Paired{Change: stats.Change{Interval: *cell.Interval}}.Different(q)
		}
	}
	c.decide(func(id string) bool { return id == ranked }, different)
	c.decide(func(id string) bool { return id != ranked }, different)
	return c
}

// troubles returns the reasons why the runs' measurements are not of the cache alone: each reason once, with its runs.
func troubles(runs ...*Results) (out []string) {
	var reasons []string
	of := map[string][]string{}
	for _, r := range runs {
		said := unfinished(r.Tasks)
		if slices.Contains(r.Verdict.Limits, "load_generator") {
			said = append(said, "the load generator was at its limit")
		}
		for _, reason := range said {
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			if !slices.Contains(of[reason], named(r)) {
				of[reason] = append(of[reason], named(r))
			}
		}
	}
	for _, reason := range reasons {
		out = append(out, join(of[reason])+": "+reason)
	}
	return out
}

// differs lists the values of a setting, each once.
func differs(setting string, values []string) string {
	var each []string
	for _, v := range values {
		if v = first(v, "unknown"); !slices.Contains(each, v) {
			each = append(each, v)
		}
	}
	verb := "differs"
	if strings.HasSuffix(setting, "s") {
		verb = "differ"
	}
	return fmt.Sprintf("%s %s (%s)", setting, verb, strings.Join(each, ", "))
}

func row(f Figure, groups [][]*Results, rounds [][]int, comparisons int) ComparedRow {
	out := ComparedRow{ID: f.ID, Label: f.Label, Unit: f.Unit, Better: f.Better}
	for i, g := range groups {
		cell := Compared{Direction: Reference}
		cell.Value, cell.Why = center(g, f.ID)
		switch {
		case i > 0 && rounds != nil:
			value, why := cell.Value, cell.Why
			base, runs := common(groups[0], g, rounds[0], rounds[i])
			if cell = paired(f, base, runs, len(groups)-1); value != nil {
				cell.Value = value // of all its runs
			} else if cell.Why == "" {
				cell.Why = why
			}
		case i > 0:
			cell = against(f, groups[0], g, comparisons)
		}
		out.Cells = append(out.Cells, cell)
	}
	return out
}

// center is a group's figure: the value of a single run, or the geometric mean of several; nil and the reason if a run lacks it.
func center(group []*Results, id string) (v *float64, why string) {
	values, why := values(group, id)
	switch {
	case why != "":
		return nil, why
	case slices.Min(values) == slices.Max(values):
		return &values[0], ""
	case slices.Min(values) <= 0:
		return known(mean(values)), ""
	}
	return known(stats.GeometricMean(values)), ""
}

func values(group []*Results, id string) (out []float64, why string) {
	for _, r := range group {
		v := r.figure(id)
		if v == nil {
			return nil, named(r) + " does not have it"
		}
		out = append(out, *v)
	}
	return out, ""
}

// figure returns the value of a headline figure.
func (r *Results) figure(id string) *float64 {
	for _, f := range r.Headline {
		if f.ID == id {
			return f.Value
		}
	}
	return nil
}

// against compares a figure of two groups. It is one of several comparisons; decide picks the significant ones when all are known.
func against(f Figure, base, group []*Results, comparisons int) (out Compared) {
	out.Direction = NotComparable
	was, lacks := center(base, f.ID)
	if out.Value, out.Why = center(group, f.ID); out.Value == nil {
		return out
	}
	if was == nil {
		out.Why = lacks
		return out
	}
	out.Delta = known(*out.Value - *was)
	if *was != 0 {
		out.DeltaPercent = known(100 * (*out.Value - *was) / math.Abs(*was))
	}
	if out.reasons = spoiled(f.ID, base, group); len(out.reasons) > 0 {
		out.Why = strings.Join(out.reasons, "; ")
		return out
	}
	out.Direction = NotTested
	if len(base) < 2 || len(group) < 2 {
		out.Why = few(out.DeltaPercent, comparisons)
		return out
	}
	a, _ := values(base, f.ID)
	b, _ := values(group, f.ID)
	change, ok := stats.Compare(a, b)
	if !ok {
		out.Why = "it is 0 in a run, and has no ratio"
		return out
	}
	out.DeltaPercent, out.Interval, out.P = known(change.Percent), (*[2]float64)(&change.Interval), known(change.P)
	return out
}

// few returns how many runs would be enough, if that many comparisons share the 5 %.
func few(percent *float64, comparisons int) string {
	switch {
	case percent == nil || *percent == 0:
		return "two runs per side are needed"
	case math.Abs(*percent) < stats.Smallest:
		return fmt.Sprintf("below %g %%: too small to name", stats.Smallest)
	case math.Abs(*percent) < placementNoise:
		return fmt.Sprintf("cannot be told from placement; %s per side would show it", Quantity(stats.Runs(*percent, runToRun, comparisons), "run"))
	}
	return Quantity(stats.Runs(*percent, runToRun, comparisons), "run") + " per side would show it"
}

// common returns the runs of the rounds that both groups have, in the group's order.
func common(base, group []*Results, of, rounds []int) (a, b []*Results) {
	at := map[int]*Results{}
	for i, round := range of {
		at[round] = base[i]
	}
	for i, round := range rounds {
		if r := at[round]; r != nil {
			a, b = append(a, r), append(b, group[i])
		}
	}
	return a, b
}

// paired compares a figure within rounds: base[i] and group[i] are of the same round. The comparisons share the 5 %.
func paired(f Figure, base, group []*Results, comparisons int) (out Compared) {
	if len(group) == 0 {
		return Compared{Direction: NotComparable, Why: "it has no round in common with the baseline"}
	}
	rounds := len(group)
	if spoils(f.ID) != nil {
		base, group = sound(base, group)
	}
	if out = against(f, base, group, comparisons); rounds > len(group) {
		out.Why = strings.TrimPrefix(out.Why+"; ", "; ") + fmt.Sprintf("%d of %s are left out for their runs' trouble", rounds-len(group), Quantity(rounds, "round"))
	}
	if out.DeltaPercent == nil || out.Direction == NotComparable || len(group) < 2 {
		return out
	}
	a, _ := values(base, f.ID)
	b, _ := values(group, f.ID)
	change, ok := stats.ComparePaired(a, b)
	if !ok {
		return out
	}
	out.DeltaPercent, out.Interval, out.P = known(change.Percent), (*[2]float64)(&change.Interval), known(change.P)
	out.Detectable = known(stats.Detectable(change.Deviation, change.Rounds, comparisons))
	wanted := max(stats.Smallest, math.Abs(change.Typical()))
	if more := change.Needs(wanted, comparisons) - change.Rounds; more > 0 {
		out.MoreRounds = &more
	}
	return out
}

// sound returns the rounds whose runs are without trouble, or all rounds if every one has trouble.
func sound(base, group []*Results) (a, b []*Results) {
	for i := range base {
		if len(troubles(base[i])) == 0 && len(troubles(group[i])) == 0 {
			a, b = append(a, base[i]), append(b, group[i])
		}
	}
	if len(a) == 0 {
		return base, group
	}
	return a, b
}

// decide corrects p for all tests among some figures, and decides which differences count.
func (c *Comparison) decide(among func(id string) bool, different func(cell *Compared, q float64) bool) {
	var p []float64
	var cells []*Compared
	var better []string
	for i := range c.Figures {
		if !among(c.Figures[i].ID) {
			continue
		}
		for j := range c.Figures[i].Cells {
			if cell := &c.Figures[i].Cells[j]; cell.P != nil {
				cells, p, better = append(cells, cell), append(p, *cell.P), append(better, c.Figures[i].Better)
			}
		}
	}
	for i, q := range stats.Holm(p) {
		cells[i].P, cells[i].Direction = known(q), WithinNoise
		if different(cells[i], q) {
			cells[i].Direction, cells[i].MoreRounds = direction(better[i], *cells[i].DeltaPercent), nil
		} else if v := cells[i].Interval; c.Method == overRuns && v[0]*v[1] > 0 && math.Abs(*cells[i].DeltaPercent) >= stats.Smallest {
			cells[i].Why = "the interval is of this figure alone, p of all together; more runs would tell"
		}
	}
}

func named(r *Results) string {
	if r.Run == "" {
		return "a run without a name"
	}
	return "run " + r.Run
}

// spoiled returns what makes a figure not comparable: settings that differ, lost tasks, a load generator at its limit.
func spoiled(id string, base, group []*Results) (why []string) {
	by := spoils(id)
	if by == nil {
		return nil
	}
	runs := slices.Concat(base, group)
	for _, s := range compared {
		var values []string
		for _, r := range runs {
			values = append(values, s.of(&r.Configuration))
		}
		if slices.Contains(by, s.spoils) && slices.ContainsFunc(values, func(v string) bool { return v != values[0] }) {
			why = append(why, differs(s.name, values))
		}
	}
	return append(why, troubles(runs...)...)
}

func direction(better string, delta float64) string {
	switch {
	case better == "":
		return map[bool]string{true: Higher, false: Lower}[delta > 0]
	case (better == "higher") == (delta > 0):
		return BetterThan
	}
	return WorseThan
}
