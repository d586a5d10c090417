// Package signature reads and checks AWS Signature Version 4, in the Authorization header or in the query (presigned).
//
// The chunk signatures of a body in signed chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD) are not checked here: localaws' S3 refuses such
// a body. Signature Version 2 is recognized and always refused. Version 4A is not recognized, so it is a wrong signature.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	version2  = "AWS"
	layout    = "20060102T150405Z" // of X-Amz-Date
)

// Signature is what a request's signature contains. A field that the request lacks is "".
type Signature struct {
	AccessKey, Token     string // Token: of temporary credentials
	day, Region, Service string // the credential's scope

	Presigned              bool
	time, expires          string
	algorithm, signed, hex string
}

// Of reads a request's signature, if it has one.
func Of(r *http.Request) Signature {
	var s Signature
	var credential string
	if header := r.Header.Get("Authorization"); header != "" {
		var rest string
		s.algorithm, rest, _ = strings.Cut(header, " ")
		if s.algorithm == version2 {
			s.AccessKey, _, _ = strings.Cut(rest, ":")
			s.Service = "s3"
		}
		for part := range strings.SplitSeq(rest, ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
			case "Credential":
				credential = value
			case "SignedHeaders":
				s.signed = value
			case "Signature":
				s.hex = value
			}
		}
		s.time, s.Token = r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token")
	} else if query := r.URL.Query(); query.Has("X-Amz-Credential") {
		credential, s.Presigned = query.Get("X-Amz-Credential"), true
		s.algorithm, s.signed, s.hex = query.Get("X-Amz-Algorithm"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")
		s.time, s.expires, s.Token = query.Get("X-Amz-Date"), query.Get("X-Amz-Expires"), query.Get("X-Amz-Security-Token")
	} else if key := query.Get("AWSAccessKeyId"); key != "" {
		s.algorithm, s.AccessKey, s.Service = version2, key, "s3"
	}
	if scope := strings.Split(credential, "/"); len(scope) == 5 && scope[4] == "aws4_request" {
		s.AccessKey, s.day, s.Region, s.Service = scope[0], scope[1], scope[2], scope[3]
	}
	return s
}

// Version2 reports whether it is a Version 2 signature, which only S3 still accepted beside Version 4.
func (s Signature) Version2() bool { return s.algorithm == version2 }

// Time is when a signature in a header was made; zero if the header does not say.
func (s Signature) Time() time.Time {
	at, _ := time.Parse(layout, s.time)
	return at
}

// Lifetime is the time in which a presigned URL is valid. The errors have S3's wording.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s Signature) Lifetime() (from, until time.Time, err error) {
	if from, err = time.Parse(layout, s.time); err != nil {
		return from, until, errors.New(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	seconds, err := strconv.Atoi(s.expires)
	switch {
	case err != nil:
		return from, until, errors.New("X-Amz-Expires should be a number")
	case seconds < 0:
		return from, until, errors.New("X-Amz-Expires must be non-negative")
	case seconds > 604_800:
		return from, until, errors.New("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	return from, from.Add(time.Duration(seconds) * time.Second), nil
}

// Matches reports whether the secret key made this signature of r. payload is the hexadecimal hash of the body as it was sent. For S3 it is the hash in
// the request's headers, which S3 compares with the body.
func (s Signature) Matches(r *http.Request, secret, payload string) bool {
	names := strings.Split(s.signed, ";")
	if s.algorithm != algorithm || !strings.HasPrefix(s.time, s.day) || !slices.Contains(names, "host") {
		return false
	}
	for name := range r.Header { // these headers change the request's meaning, so none may be added to a signed request
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(names, name) {
			return false
		}
	}
	if s.Service == "s3" {
		payload = r.Header.Get("X-Amz-Content-Sha256")
		if s.Presigned && payload == "" {
			payload = "UNSIGNED-PAYLOAD"
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return false
	}
	if s.Presigned {
		query.Del("X-Amz-Signature")
	}
	request := []string{r.Method, path(r.URL, s.Service), canonical(query)}
	for _, name := range names {
		request = append(request, name+":"+header(r, name))
	}
	request = append(request, "", s.signed, payload)
	sum := sha256.Sum256([]byte(strings.Join(request, "\n")))
	scope := strings.Join([]string{s.day, s.Region, s.Service, "aws4_request"}, "/")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	want := mac(key, strings.Join([]string{algorithm, s.time, scope, hex.EncodeToString(sum[:])}, "\n"))
	got, err := hex.DecodeString(s.hex)
	return err == nil && hmac.Equal(got, want)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// path is the signed form of the path: encoded once for S3, whose keys may hold anything, and once more than it was sent for the others.
func path(u *url.URL, service string) string {
	p := u.EscapedPath()
	if service == "s3" {
		p = u.Path
	}
	if p == "" {
		return "/"
	}
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = escape(part)
	}
	return strings.Join(parts, "/")
}

// canonical is the query, sorted by encoded name and value.
func canonical(query url.Values) string {
	var pairs [][2]string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, [2]string{escape(name), escape(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	out := make([]string, len(pairs))
	for i, p := range pairs {
		out[i] = p[0] + "=" + p[1]
	}
	return strings.Join(out, "&")
}

// escape encodes all but RFC 3986's unreserved characters.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// header is a header as it is signed. net/http keeps two of them apart from the others.
func header(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}
