package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/stats"
)

// Campaign is the answer of a campaign: campaign.json, docs/campaign.schema.json.
type Campaign struct {
	SchemaVersion int           `json:"schema_version"`
	Name          string        `json:"name"`
	Sentence      string        `json:"sentence"`
	RankedBy      string        `json:"ranked_by"` // id of a figure
	Baseline      string        `json:"baseline"`  // a variant
	Ranking       []Ranked      `json:"ranking"`   // the best first, those without a value last
	Runs          []CampaignRun `json:"runs"`      // in the order of comparison.runs
	Comparison    *Comparison   `json:"comparison"`
}

// Ranked is a variant in the ranking.
type Ranked struct {
	Variant          string   `json:"variant"`
	Runs             int      `json:"runs"`              // with results
	Figure           Compared `json:"figure"`            // the ranking's figure, compared with the baseline
	Mean             *float64 `json:"mean"`              // of the runs
	Deviation        *float64 `json:"deviation"`         // standard deviation of the runs
	VariationPercent *float64 `json:"variation_percent"` // the deviation as a share of the mean
	OpsPerSecond     *float64 `json:"ops_per_second"`
	P99MS            *float64 `json:"p99_ms"`
	CacheUSDPerHour  *float64 `json:"cache_usd_per_hour"`        // of its nodes; nil for a serverless cache
	CacheUSDPerMil   *float64 `json:"cache_usd_per_million_ops"` // while steady
	Frontier         bool     `json:"frontier"`                  // no other variant has more operations for the same price an hour, or less
	AtItsLimit       int      `json:"generator_limited_runs"`    // whose load generator was at its limit
}

// CampaignRun is a run of a campaign.
type CampaignRun struct {
	Variant string   `json:"variant"`
	Round   int      `json:"round"`
	Run     string   `json:"run"`
	Value   *float64 `json:"value"` // of the ranking's figure
	Verdict string   `json:"verdict"`

	GeneratorLimited bool `json:"generator_limited"` // its load generator was at its limit
}

// Measured is a variant with its runs, each of a round.
type Measured struct {
	Variant string
	Runs    []*Results
	Rounds  []int
}

// AnswerCampaign compares and ranks variants that have runs; the first is the baseline.
func AnswerCampaign(name, rankedBy string, variants []Measured) *Campaign {
	a := &Campaign{SchemaVersion: SchemaVersion, Name: name, RankedBy: rankedBy, Ranking: []Ranked{}, Runs: []CampaignRun{}}
	var groups [][]*Results
	var rounds [][]int
	var names []string
	for _, v := range variants {
		if len(v.Runs) == 0 {
			continue // it is ranked last
		}
		groups, rounds, names = append(groups, v.Runs), append(rounds, v.Rounds), append(names, v.Variant)
		for i, r := range v.Runs {
			a.Runs = append(a.Runs, CampaignRun{v.Variant, v.Rounds[i], r.Run, r.figure(rankedBy), r.Verdict.Sentence, atItsLimit(r)})
		}
	}
	if len(variants) > 0 && len(variants[0].Runs) == 0 {
		groups, rounds, names = nil, nil, nil
	}
	a.Comparison = CompareRounds(groups, rounds, rankedBy)
	if a.Comparison.Names = append(a.Comparison.Names, names...); len(a.Runs) == 0 {
		a.Sentence = "No run has measured yet."
		return a
	}
	a.Baseline = variants[0].Variant
	for _, v := range variants {
		a.Ranking = append(a.Ranking, a.rank(slices.Index(names, v.Variant), v))
	}
	for i := range a.Ranking {
		a.Ranking[i].Frontier = onFrontier(a.Ranking[i], a.Ranking)
	}
	lower := KindOf(rankedBy).Better == "lower"
	slices.SortStableFunc(a.Ranking, func(x, y Ranked) int {
		of := func(r Ranked) float64 {
			switch {
			case r.Figure.Value == nil:
				return math.Inf(1)
			case lower:
				return *r.Figure.Value
			}
			return -*r.Figure.Value
		}
		switch p, q := of(x), of(y); {
		case p < q:
			return -1
		case p > q:
			return 1
		}
		return 0
	})
	if len(variants[0].Runs) == 0 {
		a.Sentence = fmt.Sprintf("The baseline %s has no run that measured, so that nothing is compared with it.", a.Baseline)
		return a
	}
	a.Sentence = a.sentence()
	return a
}

func (a *Campaign) rank(i int, v Measured) Ranked {
	r := Ranked{Variant: v.Variant, Runs: len(v.Runs), Figure: Compared{Direction: NotComparable, Why: "no run has it"}}
	figure := func(id string) *float64 {
		value, _ := center(v.Runs, id)
		return value
	}
	if len(v.Runs) == 0 {
		return r
	}
	if r.Figure.Value = figure(a.RankedBy); r.Figure.Value != nil {
		r.Figure.Why = "the baseline has no run"
	}
	for _, f := range a.Comparison.Figures {
		if f.ID == a.RankedBy && i >= 0 {
			r.Figure = f.Cells[i]
		}
	}
	if all, why := values(v.Runs, a.RankedBy); why == "" {
		m := stats.Mean(all)
		r.Mean = &m
		if len(all) > 1 {
			r.Deviation = known(math.Sqrt(stats.Variance(all)))
			r.VariationPercent = known(100 * *r.Deviation / m)
		}
	}
	r.OpsPerSecond, r.P99MS, r.CacheUSDPerMil = figure("ops_per_second"), figure("latency_p99_ms"), figure("cache_usd_per_million_ops")
	r.CacheUSDPerHour = v.Runs[0].Cost.CacheUSDPerHour
	for _, run := range v.Runs {
		if atItsLimit(run) {
			r.AtItsLimit++
		}
	}
	return r
}

func atItsLimit(r *Results) bool { return slices.Contains(r.Verdict.Limits, "load_generator") }

// onFrontier reports whether no other variant is at least as cheap and as fast, and better in one of the two.
func onFrontier(r Ranked, all []Ranked) bool {
	if r.CacheUSDPerHour == nil || r.OpsPerSecond == nil {
		return false
	}
	return !slices.ContainsFunc(all, func(o Ranked) bool {
		return o.CacheUSDPerHour != nil && o.OpsPerSecond != nil && *o.CacheUSDPerHour <= *r.CacheUSDPerHour && *o.OpsPerSecond >= *r.OpsPerSecond &&
			(*o.CacheUSDPerHour < *r.CacheUSDPerHour || *o.OpsPerSecond > *r.OpsPerSecond)
	})
}

// sentence is the answer in one sentence: how the best variant differs from the baseline, and how certain that is.
func (a *Campaign) sentence() string {
	label := strings.ToLower(KindOf(a.RankedBy).Label)
	var base Ranked
	for _, r := range a.Ranking {
		if r.Variant == a.Baseline {
			base = r
		}
	}
	best := a.Ranking[0]
	if best.Figure.Direction != BetterThan {
		unseen := 0.0
		for _, r := range a.Ranking {
			if r.Figure.Detectable != nil {
				unseen = max(unseen, *r.Figure.Detectable)
			}
		}
		text := fmt.Sprintf("No variant is shown to be better than %s by %s", a.Baseline, label)
		if unseen > 0 {
			return text + fmt.Sprintf("; a difference below %.1f %% could have stayed unseen.", unseen)
		}
		return text + "; two rounds or more that can be compared are needed."
	}
	text := fmt.Sprintf("The %s of %s is %.1f %% %s (95 %% interval %.1f to %.1f) than that of %s", label, best.Variant, math.Abs(*best.Figure.DeltaPercent), moreOrLess(*best.Figure.DeltaPercent, "higher", "lower"),
		ends(best.Figure.Interval)[0], ends(best.Figure.Interval)[1], a.Baseline)
	if best.P99MS != nil && base.P99MS != nil && a.RankedBy != "latency_p99_ms" && a.comparable("latency_p99_ms", best.Variant) {
		text += fmt.Sprintf(", at a p99 of %.3g instead of %.3g ms", *best.P99MS, *base.P99MS)
	}
	if best.CacheUSDPerHour != nil && base.CacheUSDPerHour != nil && *base.CacheUSDPerHour > 0 {
		percent := 100 * (*best.CacheUSDPerHour / *base.CacheUSDPerHour - 1)
		text += fmt.Sprintf(", for %.0f %% %s an hour", math.Abs(percent), moreOrLess(percent, "more", "less"))
	}
	if best.CacheUSDPerMil != nil && !slices.ContainsFunc(a.Ranking, func(o Ranked) bool { return o.CacheUSDPerMil != nil && *o.CacheUSDPerMil < *best.CacheUSDPerMil }) {
		text += ": cheapest per million operations"
	}
	return text + "."
}

// comparable reports whether a variant's figure can be compared with the baseline's.
func (a *Campaign) comparable(id, variant string) bool {
	i := slices.Index(a.Comparison.Names, variant)
	return i >= 0 && slices.ContainsFunc(a.Comparison.Figures, func(f ComparedRow) bool { return f.ID == id && f.Cells[i].Direction != NotComparable })
}

func moreOrLess(v float64, more, less string) string {
	if v < 0 {
		return less
	}
	return more
}

// ends returns the ends of an interval, the smaller change first.
func ends(v *[2]float64) [2]float64 {
	a, b := math.Abs(v[0]), math.Abs(v[1])
	if v[0] < 0 && v[1] < 0 {
		return [2]float64{b, a}
	}
	return [2]float64{a, b}
}
