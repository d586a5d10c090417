package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/lambda"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// The test binary is also the functions' bootstrap.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("INIT") == "exit" {
		fmt.Println("cannot start")
		os.Exit(3)
	}
	runtime.Start(handler)
}

type request struct {
	Do   string
	Meet int    // how many calls must have come
	Dir  string // where they leave a file each
}

var calls int

func handler(ctx context.Context, r request) (any, error) {
	calls++
	fmt.Println("doing", r.Do)
	switch r.Do {
	case "environment":
		return os.Environ(), nil
	case "context":
		c, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{"id": c.AwsRequestID, "arn": c.InvokedFunctionArn, "left": time.Until(deadline).Seconds(), "pid": os.Getpid(), "calls": calls, "client": c.ClientContext.Custom}, nil
	case "hang":
		select {}
	case "meet":
		if err := os.WriteFile(filepath.Join(r.Dir, strconv.Itoa(os.Getpid())), nil, 0o600); err != nil {
			return nil, err
		}
		for here := 0; here < r.Meet; time.Sleep(5 * time.Millisecond) {
			files, err := os.ReadDir(r.Dir)
			if err != nil {
				return nil, err
			}
			here = len(files)
		}
	case "fail":
		return nil, errors.New("as told")
	case "panic":
		panic("as told")
	case "exit":
		fmt.Fprint(os.Stderr, "last words")
		os.Exit(7)
	case "big":
		return strings.Repeat("x", 7<<20), nil
	}
	return r.Do, nil
}

type fixture struct {
	*sdk.Client
	service *lambda.Service
	buckets *s3.Service
	acct    *account.Account
	mu      sync.Mutex
	denied  []string // actions
	roles   []string
	groups  []string
	events  []logs.Event
	streams []string
	metrics map[string]float64
	sent    chan string
}

const role = "arn:aws:iam::123456789012:role/fn"

func (w *fixture) TrustsFor(arn, service, _ string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return service == "lambda.amazonaws.com" && slices.Contains(w.roles, arn)
}

func (w *fixture) Allowed(_, action, _ string, _ map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.Contains(w.denied, action)
}

func (w *fixture) Session(string, string) iam.Credentials {
	return iam.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token", Expires: time.Now().Add(time.Hour)}
}
func (w *fixture) Group(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.groups, name)
}

type logPut struct{ *fixture }

func (w logPut) Put(_, stream string, events ...logs.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, events...)
	w.streams = append(w.streams, stream)
	return nil
}

func (w *fixture) Put(m cloudwatch.Metric, _ time.Time, v float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.metrics[m.Dimensions[0].Value+" "+m.Name+" "+m.Unit] += v
}
func (w *fixture) Send(arn, body string) error          { w.sent <- arn + " " + body; return nil }
func (w *fixture) Publish(arn, _, message string) error { w.sent <- arn + " " + message; return nil }

func (w *fixture) deny(actions ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denied = actions
}

func (w *fixture) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, e := range w.events {
		b.WriteString(e.Message)
	}
	return b.String()
}

func (w *fixture) metric(name string) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.metrics[name]
}

func start(t *testing.T) *fixture {
	w := &fixture{acct: wiretest.Account(t), roles: []string{role}, groups: []string{"/aws/lambda/fn"}, metrics: map[string]float64{}, sent: make(chan string, 10)}
	buckets, err := s3.New(w.acct)
	require.NoError(t, err)
	w.buckets = buckets
	w.service = lambda.New(w.acct, lambda.Deps{IAM: w, Logs: logPut{w}, CloudWatch: w, SQS: w, SNS: w, S3: buckets, Endpoint: func() string { return "http://127.0.0.1:1" }})
	t.Cleanup(func() { require.NoError(t, w.service.Close()) })
	w.service.RetryWaits = [2]time.Duration{time.Millisecond, 2 * time.Millisecond}
	r := wire.NewRegistry()
	r.Record = record(t)
	w.service.Register(r)
	w.Client = sdk.NewFromConfig(wiretest.Config(t, r))
	return w
}

// archive is a zip whose bootstrap is the given script, by default one that runs this test binary.
func archive(t *testing.T, script string) []byte {
	t.Helper()
	if script == "" {
		self, err := os.Executable()
		require.NoError(t, err)
		script = "#!/bin/sh\nexec " + self + "\n"
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	f, err := z.CreateHeader(h)
	require.NoError(t, err)
	_, err = f.Write([]byte(script))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func (w *fixture) create(t *testing.T, change func(*sdk.CreateFunctionInput)) (*sdk.CreateFunctionOutput, error) {
	t.Helper()
	in := &sdk.CreateFunctionInput{FunctionName: aws.String("fn"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: archive(t, "")}, Timeout: aws.Int32(900)}
	if change != nil {
		change(in)
	}
	return w.CreateFunction(t.Context(), in)
}

func (w *fixture) invoke(t *testing.T, payload string) *sdk.InvokeOutput {
	t.Helper()
	out, err := w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn"), Payload: []byte(payload), LogType: types.LogTypeTail})
	require.NoError(t, err)
	return out
}

var models = sync.OnceValues(apimodel.Load)

// record holds every exchange against AWS's own model.
func record(t *testing.T) func(wire.Exchange) {
	m, err := models()
	require.NoError(t, err)
	return func(x wire.Exchange) {
		// AWS itself leaves out a required member of the one; lists in a query, as of the other, the check does not read.
		if x.Action == "GetFunctionCodeSigningConfig" || x.Action == "UntagResource" {
			return
		}
		if p := m.Check(x); len(p) > 0 {
			t.Errorf("%s %s: %q\n%s\n%s", x.Service, x.Action, p, x.RequestBody, x.ResponseBody)
		}
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return fmt.Sprint(err)
}
