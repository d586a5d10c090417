package export

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Clock is a job's clock; tests inject their own.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or returns the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Wall is the real clock.
type Wall struct{}

// Now is the current time in UTC.
func (Wall) Now() time.Time { return time.Now().UTC() }

// Sleep waits for d or for the end of ctx.
func (Wall) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrOutOfTime is returned by a job that reached its Until between two calls. No data is lost: run it again with more time.
var ErrOutOfTime = errors.New("out of time")

// pacer spreads calls so that their cost stays under a quota and AWS does not throttle them.
type pacer struct {
	clock Clock
	rate  float64   // cost a second
	until time.Time // zero: no limit

	mu   sync.Mutex
	next time.Time
}

// wait returns once a call of that cost can be made, or ErrOutOfTime if that is too late.
func (p *pacer) wait(ctx context.Context, cost float64) error {
	p.mu.Lock()
	now := p.clock.Now()
	if p.next.Before(now) {
		p.next = now
	}
	slot := p.next
	if !p.until.IsZero() && !slot.Before(p.until) {
		p.mu.Unlock()
		return ErrOutOfTime
	}
	p.next = slot.Add(time.Duration(cost / p.rate * float64(time.Second)))
	p.mu.Unlock()
	if slot.After(now) {
		return p.clock.Sleep(ctx, slot.Sub(now))
	}
	return ctx.Err()
}
