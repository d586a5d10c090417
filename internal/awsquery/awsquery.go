// Package awsquery makes single calls of AWS's query and JSON APIs, with the SDK's configuration, signature, retries and error types. It is for the few
// calls of EC2, IAM, SQS and SSM that the commands need: compiling the SDK's clients takes as long as everything else that is
// compiled before the first command can print anything. A service whose SDK client the commands use already does not belong here.
package awsquery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Service is a query API, or a JSON API with a target.
type Service struct {
	name, version string
	global        bool   // one endpoint for the partition, signed for its main Region
	target, json  string // the first word of X-Amz-Target, and the version of JSON
}

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html and https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html
var (
	EC2 = Service{name: "ec2", version: "2016-11-15"}
	IAM = Service{name: "iam", version: "2010-05-08", global: true}

	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html and
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonParameters.html
	SQS = Service{name: "sqs", target: "AmazonSQS", json: "1.0"}
	SSM = Service{name: "ssm", target: "AmazonSSM", json: "1.1"}
)

// Call makes one call and decodes its answer, XML or JSON, into out; nil leaves it. in are the members of the request, for JSON one value each. An error of the service is a smithy.APIError in an
// awshttp.ResponseError, as from the SDK's clients; throttling, 5xx and broken connections are tried again as often as the configuration says.
func Call(ctx context.Context, cfg aws.Config, service Service, action string, in url.Values, out any) error {
	var retryer aws.Retryer = retry.NewStandard()
	if cfg.Retryer != nil {
		retryer = cfg.Retryer()
	}
	if cfg.RetryMaxAttempts > 0 {
		retryer = retry.AddWithMaxAttempts(retryer, cfg.RetryMaxAttempts)
	}
	for attempt := 1; ; attempt++ {
		err := once(ctx, cfg, service, action, in, out)
		if err == nil || attempt >= retryer.MaxAttempts() || !retryer.IsErrorRetryable(err) {
			return wrap(service, action, err)
		}
		delay, delayErr := retryer.RetryDelay(attempt, err)
		if delayErr != nil {
			return wrap(service, action, err)
		}
		select {
		case <-ctx.Done():
			return wrap(service, action, context.Cause(ctx))
		case <-time.After(delay):
		}
	}
}

func wrap(service Service, action string, err error) error {
	if err != nil {
		return &smithy.OperationError{ServiceID: strings.ToUpper(service.name), OperationName: action, Err: err}
	}
	return nil
}

func once(ctx context.Context, cfg aws.Config, service Service, action string, in url.Values, out any) error {
	base, region, err := endpoint(ctx, cfg, service)
	if err != nil {
		return err
	}
	form := url.Values{"Action": {action}, "Version": {service.version}}
	for name, values := range in {
		form[name] = values
	}
	body := form.Encode()
	if service.json != "" {
		members := map[string]string{}
		for name := range in {
			members[name] = in.Get(name)
		}
		text, err := json.Marshal(members)
		if err != nil {
			return err
		}
		body = string(text)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if service.json != "" {
		request.Header.Set("Content-Type", "application/x-amz-json-"+service.json)
		request.Header.Set("X-Amz-Target", service.target+"."+action)
	}
	if cfg.Credentials == nil {
		return fmt.Errorf("there are no AWS credentials")
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("AWS credentials: %w", err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), service.name, region, time.Now()); err != nil {
		return err
	}
	var client aws.HTTPClient = awshttp.NewBuildableClient()
	if cfg.HTTPClient != nil {
		client = cfg.HTTPClient
	}
	response, err := client.Do(request)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	if response.StatusCode/100 != 2 {
		return failure(response, text)
	}
	if out == nil {
		return nil
	}
	decode := xml.Unmarshal
	if service.json != "" {
		decode = json.Unmarshal
	}
	if err := decode(text, out); err != nil {
		return fmt.Errorf("the response cannot be read: %w", err)
	}
	return nil
}

// failure reads the three shapes of an error: EC2 has Response/Errors/Error and RequestID, the others of query ErrorResponse/Error and RequestId, JSON __type.
func failure(response *http.Response, text []byte) error {
	type detail struct{ Code, Message string }
	var body struct {
		Error     detail
		Errors    []detail `xml:"Errors>Error"`
		RequestID string
		RequestId string //nolint:revive // as the wire spells it
	}
	_ = xml.Unmarshal(text, &body) // a proxy's page has no code
	d := body.Error
	var shape struct {
		Type    string `json:"__type"`
		Message string
	}
	if json.Unmarshal(text, &shape) == nil {
		d = detail{shape.Type[strings.LastIndexByte(shape.Type, '#')+1:], shape.Message}
	}
	if len(body.Errors) > 0 {
		d = body.Errors[0]
	}
	if d.Code == "" {
		d.Code, d.Message = "UnknownError", http.StatusText(response.StatusCode)
	}
	return &awshttp.ResponseError{RequestID: body.RequestID + body.RequestId, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: response}, Err: &smithy.GenericAPIError{Code: d.Code, Message: d.Message},
	}}
}

// endpoint is where a service answers, and the Region that a request to it is signed for. The partition's suffix is taken from the endpoint of a
// service whose client is there anyway. https://docs.aws.amazon.com/general/latest/gr/iam-service.html has the global ones.
func endpoint(ctx context.Context, cfg aws.Config, service Service) (base, region string, err error) {
	region, domain := cfg.Region, ""
	if region == "" {
		return "", "", &aws.MissingRegionError{}
	}
	resolved, err := elasticache.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, elasticache.EndpointParameters{Region: &region})
	if err != nil {
		return "", "", err
	}
	domain = strings.TrimPrefix(resolved.URI.Host, "elasticache.")
	if service.global {
		switch {
		case strings.HasPrefix(region, "cn-"):
			region, domain = "cn-north-1", "cn-north-1.amazonaws.com.cn"
		case strings.HasPrefix(region, "us-gov-"):
			region, domain = "us-gov-west-1", "us-gov.amazonaws.com"
		case strings.HasSuffix(domain, ".amazonaws.com"):
			region, domain = "us-east-1", "amazonaws.com"
		}
	}
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
	if own, err := configured(ctx, cfg, strings.ToUpper(service.name)); err != nil || own != "" {
		return own, region, err
	}
	if cfg.BaseEndpoint != nil {
		return *cfg.BaseEndpoint, region, nil
	}
	return "https://" + service.name + "." + domain, region, nil
}

// configured is the endpoint that environment or profile have for one service, as far as cfg was made from them: a configuration of the embedded AWS is not.
func configured(ctx context.Context, cfg aws.Config, service string) (string, error) {
	for _, source := range cfg.ConfigSources {
		if s, is := source.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		}); is {
			if ignore, found, err := s.GetIgnoreConfiguredEndpoints(ctx); err != nil || found && ignore {
				return "", err
			}
		}
	}
	for _, source := range cfg.ConfigSources {
		if s, is := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); is {
			if url, found, err := s.GetServiceBaseEndpoint(ctx, service); err != nil || found {
				return url, err
			}
		}
	}
	return "", nil
}
