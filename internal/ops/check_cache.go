package ops

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// checkExistingCache checks that the cache is available, and that the security group to be opened for the load is in the VPC.
func checkExistingCache(ctx context.Context, cfg aws.Config, in *terraform.Inputs) (problems []string, err error) {
	if in.ExistingCache == nil {
		return nil, nil
	}
	if name := stack.CacheName(in.Config().Cache); name != "" {
		cache, err := stack.DescribeCache(ctx, elasticache.NewFromConfig(cfg), in.Config().Cache)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the existing cache cannot be read: %w", err)
		case cache.Status == "":
			problems = append(problems, fmt.Sprintf("the existing cache %s does not exist in %s: correct existing_cache, or leave it out to make a new cache", name, cfg.Region))
		case cache.Status != "available":
			problems = append(problems, fmt.Sprintf("the existing cache %s is %s: wait until it is available", name, cache.Status))
		}
	}
	group := in.ExistingCache.SecurityGroup
	if group == "" {
		return problems, nil
	}
	groups, err := awsquery.SecurityGroups(ctx, cfg, url.Values{"GroupId.1": {group}})
	switch {
	case stack.Missing(err) || err == nil && len(groups) == 0:
		problems = append(problems, fmt.Sprintf("the existing cache's security group %s does not exist in %s: correct existing_cache.security_group_id", group, cfg.Region))
	case err != nil:
		return problems, fmt.Errorf("the security group %s cannot be read: %w", group, err)
	case groups[0].VPC != in.VPC:
		problems = append(problems, fmt.Sprintf("the existing cache's security group %s is in %s, but the load would be in %s: use the cache's vpc_id and subnets", group, groups[0].VPC, in.VPC))
	}
	return problems, nil
}

// checkNewCache checks that the Region offers the node type, and that the engine's family has the parameters. ElastiCache refuses them only after most of the
// stack is created. Without the permissions it prints that and passes; then the creation fails late.
func checkNewCache(ctx context.Context, con *console.Console, cfg aws.Config, in *terraform.Inputs) (problems []string, err error) {
	if in.ExistingCache != nil || in.Cache.Serverless != nil {
		return nil, nil
	}
	client := elasticache.NewFromConfig(cfg)
	// No call lists node types, but all can be reserved: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.Reserved.html
	offers, err := client.DescribeReservedCacheNodesOfferings(ctx, &elasticache.DescribeReservedCacheNodesOfferingsInput{CacheNodeType: &in.Cache.NodeType})
	switch {
	case stack.Code(err) == "InvalidParameterValue" || err == nil && len(offers.ReservedCacheNodesOfferings) == 0:
		problems = append(problems, fmt.Sprintf("ElastiCache does not offer %s in %s: set cache = { node_type = ... } to one that `%s` lists (if you know better, SKIP_CHECKS=cache skips this check)",
			in.Cache.NodeType, cfg.Region, console.AWS(cfg.Region, "aws elasticache describe-reserved-cache-nodes-offerings --query %s", "'ReservedCacheNodesOfferings[].CacheNodeType'")))
	case err != nil:
		con.Say("cannot tell whether %s has the node type %s: allow elasticache:DescribeReservedCacheNodesOfferings (%v)", cfg.Region, in.Cache.NodeType, err)
	}
	if len(in.Cache.Parameters) == 0 {
		return problems, ctx.Err()
	}
	family, known := in.ParameterFamily(), map[string]types.Parameter{}
	for pages := elasticache.NewDescribeEngineDefaultParametersPaginator(client, &elasticache.DescribeEngineDefaultParametersInput{CacheParameterGroupFamily: &family}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			con.Say("cannot tell whether the family %s has the cache's parameters: allow elasticache:DescribeEngineDefaultParameters (%v)", family, err)
			return problems, ctx.Err()
		}
		for _, p := range page.EngineDefaults.Parameters {
			known[aws.ToString(p.ParameterName)] = p
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Cache.Parameters)) {
		p, ok := known[name]
		switch value, allowed := in.Cache.Parameters[name], aws.ToString(p.AllowedValues); {
		case !ok:
			problems = append(problems, fmt.Sprintf("the parameter family %s has no parameter %s: correct cache.parameters; `%s` lists the existing ones", family, name,
				console.AWS(cfg.Region, "aws elasticache describe-engine-default-parameters --cache-parameter-group-family %s", family)))
		case !aws.ToBool(p.IsModifiable):
			problems = append(problems, fmt.Sprintf("the parameter %s of %s cannot be modified: leave it out of cache.parameters", name, family))
		case !allows(allowed, value):
			problems = append(problems, fmt.Sprintf("the parameter %s of %s takes %s, not %q: correct cache.parameters", name, family, allowed, value))
		}
	}
	return problems, nil
}

var (
	bounds = regexp.MustCompile(`^(-?\d+)-(\d+)$`)
	words  = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*(,[A-Za-z][A-Za-z_-]*)+$`)
)

// allows checks a value against AllowedValues in the two clear forms, "1-75" and "yes,no". It leaves all other forms to AWS.
func allows(allowed, value string) bool {
	if m := bounds.FindStringSubmatch(allowed); m != nil {
		low, _ := strconv.ParseFloat(m[1], 64)
		high, _ := strconv.ParseFloat(m[2], 64)
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && low <= n && n <= high
	}
	return !words.MatchString(allowed) || slices.Contains(strings.Split(allowed, ","), value)
}
