package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// eventInvokeConfig: https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html
type eventInvokeConfig struct {
	LastModified             wire.Time
	FunctionArn              string
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	DestinationConfig        destinationConfig
}

type destinationConfig struct{ OnSuccess, OnFailure destination }

type destination struct{ Destination *string }

type eventInvokeConfigIn struct {
	functionIn
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	DestinationConfig        *struct{ OnSuccess, OnFailure *destination }
}

const (
	maxRetries  = 2
	maxEventAge = 6 * time.Hour
)

func (s *Service) putEventInvokeConfig(_ context.Context, in *eventInvokeConfigIn) (*eventInvokeConfig, error) {
	return of(s, in.functionIn, func(f *function) (*eventInvokeConfig, error) { return s.configure(f, &eventInvokeConfig{}, in) })
}

func (s *Service) updateEventInvokeConfig(_ context.Context, in *eventInvokeConfigIn) (*eventInvokeConfig, error) {
	return of(s, in.functionIn, func(f *function) (*eventInvokeConfig, error) {
		if f.events == nil {
			return nil, noEventInvokeConfig(f)
		}
		next := *f.events
		return s.configure(f, &next, in)
	})
}

func (s *Service) configure(f *function, c *eventInvokeConfig, in *eventInvokeConfigIn) (*eventInvokeConfig, error) {
	if n := in.MaximumRetryAttempts; n != nil {
		if *n < 0 || *n > maxRetries {
			return nil, bound("maximumRetryAttempts", *n, 0, maxRetries)
		}
		c.MaximumRetryAttempts = n
	}
	if n := in.MaximumEventAgeInSeconds; n != nil {
		if *n < 60 || *n > int(maxEventAge.Seconds()) {
			return nil, bound("maximumEventAgeInSeconds", *n, 60, int(maxEventAge.Seconds()))
		}
		c.MaximumEventAgeInSeconds = n
	}
	if d := in.DestinationConfig; d != nil {
		for _, to := range []struct {
			from *destination
			to   *destination
		}{{d.OnSuccess, &c.DestinationConfig.OnSuccess}, {d.OnFailure, &c.DestinationConfig.OnFailure}} {
			if to.from == nil || to.from.Destination == nil || *to.from.Destination == "" {
				*to.to = destination{}
				continue
			}
			arn := *to.from.Destination
			action, word := destinationAction(arn)
			if action == "" {
				return nil, invalid("The destination ARN %s is invalid: localaws serves SQS queues and SNS topics that are not FIFO", arn)
			}
			if !s.IAM.Allowed(f.Role, action, arn, nil) {
				return nil, invalid("The function's execution role does not have permissions to call %s on %s", word, arn)
			}
			*to.to = *to.from
		}
	}
	c.FunctionArn, c.LastModified = f.FunctionArn+":"+latest, wire.Time{Time: s.acct.Clock.Now()}
	f.events = c
	return c, nil
}

var destinationARN = regexp.MustCompile(`^arn:aws:(sqs|sns):[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$`)

// destinationAction is the action that a role needs to write to a destination, with and without its service; "" if it is not served.
func destinationAction(arn string) (action, word string) {
	m := destinationARN.FindStringSubmatch(arn)
	if m == nil {
		return "", ""
	}
	if m[1] == "sns" {
		return "sns:Publish", "Publish"
	}
	return "sqs:SendMessage", "SendMessage"
}

func noEventInvokeConfig(f *function) error {
	return wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "The function %s:%s doesn't have an EventInvokeConfig", f.FunctionArn, latest)
}

func (s *Service) getEventInvokeConfig(_ context.Context, in *functionIn) (*eventInvokeConfig, error) {
	return of(s, *in, func(f *function) (*eventInvokeConfig, error) {
		if f.events == nil {
			return nil, noEventInvokeConfig(f)
		}
		return f.events, nil
	})
}

func (s *Service) deleteEventInvokeConfig(_ context.Context, in *functionIn) (*struct{}, error) {
	return of(s, *in, func(f *function) (*struct{}, error) {
		if f.events == nil {
			return nil, noEventInvokeConfig(f)
		}
		f.events = nil
		return &struct{}{}, nil
	})
}

// event is an asynchronous invocation in the queue.
type event struct {
	invocation
	queued time.Time
	tries  int // invocations so far
}

// InvokeAsync queues an event for a function, as Invoke with type Event does. After up to three tries the event
// goes to the function's on-failure destination and dead-letter target. The error is why it was not queued.
func (s *Service) InvokeAsync(functionARN string, payload []byte) error {
	s.mu.Lock()
	f, err := s.find(functionARN, "")
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := checkPayload(payload, maxAsync); err != nil {
		return err
	}
	return s.queue(invocation{function: f.FunctionName, id: newUUID(), payload: payload})
}

func (s *Service) queue(inv invocation) error {
	if !s.enter() {
		return wire.Errorf(http.StatusInternalServerError, "ServiceException", "localaws is closing")
	}
	s.count(inv.function, "AsyncEventsReceived", "Count", 1)
	go func() {
		defer s.wg.Done()
		s.deliver(&event{invocation: inv, queued: s.acct.Clock.Now()})
	}()
	return nil
}

// deliver runs an event until it succeeds or is given up.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func (s *Service) deliver(e *event) {
	var last outcome
	backoff := time.Second
	for {
		s.mu.Lock()
		f := s.functions[e.function]
		if f == nil { // deleted with events in its queue
			s.mu.Unlock()
			return
		}
		retries, age, zero := maxRetries, maxEventAge, f.reserved != nil && *f.reserved == 0
		if c := f.events; c != nil && c.MaximumRetryAttempts != nil {
			retries = *c.MaximumRetryAttempts
		}
		if c := f.events; c != nil && c.MaximumEventAgeInSeconds != nil {
			age = time.Duration(*c.MaximumEventAgeInSeconds) * time.Second
		}
		s.mu.Unlock()
		if zero {
			s.settle(e, "ZeroReservedConcurrency", last)
			return
		}
		if e.tries > retries {
			s.settle(e, "RetriesExhausted", last)
			return
		}
		if s.acct.Clock.Now().Sub(e.queued) > age {
			s.settle(e, "EventAgeExceeded", last)
			return
		}
		out, err := s.run(e.invocation)
		var wait time.Duration
		switch {
		case s.ctx.Err() != nil:
			return
		case err != nil: // throttled, or Lambda's own fault: back off without counting it as a try
			wait, backoff = backoff, min(2*backoff, 5*time.Minute)
		case !out.failed():
			e.tries++
			s.settle(e, "Success", out)
			return
		default:
			last = out
			if e.tries++; e.tries <= retries {
				wait = s.RetryWaits[e.tries-1]
			}
		}
		if s.acct.Clock.Sleep(s.ctx, wait) != nil {
			return
		}
	}
}

// settle sends the outcome of an event to the destinations.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
func (s *Service) settle(e *event, condition string, out outcome) {
	s.mu.Lock()
	f := s.functions[e.function]
	if f == nil {
		s.mu.Unlock()
		return
	}
	var to, dead *string
	if f.events != nil {
		to = f.events.DestinationConfig.OnSuccess.Destination
	}
	if condition != "Success" {
		to = nil
		if f.events != nil {
			to = f.events.DestinationConfig.OnFailure.Destination
		}
		if f.DeadLetterConfig != nil {
			dead = f.DeadLetterConfig.TargetArn
		}
	}
	role, arn := f.Role, f.FunctionArn
	s.mu.Unlock()
	if condition != "Success" {
		s.count(e.function, "AsyncEventsDropped", "Count", 1)
		s.acct.Log.Warn("lambda event given up", "function", e.function, "request", e.id, "condition", condition, "error", string(out.payload))
	}
	if to != nil {
		if err := s.send(role, *to, e.record(arn, condition, out, s.acct.Clock.Now())); err != nil {
			s.count(e.function, "DestinationDeliveryFailures", "Count", 1)
			s.acct.Log.Warn("lambda destination", "function", e.function, "to", *to, "error", err)
		}
	}
	if dead != nil { // gets the event alone
		if err := s.send(role, *dead, e.payload); err != nil {
			s.count(e.function, "DeadLetterErrors", "Count", 1)
			s.acct.Log.Warn("lambda dead-letter target", "function", e.function, "to", *dead, "error", err)
		}
	}
}

func (e *event) record(arn, condition string, out outcome, now time.Time) []byte {
	type requestContext struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"`
		InvokeCount int    `json:"approximateInvokeCount"`
	}
	type responseContext struct {
		StatusCode    int    `json:"statusCode"`
		Version       string `json:"executedVersion"`
		FunctionError string `json:"functionError,omitempty"`
	}
	r := struct {
		Version   string           `json:"version"`
		Timestamp string           `json:"timestamp"`
		Request   requestContext   `json:"requestContext"`
		Payload   json.RawMessage  `json:"requestPayload"`
		Response  *responseContext `json:"responseContext,omitempty"`
		Answer    json.RawMessage  `json:"responsePayload,omitempty"`
	}{"1.0", now.UTC().Format("2006-01-02T15:04:05.000Z"), requestContext{e.id, arn + ":" + latest, condition, e.tries}, e.payload, nil, nil}
	if e.tries > 0 {
		r.Response = &responseContext{200, latest, out.kind}
		if r.Answer = out.payload; !json.Valid(out.payload) {
			r.Answer, _ = json.Marshal(string(out.payload)) // a string always encodes
		}
	}
	b, err := json.Marshal(r)
	if err != nil { // only for a payload that is not JSON, which Invoke refuses
		return fmt.Appendf(nil, "%q", err)
	}
	return b
}

func (s *Service) send(role, arn string, body []byte) error {
	action, _ := destinationAction(arn)
	if !s.IAM.Allowed(role, action, arn, nil) {
		return fmt.Errorf("role %s is not allowed %s on %s", role, action, arn)
	}
	if strings.HasPrefix(action, "sns:") {
		return s.SNS.Publish(arn, "", string(body))
	}
	return s.SQS.Send(arn, string(body))
}

var errClosed = errors.New("localaws is closing")
