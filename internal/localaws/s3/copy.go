package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"io"
	"os"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// source is the object that a request copies from, and its file; s.mu is held.
func (s *Service) source(x *exchange) (meta, string, error) {
	bucket, key, _ := strings.Cut(x.Source, "/")
	if s.buckets[bucket] == nil {
		return meta{}, "", noBucket()
	}
	m, err := s.look(bucket, key)
	if err != nil {
		return m, "", err
	}
	if want := x.r.Header.Get("x-amz-copy-source-if-match"); want != "" && strings.Trim(want, `"`) != m.ETag {
		return m, "", precondition("x-amz-copy-source-if-match")
	}
	return m, s.file(bucket, key), nil
}

func (s *Service) copyObject(x *exchange) error {
	headers, cond, err := s.store(x)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, from, err := s.source(x)
	if err != nil {
		return err
	}
	if x.r.Header.Get("x-amz-metadata-directive") == "REPLACE" {
		m.Headers = headers
	} else if x.Source == x.Bucket+"/"+x.Key {
		return wire.Errorf(400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	m.Headers = encryptedAs(headers, m.Headers)
	sum, crc := md5.New(), newHash(defaultChecksum)
	copied, err := s.join([]string{from}, sum, crc)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(copied.path) }()
	m.Key, m.ETag = x.Key, hex.EncodeToString(sum.Sum(nil)) // a copy is one part, whatever its source was
	if m.Checksum.Type != fullObject {
		m.Checksum = checksum{defaultChecksum, encode(crc), fullObject}
	}
	if err := s.write(x.Bucket, copied.path, m, cond); err != nil {
		return err
	}
	x.answer(200, struct {
		XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		ETag, LastModified string
	}{ETag: `"` + m.ETag + `"`, LastModified: stamp(s.acct.Clock.Now())})
	return nil
}

// uploadPartCopy makes a part of an object's bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func (s *Service) uploadPartCopy(x *exchange, number int) error {
	s.mu.RLock()
	_, u, err := s.find(x)
	var m meta
	var from *os.File
	if err == nil {
		var path string
		if m, path, err = s.source(x); err == nil {
			from, err = os.Open(path)
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	r := span{0, m.Size}
	if text := x.r.Header.Get("x-amz-copy-source-range"); text != "" { // https://github.com/scality/cloudserver/pull/2194
		if r = parseRange(text, m.Size); r == whole || r == outside || r.String() != text {
			return wire.Errorf(400, "InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy, and the source has %d bytes", m.Size)
		}
	}
	if r.length > maxPut {
		return wire.Errorf(400, "InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut))
	}
	sum, check := md5.New(), newHash(u.checksum.Algorithm)
	copied, err := s.spool(func(f io.Writer) (int64, error) {
		to := []io.Writer{f, sum}
		if check != nil {
			to = append(to, check)
		}
		return io.Copy(io.MultiWriter(to...), io.NewSectionReader(from, r.first, r.length))
	})
	if err != nil {
		return err
	}
	p := part{path: copied.path, size: copied.size, md5: sum.Sum(nil), modified: s.acct.Clock.Now()}
	if check != nil {
		p.checksum = check.Sum(nil)
	}
	if _, err := s.keep(x, number, p); err != nil {
		return err
	}
	out := struct {
		XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyPartResult"`
		LastModified, ETag string
		checksums
	}{LastModified: stamp(p.modified), ETag: `"` + p.etag() + `"`}
	if check != nil {
		*out.of(u.checksum.Algorithm) = encode(check)
	}
	encrypted(x.w.Header(), u.headers)
	x.answer(200, out)
	return nil
}
