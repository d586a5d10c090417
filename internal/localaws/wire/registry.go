package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/signature"
)

// Service says how one AWS service looks on the wire.
type Service struct {
	Name    string // as in the SigV4 credential scope: "monitoring", not "cloudwatch"
	XMLNS   string // namespace of query answers
	Lower   bool   // member names start in lower case
	EC2     bool   // EC2's query flavour: requests upper, answers lower case, lists of <item>
	Message string // member of an error that carries its text; default "message"
	Invalid string // error code for a missing or malformed member; default "ValidationException"

	// Codes are those of errors in the query protocol, by the name of the error's shape, where the code is another one. Only a service that also speaks,
	// or used to speak, query has them: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
	Codes map[string]string
}

// queryCode is an error's code in the query protocol.
func (s Service) queryCode(e *Error) string {
	shape := e.Code[strings.LastIndexByte(e.Code, '#')+1:]
	return cmp.Or(s.Codes[shape], shape)
}

func (s Service) invalid(format string, args ...any) *Error {
	code := s.Invalid
	if code == "" {
		code = "ValidationException"
	}
	return Errorf(http.StatusBadRequest, code, format, args...)
}

// Error is an API error; every codec knows how to send it.
type Error struct {
	Status        int
	Code, Message string      // Code is the name of the error's shape, where the service's model has one
	Header        http.Header // extra response headers
}

// fault is whose mistake it was.
func (e *Error) fault() string {
	if e.Status >= 500 {
		return "Receiver"
	}
	return "Sender"
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an API error with its HTTP status and AWS code.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Call is what package wire knows about a request: the caller and the action.
type Call struct {
	Service, Action string
	Region          string
	AccessKey       string // of the signature; "" when unsigned
	Refused         error  // why the signature does not count, for a service that has a handler of its own
	RequestID       string
	Endpoint        string // http://host:port as the caller addressed it
	In              any    // the decoded input, for authorization by resource
}

type callKey struct{}

// From is the call that ctx belongs to; never nil.
func From(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// Endpoint is one action of a service; made by Action or Route.
type Endpoint struct {
	action, pattern string // pattern: "POST /2015-03-31/functions", REST only
	status          int
	in              reflect.Type // of the decoded input
	serve           func(ctx context.Context, x *exchange)
}

// Action is an action of a query, JSON or CBOR service.
func Action[In, Out any](name string, f func(context.Context, *In) (*Out, error)) Endpoint {
	return Route(name, "", http.StatusOK, f)
}

// Route is an action of a REST-JSON service; status is that of a success.
func Route[In, Out any](name, pattern string, status int, f func(context.Context, *In) (*Out, error)) Endpoint {
	return Endpoint{action: name, pattern: pattern, status: status, in: reflect.TypeFor[In](), serve: func(ctx context.Context, x *exchange) {
		var in In
		if err := x.codec.decode(x, &in); err != nil {
			x.fail(err)
			return
		}
		x.call.In = &in
		if x.registry.Authorize != nil {
			if err := x.registry.Authorize(ctx, x.call); err != nil {
				x.fail(err)
				return
			}
		}
		if x.registry.Limit != nil {
			if err := x.registry.Limit(x.call); err != nil {
				x.fail(err)
				return
			}
		}
		out, err := f(ctx, &in)
		if err != nil {
			x.fail(err)
			return
		}
		x.status = status
		if err := x.codec.encode(x, out); err != nil {
			panic(fmt.Sprintf("%s.%s: cannot encode %T: %v", x.service.Name, name, out, err))
		}
	}}
}

// Registry holds every action that is served, and remembers what was asked and is not.
type Registry struct {
	// Authenticate, when set, tells why a request's signature does not count. payload is the hash of the body as it was sent, "" for a service that
	// has a handler of its own.
	Authenticate func(r *http.Request, signed signature.Signature, payload string) error
	// Authorize, when set, decides each decoded call before its handler runs.
	Authorize func(context.Context, *Call) error
	// Record, when set, gets every exchange after it was answered, but for those that a fault met.
	Record func(Exchange)
	// Limit, when set, refuses calls beyond the account's quotas.
	Limit func(*Call) error
	// Faults, when set, go wrong as they are told.
	Faults *Faults

	services map[string]*served
	raw      map[string]http.Handler
	mu       sync.Mutex
	asked    []string
}

type served struct {
	Service
	actions map[string]Endpoint
	routes  *http.ServeMux // patterns only: finds the endpoint of a REST request
}

// NewRegistry has no services.
func NewRegistry() *Registry {
	return &Registry{services: map[string]*served{}, raw: map[string]http.Handler{}}
}

// On adds the actions of a service. A duplicate is a programming error and panics.
func (r *Registry) On(s Service, endpoints ...Endpoint) {
	sv, ok := r.services[s.Name]
	if !ok {
		sv = &served{Service: s, actions: map[string]Endpoint{}, routes: http.NewServeMux()}
		r.services[s.Name] = sv
	}
	for _, e := range endpoints {
		if _, dup := sv.actions[e.action]; dup {
			panic("wire: " + s.Name + "." + e.action + " is registered twice")
		}
		sv.actions[e.action] = e
		if e.pattern != "" {
			sv.routes.Handle(e.pattern, route(e))
		}
	}
}

// route carries an endpoint through the ServeMux, which only matches here.
type route Endpoint

func (route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Handle gives a whole service to a handler of its own (S3).
func (r *Registry) Handle(service string, h http.Handler) { r.raw[service] = h }

// Unhandled lists, sorted and once each, the actions and members that were asked for and are not served.
func (r *Registry) Unhandled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.asked)
	slices.Sort(out)
	return slices.Compact(out)
}

// Inputs are the types that Call.In points to, by service and action: for tables over all actions.
func (r *Registry) Inputs() map[string]map[string]reflect.Type {
	all := map[string]map[string]reflect.Type{}
	for name, sv := range r.services {
		all[name] = map[string]reflect.Type{}
		for action, e := range sv.actions {
			all[name][action] = e.in
		}
	}
	return all
}

// Miss notes something that was asked for and is not served.
func (r *Registry) Miss(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, what)
}

func asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = Errorf(http.StatusInternalServerError, "InternalFailure", "%v", err)
	}
	return e
}
