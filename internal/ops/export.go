package ops

import (
	"context"
	"fmt"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Export exports a run again from what CloudWatch still has, with the Lambda's own code, to the same keys: the run in RUN=, or the latest.
func Export(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	run := ws.Getenv("RUN")
	if _, err := shutdown.ParseRun(run); run != "" && err != nil {
		return fmt.Errorf("RUN in the environment: %w", err)
	}
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return err
	}
	in := subject.inputs
	s, err := subject.open(ctx, ws)
	if err != nil {
		return err
	}
	if run == "" {
		v, err := s.View(ctx)
		if err != nil {
			return err
		}
		switch {
		case v.Run != nil:
			run = v.Run.Run
		case v.Manifest != nil:
			run = v.Manifest.Run
		default:
			return fmt.Errorf("there is no run of %s in s3://%s/%s to export; RUN=2026-11-23T03-08-09Z names one", in.Name, in.Bucket, prefixed(in.Prefix))
		}
	}
	exporting := con.Step("exporting run %s", run)
	answer, err := shutdown.New(s.Config, shutdown.NewClients(s.AWS), export.Wall{}).Handle(ctx, shutdown.Event{Action: shutdown.ActionExport, Run: run})
	exporting.End()
	if err != nil {
		return fmt.Errorf("export of run %s: %w", run, err)
	}
	con.Say("run %s: %s %s", run, answer.Status, answer.Message)
	return nil
}
