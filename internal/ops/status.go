package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Status prints the state of the run, from its schedules and its manifest, never from a plan.
func Status(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	seen, err := look(ctx, ws, con)
	if err != nil {
		return err
	}
	fmt.Fprint(con.Out, seen.status())
	return nil
}

// Watch shows the status until the run is over: redrawn in place in a terminal, elsewhere as a line every ten seconds.
func Watch(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	screen := page.Screen{W: con.Out, Terminal: con.Terminal, Every: 10 * time.Second}
	seen, err := look(ctx, ws, con)
	if err == nil {
		err = seen.follow(ctx, &screen)
	}
	if errors.Is(err, proc.ErrInterrupted) { // Ctrl-C ends only the watching
		if text := seen.goesOn(); text != "" {
			con.Say("%s", text)
		}
		return nil
	}
	return err
}

// goesOn says that the run goes on unwatched, as it was last seen; "" if none is under way.
func (s *sight) goesOn() string {
	if s == nil || s.view.Run == nil {
		return ""
	}
	until := ends(s.view.Run, s.view.Stops)
	if until.Before(s.view.Now) {
		until = s.view.Run.StopBy
	}
	return goesOn(s.subject.inputs, s.subject.caller.Region, s.view.Run.Run, until)
}

// betweenLooks is the interval at which watch polls AWS.
const betweenLooks = 2 * time.Second

// follow shows the stack until its run is over. A failed call, or expired credentials, do not end it: the run goes on, too.
func (s *sight) follow(ctx context.Context, screen *page.Screen) error {
	shown := s.status()
	for {
		last := shown.Phase == "none" || shown.Phase == "idle" || shown.Phase == "finished"
		if err := screen.Show(shown, last); err != nil || last {
			return err
		}
		if err := console.Sleep(ctx, betweenLooks); err != nil {
			return err
		}
		view, err := s.stack.View(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			shown = s.unseen(time.Now().UTC(), err)
		default:
			s.view = view
			shown = s.status()
		}
	}
}

// unseen is the status after a failed poll: what was last seen, and how long ago.
func (s *sight) unseen(now time.Time, err error) page.Status {
	was := s.status()
	return page.Status{Now: now, Run: was.Run, Phase: "not known", Rows: append([][2]string{
		{"trouble", fmt.Sprintf("AWS does not answer; trying again every %s: %v", page.Duration(betweenLooks), err)},
		{"last seen", fmt.Sprintf("%s ago, %s: %s", page.Duration(now.Sub(was.Now)), was.Phase, was.Meaning)},
	}, was.Rows...)}
}

// sight is what was seen of the stack at one moment.
type sight struct {
	subject *subject
	stack   *stack.Stack
	view    stack.View
	advice  func(string) string // rewrites commands for the embedded AWS, before lines are wrapped
}

func look(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*sight, error) {
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	s, err := subject.open(ctx, ws)
	if err != nil {
		return nil, err
	}
	v, err := s.View(ctx)
	return &sight{subject, s, v, local.AdviceOf(ws)}, err
}

func (s *sight) status() page.Status {
	st := statusOf(s.view, s.stack.Config)
	if s.view.Run != nil && !s.subject.state.GuardsRun() {
		st.Rows = append(st.Rows, [2]string{"state", "this one does not hold the run: it is ended by its schedule, or from the state that it was deployed with"})
	}
	if s.advice != nil {
		st.Meaning = s.advice(st.Meaning)
		for i := range st.Rows {
			st.Rows[i][1] = s.advice(st.Rows[i][1])
		}
	}
	return st
}

// statusOf turns a view into the status that is printed.
func statusOf(v stack.View, c shutdown.Config) page.Status {
	phase, meaning := v.Phase()
	st := page.Status{Now: v.Now, Phase: phase, Meaning: meaning, Stops: v.Stops, Recent: v.Recent, Latency: v.Latency, ReadP99: v.Read, WriteP99: v.Write}
	row := func(name, format string, args ...any) {
		st.Rows = append(st.Rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if v.Run != nil {
		st.Run = v.Run.Run
	} else if v.Manifest != nil {
		st.Run = v.Manifest.Run
	}
	if v.Manifest != nil && v.Manifest.Complete {
		st.Stops = time.Time{} // the run may have been stopped earlier
	} else if !v.Stops.IsZero() {
		st.Began = v.Stops.Add(-time.Duration(c.Minutes) * time.Minute)
	}
	if v.Prefill != nil && v.Prefill.Failed != "" {
		row("trouble", "prefill: %s", v.Prefill.Failed)
	}
	if v.Prefill != nil && v.Prefill.Tasks > 0 {
		row("prefill", "%.0f %%, %d of %s done", 100*v.Prefill.Share, v.Prefill.Done, report.Quantity(v.Prefill.Tasks, "task"))
	}
	switch {
	case v.Service == nil:
		row("tasks", "none: the service %s does not exist", c.Service)
	case v.Service.PendingCount > 0:
		row("tasks", "%d of %d running, %d starting", v.Service.RunningCount, v.Service.DesiredCount, v.Service.PendingCount)
	default:
		row("tasks", "%d of %d running", v.Service.RunningCount, v.Service.DesiredCount)
	}
	if c.Cache.Delete {
		row("cache", "%s", cmp.Or(v.Cache, "gone"))
	} else {
		row("cache", "%s, which existed before and stays", cmp.Or(stack.CacheName(c.Cache), "an endpoint"))
	}
	if v.Manifest != nil {
		for _, o := range v.Manifest.Objects {
			row(o.Kind, "s3://%s/%s (%s bytes)", c.Bucket, o.Key, report.Thousands(float64(o.Bytes)))
		}
		for _, w := range v.Manifest.Warnings {
			row("warning", "%s", w)
		}
	}
	if v.Dashboard != "" && v.Run != nil {
		row("dashboard", "%s", v.Dashboard)
	}
	switch {
	case v.Manifest != nil:
		row("manifest", "s3://%s/%s", c.Bucket, c.ManifestKey(st.Run))
	case st.Run != "":
		row("results", "will be in s3://%s/%s", c.Bucket, prefixed(c.Prefix))
	}
	return st
}
