package dashboardpage

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The load's two graphs: what all tasks do together, and the latency by operations.
func TestStatisticsOfLogs(t *testing.T) {
	const records = `SOURCE 'load' | filter @message like /^\[RUN #1 +\d+%/ | parse @message /(?<ops>\d+) \(avg: +\d+\) ops\/sec.* (?<ms>[\d.]+|-nan) \(avg: +[^)]+\) msec/ | stats `
	q, err := parseQuery(records + `avg(ops)*count_distinct(@logStream) as operations, sum(ops*ms)/sum(ops) as mean, max(ms) as slowest_second by bin(1m)`)
	require.NoError(t, err)
	require.Equal(t, "load", q.group)
	require.Equal(t, time.Minute, q.bin)
	at := time.Unix(600, 0)
	line := func(ops int, ms string) string {
		return fmt.Sprintf("[RUN #1 5%%,   1 secs]  2 threads  8 conns:        4094 ops,    %d (avg:    4031) ops/sec, 155.58KB/sec (avg: 155.58KB/sec),  %s (avg:  3.29) msec latency", ops, ms)
	}
	require.True(t, q.match(line(1, "1.00")))
	require.False(t, q.match("load: ready"))
	got, err := q.statistics([]Event{{at, "a", line(100, "1.00")}, {at.Add(time.Second), "b", line(300, "2.00")}, {at.Add(time.Minute), "a", line(0, "-nan")}}, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []series{{600: 400, 660: 0}, {600: 1.75}, {600: 2}}, got)

	for text, want := range map[string]string{
		`fields @timestamp`:                        "no log group",
		`SOURCE 'a' | dedup x`:                     "not understood here: dedup x",
		`SOURCE 'a' | filter @message like /(/`:    "not understood here: filter",
		`SOURCE 'a' | stats avg(x) by bin(1m)`:     "not understood here: stats",
		`SOURCE 'a' | stats avg(( as y by bin(1m)`: "not understood here: stats",
	} {
		_, err := parseQuery(text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{`pct(ops)`: "the statistic pct", `avg(ops%2)`: "other than + - * /", `avg(a,b)`: "one argument"} {
		q, err := parseQuery(records + text + ` as y by bin(1m)`)
		require.NoError(t, err)
		_, err = q.statistics([]Event{{at, "a", line(1, "1.00")}}, time.Minute)
		require.ErrorContains(t, err, want, text)
	}
}
