package ops

import (
	"fmt"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// aroundLoad is what else a run takes beside its load's minutes.
const aroundLoad = campaign.AroundLoad

// costs says until when what is created costs money, and how much of it AWS bills: nodes by whole hours, from their launch until they are terminated.
// https://aws.amazon.com/elasticache/pricing/
func costs(in *terraform.Inputs, region string) string {
	text := fmt.Sprintf("What they create costs money until the run ends, %d minutes after the load has started.", in.Minutes+in.Load.Prefill.Minutes)
	e := campaign.EstimateRun(in, region)
	switch {
	case in.ExistingCache != nil:
		return text + " The cache was there before."
	case in.Cache.Serverless != nil:
		return text + " The serverless cache is billed by its data and requests."
	}
	text += fmt.Sprintf(" AWS bills each started node-hour as a whole one: with some %d minutes for creation and stop, these are about %d for %d x %s.",
		aroundLoad, e.NodeHours, max(in.Cache.Shards, 1)*(1+in.Cache.Replicas), in.Cache.NodeType)
	if e.Missing == "" {
		text += fmt.Sprintf(" With the load's tasks that is about %.2f USD (%s).", e.USD, campaign.Prices())
	}
	return text
}
