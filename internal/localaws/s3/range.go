package s3

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// span is a range of an object's bytes.
type span struct{ first, length int64 }

var (
	whole   = span{}                     // no range
	outside = span{first: math.MaxInt64} // a range that holds none of the object's bytes
)

func (r span) String() string { return fmt.Sprintf("bytes=%d-%d", r.first, r.first+r.length-1) }

var byteRange = regexp.MustCompile(`^bytes=(\d*)-(\d*)$`)

// parseRange reads a Range header as S3 does. An invalid range, or several, is not an error: the answer is the whole object. The same applies to the last
// bytes of an empty object. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, https://github.com/versity/versitygw/issues/1120,
// https://github.com/JuliaServices/CloudStore.jl/pull/17
func parseRange(text string, size int64) span {
	m := byteRange.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[2] == "" {
		return whole
	}
	last, _ := strconv.ParseInt(m[2], 10, 64) // one that is too large is the largest there is
	if m[1] == "" {
		switch {
		case last == 0:
			return outside
		case size == 0:
			return whole
		}
		n := min(last, size)
		return span{size - n, n}
	}
	first, _ := strconv.ParseInt(m[1], 10, 64)
	if m[2] == "" {
		last = math.MaxInt64
	}
	switch {
	case last < first:
		return whole
	case first >= size:
		return outside
	}
	return span{first, min(last, size-1) - first + 1}
}
