package wiretest

import (
	"fmt"
	"testing"

	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

// Until asks until yes. A test that never gets there says what it saw last.
func Until(t testing.TB, what string, ok func() (seen any, yes bool)) {
	t.Helper()
	waittest.Until(t, func() error {
		seen, yes := ok()
		if yes {
			return nil
		}
		return amiss{what, seen}
	})
}

// amiss is put into words only when it is shown.
type amiss struct {
	what string
	seen any
}

func (a amiss) Error() string { return fmt.Sprintf("%s; seen last: %+v", a.what, a.seen) }
