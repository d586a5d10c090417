// Package wiretest lets real SDK clients talk to a registry in a test, and gives tests a clock and a way to wait.
package wiretest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Account is a test's account in us-east-1: files in the test's own folder, metrics every second, no delays.
func Account(t testing.TB) *account.Account {
	return &account.Account{ID: account.ID, Region: "us-east-1", Dir: t.TempDir(), Clock: account.SystemClock{},
		Log: slog.New(slog.DiscardHandler), MetricsPeriod: time.Second}
}

var models = sync.OnceValues(apimodel.Load)

// Config serves r and is the configuration of SDK clients that reach it, without retries. When the test ends,
// everything that was asked for must have been served, and every exchange must have been as AWS's API models say
// (unless the test records them for itself).
func Config(t testing.TB, r *wire.Registry) aws.Config {
	if r.Record == nil {
		m, err := models()
		if err != nil {
			t.Fatal(err)
		}
		r.Record = func(x wire.Exchange) {
			for _, problem := range m.Check(x) {
				t.Errorf("not as AWS's API model says: %s", problem)
			}
		}
	}
	srv := httptest.NewServer(r)
	t.Cleanup(func() {
		srv.Close()
		if missed := r.Unhandled(); len(missed) > 0 {
			t.Errorf("asked for and not served: %q", missed)
		}
	})
	return Client(t, srv.URL)
}

// Client is the configuration of SDK clients of an endpoint, without retries.
func Client(t testing.TB, endpoint string) aws.Config {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, RetryMaxAttempts: 1, HTTPClient: unhurried{http.Client{Transport: transport}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")}
}

// unhurried sends a request's body through Read only. Once an answer begins, the SDK closes the request's body, whose WriteTo then gives io.EOF; net/http,
// which may be about to look whether the body has more, takes that for an error and cuts the connection below the answer that is being read.
// https://github.com/aws/smithy-go/blob/v1.28.8/transport/http/internal/io/safe.go
type unhurried struct{ http.Client }

func (c unhurried) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.Client.Do(r)
}
