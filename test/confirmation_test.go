package test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// answerYesAfter makes the person answer the next command's question with yes, after something has happened during the wait.
func (p *person) answerYesAfter(meanwhile func()) {
	p.console.Answer = p
	p.console.In = &answer{meanwhile: meanwhile}
	p.workspace.Env = append(p.workspace.Env, "APPROVE=")
	p.t.Cleanup(p.approveAll)
}

// approveAll approves every question again.
func (p *person) approveAll() {
	p.console.Answer = nil
	p.workspace.Env = append(p.workspace.Env, "APPROVE=1")
}

type answer struct{ meanwhile func() }

func (a *answer) Read(b []byte) (int, error) {
	if a.meanwhile == nil {
		return 0, io.EOF
	}
	happened, meanwhile := make(chan bool), a.meanwhile
	a.meanwhile = nil
	go func() {
		all := false
		defer func() { happened <- all }() // a requirement that fails ends only this goroutine
		meanwhile()
		all = true
	}()
	if !<-happened {
		return 0, io.EOF
	}
	return copy(b, "yes\n"), nil
}

// terraform runs plain Terraform in the person's folder.
func (p *person) terraform(args ...string) (string, error) {
	p.t.Helper()
	c := exec.CommandContext(p.t.Context(), os.Getenv("E2E_TERRAFORM"), append([]string{"-chdir=" + p.workspace.Stack, args[0], "-no-color", "-input=false"}, args[1:]...)...)
	c.Env = p.workspace.Env
	out, err := c.CombinedOutput()
	return string(out), err
}

// changeGuard changes the event that the stack's guard sends, and disables the guard, which would otherwise act on it immediately.
func (p *person) changeGuard(change func(*shutdown.Event)) {
	p.t.Helper()
	_, was := p.guard(p.t)
	var event shutdown.Event
	require.NoError(p.t, json.Unmarshal([]byte(*was.Target.Input), &event))
	change(&event)
	input, err := json.Marshal(event)
	require.NoError(p.t, err)
	was.Target.Input = aws.String(string(input))
	_, err = scheduler.NewFromConfig(p.Config).UpdateSchedule(p.t.Context(), &scheduler.UpdateScheduleInput{GroupName: &p.name, Name: was.Name, ScheduleExpression: was.ScheduleExpression,
		FlexibleTimeWindow: was.FlexibleTimeWindow, Target: was.Target, State: types.ScheduleStateDisabled})
	require.NoError(p.t, err)
}

func (p *person) deleteSchedules(names ...string) {
	p.t.Helper()
	for _, name := range names {
		_, err := scheduler.NewFromConfig(p.Config).DeleteSchedule(p.t.Context(), &scheduler.DeleteScheduleInput{GroupName: &p.name, Name: aws.String(p.name + name)})
		require.NoError(p.t, err)
	}
}

// An answer can take an hour, and things can change in that time: a yes covers only what was asked, and the message says how to continue.
func TestChangesWhileAQuestionIsOpen(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})

	// Somebody applies a change: the plan is stale.
	p.answerYesAfter(func() {
		text, err := p.terraform("apply", "-auto-approve", "-target=module.scheduler.aws_sqs_queue.dead")
		require.NoError(t, err, text)
	})
	said, err := p.run(ops.Deploy, "")
	p.approveAll()
	require.ErrorContains(t, err, "the state was changed after the plan was made, so nothing was applied", said)
	require.Contains(t, p.runAdvice(err.Error(), "`go tool mage deploy` plans and asks again"), "the load runs")
	first, _ := p.guard(t)

	// The run is overdue, and ends before the yes.
	p.loads(t, 1)
	p.changeGuard(func(e *shutdown.Event) { e.StopBy = time.Now().UTC().Add(-time.Minute) })
	p.answerYesAfter(func() { p.deleteSchedules("-load-stop", "-watch") })
	said, err = p.run(ops.Deploy, "")
	p.approveAll()
	require.ErrorContains(t, err, "the run "+first+" ended while the question was open", said)
	said = unwrapped(p.mustRun(ops.Status))
	require.Contains(t, said, "deployed, but no run is under way; `go tool mage deploy` starts one")
	advised := said
	require.Contains(t, p.runAdvice(err.Error(), "ended while the question was open: run `go tool mage deploy` again"), "the load runs")
	p.deleteSchedules("-load-stop", "-watch")
	require.Contains(t, p.runAdvice(advised, "no run is under way; `go tool mage deploy` starts one"), "the load runs")
	said, err = p.runAndWhen(ops.Deploy, "No changes.", func() { p.deleteSchedules("-load-stop", "-watch") }) // once more, at the end of an apply
	require.ErrorContains(t, err, "the stack is there but no run is under way", said)
	require.Contains(t, p.runAdvice(err.Error(), "is gone; run `go tool mage deploy` again"), "the load runs")
	last, _ := p.guard(t)
	require.NotEqual(t, first, last)

	// Another run starts before the yes to a destroy.
	p.answerYesAfter(func() { p.changeGuard(func(e *shutdown.Event) { e.Run = "2026-11-23T03-08-09Z" }) })
	said, err = p.run(ops.Destroy, "")
	p.approveAll()
	require.ErrorContains(t, err, "the run 2026-11-23T03-08-09Z started while the question was open", said)
	p.loads(t, 1)
	status, err2 := p.cacheStatus(context.WithoutCancel(t.Context()))
	require.NoError(t, err2)
	require.Equal(t, "available", status)
	p.changeGuard(func(e *shutdown.Event) { e.Run = last })
	require.Contains(t, p.runAdvice(err.Error(), "nothing was changed: run `go tool mage destroy` again"), "is removed")
	p.assertNothingLeft()
}
