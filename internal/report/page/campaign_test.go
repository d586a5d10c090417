package page

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// campaigned is a campaign of two variants, whose runs differ by their throughput.
func campaigned() (*report.Campaign, []*report.Results) {
	var measured []report.Measured
	var all []*report.Results
	for i, v := range []string{"r7g", "r8g"} {
		m := report.Measured{Variant: v}
		for round, factor := range []float64{1, 0.99, 1.01} {
			r := burst(10, 5, 2, 1)
			r.Verdict.Limits, r.Tasks = nil, nil
			for j := range r.Headline {
				if f := &r.Headline[j]; f.ID == "ops_per_second" {
					f.Value = ptr(40_000 * factor * (1 + 0.2*float64(i)) * (1 + 0.001*float64(i*round)))
				}
			}
			m.Runs, m.Rounds, all = append(m.Runs, r), append(m.Rounds, round+1), append(all, r)
		}
		measured = append(measured, m)
	}
	return report.AnswerCampaign("nodes", "ops_per_second", measured), all
}

func TestCampaign(t *testing.T) {
	a, all := campaigned()
	how := [][2]string{{"order", "by the seed 7"}}
	var page, markdown, said, rows bytes.Buffer
	require.NoError(t, CampaignHTML(&page, a, how))
	for _, want := range []string{"Campaign nodes", "r8g", "baseline", "by the seed 7", "95 %", "round 3", `id="points"`} {
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
