package ops

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// pricesOf returns the Region's prices for stacks with these inputs: AWS's current ones if available, else those of the tables, and prints why.
func pricesOf(ctx context.Context, con *console.Console, cfg aws.Config, all ...*terraform.Inputs) *price.Prices {
	var wanted []price.Wanted
	for _, in := range all {
		w := price.Wanted{NodeType: in.Cache.NodeType, Engine: in.Cache.Engine}
		if in.Cache.Serverless != nil {
			w.NodeType = ""
		}
		if in.ExistingCache == nil && !slices.Contains(wanted, w) {
			wanted = append(wanted, w)
		}
	}
	prices, why := price.Ask(ctx, cfg, wanted...)
	if why != nil {
		con.Say("prices are from the tables in lambda/reference: the Price List API, which needs pricing:GetProducts, gave none (%v)", why)
	}
	return prices
}
