package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

const bucket = "results"

type fixture struct {
	*sdk.Client
	s3   *s3.Service
	acct *account.Account
	cfg  aws.Config
}

func start(t *testing.T) fixture {
	acct := wiretest.Account(t)
	s, err := s3.New(acct)
	require.NoError(t, err)
	require.NoError(t, s.Bucket(bucket, "us-east-1"))
	r := wire.NewRegistry()
	s.Register(r)
	cfg := wiretest.Config(t, r)
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported // as config.LoadDefaultConfig sets it
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	return fixture{client(cfg), s, acct, cfg}
}

func client(cfg aws.Config) *sdk.Client { return sdk.NewFromConfig(cfg) }

func (w fixture) file(key string) string { return filepath.Join(w.acct.Dir, "s3", bucket, key) }

func (w fixture) put(t *testing.T, key, body string, opts ...func(*sdk.PutObjectInput)) *sdk.PutObjectOutput {
	t.Helper()
	in := &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(body)}
	for _, o := range opts {
		o(in)
	}
	out, err := w.PutObject(t.Context(), in)
	require.NoError(t, err)
	return out
}

func (w fixture) get(t *testing.T, key string) string {
	t.Helper()
	out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	require.NoError(t, err)
	b, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(b)
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestObjectsArePlainFiles(t *testing.T) {
	began := time.Now()
	w := start(t)
	put := w.put(t, "exports/metrics/a b+é.csv", "Timestamp\n", func(in *sdk.PutObjectInput) {
		in.ContentType, in.ContentEncoding = aws.String("text/csv"), aws.String("identity")
		in.Metadata = map[string]string{"run": "perf/2026-11-23T03-08-09Z"}
	})
	require.Equal(t, `"e0341e4843645d083319e86eb4778896"`, *put.ETag)
	onDisk, err := os.ReadFile(w.file("exports/metrics/a b+é.csv"))
	require.NoError(t, err)
	require.Equal(t, "Timestamp\n", string(onDisk))

	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("exports/metrics/a b+é.csv"), ChecksumMode: types.ChecksumModeEnabled})
	require.NoError(t, err)
	require.Equal(t, "perf/2026-11-23T03-08-09Z", head.Metadata["run"])
	require.Equal(t, "text/csv", *head.ContentType)
	require.Equal(t, int64(10), *head.ContentLength)
	require.Equal(t, *put.ETag, *head.ETag)
	require.Equal(t, *put.ChecksumCRC32, *head.ChecksumCRC32)
	require.Equal(t, types.ChecksumTypeFullObject, head.ChecksumType)
	require.False(t, head.LastModified.Before(began.Truncate(time.Second)) || head.LastModified.After(time.Now()), "%s", head.LastModified)

	out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("exports/metrics/a b+é.csv"), Range: aws.String("bytes=4-7")})
	require.NoError(t, err)
	part, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, "stam", string(part))
	require.Equal(t, "bytes 4-7/10", *out.ContentRange)
	_, err = w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("exports/metrics/a b+é.csv"), Range: aws.String("bytes=10-")})
	require.Equal(t, "InvalidRange", code(err))

	// A file that somebody put there, or edited, is an object like the others.
	require.NoError(t, os.WriteFile(w.file("by-hand.txt"), []byte("hello"), 0o644))
	require.Equal(t, "hello", w.get(t, "by-hand.txt"))
	require.NoError(t, os.WriteFile(w.file("exports/metrics/a b+é.csv"), []byte("edited"), 0o644))
	require.Equal(t, "edited", w.get(t, "exports/metrics/a b+é.csv"))

	// Objects outlive the process.
	again, err := s3.New(w.acct)
	require.NoError(t, err)
	r := wire.NewRegistry()
	again.Register(r)
	w.Client = client(wiretest.Config(t, r))
	require.Equal(t, "hello", w.get(t, "by-hand.txt"))

	for range 2 { // S3 does not mind deleting nothing
		_, err = w.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("exports/metrics/a b+é.csv")})
		require.NoError(t, err)
	}
	require.NoDirExists(t, w.file("exports"))
	_, err = w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("exports/metrics/a b+é.csv")})
	var missing *types.NoSuchKey
	require.ErrorAs(t, err, &missing)
	_, err = w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("nothing")})
	var notFound *types.NotFound
	require.ErrorAs(t, err, &notFound)
}

// serve serves a bucket to requests that the SDK would not make, or without the checks of start.
func serve(t *testing.T) (*account.Account, *wire.Registry, *httptest.Server) {
	acct := wiretest.Account(t)
	s, err := s3.New(acct)
	require.NoError(t, err)
	require.NoError(t, s.Bucket(bucket, "us-east-1"))
	r := wire.NewRegistry()
	s.Register(r)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return acct, r, srv
}

func TestKeysThatAreNoFileNames(t *testing.T) {
	acct, r, srv := serve(t)
	put := func(key string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL, strings.NewReader("x"))
		require.NoError(t, err)
		req.URL.Opaque = "//" + req.URL.Host + "/" + bucket + "/" + key
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/s3/aws4_request, Signature=x")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, 200, put("a/b"))
	elsewhere := t.TempDir()
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(acct.Dir, "s3", bucket, "link")))
	for _, key := range []string{"../../escaped", "a/../../b", "a//b", "folder/", "a", "a/b/c", "link/new", "link/deep/new"} {
		require.Equal(t, 501, put(key), key)
	}
	require.NoFileExists(t, filepath.Join(acct.Dir, "escaped"))
	left, err := os.ReadDir(elsewhere)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Len(t, r.Unhandled(), 8)
}

func TestConditionalPut(t *testing.T) {
	w := start(t)
	none := func(in *sdk.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	first := w.put(t, "k", "one", none)
	_, err := w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("two"), IfNoneMatch: aws.String("*")})
	require.Equal(t, "PreconditionFailed", code(err))
	require.Equal(t, "one", w.get(t, "k"))
	w.put(t, "k", "three", func(in *sdk.PutObjectInput) { in.IfMatch = first.ETag })
	_, err = w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("four"), IfMatch: first.ETag})
	require.Equal(t, "PreconditionFailed", code(err))
	_, err = w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("absent"), Body: strings.NewReader("x"), IfMatch: first.ETag})
	require.Equal(t, "NoSuchKey", code(err))

	// Of many writers at once one wins.
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for i := range 8 {
		wg.Go(func() {
			_, err := w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("race"), Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*")})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				codes[code(err)]++
			} else {
				codes["ok"]++
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[string]int{"ok": 1, "PreconditionFailed": 7}, codes)
}

// A delete that succeeds while a conditional write runs makes that write a conflict.
// A read whose conditions do not hold has the answer's status and S3's code, whatever checksum and encoding the object has; of several conditions the first counts.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func TestConditionalGet(t *testing.T) {
	w := start(t)
	tag := w.put(t, "k", "one", func(in *sdk.PutObjectInput) { in.ContentEncoding = aws.String("gzip") }).ETag
	other, past, future := aws.String(`"0123456789abcdef0123456789abcdef"`), aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	for name, test := range map[string]struct {
		in     sdk.GetObjectInput
		status int
	}{
		"the same, changed since":           {sdk.GetObjectInput{IfMatch: tag, IfUnmodifiedSince: past}, 200},
		"another one":                       {sdk.GetObjectInput{IfMatch: other}, 412},
		"another one, which is known":       {sdk.GetObjectInput{IfMatch: other, IfNoneMatch: tag}, 412},
		"changed since":                     {sdk.GetObjectInput{IfUnmodifiedSince: past}, 412},
		"known":                             {sdk.GetObjectInput{IfNoneMatch: tag, IfModifiedSince: past}, 304},
		"the same, which is known":          {sdk.GetObjectInput{IfMatch: tag, IfNoneMatch: tag}, 304},
		"not known, and not modified since": {sdk.GetObjectInput{IfNoneMatch: other, IfModifiedSince: future}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.Bucket, test.in.Key = aws.String(bucket), aws.String("k")
			_, err := w.GetObject(t.Context(), &test.in)
			if test.status == 200 {
				require.NoError(t, err)
				return
			}
			require.NotContains(t, err.Error(), "deserialization failed")
			var response interface{ HTTPStatusCode() int }
			require.ErrorAs(t, err, &response)
			require.Equal(t, test.status, response.HTTPStatusCode())
			if test.status == 412 {
				require.Equal(t, "PreconditionFailed", code(err))
			}
		})
	}
}

func TestConditionalPutConflict(t *testing.T) {
	w := start(t)
	w.put(t, "k", "old")
	body, send := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, *w.cfg.BaseEndpoint+"/"+bucket+"/k", body)
	require.NoError(t, err)
	req.ContentLength = 1<<20 + 2
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/s3/aws4_request, Signature=x")
	req.Header.Set("If-None-Match", "*")
	answer := make(chan string)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answer <- string(b)
	}()
	_, err = send.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	wiretest.Until(t, "the request's body begins to arrive: its condition was noted", func() (any, bool) {
		parts, err := filepath.Glob(filepath.Join(w.acct.Dir, "s3meta", ".uploads", "spool-*"))
		require.NoError(t, err)
		return parts, len(parts) == 1
	})
	_, err = w.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.NoError(t, err)
	_, err = send.Write([]byte("w!"))
	require.NoError(t, err)
	require.NoError(t, send.Close())
	require.Contains(t, <-answer, "<Code>ConditionalRequestConflict</Code>")
	require.NoFileExists(t, w.file("k"))
}

func TestIntegrity(t *testing.T) {
	w := start(t)
	put := func(change func(*sdk.PutObjectInput)) error {
		in := &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("body")}
		change(in)
		_, err := w.PutObject(t.Context(), in)
		return err
	}
	require.Equal(t, "BadDigest", code(put(func(in *sdk.PutObjectInput) { in.ChecksumCRC32 = aws.String("AAAAAA==") })))
	require.Equal(t, "BadDigest", code(put(func(in *sdk.PutObjectInput) { in.ChecksumSHA256 = aws.String(strings.Repeat("A", 43) + "=") })))
	require.Equal(t, "InvalidRequest", code(put(func(in *sdk.PutObjectInput) { in.ChecksumCRC32C = aws.String("?") })))
	require.Equal(t, "BadDigest", code(put(func(in *sdk.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") })))
	require.Equal(t, "InvalidDigest", code(put(func(in *sdk.PutObjectInput) { in.ContentMD5 = aws.String("AAAA") })))
	require.Equal(t, "MetadataTooLarge", code(put(func(in *sdk.PutObjectInput) { in.Metadata = map[string]string{"m": strings.Repeat("x", 2048)} })))
	require.NoFileExists(t, w.file("k"))
	for _, a := range types.ChecksumAlgorithm("").Values()[:5] {
		require.NoError(t, put(func(in *sdk.PutObjectInput) { in.ChecksumAlgorithm = a }), a)
		out, err := w.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
		require.NoError(t, err)
		b, err := io.ReadAll(out.Body) // the SDK compares the checksum while it reads
		require.NoError(t, err)
		require.Equal(t, "body", string(b))
	}
	// The default of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
	plain := sdk.NewFromConfig(w.cfg, func(o *sdk.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
	out, err := plain.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("123456789")})
	require.NoError(t, err)
	require.Equal(t, "rosUhgp5mIg=", *out.ChecksumCRC64NVME) // the algorithm's check value, ae8b14860a799888
}

func TestLists(t *testing.T) {
	w := start(t)
	for _, key := range []string{"a-b", "a/1", "a/2", "a/b/3", "z"} {
		w.put(t, key, key)
	}
	var keys []string
	pages := 0
	p := sdk.NewListObjectsV2Paginator(w, &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(2)})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		pages++
		for _, c := range out.Contents {
			keys = append(keys, *c.Key)
			require.Equal(t, int64(len(*c.Key)), *c.Size)
		}
	}
	require.Equal(t, []string{"a-b", "a/1", "a/2", "a/b/3", "z"}, keys) // in the order of bytes: '-' is before '/'
	require.Equal(t, 3, pages)
	for after, want := range map[string]string{"": "a-b [a/] z", "a-b": " [a/] z", "a/": "z []"} {
		out, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Delimiter: aws.String("/"), StartAfter: aws.String(after)})
		require.NoError(t, err)
		names := ""
		for _, c := range out.Contents {
			names += *c.Key + " "
		}
		for _, c := range out.CommonPrefixes {
			names += *c.Prefix + " "
		}
		require.ElementsMatch(t, strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(want)), strings.Fields(names), after)
	}
	out, err := w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("a/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)})
	require.NoError(t, err)
	require.True(t, *out.IsTruncated)
	out, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("a/"), Delimiter: aws.String("/"), ContinuationToken: out.NextContinuationToken})
	require.NoError(t, err)
	require.Empty(t, out.Contents)
	require.Equal(t, "a/b/", *out.CommonPrefixes[0].Prefix)
	old, err := w.ListObjects(t.Context(), &sdk.ListObjectsInput{Bucket: aws.String(bucket), Marker: aws.String("a/2")})
	require.NoError(t, err)
	require.Len(t, old.Contents, 2)
}

func TestCopy(t *testing.T) {
	w := start(t)
	w.put(t, "from/a b", "text", func(in *sdk.PutObjectInput) { in.Metadata = map[string]string{"run": "1"} })
	_, err := w.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("to"), CopySource: aws.String(bucket + "/from/a%20b")})
	require.NoError(t, err)
	require.Equal(t, "text", w.get(t, "to"))
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("to")})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"run": "1"}, head.Metadata)
	_, err = w.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("to"), CopySource: aws.String(bucket + "/to")})
	require.Equal(t, "InvalidRequest", code(err))
	_, err = w.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("to"), CopySource: aws.String(bucket + "/none")})
	require.Equal(t, "NoSuchKey", code(err))
}

func TestBuckets(t *testing.T) {
	w := start(t)
	name := aws.String(bucket)
	head, err := w.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: name})
	require.NoError(t, err)
	require.Equal(t, "us-east-1", *head.BucketRegion)
	_, err = w.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("nobodys")})
	var notFound *types.NotFound
	require.ErrorAs(t, err, &notFound)
	_, err = w.GetBucketWebsite(t.Context(), &sdk.GetBucketWebsiteInput{Bucket: name})
	require.Equal(t, "NoSuchWebsiteConfiguration", code(err))
	_, err = w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("nobodys"), Key: aws.String("k"), Body: strings.NewReader("")})
	require.Equal(t, "NoSuchBucket", code(err))

	require.NoError(t, w.s3.Bucket("far", "eu-west-1"))
	_, err = w.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("far")})
	var status interface{ HTTPStatusCode() int }
	require.ErrorAs(t, err, &status)
	require.Equal(t, 301, status.HTTPStatusCode())
	_, err = w.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: aws.String("far")})
	require.Equal(t, "PermanentRedirect", code(err))
	region, err := manager.GetBucketRegion(t.Context(), w.Client, "far", func(o *sdk.Options) { // as the Terraform provider asks
		o.UsePathStyle, o.Credentials = true, w.cfg.Credentials
	})
	require.NoError(t, err)
	require.Equal(t, "eu-west-1", region)
	there := sdk.NewFromConfig(w.cfg, func(o *sdk.Options) { o.Region = "eu-west-1" })
	_, err = there.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: aws.String("far")})
	require.NoError(t, err)

	w.put(t, "k", "v")
	w.s3.ReadOnly(bucket, true)
	_, err = w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: name, Key: aws.String("k"), Body: strings.NewReader("w")})
	require.Equal(t, "AccessDenied", code(err))
	_, err = w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: name, Key: aws.String("k")})
	require.Equal(t, "AccessDenied", code(err))
	require.Equal(t, "v", w.get(t, "k"))
	w.s3.ReadOnly(bucket, false)

	_, err = w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("Wrong_Name")})
	require.Equal(t, "InvalidBucketName", code(err))
	_, err = w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("new"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	require.Equal(t, "IllegalLocationConstraintException", code(err))
	_, err = w.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)
	list, err := w.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
	require.NoError(t, err)
	require.Len(t, list.Buckets, 3)
	_, err = w.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: name})
	require.Equal(t, "BucketNotEmpty", code(err))
	_, err = w.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String("new")})
	require.NoError(t, err)
}

// What is not served is refused and listed, not ignored.
func TestNothingIsIgnored(t *testing.T) {
	_, r, srv := serve(t)
	c := sdk.NewFromConfig(wiretest.Client(t, srv.URL))
	_, err := c.GetBucketAcl(t.Context(), &sdk.GetBucketAclInput{Bucket: aws.String(bucket)})
	require.Equal(t, "NotImplemented", code(err))
	_, err = c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Tagging: aws.String("a=b")})
	require.Equal(t, "NotImplemented", code(err))
	_, err = c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), StorageClass: types.StorageClassGlacier})
	require.Equal(t, "NotImplemented", code(err))
	require.Equal(t, []string{"s3 ListObjects query acl", "s3 PutObject header x-amz-tagging", "s3 PutObject x-amz-storage-class: GLACIER"}, r.Unhandled())

	r.Authorize = func(_ context.Context, c *wire.Call) error {
		require.Equal(t, "PutObject", c.Action)
		require.Equal(t, &s3.Target{Bucket: bucket, Key: "k"}, c.In)
		return wire.Errorf(403, "AccessDenied", "no")
	}
	_, err = c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.Equal(t, "AccessDenied", code(err))
}
