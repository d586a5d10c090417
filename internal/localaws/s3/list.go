package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"sort"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// maxPage is the largest page of every list: keys, parts, uploads.
const maxPage = 1000

// token is the position at which a list continues, in a form that cannot be made up.
func (s *Service) token(x *exchange, last string) string {
	h := hmac.New(sha256.New, s.tokens[:])
	_, _ = h.Write([]byte(x.action.name + "/" + x.Bucket + "/" + last)) // never fails
	return base64.StdEncoding.EncodeToString(append(h.Sum(nil), last...))
}

// after is the position of a token from the same action and bucket.
func (s *Service) after(x *exchange, token string) (last string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < sha256.Size {
		return "", false
	}
	last = string(raw[sha256.Size:])
	return last, hmac.Equal([]byte(token), []byte(s.token(x, last)))
}

type content struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       string `xml:",omitempty"`
	ChecksumType            string `xml:",omitempty"`
	Size                    int64
	StorageClass            string
	Owner                   *owner `xml:",omitempty"`
}

type commonPrefix struct{ Prefix string }

// page is what both lists have in common.
type page struct {
	Name, Prefix   string
	Delimiter      string `xml:",omitempty"`
	EncodingType   string `xml:",omitempty"`
	MaxKeys        int
	IsTruncated    bool
	Contents       []content
	CommonPrefixes []commonPrefix
}

// list fills a page with what follows after, and gives the last name in it.
func (s *Service) list(x *exchange, after string, withOwner bool) (page, string, error) {
	q := x.query
	p := page{Name: x.Bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), EncodingType: q.Get("encoding-type")}
	var err error
	if p.MaxKeys, err = number(q, "max-keys", maxPage, maxPage); err != nil {
		return p, "", err
	}
	encode := func(s string) string { return s }
	switch p.EncodingType {
	case "":
	case "url":
		encode = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	default:
		return p, "", wire.Errorf(400, "InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys, err := s.keys(x.Bucket, p.Prefix)
	if err != nil {
		return p, "", err
	}
	last := ""
	for i := sort.SearchStrings(keys, after); i < len(keys); i++ {
		key := keys[i]
		group := ""
		if rest := key[len(p.Prefix):]; p.Delimiter != "" && strings.Contains(rest, p.Delimiter) {
			group = p.Prefix + rest[:strings.Index(rest, p.Delimiter)+len(p.Delimiter)]
		}
		if key == after || group != "" && (group == last || group == after) {
			continue
		}
		if len(p.Contents)+len(p.CommonPrefixes) == p.MaxKeys {
			p.IsTruncated = p.MaxKeys > 0
			break
		}
		if group != "" {
			last = group
			p.CommonPrefixes = append(p.CommonPrefixes, commonPrefix{encode(group)})
			continue
		}
		last = key
		m, err := s.look(x.Bucket, key)
		if err != nil {
			return p, "", err
		}
		c := content{Key: encode(key), LastModified: stamp(m.Modified), ETag: `"` + m.ETag + `"`, Size: m.Size, StorageClass: "STANDARD",
			ChecksumAlgorithm: m.Checksum.Algorithm, ChecksumType: m.Checksum.Type}
		if withOwner {
			o := x.owner()
			c.Owner = &o
		}
		p.Contents = append(p.Contents, c)
	}
	p.Prefix, p.Delimiter = encode(p.Prefix), encode(p.Delimiter)
	return p, last, nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *Service) listObjectsV2(x *exchange) error {
	if x.query.Get("list-type") != "2" {
		return wire.Errorf(400, "InvalidArgument", "Invalid List Type specified in Request")
	}
	token, after := x.query.Get("continuation-token"), x.query.Get("start-after")
	if x.query.Has("continuation-token") {
		var ok bool
		if after, ok = s.after(x, token); !ok {
			return wire.Errorf(400, "InvalidArgument", "The continuation token provided is incorrect")
		}
	}
	p, last, err := s.list(x, after, x.query.Get("fetch-owner") == "true")
	if err != nil {
		return err
	}
	out := struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		KeyCount              int
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		page
	}{KeyCount: len(p.Contents) + len(p.CommonPrefixes), ContinuationToken: token, StartAfter: x.query.Get("start-after"), page: p}
	if p.IsTruncated {
		out.NextContinuationToken = s.token(x, last)
	}
	x.answer(200, out)
	return nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
func (s *Service) listObjects(x *exchange) error {
	p, last, err := s.list(x, x.query.Get("marker"), true)
	if err != nil {
		return err
	}
	out := struct {
		XMLName    xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Marker     string
		NextMarker string `xml:",omitempty"`
		page
	}{Marker: x.query.Get("marker"), page: p}
	if p.IsTruncated && p.Delimiter != "" { // without a delimiter the last key serves as one
		out.NextMarker = last
	}
	x.answer(200, out)
	return nil
}
