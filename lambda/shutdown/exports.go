package shutdown

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// reserve is the time that an export leaves for the steps after it: the cache must be deleted in this invocation.
const reserve = time.Minute

// settling is the longest wait for the window's last datapoints after its end. CloudWatch closes a minute about two minutes late.
const settling = 3 * time.Minute

func (r *run) target() export.Target {
	t := export.Target{Cluster: r.cfg.Cluster, Service: r.cfg.Service}
	if r.state.Membership != nil {
		t.Membership = *r.state.Membership
	}
	return t
}

// until is when an export has to end, zero without a deadline.
func (r *run) until(context.Context) time.Time {
	if r.ends.IsZero() {
		return time.Time{}
	}
	return r.ends.Add(-reserve)
}

// settle waits for the window's last datapoints: three periods of the data, at least 15 seconds. Later ones are missing from the export, as the
// manifest shows.
func (r *run) settle(ctx context.Context) error {
	if r.state.Window == nil || r.cache() != nil && r.state.Membership == nil {
		return nil
	}
	end, period := r.state.Window.End, time.Duration(r.state.PeriodSeconds)*time.Second
	r.delivered = end.Add(patience(period))
	if !r.state.Window.Start.Before(end) || r.recordOf(export.KindMetrics) != nil && !r.state.Outgrown {
		return nil // exportMetrics reports an empty window
	}
	if r.awaited = r.clock.Now().After(end.Add(settling)); r.awaited {
		return nil // later datapoints are not waited for
	}
	late := false
	settled, err := r.poll(ctx, min(max(period/5, time.Second), 10*time.Second), min(settling+time.Minute, r.left(ctx)-reserve), func() (bool, error) {
		brief, done := r.brief(ctx)
		defer done()
		settled, step, err := r.target().Settled(brief, r.aws.CloudWatch, end, period)
		r.delivered = end.Add(patience(step))
		late = !settled && r.clock.Now().After(r.delivered)
		if settled && step < time.Minute {
			r.delivered = end
		}
		return settled || late, err
	})
	if err == nil && !settled {
		err = export.ErrOutOfTime
	}
	if r.awaited = err == nil; late && r.awaited {
		r.log.Warn("the end of the window is not complete", "window_end", end)
	}
	return err
}

// patience is how long to wait for data that comes once per period.
func patience(period time.Duration) time.Duration {
	return min(max(3*period, 15*time.Second), settling)
}

// awaitDelivery waits for the window's lines in the cache's logs, as long as for its metrics: ElastiCache fetches them from the engine periodically,
// and nothing signals the last line. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html
// If every node has datapoints more often than once a minute (never on AWS), a node's logs are delivered before its datapoint of the same time. Then
// the logs are complete once the window's last datapoint is there.
func (r *run) awaitDelivery(ctx context.Context) error {
	wait := min(r.delivered.Sub(r.clock.Now()), settling, r.left(ctx)-reserve)
	if wait <= 0 || r.cfg.Logs.Engine == "" && r.cfg.Logs.Slow == "" || r.recordOf(export.KindLogs) != nil && !r.state.Outgrown {
		return nil
	}
	return r.clock.Sleep(ctx, wait)
}

func (r *run) exportMetrics(ctx context.Context) error {
	if !r.state.LoadStopped {
		return pending("the load was not seen to stop")
	}
	if r.state.Window == nil {
		return nil
	}
	if c := r.cache(); c != nil && r.state.Membership == nil {
		return pending("it is not known which metrics " + c.String() + " publishes")
	}
	if w := r.state.Window; !w.Start.Before(w.End) {
		return fmt.Errorf("the window from %s to %s is empty, so there is nothing to export: run %s is named after the clock of the computer that applied it, which differed from AWS's; set that clock. %s",
			w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339), r.id, giveUp)
	}
	if !r.awaited && (r.recordOf(export.KindMetrics) == nil || r.state.Outgrown) {
		return pending("still waiting for the last datapoints")
	}
	object := export.Object{Kind: export.KindMetrics, Key: r.cfg.metricsKey(r.id), ContentType: "text/csv; charset=utf-8"}
	err := r.upload(ctx, object, 1, func(ctx context.Context, w export.Sink, p *Progress) error {
		if p.UploadID == "" {
			r.resolve()
		}
		job := r.metrics(p.Series)
		job.Until, job.From = r.until(ctx), p.Position.Metrics
		if p.UploadID == "" {
			job.Find = func(ctx context.Context) (found []export.Series, err error) {
				p.Series, err = r.target().Discover(ctx, r.aws.CloudWatch, r.clock)
				return p.Series, err
			}
		}
		sum, err := job.Write(ctx, w)
		if err == nil {
			r.state.Metrics = &sum
		}
		return err
	})
	if err == nil && r.hasNoCacheRows() {
		return fmt.Errorf("CloudWatch has no datapoint of %s from %s to %s, so the export is not complete and is tried again: look for its metrics in the console. %s",
			r.cache(), r.state.Window.Start.Format(time.RFC3339), r.state.Window.End.Format(time.RFC3339), giveUp)
	}
	return r.covers(export.KindMetrics, err)
}

// covers records an export that had no error.
func (r *run) covers(kind string, err error) error {
	if err == nil {
		r.exported = append(r.exported, kind)
	}
	return err
}

// metrics is the job for the catalog's series and those found in addition.
func (r *run) metrics(found []export.Series) export.MetricsJob {
	return export.MetricsJob{API: r.aws.CloudWatch, Clock: r.clock, Series: r.target().Series(found), Window: *r.state.Window,
		Period: time.Duration(r.state.PeriodSeconds) * time.Second}
}

// recount summarizes an earlier attempt's object, which has more rows than CloudWatch has now, from the object itself.
func (r *run) recount(ctx context.Context, object export.Object, found []export.Series) error {
	r.warn("%s was written by an interrupted attempt, and has more rows than CloudWatch has now: it stays", object.Key)
	if object.Kind != export.KindMetrics {
		r.state.Logs = nil
		return nil
	}
	out, err := r.aws.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.cfg.Bucket, Key: &object.Key})
	if err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", r.cfg.Bucket, object.Key, err)
	}
	defer out.Body.Close()
	sum, err := r.metrics(found).Sum(out.Body)
	if err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", r.cfg.Bucket, object.Key, err)
	}
	r.state.Metrics = &sum
	return nil
}

// resolve picks the shortest period that CloudWatch still has for the window, as attempts can be far apart. A partial upload keeps the period that
// it was started with.
func (r *run) resolve() {
	was := time.Duration(r.state.PeriodSeconds) * time.Second
	period := export.Resolution(was, r.clock.Now().Sub(r.state.Window.Start))
	if period == was {
		return
	}
	r.warn("metrics have a period of %s instead of %s: CloudWatch does not keep finer data that long", period, was)
	r.state.PeriodSeconds = int(period / time.Second)
	r.state.Window = &export.Window{Start: r.state.Window.Start.Truncate(max(period, time.Minute)), End: r.state.Window.End.Add(period - 1).Truncate(period)}
}

// expiresSoon reports whether CloudWatch is about to drop the data left to read at its current resolution. An invocation lasts 15 minutes, and Resolution
// leaves an hour.
func (r *run) expiresSoon(from *export.MetricsPosition) bool {
	if from == nil {
		return false
	}
	period := time.Duration(r.state.PeriodSeconds) * time.Second
	age := r.clock.Now().Sub(r.state.Window.Start.Add(time.Duration(from.After) * time.Second))
	return export.Resolution(period, age-45*time.Minute) != period
}

// hasNoCacheRows reports whether the recorded metrics have no row of the cache although there is a cache: such an export is never complete.
func (r *run) hasNoCacheRows() bool {
	return r.cache() != nil && r.state.Metrics != nil && r.recordOf(export.KindMetrics) != nil &&
		!slices.ContainsFunc(r.state.Metrics.Sources, func(s export.Source) bool { return s.Name != r.cfg.Service && s.SeriesFound > 0 })
}

// neverComplete reports whether the exports can never become complete: a day after the load there is nothing to read, and CloudWatch adds no more data.
func (r *run) neverComplete() bool {
	w := r.state.Window
	return w != nil && r.clock.Now().After(w.End.Add(alarmLate)) && (r.hasNoCacheRows() || !w.Start.Before(w.End))
}

// exportLogs covers more than the metrics: from the run's start, when the engine's log starts, to a minute after the load's end, because a
// task's clock can differ from ECS's.
func (r *run) exportLogs(ctx context.Context) error {
	if !r.state.LoadStopped {
		return pending("the load was not seen to stop")
	}
	if r.state.Window == nil {
		return nil
	}
	if err := r.awaitDelivery(ctx); err != nil {
		return err
	}
	object := export.Object{Kind: export.KindLogs, Key: r.cfg.logsKey(r.id), ContentType: "text/plain; charset=utf-8"}
	return r.covers(export.KindLogs, r.upload(ctx, object, 0, func(ctx context.Context, w export.Sink, p *Progress) error {
		sum, err := export.LogsJob{API: r.aws.Logs, Clock: r.clock, Groups: r.cfg.logGroups(), Rate: export.LogsRate(r.aws.Region), Filter: export.FilterRate(r.aws.Region),
			Window: export.Window{Start: r.start, End: r.state.Window.End.Add(time.Minute)}, Until: r.until(ctx), From: p.Position.Logs, Budget: r.cfg.PageBytes}.Write(ctx, w)
		if err == nil {
			r.state.Logs = &sum
		}
		return err
	}))
}
