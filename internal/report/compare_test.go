package report

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

func cell(t *testing.T, c *Comparison, id string) Compared {
	t.Helper()
	for _, f := range c.Figures {
		if f.ID == id {
			require.Equal(t, Reference, f.Cells[0].Direction)
			return f.Cells[1]
		}
	}
	t.Fatalf("no figure %s", id)
	return Compared{}
}

func pair() synthetic.Case { return synthetic.Case{Minutes: 10, Tasks: 2, Nodes: 1, TaskCPU: 40} }

// repeats makes runs of one setting whose throughput and engine CPU differ by the factors.
func repeats(t *testing.T, level float64, latency int64, factors ...float64) (out []*Results) {
	for _, f := range factors {
		c := pair()
		c.Rate = func(int, int) float64 { return level * f }
		c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 40 * level * f / 10_000})
		c.Latency = func(int) []int64 { return []int64{latency, latency + int64(100*f)} }
		out = append(out, analyzed(t, c))
	}
	return out
}

// Every delta that has an interval is inside it.
func holds(t *testing.T, c *Comparison) {
	t.Helper()
	asSchema(t, "comparison", c)
	for _, f := range c.Figures {
		for _, cell := range f.Cells {
			if cell.Interval != nil {
				require.LessOrEqual(t, cell.Interval[0], *cell.DeltaPercent, f.ID)
				require.LessOrEqual(t, *cell.DeltaPercent, cell.Interval[1], f.ID)
				require.NotNil(t, cell.P, f.ID)
			}
		}
	}
}

func TestGroupsAreComparedOverRuns(t *testing.T) {
	base, faster := repeats(t, 10_000, 400, 0.99, 1, 1.01), repeats(t, 11_500, 300, 0.99, 1, 1.01)
	c := CompareGroups([][]*Results{base, faster})
	holds(t, c)
	require.Equal(t, [][]int{{0, 1, 2}, {3, 4, 5}}, c.Groups)
	require.Equal(t, overRuns, c.Method)
	require.Empty(t, c.Cautions)
	ops := cell(t, c, "ops_per_second")
	require.Equal(t, BetterThan, ops.Direction)
	require.InDelta(t, 15, *ops.DeltaPercent, 0.3)
	require.Equal(t, BetterThan, cell(t, c, "latency_p99_ms").Direction)
	require.Equal(t, Higher, cell(t, c, "engine_cpu_percent").Direction, "neither better nor worse")
	require.Equal(t, BetterThan, cell(t, c, "usd_per_million_ops").Direction)
	require.Equal(t, WithinNoise, cell(t, c, "usd_total").Direction)

	back := CompareGroups([][]*Results{faster, base})
	holds(t, back)
	require.Equal(t, WorseThan, cell(t, back, "ops_per_second").Direction)
	require.Equal(t, back, CompareGroups([][]*Results{faster, base}), "no chance in the answer")

	same := CompareGroups([][]*Results{base, repeats(t, 10_000, 400, 1.02, 0.985, 1.005)})
	holds(t, same)
	for _, f := range same.Figures {
		if v := f.Cells[1].Value; v == nil || *v == 0 {
			continue // the synthetic metrics have no latency inside the cache, and no operation took long
		}
		require.Equal(t, WithinNoise, f.Cells[1].Direction, f.ID)
	}

	sure := CompareGroups([][]*Results{repeats(t, 10_000, 400, 1, 1, 1), repeats(t, 10_100, 400, 1, 1, 1)})
	require.InDelta(t, 1, *cell(t, sure, "ops_per_second").DeltaPercent, 0.1)
	require.Equal(t, WithinNoise, cell(t, sure, "ops_per_second").Direction, "1 % is not worth naming, however sure it is")

	one := CompareGroups([][]*Results{base, faster[:1]})
	require.Equal(t, NotTested, cell(t, one, "ops_per_second").Direction, "a single run shows no variation")
}

// A comparison starts with an answer that a reader can paste: what is better, worse, the same or not comparable, and why.
func TestAComparisonHasAnAnswer(t *testing.T) {
	base, faster := repeats(t, 10_000, 400, 0.99, 1, 1.01), repeats(t, 11_500, 400, 0.99, 1, 1.01)
	c := CompareGroups([][]*Results{base, faster, base})
	require.Len(t, c.Answers, 2)
	require.Regexp(t, `^B against A: better in throughput \(\+1[45]\.\d %, 95 %: \+1\d\.\d to \+1\d\.\d %\) and cost of a million operations, cache alone \(−1[23]\.\d %, 95 %: −1\d\.\d to −1\d\.\d %\); no difference shown in p50 latency, p99 latency and p99\.9 latency\.$`, c.Answers[0])
	require.Equal(t, "C against A: no difference shown in throughput, p50 latency, p99 latency, p99.9 latency and cost of a million operations, cache alone.", c.Answers[1])
	require.Regexp(t, `^B against A: worse in throughput \(−1[23]`, CompareGroups([][]*Results{faster, base}).Answers[0])

	require.Regexp(t, `^B against A: throughput \+1[456]\.\d %, p50 latency .*, of which nothing is called better or worse, for one run on a side does not show how much runs vary\.$`, Compare([]*Results{base[0], faster[0]}).Answers[0])
	other := pair()
	other.Settings = `, "data_size": 1024`
	require.Equal(t, "B against A: not comparable in throughput, p50 latency, p99 latency, p99.9 latency and cost of a million operations, cache alone: data size differs (256, 1024).",
		Compare([]*Results{base[0], analyzed(t, other)}).Answers[0])
	require.Empty(t, Compare([]*Results{base[0]}).Answers)
}

// With nodes at twice the price the cost of a million operations differs, and its interval is of the cost.
func TestAnIntervalIsOfTheFigureThatIsShown(t *testing.T) {
	base := repeats(t, 10_000, 400, 0.99, 1, 1.01)
	dear := repeats(t, 10_000, 400, 0.99, 1, 1.01)
	for _, r := range dear {
		for i, f := range r.Headline {
			if f.ID == "usd_per_million_ops" {
				r.Headline[i].Value = known(*f.Value * 1.639)
			}
		}
	}
	c := CompareGroups([][]*Results{base, dear})
	holds(t, c)
	cost := cell(t, c, "usd_per_million_ops")
	require.Equal(t, WorseThan, cost.Direction)
	require.InDelta(t, 63.9, *cost.DeltaPercent, 0.1)
	require.Greater(t, cost.Interval[0], 55.)
	require.Equal(t, WithinNoise, cell(t, c, "ops_per_second").Direction)
}

func TestOneRunASideDecidesNothing(t *testing.T) {
	one := analyzed(t, pair())
	faster := pair()
	faster.Rate = func(int, int) float64 { return 10_300 }
	c := Compare([]*Results{one, analyzed(t, faster)})
	holds(t, c)
	require.Equal(t, oneRunEach, c.Method)
	for _, f := range c.Figures {
		require.Contains(t, []string{NotTested, NotComparable}, f.Cells[1].Direction, f.ID)
		require.Nil(t, f.Cells[1].Interval, f.ID)
	}
	require.InDelta(t, 3, *cell(t, c, "ops_per_second").DeltaPercent, 0.3)
	require.Regexp(t, `^cannot be told from placement; \d+ runs per side would show it$`, cell(t, c, "ops_per_second").Why)
	require.Equal(t, "two runs per side are needed", few(known(0), 1))
	require.Equal(t, "below 2 %: too small to name", few(known(-1.9), 1))
	require.Equal(t, "4 runs per side would show it", few(known(-5), 1))
}

func TestWhatIsNotComparable(t *testing.T) {
	one := analyzed(t, pair())
	other := pair()
	other.Settings = `, "data_size": 1024`
	c := Compare([]*Results{one, analyzed(t, other)})
	holds(t, c)
	require.Equal(t, []Difference{{"data size", []string{"256", "1024"}}}, c.Differences)
	require.Equal(t, []string{"data size differs (256, 1024)"}, c.Cautions, "the first word")
	for _, id := range []string{"ops_per_second", "latency_p99_ms", "usd_per_million_ops"} {
		require.Equal(t, NotComparable, cell(t, c, id).Direction)
		require.Equal(t, "data size differs (256, 1024)", cell(t, c, id).Why)
	}

	more := pair()
	more.Settings = `, "clients": 20`
	c = Compare([]*Results{one, analyzed(t, more)})
	require.Equal(t, NotTested, cell(t, c, "ops_per_second").Direction)
	require.Equal(t, NotComparable, cell(t, c, "latency_p99_ms").Direction)
	require.Equal(t, "clients differ (10, 20)", cell(t, c, "latency_p99_ms").Why)

	run := Run(pair().Files())
	run.Manifest.Membership.NodeType = "cache.m7g.xlarge"
	bigger, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	c = Compare([]*Results{one, bigger})
	require.Equal(t, "node type", c.Differences[0].Setting)
	require.Empty(t, c.Cautions, "the node type is what a comparison is for")
	require.Equal(t, NotTested, cell(t, c, "ops_per_second").Direction)

	died := pair()
	died.Dies = map[int]int{1: 300}
	c = Compare([]*Results{one, analyzed(t, died)})
	require.Equal(t, []string{"run 2026-11-23T03-00-00Z: 1 of 2 tasks did not finish"}, c.Cautions)
	require.Equal(t, NotComparable, cell(t, c, "ops_per_second").Direction)
	require.Equal(t, NotComparable, cell(t, c, "usd_per_million_ops").Direction)

	busy := pair()
	busy.TaskCPU = 95
	c = Compare([]*Results{one, analyzed(t, busy)})
	require.Equal(t, []string{"run 2026-11-23T03-00-00Z: the load generator was at its limit"}, c.Cautions)
	require.Equal(t, NotComparable, cell(t, c, "latency_p99_ms").Direction)

	drifts := pair()
	drifts.Rate = func(_, s int) float64 { return 10_000 * (1 - 0.12*float64(s)/float64(60*drifts.Minutes)) }
	require.Regexp(t, `^run 2026-11-23T03-00-00Z: no steady state, throughput drifted by -1[23] %: its figures are means of that$`, Compare([]*Results{one, analyzed(t, drifts)}).Cautions[0])

	require.Empty(t, Compare(nil).Figures)
	holds(t, Compare(nil))
	nothing, err := Analyze(context.Background(), Run{})
	require.NoError(t, err)
	c = Compare([]*Results{one, nothing, one})
	holds(t, c)
	require.Equal(t, NotComparable, cell(t, c, "ops_per_second").Direction)
	require.Equal(t, "a run without a name does not have it", cell(t, c, "ops_per_second").Why)
}

// A reason that makes figures not comparable is reported once, with all its runs, before the comparison.
func TestAReasonIsSaidOnce(t *testing.T) {
	named := func(c synthetic.Case, run string) *Results {
		r := analyzed(t, c)
		r.Run = run
		return r
	}
	busy := pair()
	busy.TaskCPU, busy.Settings = 95, `, "clients": 20`
	c := CompareGroups([][]*Results{{named(pair(), "a1"), named(pair(), "a2")}, {named(busy, "b1"), named(busy, "b2")}})
	holds(t, c)
	limit, clients := "run b1 and run b2: the load generator was at its limit", "clients differ (10, 20)"
	require.Equal(t, []string{clients, limit}, c.Cautions)
	require.Regexp(t, `^B against A: not comparable in throughput, p50 latency, p99 latency, p99\.9 latency and cost of a million operations, cache alone: run b1 and run b2: the load generator was at its limit; `+
		`not comparable in p50 latency, p99 latency and p99\.9 latency: clients differ \(10, 20\)\.$`, c.Answers[0])
	require.Empty(t, c.Unsaid())
	for _, f := range c.Figures {
		if cell := f.Cells[1]; cell.Direction == NotComparable {
			require.Empty(t, c.Reason(cell), f.ID)
			require.Contains(t, cell.Why, limit, "the file of results has it beside each figure")
		}
	}

	died := pair()
	died.Dies = map[int]int{1: 300}
	busy.Settings = ""
	c = Compare([]*Results{named(died, "a"), named(busy, "b")})
	require.Equal(t, "B against A: not comparable in throughput, p50 latency, p99 latency, p99.9 latency and cost of a million operations, cache alone: run a: 1 of 2 tasks did not finish, run b: the load generator was at its limit.", c.Answers[0])
	require.Empty(t, c.Unsaid())

	more := pair() // throughput is compared although the number of tasks differs
	more.Tasks = 3
	for i, tasks := range []int{2, 3} {
		more.Tasks = tasks
		c = Compare([]*Results{named(pair(), "a"), named(more, "b")})
		require.Equal(t, i == 1, slices.Contains(c.Cautions, "tasks differ (2, 3)"))
		require.Equal(t, i == 1, strings.HasPrefix(c.Answers[0], "B against A: not comparable in p50 latency, p99 latency and p99.9 latency: tasks differ (2, 3); throughput +"), c.Answers[0])
		require.Equal(t, NotTested, cell(t, c, "ops_per_second").Direction)
	}

	drifts := pair()
	drifts.Rate = func(_, s int) float64 { return 10_000 * (1 - 0.12*float64(s)/float64(60*drifts.Minutes)) }
	c = Compare([]*Results{named(pair(), "a"), named(drifts, "b")})
	require.Len(t, c.Unsaid(), 1, "no figure is spoiled by a drift")
	lacks := named(pair(), "b")
	lacks.Headline = lacks.Headline[:1]
	require.Equal(t, "run b does not have it", Compare([]*Results{named(pair(), "a"), lacks}).Figures[2].Cells[1].Why)
}

// Groups without a true difference: at most one in twenty pairs shows one in any figure of the table, and each figure's interval covers the truth.
// Figures have noise within a run (1 % a minute, autocorrelated) and from run to run.
func TestFiguresOfNoDifferenceAreCalledDifferentRarely(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 14))
	const trials = 60
	all, wrong, covered, intervals := 0, 0, map[string]int{}, 0
	for _, runs := range []int{3, 5} {
		for _, minutes := range []int{10, 30, 60} {
			for _, rho := range []float64{0, 0.5, 0.8} {
				for _, between := range []float64{0, 1, 2} {
					// the variance of a mean of autocorrelated values: https://en.wikipedia.org/wiki/Autoregressive_model
					within := math.Sqrt((1 + rho) / (1 - rho) / float64(minutes))
					group := func() (out []*Results) {
						for range runs {
							r := &Results{}
							for i, k := range Figures {
								v := float64(i+1) * math.Exp((between*random.NormFloat64()+within*random.NormFloat64())/100)
								r.Headline = append(r.Headline, Figure{ID: k.ID, Label: k.Label, Unit: k.Unit, Better: k.Better, Value: &v})
							}
							out = append(out, r)
						}
						return out
					}
					for range trials {
						c := CompareGroups([][]*Results{group(), group()})
						different := false
						for _, f := range c.Figures {
							cell := f.Cells[1]
							different = different || cell.Direction != WithinNoise
							if cell.Interval[0] <= 0 && cell.Interval[1] >= 0 {
								covered[f.ID]++
							}
						}
						if intervals++; different {
							wrong++
						}
						all++
					}
				}
			}
		}
	}
	require.LessOrEqual(t, float64(wrong)/float64(all), 0.05)
	for id, n := range covered {
		require.InDelta(t, 0.95, float64(n)/float64(intervals), 0.02, id)
	}
	t.Logf("of %d comparisons %.2f %% show a difference", all, 100*float64(wrong)/float64(all))
}

// Two runs a side that differ by 10 %: the figure's own interval excludes 0, but p corrected for all figures is not significant. Neither means "no
// difference".
func TestTooFewRunsAreNoAnswer(t *testing.T) {
	base, faster := repeats(t, 10_000, 400, 0.995, 1.006), repeats(t, 11_000, 400, 1.004, 0.993)
	c := CompareGroups([][]*Results{base, faster})
	holds(t, c)
	ops := cell(t, c, "ops_per_second")
	require.Equal(t, WithinNoise, ops.Direction)
	require.Greater(t, ops.Interval[0], 0.0)
	require.Equal(t, "the interval is of this figure alone, p of all together; more runs would tell", ops.Why)
	require.Regexp(t, `^B against A: too few runs to tell of throughput \(\+9\.\d %, 95 %: \+\d\.\d to \+1\d\.\d %\) and cost of a million operations, cache alone \(.*\); no difference shown in p50 latency`, c.Answers[0])
	require.Empty(t, cell(t, c, "latency_p50_ms").Why)
}

// The number of runs that the page asks for is enough, with all its figures.
func TestAsManyRunsAsAreNamedTell(t *testing.T) {
	one := cell(t, Compare([]*Results{repeats(t, 10_000, 400, 1)[0], repeats(t, 11_200, 400, 1)[0]}), "ops_per_second")
	require.Equal(t, "4 runs per side would show it", one.Why)
	told, trials, random := 0, 100, rand.New(rand.NewPCG(3, 4))
	for range trials {
		group := func(level float64) (out []*Results) {
			for range 4 {
				var r Results
				for _, k := range Figures {
					r.Headline = append(r.Headline, Figure{ID: k.ID, Label: k.Label, Better: k.Better, Value: known(level * math.Exp(0.02*random.NormFloat64()))})
				}
				out = append(out, &r)
			}
			return out
		}
		if cell(t, CompareGroups([][]*Results{group(100), group(112)}), "ops_per_second").Direction == BetterThan {
			told++
		}
	}
	require.GreaterOrEqual(t, told, 80)
}
