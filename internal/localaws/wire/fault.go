package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kinds of faults.
const (
	Throttle   = "throttle"    // the service's own throttling error
	ServerFail = "5xx"         // the service's own internal error
	FailAfter  = "5xx-after"   // the same, once the call has had its effect; not of S3
	Denied     = "denied"      // AccessDenied
	Slow       = "slow"        // the answer comes Delay later
	Cut        = "cut"         // the call has its effect, and the connection ends in the middle of the answer
	CutRequest = "cut-request" // the connection ends in the middle of the request, which has no effect
	Stale      = "stale"       // the answer that the same request got before: eventual consistency, for reads
	Kill       = "kill"        // the caller's process is killed at the call; counts only calls of Lambda functions
	KillAfter  = "kill-after"  // the same, once the call has had its effect
)

// Fault is a failure of certain calls of an action.
type Fault struct {
	Action      string // "monitoring.GetMetricData", "s3.*", "*"
	First, Last int    // calls of what Action names, from 1 on; Last 0: for ever
	Kind        string
	Delay       time.Duration // Slow
	Holds       string        // when set, only calls whose path or body holds this text count (of S3's, the path)
}

// faultForm: SERVICE.ACTION[:FIRST[-LAST|+]]=KIND[(DELAY)]
var faultForm = regexp.MustCompile(`^(\*|[a-z0-9-]+\.(?:\*|[A-Za-z0-9]+))(?::([1-9]\d*)(?:(\+)|-([1-9]\d*))?)?=([a-z0-9-]+)(?:\(([0-9a-zµ.]+)\))?$`)

// ParseFault reads the text form: "monitoring.GetMetricData:3=throttle" is the third call, ":3-5" three calls, ":3+" all from the third
// on, and without a number it is every call. "logs.*=slow(200ms)" has a delay. Kinds are throttle, 5xx, 5xx-after, denied, slow, cut, cut-request, stale,
// kill and kill-after.
func ParseFault(text string) (Fault, error) {
	m := faultForm.FindStringSubmatch(text)
	if m == nil {
		return Fault{}, fmt.Errorf("fault %q is not of the form SERVICE.ACTION[:FIRST[-LAST|+]]=KIND, as in monitoring.GetMetricData:3=throttle", text)
	}
	f := Fault{Action: m[1], Kind: m[5], First: 1}
	if m[2] != "" {
		f.First, _ = strconv.Atoi(m[2]) // the form has digits only
		f.Last = f.First
	}
	if m[3] != "" {
		f.Last = 0
	}
	if m[4] != "" {
		f.Last, _ = strconv.Atoi(m[4])
	}
	var err error
	switch f.Kind {
	case Slow:
		if f.Delay, err = time.ParseDuration(m[6]); err != nil {
			return f, fmt.Errorf("fault %q: slow needs a duration, as in slow(200ms)", text)
		}
	case Stale:
		if action := f.Action[strings.LastIndexByte(f.Action, '.')+1:]; !reads(action) && action != "*" || strings.HasPrefix(f.Action, "s3.") {
			return f, fmt.Errorf("fault %q: only a read can be stale, and not S3's, which is strongly consistent", text)
		}
	case FailAfter:
		if strings.HasPrefix(f.Action, "s3.") {
			return f, fmt.Errorf("fault %q: S3's answers are not held back: take cut", text)
		}
	case Throttle, ServerFail, Denied, Cut, CutRequest, Kill, KillAfter:
	default:
		return f, fmt.Errorf("fault %q: there is no kind %q", text, f.Kind)
	}
	return f, nil
}

func reads(action string) bool {
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "List") || strings.HasPrefix(action, "Get")
}

// Faults are the faults of a registry. The zero value has none.
type Faults struct {
	// Caller finds the process behind an access key, to be killed; nil for a caller that the embedded AWS did not start.
	Caller func(accessKey string) (kill func())

	mu      sync.Mutex
	faults  []*counted
	answers map[string]answer // that reads got, by request
	fired   []string
}

type counted struct {
	Fault
	calls int
}

// answer is what a read was answered, kept for Stale.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// Add adds faults. Each counts its calls from now on.
func (f *Faults) Add(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range faults {
		if one.Kind == Stale && f.answers == nil { // without such a fault no answer is kept: in hours there are many
			f.answers = map[string]answer{}
		}
		f.faults = append(f.faults, &counted{Fault: one})
	}
}

// Clear ends all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Fired lists what happened so far: "monitoring.GetMetricData:3=throttle".
func (f *Faults) Fired() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.fired...)
}

// at counts a call, and returns the first fault that applies to it.
func (f *Faults) at(call *Call, path string, body []byte) (fault Fault, kill func()) {
	if f == nil {
		return fault, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := call.Service + "." + call.Action
	for _, c := range f.faults {
		if c.Action != "*" && c.Action != name && c.Action != call.Service+".*" || c.Kind == Stale && !reads(call.Action) || !strings.Contains(path, c.Holds) && !bytes.Contains(body, []byte(c.Holds)) {
			continue
		}
		var end func()
		if c.Kind == Kill || c.Kind == KillAfter {
			if end = f.Caller(call.AccessKey); end == nil {
				continue
			}
		}
		if c.calls++; fault.Kind == "" && c.calls >= c.First && (c.Last == 0 || c.calls <= c.Last) {
			fault, kill = c.Fault, end
			f.fired = append(f.fired, fmt.Sprintf("%s:%d=%s", name, c.calls, c.Kind))
		}
	}
	return fault, kill
}

// stale returns the previous answer to the same request and keeps this one; ok is false for the first request.
func (f *Faults) stale(call *Call, now answer) (before answer, ok bool) {
	if f == nil {
		return before, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil || !reads(call.Action) {
		return before, false
	}
	in, err := json.Marshal(call.In)
	if err != nil { // an input that JSON cannot hold is never stale
		return before, false
	}
	key := call.Service + "." + call.Action + string(in)
	before, ok = f.answers[key]
	f.answers[key] = now
	return before, ok
}

// Err is the fault as the service's own error, nil for other kinds.
func (f Fault) Err(service string) error {
	switch f.Kind {
	case Throttle:
		return Throttling(service)
	case ServerFail, FailAfter:
		code := map[string]string{"ecs": "ServerException", "logs": "ServiceUnavailableException", "monitoring": "InternalServiceFault",
			"scheduler": "InternalServerException", "s3": "InternalError", "lambda": "ServiceException"}[service]
		return Errorf(http.StatusInternalServerError, cmp.Or(code, "InternalFailure"), "We encountered an internal error. Please try again.")
	case Denied:
		code, status := "AccessDenied", http.StatusForbidden
		if service == "ecs" || service == "logs" || service == "ssm" || service == "scheduler" || service == "lambda" {
			code = "AccessDeniedException"
		}
		return Errorf(status, code, "User is not authorized to perform this action")
	}
	return nil
}

// Throttling is a service's error for too many requests.
func Throttling(service string) error {
	switch service {
	case "s3": // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
		return Errorf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case "ec2":
		return Errorf(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	case "lambda":
		return Errorf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded")
	case "scheduler":
		return Errorf(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded")
	case "ecs", "logs", "ssm":
		return Errorf(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
	}
	return Errorf(http.StatusBadRequest, "Throttling", "Rate exceeded")
}

// hangUp ends the connection without another byte; http.Server takes this panic for it.
func hangUp() { panic(http.ErrAbortHandler) }

// before does what happens before a call has an effect; an error is the answer.
func (f Fault) before(ctx context.Context, service string, body io.Reader, kill func()) error {
	switch f.Kind {
	case Slow:
		select {
		case <-time.After(f.Delay):
		case <-ctx.Done():
		}
	case CutRequest:
		if body != nil {
			_, _ = io.CopyN(io.Discard, body, 512) // not all of it
		}
		hangUp()
	case Kill:
		kill()
		hangUp()
	case FailAfter:
		return nil
	}
	return f.Err(service)
}

// send sends an answer; half of it when the fault is a cut.
func (f Fault) send(w http.ResponseWriter, a answer, kill func()) {
	switch f.Kind {
	case KillAfter:
		kill()
		hangUp()
	case Cut:
		if len(a.body) < 2 {
			hangUp()
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush() // the caller may be gone
		hangUp()
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone
}

// Fault applies the registry's faults to a call of a service with its own handler: serve writes the answer to its writer,
// or returns an error, which is then the answer.
func (r *Registry) Fault(w http.ResponseWriter, req *http.Request, call *Call, serve func(http.ResponseWriter) error) error {
	fault, kill := r.Faults.at(call, req.URL.Path, nil)
	if err := fault.before(req.Context(), call.Service, req.Body, kill); err != nil {
		return err
	}
	if fault.Kind != Cut && fault.Kind != KillAfter {
		return serve(w)
	}
	held := &heldAnswer{ResponseWriter: w, answer: answer{status: http.StatusOK}}
	if err := serve(held); err != nil {
		return err
	}
	fault.send(w, answer{held.status, nil, held.text.Bytes()}, kill)
	return nil
}

// heldAnswer keeps an answer back.
type heldAnswer struct {
	http.ResponseWriter
	answer
	text bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.text.Write(p) }
