package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// RESP as the generator needs it, https://redis.io/docs/latest/develop/reference/protocol-spec/:
// requests appended to a byte slice, replies of SET and GET recognised without
// copying them, and a general reader for what the set-up of a connection asks.

func appendBulk(b, v []byte) []byte {
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(v)), 10)
	b = append(b, "\r\n"...)
	b = append(b, v...)
	return append(b, "\r\n"...)
}

func appendCommand(b []byte, words ...string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(words)), 10)
	b = append(b, "\r\n"...)
	for _, w := range words {
		b = appendBulk(b, []byte(w))
	}
	return b
}

func appendGet(b, key []byte) []byte {
	return appendBulk(append(b, "*2\r\n$3\r\nGET\r\n"...), key)
}

// appendSet writes SET, or SETEX when there is an expiry, as memtier does.
func appendSet(b, key, value []byte, expiry int) []byte {
	if expiry == 0 {
		b = appendBulk(append(b, "*3\r\n$3\r\nSET\r\n"...), key)
		return appendBulk(b, value)
	}
	b = appendBulk(append(b, "*4\r\n$5\r\nSETEX\r\n"...), key)
	b = appendBulk(b, strconv.AppendInt(nil, int64(expiry), 10))
	return appendBulk(b, value)
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

// serverError is an error reply, without the leading '-'.
type serverError string

func (e serverError) Error() string { return string(e) }

// any reads a whole reply of any kind: string, int64, nil, []any (maps are
// flattened) or a serverError as the error. Only the set-up of connections uses it.
func (d *reader) any() (any, error) {
	line, err := d.line()
	if err != nil {
		return nil, err
	}
	switch line[0] {
	case '-':
		return nil, serverError(line[1:])
	case ':':
		return strconv.ParseInt(line[1:], 10, 64)
	case '_':
		return nil, nil
	case '$', '=':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return nil, err
		}
		return d.take(n)
	case '*', '~', '>', '%':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return nil, err
		}
		if line[0] == '%' {
			n *= 2
		}
		var list []any
		for range n {
			v, err := d.any()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	return line[1:], nil
}

func (d *reader) line() (string, error) {
	for {
		if i := bytes.IndexByte(d.buf[d.r:d.w], '\n'); i > 1 {
			s := string(d.buf[d.r : d.r+i-1])
			d.r += i + 1
			return s, nil
		} else if i >= 0 {
			return "", errors.New("unexpected reply: empty line")
		}
		if err := d.fill(); err != nil {
			return "", err
		}
	}
}

func (d *reader) take(n int) (string, error) {
	for d.w-d.r < n+2 {
		if n+2 > len(d.buf) {
			d.buf = append(d.buf, make([]byte, n+2)...)
		}
		if err := d.fill(); err != nil {
			return "", err
		}
	}
	s := string(d.buf[d.r : d.r+n])
	d.r += n + 2
	return s, nil
}
