package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Payload bounds in bytes; https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxSync  = 6 << 20
	maxAsync = 1 << 20
)

// invocation is one request to run a function.
type invocation struct {
	function, id  string
	payload       []byte
	clientContext string
}

// outcome is how an invocation ended.
type outcome struct {
	payload []byte
	kind    string // "Unhandled" when the function failed, else ""
	log     []byte // its last 4 KB
}

func (o outcome) failed() bool { return o.kind != "" }

// failure is an outcome that Lambda itself writes.
func failure(errorType, format string, args ...any) outcome {
	b, _ := json.Marshal(struct { // strings always encode
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{errorType, fmt.Sprintf(format, args...)})
	return outcome{payload: b, kind: "Unhandled"}
}

type invokeIn struct {
	functionIn
	InvocationType *string `at:"header=X-Amz-Invocation-Type"`
	LogType        *string `at:"header=X-Amz-Log-Type"`
	ClientContext  *string `at:"header=X-Amz-Client-Context"`
	Payload        []byte  `at:"body"`
}

type invokeOut struct {
	StatusCode      int     `at:"status"`
	FunctionError   *string `at:"header=X-Amz-Function-Error"`
	LogResult       *string `at:"header=X-Amz-Log-Result"`
	ExecutedVersion *string `at:"header=X-Amz-Executed-Version"`
	Payload         []byte  `at:"body"`
}

// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s *Service) invoke(ctx context.Context, in *invokeIn) (*invokeOut, error) {
	kind, limit := "RequestResponse", maxSync
	if in.InvocationType != nil {
		kind = *in.InvocationType
	}
	if kind == "Event" {
		limit = maxAsync
	}
	inv := invocation{id: wire.From(ctx).RequestID, payload: in.Payload}
	if len(inv.payload) == 0 {
		inv.payload = []byte("{}")
	}
	if in.ClientContext != nil {
		if len(*in.ClientContext) > 3583 { // https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
			return nil, wire.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Client context must have at most 3583 bytes of Base64: it has %d.", len(*in.ClientContext))
		}
		raw, err := base64.StdEncoding.DecodeString(*in.ClientContext)
		if err != nil {
			return nil, wire.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
		}
		inv.clientContext = string(raw)
	}
	s.mu.Lock()
	f, err := s.find(in.FunctionName, in.qualifier())
	if err == nil {
		inv.function = f.FunctionName
		if state := s.now(f).State; state != "Active" {
			err = conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", state)
		}
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := enum("invocationType", kind, "Event", "RequestResponse", "DryRun"); err != nil {
		return nil, err
	}
	if err := checkPayload(inv.payload, limit); err != nil {
		return nil, err
	}
	version := latest
	switch kind {
	case "DryRun":
		return &invokeOut{StatusCode: http.StatusNoContent}, nil
	case "Event":
		return &invokeOut{StatusCode: http.StatusAccepted, Payload: []byte{}}, s.queue(inv)
	}
	if !s.enter() {
		return nil, wire.Errorf(http.StatusInternalServerError, "ServiceException", "%v", errClosed)
	}
	defer s.wg.Done()
	result, err := s.run(inv)
	if err != nil {
		return nil, err
	}
	out := &invokeOut{StatusCode: 200, ExecutedVersion: &version, Payload: result.payload}
	if result.failed() {
		out.FunctionError = &result.kind
	}
	if in.LogType != nil && *in.LogType == "Tail" {
		tail := base64.StdEncoding.EncodeToString(result.log)
		out.LogResult = &tail
	}
	return out, nil
}

func checkPayload(payload []byte, limit int) error {
	if len(payload) > limit {
		return wire.Errorf(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", limit)
	}
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return wire.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: %v", err)
	}
	return nil
}

// run runs one invocation in its own environment. An error means that the function did not run.
func (s *Service) run(inv invocation) (outcome, error) {
	b, err := s.acquire(inv.function)
	if err != nil {
		return outcome{}, err
	}
	began := time.Now()
	out, reusable := b.run(inv)
	if s.ctx.Err() == nil {
		failed := 0.0
		if out.failed() {
			failed = 1
		}
		s.count(inv.function, "Invocations", "Count", 1)
		s.count(inv.function, "Errors", "Count", failed)
		s.count(inv.function, "Duration", "Milliseconds", float64(time.Since(began).Microseconds())/1000)
	}
	s.release(b, reusable)
	return out, nil
}

// acquire takes an idle environment, or starts one.
func (s *Service) acquire(name string) (*sandbox, error) {
	s.mu.Lock()
	f, err := s.find(name, "")
	switch {
	case err != nil:
	case s.closed:
		err = wire.Errorf(http.StatusInternalServerError, "ServiceException", "%v", errClosed)
	case f.reserved != nil && f.running >= *f.reserved:
		err = throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	case f.reserved == nil && s.running >= s.Concurrency:
		err = throttled("ConcurrentInvocationLimitExceeded")
	}
	if err != nil {
		s.mu.Unlock()
		if f != nil && !s.isClosed() {
			s.count(name, "Throttles", "Count", 1)
		}
		return nil, err
	}
	f.running++
	s.running++
	var b *sandbox
	var stale []*sandbox
	for b == nil && len(f.idle) > 0 {
		b = f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !b.usable(s.acct.Clock.Now()) {
			stale = append(stale, b)
			b = nil
		}
	}
	spec := function{configuration: f.configuration, environment: f.environment, task: f.task}
	s.mu.Unlock()
	for _, old := range stale {
		old.end()
	}
	if b == nil {
		if b, err = s.start(&spec); err != nil {
			s.release(&sandbox{spec: &spec}, false)
			return nil, err
		}
	}
	return b, nil
}

func (s *Service) isClosed() bool { return s.ctx.Err() != nil }

func throttled(reason string) error {
	e := wire.Errorf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	e.Header = http.Header{"X-Amzn-Throttle-Reason": {reason}}
	return e
}

// release returns an environment to the pool, or ends it if its revision is old or its function is deleted.
func (s *Service) release(b *sandbox, reusable bool) {
	s.mu.Lock()
	s.running--
	f := s.functions[b.spec.FunctionName]
	if f != nil {
		f.running--
		if reusable && !s.closed && f.task == b.spec.task && f.RevisionId == b.spec.RevisionId {
			f.idle = append(f.idle, b)
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()
	b.end()
}
