package terraform

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Two deploys side by side have two plans, one after the other.
func TestPlansAreTheirProcesssOwn(t *testing.T) {
	ws := &workspace.Workspace{Stack: t.TempDir()}
	unlock, err := Lock(ws)
	require.NoError(t, err)
	_, err = Lock(ws)
	require.ErrorContains(t, err, fmt.Sprintf("another deploy or destroy is under way here (process %d), and nothing was changed", os.Getpid()))
	require.NoError(t, room(t.TempDir(), 1))
	require.ErrorContains(t, room(t.TempDir(), math.MaxUint64-1), "and Terraform writes the state there at the end: free")
	first, _, err := PlanFile(ws)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(first, nil, 0o600))
	info, err := os.Stat(filepath.Dir(first))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	unlock()

	unlock, err = Lock(ws)
	require.NoError(t, err)
	defer unlock()
	second, remove, err := PlanFile(ws) // the first one's process was killed
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.NoFileExists(t, first)
	remove()
	require.NoDirExists(t, filepath.Dir(second))
}

// What Terraform writes is for its owner alone: plan and state hold the auth token. It gets signals, arguments and exit code as if it was started directly.
func TestTerraformWritesForItsOwner(t *testing.T) {
	dir := t.TempDir()
	cli := &CLI{Bin: filepath.Join(fake(t, "terraform", `echo "$@" >`+dir+`/plan; exit 2`), "terraform"), Dir: "a folder", Out: &bytes.Buffer{}}
	changes, err := cli.Plan(t.Context(), "$(x) *")
	require.NoError(t, err)
	require.True(t, changes)
	require.Equal(t, "-chdir=a folder plan -no-color -input=false -lock-timeout=60s -detailed-exitcode -out=$(x) *\n", read(t, filepath.Join(dir, "plan")))
	info, err := os.Stat(filepath.Join(dir, "plan"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Chmod(cli.Bin, 0o644))
	require.ErrorContains(t, cli.Init(t.Context(), false), "terraform cannot be executed: fork/exec ")
}
