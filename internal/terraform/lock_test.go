package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// locked is what Terraform 1.11 prints, in colour as `state` has no -no-color.
const locked = `cat >&2 <<'END'
[31m╷[0m
[31m│[0m [1m[31mError: [0m[1mError acquiring the state lock[0m
[31m│[0m Error message: resource temporarily unavailable
[31m│[0m Lock Info:
[31m│[0m   ID:        0f-1
[31m│[0m   Path:      terraform.tfstate
[31m│[0m   Operation: OperationTypeApply
[31m│[0m   Who:       kim@laptop
[31m│[0m   Version:   1.11.4
[31m│[0m   Created:   2026-11-29 09:00:00.5 +0000 UTC
[31m│[0m   Info:
[31m╵[0m
END
exit 1
`

// Who waits for the state's lock is told whose it is, and what to do when it stays.
func TestWhoHoldsTheLockIsSaid(t *testing.T) {
	await := func(script string) (said string, err error) {
		var out bytes.Buffer
		con := &console.Console{Out: &out}
		terraform := New(&workspace.Workspace{Stack: "stack", Env: os.Environ()}, con, filepath.Join(fake(t, "terraform", script), "terraform"))
		err = terraform.Await(t.Context(), con, &State{resources: []resource{{address: "a.b"}}})
		return out.String(), err
	}
	const waits = "waiting for the state lock, for up to 60s: kim@laptop holds it for apply since 2026-11-29T09:00:00Z\n"

	said, err := await("exit 0")
	require.NoError(t, err)
	require.Empty(t, said, "a lock that is free is not worth a word")

	said, err = await(`case "$*" in *timeout=60s*) exit 0 ;; esac; ` + locked)
	require.NoError(t, err)
	require.Equal(t, waits, said)

	said, err = await(locked)
	require.EqualError(t, err, "the state is locked, so nothing was ended or changed: kim@laptop holds it for apply since 2026-11-29T09:00:00Z. "+
		"Try again when it is done; `terraform -chdir=stack force-unlock 0f-1` removes the lock of a command that has died")
	require.Equal(t, waits, said)

	said, err = await("echo 'Error: Error acquiring the state lock' >&2; exit 1") // a backend that does not know who
	require.ErrorContains(t, err, "another Terraform command holds it. Try again")
	require.Contains(t, said, "another Terraform command holds it\n")

	said, err = await("echo 'Error: no such backend' >&2; exit 1")
	require.ErrorContains(t, err, "changed: terraform state failed (exit code 1):\nError: no such backend")
	require.Empty(t, said)
}

// A lock is taken away from a dead holder alone: one of this user and machine, where no Terraform is as old as the lock.
func TestWhoseLockIsRemoved(t *testing.T) {
	who, err := user.Current()
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	at := time.Unix(1_800_000_000, 0)
	ours := who.Username + "@" + host
	for name, c := range map[string]struct {
		held holder
		live bool // a Terraform that is as old
		dead bool
	}{
		"ours, and nothing runs":  {held: holder{who: ours, at: at}, dead: true},
		"ours, and alive":         {held: holder{who: ours, at: at}, live: true},
		"another machine's":       {held: holder{who: who.Username + "@elsewhere", at: at}},
		"another person's":        {held: holder{who: "kim@" + host, at: at}},
		"nobody knows since when": {held: holder{who: ours}},
	} {
		asked := time.Time{}
		require.Equal(t, c.dead, c.held.dead(func(by time.Time) bool { asked = by; return c.live }), name)
		if c.dead || c.live {
			require.Equal(t, at.Add(2*time.Second), asked)
		}
	}

	con := &console.Console{Out: io.Discard, TerraformOut: io.Discard}
	terraform := New(&workspace.Workspace{Stack: "stack", Env: append(os.Environ(), "TF_WORKSPACE=nodes-r7g-r1")}, con, filepath.Join(fake(t, "terraform", locked), "terraform"))
	_, err = terraform.Plan(t.Context(), "file")
	require.ErrorContains(t, err, "`TF_WORKSPACE=nodes-r7g-r1 terraform -chdir=stack force-unlock 0f-1` removes the lock of a command that has died")
	removed, problem := terraform.Unlock(t.Context(), fmt.Errorf("deploy: %w", err))
	require.NoError(t, problem)
	require.Empty(t, removed, "kim@laptop's")
	removed, problem = terraform.Unlock(t.Context(), errors.New("no such bucket"))
	require.NoError(t, problem)
	require.Empty(t, removed)
	require.Equal(t, "0f-1", holderOf(terraform.Await(t.Context(), con, &State{resources: []resource{{address: "a.b"}}})).id, "also of what Await says")
}

// A plan is shown when it is one: of a plan that failed, the error is shown, once, and not the changes that it would have made.
func TestAFailedPlanShowsItsError(t *testing.T) {
	plan := func(code string) (said string, err error) {
		var out bytes.Buffer
		con := &console.Console{Out: &out}
		terraform := New(&workspace.Workspace{Stack: "stack", Env: os.Environ()}, con, filepath.Join(fake(t, "terraform",
			"echo '  # a.b will be created'; echo 'Plan: 1 to add, 0 to change, 0 to destroy.'; [ "+code+" = 2 ] || echo 'Error: no such bucket' >&2; exit "+code), "terraform"))
		_, err = terraform.Plan(t.Context(), "file")
		if code == "2" {
			require.Equal(t, 1, terraform.Out.(*progress).total, "the apply knows how much there is to do")
		}
		return out.String(), err
	}
	said, err := plan("2")
	require.NoError(t, err)
	require.Equal(t, "  # a.b will be created\nPlan: 1 to add, 0 to change, 0 to destroy.\n", said)
	said, err = plan("1")
	require.EqualError(t, err, "terraform plan failed (exit code 1)")
	require.Equal(t, "Error: no such bucket\n", said)
}

// Nobody asked any more for a plan that was made although it was interrupted.
func TestAnInterruptedPlanIsNotShown(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	ready := filepath.Join(t.TempDir(), "ready")
	terraform := New(&workspace.Workspace{Stack: "stack", Env: os.Environ()}, &console.Console{Out: &out}, filepath.Join(fake(t, "terraform",
		"trap 'echo Plan: 1 to add, 0 to change, 0 to destroy.; exit 2' INT; touch "+ready+"; while :; do sleep 0.01; done"), "terraform"))
	_, stop := proc.Interruptible(io.Discard) // a child inherits a SIGINT that is ignored
	defer stop()
	go func() {
		for !workspace.Exists(ready) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		interrupt()
	}()
	_, err := terraform.Plan(ctx, "file")
	require.EqualError(t, err, "terraform plan: context canceled")
	require.Empty(t, out.String())
}

// A command that waits for the lock says so while it does.
func TestAPlanSaysThatItWaitsForTheLock(t *testing.T) {
	var out bytes.Buffer
	con := &console.Console{Out: &out, Every: 1}
	step := con.Step("terraform: planning")
	defer step.End()
	f := &progress{to: &bytes.Buffer{}}
	f.follow(step)
	held, text := f.held()
	_, _ = held.Write([]byte("Acquiring state lock. This may take a few moments...\n"))
	require.True(t, held.waiting)
	_, _ = held.Write([]byte("a.b: Refreshing state...\n"))
	require.False(t, held.waiting)
	require.Equal(t, "Acquiring state lock. This may take a few moments...\na.b: Refreshing state...\n", text.String())
}
