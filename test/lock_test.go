package test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Campaigns have a Terraform workspace per run. With an S3 backend, a killed apply leaves its lock behind: the next command says whose lock it is and how
// to continue, and a campaign removes it if the holder is dead. https://developer.hashicorp.com/terraform/language/backend/s3#state-locking
func TestLockOfAKilledApply(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	dir := awkwardDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.tf"), []byte(`
terraform {
  backend "s3" {
    bucket         = "exports"
    key            = "state"
    region         = "us-east-1"
    encrypt        = true
    use_lockfile   = true
    use_path_style = true
  }
}
resource "terraform_data" "this" {
  provisioner "local-exec" { command = "test -e done || sleep 3600" }
}
`), 0o600))
	env := append(os.Environ(), "TF_WORKSPACE=nodes-r7g-r1")
	for k, v := range w.env {
		env = append(env, k+"="+v)
	}
	con := &console.Console{Out: testWriter{t}, TerraformOut: testWriter{t}}
	cli := terraform.New(&workspace.Workspace{Root: dir, Stack: dir, Env: env}, con, os.Getenv("E2E_TERRAFORM"))
	if err := cli.Init(t.Context(), false); err != nil && strings.Contains(err.Error(), "use_lockfile") {
		t.Skip("Terraform locks in S3 since 1.10")
	} else {
		require.NoError(t, err)
	}
	apply := exec.Command(cli.Bin, "-chdir="+dir, "apply", "-auto-approve", "-input=false")
	apply.Env, apply.SysProcAttr = env, &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, apply.Start())
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = syscall.Kill(-apply.Process.Pid, syscall.SIGKILL)
			_ = apply.Wait()
		}
	}
	t.Cleanup(kill)
	of := &stack{environment: w}
	const lock = "env:/nodes-r7g-r1/state.tflock"
	eventually(t, "the apply has the lock", func(ctx context.Context) (bool, any, error) {
		text, err := of.get(ctx, lock)
		return err == nil && strings.Contains(string(text), "OperationTypeApply"), string(text), nil
	})
	err := cli.Run(t.Context(), io.Discard, "state", "rm", "-dry-run", "-lock-timeout=0s", "terraform_data.this")
	require.ErrorContains(t, err, "`TF_WORKSPACE=nodes-r7g-r1 terraform "+workspace.Word("-chdir="+dir)+" force-unlock ")
	removed, problem := cli.Unlock(t.Context(), err)
	require.NoError(t, problem)
	require.Empty(t, removed, "the holder is alive")
	kill()
	eventually(t, "the lock is removed, because no Terraform on this machine is as old as it", func(ctx context.Context) (bool, any, error) {
		removed, err := cli.Unlock(ctx, err)
		return strings.Contains(removed, " holds it for apply since "), removed, err
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "done"), nil, 0o600))
	_, err = cli.Plan(t.Context(), filepath.Join(dir, "plan"))
	require.NoError(t, err)
	require.NoError(t, cli.Apply(t.Context(), filepath.Join(dir, "plan")))
	require.NoError(t, cli.Destroy(t.Context()))
	require.NoError(t, cli.DropWorkspace(t.Context()))
	for _, key := range []string{lock, "env:/nodes-r7g-r1/state"} {
		_, err = of.get(t.Context(), key)
		require.ErrorContains(t, err, "NoSuchKey", key)
	}
}
