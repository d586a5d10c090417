package stack

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// View is the stack at one moment.
type View struct {
	Now       time.Time
	Deployed  bool            // the Lambda is there
	Run       *shutdown.Event // nil: none under way
	Stops     time.Time       // zero: no stop schedule
	Manifest  *export.Manifest
	Service   *types.Service
	Cache     string    // status of the stack's own cache, "" is gone
	Dashboard string    // address of the local page; "" on AWS, where the stack's outputs have it
	Prefill   *Prefill  // nil: no task writes its first keys
	Recent    []float64 // operations/s of the load, a value per second, the latest last; nil when nothing reports
	Latency   float64   // ms as the load sees it, mean of the last second; NaN when nothing reports
	Read      *float64  // p99 inside the cache in ms, of the last minute that CloudWatch has
	Write     *float64
}

func (s *Stack) View(ctx context.Context) (v View, err error) {
	v.Now, v.Deployed, v.Dashboard = time.Now().UTC(), s.Lambda != "", s.Dashboard()
	if v.Run, err = s.Run(ctx); err != nil {
		return v, err
	}
	if v.Stops, err = s.StopsAt(ctx); err != nil {
		return v, err
	}
	if v.Run != nil {
		v.Manifest, err = s.Manifest(ctx, v.Run.Run)
	} else {
		v.Manifest, err = s.Latest(ctx)
	}
	if err != nil {
		return v, err
	}
	if v.Service, err = s.Service(ctx); err != nil {
		return v, err
	}
	if v.Cache, err = s.CacheStatus(ctx); err != nil {
		return v, err
	}
	if v.Service != nil && v.Service.RunningCount > 0 {
		events, err := s.LoadLog(ctx, v.Now.Add(-recently), 10_000, "")
		if err != nil {
			return v, err
		}
		v.Recent, v.Latency = recent(events, v.Now)
		if v.mayPrefill(s) {
			started, err := shutdown.ParseRun(v.Run.Run)
			if err != nil {
				return v, err
			}
			if created := aws.ToTime(v.Service.CreatedAt); created.After(started) { // a changed load has a new service
				started = created
			}
			if v.Prefill, err = s.Prefill(ctx, started, v.Now); err != nil {
				return v, err
			}
		}
		if v.Read, v.Write, err = s.p99(ctx, v.Now); err != nil {
			return v, err
		}
	}
	return v, nil
}

// mayPrefill reports whether reading the log is worth it: it is read from the run's start.
func (v View) mayPrefill(s *Stack) bool {
	if v.Run == nil {
		return false
	}
	steady := v.Stops.Add(-time.Duration(s.Config.Minutes) * time.Minute)
	return v.Stops.IsZero() || v.Now.Before(steady.Add(time.Duration(s.PrefillMinutes()+5)*time.Minute))
}

// Phase of the run, and what it means.
func (v View) Phase() (phase, meaning string) {
	complete := v.Manifest != nil && v.Manifest.Complete
	switch {
	case v.Run == nil && !v.Deployed && v.Cache == "" && v.Service == nil:
		return "none", "nothing is deployed"
	case v.Run == nil && complete:
		return "finished", "exported, and nothing of the stack that costs money is left; `go tool mage deploy` starts a new run"
	case v.Run == nil:
		return "idle", "deployed, but no run is under way; `go tool mage deploy` starts one"
	case complete && v.Cache != "":
		return "clearing", "exported; the cache is still being deleted"
	case complete:
		return "finished", "exported"
	case !v.Run.StopBy.IsZero() && v.Now.After(v.Run.StopBy): // somebody may have taken it out of the schedule's input
		return "overdue", fmt.Sprintf("should have ended by %s; the schedule tries every %v minutes, `go tool mage stop` ends it now", v.Run.StopBy.Format(time.RFC3339), shutdown.WatchEvery.Minutes())
	case v.Stops.IsZero() && v.Run.StopBy.IsZero():
		return "starting", "the load is not steady yet; its schedule no longer has a stop_by, and ends it when the longest run would end"
	case v.Stops.IsZero():
		return "starting", fmt.Sprintf("the load is not steady yet; ended in any case by %s", v.Run.StopBy.Format(time.RFC3339))
	case v.Now.After(v.Stops):
		return "stopping", fmt.Sprintf("since %s", v.Now.Sub(v.Stops).Round(time.Second))
	case v.Prefill != nil && v.Prefill.Done < v.Prefill.Tasks:
		return "prefilling", "the measured load follows, until " + v.Stops.Format(time.RFC3339)
	}
	return "running", "until " + v.Stops.Format(time.RFC3339)
}

// recently is the time span of the throughput.
const recently = 34 * time.Second

// recent sums the progress records of all tasks by the second, oldest first; nil when none is of the last ten seconds. latency is the mean of all
// operations of the last of these seconds, in ms; NaN when there were none.
func recent(events []LogEvent, now time.Time) (values []float64, latency float64) {
	first := now.Add(-recently).Unix()
	values = make([]float64, now.Unix()-first)
	waited := make([]float64, len(values))
	newest := -1
	for _, e := range events {
		i := int(e.At.Unix() - first)
		if p, ok := report.ParseProgress(e.Text); ok && i >= 0 && i < len(values) {
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
