package elasticache

import (
	"context"
	"crypto/tls"
)

// ServerlessQuota sets how many serverless caches there may be.
func (s *Service) ServerlessQuota(n int) { s.quota = n }

// Client is a plain client of a node.
type Client struct{ c *conn }

func Connect(ctx context.Context, addr string, config *tls.Config, user, password string) (*Client, error) {
	c, err := dial(ctx, addr, config, user, password)
	return &Client{c}, err
}

func (c *Client) Do(args ...string) (any, error) { return c.c.do(args...) }
func (c *Client) Close()                         { c.c.close() }
