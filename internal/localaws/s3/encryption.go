package s3

import (
	"cmp"
	"maps"
	"net/http"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Headers of server-side encryption. Nothing is encrypted here, but writers and readers need the key's permissions, and a bucket's policy
// sees the requested encryption. https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
const (
	sse    = "x-amz-server-side-encryption"
	sseKey = sse + "-aws-kms-key-id"
)

// Encrypt sets a KMS key of the account as a bucket's default.
func (s *Service) Encrypt(name, keyARN string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		b.key = keyARN
	}
}

// Policy sets a bucket's policy. Only its Deny statements have an effect, for every caller; permissions come from the callers' own policies.
func (s *Service) Policy(name, text string) error {
	p, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		return noBucket()
	}
	s.buckets[name].policy = p
	return nil
}

// encryption returns the encryption headers of a new object: those of its request, else its bucket's default.
func (s *Service) encryption(bucket string, h http.Header) (map[string]string, error) {
	s.mu.RLock()
	byDefault := ""
	if b := s.buckets[bucket]; b != nil {
		byDefault = b.key
	}
	s.mu.RUnlock()
	algorithm, key := h.Get(sse), h.Get(sseKey)
	switch {
	case key != "" && algorithm != "aws:kms":
		return nil, wire.Errorf(400, "InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	case key != "" && !strings.HasPrefix(key, "arn:"):
		return nil, s.refuse("a KMS key that is not named by its ARN: " + key)
	case algorithm == "aws:kms" && key == "" && byDefault == "":
		return nil, s.refuse("SSE-KMS with the key aws/s3")
	case algorithm == "AES256", algorithm == "" && byDefault == "": // https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
		return map[string]string{sse: "AES256"}, nil
	case algorithm == "", algorithm == "aws:kms" && key == "":
		return map[string]string{sse: "aws:kms", sseKey: byDefault}, nil
	case algorithm == "aws:kms":
		return map[string]string{sse: algorithm, sseKey: key}, nil
	}
	return nil, s.refuse(sse + ": " + algorithm)
}

// encrypted returns how an object is encrypted. An object without a record has S3's default encryption.
func encrypted(h http.Header, headers map[string]string) {
	h.Set(sse, cmp.Or(headers[sse], "AES256"))
	if key := headers[sseKey]; key != "" {
		h.Set(sseKey, key)
	}
}

// encryptedAs returns an object's headers with another object's encryption: a copy is encrypted as its own request asks.
func encryptedAs(other, headers map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, headers)
	for _, name := range []string{sse, sseKey} {
		if delete(out, name); other[name] != "" {
			out[name] = other[name]
		}
	}
	return out
}

// kmsKey is the key whose permissions a call needs: that of the object, of the upload, or of the new object; "" without a key.
func (s *Service) kmsKey(x *exchange) string {
	switch x.action.name {
	case "PutObject", "CreateMultipartUpload":
		headers, _ := s.encryption(x.Bucket, x.r.Header) // the action says what is wrong
		return headers[sseKey]
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, u, err := s.find(x); err == nil {
		return u.headers[sseKey]
	}
	if b := s.buckets[x.Bucket]; b != nil && x.Key != "" {
		if m, err := s.look(x.Bucket, x.Key); err == nil {
			return m.Headers[sseKey]
		}
	}
	return ""
}

// forbidden reports whether the bucket's policy denies a call. Parts of an upload have no such headers: the call that created the upload had them.
func (s *Service) forbidden(x *exchange) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[x.Bucket]
	if b == nil || b.policy == nil {
		return false
	}
	ask := policy.Request{Action: "s3:" + x.action.name, Resource: "arn:aws:s3:::" + strings.TrimSuffix(x.Bucket+"/"+x.Key, "/"), Context: map[string]string{}}
	get := x.r.Header.Get
	if _, u, err := s.find(x); err == nil {
		get = func(name string) string { return u.headers[name] }
	}
	if strings.HasSuffix(x.action.name, "MultipartUpload") && x.action.name != "AbortMultipartUpload" || x.action.name == "UploadPart" {
		ask.Action = "s3:PutObject"
	}
	for _, name := range []string{sse, sseKey} {
		if v := get(name); v != "" {
			ask.Context["s3:"+name] = v
		}
	}
	return b.policy.Decide(ask) == policy.Deny
}
