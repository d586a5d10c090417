// Package resp speaks the protocol of Redis and Valkey servers, one command at a time: for a connection's set-up and for questions to a server. The load
// generator reads the replies of a load itself, without copying them. https://redis.io/docs/latest/develop/reference/protocol-spec/
package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Error is an error reply, without the leading "-".
type Error string

func (e Error) Error() string { return string(e) }

// AppendBulk appends a bulk string.
func AppendBulk(b, text []byte) []byte {
	b = append(strconv.AppendInt(append(b, '$'), int64(len(text)), 10), "\r\n"...)
	return append(append(b, text...), "\r\n"...)
}

// Append appends a command.
func Append(b []byte, words ...string) []byte {
	b = append(strconv.AppendInt(append(b, '*'), int64(len(words)), 10), "\r\n"...)
	for _, w := range words {
		b = AppendBulk(b, []byte(w))
	}
	return b
}

// Read reads a whole reply: string, int64, nil, []any (a map is its keys and values in turn) or an Error, which is inside an array where the server put it.
func Read(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, errors.New("unexpected reply: empty line")
	}
	kind, rest := line[0], line[1:len(line)-2]
	switch kind {
	case '+', '#', ',', '(':
		return rest, nil
	case '-':
		return Error(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '_':
		return nil, nil
	case '$', '=':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		return string(text[:n]), nil
	case '*', '~', '>', '%':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		if kind == '%' {
			n *= 2
		}
		list := make([]any, n)
		for i := range list {
			if list[i], err = Read(r); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("unexpected reply: %q", line)
}
