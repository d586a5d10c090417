package stack

import (
	"context"
	"errors"
	"net"
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
	require.EqualError(t, err, "the embedded AWS at "+url+", where AWS_ENDPOINT_URL leads, is not running: start it with `go tool mage local:up`, and source the environment that it prints")

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	_, err = Who(ctx, cfg)
	require.Equal(t, why, err)
}
