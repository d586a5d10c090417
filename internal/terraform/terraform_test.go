package terraform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
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
		"-chdir=stack init -no-color -input=false":                                                       initArgs(false),
		"-chdir=stack init -no-color -input=false -upgrade":                                              initArgs(true),
		"-chdir=stack plan -no-color -input=false -detailed-exitcode -out=file":                          planArgs("file"),
		"-chdir=stack plan -no-color -input=false -detailed-exitcode -out=file -replace=" + WatchAddress: planArgs("file", WatchAddress),
		"-chdir=stack apply -no-color -input=false file":                                                 applyArgs("file"),
		"-chdir=stack destroy -no-color -input=false -auto-approve":                                      destroyArgs(),
		"-chdir=stack output -no-color -json":                                                            outputArgs(),
		"-chdir=stack state list":                                                                        stateListArgs(),
		"-chdir=stack state rm " + DestroyAddress:                                                        stateRemoveArgs(DestroyAddress),
	} {
		require.Equal(t, want, join(plain.argv(args)))
	}
	require.Equal(t, "-chdir=stack apply -input=false file", join((&CLI{Dir: "stack", Color: true}).argv(applyArgs("file"))))
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

	changes, err := run("exit 2").Plan(t.Context(), "file")
	require.NoError(t, err)
	require.True(t, changes)
	changes, err = run("exit 0").Plan(t.Context(), "file")
	require.NoError(t, err)
	require.False(t, changes)

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
