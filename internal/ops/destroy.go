package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// forgetQuestions removes from the state what makes a destroy wait for the exports.
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

// functionGone reports whether the function that Terraform's destroy invokes does not exist and is not needed: the run was finished by this command, or nothing
// is billed. The destroy would fail otherwise. If there is load but no run, only a person can give it up, with FORCE=1.
func functionGone(ctx context.Context, s *stack.Stack, run *shutdown.Event) (bool, error) {
	if s.Lambda != "" || run != nil {
		return s.Lambda == "", nil
	}
	billed, err := s.Billed(ctx)
	return err == nil && billed == "", err
}

// Destroy ends and exports the current run, and removes the stack. FORCE=1 goes on without the exports.
func Destroy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return err
	}
	return subject.destroy(ctx, ws, con)
}

// destroy is Destroy for a stack that is already identified.
func (subject *subject) destroy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	unlock, err := subject.lock(ctx, ws, con)
	if err != nil {
		return err
	}
	defer unlock()
	t, yes := subject.cli, newConsent(ws, con, subject.place())
	s, err := subject.own(ctx, ws)
	if err != nil {
		return err
	}
	if subject.state.Empty() {
		if err := lateInsights(ctx, con, t, s, yes); err != nil {
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
	if err := subject.askDestroy(ctx, ws, s, run, yes); err != nil {
		return err
	}
	if err := t.Await(ctx, con, subject.state); err != nil {
		return err
	}
	if run != nil {
		if err := finish(ctx, ws, con, s, run); err != nil {
			return err
		}
	}
	if err := unknownCache(ctx, con, t, s, yes); err != nil {
		return err
	}
	gone, err := functionGone(ctx, s, run)
	if err != nil {
		return err
	}
	if ws.On("FORCE") || gone {
		if err := forgetQuestions(ctx, t); err != nil {
			return err
		}
	}
	removing := con.Step("terraform: destroying")
	t.During(removing)
	err = t.Destroy(ctx)
	removing.End()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, remains(ctx, t))
	}
	left, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s left in the state: %v", report.Quantity(len(left), "resource"), left)
	}
	if err := lateInsights(ctx, con, t, s, yes); err != nil {
		return err
	}
	if _, err := s.DropRevisions(ctx); err != nil {
		return err
	}
	if left, err := s.Left(ctx); err != nil || len(left) > 0 {
		if err != nil {
			err = fmt.Errorf("everything in the state is removed; cannot tell whether anything else is left: %w", err)
		}
		return errors.Join(err, stack.LeftError(left))
	}
	con.Say("the stack %s is removed. What stays and costs nothing: inactive revisions of the ECS task definition %s, and the account's service-linked roles of ECS and ElastiCache. "+
		"What you asked for: the exports in s3://%s/%s", subject.place(), s.Config.Service, s.Config.Bucket, prefixed(s.Config.Prefix))
	return nil
}

// askDestroy asks for everything that a destroy ends and removes. The answer can take an hour, so a yes does not cover a run that has started meanwhile.
func (s *subject) askDestroy(ctx context.Context, ws *workspace.Workspace, there *stack.Stack, run *shutdown.Event, yes *consent) error {
	var ends []string
	if run != nil {
		what, err := endingOf(ctx, ws, there, run)
		if err != nil {
			return err
		}
		ends = append(ends, cmp.Or(what, fmt.Sprintf("the run %s has nothing left to export", run.Run)))
	}
	status, err := there.CacheStatus(ctx)
	if err != nil {
		return err
	}
	if name := stack.CacheName(there.Config.Cache); status != "" && s.state.HasCache() {
		ends = append(ends, fmt.Sprintf("the cache %s (%s) is deleted", name, status))
	} else if status != "" {
		ends = append(ends, fmt.Sprintf("the cache %s (%s) is deleted if its tags say that a run of this stack made it", name, status))
	}
	undeclared, _, err := s.state.Undeclared(ws.Stack)
	if err != nil {
		return err
	}
	if len(undeclared) > 0 {
		ends = append(ends, "in the state and not in the configuration, and removed, too: "+some(undeclared))
	}
	ends = append(ends, "everything else in the state is removed")
	if err := yes.ask(ctx, asList(fmt.Sprintf("The stack %s:", s.place()), ends)+"Remove it?"); err != nil {
		return err
	}
	yes.given = true
	again, err := there.Run(ctx)
	if err == nil && again != nil && (run == nil || again.Run != run.Run) {
		err = fmt.Errorf("the run %s started while the question was open, so nothing was changed: run `go tool mage destroy` again", again.Run)
	}
	return err
}

// remains says what a failed or interrupted destroy has left in the state.
func remains(ctx context.Context, t *terraform.CLI) string {
	left, err := t.Resources(context.WithoutCancel(ctx))
	switch {
	case err != nil:
		return fmt.Sprintf("cannot tell what is left, because the state cannot be read: %v\nrun `go tool mage destroy` again", err)
	case len(left) == 0:
		return "nothing is left in the state; `go tool mage destroy` again tells whether AWS has something that is not in it"
	}
	return fmt.Sprintf("still in the state: %s. Run `go tool mage destroy` again", report.Quantity(len(left), "resource"))
}
