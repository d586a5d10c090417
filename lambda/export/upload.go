package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// S3API writes an object and reads one back.
type S3API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

// partSize is over the 5 MiB that every part but the last must have, and 10,000 parts of it are 80 GB:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
// A part ends at the first mark behind partSize; a writer that gives no marks gets parts of maxPart.
const (
	partSize = 8 << 20
	maxPart  = 2 * partSize
)

// recordEvery is how many parts go out between two records: what a crash can cost is half a gigabyte of the export.
const recordEvery = 32

// Metadata is the user metadata that says whose an object is: x-amz-meta-run, "NAME/RUN".
const Metadata = "run"

// Sink takes the bytes of a job. Between two rows the job asks whether a mark is Due and says where it stands: a later job that begins
// there writes the bytes that follow.
type Sink interface {
	io.Writer
	Due() bool
	Mark(Position) error
}

// Position is a place between two rows: one of its members is set.
type Position struct {
	Metrics *MetricsPosition `json:"metrics,omitempty"`
	Logs    *LogsPosition    `json:"logs,omitempty"`
}

// Progress is an upload that another invocation can carry on: what lies in S3, and the place in the data where it ends.
type Progress struct {
	Object   Object   `json:"object"`              // as far as it was uploaded, without a checksum yet
	UploadID string   `json:"upload_id,omitempty"` // empty: the upload is about to be opened
	Parts    []Part   `json:"parts,omitempty"`
	Sum      []byte   `json:"sum,omitempty"` // SHA-256's inner state
	Position Position `json:"position"`
}

// Part is an uploaded part; its number is its place in the list, from 1 on.
type Part struct {
	ETag  string `json:"etag"`
	CRC32 string `json:"crc32"`
}

// Upload is a Sink for one new object. It holds one part in memory. Nothing is under the key before Close, and an object that is
// already there is replaced when it is the one that Replaces names, or has no more rows.
type Upload struct {
	ctx    context.Context
	api    S3API
	bucket string
	owner  string
	header int64
	object Object
	record func(Progress) error
	over   *string // ETag of the object that is replaced

	part   []byte
	sum    hash.Hash
	id     *string // of the multipart upload, nil while one part is enough
	parts  []Part
	named  int      // parts at the last record that names the upload
	marked Progress // as of the last mark
	closed bool
}

// NewUpload begins an object: kind, key and content type are object's. owner is the value of its run metadata. header is the number of
// lines at its top that are no rows. record keeps the progress for a later invocation: first before a multipart upload is opened, so that
// none is ever open that no record names, then with its first part, and now and again. One with no position cannot be carried on.
func NewUpload(ctx context.Context, api S3API, bucket, owner string, header int64, object Object, record func(Progress) error) *Upload {
	return &Upload{ctx: ctx, api: api, bucket: bucket, owner: owner, header: header, object: object, record: record, sum: sha256.New()}
}

// Replaces lets Close put the object in the place of the one that has this ETag.
func (u *Upload) Replaces(etag string) { u.over = &etag }

// Resume goes on where an earlier invocation's upload stood at its last mark.
func (u *Upload) Resume(p Progress) error {
	if err := u.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(p.Sum); err != nil {
		return u.fail("resume", err)
	}
	u.object, u.id, u.parts, u.marked = p.Object, &p.UploadID, slices.Clone(p.Parts), p
	u.named = len(u.parts)
	return nil
}

// Write takes p into the current part.
func (u *Upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if u.part == nil {
			u.part = make([]byte, 0, partSize+partSize/8)
		}
		if len(u.part) == maxPart {
			err := u.flush()
			if err == nil {
				err = u.name(u.marked)
			}
			if err != nil {
				return written, err
			}
		}
		n := min(len(p), maxPart-len(u.part))
		u.part, p, written = append(u.part, p[:n]...), p[n:], written+n
	}
	return written, nil
}

// Due says that the part is full.
func (u *Upload) Due() bool { return len(u.part) >= partSize }

// Mark uploads the part, which ends at position.
func (u *Upload) Mark(position Position) error {
	if err := u.flush(); err != nil {
		return err
	}
	sum, err := u.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return u.fail("mark", err)
	}
	p := Progress{Object: u.object, UploadID: *u.id, Parts: slices.Clip(u.parts), Sum: sum, Position: position}
	if err := u.name(p); err != nil {
		return err
	}
	u.marked = p
	return nil
}

// name has the upload on record now and again, as of the mark p if there was one.
func (u *Upload) name(p Progress) error {
	if u.named > 0 && len(u.parts)-u.named < recordEvery {
		return nil
	}
	if p.UploadID == "" {
		p = Progress{Object: Object{Kind: u.object.Kind, Key: u.object.Key, ContentType: u.object.ContentType}, UploadID: *u.id}
	}
	if err := u.record(p); err != nil {
		return err
	}
	u.named = len(u.parts)
	return nil
}

// Suspend leaves the upload open for a later invocation; ok is false when there is nothing to carry on, and the upload is gone.
func (u *Upload) Suspend() (p Progress, ok bool) {
	if u.marked.UploadID == "" {
		u.Abort()
		return Progress{}, false
	}
	u.closed, u.part = true, nil
	return u.marked, true
}

// take counts the part into the object's record.
func (u *Upload) take() {
	u.sum.Write(u.part)
	u.object.Bytes += int64(len(u.part))
	u.object.Rows += int64(bytes.Count(u.part, []byte{'\n'}))
}

func (u *Upload) flush() error {
	if u.id == nil {
		if err := u.record(Progress{Object: u.object}); err != nil {
			return err
		}
		// Parts bring the checksum that the upload was started with, whatever AWS_REQUEST_CHECKSUM_CALCULATION says.
		out, err := u.api.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ContentType: &u.object.ContentType, Metadata: map[string]string{Metadata: u.owner}})
		if err != nil {
			return u.fail("begin the upload of", err)
		}
		u.id = out.UploadId
	}
	number := aws.Int32(int32(len(u.parts) + 1))
	out, err := u.api.UploadPart(u.ctx, &s3.UploadPartInput{Bucket: &u.bucket, Key: &u.object.Key, UploadId: u.id, PartNumber: number,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, Body: bytes.NewReader(u.part)})
	if err != nil {
		return u.fail(fmt.Sprintf("upload part %d of", *number), err)
	}
	u.parts = append(u.parts, Part{aws.ToString(out.ETag), aws.ToString(out.ChecksumCRC32)})
	u.take()
	u.part = u.part[:0]
	return nil
}

// Close puts the object under its key and returns the record of what lies there then; same says that these are the bytes that were written
// here. An object of the same run that is there already is of an attempt that was cut off before it could say so: it stands when it has more
// rows, and is replaced otherwise, because what is said of an export is what was counted on the way. An object of another run is an error. After
// an error the upload is still to be aborted or suspended.
func (u *Upload) Close() (object Object, same bool, err error) {
	if u.closed {
		return Object{}, false, fmt.Errorf("s3://%s/%s was closed before", u.bucket, u.object.Key)
	}
	switch {
	case u.id == nil:
		u.take()
	case len(u.part) > 0:
		if err := u.flush(); err != nil {
			return Object{}, false, u.fail("finish", err)
		}
	}
	object = u.object
	object.SHA256 = hex.EncodeToString(u.sum.Sum(nil))
	object.Rows -= u.header
	if u.over == nil {
		// Before the write: whether an upload survives one that was refused is not documented.
		found, etag, err := ReadBack(u.ctx, u.api, u.bucket, u.owner, u.header, object)
		switch {
		case errorCode(err) == "NoSuchKey":
		case err != nil:
			return Object{}, false, err
		case found.SHA256 == object.SHA256, found.Rows > object.Rows:
			u.part = nil
			u.Abort()
			return found, found.SHA256 == object.SHA256, nil
		default:
			u.over = &etag
		}
	}
	if u.id == nil {
		for range 4 { // a write at the same moment is no answer yet: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax
			_, err = u.api.PutObject(u.ctx, &s3.PutObjectInput{Bucket: &u.bucket, Key: &u.object.Key, ContentType: &u.object.ContentType,
				Metadata: map[string]string{Metadata: u.owner}, Body: bytes.NewReader(u.part), IfNoneMatch: u.none(), IfMatch: u.over})
			if errorCode(err) != "ConditionalRequestConflict" {
				break
			}
		}
	} else {
		err = u.complete()
	}
	switch code := errorCode(err); {
	case err == nil:
		u.closed, u.part = true, nil
		return object, true, nil
	case code == "PreconditionFailed", code == "NoSuchUpload":
		// A write whose answer was lost is sent again by the SDK, and meets itself, or finds the upload gone.
		u.part = nil
		found, _, e := ReadBack(u.ctx, u.api, u.bucket, u.owner, u.header, object)
		if e == nil && found.SHA256 != object.SHA256 {
			e = errors.New("someone changed it meanwhile")
		}
		if e != nil {
			return Object{}, false, u.fail("finish", errors.Join(err, e))
		}
		u.Abort()
		return found, true, nil
	}
	return Object{}, false, u.fail("finish", err)
}

// complete makes the parts an object.
func (u *Upload) complete() error {
	parts := make([]types.CompletedPart, len(u.parts))
	for i, p := range u.parts {
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: &p.ETag}
		if p.CRC32 != "" {
			parts[i].ChecksumCRC32 = &p.CRC32
		}
	}
	_, err := u.api.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key, UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, IfNoneMatch: u.none(), IfMatch: u.over})
	return err
}

// none is the condition that there is no object yet.
func (u *Upload) none() *string {
	if u.over != nil {
		return nil
	}
	return aws.String("*")
}

// ReadBack is the record and the ETag of the object that is there, if it is the owner's; *ForeignError says that it is not.
func ReadBack(ctx context.Context, api S3API, bucket, owner string, header int64, object Object) (Object, string, error) {
	out, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &object.Key})
	if err != nil {
		return Object{}, "", fmt.Errorf("read back s3://%s/%s: %w", bucket, object.Key, err)
	}
	defer out.Body.Close()
	if got := out.Metadata[Metadata]; got != owner {
		return Object{}, "", &ForeignError{Bucket: bucket, Key: object.Key, Owner: got, Want: owner}
	}
	t := NewTally(header, object)
	if _, err := io.Copy(t, out.Body); err != nil {
		return Object{}, "", fmt.Errorf("read back s3://%s/%s: %w", bucket, object.Key, err)
	}
	return t.Object(), aws.ToString(out.ETag), nil
}

// Tally is a Sink that keeps of the bytes only what an object's record says of them.
type Tally struct {
	object Object
	sum    hash.Hash
}

// NewTally begins an object of this kind, key and content type; header is the number of lines at its top that are no rows.
func NewTally(header int64, object Object) *Tally {
	return &Tally{Object{Kind: object.Kind, Key: object.Key, ContentType: object.ContentType, Rows: -header}, sha256.New()}
}

// Write counts p.
func (t *Tally) Write(p []byte) (int, error) {
	t.object.Bytes += int64(len(p))
	t.object.Rows += int64(bytes.Count(p, []byte{'\n'}))
	return t.sum.Write(p)
}

// Due is never.
func (t *Tally) Due() bool { return false }

// Mark is not asked for.
func (t *Tally) Mark(Position) error { return nil }

// Object is the record of what was written.
func (t *Tally) Object() Object {
	o := t.object
	o.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	return o
}

// Abort gives the upload up, so that no part of it stays in the bucket. After Close it does nothing.
func (u *Upload) Abort() {
	if !u.closed {
		u.closed = true
		u.abort()
	}
}

// abort works on a context of its own: the run's may be the reason for giving up. What it cannot remove, the next attempt does.
func (u *Upload) abort() {
	if u.id == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), 10*time.Second)
	defer cancel()
	_, _ = u.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key, UploadId: u.id})
	u.id = nil
}

func (u *Upload) fail(what string, err error) error {
	return fmt.Errorf("%s s3://%s/%s: %w", what, u.bucket, u.object.Key, err)
}

// ForeignError says that an object of another stack or run lies under a key of this run.
type ForeignError struct{ Bucket, Key, Owner, Want string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("s3://%s/%s belongs to run %q, not to %q: move it away, or give this stack a bucket or metrics_export_s3_prefix of its own",
		e.Bucket, e.Key, e.Owner, e.Want)
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
