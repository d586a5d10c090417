package wiretest

import (
	"testing"
	"time"
)

// patience only ends a test that hangs: it is far above what any machine takes, and below go test's own limit.
const patience = 8 * time.Minute

// Until asks until yes. A test that never gets there says what it saw last.
func Until(t testing.TB, what string, ok func() (seen any, yes bool)) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		seen, yes := ok()
		if yes {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s. Seen last: %+v", patience, what, seen)
		}
	}
}
