package elasticache

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// conn is a connection to a server in its own protocol, RESP2. One command at a time; safe for concurrent use. Once a command was not answered, the
// connection is broken: what comes later would be taken for the answer to another command.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
type conn struct {
	mu     sync.Mutex
	net    net.Conn
	r      *bufio.Reader
	broken bool
}

// serverError is an answer that begins with "-".
type serverError string

func (e serverError) Error() string { return string(e) }

// answerTime ends the wait for a server that hangs: servers answer commands such as INFO in milliseconds, unless a long command or the machine
// keeps them from it.
var answerTime = time.Minute

// dial connects and logs in; a nil config is a plain connection.
func dial(ctx context.Context, addr string, config *tls.Config, user, password string) (*conn, error) {
	d := &net.Dialer{Timeout: answerTime}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if config != nil {
		t := tls.Client(c, config)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close() // the handshake's error says it
			return nil, err
		}
		c = t
	}
	out := &conn{net: c, r: bufio.NewReader(c)}
	if user != "" {
		if _, err := out.do("AUTH", user, password); err != nil {
			out.close()
			return nil, err
		}
	}
	return out, nil
}

func (c *conn) close() { _ = c.net.Close() } // nothing is left to be written

// do sends a command and reads its answer: string, int64, nil, []any; an error of the server is a serverError.
func (c *conn) do(args ...string) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, err := c.ask(args)
	if err != nil {
		c.broken = true
		c.close()
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	if e, ok := v.(serverError); ok {
		return nil, fmt.Errorf("%s: %w", args[0], e)
	}
	return v, nil
}

func (c *conn) ask(args []string) (any, error) {
	if err := c.net.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.net.Write(b); err != nil {
		return nil, err
	}
	return c.read()
}

func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken
}

func (c *conn) read() (any, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, errors.New("a line of the answer is too short")
	}
	kind, rest := line[0], line[1:len(line)-2]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return serverError(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return nil, err
		}
		return string(b[:n]), nil
	case '*':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		l := make([]any, n)
		for i := range l {
			if l[i], err = c.read(); err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	return nil, fmt.Errorf("the answer begins with %q", kind)
}

func asString(v any) string {
	s, _ := v.(string)
	return s
}
