package shutdown

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// ECS runs the load.
type ECS interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
}

// ElastiCache runs the cache.
type ElastiCache interface {
	DescribeReplicationGroups(context.Context, *elasticache.DescribeReplicationGroupsInput, ...func(*elasticache.Options)) (*elasticache.DescribeReplicationGroupsOutput, error)
	DescribeCacheClusters(context.Context, *elasticache.DescribeCacheClustersInput, ...func(*elasticache.Options)) (*elasticache.DescribeCacheClustersOutput, error)
	ListTagsForResource(context.Context, *elasticache.ListTagsForResourceInput, ...func(*elasticache.Options)) (*elasticache.ListTagsForResourceOutput, error)
	DeleteReplicationGroup(context.Context, *elasticache.DeleteReplicationGroupInput, ...func(*elasticache.Options)) (*elasticache.DeleteReplicationGroupOutput, error)
	DescribeServerlessCaches(context.Context, *elasticache.DescribeServerlessCachesInput, ...func(*elasticache.Options)) (*elasticache.DescribeServerlessCachesOutput, error)
	DeleteServerlessCache(context.Context, *elasticache.DeleteServerlessCacheInput, ...func(*elasticache.Options)) (*elasticache.DeleteServerlessCacheOutput, error)
}

// CloudWatch finds and reads metrics.
type CloudWatch interface {
	export.DataAPI
	export.ListAPI
}

// S3 stores the objects.
type S3 interface {
	export.S3API
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListMultipartUploads(context.Context, *s3.ListMultipartUploadsInput, ...func(*s3.Options)) (*s3.ListMultipartUploadsOutput, error)
}

// Scheduler keeps the run's name and its end.
type Scheduler interface {
	GetSchedule(context.Context, *scheduler.GetScheduleInput, ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error)
	DeleteSchedule(context.Context, *scheduler.DeleteScheduleInput, ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error)
}

// SNS notifies people.
type SNS interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Clients are the AWS services that a Shutdown uses.
type Clients struct {
	ECS         ECS
	ElastiCache ElastiCache
	CloudWatch  CloudWatch
	Logs        export.LogsAPI
	S3          S3
	Scheduler   Scheduler
	SNS         SNS
	Region      string // decides the rate of log reads
	Endpoint    string // AWS_ENDPOINT_URL, set for an embedded AWS only
}

// NewClients returns the real clients. They are patient with throttling (8 attempts with up to 20 s between them, and no retry budget that a
// long export could exhaust) but not with silence: a call is retried if its answer does not start within 30 s, or is cut off, which the SDK
// reports as an answer that it cannot read. So every call can be made twice.
// https://docs.aws.amazon.com/sdk-for-go/v2/developer-guide/configure-retries-timeouts.html
func NewClients(cfg aws.Config) Clients {
	if client, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = client.WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = 30 * time.Second })
	}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 8, 20*time.Second, ratelimit.None
			o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if errors.Is(err, io.ErrUnexpectedEOF) {
					return aws.TrueTernary
				}
				return aws.UnknownTernary
			}))
		})
	}
	cfg.APIOptions = append(cfg.APIOptions, plainBody)
	return Clients{
		ECS:         ecs.NewFromConfig(cfg),
		ElastiCache: elasticache.NewFromConfig(cfg),
		CloudWatch:  cloudwatch.NewFromConfig(cfg),
		Logs:        cloudwatchlogs.NewFromConfig(cfg),
		S3: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.DisableLogOutputChecksumValidationSkipped = true // a multipart object has no checksum of the whole; TLS and sha256 remain
		}),
		Scheduler: scheduler.NewFromConfig(cfg),
		SNS:       sns.NewFromConfig(cfg),
		Region:    cfg.Region,
		Endpoint:  aws.ToString(cfg.BaseEndpoint),
	}
}

// plainBody hides the io.WriterTo of a request's body. The SDK closes a body as soon as the answer starts. When net/http then checks that
// nothing follows the body, a WriterTo returns io.EOF, which counts as a failed write: the connection is closed in the middle of the
// answer, and the call is retried. https://github.com/aws/aws-sdk-go-v2/issues/2737
func plainBody(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("PlainBody", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			if body, ok := r.GetStream().(io.ReadSeeker); ok {
				if in.Request, err = r.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
					return out, metadata, err
				}
			}
		}
		return next.HandleFinalize(ctx, in)
	}), middleware.After)
}

// errorCode is the code of an AWS error, or empty.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// notFound covers each service's error code: ReplicationGroupNotFoundFault, ResourceNotFoundException, NotFound, NoSuchKey ... but not
// NoSuchBucket.
func notFound(err error) bool {
	code := errorCode(err)
	return strings.Contains(code, "NotFound") || code == "NoSuchKey"
}

// denied covers AccessDenied, AccessDeniedException, and a HEAD answered 403, which has no body and so no code of its own.
func denied(err error) bool {
	var response *awshttp.ResponseError
	return strings.Contains(errorCode(err), "AccessDenied") || errors.As(err, &response) && response.HTTPStatusCode() == http.StatusForbidden
}

// decided reports whether AWS processed a request and rejected it, so that the caller is allowed to make it. That is not known if there was
// no answer, AWS throttled the call or failed itself, or did not know the caller.
func decided(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) || denied(err) || retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary {
		return false
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		return status >= 400 && status < 500 && status != http.StatusTooManyRequests && !slices.Contains(unknownCaller, api.ErrorCode())
	}
	return api.ErrorFault() != smithy.FaultServer
}

// unknownCaller are the errors that an unknown caller gets: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var unknownCaller = []string{"ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken", "UnrecognizedClientException"}
