package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Status prints where the run stands: judged by its schedules and its manifest, never by a plan.
func Status(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	s, v, err := look(ctx, ws, con)
	if err != nil {
		return err
	}
	fmt.Fprint(con.Out, v.status(s.config))
	return nil
}

// Watch keeps the status in view until the run is over: drawn in place in a terminal, a line every ten seconds elsewhere.
func Watch(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	screen := page.Screen{W: con.Out, TTY: con.TTY, Every: 10 * time.Second}
	if con.Terminal != nil {
		screen.Columns = con.Terminal.Columns
	}
	s, v, err := look(ctx, ws, con)
	for err == nil {
		if err = screen.Show(v.status(s.config)); err != nil {
			break
		}
		if phase, _ := v.phase(); phase == "none" || phase == "idle" || phase == "finished" {
			return nil
		}
		if err = console.Sleep(ctx, 2*time.Second); err != nil {
			break
		}
		v, err = s.view(ctx)
	}
	if errors.Is(err, proc.ErrInterrupted) {
		return nil // who watches may go; the run goes on
	}
	return err
}

// look is the stack and its state now.
func look(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*stack, view, error) {
	_, in, err := terraform.Ready(ctx, ws, con)
	if err != nil {
		return nil, view{}, err
	}
	s, err := openStack(ctx, ws, in)
	if err != nil {
		return nil, view{}, err
	}
	v, err := s.view(ctx)
	return s, v, err
}

// view is the stack at one moment.
type view struct {
	now       time.Time
	deployed  bool            // the Lambda is there
	run       *shutdown.Event // nil: none under way
	stops     time.Time       // zero: no stop schedule
	manifest  *export.Manifest
	service   *types.Service
	cache     string    // status of the stack's own cache, "" is gone
	dashboard string    // address of the local page; "" on AWS, where the stack's outputs have it
	prefill   *prefill  // nil: no task writes its first keys
	recent    []float64 // operations/s of the load, a value a second, the last is now; nil when nothing reports
	latency   float64   // ms as the load sees it, mean of the last second; NaN when nothing reports
	read      *float64  // p99 inside the cache in ms, of the last minute that CloudWatch has
	write     *float64
}

func (s *stack) view(ctx context.Context) (v view, err error) {
	v.now, v.deployed, v.dashboard = time.Now().UTC(), s.lambda != "", s.dashboard()
	if v.run, err = s.run(ctx); err != nil {
		return v, err
	}
	if v.stops, err = s.stopsAt(ctx); err != nil {
		return v, err
	}
	if v.run != nil {
		v.manifest, err = s.manifest(ctx, v.run.Run)
	} else {
		v.manifest, err = s.latest(ctx)
	}
	if err != nil {
		return v, err
	}
	if v.service, err = s.service(ctx); err != nil {
		return v, err
	}
	if v.cache, err = s.cacheStatus(ctx); err != nil {
		return v, err
	}
	if v.service != nil && v.service.RunningCount > 0 {
		events, err := s.loadLog(ctx, v.now.Add(-recently), 10_000, "")
		if err != nil {
			return v, err
		}
		v.recent, v.latency = recent(events, v.now)
		if v.mayPrefill(s) {
			begun, err := shutdown.ParseRun(v.run.Run)
			if err != nil {
				return v, err
			}
			if created := aws.ToTime(v.service.CreatedAt); created.After(begun) { // a changed load has a new service
				begun = created
			}
			if v.prefill, err = s.prefill(ctx, begun, v.now); err != nil {
				return v, err
			}
		}
		if v.read, v.write, err = s.p99(ctx, v.now); err != nil {
			return v, err
		}
	}
	return v, nil
}

// mayPrefill tells whether a look at the log is worth its while: it is read from the run's begin.
func (v view) mayPrefill(s *stack) bool {
	if v.run == nil {
		return false
	}
	steady := v.stops.Add(-time.Duration(s.config.Minutes) * time.Minute)
	return v.stops.IsZero() || v.now.Before(steady.Add(time.Duration(s.prefillMinutes()+5)*time.Minute))
}

// phase of the run, and what it means.
func (v view) phase() (phase, meaning string) {
	complete := v.manifest != nil && v.manifest.Complete
	switch {
	case v.run == nil && !v.deployed && v.cache == "" && v.service == nil:
		return "none", "nothing is deployed"
	case v.run == nil && complete:
		return "finished", "exported, and nothing of the stack that costs money is left; `go tool mage deploy` begins a new run"
	case v.run == nil:
		return "idle", "deployed, but no run is under way; `go tool mage deploy` begins one"
	case complete && v.cache != "":
		return "clearing", "exported; the cache is still being deleted"
	case complete:
		return "finished", "exported"
	case v.now.After(v.run.StopBy):
		return "overdue", fmt.Sprintf("should have ended by %s; the schedule tries every 10 minutes, `go tool mage stop` now", v.run.StopBy.Format(time.RFC3339))
	case v.stops.IsZero():
		return "starting", fmt.Sprintf("the load is not steady yet; ended in any case by %s", v.run.StopBy.Format(time.RFC3339))
	case v.now.After(v.stops):
		return "stopping", fmt.Sprintf("since %s", v.now.Sub(v.stops).Round(time.Second))
	case v.prefill != nil && v.prefill.done < v.prefill.tasks:
		return "prefilling", "the measured load follows, until " + v.stops.Format(time.RFC3339)
	}
	return "running", "until " + v.stops.Format(time.RFC3339)
}

// status is the view as people see it.
func (v view) status(c shutdown.Config) page.Status {
	phase, meaning := v.phase()
	st := page.Status{Now: v.now, Phase: phase, Meaning: meaning, Stops: v.stops, Recent: v.recent, Latency: v.latency, ReadP99: v.read, WriteP99: v.write}
	row := func(name, format string, args ...any) {
		st.Rows = append(st.Rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if v.run != nil {
		st.Run = v.run.Run
	} else if v.manifest != nil {
		st.Run = v.manifest.Run
	}
	if !v.stops.IsZero() {
		st.Began = v.stops.Add(-time.Duration(c.Minutes) * time.Minute)
	}
	if v.prefill != nil && v.prefill.failed != "" {
		row("trouble", "prefill: %s", v.prefill.failed)
	}
	if v.prefill != nil && v.prefill.tasks > 0 {
		row("prefill", "%.0f %%, %d of %d tasks done", 100*v.prefill.share, v.prefill.done, v.prefill.tasks)
	}
	switch {
	case v.service == nil:
		row("tasks", "none: the service %s is not there", c.Service)
	case v.service.PendingCount > 0:
		row("tasks", "%d of %d running, %d starting", v.service.RunningCount, v.service.DesiredCount, v.service.PendingCount)
	default:
		row("tasks", "%d of %d running", v.service.RunningCount, v.service.DesiredCount)
	}
	if c.Cache.Delete {
		row("cache", "%s", cmp.Or(v.cache, "gone"))
	} else {
		row("cache", "%s, which was there before and stays", cmp.Or(cacheName(c.Cache), "an endpoint"))
	}
	if v.manifest != nil {
		for _, o := range v.manifest.Objects {
			row(o.Kind, "s3://%s/%s (%s bytes)", c.Bucket, o.Key, report.Thousands(float64(o.Bytes)))
		}
		for _, w := range v.manifest.Warnings {
			row("warning", "%s", w)
		}
	}
	if v.dashboard != "" && v.run != nil {
		row("dashboard", "%s", v.dashboard)
	}
	switch {
	case v.manifest != nil:
		row("manifest", "s3://%s/%s", c.Bucket, c.ManifestKey(st.Run))
	case st.Run != "":
		row("results", "will be in s3://%s/%s", c.Bucket, prefixed(c.Prefix))
	}
	return st
}

// recently is how far back the throughput goes.
const recently = 34 * time.Second

// recent sums the progress records of all tasks by the second, oldest first; nil when none is of the last ten seconds. latency is the mean of all
// operations of the last of these seconds, in ms; NaN when there were none.
func recent(events []logEvent, now time.Time) (values []float64, latency float64) {
	first := now.Add(-recently).Unix()
	values = make([]float64, now.Unix()-first)
	waited := make([]float64, len(values))
	newest := -1
	for _, e := range events {
		i := int(e.at.Unix() - first)
		if p, ok := report.ParseProgress(e.text); ok && i >= 0 && i < len(values) {
			values[i] += float64(p.OpsPerSecond)
			if p.OpsPerSecond > 0 {
				waited[i] += float64(p.OpsPerSecond) * p.LatencyMS
			}
			newest = max(newest, i)
		}
	}
	if newest < 0 || newest < len(values)-10 {
		return nil, math.NaN()
	}
	return values[:newest+1], waited[newest] / values[newest]
}
