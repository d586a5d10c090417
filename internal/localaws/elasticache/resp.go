package elasticache

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/resp"
)

// conn is a RESP2 connection to a server, one command at a time and safe for concurrent use. After a command without an answer the
// connection is broken, because a late answer would be read as the answer to the next command.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
type conn struct {
	mu     sync.Mutex
	net    net.Conn
	r      *bufio.Reader
	broken bool
}

// answerTime limits the wait for a server that hangs: servers answer commands such as INFO in milliseconds, unless a long command or the machine
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

// do sends a command and reads its answer: string, int64, nil or []any. The server's errors are a resp.Error.
func (c *conn) do(args ...string) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, err := c.ask(args)
	if err != nil {
		c.broken = true
		c.close()
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	if e, ok := v.(resp.Error); ok {
		return nil, fmt.Errorf("%s: %w", args[0], e)
	}
	return v, nil
}

func (c *conn) ask(args []string) (any, error) {
	if err := c.net.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if _, err := c.net.Write(resp.Append(nil, args...)); err != nil {
		return nil, err
	}
	return resp.Read(c.r)
}

func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.broken
}

func asString(v any) string {
	s, _ := v.(string)
	return s
}
