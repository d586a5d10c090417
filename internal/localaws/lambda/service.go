package lambda

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Deps are the services that Lambda itself calls for functions.
type Deps struct {
	IAM interface {
		TrustsFor(roleARN, service, sourceARN string) bool
		Allowed(principalARN, action, resource string, context map[string]string) bool
		Session(roleARN, name string) iam.Credentials
	}
	Logs interface {
		Group(name string) bool
		Put(group, stream string, events ...logs.Event) error
	}
	CloudWatch interface {
		Put(m cloudwatch.Metric, t time.Time, value float64)
	}
	SQS interface {
		Send(queueARN, body string) error
	}
	SNS interface {
		Publish(topicARN, subject, message string) error
	}
	S3 interface {
		Read(account, region, bucket, key, version string) ([]byte, error)
	}
	Endpoint func() string // URL of the embedded AWS, for AWS_ENDPOINT_URL
}

// Service is Lambda in one account and Region.
type Service struct {
	acct *account.Account
	Deps
	// RetryWaits are the pauses before an asynchronous event is tried again after a function error.
	// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
	RetryWaits [2]time.Duration
	// Settling is how long a new function is Pending and an update InProgress.
	Settling time.Duration
	// Concurrency is the account's limit on invocations at once.
	Concurrency int

	ctx   context.Context
	close context.CancelFunc
	wg    sync.WaitGroup // events and environments
	clean func() error   // the folder of code, once

	mu        sync.Mutex // guards what follows; not held while a process is awaited
	closed    bool
	functions map[string]*function
	live      map[string]*sandbox // by the access key of their credentials
	running   int
}

// New has no functions. Code that an earlier process left in the folder is removed with the first upload.
func New(acct *account.Account, deps Deps) *Service {
	s := &Service{acct: acct, Deps: deps, RetryWaits: [2]time.Duration{time.Minute, 2 * time.Minute}, Settling: acct.Delays.FunctionReady, Concurrency: 1000,
		functions: map[string]*function{}, live: map[string]*sandbox{}}
	s.ctx, s.close = context.WithCancel(context.Background())
	s.clean = sync.OnceValue(func() error { return os.RemoveAll(filepath.Join(acct.Dir, "lambda")) })
	return s
}

// Register adds Lambda's actions; https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	const fn = "/functions/{FunctionName}"
	r.On(wire.Service{Name: "lambda", Message: "Message"},
		wire.Route("CreateFunction", "POST /2015-03-31/functions", 201, s.createFunction),
		wire.Route("GetFunction", "GET /2015-03-31"+fn, 200, s.getFunction),
		wire.Route("GetFunctionConfiguration", "GET /2015-03-31"+fn+"/configuration", 200, s.getFunctionConfiguration),
		wire.Route("UpdateFunctionCode", "PUT /2015-03-31"+fn+"/code", 200, s.updateFunctionCode),
		wire.Route("UpdateFunctionConfiguration", "PUT /2015-03-31"+fn+"/configuration", 200, s.updateFunctionConfiguration),
		wire.Route("DeleteFunction", "DELETE /2015-03-31"+fn, 204, s.deleteFunction),
		wire.Route("ListVersionsByFunction", "GET /2015-03-31"+fn+"/versions", 200, s.listVersionsByFunction),
		wire.Route("GetFunctionCodeSigningConfig", "GET /2020-06-30"+fn+"/code-signing-config", 200, s.getFunctionCodeSigningConfig),
		wire.Route("Invoke", "POST /2015-03-31"+fn+"/invocations", 200, s.invoke),

		wire.Route("AddPermission", "POST /2015-03-31"+fn+"/policy", 201, s.addPermission),
		wire.Route("RemovePermission", "DELETE /2015-03-31"+fn+"/policy/{StatementId}", 204, s.removePermission),
		wire.Route("GetPolicy", "GET /2015-03-31"+fn+"/policy", 200, s.getPolicy),

		wire.Route("PutFunctionEventInvokeConfig", "PUT /2019-09-25"+fn+"/event-invoke-config", 200, s.putEventInvokeConfig),
		wire.Route("UpdateFunctionEventInvokeConfig", "POST /2019-09-25"+fn+"/event-invoke-config", 200, s.updateEventInvokeConfig),
		wire.Route("GetFunctionEventInvokeConfig", "GET /2019-09-25"+fn+"/event-invoke-config", 200, s.getEventInvokeConfig),
		wire.Route("DeleteFunctionEventInvokeConfig", "DELETE /2019-09-25"+fn+"/event-invoke-config", 204, s.deleteEventInvokeConfig),

		wire.Route("PutFunctionConcurrency", "PUT /2017-10-31"+fn+"/concurrency", 200, s.putFunctionConcurrency),
		wire.Route("DeleteFunctionConcurrency", "DELETE /2017-10-31"+fn+"/concurrency", 204, s.deleteFunctionConcurrency),

		wire.Route("ListTags", "GET /2017-03-31/tags/{ARN}", 200, s.listTags),
		wire.Route("TagResource", "POST /2017-03-31/tags/{ARN}", 204, s.tagResource),
		wire.Route("UntagResource", "DELETE /2017-03-31/tags/{ARN}", 204, s.untagResource),
	)
}

// Close ends every environment and event, and waits for them. Events that still wait are lost.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	var idle []*sandbox
	for _, f := range s.functions {
		idle = append(idle, f.idle...)
		f.idle = nil
	}
	s.mu.Unlock()
	s.close()
	for _, b := range idle {
		b.end()
	}
	s.wg.Wait()
	return nil
}

// enter counts a goroutine or an invocation; false after Close.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// name of a function: its own, or a full or partial ARN, with or without a qualifier.
var reference = regexp.MustCompile(`^(?:arn:aws:lambda:([a-z0-9-]+):(\d{12}):function:|(\d{12}):function:|function:)?([a-zA-Z0-9_-]{1,64})(?::(\$LATEST|[a-zA-Z0-9_-]+))?$`)

// find is the function that a request names; s.mu is held.
func (s *Service) find(name, qualifier string) (*function, error) {
	m := reference.FindStringSubmatch(name)
	if m == nil {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?", name)
	}
	if m[5] != "" {
		if qualifier != "" && qualifier != m[5] {
			return nil, invalid("The derived qualifier from the function name does not match the specified qualifier.")
		}
		qualifier = m[5]
	}
	arn := s.acct.ARN("lambda", "function:"+m[4])
	f := s.functions[m[4]]
	here := (m[1] == "" || m[1] == s.acct.Region) && (m[2]+m[3] == "" || m[2]+m[3] == s.acct.ID)
	if f == nil || !here || qualifier != "" && qualifier != latest {
		if qualifier != "" {
			arn += ":" + qualifier
		}
		return nil, wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", arn)
	}
	return f, nil
}

const latest = "$LATEST"

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}

// unserved refuses a setting that AWS has and localaws does not serve.
func unserved(what string) error { return invalid("localaws does not serve %s", what) }

func conflict(format string, args ...any) error {
	return wire.Errorf(http.StatusConflict, "ResourceConflictException", format, args...)
}

func newUUID() string {
	id := account.NewID(32)
	return strings.Join([]string{id[:8], id[8:12], "4" + id[13:16], "a" + id[17:20], id[20:]}, "-")
}

// count records a metric of a function.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
func (s *Service) count(functionName, metric, unit string, value float64) {
	s.CloudWatch.Put(cloudwatch.Metric{Namespace: "AWS/Lambda", Name: metric, Unit: unit,
		Dimensions: []cloudwatch.Dimension{{Name: "FunctionName", Value: functionName}}}, s.acct.Clock.Now(), value)
}
