package shutdown

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// S3

func (w *fakeAWS) store(key string, body []byte, meta map[string]string, ifMatch, ifNoneMatch *string) (*string, error) {
	o := w.objects[key]
	if o != nil && ifNoneMatch != nil || ifMatch != nil && o != nil && o.etag != *ifMatch {
		return nil, apiError("PreconditionFailed")
	}
	if ifMatch != nil && o == nil {
		return nil, &s3types.NoSuchKey{}
	}
	w.version++
	w.objects[key] = &object{body, meta, fmt.Sprint("etag-", w.version)}
	return &w.objects[key].etag, nil
}

// encrypted is the bucket's policy: every write must request encryption with the stack's key.
func (w *fakeAWS) encrypted(how s3types.ServerSideEncryption, key *string) error {
	if want := w.cfg.KMSKeyARN; how == "" || want != "" && (how != s3types.ServerSideEncryptionAwsKms || aws.ToString(key) != want) {
		return apiError("AccessDenied")
	}
	return nil
}

// content returns a request's whole body, also on a retry.
func content(body io.Reader) []byte {
	_, _ = body.(io.Seeker).Seek(0, io.SeekStart)
	text, _ := io.ReadAll(body)
	return text
}

func (w *fakeAWS) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return call(ctx, w, "PutObject "+*in.Key, func() (*s3.PutObjectOutput, error) {
		if err := w.encrypted(in.ServerSideEncryption, in.SSEKMSKeyId); err != nil {
			return nil, err
		}
		body := content(in.Body)
		etag, err := w.store(*in.Key, body, in.Metadata, in.IfMatch, in.IfNoneMatch)
		return &s3.PutObjectOutput{ETag: etag}, err
	})
}

func (w *fakeAWS) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return call(ctx, w, "GetObject", func() (*s3.GetObjectOutput, error) {
		o := w.objects[*in.Key]
		if o == nil {
			return nil, &s3types.NoSuchKey{}
		}
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(o.body)), Metadata: o.meta, ETag: &o.etag}, nil
	})
}

func (w *fakeAWS) HeadObject(ctx context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return call(ctx, w, "HeadObject", func() (*s3.HeadObjectOutput, error) {
		o := w.objects[*in.Key]
		if o == nil {
			return nil, &s3types.NotFound{}
		}
		return &s3.HeadObjectOutput{Metadata: o.meta, ContentLength: aws.Int64(int64(len(o.body)))}, nil
	})
}

func (w *fakeAWS) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return call(ctx, w, "DeleteObject", func() (*s3.DeleteObjectOutput, error) {
		delete(w.objects, *in.Key)
		return &s3.DeleteObjectOutput{}, nil
	})
}

func (w *fakeAWS) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return call(ctx, w, "CreateMultipartUpload", func() (*s3.CreateMultipartUploadOutput, error) {
		if err := w.encrypted(in.ServerSideEncryption, in.SSEKMSKeyId); err != nil {
			return nil, err
		}
		w.version++
		id := fmt.Sprint("upload-", w.version)
		w.uploads[id] = &upload{*in.Key, in.Metadata, map[int32][]byte{}}
		return &s3.CreateMultipartUploadOutput{UploadId: &id}, nil
	})
}

func (w *fakeAWS) UploadPart(ctx context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	return call(ctx, w, "UploadPart", func() (*s3.UploadPartOutput, error) {
		u := w.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		u.parts[*in.PartNumber] = content(in.Body)
		return &s3.UploadPartOutput{ETag: aws.String("part")}, nil
	})
}

func (w *fakeAWS) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return call(ctx, w, "CompleteMultipartUpload", func() (*s3.CompleteMultipartUploadOutput, error) {
		u := w.uploads[*in.UploadId]
		if u == nil {
			return nil, apiError("NoSuchUpload")
		}
		var body []byte
		for _, p := range in.MultipartUpload.Parts {
			body = append(body, u.parts[*p.PartNumber]...)
		}
		if _, err := w.store(*in.Key, body, u.meta, in.IfMatch, in.IfNoneMatch); err != nil {
			return nil, err
		}
		delete(w.uploads, *in.UploadId)
		return &s3.CompleteMultipartUploadOutput{}, nil
	})
}

func (w *fakeAWS) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return call(ctx, w, "AbortMultipartUpload", func() (*s3.AbortMultipartUploadOutput, error) {
		if w.uploads[*in.UploadId] == nil {
			return nil, apiError("NoSuchUpload")
		}
		delete(w.uploads, *in.UploadId)
		return &s3.AbortMultipartUploadOutput{}, nil
	})
}

func (w *fakeAWS) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput, _ ...func(*s3.Options)) (*s3.ListMultipartUploadsOutput, error) {
	return call(ctx, w, "ListMultipartUploads", func() (*s3.ListMultipartUploadsOutput, error) {
		out := &s3.ListMultipartUploadsOutput{}
		for id, u := range w.uploads {
			if strings.HasPrefix(u.key, *in.Prefix) {
				out.Uploads = append(out.Uploads, s3types.MultipartUpload{Key: &u.key, UploadId: &id})
			}
		}
		return out, nil
	})
}
