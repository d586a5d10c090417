package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// LocalCampaign runs the campaign in the file CAMPAIGN= on an embedded AWS, which holds several stacks at the same time. MINUTES= overrides the load's duration
// in the file.
func LocalCampaign(ctx context.Context, ws *workspace.Workspace, con *console.Console) (err error) {
	file, err := campaignFile(ws)
	if err != nil {
		return err
	}
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
	timed := *con
	timed.Out = console.Lasting{W: &console.Elapsed{W: con.Out, Began: time.Now()}}
	w, err := local.Start(ctx, ws, &timed, minutes, localPeriod)
	if err != nil {
		return err
	}
	in, quiet, err := w.Enter(ws, &timed, w.Values(minutes, localPeriod))
	if err != nil {
		return errors.Join(err, w.End())
	}
	log, err := os.Create(terraformLog(ws))
	if err != nil {
		return errors.Join(err, w.End())
	}
	defer log.Close()
	quiet.TerraformOut = log
	advice := func(text string) string {
		return local.Advice(w.Hello.URL, w.Hello.Region, func(string) string {
			return fmt.Sprintf("CAMPAIGN=%s go tool mage local:campaign", workspace.Word(ws.Path(file)))
		}, text)
	}
	quiet.Out = local.Advised{W: timed.Out, In: advice}
	in.Env = append(in.Env, "CAMPAIGN="+file)
	if ws.Getenv("MINUTES") == "" {
		minutes = 0
	}
	inside, leave := whileItLives(ctx, ws, w)
	defer leave(nil)
	err = local.AdviceError(runCampaign(inside, in, quiet, minutes), advice)
	select {
	case <-w.Done:
		return errors.Join(context.Cause(inside), err)
	default:
	}
	if actions, problem := w.Unserved(context.WithoutCancel(ctx)); problem == nil && len(actions) > 0 {
		err = errors.Join(err, fmt.Errorf("the embedded AWS received requests that it does not support: %s", strings.Join(actions, ", ")))
	}
	return errors.Join(err, w.End())
}
