package ops

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

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
			return nil, fmt.Errorf("the existing cache cannot be looked at: %w", err)
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
		return problems, fmt.Errorf("the security group %s cannot be looked at: %w", group, err)
	case groups[0].VPC != in.VPC:
		problems = append(problems, fmt.Sprintf("the existing cache's security group %s is in %s, and the load would be in %s: take the cache's vpc_id and its subnets", group, groups[0].VPC, in.VPC))
	}
	return problems, nil
}

// unknownCache removes a cache that would block Terraform. It waits for one that is being deleted, because the provider does not retry CacheSubnetGroupInUse.
// It deletes one that this stack created but its state lacks, if the state has the run's guard. The guard is created before any cache: without it, somebody
// else may have deployed the stack with another state.
func unknownCache(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack.Stack, yes *consent) error {
	status, err := s.CacheStatus(ctx)
	if err != nil || status == "" {
		return err
	}
	known, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	unknown := !slices.ContainsFunc(known, terraform.IsCache)
	if unknown && status != "deleting" {
		ours := slices.Contains(known, terraform.WatchAddress)
		if ours {
			if ours, err = s.MadeCache(ctx, con); err != nil {
				return err
			}
		}
		if !ours {
			con.Say("the cache %s is not in the state, and was not made by this stack and state: it is left alone", stack.CacheName(s.Config.Cache))
			return nil
		}
	}
	// A cache whose creation failed blocks Terraform, too: AWS does not return its tags, and the provider cannot read it without them.
	failed := status == "create-failed"
	name, why := stack.CacheName(s.Config.Cache), ""
	switch {
	case failed:
		why = "could not be created"
	case unknown && status != "deleting":
		why = "was made but is not in the state: the answer to its creation was lost"
	}
	if why != "" {
		if err := yes.ask(ctx, fmt.Sprintf("The cache %s (%s) of the stack %s %s. Delete it?", name, status, yes.place, why)); err != nil {
			return err
		}
		yes.did("the cache %s is deleted", name)
		con.Say("the cache %s %s; deleting it", name, why)
	}
	return s.CacheGone(ctx, con, unknown || failed)
}
