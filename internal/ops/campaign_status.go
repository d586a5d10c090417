package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// CampaignStatus prints the state of every run of the campaign from AWS and the manifests: the table that Campaign redraws.
func CampaignStatus(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	o, err := openCampaign(ctx, ws, con, 0)
	if err != nil {
		return err
	}
	done := newResults(o)
	if err := done.read(ctx); err != nil {
		return err
	}
	var rows []page.Row
	for _, cell := range o.cells() {
		v, err := o.view(ctx, cell)
		if err != nil {
			return err
		}
		rows = append(rows, row(done, cell, v, ""))
	}
	columns := 0
	if con.Terminal != nil {
		columns = con.Terminal.Columns()
	}
	for _, line := range page.Table(rows, columns) {
		con.Say("%s", line)
	}
	o.reportUnlisted(ctx)
	con.Say("%s; about %.2f USD is billed", done.progress(), done.spent(ctx))
	return nil
}

// row is the state of a cell: by its stack, by the last log line of the command that runs it, and by its manifests.
func row(done *results, cell campaign.Cell, v *stack.View, word string) page.Row {
	r := page.Row{Name: key(cell)}
	result := done.of(cell)
	phase := ""
	if v != nil {
		phase, _ = v.Phase()
	}
	switch {
	case phase == "running" || phase == "prefilling":
		r.State = phase
		if v.Prefill != nil && phase == "prefilling" {
			r.State = fmt.Sprintf("%s · %.0f %%", phase, 100*v.Prefill.Share)
		}
		r.Left = max(time.Until(v.Stops), 0)
		if n := len(v.Recent); n > 0 {
			r.OpsPerSecond = &v.Recent[n-1]
		}
	case word != "":
		r.State = word
	case v != nil && result != nil:
		r.State = "measured, to be removed"
	case v != nil && phase == "finished": // an attempt without a result
		r.State = "failed, to be removed"
	case v != nil:
		r.State = phase
	case result != nil:
		r.State = "measured"
	case done.attempts(cell) >= most:
		r.State = "given up: it failed twice"
	case done.attempts(cell) > 0:
		r.State = "failed once, to be tried again"
	default:
		r.State = "waiting"
	}
	return r
}
