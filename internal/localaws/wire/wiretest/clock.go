package wiretest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// Clock is an account's clock that only the test moves.
type Clock struct {
	mu       sync.Mutex
	now      time.Time
	sleepers []*sleeper
}

type sleeper struct {
	until time.Time
	wake  chan struct{}
}

// NewClock starts at a whole hour.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)} }

// Now is where the test has moved the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep waits until the test has moved the clock by d, or until ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	s := &sleeper{c.now.Add(d), make(chan struct{})}
	c.sleepers = append(c.sleepers, s)
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sleepers = slices.DeleteFunc(c.sleepers, func(other *sleeper) bool { return other == s })
		return context.Cause(ctx)
	case <-s.wake:
		return nil
	}
}

// Move moves the clock and wakes whom it passes.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.sleepers = slices.DeleteFunc(c.sleepers, func(s *sleeper) bool {
		if s.until.After(c.now) {
			return false
		}
		close(s.wake)
		return true
	})
}

// Next waits until somebody sleeps for exactly d more, and moves the clock there.
func (c *Clock) Next(t testing.TB, d time.Duration) {
	t.Helper()
	Until(t, "somebody sleeps for "+d.String(), func() (any, bool) {
		left := c.Sleeping()
		return left, slices.Contains(left, d)
	})
	c.Move(d)
}

// Sleeping is how much longer each of those sleeps who sleep, the shortest first.
func (c *Clock) Sleeping() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []time.Duration{}
	for _, s := range c.sleepers {
		out = append(out, s.until.Sub(c.now))
	}
	slices.Sort(out)
	return out
}
