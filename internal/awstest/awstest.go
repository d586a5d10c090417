// Package awstest is an AWS for unit tests that answers by a function of the request. Only tests import it.
package awstest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Answering is an AWS that answers by a function of the request: "HEAD /bucket", or the action of a query or JSON request.
func Answering(answer func(what string, body url.Values) (status int, header map[string]string, text string)) func(context.Context, string) (aws.Config, error) {
	return func(context.Context, string) (aws.Config, error) {
		return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1"), HTTPClient: roundTrip(func(r *http.Request) (*http.Response, error) {
			var body []byte
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
			}
			form, _ := url.ParseQuery(string(body))
			what := r.Method + " " + r.URL.Path
			if target := r.Header.Get("X-Amz-Target"); target != "" {
				what = target[strings.LastIndexByte(target, '.')+1:]
			} else if form.Get("Action") != "" {
				what = form.Get("Action")
			}
			status, header, text := answer(what, form)
			h := http.Header{}
			for k, v := range header {
				h.Set(k, v)
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
		}), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S"}, nil
		}), RetryMaxAttempts: 1}, nil
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }
