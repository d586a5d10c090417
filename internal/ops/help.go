package ops

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Help prints what the commands read of the environment.
func Help(_ context.Context, _ *workspace.Workspace, con *console.Console) error {
	workspace.Help(con.Out)
	return nil
}
