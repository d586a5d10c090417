package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// LocalRun runs everything on the embedded AWS, end to end: deploy, load, scheduled stop, export, destroy. It prints a summary of the exports, which stay in
// .localaws/s3. MINUTES= sets the duration.
func LocalRun(ctx context.Context, ws *workspace.Workspace, con *console.Console) (err error) {
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
	out := con.Out
	timed := *con
	timed.Out = console.Lasting{W: &console.Elapsed{W: con.Out, Began: time.Now()}}
	timed.Every = 10 * time.Second
	con = &timed

	w, err := local.Start(ctx, ws, con, minutes, localPeriod)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			err = errors.Join(err, w.End())
		}
	}()
	con.Say("embedded AWS at %s: cache nodes are %s, load is %s", w.Hello.URL, w.Hello.CacheServer, w.Hello.Generator)
	con.Say("its log is %s, Terraform's is %s", ws.Path(w.Log), ws.Path(terraformLog(ws)))
	in, quiet, err := w.Enter(ws, con, w.Values(minutes, localPeriod))
	if err != nil {
		return err
	}
	log, err := os.Create(terraformLog(ws))
	if err != nil {
		return err
	}
	defer log.Close()
	quiet.TerraformOut = log
	advice := func(text string) string { return local.Advice(w.Hello.URL, w.Hello.Region, local.Again, text) }
	quiet.Out = local.Advised{W: con.Out, In: advice}

	inside, leave := whileItLives(ctx, ws, w)
	defer leave(nil)
	d, err := deploy(inside, in, quiet)
	var m *export.Manifest
	if err == nil {
		m, err = waitRun(inside, quiet, d)
	}
	if err != nil {
		if full := local.Full(local.Dir(ws)); full != nil { // the full disk may be why it failed
			leave(full)
		}
	}
	if err != nil && inside.Err() == nil {
		err = local.AdviceError(err, advice)
		con.Say("failed: %v\nthe embedded AWS's last messages:\n%s\nnow everything is removed", err, local.LastLines(w.Log, 15))
		in.Env = append(in.Env, "FORCE=1")
	}
	if inside.Err() == nil {
		remove := Destroy
		if d != nil { // it has the inputs and the provider already
			remove = d.subject.destroy
		}
		err = errors.Join(err, local.AdviceError(remove(inside, in, quiet), advice))
	}
	if cause := context.Cause(inside); cause != nil {
		err = cause // errors that follow from it are dropped
		if ctx.Err() != nil {
			con.Say("interrupted: ending the embedded AWS and everything in it")
			m = exportedBy(ctx, d, m)
		}
		ended = true
		select {
		case <-w.Done: // its error is the cause already
		default:
			err = errors.Join(err, w.End())
		}
		if m == nil {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	} else {
		actions, problem := w.Unserved(ctx)
		if len(actions) > 0 {
			problem = fmt.Errorf("the embedded AWS received requests that it does not support: %s", strings.Join(actions, ", "))
		}
		ended = true
		if err = errors.Join(err, problem, w.End()); err != nil {
			return err
		}
	}
	return errors.Join(err, answer(ctx, ws, con, out, w, folderExports(filepath.Join(local.Dir(ws), "s3", w.Hello.Bucket, d.subject.inputs.Prefix)), m))
}

// whileItLives returns a context that ends when the embedded AWS ends or its disk is full.
func whileItLives(ctx context.Context, ws *workspace.Workspace, w *local.Embedded) (context.Context, context.CancelCauseFunc) {
	inside, leave := context.WithCancelCause(ctx)
	go func() {
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-w.Done:
				leave(w.Died())
			case <-tick.C:
				if err := local.Full(local.Dir(ws)); err != nil {
					leave(err)
				}
			case <-inside.Done():
				tick.Stop()
				return
			}
		}
	}()
	return inside, leave
}

// waitRun shows the load's progress until its schedule stops it, and waits for the manifest.
func waitRun(ctx context.Context, con *console.Console, d *deployed) (*export.Manifest, error) {
	limit := d.stopsAt.Add(exportLimit)
	whole := time.Duration(d.subject.inputs.Minutes) * time.Minute
	shown := con.Step("running")
	defer func() { shown.End() }()
	var read time.Time
	for stopping := false; ; {
		if err := con.Wait(ctx, 0); err != nil {
			return nil, err
		}
		m, err := d.stack.Manifest(ctx, d.run.Run)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Complete {
			shown.End()
			con.Say("stopped and exported")
			return m, nil
		}
		now := time.Now()
		if now.After(limit) {
			return nil, fmt.Errorf("run %s is not exported %s after its stop (%s)\n%s", d.run.Run, page.Duration(exportLimit), d.stack.Progress(ctx), d.stack.Trouble(ctx))
		}
		if now.After(d.stopsAt) {
			if !stopping {
				stopping = true
				shown.End()
				shown = con.Step("stopping: the load ends, metrics and logs are exported")
			}
			shown.At(-1, "%s", d.stack.Progress(ctx))
			continue
		}
		if now.Sub(read) < time.Second { // the log is long, and its reader takes from the load's cores
			continue
		}
		read = now
		events, err := d.stack.LoadLog(ctx, now.Add(-10*time.Second), 10_000, "")
		if err != nil {
			return nil, err
		}
		rate, _ := stack.Throughput(events, now)
		left := d.stopsAt.Sub(now)
		shown.At(1-float64(left)/float64(whole), "%s left, %s operations/s", page.Duration(left), report.Thousands(float64(rate)))
	}
}
