package ops

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A name that no stack can have is refused before AWS is asked.
func TestSweepTakesNames(t *testing.T) {
	for _, name := range []string{" ", "-stop", "a--b", "A", "a/b", "orders,carts"} {
		ws := &workspace.Workspace{Root: t.TempDir(), Env: []string{"SWEEP=" + name}}
		require.ErrorContains(t, Sweep(t.Context(), ws, &console.Console{}), "is not a stack's name: `go tool mage sweep` lists the stacks", name)
	}
}

// In a folder where a deploy is running, nothing is removed.
func TestSweepBesideADeploy(t *testing.T) {
	asked := errors.New("AWS is asked")
	ws := &workspace.Workspace{Stack: t.TempDir(), AWS: func(context.Context, string) (aws.Config, error) { return aws.Config{}, asked }}
	unlock, err := terraform.Lock(ws)
	require.NoError(t, err)
	require.ErrorIs(t, Sweep(t.Context(), ws, &console.Console{}), asked, "it is only listed")
	ws.Env = []string{"SWEEP=orders"}
	require.ErrorContains(t, Sweep(t.Context(), ws, &console.Console{}), "another deploy or destroy is under way here")
	unlock()
	require.ErrorIs(t, Sweep(t.Context(), ws, &console.Console{}), asked)
}

func TestStackWithoutARunIsDescribed(t *testing.T) {
	require.Equal(t, "no run is under way: the last one, 2026-11-23T03-08-09Z, has ended; the stack is not destroyed",
		described(&sweep.Found{Run: "2026-11-23T03-08-09Z"}))
	require.Equal(t, "no run is under way, and none is known; the stack is not destroyed", described(&sweep.Found{}))
}
