package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Guard is what ends a run without a command: the schedule `watch`, and the function that it invokes.
type Guard struct {
	Run    string // the guarded run; "" if there is no schedule
	StopBy time.Time
	Dead   string // why it cannot end the run; "": it can, or there is no guard
}

// Alive reports whether the guard will end the run.
func (g Guard) Alive() bool { return g.Run != "" && g.Dead == "" }

// Orphan reports whether something is billed that no guard will end.
func (f *Found) Orphan() bool { return f.Billed != "" && !f.Guard.Alive() }

// runOf returns the run of a stack without a guard, from its stop schedule, cache or task definition; "" if none names it.
func runOf(ctx context.Context, s *stack.Stack) (string, error) {
	of := s.Config.Schedules
	out, err := scheduler.NewFromConfig(s.AWS).GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &of.Group, Name: &of.Stop})
	var event shutdown.Event
	switch {
	case err != nil && !stack.Missing(err):
		return "", fmt.Errorf("schedule %s: %w", of.Stop, err)
	case err == nil && out.Target != nil && json.Unmarshal([]byte(aws.ToString(out.Target.Input)), &event) == nil && event.Run != "":
		return event.Run, nil
	}
	if run, err := s.CacheRun(ctx); err != nil || run != "" {
		return run, err
	}
	service, err := s.Service(ctx)
	if err != nil || service == nil {
		return "", err
	}
	definition, err := ecs.NewFromConfig(s.AWS).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: service.TaskDefinition})
	if err != nil {
		return "", fmt.Errorf("task definition %s: %w", aws.ToString(service.TaskDefinition), err)
	}
	for _, c := range definition.TaskDefinition.ContainerDefinitions {
		for _, e := range c.Environment {
			if aws.ToString(e.Name) == "RUN" {
				return aws.ToString(e.Value), nil
			}
		}
	}
	return "", nil
}

// guardOf reads a stack's guard.
func guardOf(ctx context.Context, s *stack.Stack) (g Guard, err error) {
	of := s.Config.Schedules
	out, err := scheduler.NewFromConfig(s.AWS).GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &of.Group, Name: &of.Watch})
	if stack.Missing(err) {
		return g, nil
	}
	if err != nil {
		return g, fmt.Errorf("schedule %s: %w", of.Watch, err)
	}
	var event shutdown.Event
	switch {
	case out.Target == nil || json.Unmarshal([]byte(aws.ToString(out.Target.Input)), &event) != nil || event.Run == "":
		return Guard{Dead: fmt.Sprintf("the schedule %s names no run", of.Watch)}, nil
	case out.State == types.ScheduleStateDisabled:
		g.Dead = fmt.Sprintf("the schedule %s is disabled", of.Watch)
	case s.Lambda == "":
		g.Dead = fmt.Sprintf("the function that the schedule %s invokes is gone", of.Watch)
	}
	g.Run, g.StopBy = event.Run, s.Config.EndOf(event)
	return g, nil
}
