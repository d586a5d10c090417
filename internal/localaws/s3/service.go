package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is S3, for all accounts and Regions: a bucket is of one account, in one Region.
type Service struct {
	acct *account.Account  // of the buckets that are not made by a request
	miss func(what string) // notes what is not served

	tokens [sha256.Size]byte // key of continuation tokens

	mu      sync.RWMutex // guards what follows, and that a file and its metadata change together
	buckets map[string]*bucket
	uploads map[string]*upload
}

type bucket struct {
	account  string
	region   string
	created  time.Time
	readOnly bool
	policy   *policy.Document
	key      string         // ARN of the KMS key that it encrypts with by default
	deletes  map[string]int // how often a key was deleted, for 409 on conditional writes
}

// New serves the buckets in the account's folder. Unfinished multipart uploads of an earlier process are dropped.
func New(acct *account.Account) (*Service, error) {
	s := &Service{acct: acct, buckets: map[string]*bucket{}, uploads: map[string]*upload{}}
	_, _ = rand.Read(s.tokens[:]) // never fails (crypto/rand)
	if err := os.RemoveAll(s.scratch()); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	for _, dir := range []string{s.scratch(), filepath.Join(acct.Dir, "s3")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("s3: %w", err)
		}
	}
	found, err := os.ReadDir(filepath.Join(acct.Dir, "s3"))
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	for _, e := range found {
		if e.IsDir() {
			b := &bucket{account: acct.ID, region: acct.Region, created: acct.Clock.Now(), deletes: map[string]int{}}
			if info, err := e.Info(); err == nil {
				b.created = info.ModTime().UTC()
			}
			s.buckets[e.Name()] = b
		}
	}
	return s, nil
}

// Register makes this the s3 service of r.
func (s *Service) Register(r *wire.Registry) { s.Of(s.acct.ID).Register(r) }

// Front is S3 for the callers of one account: names of buckets are global, what is in them is their account's.
type Front struct {
	*Service
	account  string
	registry *wire.Registry
}

// Of is S3 for an account.
func (s *Service) Of(account string) *Front { return &Front{Service: s, account: account} }

// Register makes this the s3 service of r.
func (f *Front) Register(r *wire.Registry) {
	f.registry = r
	if f.miss == nil {
		f.miss = r.Miss
	}
	r.Handle("s3", f)
}

// Bucket makes a bucket in a Region, or moves an existing one there.
func (s *Service) Bucket(name, region string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		b.region = region
		return nil
	}
	return s.make(name, region, s.acct.ID)
}

// ReadOnly makes every write to a bucket AccessDenied, as a bucket policy would.
func (s *Service) ReadOnly(name string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		b.readOnly = on
	}
}

// Target is what a call is about, for authorization: Key is "" for a bucket, Prefix that of a list, Source the
// bucket/key that is copied from, KMSKey the ARN of the key that the object is encrypted with.
type Target struct{ Bucket, Key, Prefix, Source, KMSKey string }

// exchange is one request.
type exchange struct {
	Target
	front  *Front
	w      http.ResponseWriter
	r      *http.Request
	query  url.Values
	action *action

	RangeRequested, ActualObjectSize string // of an error
}

type action struct {
	name, method string
	level        int    // how much of /bucket/key there is
	selector     string // query parameter that picks this action; "" for the plain one
	query        string // what else the query may hold
	headers      string // x-amz- headers it understands, without that prefix; a * ends with anything
	write        bool
	serve        func(*Service, *exchange) error
}

const (
	conditions = "checksum-* sdk-checksum-algorithm"
	storing    = conditions + " meta-* storage-class acl server-side-encryption server-side-encryption-aws-kms-key-id"
	reading    = "checksum-mode"
	responses  = "response-content-type response-content-disposition response-content-encoding response-cache-control response-content-language response-expires"
)

// The first that fits is taken. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var actions []action

func init() { // not a literal: the handlers look at the table
	actions = []action{
		{"ListBuckets", "GET", 0, "", "max-buckets prefix continuation-token bucket-region", "", false, (*Service).listBuckets},
		{"GetBucketWebsite", "GET", 1, "website", "", "", false, (*Service).getBucketWebsite},
		{"ListMultipartUploads", "GET", 1, "uploads", "prefix delimiter encoding-type key-marker upload-id-marker max-uploads", "", false, (*Service).listMultipartUploads},
		{"ListObjectsV2", "GET", 1, "list-type", "prefix delimiter encoding-type max-keys continuation-token start-after fetch-owner", "optional-object-attributes", false, (*Service).listObjectsV2},
		{"ListObjects", "GET", 1, "", "prefix delimiter encoding-type max-keys marker", "optional-object-attributes", false, (*Service).listObjects},
		{"HeadBucket", "HEAD", 1, "", "", "", false, (*Service).headBucket},
		{"CreateBucket", "PUT", 1, "", "", conditions, false, (*Service).createBucket},
		{"DeleteBucket", "DELETE", 1, "", "", "", true, (*Service).deleteBucket},
		{"GetObjectTagging", "GET", 2, "tagging", "", "", false, (*Service).getObjectTagging},
		{"GetObject", "GET", 2, "", responses, reading, false, (*Service).getObject},
		{"HeadObject", "HEAD", 2, "", responses, reading, false, (*Service).getObject},
		{"UploadPart", "PUT", 2, "uploadId", "partNumber", conditions + " copy-source copy-source-range copy-source-if-match", true, (*Service).uploadPart},
		{"PutObject", "PUT", 2, "", "", storing + " copy-source metadata-directive copy-source-if-match", true, (*Service).putObject},
		{"CreateMultipartUpload", "POST", 2, "uploads", "encoding-type", storing, true, (*Service).createMultipartUpload},
		{"CompleteMultipartUpload", "POST", 2, "uploadId", "", conditions + " mp-object-size", true, (*Service).completeMultipartUpload},
		{"AbortMultipartUpload", "DELETE", 2, "uploadId", "", "", true, (*Service).abortMultipartUpload},
		{"DeleteObject", "DELETE", 2, "", "", "", true, (*Service).deleteObject},
	}
}

// Actions are the names of what is served.
func Actions() []string {
	var names []string
	for _, a := range actions {
		names = append(names, a.name)
	}
	return names
}

// ServeHTTP answers one request; buckets are in the path, as clients do with an IP address for an endpoint.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := wire.From(r.Context())
	h := w.Header()
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	h.Set("x-amz-request-id", strings.ToUpper(hex.EncodeToString(id[:8])))
	h.Set("x-amz-id-2", base64.StdEncoding.EncodeToString(id[:]))
	h.Set("Server", "AmazonS3")
	x := &exchange{front: f, w: w, r: r, query: r.URL.Query()}
	x.Bucket, x.Key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	x.Prefix = x.query.Get("prefix")
	if source, err := url.PathUnescape(r.Header.Get("x-amz-copy-source")); err == nil {
		x.Source = strings.TrimPrefix(source, "/")
	}
	if sum := r.Header.Get("x-amz-content-sha256"); len(sum) == 2*sha256.Size {
		r.Body = &summed{r.Body, sha256.New(), sum}
	}
	if err := f.serve(r.Context(), call, x); err != nil {
		x.fail(err)
	}
}

func (f *Front) serve(ctx context.Context, call *wire.Call, x *exchange) error {
	if call.Refused != nil {
		return call.Refused
	}
	if err := f.route(x); err != nil {
		return err
	}
	x.KMSKey = f.kmsKey(x)
	call.Action, call.In = x.action.name, &x.Target
	if err := f.authorize(ctx, call); err != nil {
		return err
	}
	if owner := x.r.Header.Get("x-amz-expected-bucket-owner"); owner != "" && owner != f.account {
		return denied()
	}
	if x.Bucket != "" && x.action.name != "CreateBucket" {
		f.mu.RLock()
		b := f.buckets[x.Bucket]
		var region string
		var readOnly, foreign bool
		if b != nil {
			region, readOnly, foreign = b.region, b.readOnly, b.account != f.account
		}
		if name, _, _ := strings.Cut(x.Source, "/"); f.buckets[name] != nil {
			foreign = foreign || f.buckets[name].account != f.account
		}
		f.mu.RUnlock()
		switch {
		case b == nil:
			return noBucket()
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html: the answer names the right Region also to callers in a wrong one.
		case call.Region != "" && region != call.Region:
			x.w.Header().Set("x-amz-bucket-region", region)
			return wire.Errorf(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.")
		case foreign, readOnly && x.action.write, f.forbidden(x):
			return denied()
		}
	}
	err := f.answered(call, x)
	var e *wire.Error
	if x.Key != "" && errors.As(err, &e) && e.Code == "NoSuchKey" {
		// A caller that may not list the bucket does not learn that an object is missing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
		list := &wire.Call{Service: call.Service, Action: "HeadBucket", AccessKey: call.AccessKey, In: &Target{Bucket: x.Bucket}}
		if err := f.authorize(ctx, list); err != nil {
			return err
		}
	}
	return err
}

// answered serves the request, unless a fault prevents it.
func (f *Front) answered(call *wire.Call, x *exchange) error {
	if f.registry == nil {
		return x.action.serve(f.Service, x)
	}
	return f.registry.Fault(x.w, x.r, call, func(w http.ResponseWriter) error {
		own := x.w
		defer func() { x.w = own }() // an error is answered there
		x.w = w
		return x.action.serve(f.Service, x)
	})
}

func (f *Front) authorize(ctx context.Context, call *wire.Call) error {
	if f.registry == nil || f.registry.Authorize == nil {
		return nil
	}
	return f.registry.Authorize(ctx, call)
}

func denied() error { return wire.Errorf(403, "AccessDenied", "Access Denied") }

// route finds the action and refuses parameters and headers that it would otherwise ignore.
func (s *Service) route(x *exchange) error {
	level := 0
	if x.Bucket != "" {
		level = 1
	}
	if x.Key != "" {
		level = 2
	}
	for i, a := range actions {
		if a.method == x.r.Method && a.level == level && (a.selector == "" || x.query.Has(a.selector)) {
			x.action = &actions[i]
			break
		}
	}
	if x.action == nil {
		return s.refuse(fmt.Sprintf("%s %s", x.r.Method, x.r.URL.Path))
	}
	a := x.action
	for q := range x.query {
		if q != a.selector && q != "x-id" && !strings.HasPrefix(strings.ToLower(q), "x-amz-") && !slices.Contains(strings.Fields(a.query), q) {
			return s.refuse(a.name + " query " + q)
		}
	}
	for name := range x.r.Header {
		name, amz := strings.CutPrefix(strings.ToLower(name), "x-amz-")
		if amz && !understood("date content-sha256 security-token user-agent decoded-content-length trailer expected-bucket-owner "+a.headers, name) {
			return s.refuse(a.name + " header x-amz-" + name)
		}
	}
	return nil
}

func understood(patterns, name string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if prefix, open := strings.CutSuffix(p, "*"); p == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (s *Service) refuse(what string) error {
	if s.miss != nil {
		s.miss("s3 " + what)
	}
	return wire.Errorf(501, "NotImplemented", "A header or query you provided implies functionality that is not implemented: localaws does not serve %s", what)
}

// fail answers an error; https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (x *exchange) fail(err error) {
	var e *wire.Error
	if !errors.As(err, &e) {
		e = wire.Errorf(500, "InternalError", "%v", err)
	}
	// The rest of the body is read: closing the connection before that resets it, and a caller that is still writing may never see this answer.
	// https://www.rfc-editor.org/rfc/rfc9112#section-9.6
	_, _ = io.Copy(io.Discard, x.r.Body)
	h := x.w.Header()
	for _, name := range []string{"ETag", "Content-Length", "Content-Range", "Last-Modified"} {
		h.Del(name)
	}
	for k, v := range e.Header {
		h[k] = v
	}
	x.answer(e.Status, struct {
		XMLName                              xml.Name `xml:"Error"`
		Code, Message, Resource, RequestId   string
		HostId                               string
		BucketName, Key, Condition, Endpoint string `xml:",omitempty"`
		RangeRequested, ActualObjectSize     string `xml:",omitempty"`
	}{RangeRequested: x.RangeRequested, ActualObjectSize: x.ActualObjectSize, Code: e.Code, Message: e.Message, Resource: x.r.URL.Path, RequestId: h.Get("x-amz-request-id"), HostId: h.Get("x-amz-id-2"), BucketName: x.Bucket, Key: x.Key})
}

// answer sends a status, and v as XML unless it is nil.
func (x *exchange) answer(status int, v any) {
	if v == nil || x.r.Method == http.MethodHead || status == http.StatusNotModified {
		x.w.WriteHeader(status)
		return
	}
	x.w.Header().Set("Content-Type", "application/xml")
	x.w.WriteHeader(status)
	_, _ = x.w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(x.w).Encode(v) // the caller may be gone
}
