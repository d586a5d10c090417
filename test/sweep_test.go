package test

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// stackFor creates a stack with that name, whose owner has the permissions of docs/permissions.md for it. It is not destroyed at the end of the test.
func stackFor(t *testing.T, w *environment, name string, vars map[string]any) *stack {
	t.Helper()
	inputs := w.inputs(map[string]any{"name": name, "load": light(nil)}, vars)
	s := &stack{environment: w, name: name, options: w.options(t, ".", inputs)}
	may := maps.Clone(inputs)
	may["sweeps"] = true
	maps.Copy(s.options.EnvVars, w.deployer(t, name, may))
	terraform.InitContext(t, t.Context(), s.options)
	return s
}

// sweep runs `mage sweep` with the given credentials, without the state and inputs of any stack.
func (w *environment) sweep(t *testing.T, keys map[string]string, env ...string) (string, error) {
	t.Helper()
	var said lockedText
	con := &console.Console{In: strings.NewReader(""), Out: &said, Pause: time.Second}
	ws := &workspace.Workspace{Root: t.TempDir(), Stack: t.TempDir(), Env: env, AWS: func(context.Context, string) (aws.Config, error) {
		cfg := w.Config.Copy()
		if keys != nil {
			cfg.Credentials = credentials.NewStaticCredentialsProvider(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"])
		}
		return cfg, nil
	}}
	err := ops.Sweep(t.Context(), ws, con)
	t.Logf("sweep %v:\n%s%v", env, said.String(), err)
	return said.String(), err
}

// deployerWorkspace is the workspace of a stack's deployer, with its state.
func (w *environment) deployerWorkspace(t *testing.T, s *stack) *workspace.Workspace {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	env := append(os.Environ(), "APPROVE=1")
	for k, v := range s.options.EnvVars {
		env = append(env, k+"="+v)
	}
	return &workspace.Workspace{Root: root, Stack: s.options.TerraformDir, Env: env, Embedded: !onAWS(), AWS: func(context.Context, string) (aws.Config, error) {
		cfg, keys := w.Config.Copy(), s.options.EnvVars
		cfg.Credentials = credentials.NewStaticCredentialsProvider(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"])
		return cfg, nil
	}}
}

// lockedText is a text that several goroutines can write to.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Four stacks: one runs, one has ended but is not destroyed, the apply of one failed, and the guard of one was deleted. A sweep, which has none of their
// states, distinguishes them, asks, exports the runs, and leaves nothing.
func TestSweep(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	said, err := w.sweep(t, nil)
	require.NoError(t, err)
	require.Contains(t, said, "there is no stack in account 123456789012, Region us-east-1")

	base := nameOf(t)
	below := func(name string) string { return "exports/" + base + name } // runs that start in the same second have the same name, so each stack has its own prefix
	running, ended := stackFor(t, w, base+"-runs", map[string]any{"metrics_export_s3_prefix": below("-runs")}), stackFor(t, w, base+"-ended", nil)
	failed := stackFor(t, w, base+"-failed", map[string]any{"metrics_export_s3_prefix": below("-failed")})
	orphan := stackFor(t, w, base+"-orphan", map[string]any{"metrics_export_s3_prefix": below("-orphan"), "notifications": map[string]any{"email": "team@example.com"}})
	w.local.Faults.Add(wire.Fault{Action: "ecs.CreateService", First: 1, Kind: wire.Denied, Holds: failed.name})
	var applied sync.WaitGroup
	for _, s := range []*stack{running, ended, failed, orphan} {
		applied.Go(func() {
			_, err := terraform.ApplyContextE(t, t.Context(), s.options)
			if s == failed {
				assert.ErrorContains(t, err, "AccessDenied")
			} else {
				assert.NoError(t, err)
			}
		})
	}
	applied.Wait()
	w.local.Faults.Clear()
	if t.Failed() {
		t.FailNow()
	}
	runs := map[*stack]string{}
	for _, s := range []*stack{running, ended, orphan} {
		s.loads(t, 1)
		runs[s] = s.output(t, "run")
	}
	ended.stops(t)
	ended.waitForEnd(t, runs[ended], 1)
	client := scheduler.NewFromConfig(w.Config)
	for _, schedule := range []string{"-watch", "-load-stop"} {
		_, err := client.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{GroupName: &orphan.name, Name: aws.String(orphan.name + schedule)})
		require.NoError(t, err)
	}

	said, err = w.sweep(t, nil)
	require.NoError(t, err)
	of := func(s *stack) string {
		_, after, is := strings.Cut(said, "  "+s.name+": ")
		require.True(t, is, said)
		lines := strings.SplitN(after, "\n", 3)
		return lines[0] + "\n" + lines[1]
	}
	require.Contains(t, said, "stacks in account 123456789012, Region us-east-1: 4")
	require.Contains(t, of(running), "run "+runs[running]+", guarded: it ends by itself")
	require.Contains(t, of(running), "runs 1 of 1 task, the cache "+running.name+" is available; about 0.0")
	require.Contains(t, of(running), "1 node-hours")
	require.Contains(t, of(ended), "has ended; the stack is not destroyed")
	require.Contains(t, of(ended), "nothing of it is billed; about 0.0")
	require.Contains(t, of(ended), "the manifest of "+runs[ended])
	require.Contains(t, of(failed), "guarded: it ends by itself")
	require.Contains(t, of(failed), "the cache "+failed.name+" is available")
	require.Contains(t, of(orphan), "ORPHAN, run "+runs[orphan]+": it has no guard, and something is billed")
	require.Equal(t, 1, strings.Count(said, "ORPHAN"))

	// Without a yes nothing changes, and the question says what would change and where.
	_, err = w.sweep(t, nil, "SWEEP="+orphan.name)
	require.ErrorContains(t, err, "In account 123456789012, Region us-east-1")
	require.ErrorContains(t, err, "the run "+runs[orphan]+" is ended: its load stops, and its metrics and logs are exported")
	require.ErrorContains(t, err, "the service "+orphan.name+"/"+orphan.name+"-load, the cache "+orphan.name)
	require.ErrorContains(t, err, "nothing was changed")
	_, err = w.sweep(t, nil, "SWEEP=nobody", "APPROVE=1")
	require.ErrorContains(t, err, "there is no stack nobody in account")
	owner, quiet := w.deployerWorkspace(t, ended), &console.Console{In: strings.NewReader(""), Out: io.Discard, Pause: time.Second}
	runAdvice(t, owner, quiet, err.Error(), "`go tool mage sweep` lists the stacks")

	// With the documented permissions of one stack only, the other stacks are just listed by name.
	keys := map[string]string{}
	maps.Copy(keys, orphan.options.EnvVars)
	said, err = w.sweep(t, keys)
	require.NoError(t, err)
	require.Contains(t, said, "  "+running.name+": cannot be read")
	require.Contains(t, of(orphan), "ORPHAN")
	var heard lockedText
	runAdvice(t, w.deployerWorkspace(t, orphan), &console.Console{In: strings.NewReader(""), Out: &heard, Pause: time.Second}, said, "an orphan is billed until somebody removes it: `SWEEP=%s go tool mage sweep`")
	require.Contains(t, heard.String(), "is removed; the exports stay")
	complete := func(s *stack) {
		m, err := export.ParseManifest(s.object(t, "exports/"+s.name+"/manifest/"+runs[s]+".json"))
		require.NoError(t, err)
		require.True(t, m.Complete)
		require.Len(t, m.Tasks, 1)
	}
	complete(orphan)
	orphan.nothingLeft(t.Context(), t)

	said, err = w.sweep(t, nil, "SWEEP=all", "APPROVE=1")
	require.NoError(t, err)
	runAdvice(t, owner, quiet, said, "`go tool mage destroy` empties it")
	require.Empty(t, strings.TrimSpace(terraform.RunTerraformCommandAndGetStdoutContext(t, t.Context(), ended.options, "state", "list")))
	complete(running)
	for _, s := range []*stack{running, ended, failed} {
		s.nothingLeft(t.Context(), t)
	}
	eventually(t, "nothing is listed any more", func(ctx context.Context) (bool, any, error) {
		out, err := resourcegroupstaggingapi.NewFromConfig(w.Config).GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{
			TagFilters: []types.TagFilter{{Key: aws.String("elasticache-perf")}}, ResourceTypeFilters: []string{"elasticache", "ec2", "logs", "lambda", "scheduler", "sqs", "sns", "cloudwatch"}})
		return err == nil && len(out.ResourceTagMappingList) == 0, out, err
	})
	said, err = w.sweep(t, nil)
	require.NoError(t, err)
	require.Contains(t, said, "there is no stack in", "AWS keeps inactive task definitions, and their tags")
	groups, err := cloudwatchlogs.NewFromConfig(w.Config).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	require.NoError(t, err)
	require.Empty(t, groups.LogGroups)
	require.Empty(t, children(w.dir))
}
