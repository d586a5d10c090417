package test

import (
	"context"
	"testing"
	"time"
)

// waitLimit only ends a wait that would never end. No result depends on it: a machine may be slow.
const waitLimit = 15 * time.Minute

// eventually polls until look returns true. Neither "not yet" nor an error is a failure. A wait that hangs fails with the last state seen.
func eventually(t testing.TB, what string, look func(context.Context) (so bool, seen any, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	var last any
	var failed error
	for started := time.Now(); ; {
		so, seen, err := look(ctx)
		if so && err == nil {
			return
		}
		if ctx.Err() == nil { // otherwise look only saw the end of this context
			last, failed = seen, err
		}
		// Short waits are polled often, long ones rarely.
		select {
		case <-time.After(min(max(time.Since(started)/5, 5*time.Millisecond), time.Second)):
		case <-ctx.Done():
			t.Fatalf("%s: not so after %s. Seen last: %+v. Last error: %v", what, time.Since(started).Round(time.Second), last, failed)
		}
	}
}
