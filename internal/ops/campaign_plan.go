package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// showPlan shows what is to be done and what it will cost, and asks. More than the budget is refused.
func (d *driver) showPlan(ctx context.Context) error {
	c := d.c
	missing := d.missing()
	d.con.Say("campaign %s (%s): %d variants x %d rounds = %d runs, %d at a time, in an order by the seed %d", c.Name, c.File, len(c.Variants), c.Repeats, len(c.Variants)*c.Repeats, c.Parallel, c.Seed)
	unpriced, all, largest := []string{}, []needs{}, *d.inputs[c.Baseline]
	for _, v := range c.Variants {
		in, e := d.inputs[v.Name], d.costs[v.Name]
		cache := "serverless " + in.Cache.Engine
		if in.Cache.Serverless == nil {
			cache = fmt.Sprintf("%d x %s, %s", needsOf(in).nodes, in.Cache.NodeType, in.Cache.Engine)
		}
		all = append(all, needsOf(in))
		if e.VCPUs > float64(largest.Load.TaskCount*largest.Load.CPU)/1024 {
			largest = *in
		}
		mark := ""
		if v.Name == c.Baseline {
			mark = " (baseline)"
		}
		d.con.Say("  %s%s: %s; %d min of load; a run takes about %d min, %.2f USD", v.Name, mark, cache, in.Minutes, e.Minutes, e.USD)
		if e.Assumed != "" {
			d.con.Say("    %s", e.Assumed)
		}
		if e.Missing != "" && !slices.Contains(unpriced, e.Missing) {
			unpriced = append(unpriced, e.Missing)
		}
	}
	usd, minutes, spent := 0.0, d.minutes(missing), d.spent(ctx)
	for _, cell := range missing {
		usd += d.costs[cell.Variant].USD
	}
	if done := len(c.Variants)*c.Repeats - len(missing); done > 0 {
		d.con.Say("%d of them are done or given up, for %.2f USD by their manifests", done, spent)
	}
	d.con.Say("%d runs to go: about %s, about %.2f USD. Prices: %s", len(missing), page.Duration(time.Duration(minutes)*time.Minute), usd, d.prices.Source)
	if len(unpriced) > 0 {
		d.con.Say("without a price, and not in it: %s", strings.Join(unpriced, "; "))
	}
	side := min(c.Parallel, len(c.Variants))
	need := mostNeeds(all, side)
	d.con.Say("at a time it needs up to %g vCPU of Fargate, %d cache nodes and %d addresses of the subnets", need.vcpu, need.nodes, need.addresses)
	if c.Budget > 0 && spent+usd > c.Budget {
		return fmt.Errorf("%s: the budget is %.2f USD, and %.2f spent with about %.2f to go are more: fewer repeats, shorter runs, or another budget. Nothing was made", c.Place("budget"), c.Budget, spent, usd)
	}
	if len(missing) == 0 {
		return nil
	}
	if c.Budget > 0 && len(unpriced) > 0 {
		return fmt.Errorf("%s: a budget cannot be kept where not all has a price: %s. Nothing was made", c.Place("budget"), strings.Join(unpriced, "; "))
	}
	if err := validate(ctx, d.ws, d.con, &largest, nil); err != nil {
		return fmt.Errorf("%s: %w. Nothing was made", c.File, err)
	}
	if err := d.fits(ctx, need); err != nil {
		return err
	}
	return d.con.Approve(ctx, d.ws.On("APPROVE"), fmt.Sprintf("Run this campaign in %s?", d.place), "nothing was made")
}

// minutes is about how long cells take, round by round and side by side.
func (d *driver) minutes(cells []campaign.Cell) (sum int) {
	for round := 1; round <= d.c.Repeats; round++ {
		var of []int
		for _, cell := range cells {
			if cell.Round == round {
				of = append(of, d.costs[cell.Variant].Minutes)
			}
		}
		for side := range slices.Chunk(of, d.c.Parallel) {
			sum += slices.Max(side)
		}
	}
	return sum
}

// architectures are those of the Lambdas.
func (d *driver) architectures() (all []string) {
	for _, in := range d.inputs {
		all = append(all, in.Architecture)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// tooDear says why a cell is not started: with it the campaign would cost more than its budget. What is under way counts as it was estimated.
func (d *driver) tooDear(ctx context.Context, cell campaign.Cell) string {
	if d.c.Budget == 0 {
		return ""
	}
	usd := d.spent(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.under { // this one, too
		usd += d.costs[name[:strings.LastIndex(name, "-r")]].USD
	}
	if usd <= d.c.Budget {
		return ""
	}
	return fmt.Sprintf("it is not started: with it the campaign would cost about %.2f USD, and the budget is %.2f", usd, d.c.Budget)
}
