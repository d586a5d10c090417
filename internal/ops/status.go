package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Status prints where the run stands: judged by its schedules and its manifest, never by a plan.
func Status(ctx context.Context, p *Project) error {
	_, in, err := p.ready(ctx)
	if err != nil {
		return err
	}
	s, err := p.stack(ctx, in)
	if err != nil {
		return err
	}
	v, err := s.view(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(p.Out, v.text(s.config))
	return nil
}

// view is the stack at one moment.
type view struct {
	now      time.Time
	deployed bool            // the Lambda is there
	run      *shutdown.Event // nil: none under way
	stops    time.Time       // zero: no stop schedule
	manifest *export.Manifest
	service  *types.Service
	cache    string // status, "" is gone
	perSec   int64  // operations in the last second
}

func (s *stack) view(ctx context.Context) (v view, err error) {
	v.now, v.deployed = time.Now().UTC(), s.lambda != ""
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
		events, err := s.loadLog(ctx, v.now.Add(-10*time.Second), 10_000)
		if err != nil {
			return v, err
		}
		v.perSec, _ = throughput(events, v.now)
	}
	return v, nil
}

// phase of the run, and what it means.
func (v view) phase() (phase, meaning string) {
	complete := v.manifest != nil && v.manifest.Complete
	switch {
	case v.run == nil && !v.deployed && v.cache == "" && v.service == nil:
		return "none", "nothing is deployed"
	case v.run == nil && complete:
		return "finished", "exported, and nothing that costs money is left; `go tool mage deploy` begins a new run"
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
	}
	return "running", fmt.Sprintf("%s left, until %s", v.stops.Sub(v.now).Round(time.Second), v.stops.Format(time.RFC3339))
}

func (v view) text(c shutdown.Config) string {
	phase, meaning := v.phase()
	text := fmt.Sprintf("%-9s %s: %s\n", "phase", phase, meaning)
	row := func(name, format string, args ...any) {
		text += fmt.Sprintf("%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	run := ""
	if v.run != nil {
		run = v.run.Run
	} else if v.manifest != nil {
		run = v.manifest.Run
	}
	if run != "" {
		row("run", "%s", run)
	}
	switch {
	case v.service == nil:
		row("tasks", "none: the service %s is not there", c.Service)
	case v.perSec > 0:
		row("tasks", "%d of %d running, %s operations/s", v.service.RunningCount, v.service.DesiredCount, report.Thousands(float64(v.perSec)))
	default:
		row("tasks", "%d of %d running", v.service.RunningCount, v.service.DesiredCount)
	}
	if v.cache == "" {
		row("cache", "gone")
	} else {
		row("cache", "%s", v.cache)
	}
	if v.manifest != nil {
		for _, o := range v.manifest.Objects {
			row(o.Kind, "s3://%s/%s (%s bytes)", c.Bucket, o.Key, report.Thousands(float64(o.Bytes)))
		}
		for _, w := range v.manifest.Warnings {
			row("warning", "%s", w)
		}
	}
	switch {
	case v.manifest != nil:
		row("manifest", "s3://%s/%s", c.Bucket, c.ManifestKey(run))
	case run != "":
		row("results", "will be in s3://%s/%s", c.Bucket, prefixed(c.Prefix))
	}
	return text
}
