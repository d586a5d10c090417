package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
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

// maxBody is above the largest request any service here takes (Lambda's 70 MB zip upload in base64); S3 streams.
const maxBody = 100 << 20

// scope reads region and service from a SigV4 credential: KEY/20261123/us-east-1/ecs/aws4_request.
var scope = regexp.MustCompile(`Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request`)

// Scope is the access key and the Region of a request's signature; empty when it is unsigned.
func Scope(req *http.Request) (accessKey, region string) {
	accessKey, region, _ = credential(req)
	return accessKey, region
}

func credential(req *http.Request) (accessKey, region, service string) {
	text := req.Header.Get("Authorization")
	if text == "" { // presigned: the credential is in the query
		text = "Credential=" + req.URL.Query().Get("X-Amz-Credential")
	}
	if m := scope.FindStringSubmatch(text); m != nil {
		return m[1], m[2], m[3]
	}
	return "", "", ""
}

// ServeHTTP answers one request. Service, action and protocol come from the request itself.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	call := &Call{RequestID: requestID(), Endpoint: "http://" + req.Host}
	call.AccessKey, call.Region, call.Service = credential(req)
	ctx := context.WithValue(req.Context(), callKey{}, call)
	if h, ok := r.raw[call.Service]; ok {
		h.ServeHTTP(w, req.WithContext(ctx))
		return
	}
	body, err := readBody(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	x := &exchange{registry: r, call: call, r: req, body: body, header: http.Header{}}
	x.header.Set("x-amzn-RequestId", call.RequestID)
	ep, ok := r.find(x)
	fault, kill := r.Faults.at(call, req.URL.Path, body)
	if err := fault.before(ctx, call.Service, nil, kill); err != nil {
		x.fail(err)
	} else if ok {
		ep.serve(ctx, x)
		if fault.Kind == FailAfter {
			x.fail(fault.Err(call.Service))
		}
	}
	if before, ok := r.Faults.stale(call, answer{x.status, x.header, x.out}); ok && fault.Kind == Stale {
		x.status, x.header, x.out = before.status, before.header, before.body
	}
	for k, v := range x.header {
		w.Header()[k] = v
	}
	if fault.Kind != "" { // what goes wrong on purpose is no exchange to learn from
		fault.send(w, answer{x.status, x.header, x.out}, kill)
		return
	}
	if r.Record != nil {
		r.Record(Exchange{call.Service, call.Action, x.codec.protocol(), req.Method, req.URL.String(), req.Header.Clone(), body,
			x.status, w.Header().Clone(), x.out, x.code})
	}
	w.WriteHeader(x.status)
	_, _ = w.Write(x.out) // the caller may be gone
}

// find sets the exchange's codec, service and action, and answers itself when nobody serves it.
func (r *Registry) find(x *exchange) (Endpoint, bool) {
	sv := r.services[x.call.Service]
	if sv != nil {
		x.service = sv.Service
	} else {
		x.service = Service{Name: x.call.Service}
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
		x.codec = queryCodec{form}
		x.call.Action = form.Get("Action")
		if err != nil {
			x.fail(x.service.invalid("malformed form body: %v", err))
			return Endpoint{}, false
		}
	default:
		x.codec = restCodec{}
		if sv != nil {
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
	}
	if sv != nil {
		if ep, ok := sv.actions[x.call.Action]; ok && ep.pattern == "" {
			return ep, true
		}
	}
	what := x.call.Service + "." + x.call.Action
	if x.call.Action == "" {
		what = fmt.Sprintf("%s %s %s", x.call.Service, x.r.Method, x.r.URL.Path)
	}
	r.Miss(what)
	code := "UnknownOperationException"
	if x.codec.protocol() == "query" || x.codec.protocol() == "ec2" {
		code = "InvalidAction"
	}
	x.fail(Errorf(http.StatusBadRequest, code, "localaws does not serve %s", what))
	return Endpoint{}, false
}

func readBody(req *http.Request) ([]byte, error) {
	var src io.Reader = http.MaxBytesReader(nil, req.Body, maxBody)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("gzip body: %w", err)
		}
		src = z
	}
	var b bytes.Buffer
	_, err := b.ReadFrom(src)
	return b.Bytes(), err
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
