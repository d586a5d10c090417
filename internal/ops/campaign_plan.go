package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// plan is the rest of a campaign's work, and what that takes: time, money, and the account's quotas.
type plan struct {
	o          *opened
	missing    []campaign.Cell
	usd, spent float64          // estimate of the missing runs, and cost of those done
	unpriced   []string         // has no price, so is not in usd
	need       needs            // of the concurrent runs
	largest    terraform.Inputs // of the variant whose load has the most vCPUs
}

func planOf(ctx context.Context, o *opened, done *results) *plan {
	p := &plan{o: o, missing: done.missing(), spent: done.spent(ctx), largest: *o.inputs[o.c.Baseline]}
	var all []needs
	for _, v := range o.c.Variants {
		in, e := o.inputs[v.Name], o.costs[v.Name]
		all = append(all, needsOf(in))
		if e.VCPUs > float64(p.largest.Load.TaskCount*p.largest.Load.CPU)/1024 {
			p.largest = *in
		}
		if e.Missing != "" && !slices.Contains(p.unpriced, e.Missing) {
			p.unpriced = append(p.unpriced, e.Missing)
		}
	}
	for _, cell := range p.missing {
		p.usd += o.costs[cell.Variant].USD
	}
	p.need = mostNeeds(all, min(o.c.Parallel, len(o.c.Variants)))
	return p
}

// show prints the remaining work and its cost.
func (p *plan) show() {
	c := p.o.c
	p.o.con.Say("campaign %s (%s): %s x %s = %s, %d at a time, in random order (seed %d)", c.Name, c.File, report.Quantity(len(c.Variants), "variant"), report.Quantity(c.Repeats, "round"), report.Quantity(len(c.Variants)*c.Repeats, "run"), c.Parallel, c.Seed)
	for _, v := range c.Variants {
		in, e := p.o.inputs[v.Name], p.o.costs[v.Name]
		cache := "serverless " + in.Cache.Engine
		if in.Cache.Serverless == nil {
			cache = fmt.Sprintf("%d x %s, %s", needsOf(in).nodes, in.Cache.NodeType, in.Cache.Engine)
		}
		mark := ""
		if v.Name == c.Baseline {
			mark = " (baseline)"
		}
		p.o.con.Say("  %s%s: %s; %d min of load; a run takes about %d min, and %.2f USD is billed for it", v.Name, mark, cache, in.Minutes, e.Minutes, e.USD)
		if e.Assumed != "" {
			p.o.con.Say("    %s", e.Assumed)
		}
	}
	if done := len(c.Variants)*c.Repeats - len(p.missing); done > 0 {
		p.o.con.Say("%d of them are done or given up; according to their manifests, %.2f USD is billed for them", done, p.spent)
	}
	p.o.con.Say("%s to go: about %s, for which about %.2f USD is billed. Prices: %s", report.Quantity(len(p.missing), "run"), page.Duration(time.Duration(p.minutes())*time.Minute), p.usd, p.o.prices.Source)
	if len(p.unpriced) > 0 {
		p.o.con.Say("not included, because no price is known: %s", strings.Join(p.unpriced, "; "))
	}
	p.o.con.Say("it needs up to %g vCPU of Fargate, %s and %s of the subnets at the same time", p.need.vcpu, report.Quantity(p.need.nodes, "cache node"), report.Quantity(p.need.addresses, "address"))
}

// minutes estimates how long the missing runs take, round by round, up to Parallel at a time.
func (p *plan) minutes() (sum int) {
	for round := 1; round <= p.o.c.Repeats; round++ {
		var of []int
		for _, cell := range p.missing {
			if cell.Round == round {
				of = append(of, p.o.costs[cell.Variant].Minutes)
			}
		}
		for side := range slices.Chunk(of, p.o.c.Parallel) {
			sum += slices.Max(side)
		}
	}
	return sum
}

// approve refuses a plan that exceeds the budget or the account's limits; otherwise it asks.
func (p *plan) approve(ctx context.Context) error {
	c := p.o.c
	if c.Budget > 0 && p.spent+p.usd > c.Budget {
		return fmt.Errorf("%s: the budget is %.2f USD, but %.2f is billed for what is done, and about %.2f is still to come: use fewer repeats, shorter runs or a larger budget. Nothing was created", c.Place("budget"), c.Budget, p.spent, p.usd)
	}
	if len(p.missing) == 0 {
		return nil
	}
	if c.Budget > 0 && len(p.unpriced) > 0 {
		return fmt.Errorf("%s: a budget cannot be enforced without every price: %s. Nothing was created", c.Place("budget"), strings.Join(p.unpriced, "; "))
	}
	if err := p.offered(ctx); err != nil {
		return err
	}
	if err := validate(ctx, p.o.ws, p.o.con, &p.largest, nil); err != nil {
		return fmt.Errorf("%s: %w. Nothing was created", c.File, err)
	}
	if err := p.fits(ctx); err != nil {
		return err
	}
	return p.o.con.Approve(ctx, p.o.ws.On("APPROVE"), fmt.Sprintf("Run this campaign in %s?", p.o.place), "nothing was created")
}

// offered checks each distinct cache of the variants, as validate does for the largest variant only: its node type in the Region, and its parameters in the
// family of its engine version. SKIP_CHECKS=cache skips it.
func (p *plan) offered(ctx context.Context) error {
	skip, err := skipped(p.o.ws)
	if err != nil || slices.Contains(skip, "cache") {
		return err
	}
	found := map[string][]string{}
	var wrong []string
	for _, v := range p.o.c.Variants {
		in := p.o.inputs[v.Name]
		cache := fmt.Sprint(in.Cache.NodeType, in.Cache.Serverless != nil)
		if len(in.Cache.Parameters) > 0 {
			cache += fmt.Sprint(in.ParameterFamily(), in.Cache.Parameters)
		}
		if _, known := found[cache]; !known {
			if found[cache], err = checkNewCache(ctx, p.o.con, p.o.cfg, in); err != nil {
				return err
			}
		}
		for _, problem := range found[cache] {
			wrong = append(wrong, fmt.Sprintf("\n  - %s: variant %s: %s", p.o.c.At(v), v.Name, problem))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("not every variant's cache can be created, so nothing was created:%s", strings.Join(wrong, ""))
	}
	return nil
}
