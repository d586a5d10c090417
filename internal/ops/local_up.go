package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// LocalUp starts the embedded AWS, prints the environment variables for it, and runs it until Ctrl-C.
func LocalUp(ctx context.Context, ws *workspace.Workspace, con *console.Console) (err error) {
	minutes, err := localMinutes(ws)
	if err != nil {
		return err
	}
	unlock, err := local.Lock(ws)
	if err != nil {
		return err
	}
	defer unlock()
	defer func() { err = local.Explain(ws, err) }()
	w, err := local.Start(ctx, ws, con, minutes, localPeriod)
	if errors.Is(context.Cause(ctx), proc.ErrInterrupted) && w == nil {
		return nil // Ctrl-C is the normal end
	}
	if err != nil {
		return err
	}
	died := false
	defer func() {
		if !died {
			err = errors.Join(err, w.End())
		}
	}()
	if _, _, err := w.Enter(ws, con, nil); err != nil {
		return err
	}
	script := w.Script(ws, w.Values(minutes, localPeriod))
	file := local.EnvFile(ws)
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil { // it has the keys
		return err
	}
	fmt.Fprint(con.Out, script)
	con.Say("# the embedded AWS runs (cache nodes: %s; load: %s) until Ctrl-C. In another shell:\n#   . %s && go tool mage deploy\n# its dashboards, live: %s/_localaws/dashboard/", w.Hello.CacheServer, w.Hello.Generator, ws.Path(file), w.Hello.URL)
	select {
	case <-ctx.Done():
		con.Say("# ending, with all that is deployed in it; exports stay in %s", ws.Path(filepath.Join(local.Dir(ws), "s3")))
		return nil
	case <-w.Done:
		died = true
		return w.Died()
	}
}
