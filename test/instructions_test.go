package test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// The instructions in the commands and mails of a run work, from a deploy that is interrupted before the load logs anything, to the destroy of a stack
// whose schedules somebody removed.
func TestMessages(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	starts := &gate{opened: make(chan struct{})}
	w := newEnvironment(t, func(c *localaws.Config) { c.Clock, c.Delays.TaskStart = starts, closed })
	load := light(nil)
	p := newPerson(t, w, map[string]any{"load": load, "notifications": map[string]any{"email": "team@example.com"}})
	t.Cleanup(starts.open)

	// The service exists, but no task of it has started.
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		defer interrupt()
		for there := false; !there && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			out, err := ecs.NewFromConfig(p.Config).DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &p.name, Services: []string{p.name + "-load"}})
			there = err == nil && len(out.Services) == 1
		}
	}()
	said, err := p.runWith(ctx, ops.Deploy)
	require.Error(t, err, said)
	first, _ := p.guard(t)
	said, err = p.run(ops.Report, "")
	require.ErrorContains(t, err, "has no exported run yet", said)
	require.Contains(t, p.runAdvice(err.Error(), "has no exported run yet; `go tool mage status` shows where a run stands"), first)
	mails := p.waitForMessages(t, first, "started")
	require.Contains(t, p.runAdvice(mails[0], "`go tool mage status` shows where it stands"), first)
	said = p.runAdvice(mails[0], "`go tool mage stop` ends it now")
	require.Contains(t, said, "run "+first+" is stopped", "before the load has logged anything")
	starts.open()

	eventually(t, "nothing of the run is left", func(context.Context) (bool, any, error) {
		said, err = p.run(ops.Status, "")
		return err == nil && strings.Contains(said, "nothing of the stack that costs money is left"), said, err
	})
	require.Contains(t, p.runAdvice(said, "`go tool mage deploy` starts a new run"), "the load runs")
	p.loads(t, 1)
	run, _ := p.guard(t)
	require.NotEqual(t, first, run)

	p.workspace.Env = append(p.workspace.Env, "RUN=2026-01-01T00-00-00Z")
	said, err = p.run(ops.Report, "")
	p.workspace.Env = append(p.workspace.Env, "RUN=")
	require.Error(t, err, said)
	require.Contains(t, p.runAdvice(err.Error(), "; `go tool mage status` shows where a run stands"), run)

	load["pipeline"] = 4
	write(t, p.workspace.Stack, "changed.auto.tfvars.json", map[string]any{"load": load})
	said = p.mustRun(ops.Deploy)
	changed := said
	said, err = p.run(ops.Stop, "ending run "+run)
	require.Error(t, err, said)
	require.Contains(t, p.runAdvice(err.Error(), "continues in AWS: `go tool mage status` shows it"), run)
	// The stop that was interrupted goes on in AWS, and may have ended the run by now.
	require.Regexp(t, "is stopped and exported|"+over, p.runAdvice(changed, "Run `go tool mage stop` first to make them two runs"))
	m, err := export.ParseManifest(p.object(t, "exports/manifest/"+run+".json"))
	require.NoError(t, err)
	require.True(t, m.Complete)

	// A new run, whose schedules somebody removes.
	p.mustRun(ops.Deploy)
	p.loads(t, 1)
	for _, name := range []string{p.name + "-load-stop", p.name + "-watch"} {
		_, err := scheduler.NewFromConfig(p.Config).DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{GroupName: &p.name, Name: aws.String(name)})
		require.NoError(t, err)
	}
	said, err = p.run(ops.Stop, "")
	require.ErrorContains(t, err, "no run of", said)
	p.runAdvice(err.Error(), ": `go tool mage destroy` removes it")
	p.assertNothingLeft()
}
