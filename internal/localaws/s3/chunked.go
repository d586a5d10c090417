package s3

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// chunked reads aws-chunked bodies, of chunks without signatures.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
type chunked struct {
	r       *bufio.Reader
	left    int64 // of the current chunk
	size    int64 // of the current chunk; 0 before the first
	done    bool
	trailer http.Header
}

// leastChunk is the least size of every chunk but the last.
const leastChunk = 8192

func (c *chunked) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.done {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads a chunk's head, and after the last chunk the trailer.
func (c *chunked) next() error {
	if c.size > 0 {
		if line, err := c.line(); err != nil {
			return err
		} else if line != "" {
			return incomplete("The request body terminated unexpectedly")
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(line, ";")
	size, err := strconv.ParseInt(text, 16, 64)
	switch {
	case err != nil || size < 0:
		return incomplete("The request body terminated unexpectedly")
	case size > 0 && c.size > 0 && c.size < leastChunk: // https://github.com/aws/aws-sdk-cpp/issues/2727
		return wire.Errorf(403, "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than %d bytes", leastChunk)
	case size > 0:
		c.size, c.left = size, size
		return nil
	}
	c.done = true
	for {
		line, err := c.line()
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && line == "" {
			return nil // some clients leave the last line end out
		}
		if err != nil {
			return err
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return malformedTrailer()
		}
		c.trailer.Set(name, strings.TrimSpace(value))
	}
}

func incomplete(text string) error { return wire.Errorf(400, "IncompleteBody", "%s", text) }

func malformedTrailer() error {
	return wire.Errorf(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
}

func (c *chunked) line() (string, error) {
	line, err := c.r.ReadSlice('\n') // no longer than the buffer
	switch err {
	case io.EOF:
		err = io.ErrUnexpectedEOF
	case bufio.ErrBufferFull:
		err = incomplete("The request body terminated unexpectedly")
	}
	return strings.TrimRight(string(line), "\r\n"), err
}
