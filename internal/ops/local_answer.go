package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// exportedBy returns the manifest of a run that was exported before the interrupt, so that its results are not lost.
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

// answer prints a run's figures and verdict, and where the files and the report are. Incomplete exports are an error.
func answer(ctx context.Context, ws *workspace.Workspace, con *console.Console, out io.Writer, w *local.Embedded, from folderExports, m *export.Manifest) error {
	r, err := analyse(ctx, from, m.Run)
	if err != nil {
		return err
	}
	if err := whole(r); err != nil {
		return fmt.Errorf("the exports in %s are incomplete: %w", ws.Path(string(from)), err)
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
		row("note", "the cache was miniredis, as neither valkey-server nor redis-server is on PATH: these are not figures of Redis or Valkey")
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

// whole says what is wrong with the exports of a run that should have gone well.
func whole(r *report.Results) error {
	for _, kind := range []string{export.KindMetrics, export.KindLogs} {
		i := slices.IndexFunc(r.Provenance.Files, func(s report.Source) bool { return s.Kind == kind })
		switch {
		case i < 0:
			return fmt.Errorf("the manifest lists no %s", kind)
		case r.Provenance.Files[i].Verified == nil || !*r.Provenance.Files[i].Verified:
			return fmt.Errorf("%s does not match the manifest", r.Provenance.Files[i].Key)
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
