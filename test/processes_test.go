package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// mageProcess is a command in a separate process, with a stack's folder and a data directory. Its output is in its log.
type mageProcess struct {
	*exec.Cmd
	log string
}

func (p *person) mage(target, stack, data string) *mageProcess {
	p.t.Helper()
	log, err := os.Create(filepath.Join(p.t.TempDir(), "log"))
	require.NoError(p.t, err)
	defer log.Close()
	m := &mageProcess{exec.Command(tools(p.t), "mage", target), log.Name()}
	m.Dir, m.Stdout, m.Stderr = p.workspace.Root, log, log
	m.Env = append(p.workspace.Env[:len(p.workspace.Env):len(p.workspace.Env)], "STACK_DIR="+stack, "TF_DATA_DIR="+data)
	m.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(p.t, m.Start())
	p.t.Cleanup(func() { _ = m.Process.Kill() }) // if the test has not waited for it
	return m
}

// waitForOutput waits until a command has printed a text.
func (m *mageProcess) waitForOutput(t *testing.T, text string) {
	t.Helper()
	eventually(t, "mage says "+text, func(context.Context) (bool, any, error) {
		said := contents(m.log)
		return strings.Contains(said, text), said, nil
	})
}

// mage is killed while its Terraform creates the cache: Terraform ends by itself, the cache is in the state, and the next command continues with it.
func TestMageKilledDuringAnApply(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	creation := &gate{opened: make(chan struct{})}
	w := newEnvironment(t, func(c *localaws.Config) { c.Clock, c.Delays.CacheCreate = creation, closed })
	p := newPerson(t, w, map[string]any{"load": light(nil)})
	t.Cleanup(creation.open)
	m := p.mage("deploy", p.workspace.Stack, filepath.Join(t.TempDir(), "terraform"))
	m.waitForOutput(t, "aws_elasticache_replication_group.this[0]: Creating...")
	eventually(t, "the cache is being created", func(ctx context.Context) (bool, any, error) {
		status, err := p.cacheStatus(ctx)
		return status == "creating", status, err
	})
	require.NoError(t, m.Process.Kill())
	require.Error(t, m.Wait())
	eventually(t, "none of its processes is left", func(context.Context) (bool, any, error) {
		left := processes(t, p.workspace.Stack)
		return len(left) == 0, left, nil
	})
	creation.open()
	require.Contains(t, contents(filepath.Join(p.workspace.Stack, "terraform.tfstate")), `"aws_elasticache_replication_group"`)
	said := p.mustRun(ops.Deploy)
	require.Contains(t, said, "the load runs")
	p.mustRun(ops.Destroy)
	p.assertNothingLeft()
}

// Two deploys in parallel: in the same checkout the second is refused. In two checkouts with the same state the second ends without a change, because it
// cannot lock the state.
func TestTwoDeploysSideBySide(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	creation := &gate{opened: make(chan struct{})}
	w := newEnvironment(t, func(c *localaws.Config) { c.Clock, c.Delays.CacheCreate = creation, closed })
	p := newPerson(t, w, map[string]any{"load": light(nil)})
	t.Cleanup(creation.open)
	others := []string{folder(t, ".", w.inputs(map[string]any{"load": light(nil)})), folder(t, ".", w.inputs(map[string]any{"load": light(nil)}))}
	for _, stack := range append(others, p.workspace.Stack) {
		backend := `terraform {
  backend "local" {
    path = "` + filepath.Join(p.workspace.Stack, "shared.tfstate") + `"
  }
}
`
		require.NoError(t, os.WriteFile(filepath.Join(stack, "backend_override.tf"), []byte(backend), 0o600))
	}
	data := filepath.Join(t.TempDir(), "terraform")
	first := p.mage("deploy", p.workspace.Stack, data)
	first.waitForOutput(t, "aws_elasticache_replication_group.this[0]: Creating...")

	same := p.mage("deploy", p.workspace.Stack, data)
	require.Error(t, same.Wait())
	require.Regexp(t, `Error: another deploy or destroy is under way here \(process \d+\), and nothing was changed: wait for it, or end it`, contents(same.log))

	// The state is locked before anything is ended: the cache is not in the state yet, and has this stack's name.
	var elsewhere []*mageProcess
	for i, target := range []string{"deploy", "destroy"} {
		elsewhere = append(elsewhere, p.mage(target, others[i], filepath.Join(t.TempDir(), "terraform")))
	}
	for i, m := range elsewhere {
		require.Error(t, m.Wait())
		require.Contains(t, contents(m.log), "Error: the state is locked, so nothing was ended or changed: ")
		const holds = `\S+@\S+ holds it for apply since 20\S+Z`
		require.Regexp(t, "waiting for the state lock, for up to 60s: "+holds+"\n", contents(m.log))
		require.Regexp(t, "nothing was ended or changed: "+holds+`\. Try again when it is done; .terraform `+regexp.QuoteMeta(workspace.Word("-chdir="+others[i]))+` force-unlock [0-9a-f-]+. removes`, contents(m.log))
	}
	status, err := p.cacheStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, "creating", status)

	creation.open()
	require.NoError(t, first.Wait(), contents(first.log))
	again := p.mage("deploy", others[0], filepath.Join(t.TempDir(), "terraform"))
	require.NoError(t, again.Wait(), contents(again.log))
	require.Contains(t, contents(again.log), "the load runs, as before: there was nothing to change")
	p.workspace.Env = append(p.workspace.Env, "TF_DATA_DIR="+data)
	p.mustRun(ops.Destroy)
	p.assertNothingLeft()
}

// Somebody removes the function that ends runs: stop still ends and exports the run, and destroy does the same for a later run.
func TestFunctionWasDeleted(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	p := newPerson(t, w, map[string]any{"load": light(nil)})
	for _, end := range []ops.Command{ops.Stop, ops.Destroy} {
		p.mustRun(ops.Deploy)
		p.loads(t, 1)
		run, _ := p.guard(t)
		_, err := lambda.NewFromConfig(w.Config).DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String(p.name + "-stop")})
		require.NoError(t, err)
		said := p.mustRun(end)
		require.Contains(t, said, "the Lambda function that ends runs is gone: ending run "+run+" from here")
		p.assertExported(t, run, 1)
	}
	p.assertNothingLeft()
}
