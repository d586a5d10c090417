package campaign

import (
	"fmt"
	"math"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// AroundLoad is about how many minutes the creation of the cache and the load, and the stop, add to the load's own.
const AroundLoad = 15

// Estimate is the expected cost of a run at list prices.
type Estimate struct {
	USD       float64
	NodeHours int // a started hour counts as a whole one: https://aws.amazon.com/elasticache/pricing/
	VCPUs     float64
	Minutes   int    // in total
	Assumed   string // what USD assumes about a serverless cache; "": nothing
	Missing   string // what has no price, so is not in USD; "": nothing
}

// EstimateRun estimates the cost of a run of a stack with these inputs.
func EstimateRun(in *terraform.Inputs, prices *price.Prices) (e Estimate) {
	var missing []string
	load := in.Minutes + in.Load.Prefill.Minutes
	e.Minutes = load + AroundLoad
	e.VCPUs = float64(in.Load.TaskCount) * float64(in.Load.CPU) / 1024
	switch {
	case in.ExistingCache != nil: // it is billed with or without the run
	case in.Cache.Serverless != nil:
		var lacks string
		if e.USD, e.Assumed, lacks = serverless(in, prices, e.Minutes, load); lacks != "" {
			missing = append(missing, lacks)
		}
	default:
		e.NodeHours = (e.Minutes + 59) / 60 * max(in.Cache.Shards, 1) * (1 + in.Cache.Replicas)
		usd, ok := prices.NodeHour(in.Cache.NodeType, in.Cache.Engine)
		if e.USD += float64(e.NodeHours) * usd; !ok {
			missing = append(missing, fmt.Sprintf("%s with %s in %s", in.Cache.NodeType, in.Cache.Engine, prices.Region))
		}
	}
	vcpu, gb, ok := prices.Fargate(in.Load.Architecture)
	hours := float64(load+5) / 60 * float64(in.Load.TaskCount) // tasks run some minutes longer than the load
	if e.USD += hours * (float64(in.Load.CPU)/1024*vcpu + float64(in.Load.Memory)/1024*gb); !ok {
		missing = append(missing, fmt.Sprintf("Fargate with %s in %s", in.Load.Architecture, prices.Region))
	}
	e.Missing = strings.Join(missing, ", ")
	return e
}

// serverless prices a serverless cache by its data and its ECPUs, or says what it lacks. The ECPUs are bounded by the load's rate limit, if the size of the
// values is known, and by the cache's own limit. A request takes one ECPU for each started kilobyte.
// https://aws.amazon.com/elasticache/pricing/, https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html
func serverless(in *terraform.Inputs, prices *price.Prices, minutes, load int) (usd float64, assumed, lacks string) {
	million, gbHour, least, ok := prices.Serverless(in.Cache.Engine)
	if !ok {
		return 0, "", fmt.Sprintf("a serverless cache with %s in %s", in.Cache.Engine, prices.Region)
	}
	limits, l := *in.Cache.Serverless, in.Load
	perSecond, why := 0.0, ""
	if l.RateLimit > 0 && l.DataSize > 0 {
		threads := l.Threads
		if threads == 0 {
			threads = max(1, l.CPU/1024)
		}
		perSecond = float64(l.RateLimit*l.TaskCount*threads*l.Clients) * math.Ceil(float64(l.DataSize)/1000)
		why = "the load's rate_limit and data_size"
	}
	if most := limits.MaxECPU; most > 0 && (perSecond == 0 || most < perSecond) {
		perSecond, why = most, "its max_ecpu_per_second"
	}
	gb := max(least, limits.MinGB, limits.MaxGB)
	data := fmt.Sprintf("%.3g GB of data", gb)
	usd = float64(minutes) / 60 * gb * gbHour
	if perSecond == 0 {
		return usd, data, "the requests of the serverless cache, which are not known: set rate_limit and data_size of the load, or max_ecpu_per_second of the cache"
	}
	perSecond = max(perSecond, limits.MinECPU)
	usd += float64(load) * 60 * perSecond / 1e6 * million
	return usd, fmt.Sprintf("with %s and at most %.0f ECPU/s (%s)", data, perSecond, why), ""
}
