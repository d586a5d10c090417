package terraform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

func TestCommandLines(t *testing.T) {
	plain := &CLI{Dir: "stack"}
	for want, args := range map[string][]string{
		"-chdir=stack init -no-color -input=false":                                                                         initArgs(false),
		"-chdir=stack init -no-color -input=false -upgrade":                                                                initArgs(true),
		"-chdir=stack plan -no-color -input=false -lock-timeout=60s -detailed-exitcode -out=file":                          planArgs("file"),
		"-chdir=stack plan -no-color -input=false -lock-timeout=60s -detailed-exitcode -out=file -replace=" + WatchAddress: planArgs("file", WatchAddress),
		"-chdir=stack apply -no-color -input=false -lock-timeout=60s file":                                                 applyArgs("file"),
		"-chdir=stack destroy -no-color -input=false -lock-timeout=60s -auto-approve":                                      destroyArgs(),
		"-chdir=stack output -no-color -json":                                                                              outputArgs(),
		"-chdir=stack state list":                                                                                          stateListArgs(),
		"-chdir=stack state rm -lock-timeout=60s " + DestroyAddress:                                                        stateRemoveArgs(DestroyAddress),
		"-chdir=stack state rm -dry-run -lock-timeout=60s " + DestroyAddress:                                               stateLockArgs(lockWait, DestroyAddress),
	} {
		require.Equal(t, want, join(plain.argv(args)))
	}
	require.Equal(t, "-chdir=stack apply -input=false -lock-timeout=60s file", join((&CLI{Dir: "stack", Color: true}).argv(applyArgs("file"))))
}

// https://no-color.org
func TestColourIsAsked(t *testing.T) {
	con := &console.Console{TTY: true}
	require.True(t, New(&workspace.Workspace{}, con, "terraform").Color)
	require.True(t, New(&workspace.Workspace{Env: []string{"NO_COLOR="}}, con, "terraform").Color)
	require.False(t, New(&workspace.Workspace{Env: []string{"NO_COLOR=1"}}, con, "terraform").Color)
}

func join(args []string) string {
	var b bytes.Buffer
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a)
	}
	return b.String()
}

// fake puts an executable shell script on a PATH of its own.
func fake(t *testing.T, name, script string) (path string) {
	path = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"+script), 0o755))
	return path
}

func TestTerraformComesFirstThenTofu(t *testing.T) {
	terraform, tofu := fake(t, "terraform", ""), fake(t, "tofu", "")
	ws, con := &workspace.Workspace{Env: []string{"PATH=" + tofu + ":" + terraform}}, &console.Console{}
	found, err := Find(ws, con)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(terraform, "terraform"), found.Bin)
	require.False(t, found.Tofu())
	ws.Env = []string{"PATH=" + tofu}
	found, err = Find(ws, con)
	require.NoError(t, err)
	require.True(t, found.Tofu())
	ws.Env = []string{"PATH="}
	_, err = Find(ws, con)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestFailuresAreTyped(t *testing.T) {
	var out bytes.Buffer
	run := func(script string) *CLI {
		return &CLI{Bin: filepath.Join(fake(t, "terraform", script), "terraform"), Dir: t.TempDir(), Out: &out, Env: os.Environ()}
	}
	err := run("echo made it; echo 'Error: no such bucket' >&2; exit 1").Apply(t.Context(), "file")
	var failed *Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 1, failed.Code)
	require.Contains(t, err.Error(), "terraform apply failed (exit code 1):\nError: no such bucket")
	require.Contains(t, out.String(), "made it")
	lost := run("echo 'Error: Failed to persist state to backend' >&2; exit 1").Apply(t.Context(), "file")
	require.ErrorAs(t, lost, &failed)
	require.True(t, failed.Unsaved)
	lost = run("echo '- Unsupported state file format: The state file could not be parsed' >&2; exit 1").Apply(t.Context(), "file")
	require.ErrorAs(t, lost, &failed)
	require.False(t, failed.Unsaved)
	require.ErrorContains(t, lost, "ended and removed without a state: `go tool mage sweep` lists it")
	require.ErrorContains(t, run("echo 'Error: timeout while waiting for plugin to start' >&2; exit 1").Destroy(t.Context()), "this machine was too busy for that. Nothing was changed: run the command again")
	require.EqualError(t, run("kill -9 $$").Destroy(t.Context()), "terraform destroy did not end by itself (signal: killed)")

	require.ErrorIs(t, run("echo '│ Error: Saved plan is stale' >&2; exit 1").Apply(t.Context(), "file"), ErrStale)
	require.NotErrorIs(t, run("echo '│ Error: no' >&2; exit 1").Apply(t.Context(), "file"), ErrStale)

	changes, err := run("exit 2").Plan(t.Context(), "file")
	require.NoError(t, err)
	require.True(t, changes)
	changes, err = run("exit 0").Plan(t.Context(), "file")
	require.NoError(t, err)
	require.False(t, changes)

	out.Reset()
	require.EqualError(t, run("echo half a plan; echo 'Error: it needs TLS' >&2; exit 1").Rehearse(t.Context()), "terraform plan failed (exit code 1):\nError: it needs TLS")
	require.NoError(t, run("echo a plan").Rehearse(t.Context()))
	require.Empty(t, out.String())

	outputs, err := run(`echo '{"a":{"value":"x"},"n":{"value":6379},"list":{"value":[1]}}'`).Outputs(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "x", "n": "6379"}, outputs)

	left, err := run("echo 'No state file was found!' >&2; exit 1").Resources(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestInterruptedTerraformIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	// Tests may run with SIGINT ignored, as background jobs of a shell are, and children would inherit that.
	_, stop := proc.Interruptible(io.Discard)
	defer stop()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	terraform := &CLI{Dir: dir, Out: &bytes.Buffer{}, Env: append(os.Environ(), "AT="+dir),
		Bin: filepath.Join(fake(t, "terraform", "trap 'sleep 0.3; echo saved >$AT/state; exit 1' INT; echo >$AT/began; while :; do sleep 0.05; done"), "terraform")}
	go func() {
		for !workspace.Exists(filepath.Join(dir, "began")) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(why)
	}()
	err := terraform.Apply(ctx, "file")
	require.ErrorIs(t, err, why)
	require.Equal(t, "saved\n", read(t, filepath.Join(dir, "state")))
}

// What became of the state is said after a look: Terraform that was killed may not have saved it, and one that cannot save it leaves it in a file.
func TestInterruptedTerraformSaysWhatBecameOfTheState(t *testing.T) {
	_, stop := proc.Interruptible(io.Discard)
	defer stop()
	for want, script := range map[string]string{
		"it ended by itself, and its state is saved":                    "trap 'exit 1' INT; echo >$AT/began; while :; do sleep 0.05; done",
		"left it in AT/errored.tfstate: `terraform state push errored.": "trap 'echo >$AT/errored.tfstate; exit 1' INT; echo >$AT/began; while :; do sleep 0.05; done",
		"it was killed (signal: killed) before it had ended by itself":  "trap '' INT; echo >$AT/began; while :; do sleep 0.05; done",
	} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		terraform := &CLI{Dir: dir, Out: &bytes.Buffer{}, Env: append(os.Environ(), "AT="+dir), Grace: 2 * time.Second, Bin: filepath.Join(fake(t, "terraform", script), "terraform")}
		if strings.Contains(want, "by itself, and") || strings.Contains(want, "errored") {
			terraform.Grace = 0
		}
		go func() {
			for !workspace.Exists(filepath.Join(dir, "began")) {
				time.Sleep(10 * time.Millisecond)
			}
			cancel(proc.ErrInterrupted)
		}()
		err := terraform.Apply(ctx, "file")
		require.ErrorIs(t, err, proc.ErrInterrupted)
		require.ErrorContains(t, err, strings.ReplaceAll(want, "AT", dir))
	}
}

func TestTerraformThatCannotBeExecuted(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "terraform")
	require.NoError(t, os.WriteFile(bin, []byte("\x7fELF of another machine"), 0o755))
	err := (&CLI{Bin: bin, Dir: t.TempDir(), Out: io.Discard}).Init(t.Context(), false)
	require.ErrorContains(t, err, "terraform cannot be executed: fork/exec "+bin+": exec format error")
	require.NotContains(t, err.Error(), "exit code")
}

// A Terraform that outlives a killed mage goes on to print, and saves its state: nothing it prints to breaks.
func TestTerraformOutlivesAKill(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("TERRAFORM_TO_KILL") != "" {
		_, stop := proc.Interruptible(io.Discard) // a child inherits a SIGINT that is ignored
		defer stop()
		_ = (&CLI{Dir: os.Getenv("AT"), Out: os.Stdout, Env: os.Environ(), Bin: os.Getenv("TERRAFORM_TO_KILL")}).Apply(t.Context(), "file")
		return
	}
	bin := filepath.Join(fake(t, "terraform", "trap 'while [ -e $AT/alive ]; do sleep 0.05; done; echo saving || exit 3; echo saved >$AT/state; exit 1' INT; echo >$AT/began; while :; do sleep 0.05; done"), "terraform")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alive"), nil, 0o644))
	mage := exec.Command(os.Args[0], "-test.run=^TestTerraformOutlivesAKill$")
	mage.Env = append(os.Environ(), "TERRAFORM_TO_KILL="+bin, "AT="+dir)
	reads, err := mage.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, mage.Start())
	exists := func(name string) func() bool {
		return func() bool { return workspace.Exists(filepath.Join(dir, name)) }
	}
	require.Eventually(t, exists("began"), 2*time.Minute, 10*time.Millisecond)
	require.NoError(t, mage.Process.Kill())
	_ = reads.Close()
	_ = mage.Wait()
	require.NoError(t, os.Remove(filepath.Join(dir, "alive")))
	require.Eventually(t, exists("state"), 2*time.Minute, 10*time.Millisecond)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func TestTerraformOfTheEnvironmentComesFirst(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir(), Env: []string{"PATH=" + fake(t, "terraform", ""), "TERRAFORM=/elsewhere/tofu"}}, &console.Console{}
	found, err := Find(ws, con)
	require.NoError(t, err)
	require.Equal(t, "/elsewhere/tofu", found.Bin)
	require.True(t, found.Tofu())

	// The OpenTofu that was built comes last.
	ws.Env = ws.Env[:1]
	require.NoError(t, os.MkdirAll(filepath.Dir(gobuild.OpenTofu.Path(ws)), 0o755))
	require.NoError(t, os.WriteFile(gobuild.OpenTofu.Path(ws), nil, 0o755))
	found, err = Find(ws, con)
	require.NoError(t, err)
	require.False(t, found.Tofu())
	ws.Env = nil
	found, err = Find(ws, con)
	require.NoError(t, err)
	require.Equal(t, gobuild.OpenTofu.Path(ws), found.Bin)
}

// An interrupt that comes when an apply has done all it was to do makes no failure of it.
func TestInterruptedWhenAllIsDone(t *testing.T) {
	_, stop := proc.Interruptible(io.Discard) // a child inherits a SIGINT that is ignored
	defer stop()
	for code, want := range map[string]string{"0": "", "1": "terraform apply: context canceled; it ended by itself, and its state is saved"} {
		ctx, interrupt := context.WithCancel(t.Context())
		ready := filepath.Join(t.TempDir(), "ready")
		terraform := &CLI{Bin: filepath.Join(fake(t, "terraform", "trap 'exit "+code+"' INT; touch "+ready+"; while :; do sleep 0.01; done"), "terraform"), Dir: t.TempDir(), Out: io.Discard, Env: os.Environ()}
		go func() {
			for !workspace.Exists(ready) && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			interrupt()
		}()
		err := terraform.Apply(ctx, "plan")
		interrupt()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}
