package stack

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPrefillIsReadFromTheLog(t *testing.T) {
	now := time.Now()
	at := func(age int, stream, message string) string {
		return fmt.Sprintf(`{"timestamp":%d,"logStreamName":%q,"message":%q}`, now.Add(-time.Duration(age)*time.Second).UnixMilli(), stream, message)
	}
	words := []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(8, "b", "load: prefill keys=10 bytes=2560"), at(8, "c", "load: prefill keys=10 bytes=2560"),
		at(7, "c", "load: failed: prefill: out of memory")}
	records := []string{at(6, "a", "[RUN #1 40%,   1 secs]  2 threads  8 conns: 4094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency"),
		at(5, "a", "[RUN #1 50%,   2 secs]  2 threads  8 conns: 8094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency"),
		at(5, "c", "[RUN #1 90%,   2 secs]  2 threads  8 conns: 8094 ops, 4031 (avg: 4031) ops/sec, 1KB/sec (avg: 1KB/sec), 0.25 (avg: 0.25) msec latency")}
	_, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
		events := records
		if what == "FilterLogEvents" && len(words) > 0 { // the first call asks for the wrapper's words
			events, words = words, nil
		}
		return 200, nil, `{"events":[` + strings.Join(events, ",") + `]}`
	})
	none, err := s.Prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Nil(t, none, "the settings say nothing of it")
	require.NotEmpty(t, words, "no call was made")

	s.Config.Settings, s.Config.Minutes = []byte(`{"load":{"prefill":{"minutes":0}}}`), 9
	require.Zero(t, s.PrefillMinutes())
	s.Config.Settings = []byte(`{"load":{"prefill":{"minutes":null}}}`)
	require.Equal(t, 5, s.PrefillMinutes(), "at most half of the run")
	s.Config.Settings = []byte(`{"load":{"prefill":{"minutes":10}}}`)
	require.Equal(t, 10, s.PrefillMinutes())
	f, err := s.Prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 12 %, 0 of 2 tasks done", f.String(), "half of what one of two tasks has to write, and then to read")
	require.Equal(t, "out of memory", f.Failed)

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(7, "a", "load: prefill: written; reading every key back")}
	f, err = s.Prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 75 %, 0 of 1 task done", f.String())

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(8, "b", "load: prefill keys=10 bytes=2560"), at(3, "a", "load: prefilled keys=10 of 10 seconds=6")}
	f, err = s.Prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Equal(t, "prefilling, 50 %, 1 of 2 tasks done", f.String())

	words = []string{at(9, "a", "load: prefill keys=10 bytes=2560"), at(3, "a", "load: prefilled keys=10 of 10 seconds=6")}
	f, err = s.Prefill(t.Context(), now.Add(-time.Hour), now)
	require.NoError(t, err)
	require.Nil(t, f, "over")
}
