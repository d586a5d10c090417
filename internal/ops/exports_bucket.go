package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// bucketExports are the exports of one stack in S3. Other stacks can export to the same prefix.
type bucketExports struct {
	client         *s3.Client
	stack          string // its name
	bucket, prefix string
	key            string // ARN of the KMS key for uploads, "": S3's own
}

func (b bucketExports) at(name string) *string { return aws.String(path.Join(b.prefix, name)) }

func (b bucketExports) open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: b.at(name)})
	if stack.Missing(err) {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", b, name, err)
	}
	owner, text := path.Dir(out.Metadata[export.Metadata]), io.ReadCloser(out.Body) // STACK/RUN
	if owner == "." && strings.HasPrefix(name, "manifest/") {                       // a copy without the metadata
		content, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		var m export.Manifest
		if err == nil && json.Unmarshal(content, &m) == nil {
			owner = m.Name
		}
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", b, name, err)
		}
		text = io.NopCloser(bytes.NewReader(content))
	}
	if owner != "." && owner != b.stack {
		_ = text.Close()
		return nil, fmt.Errorf("%s%s: %w: its stack is %s, and this one is %s. Set name = %q to read it", b, name, errForeign, owner, b.stack, owner)
	}
	return text, nil
}

func (b bucketExports) list(ctx context.Context, folder string) (names []string, err error) {
	prefix := *b.at(folder) + "/"
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if stack.Code(err) == "NoSuchBucket" {
			return nil, fmt.Errorf("the bucket %s does not exist: set metrics_export_s3_bucket to the one that the run was exported to", b.bucket)
		}
		if err != nil {
			return nil, fmt.Errorf("list %s%s: %w", b, folder, err)
		}
		for _, o := range out.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), prefix))
		}
	}
	return names, nil
}

func (b bucketExports) put(ctx context.Context, name, contentType string, content []byte) error {
	in := &s3.PutObjectInput{Bucket: &b.bucket, Key: b.at(name), ContentType: &contentType, Body: bytes.NewReader(content)}
	in.ServerSideEncryption, in.SSEKMSKeyId = shutdown.Encryption(b.key)
	if _, err := b.client.PutObject(ctx, in); err != nil {
		return fmt.Errorf("upload %s%s: %w", b, name, err)
	}
	return nil
}

func (b bucketExports) folder(root string) string { return filepath.Join(root, "reports") }

func (b bucketExports) String() string { return fmt.Sprintf("s3://%s/%s/", b.bucket, b.prefix) }
