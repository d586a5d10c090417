package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/elasticache-perf/elasticache-perf/internal/resp"
)

// RESP as the generator needs it, https://redis.io/docs/latest/develop/reference/protocol-spec/:
// requests appended to a byte slice, and replies of SET and GET recognised without
// copying them. What the set-up of a connection asks goes through package resp.

func appendGet(b, key []byte) []byte {
	return resp.AppendBulk(append(b, "*2\r\n$3\r\nGET\r\n"...), key)
}

// appendSet writes SET, or SETEX when there is an expiry, as memtier does.
func appendSet(b, key, value []byte, expiry int) []byte {
	if expiry == 0 {
		b = resp.AppendBulk(append(b, "*3\r\n$3\r\nSET\r\n"...), key)
		return resp.AppendBulk(b, value)
	}
	b = resp.AppendBulk(append(b, "*4\r\n$5\r\nSETEX\r\n"...), key)
	b = resp.AppendBulk(b, strconv.AppendInt(nil, int64(expiry), 10))
	return resp.AppendBulk(b, value)
}

// reader splits a stream of replies.
type reader struct {
	source io.Reader
	buf    []byte
	r, w   int

	size  int // bytes of the present reply so far
	skip  int // bytes of the present bulk still to come
	more  int // parts of the present reply still to come: 0 before a reply, 1 in a plain one, and those of arrays
	found bool
}

func newReader(source io.Reader) *reader { return &reader{source: source, buf: make([]byte, 32<<10)} }

// fill waits for more bytes.
func (d *reader) fill() error {
	switch {
	case d.r == d.w:
		d.r, d.w = 0, 0
	case d.w == len(d.buf) && d.r > 0:
		d.w = copy(d.buf, d.buf[d.r:d.w])
		d.r = 0
	case d.w == len(d.buf):
		return errors.New("reply line longer than 32 KiB")
	}
	n, err := d.source.Read(d.buf[d.w:])
	d.w += n
	if n > 0 {
		return nil
	}
	return err
}

// reply is one answer.
type reply struct {
	size  int    // bytes on the wire
	found bool   // a bulk of at least one byte, an array of one part
	err   []byte // an error line, with its '-'; valid until the next fill
}

// next takes a whole reply from the bytes at hand; it is false when they end
// before the reply does. Bulks are passed over, not kept, so a value may be
// larger than the buffer.
func (d *reader) next() (rep reply, whole bool, err error) {
	for {
		if d.skip == 0 {
			i := bytes.IndexByte(d.buf[d.r:d.w], '\n')
			if i < 0 {
				return reply{}, false, nil
			}
			if i < 2 {
				return reply{}, false, errors.New("unexpected reply: empty line")
			}
			line, first := d.buf[d.r:d.r+i-1], d.more == 0
			if d.r += i + 1; first {
				d.size, d.more, d.found = 0, 1, false
			}
			d.size += i + 1
			switch line[0] {
			case '+', ':', '_', '#', ',', '(':
				d.more--
			case '-':
				if d.more--; first {
					return reply{size: d.size, err: line}, true, nil
				}
			case '$', '=', '*', '~', '>', '%':
				n, err := strconv.Atoi(string(line[1:]))
				if err != nil {
					return reply{}, false, fmt.Errorf("unexpected reply: %q", line)
				}
				if first {
					d.found = n > 0
				}
				switch {
				case n < 0:
					d.more--
				case line[0] == '$' || line[0] == '=':
					d.skip = n + 2
				case line[0] == '%':
					d.more += 2*n - 1
				default:
					d.more += n - 1
				}
			default:
				return reply{}, false, fmt.Errorf("unexpected reply: %q", line)
			}
		}
		if d.skip > 0 {
			n := min(d.skip, d.w-d.r)
			d.r, d.skip, d.size = d.r+n, d.skip-n, d.size+n
			if d.skip > 0 {
				return reply{}, false, nil
			}
			d.more--
		}
		if d.more == 0 {
			return reply{size: d.size, found: d.found}, true, nil
		}
	}
}
