package price

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
)

// item is a product of the list, with the price of reserved units beside it.
func item(usage, usd string) string {
	text := fmt.Sprintf(`{"product":{"attributes":{"usagetype":%q}},"terms":{"OnDemand":{"a":{"priceDimensions":{"x":{"pricePerUnit":{"USD":"0.0000000000"}},"y":{"pricePerUnit":{"USD":%q}}}}}}}`, usage, usd)
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func answer(items ...string) string {
	return `{"FormatVersion":"aws_v1","PriceList":[` + strings.Join(items, ",") + `]}`
}

var fargate = answer(item("EUC1-Fargate-vCPU-Hours:perCPU", "0.0466"), item("EUC1-Fargate-GB-Hours", "0.0051"), item("EUC1-Fargate-Windows-vCPU-Hours:perCPU", "9"),
	item("EUC1-Fargate-EphemeralStorage-GB-Hours", "9"), item("EUC1-Fargate-ARM-vCPU-Hours:perCPU", "0.0373"), item("EUC1-Fargate-ARM-GB-Hours", "0.0041"), item("EUC1-SpotUsage-Fargate-vCPU-Hours:perCPU", "9"))

func TestAskTheList(t *testing.T) {
	answers := []string{
		answer(item("EUC1-ExtendedSupport-Yr1-Yr2:cache.r7g.large", "9"), item("EUC1-NodeUsage:cache.r7g.large", "0.2624")),
		answer(item("EUC1-CachedData:Valkey", "0.101"), item("EUC1-ElastiCacheProcessingUnits:Valkey", "0.0000000027"), item("EUC1-BackupUsage:Valkey", "9")),
		fargate,
	}
	cfg, err := awstest.Answering(func(what string, _ url.Values) (int, map[string]string, string) {
		require.Equal(t, "GetProducts", what)
		text := answers[0]
		answers = answers[1:]
		return 200, nil, text
	})(t.Context(), "")
	require.NoError(t, err)
	cfg.Region = "eu-central-1"
	p, why := Ask(t.Context(), cfg, Wanted{"cache.r7g.large", "redis"}, Wanted{"", "valkey"})
	require.NoError(t, why)
	require.Contains(t, p.Source, "AWS Price List API, eu-central-1")
	usd, known := p.NodeHour("cache.r7g.large", "redis")
	require.True(t, known)
	require.InDelta(t, 0.2624, usd, 1e-9, "not extended support, not what reserved nodes cost")
	_, known = p.NodeHour("cache.r7g.large", "valkey")
	require.False(t, known, "it was not asked for")
	vcpu, gb, known := p.Fargate("ARM64")
	require.Equal(t, []any{0.0373, 0.0041, true}, []any{vcpu, gb, known})
	vcpu, gb, _ = p.Fargate("X86_64")
	require.Equal(t, []any{0.0466, 0.0051}, []any{vcpu, gb}, "neither Windows nor storage nor Spot")
	million, data, least, known := p.Serverless("valkey")
	require.True(t, known)
	require.InDelta(t, 0.0027, million, 1e-9)
	require.Equal(t, []float64{0.101, 0.1}, []float64{data, least})
}

// If the list cannot be reached or lacks a price, the tables are used, and the reason is returned.
func TestTheTablesOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		why    string
	}{
		"denied":        {400, `{"__type":"AccessDeniedException","Message":"not authorized to perform: pricing:GetProducts"}`, "pricing:GetProducts"},
		"no such price": {200, answer(), "it has no price of cache.r7g.large with valkey in us-east-1"},
		"not readable":  {200, answer(`"x"`), "cannot be read"},
	} {
		cfg, err := awstest.Answering(func(string, url.Values) (int, map[string]string, string) { return c.status, nil, c.text })(t.Context(), "")
		require.NoError(t, err)
		p, why := Ask(t.Context(), cfg, Wanted{"cache.r7g.large", "valkey"})
		require.ErrorContains(t, why, c.why, name)
		require.Equal(t, Dated("us-east-1"), p, name)
		_, known := p.NodeHour("cache.r7g.large", "valkey")
		require.True(t, known)
	}
	_, known := Dated("mars-north-1").NodeHour("cache.r7g.large", "valkey")
	require.False(t, known)
}
