package elasticache

import (
	"context"
	"crypto/tls"
	"io"
	"time"
)

// ServerlessQuota sets how many serverless caches there may be.
func (s *Service) ServerlessQuota(n int) { s.quota = n }

// AnswerTime sets how long a server's answer is waited for, and gives back how to undo it.
func AnswerTime(d time.Duration) (undo func()) {
	before := answerTime
	answerTime = d
	return func() { answerTime = before }
}

// Draw picks a loopback address.
func Draw() string { return draw() }

// DrawOnly makes draw pick one address, and gives back how to undo it.
func DrawOnly(addr string) (undo func()) {
	before := draw
	draw = func() string { return addr }
	return func() { draw = before }
}

var reserved []io.Closer

// Reserve takes one of a few addresses, in their order, for as long as this process lives.
func Reserve(few []string, ports ...int) (string, error) {
	defer func(before func() string) { draw = before }(draw)
	next := -1
	draw = func() string { next++; return few[next%len(few)] }
	addr, held, err := reserve(ports...)
	reserved = append(reserved, held)
	return addr, err
}

// Due are the starts of the periods that a reading is for, and of the next.
var Due = due

// Client is a plain client of a node.
type Client struct{ c *conn }

func Connect(ctx context.Context, addr string, config *tls.Config, user, password string) (*Client, error) {
	c, err := dial(ctx, addr, config, user, password)
	return &Client{c}, err
}

func (c *Client) Do(args ...string) (any, error) { return c.c.do(args...) }
func (c *Client) Close()                         { c.c.close() }
