package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// localPeriod is how dense the embedded AWS publishes metrics, and the stack exports them: a minute of load gives a dozen rows a metric.
const localPeriod = 5 * time.Second

// LocalRun takes a run from end to end on the embedded AWS: deploy, load, stop by its schedule, export, destroy. It prints a summary of the exports,
// which stay in .localaws/s3. MINUTES= sets the duration.
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
		if full := local.Full(local.Dir(ws)); full != nil { // what failed may have been the first to find no room
			leave(full)
		}
	}
	if err != nil && inside.Err() == nil {
		err = local.AdviceError(err, advice)
		con.Say("failed: %v\nthe embedded AWS said last:\n%s\nnow everything is removed", err, local.LastLines(w.Log, 15))
		in.Env = append(in.Env, "FORCE=1")
	}
	if inside.Err() == nil {
		remove := Destroy
		if d != nil { // its inputs and provider need not be looked for again
			remove = d.subject.destroy
		}
		err = errors.Join(err, local.AdviceError(remove(inside, in, quiet), advice))
	}
	if cause := context.Cause(inside); cause != nil {
		err = cause // what failed because of it is not said
		if ctx.Err() != nil {
			con.Say("interrupted: the embedded AWS ends, and everything in it")
			m = exportedBy(ctx, d, m)
		}
		ended = true
		select {
		case <-w.Done: // why is said already
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
			problem = fmt.Errorf("the embedded AWS was asked for what it does not serve: %s", strings.Join(actions, ", "))
		}
		ended = true
		if err = errors.Join(err, problem, w.End()); err != nil {
			return err
		}
	}
	return errors.Join(err, answer(ctx, ws, con, out, w, folderExports(filepath.Join(local.Dir(ws), "s3", w.Hello.Bucket, d.subject.inputs.Prefix)), m))
}

// whileItLives is a context that ends with the embedded AWS, and when its disk is full.
func whileItLives(ctx context.Context, ws *workspace.Workspace, w *local.World) (context.Context, context.CancelCauseFunc) {
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

// exportedBy is the manifest of a run that was exported before the interrupt: what it measured is not lost with the rest.
func exportedBy(ctx context.Context, d *deployed, m *export.Manifest) *export.Manifest {
	if m != nil || d == nil {
		return m
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	m, err := d.stack.Manifest(ctx, d.run.Run)
	if err != nil || m == nil || !m.Complete {
		return nil
	}
	return m
}

// answer ends a run: its first figures, the verdict, and where the files and the report are. An answer that is not whole is an error.
func answer(ctx context.Context, ws *workspace.Workspace, con *console.Console, out io.Writer, w *local.World, from folderExports, m *export.Manifest) error {
	r, err := analyse(ctx, from, m.Run)
	if err != nil {
		return err
	}
	if err := whole(r); err != nil {
		return fmt.Errorf("the exports in %s are not whole: %w", ws.Path(string(from)), err)
	}
	con.Say("done: nothing is left running")
	var rows [][2]string
	row := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if r.Configuration.Server == "" {
		row("server", "%s", w.Hello.CacheServer)
	}
	if strings.HasPrefix(w.Hello.CacheServer, "miniredis") {
		row("note", "the cache was miniredis, as neither valkey-server nor redis-server is on PATH: these are not the figures of Redis or Valkey")
	}
	for _, o := range m.Objects {
		row(o.Kind, "%s (%s bytes, %s lines)", ws.Path(filepath.Join(local.Dir(ws), "s3", w.Hello.Bucket, filepath.FromSlash(o.Key))), report.Thousands(float64(o.Bytes)), report.Thousands(float64(o.Rows)))
	}
	row("manifest", "%s (complete)", ws.Path(filepath.Join(string(from), "manifest", m.Run+".json")))
	row("verdict", "%s", r.Verdict.Sentence)
	row("next", "%s", r.Verdict.Next)
	if err := page.Summary(out, r, rows); err != nil {
		return err
	}
	plain := *con
	plain.Out = out
	_, err = writeReport(ctx, ws, &plain, from, m.Run, r, func(w io.Writer) error { return page.HTML(w, r) }, func(w io.Writer) error { return page.Markdown(w, r) })
	return err
}

// whole tells what is wrong with the exports of a run in which everything should have gone well.
func whole(r *report.Results) error {
	for _, kind := range []string{export.KindMetrics, export.KindLogs} {
		i := slices.IndexFunc(r.Provenance.Files, func(s report.Source) bool { return s.Kind == kind })
		switch {
		case i < 0:
			return fmt.Errorf("the manifest lists no %s", kind)
		case r.Provenance.Files[i].Verified == nil || !*r.Provenance.Files[i].Verified:
			return fmt.Errorf("%s is not as the manifest says", r.Provenance.Files[i].Key)
		}
	}
	switch {
	case len(r.Nodes) == 0:
		return errors.New("there is no metric of a cache node")
	case r.Network.Fargate.ServiceCPU == nil:
		return errors.New("there is no metric of the load's service")
	case len(r.Tasks) == 0:
		return errors.New("there is no line of a load task")
	}
	for _, t := range r.Tasks {
		if t.State != "ok" {
			return fmt.Errorf("task %s is %s: %s", t.ID, t.State, t.Trouble)
		}
	}
	return nil
}

// LocalUp starts the embedded AWS, prints the environment that leads to it, and keeps it until Ctrl-C.
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
	w, err := local.Start(ctx, ws, con, minutes, localPeriod)
	if errors.Is(context.Cause(ctx), proc.ErrInterrupted) && w == nil {
		return nil // Ctrl-C is how it ends
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
		con.Say("# ending")
		return nil
	case <-w.Done:
		died = true
		return w.Died()
	}
}

// waitRun shows the load until its schedule stops it, and waits for the manifest.
func waitRun(ctx context.Context, con *console.Console, d *deployed) (*export.Manifest, error) {
	limit := d.stopsAt.Add(exportLimit)
	whole := time.Duration(d.subject.inputs.Minutes) * time.Minute
	shown := con.Step("running")
	defer func() { shown.End() }()
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
		events, err := d.stack.LoadLog(ctx, now.Add(-10*time.Second), 10_000, "")
		if err != nil {
			return nil, err
		}
		rate, _ := stack.Throughput(events, now)
		left := d.stopsAt.Sub(now)
		shown.At(1-float64(left)/float64(whole), "%s left, %s operations/s", page.Duration(left), report.Thousands(float64(rate)))
	}
}

func terraformLog(ws *workspace.Workspace) string {
	return filepath.Join(local.Dir(ws), "terraform.log")
}

func localMinutes(ws *workspace.Workspace) (int, error) {
	text := ws.Getenv("MINUTES")
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1440 {
		return 0, fmt.Errorf("MINUTES=%s: take a whole number from 1 to 1440", text)
	}
	return n, nil
}
