package s3

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	minPart  = 5 << 20 // bytes, for every part but the last
	maxParts = 10_000
)

type upload struct {
	bucket, key string
	started     time.Time
	headers     map[string]string
	checksum    checksum // Algorithm and Type only; "" when the client chose none
	parts       map[int]part
}

type part struct {
	path     string
	size     int64
	md5      []byte
	checksum []byte // raw, of the upload's algorithm
	modified time.Time
}

func (p part) etag() string { return hex.EncodeToString(p.md5) }

// find is the upload that a request names; s.mu is held.
func (s *Service) find(x *exchange) (string, *upload, error) {
	id := x.query.Get("uploadId")
	u := s.uploads[id]
	if u == nil || u.bucket != x.Bucket || u.key != x.Key {
		return id, nil, wire.Errorf(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	}
	return id, u, nil
}

// drop forgets an upload and its parts; s.mu is held.
func (s *Service) drop(id string) {
	for _, p := range s.uploads[id].parts {
		_ = os.Remove(p.path) // scratch is cleared at the next start too
	}
	delete(s.uploads, id)
}

func (s *Service) createMultipartUpload(x *exchange) error {
	if err := s.storable(x.Key); err != nil {
		return err
	}
	headers, err := s.storeHeaders(x.Bucket, x.r.Header)
	if err != nil {
		return err
	}
	sum := checksum{Algorithm: strings.ToUpper(x.r.Header.Get("x-amz-checksum-algorithm")), Type: strings.ToUpper(x.r.Header.Get("x-amz-checksum-type"))}
	if sum.Algorithm != "" && newHash(sum.Algorithm) == nil {
		return wire.Errorf(400, "InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	whole := sum.Algorithm == "CRC64NVME"
	switch {
	case sum.Algorithm == "":
		sum.Type = ""
	case sum.Type == "" && whole:
		sum.Type = fullObject
	case sum.Type == "":
		sum.Type = composite
	case sum.Type == composite && whole, sum.Type == fullObject && strings.HasPrefix(sum.Algorithm, "SHA"):
		return wire.Errorf(400, "InvalidRequest", "The %s checksum type cannot be used with the %s checksum algorithm.", sum.Type, strings.ToLower(sum.Algorithm))
	}
	id := account.NewID(64)
	s.mu.Lock()
	s.uploads[id] = &upload{x.Bucket, x.Key, s.acct.Clock.Now(), headers, sum, map[int]part{}}
	s.mu.Unlock()
	h := x.w.Header()
	encrypted(h, headers)
	if sum.Algorithm != "" {
		h.Set("x-amz-checksum-algorithm", sum.Algorithm)
		h.Set("x-amz-checksum-type", sum.Type)
	}
	x.answer(200, struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: x.Bucket, Key: x.Key, UploadId: id})
	return nil
}

func (s *Service) uploadPart(x *exchange) error {
	n, err := strconv.Atoi(x.query.Get("partNumber"))
	if err != nil || n < 1 || n > maxParts {
		return wire.Errorf(400, "InvalidArgument", "Part number must be an integer between 1 and %d, inclusive", maxParts)
	}
	if x.r.Header.Get("x-amz-copy-source") != "" {
		return s.uploadPartCopy(x, n)
	}
	s.mu.RLock()
	_, u, err := s.find(x)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	body, err := s.receive(x)
	if err != nil {
		return err
	}
	if body.checksum != u.checksum.Algorithm && body.checksum != "" {
		_ = os.Remove(body.path)
		return wire.Errorf(400, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", nullable(u.checksum.Algorithm), strings.ToLower(body.checksum))
	}
	p := part{path: body.path, size: body.size, md5: body.md5, modified: s.acct.Clock.Now()}
	if body.checksum != "" {
		p.checksum = body.sum.Sum(nil)
	}
	if u, err = s.keep(x, n, p); err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("ETag", `"`+p.etag()+`"`)
	encrypted(h, u.headers)
	if body.checksum != "" {
		h.Set(header(body.checksum), encode(body.sum))
	}
	x.answer(200, nil)
	return nil
}

// keep makes a file a part of an upload, in place of an earlier part with that number.
func (s *Service) keep(x *exchange, number int, p part) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u, err := s.find(x)
	if err != nil { // completed or aborted meanwhile
		_ = os.Remove(p.path)
		return nil, err
	}
	if old, ok := u.parts[number]; ok {
		_ = os.Remove(old.path)
	}
	u.parts[number] = p
	return u, nil
}

func nullable(algorithm string) string {
	if algorithm == "" {
		return "null"
	}
	return strings.ToLower(algorithm)
}

type completed struct {
	PartNumber int
	ETag       string
	checksums
}

// checksums are an element for each algorithm.
type checksums struct {
	ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 string `xml:",omitempty"`
}

func (c *checksums) of(algorithm string) *string {
	return map[string]*string{"": new(string), "CRC32": &c.ChecksumCRC32, "CRC32C": &c.ChecksumCRC32C, "CRC64NVME": &c.ChecksumCRC64NVME, "SHA1": &c.ChecksumSHA1, "SHA256": &c.ChecksumSHA256}[algorithm]
}

// chosen checks a completion's list against what was uploaded.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func (u *upload) chosen(list []completed) ([]part, error) {
	if len(list) == 0 {
		return nil, wire.Errorf(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: no parts")
	}
	if !slices.IsSortedFunc(list, func(a, b completed) int { return cmp.Or(a.PartNumber-b.PartNumber, -1) }) {
		return nil, wire.Errorf(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	}
	var out []part
	for i, c := range list {
		p, ok := u.parts[c.PartNumber]
		want := *c.of(u.checksum.Algorithm)
		if !ok || strings.Trim(c.ETag, `"`) != p.etag() || want != "" && want != base64.StdEncoding.EncodeToString(p.checksum) {
			return nil, wire.Errorf(400, "InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		if want == "" && u.checksum.Type == composite {
			return nil, wire.Errorf(400, "InvalidRequest", "The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.", strings.ToLower(u.checksum.Algorithm), c.PartNumber)
		}
		if i < len(list)-1 && p.size < minPart {
			return nil, wire.Errorf(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		out = append(out, p)
	}
	return out, nil
}

func (s *Service) completeMultipartUpload(x *exchange) error {
	var in struct {
		XMLName xml.Name    `xml:"CompleteMultipartUpload"`
		Parts   []completed `xml:"Part"`
	}
	if err := xml.NewDecoder(io.LimitReader(x.r.Body, 10<<20)).Decode(&in); err != nil {
		return malformed(err)
	}
	cond, err := s.condition(x)
	if err != nil {
		return err
	}
	s.mu.RLock()
	_, u, err := s.find(x)
	var parts []part
	if err == nil {
		parts, err = u.chosen(in.Parts)
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	sum := u.checksum
	if sum.Algorithm == "" {
		sum = checksum{Algorithm: defaultChecksum, Type: fullObject}
	}
	paths, sums, combined := make([]string, len(parts)), md5.New(), newHash(sum.Algorithm)
	for i, p := range parts {
		paths[i] = p.path
		sums.Write(p.md5)
		combined.Write(p.checksum)
	}
	full := newHash(sum.Algorithm)
	var reads []io.Writer
	if sum.Type != composite {
		reads = append(reads, full)
	}
	whole, err := s.join(paths, reads...)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(whole.path) }() // gone already when all went well
	if size := x.r.Header.Get("x-amz-mp-object-size"); size != "" && size != strconv.FormatInt(whole.size, 10) {
		return wire.Errorf(400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d", size, whole.size)
	}
	sum.Value = encode(full)
	if sum.Type == composite {
		sum.Value = fmt.Sprintf("%s-%d", encode(combined), len(parts))
	}
	if want := x.r.Header.Get(header(sum.Algorithm)); want != "" && want != sum.Value {
		return wire.Errorf(400, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToLower(sum.Algorithm))
	}
	m := meta{Key: x.Key, ETag: fmt.Sprintf("%x-%d", sums.Sum(nil), len(parts)), Size: whole.size, Headers: u.headers, Checksum: sum}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, now, err := s.find(x)
	if err == nil && now != u {
		err = wire.Errorf(404, "NoSuchUpload", "The specified upload does not exist.")
	}
	if err != nil {
		return err
	}
	if err := s.write(x.Bucket, whole.path, m, cond); err != nil {
		return err
	}
	s.drop(id)
	encrypted(x.w.Header(), m.Headers)
	out := struct {
		XMLName                     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
		checksums
		ChecksumType string
	}{Location: "http://" + x.r.Host + "/" + x.Bucket + "/" + x.Key, Bucket: x.Bucket, Key: x.Key, ETag: `"` + m.ETag + `"`, ChecksumType: sum.Type}
	*out.of(sum.Algorithm) = sum.Value
	x.answer(200, out)
	return nil
}

// joined is several files as one.
type joined struct {
	path string
	size int64
}

// spool makes a file of what fill writes to it; when that fails, there is none.
func (s *Service) spool(fill func(io.Writer) (int64, error)) (_ *joined, err error) {
	f, err := os.CreateTemp(s.scratch(), "spool-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			_ = os.Remove(f.Name()) // the error is what matters
		}
	}()
	n, err := fill(f)
	return &joined{f.Name(), n}, err
}

// join makes one file of several. A reader can be given to see the bytes; without one, they never leave the kernel.
func (s *Service) join(paths []string, reads ...io.Writer) (*joined, error) {
	return s.spool(func(to io.Writer) (size int64, err error) {
		if len(reads) > 0 {
			to = io.MultiWriter(append(reads, to)...)
		}
		for _, path := range paths {
			in, err := os.Open(path)
			if err != nil {
				return 0, err
			}
			n, err := io.Copy(to, in)
			_ = in.Close() // only read
			if err != nil {
				return 0, err
			}
			size += n
		}
		return size, nil
	})
}

func (s *Service) abortMultipartUpload(x *exchange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _, err := s.find(x)
	if err != nil {
		return err
	}
	s.drop(id)
	x.answer(204, nil)
	return nil
}

func (s *Service) listMultipartUploads(x *exchange) error {
	q := x.query
	most, err := number(q, "max-uploads", maxPage, maxPage)
	if err != nil {
		return err
	}
	if q.Get("delimiter") != "" {
		return s.refuse("ListMultipartUploads query delimiter")
	}
	type item struct {
		Key, UploadId     string
		Initiator, Owner  owner
		StorageClass      string
		Initiated         string
		ChecksumAlgorithm string `xml:",omitempty"`
		ChecksumType      string `xml:",omitempty"`
	}
	var out struct {
		XMLName                           xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
		Bucket, KeyMarker, UploadIdMarker string
		NextKeyMarker, NextUploadIdMarker string `xml:",omitempty"`
		Prefix                            string
		MaxUploads                        int
		IsTruncated                       bool
		Uploads                           []item `xml:"Upload"`
	}
	out.Bucket, out.KeyMarker, out.UploadIdMarker, out.Prefix, out.MaxUploads = x.Bucket, q.Get("key-marker"), q.Get("upload-id-marker"), q.Get("prefix"), most
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := slices.Collect(maps.Keys(s.uploads))
	slices.SortFunc(ids, func(a, b string) int { // by key, then by time
		ua, ub := s.uploads[a], s.uploads[b]
		return cmp.Or(strings.Compare(ua.key, ub.key), ua.started.Compare(ub.started), strings.Compare(a, b))
	})
	passed := out.UploadIdMarker == "" // the marker's own upload, among those of its key
	for _, id := range ids {
		u := s.uploads[id]
		if u.bucket != x.Bucket || !strings.HasPrefix(u.key, out.Prefix) || u.key < out.KeyMarker {
			continue
		}
		if u.key == out.KeyMarker && out.KeyMarker != "" {
			if !passed || out.UploadIdMarker == "" || id == out.UploadIdMarker {
				passed = passed || id == out.UploadIdMarker
				continue
			}
		}
		if len(out.Uploads) == most {
			out.IsTruncated = true
			break
		}
		out.Uploads = append(out.Uploads, item{u.key, id, x.owner(), x.owner(), "STANDARD", stamp(u.started), u.checksum.Algorithm, u.checksum.Type})
		out.NextKeyMarker, out.NextUploadIdMarker = u.key, id
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIdMarker = "", ""
	}
	x.answer(200, out)
	return nil
}
