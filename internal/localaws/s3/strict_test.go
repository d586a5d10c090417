package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"
)

func TestRanges(t *testing.T) {
	w := start(t)
	w.put(t, "ten", "0123456789")
	w.put(t, "none", "")
	for _, c := range []struct{ key, asked, want string }{
		{"ten", "bytes=0-0", "bytes 0-0/10 0"},
		{"ten", "bytes=8-", "bytes 8-9/10 89"},
		{"ten", "bytes=8-99999999999999999999", "bytes 8-9/10 89"},
		{"ten", "bytes=-3", "bytes 7-9/10 789"},
		{"ten", "bytes=-11", "bytes 0-9/10 0123456789"},
		{"ten", "bytes=10-", "InvalidRange"},
		{"ten", "bytes=99999999999999999999-", "InvalidRange"},
		{"ten", "bytes=-0", "InvalidRange"},
		{"ten", "bytes=5-2", " 0123456789"}, // what is no range of bytes, or several, is ignored
		{"ten", "bytes=0-1,3-4", " 0123456789"},
		{"ten", "bytes=-", " 0123456789"},
		{"ten", "bytes=x", " 0123456789"},
		{"ten", "chars=0-1", " 0123456789"},
		{"none", "bytes=0-", "InvalidRange"},
		{"none", "bytes=0-0", "InvalidRange"},
		{"none", "bytes=-0", "InvalidRange"},
		{"none", "bytes=-1", " "},
		{"none", "bytes=x", " "},
	} {
		out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: &c.key, Range: &c.asked})
		if err != nil {
			require.Equal(t, c.want, code(err), "%s of %s", c.asked, c.key)
			continue
		}
		text, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.Equal(t, c.want, aws.ToString(out.ContentRange)+" "+string(text), "%s of %s", c.asked, c.key)
	}
	// A condition is looked at first.
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("ten")})
	require.NoError(t, err)
	_, err = w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("ten"), Range: aws.String("bytes=10-"), IfNoneMatch: head.ETag})
	require.Equal(t, "NotModified", code(err))
}

func TestBucketNames(t *testing.T) {
	w := start(t)
	for _, name := range []string{"xn--a", "sthree-a", "sthree-configurator.a", "amzn-s3-demo-a", "a-s3alias", "a--ol-s3", "a.mrap", "a--table-s3", "ab", "a..b", "1.2.3.4"} {
		_, err := w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: &name})
		require.Equal(t, "InvalidBucketName", code(err), name)
	}
	require.ErrorContains(t, w.s3.Bucket("a--use1-az4--x-s3", "us-east-1"), "InvalidBucketName", "of a directory bucket")
	_, err := w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("new"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "us-east-1"}})
	require.Equal(t, "InvalidLocationConstraint", code(err))
}

// raw lets a query parameter through that the SDK would not send.
func raw(name, value string) func(*sdk.Options) {
	return func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Build.Add(middleware.BuildMiddlewareFunc("raw", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
				r := in.Request.(*smithyhttp.Request)
				q := r.URL.Query()
				q.Set(name, value)
				r.URL.RawQuery = q.Encode()
				return next.HandleBuild(ctx, in)
			}), middleware.After)
		})
	}
}

func TestPagesOfLists(t *testing.T) {
	w := start(t)
	for _, name := range []string{"b-1", "b-2", "b-3"} {
		_, err := w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: &name})
		require.NoError(t, err)
	}
	var names []string
	p := sdk.NewListBucketsPaginator(w, &sdk.ListBucketsInput{MaxBuckets: aws.Int32(2)})
	pages := 0
	for ; p.HasMorePages(); pages++ {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
	}
	require.Equal(t, []string{"b-1", "b-2", "b-3", bucket}, names)
	require.Equal(t, 2, pages)
	for _, n := range []string{"0", "-1", "10001", "x"} {
		_, err := w.ListBuckets(t.Context(), &sdk.ListBucketsInput{}, raw("max-buckets", n))
		require.Equal(t, "InvalidArgument", code(err), n)
	}
	for n, want := range map[string]string{"-1": "InvalidArgument", "2147483648": "InvalidArgument", "x": "InvalidArgument", "2147483647": "", "0": ""} {
		_, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket)}, raw("max-keys", n))
		if want == "" {
			require.NoError(t, err, n)
			continue
		}
		require.Equal(t, want, code(err), n)
	}

	// A token is one that this list of this bucket gave.
	for _, key := range []string{"a", "b"} {
		w.put(t, key, "x")
	}
	out, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(1)})
	require.NoError(t, err)
	for _, token := range []string{base64.StdEncoding.EncodeToString([]byte("a")), *out.NextContinuationToken + "A", "?", ""} {
		_, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket)}, raw("continuation-token", token))
		require.Equal(t, "InvalidArgument", code(err), token)
	}
	_, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("b-1"), ContinuationToken: out.NextContinuationToken})
	require.Equal(t, "InvalidArgument", code(err))
	_, err = w.ListBuckets(t.Context(), &sdk.ListBucketsInput{ContinuationToken: out.NextContinuationToken})
	require.Equal(t, "InvalidArgument", code(err))
}

// As the CLI copies an object of more than 8 MB: in parts, after it asked for its tags.
func TestCopyInParts(t *testing.T) {
	w := start(t)
	data := make([]byte, 12<<20)
	_, _ = rand.Read(data)
	w.put(t, "from", string(data))
	tags, err := w.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("from")})
	require.NoError(t, err)
	require.Empty(t, tags.TagSet)
	_, err = w.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("none")})
	require.Equal(t, "NoSuchKey", code(err))

	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmCrc32} {
		to := aws.String("to" + string(algorithm))
		made, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: to, ChecksumAlgorithm: algorithm})
		require.NoError(t, err)
		copyPart := func(number int32, source, span string) (*sdk.UploadPartCopyOutput, error) {
			in := &sdk.UploadPartCopyInput{Bucket: aws.String(bucket), Key: to, UploadId: made.UploadId, PartNumber: &number, CopySource: aws.String(bucket + "/" + source)}
			if span != "" {
				in.CopySourceRange = &span
			}
			return w.UploadPartCopy(t.Context(), in)
		}
		for _, bad := range []string{"bytes=0-12582912", "bytes=12582912-12582913", "bytes=5-2", "bytes=5-", "bytes=-5", "bytes=0-1,3-4", "x"} {
			_, err = copyPart(1, "from", bad)
			require.Equal(t, "InvalidArgument", code(err), bad)
		}
		_, err = copyPart(1, "none", "")
		require.Equal(t, "NoSuchKey", code(err))
		var parts []types.CompletedPart
		for i, span := range []string{"bytes=0-8388607", "bytes=8388608-12582911"} {
			out, err := copyPart(int32(i+1), "from", span)
			require.NoError(t, err)
			parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.CopyPartResult.ETag, ChecksumCRC32: out.CopyPartResult.ChecksumCRC32})
		}
		done, err := w.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: to, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		require.NoError(t, err)
		require.Regexp(t, `-2"$`, *done.ETag)
		require.True(t, bytes.Equal(data, []byte(w.get(t, *to))))
	}
}

// Whatever links somebody puts into a bucket's folder, nothing outside it is listed, read, written or removed.
func TestLinksAreNotFollowed(t *testing.T) {
	w := start(t)
	elsewhere := t.TempDir()
	secret := filepath.Join(elsewhere, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("mine"), 0o600))
	require.NoError(t, os.Symlink(secret, w.file("file")))
	require.NoError(t, os.Symlink(elsewhere, w.file("folder")))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(filepath.Dir(w.file("")), "linked-bucket")))
	for _, prefix := range []string{"", "file", "folder/", "folder/secret"} {
		out, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix})
		require.NoError(t, err)
		require.Empty(t, out.Contents, prefix)
	}
	for _, key := range []string{"file", "folder", "folder/secret"} {
		_, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
		require.Equal(t, "NoSuchKey", code(err), key)
		_, err = w.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/" + key)})
		require.Equal(t, "NoSuchKey", code(err), key)
		_, err = w.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key})
		require.NoError(t, err, key)
	}
	require.Error(t, w.s3.Bucket("linked-bucket", "us-east-1"))
	w.put(t, "file", "yours") // takes the link's place
	text, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	require.Equal(t, "yours", w.get(t, "file"))
	left, err := os.ReadDir(elsewhere)
	require.NoError(t, err)
	require.Len(t, left, 1, fmt.Sprint(left))
}
