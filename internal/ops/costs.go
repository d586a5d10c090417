package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// aroundLoad is how many minutes a run takes besides its load's.
const aroundLoad = campaign.AroundLoad

// costs says until when the created resources are billed, and for how much. AWS bills nodes by whole hours, from launch until termination.
// https://aws.amazon.com/elasticache/pricing/
func costs(in *terraform.Inputs, prices *price.Prices) string {
	text := fmt.Sprintf("What they create is billed until the run ends, %s after the load has started.", report.Quantity(in.Minutes+in.Load.Prefill.Minutes, "minute"))
	e := campaign.EstimateRun(in, prices)
	switch {
	case in.ExistingCache != nil:
		return text + " The cache existed before."
	case in.Cache.Serverless != nil && e.Missing != "":
		return text + " The serverless cache is billed by its data and requests. Without a price: " + e.Missing + "."
	case in.Cache.Serverless != nil:
		return text + fmt.Sprintf(" The serverless cache is billed by its data and requests: with the load's tasks that is about %.2f USD %s (%s).", e.USD, e.Assumed, prices.Source)
	}
	text += fmt.Sprintf(" AWS bills partial node-hours as full hours: with some %d minutes for creation and stop, this is about %s for %d x %s.",
		aroundLoad, report.Quantity(e.NodeHours, "node-hour"), max(in.Cache.Shards, 1)*(1+in.Cache.Replicas), in.Cache.NodeType)
	if e.Missing == "" {
		text += fmt.Sprintf(" Together with the load's tasks, about %.2f USD is billed (%s).", e.USD, prices.Source)
	}
	return text
}

// goesOn says what a deploy that is interrupted after its apply leaves behind, as AWS shows it now.
func (subject *subject) goesOn(ctx context.Context, s *stack.Stack) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	run, err := s.Run(ctx)
	stops, problem := s.StopsAt(ctx)
	if run == nil || err != nil || problem != nil {
		return whoEnds(ctx, s, "`go tool mage deploy` continues, `go tool mage destroy` removes what was created")
	}
	return goesOn(subject.inputs, subject.caller.Region, run.Run, ends(run, stops))
}

// goesOn says what an interrupted wait leaves behind: the run, until when it is billed, and its approximate total cost.
func goesOn(in *terraform.Inputs, region, run string, until time.Time) string {
	prices := price.Dated(region)
	cost := ""
	if e := campaign.EstimateRun(in, prices); e.Missing != "" {
		cost = fmt.Sprintf("; its price is not known here (%s)", e.Missing)
	} else {
		cost = fmt.Sprintf(", about %.2f USD in all (%s)", e.USD, prices.Source)
	}
	end := "its schedule ends it"
	if !until.IsZero() {
		end = until.Format(time.RFC3339)
	}
	return fmt.Sprintf("run %s continues, and is billed, until %s%s: `go tool mage watch` shows it, `go tool mage stop` ends it now", run, end, cost)
}
