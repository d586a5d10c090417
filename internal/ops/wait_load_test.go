package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoadIsWaitedFor(t *testing.T) {
	const record = "[RUN #1 5%%,   1 secs]  2 threads  8 conns:        %d ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	failed := func(stream string) string { return event(stream, "load: failed: no route to 10.0.0.1:6379") }
	for name, c := range map[string]struct {
		desired int
		events  []string
		want    string
	}{
		"loads":                       {1, []string{failed("a"), event("b", fmt.Sprintf(record, 4094))}, ""},
		"was stopped":                 {0, []string{event("a", fmt.Sprintf(record, 0))}, "was stopped before it reported an operation"},
		"was stopped after it failed": {0, []string{failed("a")}, "operation: no route to 10.0.0.1:6379"},
		"cannot start":                {1, []string{failed("a"), failed("b")}, "cannot start, 2 tasks failed: no route to 10.0.0.1:6379"},
	} {
		t.Run(name, func(t *testing.T) {
			_, con, s := stackOf(t, under(time.Time{}, time.Time{}, "", c.desired, c.events...))
			err := waitLoad(t.Context(), con, s, aRun)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// A prefill's operations are not the load's. After a failed prefill the tasks run but will never load.
func TestLoadThatPrefillsIsWaitedFor(t *testing.T) {
	const record = "[RUN #1 5%,   1 secs]  2 threads  8 conns:        4094 ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	wait := func(last string) (err error) {
		synctest.Test(t, func(t *testing.T) {
			_, con, s := stackOf(t, under(time.Time{}, time.Time{}, "", 1, event("a", "load: ready"), event("a", "load: prefill keys=1000 bytes=256000"), event("a", record), event("a", last)))
			con.Pause = time.Minute
			s.Config.Settings = json.RawMessage(`{"load":{"prefill":{"minutes":7}}}`)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err = waitLoad(ctx, con, s, aRun)
		})
		return err
	}
	require.ErrorIs(t, wait(record), context.DeadlineExceeded)
	require.NoError(t, wait("load: prefilled keys=1000 of 1000 seconds=1"))
	require.ErrorContains(t, wait("load: failed: prefill: 7 of 1000 keys were gone"), "does not start: prefill: 7 of 1000 keys were gone")
}

// The wait reads the whole log of the load, on a machine whose cores may be the load's, and AWS allows few such requests.
func TestWaitForLoadReadsItsLogOnceASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, reads := under(time.Time{}, time.Time{}, "", 1), 0
		_, con, s := stackOf(t, func(what string, form url.Values) (int, map[string]string, string) {
			if what == "FilterLogEvents" {
				reads++
			}
			return answer(what, form)
		})
		con.Pause = 250 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Millisecond)
		defer cancel()
		require.ErrorIs(t, waitLoad(ctx, con, s, aRun), context.DeadlineExceeded)
		require.LessOrEqual(t, reads, 61)
	})
}
