package ops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// checkBucket checks that the bucket exists, is in the stack's Region, and lets an object be written and deleted.
func checkBucket(ctx context.Context, cfg aws.Config, in *terraform.Inputs) ([]string, error) {
	client := s3.NewFromConfig(cfg)
	head, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &in.Bucket})
	region := ""
	if err == nil {
		region = aws.ToString(head.BucketRegion)
	}
	// A HEAD error has no body: only its status and headers tell the cause. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		if r := response.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			region = r
		}
		switch response.HTTPStatusCode() {
		case http.StatusNotFound:
			return []string{fmt.Sprintf("the bucket %s does not exist: create it with `%s`, or set metrics_export_s3_bucket to one that you have", in.Bucket,
				console.AWS(cfg.Region, "aws s3 mb s3://%s", in.Bucket))}, nil
		case http.StatusForbidden:
			return []string{fmt.Sprintf("the bucket %s is not yours to use (403): it belongs to another account, or you lack s3:ListBucket on it; set metrics_export_s3_bucket to one of your own", in.Bucket)}, nil
		case http.StatusMovedPermanently, http.StatusBadRequest: // in another Region
			if region != "" && region != cfg.Region {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the bucket %s cannot be checked: %w", in.Bucket, err)
	}
	if region != "" && region != cfg.Region {
		return []string{fmt.Sprintf("the bucket %s is in %s, the stack in %s: the Lambda writes within its Region only; use a bucket in %[3]s, or set aws_region = %[2]q", in.Bucket, region, cfg.Region)}, nil
	}
	key := path.Join(in.Prefix, "probe-"+rand.Text())
	probe := &s3.PutObjectInput{Bucket: &in.Bucket, Key: &key, Body: strings.NewReader("elasticache-perf was here\n"), IfNoneMatch: aws.String("*")}
	probe.ServerSideEncryption, probe.SSEKMSKeyId = shutdown.Encryption(in.KMSKey)
	if _, err := client.PutObject(ctx, probe); err != nil {
		return []string{fmt.Sprintf("the bucket %s cannot be written to: allow s3:PutObject on arn:%s:s3:::%[1]s/%[3]s*; if it requires a KMS key, set metrics_export_kms_key_arn (%v)", in.Bucket, partition(cfg.Region), prefixed(in.Prefix), err)}, nil
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &in.Bucket, Key: &key}); err != nil {
		return []string{fmt.Sprintf("the probe s3://%s/%s was written but cannot be removed: allow s3:DeleteObject, and remove it (%v)", in.Bucket, key, err)}, nil
	}
	return nil, nil
}

func prefixed(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, "/") + "/"
}
