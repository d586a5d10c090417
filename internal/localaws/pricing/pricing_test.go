package pricing_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/pricing"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func TestGetProducts(t *testing.T) {
	r := wire.NewRegistry()
	pricing.New().Register(r)
	c := sdk.NewFromConfig(wiretest.Config(t, r))
	match := func(pairs ...string) (filters []types.Filter) {
		for i := 0; i < len(pairs); i += 2 {
			filters = append(filters, types.Filter{Type: types.FilterTypeTermMatch, Field: &pairs[i], Value: &pairs[i+1]})
		}
		return filters
	}
	one, err := c.GetProducts(t.Context(), &sdk.GetProductsInput{ServiceCode: aws.String("AmazonElastiCache"), Filters: match("regionCode", "us-east-1", "instanceType", "cache.r7g.large", "cacheEngine", "Valkey")})
	require.NoError(t, err)
	require.Len(t, one.PriceList, 1)
	var item struct {
		Product struct{ Attributes map[string]string }
		Terms   struct {
			OnDemand map[string]struct{ PriceDimensions map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(one.PriceList[0]), &item))
	require.Equal(t, "NodeUsage:cache.r7g.large", item.Product.Attributes["usagetype"])
	for _, term := range item.Terms.OnDemand {
		require.Len(t, term.PriceDimensions, 2, "of reserved units, too")
	}
	seen := map[string]bool{}
	for pages := sdk.NewGetProductsPaginator(c, &sdk.GetProductsInput{ServiceCode: aws.String("AmazonElastiCache"), MaxResults: aws.Int32(7)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, text := range page.PriceList {
			require.False(t, seen[text], "once each")
			seen[text] = true
		}
	}
	require.Greater(t, len(seen), 40)
	elsewhere, err := c.GetProducts(t.Context(), &sdk.GetProductsInput{ServiceCode: aws.String("AmazonECS"), Filters: match("regionCode", "eu-west-1")})
	require.NoError(t, err)
	require.Empty(t, elsewhere.PriceList)
	var invalid *types.InvalidParameterException
	_, err = c.GetProducts(t.Context(), &sdk.GetProductsInput{ServiceCode: aws.String("AmazonECS"), MaxResults: aws.Int32(101)})
	require.ErrorAs(t, err, &invalid)
	var token *types.InvalidNextTokenException
	_, err = c.GetProducts(t.Context(), &sdk.GetProductsInput{ServiceCode: aws.String("AmazonECS"), NextToken: aws.String("x")})
	require.ErrorAs(t, err, &token)
}
