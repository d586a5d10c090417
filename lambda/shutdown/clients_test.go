package shutdown

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/stretchr/testify/require"
)

type sender func(*http.Request) (*http.Response, error)

func (s sender) Do(r *http.Request) (*http.Response, error) { return s(r) }

// net/http copies a body and then checks for its end, when the SDK may have closed it: that must read as the end, not as an error.
func TestClosedBodyReadsAsEOF(t *testing.T) {
	attempts := 0
	clients := NewClients(aws.Config{Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, HTTPClient: sender(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.EqualValues(t, r.ContentLength, len(body))
		require.NoError(t, r.Body.Close())
		n, err := io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		require.Zero(t, n)
		if attempts++; attempts == 1 {
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}}, nil
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}}, Body: io.NopCloser(strings.NewReader("\xa0"))}, nil // an empty map
	})})
	_, err := clients.CloudWatch.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/ElastiCache")})
	require.NoError(t, err)
	require.Equal(t, 2, attempts, "sent again, whole")
}
