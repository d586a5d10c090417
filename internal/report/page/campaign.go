package page

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// CampaignHTML writes a campaign's answer as one self-contained file. how describes how it was run.
func CampaignHTML(w io.Writer, a *report.Campaign, how [][2]string) error {
	view := campaign{comparison{a.Comparison, "elasticache-perf: campaign " + a.Name, nil}, a, how, report.KindOf(a.RankedBy)}
	if err := pages.ExecuteTemplate(w, "campaign.html.tmpl", view); err != nil {
		return fmt.Errorf("campaign %s: %w", a.Name, err)
	}
	return nil
}

type campaign struct {
	comparison
	A    *report.Campaign
	How  [][2]string
	Kind report.Kind
}

// Frontier says whether a ranked variant is on the frontier of price and throughput.
func (c campaign) Frontier(r report.Ranked) string {
	switch {
	case r.CacheUSDPerHour == nil:
		return ""
	case r.Frontier:
		return "no other has more throughput for this price an hour"
	}
	return "another has more throughput for the same price an hour, or less"
}

// Verdicts are the verdicts of a variant's runs, the most frequent first, each with its count.
func (c campaign) Verdicts(variant string) (all []string) {
	of, runs := map[string]int{}, 0
	for _, r := range c.A.Runs {
		if r.Variant == variant {
			runs++
			of[r.Verdict]++
		}
	}
	said := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], strings.Compare(a, b)) })
	for _, v := range said {
		if len(said) > 1 {
			v = fmt.Sprintf("%d of %s: %s", of[v], report.Quantity(runs, "run"), v)
		}
		all = append(all, v)
	}
	return all
}

// Differs are the settings that differ, with each variant's values.
func (c campaign) Differs() (rows []report.Difference) {
	for _, d := range c.C.Differences {
		row := report.Difference{Setting: d.Setting}
		for _, runs := range c.C.Groups {
			var values []string
			for _, i := range runs {
				if !slices.Contains(values, d.Values[i]) {
					values = append(values, d.Values[i])
				}
			}
			row.Values = append(row.Values, strings.Join(values, " | "))
		}
		rows = append(rows, row)
	}
	return rows
}

// Columns splits the groups into tables that fit the page: the baseline, and a few others.
func (c campaign) Columns() (tables [][]int) {
	const others = 4
	for from := 1; from == 1 || from < len(c.C.Groups); from += others {
		of := []int{0}
		for i := from; i < min(from+others, len(c.C.Groups)); i++ {
			of = append(of, i)
		}
		tables = append(tables, of)
	}
	if len(c.C.Groups) == 0 {
		return nil
	}
	return tables
}

// RunReport is the path of a run's report, relative to the campaign's.
func RunReport(r report.CampaignRun) string {
	return fmt.Sprintf("%s-r%d/report.html", r.Variant, r.Round)
}

// against describes a ranked variant compared with the baseline.
func against(r report.Ranked) string {
	f := r.Figure
	if f.Direction == report.Reference {
		return "baseline"
	}
	said := directions[f.Direction]
	if f.DeltaPercent != nil && f.Direction != report.NotComparable {
		said = signed(*f.DeltaPercent, decimals(abs(*f.DeltaPercent), 1)) + " %, " + said
	}
	if f.Interval != nil {
		said += ", " + interval(f.Interval)
	}
	if f.P != nil {
		said += ", " + chance(f.P)
	}
	if f.Detectable != nil {
		said += fmt.Sprintf("; smallest difference that could be seen: %.1f %%", *f.Detectable)
	}
	if f.MoreRounds != nil {
		said += fmt.Sprintf("; %d more rounds would tell", *f.MoreRounds)
	}
	if f.Why != "" {
		said += ": " + f.Why
	}
	return said
}

// marks is the caveat of a ranked variant's figures.
func marks(r report.Ranked) string {
	if r.AtItsLimit > 0 {
		return fmt.Sprintf("the load generator was at its limit in %d of %s", r.AtItsLimit, report.Quantity(r.Runs, "run"))
	}
	return ""
}

// CampaignMarkdown writes the answer for a design document or a pull request.
func CampaignMarkdown(w io.Writer, a *report.Campaign, how [][2]string) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	kind := report.KindOf(a.RankedBy)
	line("# Campaign %s\n\n**%s**\n", cell(a.Name), cell(a.Sentence))
	line("| variant | runs | %s | varies by | against %s | p99 | cache, USD an hour | USD per million operations |\n|---|---:|---:|---:|---|---:|---:|---:|", strings.ToLower(kind.Label), cell(a.Baseline))
	for _, r := range a.Ranking {
		varies := ""
		if r.VariationPercent != nil {
			varies = fmt.Sprintf("%.1f %%", *r.VariationPercent)
		}
		line("| %s | %d | %s | %s | %s | %s | %s | %s |", cell(r.Variant), r.Runs, amount(r.Figure.Value, kind.Unit), varies, cell(against(r)), amount(r.P99MS, "ms"),
			amount(r.CacheUSDPerHour, "USD"), amount(r.CacheUSDPerMil, "USD"))
	}
	line("")
	for _, r := range a.Ranking {
		if m := marks(r); m != "" {
			line("- %s: %s", cell(r.Variant), m)
		}
	}
	for _, c := range a.Comparison.Cautions {
		line("- %s", cell(c))
	}
	for _, f := range how {
		line("- %s: %s", upper(f[0]), cell(f[1]))
	}
	if a.Comparison.Method != "" {
		line("\n%s", cell(a.Comparison.Method))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// CampaignText writes the answer for a terminal.
func CampaignText(w io.Writer, a *report.Campaign) error {
	t := &text{}
	t.line("\ncampaign %s\n%s\n", a.Name, strings.Join(wrap(a.Sentence, columns), "\n"))
	kind := report.KindOf(a.RankedBy)
	for i, r := range a.Ranking {
		t.line("%d. %s: %s, %s", i+1, r.Variant, amount(r.Figure.Value, kind.Unit), report.Quantity(r.Runs, "run"))
		t.line("   %s", strings.Join(wrap(against(r), columns-3), "\n   "))
		if m := marks(r); m != "" {
			t.line("   ! %s", m)
		}
	}
	_, err := io.WriteString(w, Printable(t.String()))
	return err
}

// CampaignCSV writes one row per run with all its figures, for pandas and spreadsheets. of has the runs' results, in the order of the answer's runs.
func CampaignCSV(w io.Writer, a *report.Campaign, of []*report.Results) error {
	out := csv.NewWriter(w)
	row := []string{"campaign", "variant", "round", "run", "generator_limited"}
	for _, k := range report.Figures {
		row = append(row, k.ID)
	}
	_ = out.Write(row) // Error returns it
	for i, r := range a.Runs {
		values := map[string]string{}
		for _, f := range of[i].Headline {
			if f.Value != nil {
				values[f.ID] = strconv.FormatFloat(*f.Value, 'g', -1, 64)
			}
		}
		row := []string{a.Name, r.Variant, strconv.Itoa(r.Round), r.Run, strconv.FormatBool(r.GeneratorLimited)}
		for _, k := range report.Figures {
			row = append(row, values[k.ID])
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}
