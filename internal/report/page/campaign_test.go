package page

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// campaigned is a campaign of variants. Each has more throughput than the one before, by 20 % of the first one's, and every two in a row cost the same.
func campaigned(variants ...string) (*report.Campaign, []*report.Results) {
	var measured []report.Measured
	var all []*report.Results
	for i, v := range variants {
		m := report.Measured{Variant: v}
		for round, factor := range []float64{1, 0.99, 1.01} {
			r := burst(10, 5, 2, 1)
			r.Run = fmt.Sprintf("2026-11-%02dT%02d-00-00Z", 10+round, i)
			r.Verdict.Limits, r.Tasks = nil, nil
			if i == 1 && round == 2 {
				r.Verdict.Limits = []string{"load_generator"}
			}
			r.Configuration.NodeType = "cache.type" + v
			r.Cost.CacheUSDPerHour = ptr(0.2 + 0.05*float64(i/2))
			more := 1 + 0.2*float64(i)
			for j := range r.Headline {
				if f := &r.Headline[j]; f.ID == "ops_per_second" {
					f.Value = ptr(40_000 * factor * more * (1 + 0.001*float64(i*round)))
				}
			}
			for j := range r.Client.Throughput.Values {
				r.Client.Throughput.Values[j] *= factor * more
			}
			m.Runs, m.Rounds, all = append(m.Runs, r), append(m.Rounds, round+1), append(all, r)
		}
		measured = append(measured, m)
	}
	return report.AnswerCampaign("nodes", "ops_per_second", measured), all
}

func TestCampaign(t *testing.T) {
	a, all := campaigned("r7g", "r8g")
	how := [][2]string{{"order", "by the seed 7"}}
	var page, markdown, said, rows bytes.Buffer
	require.NoError(t, CampaignHTML(&page, a, how))
	for _, want := range []string{"Campaign nodes", "r8g", "baseline", "by the seed 7", "95 %", "round 3", `id="points"`, `id="prices"`, `href="r8g-r3/report.html"`, "generator at its limit",
		"The load generator was at its limit: r8g in round 3.", "The area reaches from its lowest run to its highest."} {
		require.Contains(t, page.String(), want)
	}
	require.NotContains(t, page.String(), "src=\"http")
	require.NotContains(t, page.String(), "%!")
	require.NoError(t, CampaignMarkdown(&markdown, a, how))
	require.Contains(t, markdown.String(), "| r8g | 3 | 48,")
	require.NoError(t, CampaignText(&said, a))
	require.Contains(t, said.String(), "1. r8g: 48,")
	narrow(t, said.String())
	require.NoError(t, CampaignCSV(&rows, a, all))
	table, err := csv.NewReader(strings.NewReader(rows.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, 7)
	require.Equal(t, []string{"nodes", "r7g", "1"}, table[1][:3])
}

// The frontier has the most throughput for a price or less: of two variants of the same price, the better one.
func TestFrontier(t *testing.T) {
	a, _ := campaigned("a", "b", "c", "d")
	c := (campaign{comparison{C: a.Comparison}, a, nil, report.KindOf(a.RankedBy)}).Prices()
	require.Len(t, c.Series, 5)
	line := c.Series[4]
	require.Equal(t, "frontier", line.Name)
	require.Equal(t, []float64{0.2, 0.25, 0.25, 0.25}, line.X)
	require.InDelta(t, 48_000, line.Y[0], 100)
	require.Equal(t, line.Y[0], line.Y[1], "as much until the next price")
	require.InDelta(t, 64_000, line.Y[2], 200)

	for i := range a.Ranking {
		a.Ranking[i].CacheUSDPerHour, a.Ranking[i].Frontier = nil, false
	}
	c = (campaign{comparison{C: a.Comparison}, a, nil, report.KindOf(a.RankedBy)}).Prices()
	require.Empty(t, c.Series)
	require.Contains(t, c.Note, "Without a price an hour: a, b, c, d.")
	require.Contains(t, string(c.HTML()), "no data")
}

// A variant over time is the mean of its runs, even if their sampling differs or they have gaps.
func TestOverRuns(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := overRuns([]*report.Series{{Start: at, StepSeconds: 5, Values: []float64{1, 3, 5, 7}}, nil, {Start: at.Add(time.Hour), StepSeconds: 10, Values: []float64{4, math.NaN(), 9}}}, []int{0, 1, 2})
	require.Equal(t, []float64{0, 10, 20}, s.X)
	require.Equal(t, []float64{3, 6, 9}, s.Y)
	require.Equal(t, []float64{2, 6, 9}, s.Low)
	require.Equal(t, []float64{4, 6, 9}, s.High)
	require.Empty(t, overRuns([]*report.Series{nil}, []int{0}).X)
}

func TestWhatDiffersAndLimits(t *testing.T) {
	a, _ := campaigned("a", "b")
	a.Runs[0].Verdict = "Limited by something else."
	c := campaign{comparison{C: a.Comparison}, a, nil, report.KindOf(a.RankedBy)}
	require.Len(t, c.Verdicts("a"), 2)
	require.Contains(t, c.Verdicts("a")[0], "2 of 3 runs: ")
	require.Equal(t, "1 of 3 runs: Limited by something else.", c.Verdicts("a")[1])
	require.Len(t, c.Verdicts("b"), 1)
	require.Equal(t, []report.Difference{{Setting: "node type", Values: []string{"cache.typea", "cache.typeb"}}}, c.Differs())
}
