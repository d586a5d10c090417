package shutdown

import (
	"context"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// insightsLate is how long after the last task, in periods, Container Insights can still write about it: five minutes on AWS, which does not document
// the time.
const insightsLate = 5

// awaitInsights waits for Container Insights to write about the last task before Terraform removes its log group. Otherwise AWS recreates the group, and
// the next apply finds one that it does not own. Without tasks there is nothing to wait for. No error here delays a destroy.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-container-insights.html
func (r *run) awaitInsights(ctx context.Context) {
	if insights := r.sizes().Load.ContainerInsights; insights == "" || insights == "disabled" {
		return
	}
	tasks, err := r.tasks(ctx, nil)
	if err != nil {
		r.log.Warn("when the last task ended is not known", "error", err)
	}
	var last time.Time
	for _, t := range tasks {
		ended := r.clock.Now() // without StoppedAt the task still runs
		if t.StoppedAt != nil {
			ended = *t.StoppedAt
		}
		if ended.After(last) {
			last = ended
		}
	}
	if last.IsZero() {
		return
	}
	brief, done := r.brief(ctx)
	defer done()
	service := export.Target{Cluster: r.cfg.Cluster, Service: r.cfg.Service}
	_, period, err := service.Settled(brief, r.aws.CloudWatch, last, time.Duration(r.cfg.PeriodSeconds)*time.Second)
	if err != nil || period > time.Minute {
		period = time.Minute
	}
	if wait := min(last.Add(insightsLate*period).Sub(r.clock.Now()), r.left(ctx)-reserve); wait > 0 {
		r.log.Info("Container Insights may still write of the last task", "wait", wait)
		if err := r.clock.Sleep(ctx, wait); err != nil {
			r.log.Warn("the log group of Container Insights may come back", "error", err)
		}
	}
}
