package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

func TestMultipart(t *testing.T) {
	w := start(t)
	data := make([]byte, 12<<20)
	_, _ = rand.Read(data)
	up := manager.NewUploader(w.Client)
	send := func(ctx context.Context, key string, none *string) error {
		_, err := up.Upload(ctx, &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: struct{ io.Reader }{bytes.NewReader(data)}, IfNoneMatch: none,
			ContentType: aws.String("text/plain"), Metadata: map[string]string{"run": "r"}})
		return err
	}
	require.NoError(t, send(t.Context(), "big", aws.String("*")))
	require.Equal(t, data, []byte(w.get(t, "big")))
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("big"), ChecksumMode: types.ChecksumModeEnabled})
	require.NoError(t, err)
	require.Regexp(t, `^"[0-9a-f]{32}-3"$`, *head.ETag)
	require.Regexp(t, `-3$`, *head.ChecksumCRC32)
	require.Equal(t, types.ChecksumTypeComposite, head.ChecksumType)
	require.Equal(t, "r", head.Metadata["run"])

	// So does If-Match: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
	over := func(key, etag string) error {
		created, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
		require.NoError(t, err)
		id := created.UploadId
		part, err := w.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String(bucket), Key: &key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("new")})
		require.NoError(t, err)
		_, err = w.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: &key, UploadId: id, IfMatch: &etag,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32}}}})
		if err != nil {
			_, e := w.AbortMultipartUpload(t.Context(), &sdk.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: &key, UploadId: id})
			require.NoError(t, e)
		}
		return err
	}
	require.Equal(t, "PreconditionFailed", code(over("big", `"0-1"`)))
	require.Equal(t, "NoSuchKey", code(over("none", *head.ETag)))
	require.Equal(t, data, []byte(w.get(t, "big")))
	require.NoError(t, over("big", *head.ETag))
	require.Equal(t, "new", w.get(t, "big"))

	// CompleteMultipartUpload keeps the promise of If-None-Match as PutObject does; the uploader then aborts.
	require.Equal(t, "PreconditionFailed", code(errors.Unwrap(send(t.Context(), "big", aws.String("*")))))
	left, err := w.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Empty(t, left.Uploads)
	files, err := filepath.Glob(filepath.Join(w.acct.Dir, "s3meta", ".uploads", "*"))
	require.NoError(t, err)
	require.Empty(t, files)
}

// An upload that is refused before it is read is refused all the same.
func TestRefusedUploadsAreAnswered(t *testing.T) {
	w := start(t)
	w.s3.ReadOnly(bucket, true)
	for range 30 {
		_, err := w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: bytes.NewReader(make([]byte, 8<<20))},
			func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
		require.Equal(t, "AccessDenied", code(err), "%v", err)
	}
}

func TestMultipartStrictness(t *testing.T) {
	w := start(t)
	key := aws.String("parts")
	up, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	require.NoError(t, err)
	require.Equal(t, types.ChecksumTypeComposite, up.ChecksumType)
	part := func(n int32, size int) types.CompletedPart {
		out, err := w.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(make([]byte, size))})
		require.NoError(t, err)
		return types.CompletedPart{ETag: out.ETag, PartNumber: &n, ChecksumCRC32: out.ChecksumCRC32}
	}
	complete := func(parts ...types.CompletedPart) error {
		_, err := w.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return err
	}
	small, large, last := part(1, 5<<20-1), part(2, 5<<20), part(3, 1)
	require.Equal(t, "EntityTooSmall", code(complete(small, large, last)))
	require.Equal(t, "InvalidPartOrder", code(complete(last, large)))
	require.Equal(t, "InvalidPartOrder", code(complete(large, large)))
	require.Equal(t, "InvalidPart", code(complete(types.CompletedPart{ETag: aws.String("x"), PartNumber: aws.Int32(2), ChecksumCRC32: large.ChecksumCRC32})))
	require.Equal(t, "InvalidPart", code(complete(large, types.CompletedPart{ETag: aws.String("x"), PartNumber: aws.Int32(9), ChecksumCRC32: large.ChecksumCRC32})))
	require.Equal(t, "InvalidRequest", code(complete(types.CompletedPart{ETag: large.ETag, PartNumber: large.PartNumber})))
	require.Equal(t, "MalformedXML", code(complete()))
	_, err = w.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(4), Body: strings.NewReader("x"), ChecksumAlgorithm: types.ChecksumAlgorithmSha1})
	require.Equal(t, "InvalidRequest", code(err))
	_, err = w.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(10_001), Body: strings.NewReader("x")})
	require.Equal(t, "InvalidArgument", code(err))

	uploads, err := w.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: aws.String(bucket), Prefix: aws.String("par")})
	require.NoError(t, err)
	require.Equal(t, *up.UploadId, *uploads.Uploads[0].UploadId)

	require.NoFileExists(t, w.file("parts")) // nothing under the final key before the end
	require.NoError(t, complete(large, last))
	require.FileExists(t, w.file("parts"))
	require.Equal(t, "NoSuchUpload", code(complete(large, last)))
	_, err = w.AbortMultipartUpload(t.Context(), &sdk.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: key, UploadId: up.UploadId})
	require.Equal(t, "NoSuchUpload", code(err))
}
