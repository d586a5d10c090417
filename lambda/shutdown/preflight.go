package shutdown

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// check is one call that a stop will make.
type check struct {
	allow  string // the permission it needs
	do     func(context.Context) error
	exists bool // it must succeed; otherwise the resource may be missing, and any such error is accepted
}

// preflight proves, before anything costs money, that this run's stop can work: the run is the stack's, this role can write to the bucket, and
// every kind of read and every write of a stop is allowed. A new role takes up to a minute to work, so denied calls are retried for that long:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
func (r *run) preflight(ctx context.Context) (Answer, error) {
	end := r.clock.Now().Add(time.Minute)
	try := func(c check) error {
		var err error
		_, stopped := r.poll(ctx, 5*time.Second, end.Sub(r.clock.Now()), func() (bool, error) {
			err = c.do(ctx)
			return !denied(err), nil
		})
		switch {
		case stopped != nil:
			return stopped
		case denied(err):
			return fmt.Errorf("preflight: allow %s to the role of Lambda %s-stop: %w", c.allow, r.cfg.Name, err)
		case errorCode(err) == "NoSuchBucket":
			return fmt.Errorf("preflight: the bucket %s does not exist: create it, or name another one for the exports: %w", r.cfg.Bucket, err)
		case err != nil && (c.exists || !decided(err)):
			return fmt.Errorf("preflight: %w", err)
		}
		return nil
	}
	var failures []error
	for _, c := range slices.Concat(r.readChecks(ctx), r.writeChecks(), r.bucketChecks()) {
		err := try(c)
		if err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil || errorCode(err) == "NoSuchBucket" { // the other checks would fail the same way
			break
		}
	}
	if len(failures) == 0 {
		if err := try(check{allow: fmt.Sprintf("s3:PutObject on s3://%s/%s/*", r.cfg.Bucket, r.cfg.Prefix), do: r.claim, exists: true}); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 && r.cfg.TopicARN != "" {
		failures = append(failures, try(check{allow: "sns:Publish on " + r.cfg.TopicARN, do: r.started, exists: true}))
	}
	if err := errors.Join(failures...); err != nil {
		if r.cfg.TopicARN != "" {
			text := fmt.Sprintf("Run %s of %s does not start: its apply ends before it creates a cache or a load.\n%v\n", r.id, r.cfg.Name, err)
			if unsent := r.publish(ctx, "preflight failed", text); unsent != nil {
				r.log.Warn("nobody was notified", "error", unsent)
			}
		}
		return Answer{Run: r.id, Action: r.action}, err
	}
	return r.answer(StatusReady, fmt.Sprintf("s3://%s/%s takes the exports", r.cfg.Bucket, r.cfg.Prefix)), nil
}

func (r *run) readChecks(ctx context.Context) []check {
	checks := []check{
		{allow: "scheduler:GetSchedule", do: r.skewed, exists: true},
		{allow: "scheduler:GetSchedule", do: func(ctx context.Context) error {
			current, err := r.current(ctx)
			if err == nil && current.Run != r.id {
				err = fmt.Errorf("schedule %s/%s names run %q, not %s: apply again", r.cfg.Schedules.Group, r.cfg.Schedules.Watch, current.Run, r.id)
			}
			return err
		}},
		{allow: "ecs:DescribeServices", do: func(ctx context.Context) error {
			_, err := r.service(ctx)
			return err
		}},
		{allow: "ecs:ListTasks", do: func(ctx context.Context) error {
			_, err := r.aws.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &r.cfg.Cluster, ServiceName: &r.cfg.Service})
			return err
		}},
		{allow: "ecs:DescribeTasks", do: func(ctx context.Context) error { // a task that does not exist: the answer lists it as missing
			_, err := r.aws.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &r.cfg.Cluster, Tasks: []string{strings.Repeat("0", 32)}})
			return err
		}},
		{allow: "cloudwatch:ListMetrics", do: func(ctx context.Context) error {
			_, err := r.aws.CloudWatch.ListMetrics(ctx, &cloudwatch.ListMetricsInput{Namespace: aws.String(export.NamespaceECS)})
			return err
		}},
		{allow: "cloudwatch:GetMetricData", do: func(ctx context.Context) error {
			end := r.clock.Now().Truncate(time.Minute)
			_, err := r.aws.CloudWatch.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{StartTime: aws.Time(end.Add(-time.Minute)), EndTime: &end,
				MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("preflight"), MetricStat: &cwtypes.MetricStat{Period: aws.Int32(60), Stat: aws.String("Average"),
					Metric: &cwtypes.Metric{Namespace: aws.String(export.NamespaceECS), MetricName: aws.String("CPUUtilization")}}}}})
			return err
		}},
	}
	if c := r.cache(); c != nil {
		checks = append(checks, c.checks(ctx)...)
	}
	for _, group := range r.cfg.logGroups() {
		checks = append(checks, check{allow: "logs:DescribeLogStreams on " + group.Name, do: func(ctx context.Context) error {
			_, err := r.aws.Logs.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &group.Name, Limit: aws.Int32(1)})
			return err
		}}, check{allow: "logs:GetLogEvents on " + group.Name, do: func(ctx context.Context) error {
			_, err := r.aws.Logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group.Name, LogStreamName: aws.String("preflight"),
				StartFromHead: aws.Bool(true), Limit: aws.Int32(1)})
			return err
		}}, check{allow: "logs:FilterLogEvents on " + group.Name, do: func(ctx context.Context) error {
			_, err := r.aws.Logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group.Name, Limit: aws.Int32(1)})
			return err
		}})
	}
	return checks
}

// writes are the calls that end a run. Otherwise a permissions boundary or an organization's policy that denies one is only found when the run
// should end. They change nothing that exists: a load or a cache may be running.
func (r *run) writeChecks() []check {
	checks := []check{
		{allow: "ecs:UpdateService", do: func(ctx context.Context) error { // it changes nothing
			_, err := r.aws.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &r.cfg.Cluster, Service: &r.cfg.Service})
			return err
		}},
		{allow: "scheduler:DeleteSchedule", do: func(ctx context.Context) error {
			stop, err := r.schedule(ctx, r.cfg.Schedules.Stop)
			if err == nil && stop == nil {
				_, err = r.aws.Scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{GroupName: &r.cfg.Schedules.Group, Name: &r.cfg.Schedules.Stop})
			}
			return err
		}},
	}
	if c := r.cache(); c != nil && r.cfg.Cache.Delete {
		checks = append(checks, check{allow: "the deletion of " + c.String(), do: func(ctx context.Context) error {
			now, err := c.describe(ctx)
			if err == nil && now == nil {
				err = c.delete(ctx)
			}
			return err
		}})
	}
	return checks
}

func (r *run) bucketChecks() []check {
	at := fmt.Sprintf("s3://%s/%s/*", r.cfg.Bucket, r.cfg.Prefix)
	checks := []check{
		{allow: "s3:PutObject and s3:DeleteObject on " + at + " (and the use of the bucket's KMS key, if it has one)", do: r.probe, exists: true},
		{allow: "s3:ListBucketMultipartUploads on bucket " + r.cfg.Bucket, exists: true, do: func(ctx context.Context) error {
			_, err := r.sweep(ctx, r.probeKey(), "")
			return err
		}},
	}
	for _, key := range []string{r.cfg.metricsKey(r.id), r.cfg.logsKey(r.id), r.cfg.ManifestKey(r.id)} {
		checks = append(checks, check{allow: "s3:GetObject on " + at + " and s3:ListBucket on bucket " + r.cfg.Bucket, exists: true, do: func(ctx context.Context) error {
			_, err := r.store.size(ctx, key) // an object of another run is an error
			return err
		}})
	}
	return checks
}

// claim writes the run's record if there is none. A run is named after the second of its start: if two stacks with one prefix start in the same second,
// the first to write owns the keys, and the other would never be exported.
func (r *run) claim(ctx context.Context) error {
	key := r.cfg.StateKey(r.id)
	size, err := r.store.size(ctx, key)
	if err == nil && size < 0 {
		_, err = r.store.put(ctx, key, State{Name: r.cfg.Name, Run: r.id}, "", onlyAsRead)
	}
	var foreign *export.ForeignError
	if errors.As(err, &foreign) && strings.HasSuffix(foreign.Owner, "/"+r.id) {
		return fmt.Errorf("the run id %s is taken: s3://%s/%s belongs to %s, whose run started in the same second. `go tool mage deploy` starts another run, and so does terraform apply with -replace=module.scheduler.aws_scheduler_schedule.watch",
			r.id, foreign.Bucket, foreign.Key, strings.TrimSuffix(foreign.Owner, "/"+r.id))
	}
	return err
}

func (r *run) probeKey() string { return path.Join(r.cfg.Prefix, "preflight", r.id) }

// probe writes an object the way a large export is written, and removes it. An existing object is only touched if an earlier probe of this run
// left it.
func (r *run) probe(ctx context.Context) error {
	key, bucket := r.probeKey(), r.cfg.Bucket
	fail := func(what string, err error) error { return fmt.Errorf("%s s3://%s/%s: %w", what, bucket, key, err) }
	upload, err := r.aws.S3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, Metadata: map[string]string{export.Metadata: r.cfg.Owner(r.id)}})
	if err != nil {
		return fail("start a multipart upload to", err)
	}
	part, err := r.aws.S3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(1),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, Body: strings.NewReader("elasticache-perf asks whether this bucket takes its exports\n")})
	if err == nil {
		_, err = r.aws.S3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: upload.UploadId, IfNoneMatch: aws.String("*"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}}})
	}
	if err != nil {
		_, aborted := r.aws.S3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: upload.UploadId})
		if errorCode(err) != "PreconditionFailed" && errorCode(err) != "NoSuchUpload" { // NoSuchUpload: CompleteMultipartUpload was retried after a lost answer
			return fail("write", errors.Join(err, aborted))
		}
		if _, err := r.store.size(ctx, key); err != nil { // somebody else's
			return fail("write", err)
		}
	}
	if _, err := r.aws.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		return fail("remove the probe", err)
	}
	return nil
}
