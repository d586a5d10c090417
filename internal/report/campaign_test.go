package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACampaignIsRanked(t *testing.T) {
	base, faster, same := repeats(t, 10_000, 400, 0.99, 1, 1.01), repeats(t, 11_500, 300, 0.985, 1, 1.01), repeats(t, 10_000, 400, 1.003, 0.992, 1)
	rounds := []int{1, 2, 3}
	a := AnswerCampaign("nodes", "ops_per_second", []Measured{{"r7g", base, rounds}, {"r8g", faster, rounds}, {"x", same, rounds}})
	asSchema(t, "campaign", a)
	require.Equal(t, []string{"r7g", "r8g", "x"}, a.Comparison.Names)
	require.Equal(t, "r8g", a.Ranking[0].Variant)
	require.Len(t, a.Runs, 9)
	require.Equal(t, 3, a.Ranking[0].Runs)
	require.InDelta(t, 23_000, *a.Ranking[0].Mean, 100)
	require.InDelta(t, 1.2, *a.Ranking[0].VariationPercent, 0.3)
	require.True(t, a.Ranking[0].Frontier)
	require.False(t, a.Ranking[2].Frontier, "as dear, and slower")
	require.Regexp(t, `^The throughput of r8g is 14\.\d % higher \(95 % interval 1\d\.\d to 1\d\.\d\) than that of r7g, at a p99 of .* instead of .* ms, for 0 % more an hour: cheapest per million operations\.$`, a.Sentence)

	a = AnswerCampaign("nodes", "latency_p99_ms", []Measured{{"r8g", faster, rounds}, {"r7g", base, rounds}})
	require.Equal(t, "r8g", a.Ranking[0].Variant, "lower is better")
	require.Regexp(t, `^No variant is shown to be better than r8g by .*p99`, a.Sentence)

	a = AnswerCampaign("nodes", "ops_per_second", []Measured{{"r7g", base, rounds}, {"gone", nil, nil}})
	asSchema(t, "campaign", a)
	require.Equal(t, "gone", a.Ranking[1].Variant)
	require.Equal(t, "No variant is shown to be better than r7g by throughput; two rounds or more that can be compared are needed.", a.Sentence)
	a = AnswerCampaign("nodes", "ops_per_second", []Measured{{"gone", nil, nil}, {"r7g", base, rounds}})
	asSchema(t, "campaign", a)
	require.Contains(t, a.Sentence, "The baseline gone has no run that measured")
	require.Equal(t, "r7g", a.Ranking[0].Variant)
	asSchema(t, "campaign", AnswerCampaign("nodes", "ops_per_second", nil))
}

// A deeper pipeline keeps more requests in flight, as more clients do: throughput is compared, latency is not.
func TestPipelinesAreComparedByThroughput(t *testing.T) {
	base, deep := repeats(t, 10_000, 400, 0.99, 1, 1.01), repeats(t, 14_000, 400, 0.985, 1, 1.01)
	for _, r := range deep {
		r.Configuration.Pipeline = 16
	}
	rounds := []int{1, 2, 3}
	a := AnswerCampaign("pipeline", "ops_per_second", []Measured{{"1", base, rounds}, {"16", deep, rounds}})
	require.Equal(t, "16", a.Ranking[0].Variant)
	require.Equal(t, BetterThan, a.Ranking[0].Figure.Direction)
	require.NotContains(t, a.Sentence, "p99")
	require.False(t, a.comparable("latency_p99_ms", "16"))
	require.True(t, a.comparable("ops_per_second", "16"))
	require.Contains(t, strings.Join(a.Comparison.Cautions, "\n"), "pipeline differs (1, 16)")

	a = AnswerCampaign("pipeline", "latency_p99_ms", []Measured{{"1", base, rounds}, {"16", deep, rounds}})
	require.Contains(t, a.Ranking[0].Figure.Why+a.Ranking[1].Figure.Why, "pipeline differs (")
	require.Contains(t, a.Sentence, "No variant is shown to be better than 1 by ")
}
