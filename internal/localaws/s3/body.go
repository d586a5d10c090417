package s3

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

const (
	maxPut = 5 << 30 // bytes in one PUT: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html

	defaultChecksum = "CRC64NVME" // of objects whose client gave none
	fullObject      = "FULL_OBJECT"
	composite       = "COMPOSITE"
)

var algorithms = []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}

// newHash is nil for an unknown algorithm.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC64NVME":
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case "SHA1":
		return sha1.New()
	case "SHA256":
		return sha256.New()
	}
	return nil
}

func encode(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

func header(algorithm string) string { return "x-amz-checksum-" + strings.ToLower(algorithm) }

// wanted is the checksum algorithm that a request carries, and its value unless that comes in the trailer.
func wanted(h http.Header) (algorithm, value string, err error) {
	for _, a := range algorithms {
		v := h.Get(header(a))
		if v == "" && !strings.EqualFold(h.Get("x-amz-trailer"), header(a)) {
			continue
		}
		if algorithm != "" {
			return "", "", wire.Errorf(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		algorithm, value = a, v
	}
	if algorithm == "" && h.Get("x-amz-sdk-checksum-algorithm") != "" && h.Get("Content-MD5") == "" {
		return "", "", wire.Errorf(400, "InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	return algorithm, value, nil
}

// received is a request's body in a file, checked.
type received struct {
	path     string
	size     int64
	md5      []byte
	sum      hash.Hash // by algorithm
	checksum string    // algorithm that the client chose, "" for none
}

// receive stores the body in a new file and checks every digest that came with it.
func (s *Service) receive(x *exchange) (_ *received, err error) {
	h := x.r.Header
	algorithm, value, err := wanted(h)
	if err != nil {
		return nil, err
	}
	out := &received{checksum: algorithm}
	if algorithm == "" {
		algorithm = defaultChecksum
	}
	size := x.r.ContentLength
	var trailer http.Header
	var src io.Reader = x.r.Body
	payload := h.Get("x-amz-content-sha256")
	if strings.HasPrefix(payload, "STREAMING-AWS4-") { // a signature that is not checked must not count as valid
		return nil, wire.Errorf(501, "NotImplemented", "A header you provided implies functionality that is not implemented: localaws does not check the signatures of chunks (x-amz-content-sha256: %s).", payload)
	}
	if strings.HasPrefix(payload, "STREAMING-") {
		n, err := strconv.ParseInt(h.Get("x-amz-decoded-content-length"), 10, 64)
		if err != nil {
			return nil, wire.Errorf(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		size, trailer = n, http.Header{}
		src = &chunked{r: bufio.NewReaderSize(x.r.Body, 64<<10), trailer: trailer}
	}
	if size < 0 {
		return nil, wire.Errorf(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if size > maxPut {
		return nil, wire.Errorf(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	file, err := s.spool(func(f io.Writer) (int64, error) {
		sum := md5.New()
		out.sum = newHash(algorithm)
		n, err := io.Copy(io.MultiWriter(f, sum, out.sum), io.LimitReader(src, size+1)) // chunks may hold more than was announced
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && n != size {
			return 0, incomplete("You did not provide the number of bytes specified by the Content-Length HTTP header")
		}
		if err != nil {
			return 0, err
		}
		out.md5 = sum.Sum(nil)
		if err := checkMD5(h, out.md5); err != nil || out.checksum == "" {
			return n, err
		}
		if value == "" {
			if value = trailer.Get(header(algorithm)); value == "" {
				return 0, malformedTrailer()
			}
		}
		if raw, err := base64.StdEncoding.DecodeString(value); err != nil || len(raw) != out.sum.Size() {
			return 0, wire.Errorf(400, "InvalidRequest", "Value for %s header is invalid.", header(algorithm))
		}
		if value != encode(out.sum) {
			return 0, wire.Errorf(400, "BadDigest", "The %s you specified did not match the calculated checksum.", algorithm)
		}
		return n, nil
	})
	if err != nil {
		return nil, err
	}
	out.path, out.size = file.path, file.size
	return out, nil
}

func checkMD5(h http.Header, sum []byte) error {
	want := h.Get("Content-MD5")
	if want == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(raw) != md5.Size {
		return wire.Errorf(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
	}
	if string(raw) != string(sum) {
		return wire.Errorf(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}

// summed is a body whose hash was signed: reading it ends with an error if the hash differs.
type summed struct {
	io.ReadCloser
	hash.Hash
	want string
}

func (b *summed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, _ = b.Write(p[:n]) // a hash never fails
	if err == io.EOF && !strings.EqualFold(hex.EncodeToString(b.Sum(nil)), b.want) {
		err = wire.Errorf(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return n, err
}
