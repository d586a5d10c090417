package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// needs is what concurrent runs take of the account's quotas and of the subnets.
type needs struct {
	vcpu        float64
	nodes       int
	addresses   int // in the subnets: one for each task, node and serverless endpoint
	inFirstZone int // of these, those that have to be in the first subnet's zone
}

func needsOf(in *terraform.Inputs) needs {
	n := needs{vcpu: float64(in.Load.TaskCount*in.Load.CPU) / 1024}
	endpoints := 0
	if in.Cache.Serverless == nil {
		n.nodes = max(in.Cache.Shards, 1) * (1 + in.Cache.Replicas)
	} else {
		endpoints = len(in.Subnets) // one interface in each
	}
	n.addresses = in.Load.TaskCount + n.nodes + endpoints
	if n.nodes == 1 { // main.tf puts a one-node cache, and by default its load, into one zone
		n.inFirstZone = 1
		if in.LoadZones != "all" {
			n.inFirstZone += in.Load.TaskCount
		}
	}
	return n
}

// mostNeeds returns the most that concurrent runs of different variants take, side at a time. Each need is counted on its own.
func mostNeeds(all []needs, side int) (sum needs) {
	top := func(of func(needs) float64) (n float64) {
		var values []float64
		for _, one := range all {
			values = append(values, of(one))
		}
		slices.Sort(values)
		for _, v := range values[len(values)-min(side, len(values)):] {
			n += v
		}
		return n
	}
	return needs{
		vcpu:        top(func(n needs) float64 { return n.vcpu }),
		nodes:       int(top(func(n needs) float64 { return float64(n.nodes) })),
		addresses:   int(top(func(n needs) float64 { return float64(n.addresses) })),
		inFirstZone: int(top(func(n needs) float64 { return float64(n.inFirstZone) })),
	}
}

// fits compares the needs of concurrent runs with the account's quotas and the subnets' free addresses. SKIP_CHECKS=quota skips it.
func (p *plan) fits(ctx context.Context) error {
	skip, err := skipped(p.o.ws)
	if err != nil || slices.Contains(skip, "quota") {
		return err
	}
	var short []string
	need, region := p.need, p.o.cfg.Region
	if has, known := quotaOf(ctx, p.o.con, p.o.cfg, fargateVCPU); known && has < need.vcpu {
		short = append(short, fmt.Sprintf("%g vCPU of Fargate, but the account's quota is %g in %s: request more with `%s`", need.vcpu, has, region, fargateVCPU.more(region, need.vcpu)))
	}
	if has, known := quotaOf(ctx, p.o.con, p.o.cfg, cacheNodes); known && need.nodes > 0 {
		there := nodesThere(ctx, p.o.cfg)
		if want := need.nodes + there; has < float64(want) {
			short = append(short, fmt.Sprintf("%s in addition to the %d existing ones, but the account's quota is %g in %s: request more with `%s`", report.Quantity(need.nodes, "cache node"), there, has, region, cacheNodes.more(region, float64(want))))
		}
	}
	subnets, err := awsquery.Subnets(ctx, p.o.cfg, p.o.base.Subnets...)
	if err != nil {
		return fmt.Errorf("the subnets' free addresses cannot be read: %w (SKIP_CHECKS=quota skips this check)", err)
	}
	free, inFirstZone, zone := 0, 0, ""
	for _, s := range subnets {
		if s.ID == p.o.base.Subnets[0] {
			zone = s.Zone
		}
	}
	for _, s := range subnets {
		free += s.Free
		if s.Zone == zone {
			inFirstZone += s.Free
		}
	}
	switch {
	case free < need.addresses:
		short = append(short, fmt.Sprintf("%s, but the subnets have %d free: use larger subnets, or more of them", report.Quantity(need.addresses, "address"), free))
	case inFirstZone < need.inFirstZone:
		short = append(short, fmt.Sprintf("%s in %s, where caches of one node and their load run, but the subnets there have %d free: put a larger subnet first", report.Quantity(need.inFirstZone, "address"), zone, inFirstZone))
	}
	if len(short) == 0 {
		return nil
	}
	return fmt.Errorf("%s: there is not enough for %s at a time: use fewer (parallel), or smaller ones. Nothing was created. They need\n  - %s",
		p.o.c.Place("parallel"), report.Quantity(min(p.o.c.Parallel, len(p.o.c.Variants)), "run"), strings.Join(short, "\n  - "))
}

// nodesThere counts the account's existing cache nodes in the Region; 0 if they cannot be listed.
func nodesThere(ctx context.Context, cfg aws.Config) (n int) {
	for pages := elasticache.NewDescribeCacheClustersPaginator(elasticache.NewFromConfig(cfg), &elasticache.DescribeCacheClustersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0
		}
		for _, c := range page.CacheClusters {
			if c.NumCacheNodes != nil {
				n += int(*c.NumCacheNodes)
			}
		}
	}
	return n
}
