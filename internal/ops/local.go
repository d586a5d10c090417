package ops

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// localPeriod is how dense the embedded AWS publishes metrics, and the stack exports them: a minute of load gives a dozen rows a metric.
const localPeriod = 5 * time.Second

// LocalRun takes the whole road on the embedded AWS: deploy, load, stop by its schedule, export, destroy. It prints a summary of the exports,
// which stay in .localaws/s3. MINUTES= sets the duration.
func LocalRun(ctx context.Context, p *Project) (err error) {
	minutes, err := p.minutes()
	if err != nil {
		return err
	}
	unlock, err := p.lockLocal()
	if err != nil {
		return err
	}
	defer unlock()
	out := p.Out
	shown := *p
	shown.Out = quiet{&elapsed{w: p.Out, began: time.Now()}}
	shown.Every = 10 * time.Second
	p = &shown

	w, err := p.startWorld(ctx, minutes, localPeriod)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			err = errors.Join(err, w.end())
		}
	}()
	p.say("embedded AWS at %s: cache nodes are %s, load is %s", w.hello.URL, w.hello.CacheServer, w.hello.Generator)
	p.say("its log is %s, Terraform's is %s", p.path(w.log), p.path(p.terraformLog()))
	inside, err := p.in(w, w.values(minutes, localPeriod))
	if err != nil {
		return err
	}
	log, err := os.Create(p.terraformLog())
	if err != nil {
		return err
	}
	defer log.Close()
	inside.TerraformOut = log

	d, err := inside.deploy(ctx)
	var m *export.Manifest
	if err == nil {
		m, err = inside.waitRun(ctx, d)
	}
	if errors.Is(context.Cause(ctx), errInterrupted) {
		p.say("interrupted: the embedded AWS ends, and everything in it")
		return err
	}
	if err != nil {
		p.say("failed: %v\nthe embedded AWS said last:\n%s\nnow everything is removed", err, lastLines(w.log, 15))
		inside.Env = append(inside.Env, "FORCE=1")
	}
	err = errors.Join(err, Destroy(ctx, inside))
	actions, problem := w.unserved(ctx)
	if len(actions) > 0 {
		problem = fmt.Errorf("the embedded AWS was asked for what it does not serve: %s", strings.Join(actions, ", "))
	}
	err = errors.Join(err, problem)
	ended = true
	if err = errors.Join(err, w.end()); err != nil {
		return err
	}
	summary, err := p.summary(w, d.inputs, m)
	if err != nil {
		return err
	}
	p.say("done: nothing is left running")
	_, _ = summary.WriteTo(out)
	return p.answer(ctx, out, folderExports(filepath.Join(p.local(), "s3", w.hello.Bucket, d.inputs.Prefix)), m.Run)
}

// answer ends a run: the verdict, and where the report is.
func (p *Project) answer(ctx context.Context, out io.Writer, from exported, run string) error {
	r, err := analyse(ctx, from, run)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  verdict       %s\n", r.Verdict.Sentence)
	plain := *p
	plain.Out = out
	_, err = plain.writeReport(ctx, from, run, r, func(w io.Writer) error { return page.HTML(w, r) })
	return err
}

// LocalUp starts the embedded AWS, prints the environment that leads to it, and keeps it until Ctrl-C.
func LocalUp(ctx context.Context, p *Project) (err error) {
	minutes, err := p.minutes()
	if err != nil {
		return err
	}
	unlock, err := p.lockLocal()
	if err != nil {
		return err
	}
	defer unlock()
	w, err := p.startWorld(ctx, minutes, localPeriod)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	if _, err := p.in(w, nil); err != nil {
		return err
	}
	script := w.script(p, w.values(minutes, localPeriod))
	file := filepath.Join(p.local(), "env")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return err
	}
	fmt.Fprint(p.Out, script)
	p.say("# the embedded AWS runs (cache nodes: %s; load: %s) until Ctrl-C. In another shell:\n#   . %s && go tool mage deploy\n# its dashboards, live: %s/_localaws/dashboard/", w.hello.CacheServer, w.hello.Generator, p.path(file), w.hello.URL)
	select {
	case <-ctx.Done():
		p.say("# ending")
		return nil
	case <-w.done:
		return errors.New("the embedded AWS ended by itself")
	}
}

// script is the environment for a shell.
func (w *world) script(p *Project, values map[string]any) string {
	env := w.env(p)
	for name, value := range values {
		text, _ := json.Marshal(value) // strings, numbers and lists of strings
		env["TF_VAR_"+name] = strings.Trim(string(text), `"`)
	}
	var b strings.Builder
	b.WriteString("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN TF_WORKSPACE TF_CLI_ARGS\n")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(env[name], "'", `'\''`))
	}
	return b.String()
}

// waitRun shows the load until its schedule stops it, and waits for the manifest.
func (p *Project) waitRun(ctx context.Context, d *deployed) (*export.Manifest, error) {
	limit := d.stopsAt.Add(5 * time.Minute)
	whole := time.Duration(d.inputs.Minutes) * time.Minute
	shown := p.step("running")
	defer func() { shown.end() }()
	for stopping := false; ; {
		if err := sleep(ctx, p.pause()); err != nil {
			return nil, err
		}
		m, err := d.stack.manifest(ctx, d.run.Run)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Complete {
			shown.end()
			p.say("stopped and exported")
			return m, nil
		}
		now := time.Now()
		if now.After(limit) {
			return nil, fmt.Errorf("run %s is not exported 5 minutes after its stop (%s)\n%s", d.run.Run, d.stack.progress(ctx), d.stack.trouble(ctx))
		}
		if now.After(d.stopsAt) {
			if !stopping {
				stopping = true
				shown.end()
				shown = p.step("stopping: the load ends, metrics and logs are exported")
			}
			shown.at(-1, "%s", d.stack.progress(ctx))
			continue
		}
		events, err := d.stack.loadLog(ctx, now.Add(-10*time.Second), 10_000, "")
		if err != nil {
			return nil, err
		}
		rate, _ := throughput(events, now)
		left := d.stopsAt.Sub(now)
		shown.at(1-float64(left)/float64(whole), "%s left, %s operations/s", left.Round(time.Second), report.Thousands(float64(rate)))
	}
}

// summary reads the exported files and holds them against the manifest: an answer that is not whole is an error.
func (p *Project) summary(w *world, in *Inputs, m *export.Manifest) (*report.Summary, error) {
	folder := filepath.Join(p.local(), "s3", w.hello.Bucket)
	read := func(kind string) (*export.Object, []byte, error) {
		o, ok := m.Object(kind)
		if !ok {
			return nil, nil, fmt.Errorf("the manifest of run %s lists no %s", m.Run, kind)
		}
		content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(o.Key)))
		if err != nil {
			return nil, nil, err
		}
		if sum := sha256.Sum256(content); int64(len(content)) != o.Bytes || hex.EncodeToString(sum[:]) != o.SHA256 {
			return nil, nil, fmt.Errorf("%s is not as the manifest says: %d bytes of %d", o.Key, len(content), o.Bytes)
		}
		return &o, content, nil
	}
	csv, content, err := read(export.KindMetrics)
	if err != nil {
		return nil, err
	}
	metrics, err := report.ReadMetrics(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", csv.Key, err)
	}
	for _, namespace := range []string{"AWS/ElastiCache", "AWS/ECS"} {
		if metrics.Namespaces[namespace] == 0 {
			return nil, fmt.Errorf("%s has no row of %s", csv.Key, namespace)
		}
	}
	text, content, err := read(export.KindLogs)
	if err != nil {
		return nil, err
	}
	log, err := report.ParseLog(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text.Key, err)
	}
	if len(log.Tasks) == 0 {
		return nil, fmt.Errorf("%s has no line of a load task", text.Key)
	}
	for _, t := range log.Tasks {
		if !t.OK() {
			return nil, fmt.Errorf("task %s: %s; see %s", t.ID, t.Trouble(), text.Key)
		}
	}
	manifest := filepath.Join(folder, filepath.FromSlash(filepath.Dir(filepath.Dir(csv.Key))), "manifest", m.Run+".json")
	info, err := os.Stat(manifest)
	if err != nil {
		return nil, err
	}
	object := func(o *export.Object) string { return p.path(filepath.Join(folder, filepath.FromSlash(o.Key))) }
	var notes []string
	if strings.HasPrefix(w.hello.CacheServer, "miniredis") {
		notes = append(notes, "the cache was miniredis, as neither valkey-server nor redis-server is on PATH: these are not the figures of Redis or Valkey")
	}
	return &report.Summary{
		Notes: notes,
		Run:   m.Run, Server: w.hello.CacheServer, Generator: w.hello.Generator, Log: log,
		What: fmt.Sprintf("%d min, %d task(s) x %d threads x %d clients, pipeline %d, %d bytes, SET:GET %s", in.Minutes, in.Load.TaskCount, in.Load.Threads,
			in.Load.Clients, in.Load.Pipeline, in.Load.DataSize, in.Load.Ratio),
		Files: []report.File{
			{Name: "metrics", Path: object(csv), Bytes: csv.Bytes, Holds: report.Thousands(float64(metrics.Rows)) + " rows"},
			{Name: "log", Path: object(text), Bytes: text.Bytes, Holds: report.Thousands(float64(log.Lines)) + " lines"},
			{Name: "manifest", Path: p.path(manifest), Bytes: info.Size(), Holds: "complete"},
		},
	}, nil
}

func (p *Project) terraformLog() string { return filepath.Join(p.local(), "terraform.log") }

// elapsed begins every line with the time since its begin.
type elapsed struct {
	w     io.Writer
	began time.Time
	mu    sync.Mutex
	mid   bool // the last write did not end its line
}

func (e *elapsed) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []byte
	for line := range bytes.Lines(b) {
		if !e.mid {
			out = fmt.Appendf(out, "[%4.0f s] ", time.Since(e.began).Seconds())
		}
		e.mid = line[len(line)-1] != '\n'
		out = append(out, line...)
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
