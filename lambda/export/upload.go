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

// partSize is above S3's minimum of 5 MiB for all parts but the last, and 10,000 parts are 80 GB:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
// A part ends at the first mark after partSize; a writer without marks gets parts of maxPart.
const (
	partSize = 8 << 20
	maxPart  = 2 * partSize
)

// recordEvery is the number of parts between two records: a crash can lose half a gigabyte of the export.
const recordEvery = 32

// Metadata is the user metadata that names an object's owner: x-amz-meta-run, "NAME/RUN".
const Metadata = "run"

// Sink takes a job's bytes. Between two rows the job asks whether a mark is Due, and then marks its position: a later job that starts there
// writes the bytes that follow.
type Sink interface {
	io.Writer
	Due() bool
	Mark(Position) error
}

// Position is a position between two rows; one member is set.
type Position struct {
	Metrics *MetricsPosition `json:"metrics,omitempty"`
	Logs    *LogsPosition    `json:"logs,omitempty"`
}

// Progress is an upload that another invocation can continue: what is in S3, and the position in the data where it ends.
type Progress struct {
	Object   Object   `json:"object"`              // the part uploaded so far, without a checksum
	UploadID string   `json:"upload_id,omitempty"` // empty: the upload is about to be opened
	Parts    []Part   `json:"parts,omitempty"`
	Sum      []byte   `json:"sum,omitempty"` // SHA-256's internal state
	Position Position `json:"position"`
}

// Part is an uploaded part; its number is its position in the list, from 1.
type Part struct {
	ETag  string `json:"etag"`
	CRC32 string `json:"crc32"`
}

// Upload is a Sink for one new object. It holds one part in memory. The object is written by Close. An existing object is replaced if it is the
// one that Replaces names, or does not have more rows.
type Upload struct {
	ctx    context.Context
	api    S3API
	bucket string
	owner  string
	header int64
	object Object
	record func(Progress) error
	over   *string // ETag of the object to replace

	part   []byte
	sum    hash.Hash
	id     *string // of the multipart upload; nil while one part is enough
	parts  []Part
	named  int      // parts at the last record that names the upload
	marked Progress // as of the last mark
	closed bool
}

// NewUpload starts an object with the kind, key and content type of object. owner is the value of its run metadata. header is the number of
// header lines. record saves the progress for a later invocation: before a multipart upload is opened, so that every open one is recorded, then
// with its first part, and then every recordEvery parts. Progress without a position cannot be continued.
func NewUpload(ctx context.Context, api S3API, bucket, owner string, header int64, object Object, record func(Progress) error) *Upload {
	return &Upload{ctx: ctx, api: api, bucket: bucket, owner: owner, header: header, object: object, record: record, sum: sha256.New()}
}

// Replaces lets Close replace the object that has this ETag.
func (u *Upload) Replaces(etag string) { u.over = &etag }

// Resume continues an earlier invocation's upload from its last mark.
func (u *Upload) Resume(p Progress) error {
	if err := u.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(p.Sum); err != nil {
		return u.fail("resume", err)
	}
	u.object, u.id, u.parts, u.marked = p.Object, &p.UploadID, slices.Clone(p.Parts), p
	u.named = len(u.parts)
	return nil
}

// Write adds p to the current part.
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

// Due reports whether the part is full.
func (u *Upload) Due() bool { return len(u.part) >= partSize }

// Mark uploads the part, which ends at this position.
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

// name records the upload every recordEvery parts, as of the mark p if there was one.
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

// Suspend leaves the upload open for a later invocation; ok is false if there is nothing to continue, and the upload is aborted.
func (u *Upload) Suspend() (p Progress, ok bool) {
	if u.marked.UploadID == "" {
		u.Abort()
		return Progress{}, false
	}
	u.closed, u.part = true, nil
	return u.marked, true
}

// take adds the part to the object's size, rows and checksum.
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
		// Parts have the checksum that the upload was created with, whatever AWS_REQUEST_CHECKSUM_CALCULATION is.
		out, err := u.api.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ContentType: &u.object.ContentType, Metadata: map[string]string{Metadata: u.owner}})
		if err != nil {
			return u.fail("start the upload of", err)
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

// Close writes the object and returns the record of the object that is then under its key; same means that it has the bytes written here. An
// existing object of the same run is from an attempt that was cut off before it recorded it. It is kept if it has more rows, and is replaced
// otherwise, because an export's summary is counted while writing. An object of another run is an error. After an error, abort or suspend the upload.
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
		// Before the write: it is not documented whether an upload survives a refused write.
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
		for range 4 { // retry on a concurrent write: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax
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
		// After a lost answer the SDK repeats the write, which then finds its own object, or finds the upload gone.
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

// complete combines the parts to the object.
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

// none is the condition that no object exists yet.
func (u *Upload) none() *string {
	if u.over != nil {
		return nil
	}
	return aws.String("*")
}

// ReadBack returns the record and the ETag of the existing object; a *ForeignError means that it is not the owner's.
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

// Tally is a Sink that only counts: it keeps the object's record, not the bytes.
type Tally struct {
	object Object
	sum    hash.Hash
}

// NewTally starts an object of this kind, key and content type; header is the number of header lines.
func NewTally(header int64, object Object) *Tally {
	return &Tally{Object{Kind: object.Kind, Key: object.Key, ContentType: object.ContentType, Rows: -header}, sha256.New()}
}

// Write counts p.
func (t *Tally) Write(p []byte) (int, error) {
	t.object.Bytes += int64(len(p))
	t.object.Rows += int64(bytes.Count(p, []byte{'\n'}))
	return t.sum.Write(p)
}

// Due is always false.
func (t *Tally) Due() bool { return false }

// Mark is never called.
func (t *Tally) Mark(Position) error { return nil }

// Object is the record of what was written.
func (t *Tally) Object() Object {
	o := t.object
	o.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	return o
}

// Abort removes the upload's parts from the bucket. After Close it does nothing.
func (u *Upload) Abort() {
	if !u.closed {
		u.closed = true
		u.abort()
	}
}

// abort uses its own context, because the run's may have ended. What it cannot remove, the next attempt removes.
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

// ForeignError means that an object of another stack or run is under a key of this run.
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
