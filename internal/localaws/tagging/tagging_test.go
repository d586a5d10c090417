package tagging_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

type tagged map[string]tagset.Set

func (t tagged) Tagged() map[string]tagset.Set { return t }

func TestGetResources(t *testing.T) {
	acct, clock := wiretest.Account(t), wiretest.NewClock()
	acct.Clock = clock
	tables, groups := tagged{}, tagged{"arn:aws:logs:us-east-1:1:log-group:/a/b": {"name": "a"}, "arn:aws:ec2:us-east-1:1:security-group/sg-1": {}}
	for i := range 120 {
		tables[fmt.Sprintf("arn:aws:lambda:us-east-1:1:function:f-%03d", i)] = map[string]string{"name": fmt.Sprint(i % 2), "all": "x"}
	}
	r := wire.NewRegistry()
	tagging.New(acct, tables, groups).Register(r)
	c := sdk.NewFromConfig(wiretest.Config(t, r))
	all := func(in sdk.GetResourcesInput) (arns []string, pages int) {
		for more := sdk.NewGetResourcesPaginator(c, &in); more.HasMorePages(); pages++ {
			page, err := more.NextPage(t.Context())
			require.NoError(t, err)
			for _, m := range page.ResourceTagMappingList {
				arns = append(arns, *m.ResourceARN)
			}
		}
		return arns, pages
	}
	of := func(key string, values ...string) sdk.GetResourcesInput {
		return sdk.GetResourcesInput{TagFilters: []types.TagFilter{{Key: &key, Values: values}}}
	}
	arns, pages := all(of("all"))
	require.Len(t, arns, 120)
	require.Equal(t, 3, pages, "50 a page")
	arns, pages = all(sdk.GetResourcesInput{ResourcesPerPage: aws.Int32(100)})
	require.Len(t, arns, 121, "what has no tag is not listed")
	require.Equal(t, 2, pages)
	arns, _ = all(of("name", "1", "a"))
	require.Len(t, arns, 61, "any of the values")
	both := of("name", "1")
	both.TagFilters = append(both.TagFilters, types.TagFilter{Key: aws.String("all"), Values: []string{"y"}})
	arns, _ = all(both)
	require.Empty(t, arns, "all of the filters")
	arns, _ = all(sdk.GetResourcesInput{ResourceTypeFilters: []string{"logs"}})
	require.Equal(t, []string{"arn:aws:logs:us-east-1:1:log-group:/a/b"}, arns)
	arns, _ = all(sdk.GetResourcesInput{ResourceTypeFilters: []string{"logs:log-group", "lambda:layer"}})
	require.Len(t, arns, 1)

	delete(groups, "arn:aws:logs:us-east-1:1:log-group:/a/b")
	arns, _ = all(of("name", "a"))
	require.Len(t, arns, 1, "what is deleted is listed for a while")
	clock.Move(time.Minute)
	arns, _ = all(of("name", "a"))
	require.Empty(t, arns)

	var invalid *types.InvalidParameterException
	for _, in := range []sdk.GetResourcesInput{{ResourcesPerPage: aws.Int32(101)}, {PaginationToken: aws.String("x")}, {TagFilters: []types.TagFilter{{}}}} {
		_, err := c.GetResources(t.Context(), &in)
		require.ErrorAs(t, err, &invalid)
	}
}
