package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newUpload(t *testing.T, api S3API) *Upload {
	return newUploadRecording(t, api, func(Progress) error { return nil })
}

func newUploadRecording(t *testing.T, api S3API, record func(Progress) error) *Upload {
	return NewUpload(t.Context(), api, "bucket", "perf/2026-11-23T03-08-09Z", 1, Object{Kind: KindMetrics, Key: "exports/metrics/r.csv", ContentType: "text/csv"}, record)
}

// text returns lines of 64 bytes each.
func text(bytes int) (b []byte) {
	for len(b) < bytes {
		b = fmt.Appendf(b, "%063d\n", len(b))
	}
	return b
}

func TestUpload(t *testing.T) {
	for name, test := range map[string]struct{ size, parts int }{
		"small":            {1 << 10, 0},
		"one part":         {maxPart, 0},
		"a part and more":  {maxPart + 64, 2},
		"exactly 2 parts":  {2 * maxPart, 2},
		"nothing at all":   {0, 0},
		"two and a little": {2*maxPart + 640, 3},
	} {
		t.Run(name, func(t *testing.T) {
			body, bucket := text(test.size), &fakeS3{}
			u := newUpload(t, bucket)
			for rest := body; len(rest) > 0; {
				n := min(len(rest), 1<<20+7)
				written, err := u.Write(rest[:n])
				require.NoError(t, err)
				require.Equal(t, n, written)
				rest = rest[n:]
			}
			assert.Empty(t, bucket.objects, "there is no object before Close")
			if test.parts > 0 {
				assert.GreaterOrEqual(t, len(bucket.uploads["1"].parts), test.parts-1, "parts are uploaded as they fill up")
			}
			got, same, err := u.Close()
			assert.True(t, same)
			require.NoError(t, err)
			sum := sha256.Sum256(body)
			assert.Equal(t, Object{KindMetrics, "exports/metrics/r.csv", "text/csv", int64(len(body)), int64(len(body)/64) - 1, hex.EncodeToString(sum[:]), nil}, got)
			assert.True(t, bytes.Equal(body, bucket.objects["exports/metrics/r.csv"].body))
			assert.Equal(t, "perf/2026-11-23T03-08-09Z", bucket.objects["exports/metrics/r.csv"].meta["run"])
			assert.Empty(t, bucket.uploads)
		})
	}
}

func TestUploadOverAnExistingObject(t *testing.T) {
	for _, size := range []int{640, maxPart + 640} {
		bucket, body := &fakeS3{}, text(size)
		first := newUpload(t, bucket)
		_, err := first.Write(body)
		require.NoError(t, err)
		record, same, err := first.Close()
		require.NoError(t, err)
		assert.True(t, same)

		for _, attempt := range []struct {
			rows  []byte
			same  bool
			stays bool
		}{{body, true, true}, {body[:len(body)-64], false, true}, {append(body[:len(body):len(body)], text(64)...), true, false}} {
			before := bucket.objects["exports/metrics/r.csv"]
			second := newUpload(t, bucket)
			_, err = second.Write(attempt.rows)
			require.NoError(t, err)
			got, same, err := second.Close()
			require.NoError(t, err)
			assert.Equal(t, attempt.same, same)
			assert.Equal(t, attempt.stays, got.SHA256 == record.SHA256)
			assert.Equal(t, attempt.stays, before == bucket.objects["exports/metrics/r.csv"], "an object is replaced by one with more rows only")
			assert.Empty(t, bucket.uploads)
		}
		body = append(body, text(64)...)

		bucket.objects["exports/metrics/r.csv"].meta["run"] = "other/2026-11-23T03-08-09Z"
		third := newUpload(t, bucket)
		_, err = third.Write(body)
		require.NoError(t, err)
		_, _, err = third.Close()
		var foreign *ForeignError
		require.ErrorAs(t, err, &foreign)
		assert.Equal(t, "other/2026-11-23T03-08-09Z", foreign.Owner)
		assert.ErrorContains(t, err, "move it away")
		third.Abort()
		assert.Empty(t, bucket.uploads)
		assert.True(t, bytes.Equal(body, bucket.objects["exports/metrics/r.csv"].body), "somebody else's object is not changed")
	}
}

// The answer to a successful Complete is lost, and the SDK repeats the call.
func TestUploadCompletesTwice(t *testing.T) {
	bucket, body := &fakeS3{}, text(maxPart+640)
	u := newUpload(t, bucket)
	_, err := u.Write(body)
	require.NoError(t, err)
	bucket.fail = func(op string) error {
		if op == "Completed" {
			return s3Error("NoSuchUpload")
		}
		return nil
	}
	got, same, err := u.Close()
	assert.True(t, same)
	require.NoError(t, err)
	assert.EqualValues(t, len(body), got.Bytes)
}

func TestUploadFails(t *testing.T) {
	for _, op := range []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} {
		broken := errors.New("InternalError")
		bucket := &fakeS3{fail: func(called string) error {
			if called == op {
				return broken
			}
			return nil
		}}
		size := maxPart + 1
		if op == "PutObject" {
			size = 1
		}
		u := newUpload(t, bucket)
		_, err := u.Write(make([]byte, size))
		if err == nil {
			_, _, err = u.Close()
		}
		require.ErrorIs(t, err, broken, op)
		assert.ErrorContains(t, err, "s3://bucket/exports/metrics/r.csv", op)
		u.Abort()
		assert.Empty(t, bucket.objects, op)
		assert.Empty(t, bucket.uploads, "%s leaves no upload", op)
		_, _, err = u.Close()
		assert.Error(t, err, "after Abort")
	}
}

// discardingS3 is a bucket that does not keep parts.
type discardingS3 struct {
	*fakeS3
	parts int
}

func (f *discardingS3) UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	f.parts++
	return &s3.UploadPartOutput{}, nil
}

// Parts are uploaded when a mark is due or, without marks, by Write. In both cases the record names the upload.
func TestRecordsNameTheUpload(t *testing.T) {
	for name, test := range map[string]struct {
		write, times int
		marks        bool
	}{"marks": {partSize + 64, recordEvery + 2, true}, "marks after the second part": {2*maxPart + 64, 13, true}, "no marks": {maxPart, 4, false}} {
		t.Run(name, func(t *testing.T) {
			bucket, last, body := &discardingS3{&fakeS3{}, 0}, Progress{}, make([]byte, test.write)
			u := newUploadRecording(t, bucket, func(p Progress) error {
				last = p
				return nil
			})
			for range test.times {
				_, err := u.Write(body)
				require.NoError(t, err)
				if test.marks {
					require.NoError(t, u.Mark(Position{Logs: &LogsPosition{At: 1}}))
				}
				if bucket.parts > 0 {
					require.Equal(t, "1", last.UploadID)
				}
				if test.marks {
					require.Less(t, bucket.parts-len(last.Parts), recordEvery+3, "few parts are not on record")
				}
			}
			u.Abort()
		})
	}
}
