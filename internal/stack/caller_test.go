package stack

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// An embedded AWS that has ended is no matter of credentials, and an interrupt is not either.
func TestWhoSaysWhyThereIsNoAnswer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	url := "http://" + free.Addr().String()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S"}, nil
	})}
	_, err = Who(t.Context(), cfg)
	require.EqualError(t, err, "the embedded AWS at "+url+", which AWS_ENDPOINT_URL points to, is not running: start it with `go tool mage local:up`, and source the environment that it prints")

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	_, err = Who(ctx, cfg)
	require.Equal(t, why, err)
}

// What keeps AWS from answering is not told as a matter of who asks.
func TestWhoTellsTheWayFromTheCredentials(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>`)
	}))
	defer refuses.Close()
	none := errors.New("no profile")
	for name, c := range map[string]struct {
		region, endpoint string
		credentials      error
		want             string
	}{
		"expired":           {endpoint: refuses.URL, want: "AWS does not know who you are: log in, "},
		"none":              {endpoint: refuses.URL, credentials: none, want: "AWS does not know who you are: log in, "},
		"no such address":   {endpoint: "https://127.0.0.1:1", want: "AWS does not answer: check the network, the proxy, and AWS_ENDPOINT_URL"},
		"no URL":            {endpoint: "garbage", want: "AWS does not answer: check the network"},
		"a Region with ' '": {region: "us-east-1 ", want: `check the Region, which is "us-east-1 "`},
	} {
		cfg := aws.Config{Region: cmp.Or(c.region, "us-east-1"), RetryMaxAttempts: 1, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S"}, c.credentials
		})}
		if c.endpoint != "" {
			cfg.BaseEndpoint = &c.endpoint
		}
		_, err := Who(t.Context(), cfg)
		require.ErrorContains(t, err, c.want, name)
	}
}
