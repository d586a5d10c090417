package campaign

import (
	"fmt"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// AroundLoad is about how many minutes creating a cache and its load, and the stop after it, take beside the load's own.
const AroundLoad = 15

// Estimate is what a run is expected to cost by list prices.
type Estimate struct {
	USD       float64
	NodeHours int // started ones count whole: https://aws.amazon.com/elasticache/pricing/
	VCPUs     float64
	Minutes   int    // in all
	Missing   string // what is not in USD; "": nothing
}

// EstimateRun prices the run of a stack with these inputs in a Region.
func EstimateRun(in *terraform.Inputs, region string) (e Estimate) {
	known, missing := reference.Known(), []string{}
	load := in.Minutes + in.Load.Prefill.Minutes
	e.Minutes = load + AroundLoad
	e.VCPUs = float64(in.Load.TaskCount) * float64(in.Load.CPU) / 1024
	switch {
	case in.ExistingCache != nil: // is billed with and without the run
	case in.Cache.Serverless != nil:
		missing = append(missing, "the serverless cache, which is billed by its data and requests")
	default:
		e.NodeHours = (e.Minutes + 59) / 60 * max(in.Cache.Shards, 1) * (1 + in.Cache.Replicas)
		price, ok := known.NodeHour[[3]string{region, in.Cache.NodeType, in.Cache.Engine}]
		if e.USD += float64(e.NodeHours) * price; !ok {
			missing = append(missing, fmt.Sprintf("%s with %s in %s", in.Cache.NodeType, in.Cache.Engine, region))
		}
	}
	price, ok := known.Fargate[[2]string{region, in.Load.Architecture}]
	hours := float64(load+5) / 60 * float64(in.Load.TaskCount) // a task starts before the load's minutes are counted, and ends after them
	if e.USD += hours * (float64(in.Load.CPU)/1024*price[0] + float64(in.Load.Memory)/1024*price[1]); !ok {
		missing = append(missing, fmt.Sprintf("Fargate with %s in %s", in.Load.Architecture, region))
	}
	e.Missing = strings.Join(missing, ", ")
	return e
}

// Prices says where the prices come from.
func Prices() string {
	known := reference.Known()
	return fmt.Sprintf("%s; %s", known.Nodes, known.Tasks)
}
