package shutdown

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// A person's export has no deadline and can read for hours, longer than any Lambda invocation. It holds the run while it reads.

// renewing makes each read renew the hold once a third of it has passed.
func (r *run) renewing() {
	own := *r.Shutdown
	own.aws.CloudWatch, own.aws.Logs = renewingMetrics{r, own.aws.CloudWatch}, renewingLogs{r, own.aws.Logs}
	r.Shutdown = &own
}

func (r *run) renewHold(ctx context.Context) error {
	r.turn.take()
	due := r.recorded && !r.clock.Now().Before(r.saved.Add(hold/3))
	r.turn.give()
	if !due {
		return nil
	}
	return r.save(ctx)
}

// renewed reads, and renews the hold before and after, because a read can take long.
func renewed[In, Out, Option any](r *run, read func(context.Context, *In, ...Option) (*Out, error), ctx context.Context, in *In, options []Option) (*Out, error) {
	if err := r.renewHold(ctx); err != nil {
		return nil, err
	}
	out, err := read(ctx, in, options...)
	return out, cmp.Or(err, r.renewHold(ctx))
}

type renewingMetrics struct {
	*run
	api CloudWatch
}

func (c renewingMetrics) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, o ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	return renewed(c.run, c.api.GetMetricData, ctx, in, o)
}

func (c renewingMetrics) ListMetrics(ctx context.Context, in *cloudwatch.ListMetricsInput, o ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error) {
	return renewed(c.run, c.api.ListMetrics, ctx, in, o)
}

type renewingLogs struct {
	*run
	api export.LogsAPI
}

func (c renewingLogs) DescribeLogStreams(ctx context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	return renewed(c.run, c.api.DescribeLogStreams, ctx, in, o)
}

func (c renewingLogs) GetLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	return renewed(c.run, c.api.GetLogEvents, ctx, in, o)
}

func (c renewingLogs) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	return renewed(c.run, c.api.FilterLogEvents, ctx, in, o)
}
