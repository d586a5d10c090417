package s3

import (
	"encoding/hex"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// storeHeaders are the request's headers that become the object's.
func (s *Service) storeHeaders(bucket string, h http.Header) (map[string]string, error) {
	for name, only := range map[string]string{"x-amz-acl": "private bucket-owner-full-control", "x-amz-storage-class": "STANDARD"} {
		if v := h.Get(name); v != "" && !strings.Contains(" "+only+" ", " "+v+" ") {
			return nil, s.refuse("PutObject " + name + ": " + v)
		}
	}
	out, err := s.encryption(bucket, h)
	if err != nil {
		return nil, err
	}
	out["Content-Type"] = "binary/octet-stream"
	for _, name := range []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Language", "Expires"} {
		if v := h.Get(name); v != "" {
			out[name] = v
		}
	}
	var encodings []string
	for e := range strings.SplitSeq(h.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			encodings = append(encodings, e)
		}
	}
	if len(encodings) > 0 {
		out["Content-Encoding"] = strings.Join(encodings, ",")
	}
	size := 0
	for name, v := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-meta-") {
			out[name] = strings.Join(v, ",")
			size += len(name) - len("x-amz-meta-") + len(out[name])
		}
	}
	if size > 2<<10 {
		return nil, wire.Errorf(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	return out, nil
}

// condition is a conditional write, with the object's state when the request started.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type condition struct {
	ifMatch, ifNoneMatch string
	deletes              int
}

func (s *Service) condition(x *exchange) (condition, error) {
	c := condition{ifMatch: x.r.Header.Get("If-Match"), ifNoneMatch: x.r.Header.Get("If-None-Match")}
	if c.ifNoneMatch != "" && c.ifNoneMatch != "*" || c.ifMatch != "" && c.ifNoneMatch != "" {
		return c, wire.Errorf(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	c.deletes = s.buckets[x.Bucket].deletes[x.Key]
	return c, nil
}

// holds checks a condition at the moment of writing; s.mu is held.
func (s *Service) holds(c condition, bucket, key string) error {
	if c.ifMatch == "" && c.ifNoneMatch == "" {
		return nil
	}
	now, err := s.look(bucket, key)
	exists := err == nil
	deleted := s.buckets[bucket].deletes[key] != c.deletes // while the request ran
	switch {
	case c.ifNoneMatch != "" && exists:
		return precondition("If-None-Match")
	case c.ifNoneMatch != "" && deleted:
		return wire.Errorf(409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	case c.ifMatch != "" && !exists:
		return err
	case c.ifMatch != "" && strings.Trim(c.ifMatch, `"`) != now.ETag:
		return precondition("If-Match")
	}
	return nil
}

func noBucket() error { return wire.Errorf(404, "NoSuchBucket", "The specified bucket does not exist") }

// store is a request's headers for the new object, and its condition.
func (s *Service) store(x *exchange) (headers map[string]string, c condition, err error) {
	if err = s.storable(x.Key); err == nil {
		headers, err = s.storeHeaders(x.Bucket, x.r.Header)
	}
	if err == nil {
		c, err = s.condition(x)
	}
	return headers, c, err
}

func precondition(name string) error {
	return wire.Errorf(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold: %s", name)
}

func (s *Service) putObject(x *exchange) error {
	if x.r.Header.Get("x-amz-copy-source") != "" {
		return s.copyObject(x)
	}
	headers, cond, err := s.store(x)
	if err != nil {
		return err
	}
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(body.path) }() // gone already when all went well
	algorithm := body.checksum
	if algorithm == "" {
		algorithm = defaultChecksum
	}
	m := meta{Key: x.Key, ETag: hex.EncodeToString(body.md5), Size: body.size, Headers: headers, Checksum: checksum{algorithm, encode(body.sum), fullObject}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(x.Bucket, body.path, m, cond); err != nil {
		return err
	}
	m.answer(x.w.Header(), true)
	x.answer(200, nil)
	return nil
}

// write places an object if its condition holds and its bucket is still there; s.mu is held.
func (s *Service) write(bucket, from string, m meta, c condition) error {
	if s.buckets[bucket] == nil {
		return noBucket()
	}
	if err := s.holds(c, bucket, m.Key); err != nil {
		return err
	}
	return s.place(bucket, from, m)
}

// answer sets a write's response headers.
func (m meta) answer(h http.Header, checksums bool) {
	h.Set("ETag", `"`+m.ETag+`"`)
	encrypted(h, m.Headers)
	if checksums && m.Checksum.Algorithm != "" {
		h.Set(header(m.Checksum.Algorithm), m.Checksum.Value)
		h.Set("x-amz-checksum-type", m.Checksum.Type)
	}
}

// getObject serves HeadObject too. Ranges and conditions are those of HTTP, which net/http knows.
func (s *Service) getObject(x *exchange) error {
	s.mu.RLock()
	m, err := s.look(x.Bucket, x.Key)
	var f *os.File
	if err == nil {
		f, err = os.Open(s.file(x.Bucket, x.Key))
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := x.w.Header()
	for k, v := range m.Headers {
		h.Set(k, v)
	}
	for q := range x.query {
		if name, ok := strings.CutPrefix(q, "response-"); ok {
			h.Set(name, x.query.Get(q))
		}
	}
	asked := x.r.Header.Get("Range")
	part := parseRange(asked, m.Size)
	x.r.Header.Del("Range")
	if part.length > 0 {
		x.r.Header.Set("Range", part.String())
	}
	m.answer(h, x.r.Header.Get("x-amz-checksum-mode") == "ENABLED" && part == whole)
	rw := &reader{ResponseWriter: x.w, size: m.Size, outside: part == outside}
	http.ServeContent(rw, x.r, "", m.Modified, f)
	switch rw.refused {
	case http.StatusRequestedRangeNotSatisfiable:
		x.RangeRequested, x.ActualObjectSize = asked, strconv.FormatInt(m.Size, 10)
		return wire.Errorf(416, "InvalidRange", "The requested range is not satisfiable")
	case http.StatusPreconditionFailed:
		return precondition("If-Match or If-Unmodified-Since")
	}
	return nil
}

// Read returns an object's content to a service that reads it on behalf of a caller of an account in a Region. Objects have no versions here: the only one
// is "null", that of a bucket without versioning. https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html
func (s *Service) Read(account, region, bucket, key, version string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch b := s.buckets[bucket]; {
	case b == nil:
		return nil, noBucket()
	case b.region != region:
		return nil, wire.Errorf(301, "PermanentRedirect", "The bucket is in this region: %s. Please use this region to retry the request", b.region)
	case b.account != account:
		return nil, denied()
	case version != "" && version != "null":
		return nil, wire.Errorf(404, "NoSuchVersion", "The specified version does not exist.")
	}
	if _, err := s.look(bucket, key); err != nil {
		return nil, err
	}
	return os.ReadFile(s.file(bucket, key))
}

// getObjectTagging returns no tags, because setting tags is not served. The CLI calls it before it copies in parts.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
func (s *Service) getObjectTagging(x *exchange) error {
	s.mu.RLock()
	_, err := s.look(x.Bucket, x.Key)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	x.answer(200, struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Tagging"`
		TagSet  struct{}
	}{})
	return nil
}

// reader replaces net/http's error responses with S3's.
type reader struct {
	http.ResponseWriter
	size    int64
	outside bool // none of the object was asked for
	refused int
}

func (r *reader) WriteHeader(status int) {
	if status < 300 && r.outside {
		status = http.StatusRequestedRangeNotSatisfiable
	}
	if status >= 300 { // what is said of the object's content is not of this answer's: SDKs would check an error's body against it
		h := r.Header()
		h.Del("Content-Encoding")
		maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "X-Amz-Checksum-") })
	}
	if status >= 400 {
		r.refused = status
		return
	}
	if status == http.StatusOK { // left out by net/http when there is a Content-Encoding
		r.Header().Set("Content-Length", strconv.FormatInt(r.size, 10))
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *reader) Write(b []byte) (int, error) {
	if r.refused != 0 {
		return len(b), nil
	}
	return r.ResponseWriter.Write(b)
}

func (s *Service) deleteObject(x *exchange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := x.r.Header.Get("If-Match"); want != "" {
		m, err := s.look(x.Bucket, x.Key)
		if err != nil {
			return err
		}
		if want != "*" && strings.Trim(want, `"`) != m.ETag {
			return precondition("If-Match")
		}
	}
	if err := s.remove(x.Bucket, x.Key); err != nil {
		return err
	}
	x.answer(204, nil)
	return nil
}

// number reads a query parameter that is a count.
func number(q url.Values, name string, byDefault, most int) (int, error) {
	v := q.Get(name)
	if v == "" {
		return byDefault, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, wire.Errorf(400, "InvalidArgument", "Provided %s not an integer or within integer range", name)
	}
	if n < 0 {
		return 0, wire.Errorf(400, "InvalidArgument", "Argument %s must be an integer between 0 and 2147483647", name)
	}
	return min(int(n), most), nil
}
