package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/transport/http"
)

// Caller is the identity, account and Region of the credentials.
type Caller struct {
	Account, ARN, Region string
	Answer               middleware.Metadata // AWS's, with its time
}

// EmbeddedGone says that the embedded AWS has ended, when that is why a call failed; nil: it is not.
func EmbeddedGone(cfg aws.Config, err error) error {
	local := aws.ToString(cfg.BaseEndpoint)
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(local, "http://127.0.0.1:") {
		return nil
	}
	return fmt.Errorf("the embedded AWS at %s, which AWS_ENDPOINT_URL points to, is not running: start it with `go tool mage local:up`, and source the environment that it prints", local)
}

// Who asks AWS who the caller is: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func Who(ctx context.Context, cfg aws.Config) (Caller, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	switch gone := EmbeddedGone(cfg, err); {
	case err != nil && ctx.Err() != nil:
		return Caller{}, context.Cause(ctx)
	case gone != nil:
		return Caller{}, gone
	case errors.As(err, new(*http.RequestSendError)):
		return Caller{}, fmt.Errorf("AWS does not answer: check the network, the proxy, and AWS_ENDPOINT_URL if it is set (%w)", err)
	case err != nil && Code(err) == "" && !strings.Contains(err.Error(), "get credentials"): // they have no type
		return Caller{}, fmt.Errorf("AWS cannot be asked who you are: check the Region, which is %q (aws_region, AWS_REGION), and AWS_ENDPOINT_URL if it is set (%w)", cfg.Region, err)
	case err != nil:
		return Caller{}, fmt.Errorf("AWS does not know who you are: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (%w)", err)
	}
	return Caller{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn), Region: cfg.Region, Answer: out.ResultMetadata}, nil
}
