// Package waittest is how tests wait for what other processes do: for a condition, never for a time.
package waittest

import (
	"testing"
	"time"
)

// Patience ends a test that hangs. It decides nothing: it is far above what anything here takes, on any machine, and below go test's own limit.
const Patience = 8 * time.Minute

// Until looks until nothing is amiss. A test that never gets there fails with what was amiss last.
func Until(t testing.TB, look func() error) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := look()
		if err == nil {
			return
		}
		if time.Since(began) > Patience {
			t.Fatalf("not so after %s: %v", Patience, err)
		}
	}
}
