package ops

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

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
			con.Say("the cache %s is not in the state, and was not created by this stack and state: it is left alone", stack.CacheName(s.Config.Cache))
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
		why = "was created but is not in the state: the response to its creation was lost"
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
