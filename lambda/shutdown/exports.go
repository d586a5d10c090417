package shutdown

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// reserve is kept back from an export for the steps after it: the cache must be deleted in this invocation.
const reserve = time.Minute

// settling is how long after the window's end its last datapoints are waited for at most. CloudWatch closes a minute about two minutes late.
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

// settle waits until the window's last datapoints are there: three periods of the data, 15 seconds at least. What comes later is missing,
// and the manifest says so.
func (r *run) settle(ctx context.Context) error {
	if r.state.Window == nil || r.cache() != nil && r.state.Membership == nil {
		return nil
	}
	end, period := r.state.Window.End, time.Duration(r.state.PeriodSeconds)*time.Second
	r.delivered = end.Add(patience(period))
	if !r.state.Window.Start.Before(end) || r.recordOf(export.KindMetrics) != nil && !r.state.Outgrown {
		return nil // in the first case the export says what is wrong
	}
	if r.awaited = r.clock.Now().After(end.Add(settling)); r.awaited {
		return nil // whatever is not there now is not waited for
	}
	late := false
	settled, err := r.poll(ctx, min(period, 10*time.Second), min(settling+time.Minute, r.left(ctx)-reserve), func() (bool, error) {
		settled, step, err := r.target().Settled(ctx, r.aws.CloudWatch, end, period)
		r.delivered = end.Add(patience(step))
		late = !settled && r.clock.Now().After(r.delivered)
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

// patience is how long data that comes each period is waited for.
func patience(period time.Duration) time.Duration {
	return min(max(3*period, 15*time.Second), settling)
}

// awaitDelivery waits for what the cache's own logs say of the window, as long as for its metrics: ElastiCache fetches them from the engine now and
// then, and nothing tells that the last line is there. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html
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
		return pending("what publishes the metrics of " + c.String() + " is not known")
	}
	if w := r.state.Window; !w.Start.Before(w.End) {
		return fmt.Errorf("the window from %s to %s is empty, so there is nothing to export: run %s is named after the clock of the computer that applied it, which was not AWS's; set that clock. %s",
			w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339), r.id, giveUp)
	}
	if !r.awaited && (r.recordOf(export.KindMetrics) == nil || r.state.Outgrown) {
		return pending("the last datapoints are still awaited")
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
	if err == nil && r.cacheless() {
		return fmt.Errorf("CloudWatch has no datapoint of %s from %s to %s, so the export is not complete and is tried again: look for its metrics in the console. %s",
			r.cache(), r.state.Window.Start.Format(time.RFC3339), r.state.Window.End.Format(time.RFC3339), giveUp)
	}
	return r.covers(export.KindMetrics, err)
}

// covers notes an export without an error.
func (r *run) covers(kind string, err error) error {
	if err == nil {
		r.exported = append(r.exported, kind)
	}
	return err
}

// metrics is the job of the catalog's series and those found beside them.
func (r *run) metrics(found []export.Series) export.MetricsJob {
	return export.MetricsJob{API: r.aws.CloudWatch, Clock: r.clock, Series: r.target().Series(found), Window: *r.state.Window,
		Period: time.Duration(r.state.PeriodSeconds) * time.Second}
}

// recount says of an object of an earlier attempt, which has more than there is now, what can be said of it.
func (r *run) recount(ctx context.Context, object export.Object, found []export.Series) error {
	r.warn("%s was written by an attempt that was cut off, and has more rows than CloudWatch has now: it stays", object.Key)
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

// resolve takes the densest period that CloudWatch still has for the window. An attempt may come long after the one before; what is uploaded in
// part has the period that it was begun with.
func (r *run) resolve() {
	was := time.Duration(r.state.PeriodSeconds) * time.Second
	period := export.Resolution(was, r.clock.Now().Sub(r.state.Window.Start))
	if period == was {
		return
	}
	r.warn("metrics have a period of %s instead of %s: CloudWatch keeps no denser data for so long", period, was)
	r.state.PeriodSeconds = int(period / time.Second)
	r.state.Window = &export.Window{Start: r.state.Window.Start.Truncate(max(period, time.Minute)), End: r.state.Window.End.Add(period - 1).Truncate(period)}
}

// fades says that CloudWatch is about to forget data as dense as what is left to read. An invocation lasts a quarter of an hour, and Resolution has
// an hour in reserve.
func (r *run) fades(from *export.MetricsPosition) bool {
	if from == nil {
		return false
	}
	period := time.Duration(r.state.PeriodSeconds) * time.Second
	age := r.clock.Now().Sub(r.state.Window.Start.Add(time.Duration(from.After) * time.Second))
	return export.Resolution(period, age-45*time.Minute) != period
}

// cacheless says that the metrics on record have no row of the cache, though there is one: such an export is never complete.
func (r *run) cacheless() bool {
	return r.cache() != nil && r.state.Metrics != nil && r.recordOf(export.KindMetrics) != nil &&
		!slices.ContainsFunc(r.state.Metrics.Sources, func(s export.Source) bool { return s.Name != r.cfg.Service && s.SeriesFound > 0 })
}

// hopeless says that the exports will never be complete, a day after the load: there is nothing to read, and CloudWatch has nothing to add any more.
func (r *run) hopeless() bool {
	w := r.state.Window
	return w != nil && r.clock.Now().After(w.End.Add(alarmLate)) && (r.cacheless() || !w.Start.Before(w.End))
}

// exportLogs covers more than the metrics: from the run's start, where the engine's log begins, to a minute after the load's end, because
// a task's clock is not ECS's.
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
		sum, err := export.LogsJob{API: r.aws.Logs, Clock: r.clock, Groups: r.cfg.logGroups(), Rate: export.LogsRate(r.aws.Region),
			Window: export.Window{Start: r.begun, End: r.state.Window.End.Add(time.Minute)}, Until: r.until(ctx), From: p.Position.Logs, Budget: r.cfg.PageBytes}.Write(ctx, w)
		if err == nil {
			r.state.Logs = &sum
		}
		return err
	}))
}

// writer writes an object from Progress on.
type writer func(context.Context, export.Sink, *Progress) error

// upload makes one object, unless it is there and on record, and puts it on record. When the time is up it leaves the upload open, for the
// next invocation to carry on from its last part; after an error it leaves nothing.
func (r *run) upload(ctx context.Context, object export.Object, header int64, write writer) error {
	if r.unread {
		return pending("the record of what was exported before could not be read")
	}
	if r.unsaved { // the record says what the object covers: an object that is richer than its record is nobody's
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if (r.action == ActionExport && r.state.Complete || r.state.Outgrown || r.cacheless() && object.Kind == export.KindMetrics) && r.recordOf(object.Kind) != nil {
		return r.renew(ctx, object, header, write)
	}
	there, err := r.there(ctx, object)
	if errors.Is(err, errOther) {
		return r.renew(ctx, object, header, write)
	}
	if there || err != nil {
		return err
	}
	return r.make(ctx, object, "", header, write)
}

// errOther is an object that is not the one on record: an attempt to replace it was cut off before its record, or somebody else changed it.
var errOther = errors.New("not the object on record")

// make makes one object, in the place of the one with the ETag over, if that is set.
func (r *run) make(ctx context.Context, object export.Object, over string, header int64, write writer) error {
	var err error
	p := r.state.Progress
	if p != nil && p.Object.Kind != object.Kind {
		return pending("the upload of s3://" + r.cfg.Bucket + "/" + p.Object.Key + " goes first")
	}
	if p == nil || p.ToolVersion != toolVersion() || p.Position == (export.Position{}) || r.fades(p.Position.Metrics) {
		p = &Progress{ToolVersion: toolVersion()}
	}
	if r.state.Attempts != 1 {
		kept, err := r.sweep(ctx, object.Key, p.UploadID)
		if err != nil {
			return err
		}
		if !kept {
			p = &Progress{ToolVersion: toolVersion()}
		}
	}
	if object, err = r.fill(ctx, *p, object, over, header, write); err != nil {
		return err
	}
	return r.keep(ctx, object)
}

// keep puts an object on record.
func (r *run) keep(ctx context.Context, object export.Object) error {
	if before := r.recordOf(object.Kind); before != nil {
		object.Replaced = before.Replaced
		if before.SHA256 != object.SHA256 {
			object.Replaced = append(slices.Clone(before.Replaced), export.Replaced{At: r.clock.Now().UTC().Truncate(time.Second), Bytes: before.Bytes, Rows: before.Rows, SHA256: before.SHA256})
			r.news = append(r.news, fmt.Sprintf("%s has %d rows instead of %d", object.Key, object.Rows, before.Rows))
		}
	}
	r.state.Progress = nil
	r.state.Objects = append(slices.DeleteFunc(r.state.Objects, func(o export.Object) bool { return o.Kind == object.Kind }), object)
	return r.save(ctx)
}

// renew reads what an object was made of again, because a person asked for it or it lacks the cache. If CloudWatch has more rows by now, as
// datapoints that came late, the object is replaced; same bytes, or fewer rows, change nothing.
func (r *run) renew(ctx context.Context, object export.Object, header int64, write writer) error {
	r.state.Progress = nil // of an earlier attempt at this
	if _, err := r.sweep(ctx, object.Key, ""); err != nil {
		return err
	}
	known, before := *r.recordOf(object.Kind), r.state
	stand := func() { // what stands is said of what stands
		r.state.Metrics, r.state.Logs, r.state.Window, r.state.PeriodSeconds, r.state.Warnings = before.Metrics, before.Logs, before.Window, before.PeriodSeconds, before.Warnings
	}
	there, etag, err := export.ReadBack(ctx, r.aws.S3, r.cfg.Bucket, r.cfg.owner(r.id), header, object)
	if notFound(err) {
		return r.make(ctx, object, "", header, write)
	}
	if err != nil {
		return err
	}
	now := export.NewTally(header, object)
	if err := write(ctx, now, &Progress{}); err != nil {
		stand()
		return err
	}
	switch fresh := now.Object(); {
	case fresh.SHA256 == there.SHA256 && fresh.SHA256 != known.SHA256: // an earlier attempt at this was cut off before it could say so
		return r.keep(ctx, there)
	case there.Rows > known.Rows && fresh.Rows > there.Rows: // the same, and CloudWatch has still more by now
		return r.make(ctx, object, etag, header, write)
	case there.SHA256 != known.SHA256:
		err = fmt.Errorf("s3://%s/%s has sha256 %s, but %s was exported: someone changed it; remove it and run `RUN=%s go tool mage export`", r.cfg.Bucket, object.Key, there.SHA256, known.SHA256, r.id)
	case fresh.Rows > known.Rows:
		return r.make(ctx, object, etag, header, write)
	}
	stand()
	return err
}

// fill writes one object from p on. A call that hangs cannot eat the reserve.
func (r *run) fill(all context.Context, p Progress, object export.Object, over string, header int64, write writer) (export.Object, error) {
	ctx, done := r.limit(all, r.left(all)-reserve)
	defer done()
	u := export.NewUpload(ctx, r.aws.S3, r.cfg.Bucket, r.cfg.owner(r.id), header, object, func(now export.Progress) error {
		r.turn.take()
		r.state.Progress = &Progress{now, p.ToolVersion, p.Series}
		r.turn.give()
		if err := r.save(ctx); err != nil || now.UploadID == "" {
			return err
		}
		_, err := r.sweep(ctx, object.Key, now.UploadID) // when the answer to its opening is lost, the SDK opens another one
		return err
	})
	var err error
	if over != "" {
		u.Replaces(over)
	}
	if p.UploadID != "" {
		err = u.Resume(p.Progress)
	}
	if err == nil {
		err = write(ctx, u, &p)
	}
	same := false
	if err == nil {
		object, same, err = u.Close()
	}
	if err == nil && !same {
		err = r.recount(ctx, object, p.Series)
	}
	if ctx.Err() != nil && all.Err() == nil && err != nil && !errors.Is(err, export.ErrOutOfTime) {
		err = fmt.Errorf("%w: %w", export.ErrOutOfTime, err)
	}
	switch {
	case err == nil:
	case errors.Is(err, errTaken):
		u.Suspend()
	case errors.Is(err, export.ErrOutOfTime) && r.recorded:
		r.state.Progress = nil
		if now, ok := u.Suspend(); ok {
			r.state.Progress = &Progress{now, p.ToolVersion, p.Series}
		}
		err = errors.Join(err, r.save(all))
	default:
		u.Abort()
		r.state.Progress = nil
	}
	return object, err
}

func (r *run) recordOf(kind string) *export.Object {
	for i, o := range r.state.Objects {
		if o.Kind == kind {
			return &r.state.Objects[i]
		}
	}
	return nil
}

// there says whether the object is on record and still lies as it was recorded.
func (r *run) there(ctx context.Context, object export.Object) (bool, error) {
	known := r.recordOf(object.Kind)
	if known == nil {
		return false, nil
	}
	size, err := r.store.size(ctx, object.Key)
	if size < 0 || err != nil {
		return false, err // someone removed it: it is made again
	}
	if size != known.Bytes {
		return false, errOther
	}
	return true, nil
}

// sweep removes what attempts that were cut off left of uploads, but for the one to keep, and says whether that one is there.
func (r *run) sweep(ctx context.Context, key, keep string) (kept bool, err error) {
	out, err := r.aws.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &r.cfg.Bucket, Prefix: &key})
	if denied(err) {
		return false, fmt.Errorf("list open uploads of s3://%s/%s: allow s3:ListBucketMultipartUploads on the bucket: %w", r.cfg.Bucket, key, err)
	}
	if err != nil {
		return false, fmt.Errorf("list open uploads of s3://%s/%s: %w", r.cfg.Bucket, key, err)
	}
	for _, u := range out.Uploads {
		switch {
		case aws.ToString(u.Key) != key:
			continue
		case aws.ToString(u.UploadId) == keep:
			kept = true
			continue
		}
		_, err := r.aws.S3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &r.cfg.Bucket, Key: &key, UploadId: u.UploadId})
		if err != nil && errorCode(err) != "NoSuchUpload" {
			return false, fmt.Errorf("abort an upload of s3://%s/%s that an earlier attempt left: %w", r.cfg.Bucket, key, err)
		}
	}
	return kept, nil
}

// newer is an error when a later version of this code has completed the run: what it wrote is not understood, and so not replaced.
func (r *run) newer(manifest []byte) error {
	var m struct {
		Schema   int  `json:"schema_version"`
		Complete bool `json:"complete"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil || m.Schema <= export.SchemaVersion || !m.Complete {
		return nil
	}
	return fmt.Errorf("s3://%s/%s is complete and has schema_version %d, this version of elasticache-perf writes %d: export again with the version that wrote it",
		r.cfg.Bucket, r.cfg.ManifestKey(r.id), m.Schema, export.SchemaVersion)
}

// writeManifest says what is there so far. A complete manifest stays as it is while its objects do, and one of a later version in any case.
func (r *run) writeManifest(ctx context.Context) error {
	key := r.cfg.ManifestKey(r.id)
	complete := r.idle && r.state.LoadStopped && (r.state.Window == nil || slices.Contains(r.exported, export.KindMetrics) && slices.Contains(r.exported, export.KindLogs))
	there, etag, err := r.store.get(ctx, key)
	if err != nil {
		return err
	}
	if err := r.newer(there); err != nil {
		r.log.Warn("the manifest stays", "reason", err)
		r.state.Complete = true
		return r.save(ctx)
	}
	if there != nil {
		before, err := export.ParseManifest(there)
		if err == nil && before.Complete && (!complete || reflect.DeepEqual(before.Objects, r.objects())) {
			r.state.Complete = true
			return nil
		}
	}
	m := r.manifest(complete)
	if _, err := r.store.put(ctx, key, m, etag, nobodys); err != nil {
		return err
	}
	r.state.Complete = complete
	return r.save(ctx)
}

func (r *run) manifest(complete bool) export.Manifest {
	m := export.Manifest{SchemaVersion: export.SchemaVersion, Name: r.cfg.Name, Run: r.id, ToolVersion: toolVersion(), Complete: complete,
		CreatedAt: r.clock.Now().UTC().Truncate(time.Second), Attempts: r.state.Attempts, APIEndpoint: r.aws.Endpoint, Region: r.aws.Region, Window: r.state.Window, LoadStart: r.state.LoadStart,
		Settings: json.RawMessage(r.cfg.Settings), Membership: r.state.Membership, Tasks: append([]export.Task{}, r.state.Tasks...),
		Objects: r.objects(), Metrics: r.state.Metrics, Logs: r.state.Logs, Warnings: append([]string{}, r.state.Warnings...)}
	if m.Metrics != nil {
		for _, s := range m.Metrics.Sources {
			if s.MinutesFound+1 < m.Metrics.MinutesExpected { // the last minute may hold seconds of load alone, and AWS then has no datapoint of it
				m.Warnings = append(m.Warnings, fmt.Sprintf("metrics of %s: %d of %d minutes", s.Name, s.MinutesFound, m.Metrics.MinutesExpected))
			}
		}
		m.Warnings = append(m.Warnings, m.Metrics.Messages...)
	}
	if m.Logs != nil {
		m.Warnings = append(m.Warnings, m.Logs.Messages...)
	}
	m.Warnings = append(m.Warnings, r.troubles()...)
	return m
}

// objects are those on record, in the manifest's order.
func (r *run) objects() []export.Object {
	all := []export.Object{}
	for _, kind := range []string{export.KindMetrics, export.KindLogs} {
		if o := r.recordOf(kind); o != nil {
			all = append(all, *o)
		}
	}
	return all
}

// toolVersion is the module's version in the binary, or its commit, or neither, and what tells its exports from those of other builds.
func toolVersion() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && version == "(devel)" {
				version = s.Value
			}
		}
	}
	return version + " format " + export.Format()
}
