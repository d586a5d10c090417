package ops

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// lateInsights removes a log group of Container Insights that came back after a destroy. With it, the next apply would fail with ResourceAlreadyExists.
func lateInsights(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack.Stack, yes *consent) error {
	name, err := s.StrayInsights(ctx)
	if err != nil || name == "" {
		return err
	}
	if known, err := t.Resources(ctx); err != nil || slices.Contains(known, terraform.InsightsAddress) {
		return err
	}
	if err := yes.ask(ctx, fmt.Sprintf("The log group %s of the stack %s came back after an earlier destroy and blocks the next deploy. Remove it?", name, yes.place)); err != nil {
		return err
	}
	if err := s.DeleteLogGroup(ctx, name); err != nil {
		return err
	}
	yes.did("the log group %s is removed", name)
	con.Say("the log group %s came back after an earlier destroy: removed", name)
	return nil
}
