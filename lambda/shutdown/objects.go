package shutdown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// writer writes an object from Progress on.
type writer func(context.Context, export.Sink, *Progress) error

// upload writes and records one object, unless it exists and is recorded. When the time is up it leaves the upload open, so that the next
// invocation continues after its last part; after an error it leaves nothing.
func (r *run) upload(ctx context.Context, object export.Object, header int64, write writer) error {
	if r.unread {
		return pending("the record of what was exported before could not be read")
	}
	if r.unsaved { // the record first: an object that covers more than its record is not recognized
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if (r.action == ActionExport && r.state.Complete || r.state.Outgrown || r.hasNoCacheRows() && object.Kind == export.KindMetrics) && r.recordOf(object.Kind) != nil {
		return r.refresh(ctx, object, header, write)
	}
	there, err := r.unchanged(ctx, object, header)
	if errors.Is(err, errOther) {
		return r.refresh(ctx, object, header, write)
	}
	if there || err != nil {
		return err
	}
	return r.create(ctx, object, "", header, write)
}

// errOther means that the object is not the recorded one: an attempt replaced it and was cut off before recording it, or somebody changed it.
var errOther = errors.New("not the object on record")

// create writes one object. If the ETag over is set, it replaces the object that has it.
func (r *run) create(ctx context.Context, object export.Object, over string, header int64, write writer) error {
	var err error
	p := r.state.Progress
	if p != nil && p.Object.Kind != object.Kind {
		return pending("the upload of s3://" + r.cfg.Bucket + "/" + p.Object.Key + " goes first")
	}
	if p == nil || p.ToolVersion != toolVersion() || p.Position == (export.Position{}) || r.expiresSoon(p.Position.Metrics) {
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
	return r.keepRecord(ctx, object)
}

// keepRecord records an object.
func (r *run) keepRecord(ctx context.Context, object export.Object) error {
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

// refresh reads an object's data again, because a person asked for it or the cache's data is missing in it. If CloudWatch has more rows by now, such as
// late datapoints, the object is replaced; the same bytes, or fewer rows, change nothing.
func (r *run) refresh(ctx context.Context, object export.Object, header int64, write writer) error {
	r.state.Progress = nil // of an earlier refresh
	if _, err := r.sweep(ctx, object.Key, ""); err != nil {
		return err
	}
	known, before := *r.recordOf(object.Kind), r.state
	restoreSummary := func() { // the summary must describe the object that is kept
		r.state.Metrics, r.state.Logs, r.state.Window, r.state.PeriodSeconds, r.state.Warnings = before.Metrics, before.Logs, before.Window, before.PeriodSeconds, before.Warnings
	}
	there, etag, err := export.ReadBack(ctx, r.aws.S3, r.cfg.Bucket, r.cfg.Owner(r.id), header, object)
	if notFound(err) {
		return r.create(ctx, object, "", header, write)
	}
	if err != nil {
		return err
	}
	now := export.NewTally(header, object)
	if err := write(ctx, now, &Progress{}); err != nil {
		restoreSummary()
		return err
	}
	switch fresh := now.Object(); {
	case fresh.SHA256 == there.SHA256 && fresh.SHA256 != known.SHA256: // an earlier refresh was cut off before it recorded the object
		return r.keepRecord(ctx, there)
	case there.Rows > known.Rows && fresh.Rows > there.Rows: // the same, and CloudWatch has even more rows by now
		return r.create(ctx, object, etag, header, write)
	case there.SHA256 != known.SHA256:
		err = fmt.Errorf("s3://%s/%s has sha256 %s, but %s was exported: someone changed it; remove it and run `RUN=%s go tool mage export`", r.cfg.Bucket, object.Key, there.SHA256, known.SHA256, r.id)
	case fresh.Rows > known.Rows:
		return r.create(ctx, object, etag, header, write)
	}
	restoreSummary()
	return err
}

// fill writes one object, from p on. A hanging call cannot use up the reserve.
func (r *run) fill(all context.Context, p Progress, object export.Object, over string, header int64, write writer) (export.Object, error) {
	ctx, done := r.limit(all, r.left(all)-reserve)
	defer done()
	u := export.NewUpload(ctx, r.aws.S3, r.cfg.Bucket, r.cfg.Owner(r.id), header, object, func(now export.Progress) error {
		r.turn.take()
		r.state.Progress = &Progress{now, p.ToolVersion, p.Series}
		r.turn.give()
		if err := r.save(ctx); err != nil || now.UploadID == "" {
			return err
		}
		_, err := r.sweep(ctx, object.Key, now.UploadID) // if the answer to CreateMultipartUpload is lost, the SDK opens a second upload
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

// unchanged reports whether the object is recorded and unchanged. Before the manifest is complete its bytes are read, because `complete` guarantees them.
// After that the manifest's sha256 proves them, and only the size is checked.
func (r *run) unchanged(ctx context.Context, object export.Object, header int64) (bool, error) {
	known := r.recordOf(object.Kind)
	if known == nil {
		return false, nil
	}
	brief, done := r.brief(ctx)
	defer done()
	size, err := r.store.size(brief, object.Key)
	if size < 0 || err != nil {
		return false, err // somebody removed it: it is exported again
	}
	if size != known.Bytes {
		return false, errOther
	}
	if r.state.Complete {
		return true, nil
	}
	lies, _, err := export.ReadBack(ctx, r.aws.S3, r.cfg.Bucket, r.cfg.Owner(r.id), header, object)
	if err != nil {
		return false, err
	}
	if lies.SHA256 != known.SHA256 {
		return false, errOther
	}
	return true, nil
}

// sweep aborts the open uploads of interrupted attempts, except the one to keep, and reports whether that one exists.
func (r *run) sweep(ctx context.Context, key, keep string) (kept bool, err error) {
	ctx, done := r.brief(ctx)
	defer done()
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
			return false, fmt.Errorf("abort an upload of s3://%s/%s left by an earlier attempt: %w", r.cfg.Bucket, key, err)
		}
	}
	return kept, nil
}
