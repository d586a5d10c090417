package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// destroyAddress is Terraform's question whether the run is ended and exported: the first thing that a destroy removes. destroyedAddress is asked
// when load and cache are gone.
const (
	destroyAddress   = "module.scheduler.aws_lambda_invocation.destroy"
	destroyedAddress = "module.scheduler.aws_lambda_invocation.destroyed"
)

// dontAsk makes a destroy go on without the exports.
func (p *Project) dontAsk(ctx context.Context, t *Terraform) error {
	known, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(address string) bool { return address != destroyAddress && address != destroyedAddress })
	if len(known) == 0 {
		return nil
	}
	return t.Forget(ctx, known...)
}

// Destroy removes the stack, after the run under way has been ended and exported. FORCE=1 goes on without the exports.
func Destroy(ctx context.Context, p *Project) error {
	t, in, err := p.ready(ctx)
	if err != nil {
		return err
	}
	if err := p.provider(ctx, t); err != nil {
		return err
	}
	if err := p.init(ctx, t); err != nil {
		return err
	}
	s, err := p.stack(ctx, in)
	if err != nil {
		return err
	}
	run, err := s.run(ctx)
	if err != nil {
		return err
	}
	if err := p.approve(ctx, fmt.Sprintf("Remove everything of %s? A run that is not exported yet is ended and exported first.", in.Name)); err != nil {
		return err
	}
	if run != nil {
		if err := p.finish(ctx, s, run); err != nil {
			return err
		}
	}
	if err := p.unknownCache(ctx, t, s); err != nil {
		return err
	}
	if getenv(p.Env, "FORCE") == "1" {
		if err := p.dontAsk(ctx, t); err != nil {
			return err
		}
	}
	removing := p.step("terraform: destroying")
	t.during(removing)
	err = t.Destroy(ctx)
	removing.end()
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
	if err := p.lateInsights(ctx, t, s); err != nil {
		return err
	}
	if left, err := s.left(ctx); err != nil || len(left) > 0 {
		return errors.Join(err, leftError(left))
	}
	p.say("%s is removed. What stays and costs nothing: inactive revisions of the ECS task definition %s, and the account's service-linked roles of ECS and ElastiCache. "+
		"What you asked for: the exports in s3://%s/%s", in.Name, s.config.Service, s.config.Bucket, prefixed(s.config.Prefix))
	return nil
}
