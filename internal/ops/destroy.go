package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// forgetQuestions makes a destroy go on without the exports.
func forgetQuestions(ctx context.Context, t *terraform.CLI) error {
	known, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(address string) bool {
		return address != terraform.DestroyAddress && address != terraform.DestroyedAddress
	})
	if len(known) == 0 {
		return nil
	}
	return t.Forget(ctx, known...)
}

// Destroy removes the stack, after the run under way has been ended and exported. FORCE=1 goes on without the exports.
func Destroy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return err
	}
	t := subject.cli
	s, err := subject.own(ctx, ws)
	if err != nil {
		return err
	}
	if subject.state.Empty() {
		if err := lateInsights(ctx, con, t, s); err != nil {
			return err
		}
		con.Say("there is no stack %s: the state is empty, and AWS has nothing under its names", subject.place())
		return nil
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return err
	}
	if err := t.Prepare(ctx, ws, con); err != nil {
		return err
	}
	run, err := s.Run(ctx)
	if err != nil {
		return err
	}
	if err := con.Approve(ctx, ws.Getenv("APPROVE") == "1", fmt.Sprintf("Remove everything of the stack %s? A run that is not exported yet is ended and exported first.", subject.place())); err != nil {
		return err
	}
	if run != nil {
		if err := finish(ctx, ws, con, s, run); err != nil {
			return err
		}
	}
	if err := unknownCache(ctx, con, t, s); err != nil {
		return err
	}
	if ws.Getenv("FORCE") == "1" {
		if err := forgetQuestions(ctx, t); err != nil {
			return err
		}
	}
	removing := con.Step("terraform: destroying")
	t.During(removing)
	err = t.Destroy(ctx)
	removing.End()
	if err != nil {
		return fmt.Errorf("%w\nwhat is left is still in the state: run `go tool mage destroy` again", err)
	}
	left, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%d resources are left in the state: %v", len(left), left)
	}
	if err := lateInsights(ctx, con, t, s); err != nil {
		return err
	}
	if left, err := s.Left(ctx); err != nil || len(left) > 0 {
		if err != nil {
			err = fmt.Errorf("everything in the state is removed; whether something else is left is not known: %w", err)
		}
		return errors.Join(err, stack.LeftError(left))
	}
	con.Say("the stack %s is removed. What stays and costs nothing: inactive revisions of the ECS task definition %s, and the account's service-linked roles of ECS and ElastiCache. "+
		"What you asked for: the exports in s3://%s/%s", subject.place(), s.Config.Service, s.Config.Bucket, prefixed(s.Config.Prefix))
	return nil
}
