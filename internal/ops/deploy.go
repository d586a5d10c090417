package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Deploy makes the stack, waits until the load runs, and prints where to look.
//
// It shows the plan and asks, and asks before that where something of an earlier run has to end first; APPROVE=1 is a yes to all of it.
func Deploy(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	_, err := deploy(ctx, ws, con)
	return err
}

// deployed is a stack with load on it.
type deployed struct {
	subject *subject
	stack   *stack.Stack
	run     *shutdown.Event
	stopsAt time.Time
}

func deploy(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*deployed, error) {
	if _, err := skipped(ws); err != nil {
		return nil, err
	}
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	unlock, err := subject.lock(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t, in := subject.cli, subject.inputs
	yes := newConsent(ws, con, subject.place())
	s, err := subject.own(ctx, ws)
	if err != nil {
		return nil, err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return nil, err
	}
	if in.BuildsLambda() {
		if err := gobuild.Lambda(ctx, ws, con, in.Architecture); err != nil {
			return nil, err
		}
	}
	if err := validate(ctx, ws, con, in, nil); err != nil {
		return nil, err
	}
	if err := t.Prepare(ctx, ws, con); err != nil {
		return nil, err
	}
	if err := t.Await(ctx, con, subject.state); err != nil {
		return nil, err
	}
	replace, alive, err := subject.endOverdue(ctx, ws, con, s, yes, time.Duration(in.Minutes+in.Load.Prefill.Minutes+aroundLoad)*time.Minute)
	if err != nil {
		return nil, err
	}
	if err := unknownCache(ctx, con, t, s, yes); err != nil {
		return nil, err
	}
	if err := lateInsights(ctx, con, t, s, yes); err != nil {
		return nil, err
	}
	plan, remove, err := terraform.PlanFile(ws)
	if err != nil {
		return nil, err
	}
	defer remove()
	planning := con.Step("terraform: planning")
	t.During(planning)
	changes, err := t.Plan(ctx, plan, replace...)
	planning.End()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if changes {
		if alive != "" {
			con.Say("run %s is under way, and these changes become part of it: if they replace the load, the exported metrics begin with the new one. `go tool mage stop` first makes each a run of its own", alive)
		}
		if err := yes.ask(ctx, fmt.Sprintf("Make these changes to the stack %s? %s", subject.place(), costs(in, subject.caller.Region))); err != nil {
			return nil, err
		}
		if err := apply(ctx, con, t, s, plan); err != nil {
			return nil, err
		}
	}
	if s, err = subject.open(ctx, ws); err != nil { // now with the Lambda's configuration
		return nil, err
	}
	d := &deployed{subject: subject, stack: s}
	if d.run, err = s.Run(ctx); err != nil {
		return nil, err
	}
	if d.run == nil {
		return nil, fmt.Errorf("the stack is there but no run is under way: the schedule %s is gone; run `go tool mage deploy` again", s.Config.Schedules.Watch)
	}
	if d.stopsAt, err = s.StopsAt(ctx); err != nil {
		return nil, err
	}
	if d.stopsAt.IsZero() || d.run.StopBy.Before(d.stopsAt) {
		d.stopsAt = d.run.StopBy // whatever the stop schedule says, watch ends it then
	}
	if err := waitLoad(ctx, con, s, d.run.Run); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("%w; run %s goes on, and is billed, until %s: `go tool mage watch` shows it, `go tool mage stop` ends it now", cause, d.run.Run, d.stopsAt.Format(time.RFC3339))
		}
		return nil, err
	}
	outputs, err := t.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	if changes {
		con.Say("the load runs, %s after the apply began", page.Duration(time.Since(began)))
	} else {
		con.Say("the load runs, as before: there was nothing to change")
	}
	con.Say("  run        %s", d.run.Run)
	con.Say("  dashboard  %s", cmp.Or(s.Dashboard(), outputs["cloudwatch_dashboard_url"]))
	con.Say("  stops at   %s (%s from now)", d.stopsAt.Format(time.RFC3339), page.Duration(time.Until(d.stopsAt)))
	con.Say("  exports    %s", outputs["metrics_export_location"])
	return d, nil
}

// aroundLoad is what else a run takes beside its load's minutes.
const aroundLoad = campaign.AroundLoad

// costs says until when what is created costs money, and how much of it AWS bills: nodes by whole hours, from their launch until they are terminated.
// https://aws.amazon.com/elasticache/pricing/
func costs(in *terraform.Inputs, region string) string {
	text := fmt.Sprintf("What they create costs money until the run ends, %d minutes after the load has started.", in.Minutes+in.Load.Prefill.Minutes)
	e := campaign.EstimateRun(in, region)
	switch {
	case in.ExistingCache != nil:
		return text + " The cache was there before."
	case in.Cache.Serverless != nil:
		return text + " The serverless cache is billed by its data and requests."
	}
	text += fmt.Sprintf(" AWS bills each started node-hour as a whole one: with some %d minutes for creation and stop, these are about %d for %d x %s.",
		aroundLoad, e.NodeHours, max(in.Cache.Shards, 1)*(1+in.Cache.Replicas), in.Cache.NodeType)
	if e.Missing == "" {
		text += fmt.Sprintf(" With the load's tasks that is about %.2f USD (%s).", e.USD, campaign.Prices())
	}
	return text
}

// endOverdue is what has to be made anew although nothing in it changed: the watch schedule, when its run is over but it is still there. The old
// run's cache is gone by then, or it would be without a guard while the schedule is made. alive is the run whose load runs, "" when none does.
// A run without a stop schedule is one whose apply has failed: when its latest time comes before needs is over, a retry would be cut short, and is a
// new run instead.
func (subject *subject) endOverdue(ctx context.Context, ws *workspace.Workspace, con *console.Console, s *stack.Stack, yes *consent, needs time.Duration) (replace []string, alive string, err error) {
	run, err := s.Run(ctx)
	if err != nil || run == nil {
		return nil, "", err
	}
	stops, err := s.StopsAt(ctx)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	short := stops.IsZero() && now.Before(run.StopBy) && run.StopBy.Sub(now) < needs
	if !short && now.Before(run.StopBy) && (stops.IsZero() || now.Before(stops)) {
		m, err := s.Manifest(ctx, run.Run)
		if err != nil || m == nil || !m.Complete {
			if !stops.IsZero() {
				alive = run.Run
			}
			return nil, alive, err
		}
	}
	var ends []string
	if what, err := endingOf(ctx, ws, s, run); err != nil {
		return nil, "", err
	} else if what != "" {
		ends = append(ends, what)
	}
	ours, err := s.MadeCache(ctx, con)
	if err != nil {
		return nil, "", err
	}
	if ours {
		ends = append(ends, fmt.Sprintf("the cache %s is deleted", stack.CacheName(s.Config.Cache)))
	}
	if len(ends) > 0 {
		if err := yes.ask(ctx, asList(fmt.Sprintf("The time of the run %s of the stack %s is over. Before a new run,", run.Run, yes.place), ends)+"Go on? The plan of the new run is shown after that, and asked for."); err != nil {
			return nil, "", err
		}
		if again, err := s.Run(ctx); err != nil || again == nil || again.Run != run.Run { // a person may take an hour to answer
			return nil, "", cmp.Or(err, fmt.Errorf("the run %s ended while the question waited: run `go tool mage deploy` again", run.Run))
		}
		yes.did("the run %s was ended as asked", run.Run)
	}
	if err := subject.cli.Await(ctx, con, subject.state); err != nil {
		return nil, "", err
	}
	if err := finish(ctx, ws, con, s, run); err != nil {
		return nil, "", err
	}
	if err := s.CacheGone(ctx, con, ours); err != nil {
		return nil, "", err
	}
	if short {
		con.Say("run %s ends by %s, which is too early for a load that is yet to start: this deploy starts a new run", run.Run, run.StopBy.Format(time.RFC3339))
	} else {
		con.Say("run %s is over: this deploy starts a new one", run.Run)
	}
	return []string{terraform.WatchAddress}, "", nil
}

var errRollout = errors.New("the load cannot start: ECS gave the deployment up")

// apply carries the plan out. The provider waits for a service to be steady also when ECS has given up on it: that is looked for here.
func apply(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack.Stack, plan string) error {
	before, err := failedRollouts(ctx, s) // of an earlier apply
	if err != nil {
		return fmt.Errorf("%w; nothing was applied", err)
	}
	applying, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for con.Wait(applying, 0) == nil {
			failed, _ := failedRollouts(applying, s) // a look that fails says nothing; the next one may
			for id := range failed {
				if !before[id] {
					cancel(errRollout)
				}
			}
		}
	}()
	working := con.Step("terraform: applying")
	t.During(working)
	err = t.Apply(applying, plan)
	working.End()
	cancel(nil)
	<-watched
	if err == nil {
		return nil
	}
	why := ""
	if ctx.Err() == nil {
		if why = s.Trouble(ctx); why != "" {
			why = "\nwhat ECS and the tasks say:\n" + why
		}
	}
	return fmt.Errorf("%w%s\n%s", err, why, whoEnds(ctx, s, "`go tool mage deploy` goes on, `go tool mage destroy` removes what was created"))
}

// failedRollouts are the deployments of the load that ECS has given up. A service that is being deleted keeps its old ones, and they say nothing of
// the next: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html (status DRAINING).
func failedRollouts(ctx context.Context, s *stack.Stack) (map[string]bool, error) {
	failed := map[string]bool{}
	service, err := s.Service(ctx)
	if err != nil || service == nil || aws.ToString(service.Status) != "ACTIVE" {
		return failed, err
	}
	for _, d := range service.Deployments {
		if d.RolloutState == types.DeploymentRolloutStateFailed {
			failed[aws.ToString(d.Id)] = true
		}
	}
	return failed, nil
}

// whoEnds says after a deploy that failed what a person can do next, what of the stack costs money, and what ends it, as AWS shows it now.
func whoEnds(ctx context.Context, s *stack.Stack, next string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	billed, err := s.Billed(ctx)
	run, problem := s.Run(ctx)
	switch {
	case err != nil || problem != nil:
		return fmt.Sprintf("%s; whether anything is billed, and whether the schedule %s ends it, is not known: %v", next, s.Config.Schedules.Watch, cmp.Or(err, problem))
	case billed == "":
		return next + "; no task and no cache of it is billed now"
	case run == nil:
		return fmt.Sprintf("%s; billed until then: %s. Nothing ends it by itself, there is no schedule %s", next, billed, s.Config.Schedules.Watch)
	}
	return fmt.Sprintf("%s; billed until then: %s. If you do neither, the schedule %s ends it by %s", next, billed, s.Config.Schedules.Watch, run.StopBy.Format(time.RFC3339))
}

// waitLoad waits until a task of the service has reported operations, and none writes its first keys any more: a running task is not yet a
// loaded cache. A load that was changed has a new service, and what tasks said before it does not count. It gives up when a task could not write
// its keys, and when more tasks have failed than there should be: ECS has started others in their place, which fail too.
func waitLoad(ctx context.Context, con *console.Console, s *stack.Stack, run string) error {
	since, err := shutdown.ParseRun(run)
	if err != nil {
		return err
	}
	var waiting *console.Step
	defer func() { waiting.End() }()
	for deadline := time.Now().Add(5 * time.Minute); ; {
		service, err := s.Service(ctx)
		if err != nil {
			return err
		}
		if service != nil && since.Before(aws.ToTime(service.CreatedAt)) {
			since = *service.CreatedAt
		}
		events, err := s.LoadLog(ctx, since, 10_000, "")
		if err != nil {
			return err
		}
		failed, why, loads := map[string]bool{}, "", false
		for _, e := range events {
			if r, ok := report.ParseProgress(e.Text); ok && r.Operations > 0 {
				loads = true
			}
			if text, ok := strings.CutPrefix(e.Text, "load: failed: "); ok {
				failed[e.Stream], why = true, ": "+text
			}
		}
		keys, err := s.Prefill(ctx, since, time.Now())
		if err != nil || loads && keys == nil {
			return err
		}
		if keys != nil && keys.Failed != "" {
			return fmt.Errorf("the load of run %s does not start: prefill: %s\n%s", run, keys.Failed, whoEnds(ctx, s, "`go tool mage destroy` removes what was created"))
		}
		if keys != nil {
			deadline = time.Now().Add(5 * time.Minute)
		}
		switch {
		case service == nil || service.DesiredCount == 0:
			return fmt.Errorf("the load of run %s was stopped before it reported an operation%s", run, why)
		case len(failed) > int(service.DesiredCount):
			return fmt.Errorf("the load of run %s cannot start, %d tasks failed%s\n%s", run, len(failed), why, s.Trouble(ctx))
		case time.Now().After(deadline):
			return fmt.Errorf("the load of run %s has reported no operation for 5 minutes%s\n%s", run, why, s.Trouble(ctx))
		}
		if waiting == nil {
			waiting = con.Step("waiting for the load's first operation")
		}
		if keys != nil {
			waiting.At(keys.Share, "%s", keys)
		} else {
			waiting.At(-1, "%d of %d tasks running", service.RunningCount, service.DesiredCount)
		}
		if err := con.Wait(ctx, 2*time.Second); err != nil {
			return err
		}
	}
}
