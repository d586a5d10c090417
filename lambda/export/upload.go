package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
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
const partSize = 8 << 20

// Metadata is the user metadata that says whose an object is: x-amz-meta-run, "NAME/RUN".
const Metadata = "run"

// Upload is an io.Writer to one new object. It holds one part in memory. Nothing is under the key before Close, and an object that is
// already there is never replaced.
type Upload struct {
	ctx    context.Context
	api    S3API
	bucket string
	owner  string
	header int64
	object Object

	part   []byte
	sum    hash.Hash
	id     *string // of the multipart upload, nil while one part is enough
	parts  []types.CompletedPart
	closed bool
}

// NewUpload begins an object: kind, key and content type are object's. owner is the value of its run metadata. header is the number of
// lines at its top that are no rows.
func NewUpload(ctx context.Context, api S3API, bucket, owner string, header int64, object Object) *Upload {
	return &Upload{ctx: ctx, api: api, bucket: bucket, owner: owner, header: header, object: object, sum: sha256.New()}
}

// Write takes p into the current part and uploads the part when it is full.
func (u *Upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if u.part == nil {
			u.part = make([]byte, 0, partSize)
		}
		if len(u.part) == partSize {
			if err := u.flush(); err != nil {
				return written, err
			}
		}
		n := min(len(p), partSize-len(u.part))
		u.part, p, written = append(u.part, p[:n]...), p[n:], written+n
	}
	return written, nil
}

// take counts the part into the object's record.
func (u *Upload) take() {
	u.sum.Write(u.part)
	u.object.Bytes += int64(len(u.part))
	u.object.Rows += int64(bytes.Count(u.part, []byte{'\n'}))
}

func (u *Upload) flush() error {
	if u.id == nil {
		// The SDK sends a CRC32 with each part, which S3 takes only when the upload was begun with that algorithm.
		out, err := u.api.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ContentType: &u.object.ContentType, Metadata: map[string]string{Metadata: u.owner}})
		if err != nil {
			return u.fail("begin the upload of", err)
		}
		u.id = out.UploadId
	}
	number := aws.Int32(int32(len(u.parts) + 1))
	out, err := u.api.UploadPart(u.ctx, &s3.UploadPartInput{Bucket: &u.bucket, Key: &u.object.Key, UploadId: u.id, PartNumber: number,
		Body: bytes.NewReader(u.part)})
	if err != nil {
		return u.fail(fmt.Sprintf("upload part %d of", *number), err)
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
		ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256})
	u.take()
	u.part = u.part[:0]
	return nil
}

// Close puts the object under its key and returns its record. When an object of the same run is there already, that one stands and its
// record is returned: an earlier attempt wrote it and was cut off before it could say so. An object of another run is an error.
func (u *Upload) Close() (Object, error) {
	if u.closed {
		return Object{}, fmt.Errorf("s3://%s/%s was closed before", u.bucket, u.object.Key)
	}
	u.closed = true
	var err error
	if u.id == nil {
		u.take()
		_, err = u.api.PutObject(u.ctx, &s3.PutObjectInput{Bucket: &u.bucket, Key: &u.object.Key, ContentType: &u.object.ContentType,
			Metadata: map[string]string{Metadata: u.owner}, Body: bytes.NewReader(u.part), IfNoneMatch: aws.String("*")})
	} else if err = u.flush(); err == nil {
		_, err = u.api.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.bucket, Key: &u.object.Key, UploadId: u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}, IfNoneMatch: aws.String("*")})
	}
	u.part = nil
	switch {
	case err == nil:
		u.object.SHA256 = hex.EncodeToString(u.sum.Sum(nil))
		u.object.Rows -= u.header
		return u.object, nil
	case errorCode(err) == "PreconditionFailed", errorCode(err) == "NoSuchUpload":
		// NoSuchUpload: a Complete whose answer was lost is sent again by the SDK, and finds the upload gone.
		u.abort()
		return u.adopt(err)
	}
	u.abort()
	return Object{}, u.fail("finish", err)
}

// adopt records the object that is there, if it is this run's.
func (u *Upload) adopt(cause error) (Object, error) {
	out, err := u.api.GetObject(u.ctx, &s3.GetObjectInput{Bucket: &u.bucket, Key: &u.object.Key})
	if err != nil {
		return Object{}, u.fail("finish", errors.Join(cause, err))
	}
	defer out.Body.Close()
	if owner := out.Metadata[Metadata]; owner != u.owner {
		return Object{}, &ForeignError{Bucket: u.bucket, Key: u.object.Key, Owner: owner, Want: u.owner}
	}
	found := Object{Kind: u.object.Kind, Key: u.object.Key, ContentType: u.object.ContentType, Rows: -u.header}
	sum, buffer := sha256.New(), make([]byte, 1<<20)
	for {
		n, err := out.Body.Read(buffer)
		sum.Write(buffer[:n])
		found.Bytes += int64(n)
		found.Rows += int64(bytes.Count(buffer[:n], []byte{'\n'}))
		if err == io.EOF {
			found.SHA256 = hex.EncodeToString(sum.Sum(nil))
			return found, nil
		}
		if err != nil {
			return Object{}, u.fail("read back", err)
		}
	}
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
