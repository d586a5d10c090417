package test

import (
	"context"
	"testing"
	"time"
)

// hanging ends a wait that nothing will end any more. It decides nothing: a slow machine is allowed to be slow.
const hanging = 15 * time.Minute

// eventually looks until it is so. What is not there yet is no failure, and neither is an error: a wait that hangs fails with what was seen last.
func eventually(t testing.TB, what string, look func(context.Context) (so bool, seen any, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	var last any
	var failed error
	for started := time.Now(); ; {
		so, seen, err := look(ctx)
		if so && err == nil {
			return
		}
		if ctx.Err() == nil { // or it is this context's end that was seen
			last, failed = seen, err
		}
		// What comes soon is seen soon, and what takes minutes is not asked for all the time.
		select {
		case <-time.After(min(max(time.Since(started)/5, 5*time.Millisecond), time.Second)):
		case <-ctx.Done():
			t.Fatalf("%s: not so after %s. Seen last: %+v. Last error: %v", what, time.Since(started).Round(time.Second), last, failed)
		}
	}
}
