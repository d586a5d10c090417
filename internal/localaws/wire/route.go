package wire

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/signature"
)

// Exchange is one request and its answer as they stood on the wire.
type Exchange struct {
	Service, Action, Protocol string // Protocol: query, ec2, json, rest-json, cbor
	Method, URL               string
	RequestHeader             http.Header
	RequestBody               []byte
	Status                    int
	ResponseHeader            http.Header
	ResponseBody              []byte
	ErrorCode                 string // of an API error, else ""
}

// exchange is a request being answered.
type exchange struct {
	registry *Registry
	service  Service
	call     *Call
	codec    codec
	r        *http.Request
	body     []byte
	status   int
	header   http.Header
	out      []byte
	code     string
}

func (x *exchange) fail(err error) {
	e := asError(err)
	x.status, x.code = e.Status, e.Code
	for k, v := range e.Header {
		x.header[k] = v
	}
	x.codec.fail(x, e)
}

// maxBody is above the largest request any service here takes (Lambda's 70 MB zip upload in base64), as it is sent and as it is unpacked; S3 streams.
const maxBody = 100 << 20

// ServeHTTP answers one request. Service, action and protocol come from the request itself.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	signed := signature.Of(req)
	call := &Call{RequestID: requestID(), Endpoint: "http://" + req.Host, AccessKey: signed.AccessKey, Region: signed.Region, Service: signed.Service}
	ctx := context.WithValue(req.Context(), callKey{}, call)
	if h, ok := r.raw[call.Service]; ok {
		if r.Authenticate != nil {
			call.Refused = r.Authenticate(req, signed, "")
		}
		h.ServeHTTP(w, req.WithContext(ctx))
		return
	}
	body, err := readAll(req.Body)
	if err == nil && r.Authenticate != nil {
		sum := sha256.Sum256(body)
		call.Refused = r.Authenticate(req, signed, hex.EncodeToString(sum[:]))
	}
	if err == nil && call.Refused == nil && req.Header.Get("Content-Encoding") == "gzip" {
		body, err = unpack(body)
	}
	if err != nil {
		status := http.StatusBadRequest
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	x := &exchange{registry: r, call: call, r: req, body: body, header: http.Header{}}
	x.header.Set("x-amzn-RequestId", call.RequestID)
	var fault Fault
	var kill func()
	x.read()
	if err := cmp.Or(call.Refused, x.spoken()); err != nil {
		x.fail(err)
	} else {
		ep, ok := r.find(x)
		fault, kill = r.Faults.at(call, req.URL.Path, body)
		if err := fault.before(ctx, call.Service, nil, kill); err != nil {
			x.fail(err)
		} else if ok {
			ep.serve(ctx, x)
			if fault.Kind == FailAfter {
				x.fail(fault.Err(call.Service))
			}
		}
	}
	if before, ok := r.Faults.stale(call, answer{x.status, x.header, x.out}); ok && fault.Kind == Stale {
		x.status, x.header, x.out = before.status, before.header, before.body
	}
	for k, v := range x.header {
		w.Header()[k] = v
	}
	if fault.Kind != "" { // injected faults are not recorded
		fault.send(w, answer{x.status, x.header, x.out}, kill)
		return
	}
	if r.Record != nil && call.Refused == nil { // who is not known has said nothing
		r.Record(Exchange{call.Service, call.Action, x.codec.protocol(), req.Method, req.URL.String(), req.Header.Clone(), body,
			x.status, w.Header().Clone(), x.out, x.code})
	}
	w.WriteHeader(x.status)
	_, _ = w.Write(x.out) // the caller may be gone
}

// spoken refuses a content type that is not the protocol's. A browser sends text/plain and forms to other sites unasked, JSON and CBOR never:
// https://fetch.spec.whatwg.org/#cors-safelisted-request-header. Some clients send none with REST-JSON, whose body may also be a blob.
func (x *exchange) spoken() error {
	kind, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	ok := true
	switch x.codec.protocol() {
	case "json":
		ok = kind == "application/x-amz-json-1.0" || kind == "application/x-amz-json-1.1"
	case "cbor":
		ok = kind == "application/cbor" || kind == "" && len(x.body) == 0
	case "rest-json":
		ok = kind == "" && x.r.Header.Get("Content-Type") == "" || kind == "application/json" || kind == "application/octet-stream"
	}
	if !ok {
		return Errorf(http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", "the content type %q is not one of this protocol", x.r.Header.Get("Content-Type"))
	}
	return nil
}

// read sets the exchange's codec, service and, but for REST-JSON, its action.
func (x *exchange) read() {
	x.service = Service{Name: x.call.Service}
	if sv := x.registry.services[x.call.Service]; sv != nil {
		x.service = sv.Service
	}
	target := x.r.Header.Get("X-Amz-Target")
	switch {
	case x.r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		_, x.call.Action, _ = strings.Cut(x.r.URL.Path, "/operation/")
		x.codec = cborCodec{}
	case target != "":
		_, x.call.Action, _ = strings.Cut(target, ".")
		x.codec = jsonCodec{contentType: x.r.Header.Get("Content-Type")}
	case strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		form, err := url.ParseQuery(string(x.body))
		x.codec = queryCodec{form, err}
		x.call.Action = form.Get("Action")
	default:
		x.codec = restCodec{}
	}
}

// find is the endpoint of the exchange's action; it answers itself when nobody serves it.
func (r *Registry) find(x *exchange) (Endpoint, bool) {
	sv := r.services[x.call.Service]
	if _, rest := x.codec.(restCodec); rest && sv != nil {
		if p := x.r.URL.Path; len(p) > 1 && x.r.URL.RawPath == "" { // some callers end a path in a slash that the API reference has not
			x.r.URL.Path = strings.TrimSuffix(p, "/")
		}
		if h, pattern := sv.routes.Handler(x.r); pattern != "" {
			if ep, ok := h.(route); ok {
				x.call.Action = ep.action
				sv.routes.ServeHTTP(nil, x.r) // Handler finds the pattern but does not set the path values; this does
				return Endpoint(ep), true
			}
		}
	}
	query := x.codec.protocol() == "query"
	spoken := !query || sv == nil || sv.XMLNS != ""
	if sv != nil && spoken {
		if ep, ok := sv.actions[x.call.Action]; ok && ep.pattern == "" {
			return ep, true
		}
	}
	what := x.call.Service + "." + x.call.Action
	switch {
	case !spoken: // SQS takes it on AWS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
		what += " in the query protocol (take a newer client)"
	case x.call.Action == "":
		what = fmt.Sprintf("%s %s %s", x.call.Service, x.r.Method, x.r.URL.Path)
	}
	r.Miss(what)
	code := "UnknownOperationException"
	if query {
		code = "InvalidAction"
	}
	x.fail(Errorf(http.StatusBadRequest, code, "localaws does not serve %s", what))
	return Endpoint{}, false
}

func readAll(src io.ReadCloser) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(nil, src, maxBody))
}

func unpack(body []byte) ([]byte, error) {
	src, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("gzip body: %w", err)
	}
	return readAll(src)
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
