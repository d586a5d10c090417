package awsquery

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

// config leads to a server that gives these answers one after the other, and the last one for ever: "503:text".
func config(t *testing.T, asked *[]url.Values, answers ...string) aws.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseForm())
		*asked = append(*asked, r.PostForm)
		require.Contains(t, r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=A/")
		status, text, _ := strings.Cut(answers[min(len(*asked), len(answers))-1], ":")
		w.WriteHeader(map[string]int{"200": 200, "400": 400, "404": 404, "503": 503}[status])
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S"}, nil
		}),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		}}
}

func TestCallSendsTheFormAndReadsTheAnswer(t *testing.T) {
	var asked []url.Values
	var out struct {
		VPC string `xml:"subnetSet>item>vpcId"`
	}
	cfg := config(t, &asked, "200:<R><subnetSet><item><vpcId>vpc-1</vpcId></item></subnetSet></R>")
	require.NoError(t, Call(t.Context(), cfg, EC2, "DescribeSubnets", url.Values{"SubnetId.1": {"subnet-1"}}, &out))
	require.Equal(t, "vpc-1", out.VPC)
	require.Equal(t, []url.Values{{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}, "SubnetId.1": {"subnet-1"}}}, asked)
}

// The errors are the SDK's, whichever of the two shapes the service has.
func TestErrorsAreTheSDKs(t *testing.T) {
	for _, text := range []string{
		"400:<Response><Errors><Error><Code>Some.Code</Code><Message>why</Message></Error></Errors><RequestID>id</RequestID></Response>",
		"400:<ErrorResponse><Error><Type>Sender</Type><Code>Some.Code</Code><Message>why</Message></Error><RequestId>id</RequestId></ErrorResponse>",
	} {
		var asked []url.Values
		err := Call(t.Context(), config(t, &asked, text), IAM, "GetRole", nil, nil)
		var api smithy.APIError
		require.ErrorAs(t, err, &api)
		require.Equal(t, "Some.Code", api.ErrorCode())
		require.Equal(t, "why", api.ErrorMessage())
		var response *awshttp.ResponseError
		require.ErrorAs(t, err, &response)
		require.Equal(t, 400, response.HTTPStatusCode())
		require.Equal(t, "id", response.ServiceRequestID())
		require.ErrorContains(t, err, "operation error IAM: GetRole")
		require.Len(t, asked, 1, "an error of the caller's is not tried again")
	}
}

func TestTriesAgainWhatMayPass(t *testing.T) {
	for _, first := range []string{"503:<html>busy</html>", "400:<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"} {
		var asked []url.Values
		require.NoError(t, Call(t.Context(), config(t, &asked, first, "200:<R/>"), EC2, "DescribeSubnets", nil, nil))
		require.Len(t, asked, 2)
	}
	var asked []url.Values
	require.ErrorContains(t, Call(t.Context(), config(t, &asked, "503:"), EC2, "DescribeSubnets", nil, nil), "503")
	require.Len(t, asked, retry.DefaultMaxAttempts)
}

// The endpoints are those of the SDK's own clients, in every partition.
func TestEndpointsAreTheSDKs(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-central-1", "cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"} {
		cfg := aws.Config{Region: region}
		of, err := ec2.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), ec2.EndpointParameters{Region: &region})
		require.NoError(t, err)
		base, _, err := endpoint(t.Context(), cfg, EC2)
		require.NoError(t, err)
		require.Equal(t, of.URI.String(), base)

		global, err := iam.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), iam.EndpointParameters{Region: &region})
		require.NoError(t, err)
		base, _, err = endpoint(t.Context(), cfg, IAM)
		require.NoError(t, err)
		require.Equal(t, global.URI.String(), base)
	}
	_, _, err := endpoint(t.Context(), aws.Config{}, EC2)
	require.Error(t, err)
	t.Setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
	of := func(cfg aws.Config) string {
		base, _, err := endpoint(t.Context(), cfg, EC2)
		require.NoError(t, err)
		return base
	}
	own, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion("us-east-1"))
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:9", of(own))
	require.Equal(t, "http://127.0.0.1:1", of(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1")}), "a configuration that was not made from the environment")
	t.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
	own, err = awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion("us-east-1"))
	require.NoError(t, err)
	require.Equal(t, "https://ec2.us-east-1.amazonaws.com", of(own))
}

// A JSON API gets its members and its target, and its errors are the SDK's, too.
func TestCallsOfJSON(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Header.Get("X-Amz-Target")+" "+r.Header.Get("Content-Type")+" "+string(body))
		if len(asked) > 1 {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}`))
			return
		}
		_, _ = w.Write([]byte(`{"QueueUrl":"http://q"}`))
	}))
	t.Cleanup(server.Close)
	cfg := config(t, new([]url.Values), "200:")
	cfg.BaseEndpoint = &server.URL
	var out struct{ QueueURL string }
	require.NoError(t, Call(t.Context(), cfg, SQS, "GetQueueUrl", url.Values{"QueueName": {"q"}}, &out))
	require.Equal(t, "http://q", out.QueueURL)
	require.Equal(t, []string{`AmazonSQS.GetQueueUrl application/x-amz-json-1.0 {"QueueName":"q"}`}, asked)
	var api smithy.APIError
	require.ErrorAs(t, Call(t.Context(), cfg, SQS, "GetQueueUrl", nil, &out), &api)
	require.Equal(t, []string{"QueueDoesNotExist", "none"}, []string{api.ErrorCode(), api.ErrorMessage()})
}
