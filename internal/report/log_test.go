package report

import (
	"flag"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Two tasks that finish, one with a result that does not count, one that cannot log in, one that is cut off, and an engine log.
const exported = `[2026-11-23T03:08:09.001Z] [load/memtier/aaa] load: run=2026-11-23T03-08-09Z task=aaa generator="memtier_benchmark 2.3.1"
[2026-11-23T03:08:09.002Z] [load/memtier/bbb] load: run=2026-11-23T03-08-09Z task=bbb generator="memtier_benchmark 2.3.1"
[2026-11-23T03:08:09.003Z] [load/memtier/ccc] load: run=2026-11-23T03-08-09Z task=ccc generator="memtier_benchmark 2.3.1"
[2026-11-23T03:08:09.003Z] [load/memtier/ddd] load: run=2026-11-23T03-08-09Z task=ddd generator="memtier_benchmark 2.3.1"
[2026-11-23T03:08:09.100Z] [engine-log/n-001] 12:M 23 Nov 2026 03:08:09.100 * Redis version=7.0.15, bits=64, commit=00000000, modified=0, pid=12, just started
[2026-11-23T03:08:10.000Z] [load/memtier/aaa] load: ready
[2026-11-23T03:08:10.000Z] [load/memtier/bbb] load: ready
[2026-11-23T03:08:10.500Z] [load/memtier/ccc] load: failed: the cache at 127.0.0.5:6379 refused the password; check auth_token
[2026-11-23T03:08:11.000Z] [load/memtier/aaa] [RUN #1 5%,   1 secs]  2 threads  8 conns:        4094 ops,    4031 (avg:    4031) ops/sec, 155.58KB/sec (avg: 155.58KB/sec),  3.29 (avg:  3.29) msec latency
[2026-11-23T03:08:12.000Z] [load/memtier/bbb] [RUN #1 10%,   2 secs]  2 threads  8 conns 3 conn errors:        9000 ops,    4500 (avg:    4500) ops/sec, 1.58MB/sec (avg: 1.58MB/sec),  -nan (avg:  3.29) msec latency
[2026-11-23T03:08:29.000Z] [load/memtier/aaa] ALL STATS
[2026-11-23T03:08:29.000Z] [load/memtier/aaa] Type         Ops/sec     Hits/sec   Misses/sec    Avg. Latency     p50 Latency     p99 Latency   p99.9 Latency       KB/sec
[2026-11-23T03:08:29.000Z] [load/memtier/bbb] Type         Ops/sec     Hits/sec   Misses/sec    Avg. Latency     p90 Latency     p99 Latency   p99.9 Latency       KB/sec
[2026-11-23T03:08:29.000Z] [load/memtier/aaa] Sets         2462.53          ---          ---         0.59673         0.16700         9.27900        15.80700       189.64
[2026-11-23T03:08:29.000Z] [load/memtier/aaa] Totals      27087.83     20000.00      4625.30         0.59673         0.16700         9.27900        15.80700      2089.64
[2026-11-23T03:08:29.000Z] [load/memtier/bbb] Totals      10000.00     5000.00      5000.00            -nan         0.30000         8.00000        12.00000       910.36
[2026-11-23T03:08:29.100Z] [load/memtier/aaa] load: finished exit=0 ok
[2026-11-23T03:08:29.100Z] [load/memtier/bbb] load: finished exit=0 invalid: 3 error lines
[2026-11-23T03:08:09.001Z] [load/memtier/eee] load: run=2026-11-23T03-08-09Z task=eee generator="memtier_benchmark 2.3.1"
[2026-11-23T03:08:29.000Z] [load/memtier/eee] Type         Ops/sec     Hits/sec   Misses/sec    Avg. Latency     p50 Latency     p99 Latency   p99.9 Latency       KB/sec
[2026-11-23T03:08:29.000Z] [load/memtier/eee] Totals      10000.00     5000.00      5000.00         0.30000         0.30000         8.00000        12.00000       910.36
[2026-11-23T03:08:29.100Z] [load/memtier/eee] load: finished exit=0 ok

not a line of the log
`

func TestLog(t *testing.T) {
	log, err := ParseLog(strings.NewReader(exported))
	require.NoError(t, err)
	require.Equal(t, 24, log.Lines)
	require.Equal(t, 22, log.Events)
	require.Equal(t, "Redis 7.0.15", log.Server)
	require.Len(t, log.Tasks, 5)
	a, b, c, d := log.Tasks[0], log.Tasks[1], log.Tasks[2], log.Tasks[3]

	require.Equal(t, "aaa", a.ID)
	require.Equal(t, "2026-11-23T03-08-09Z", a.Run)
	require.Equal(t, "memtier_benchmark 2.3.1", a.Generator)
	require.Equal(t, time.Date(2026, 11, 23, 3, 8, 9, 1e6, time.UTC), a.Started)
	require.Equal(t, time.Date(2026, 11, 23, 3, 8, 10, 0, time.UTC), a.Ready)
	require.Equal(t, &Totals{OpsPerSecond: 27087.83, HitsPerSecond: 20000, MissesPerSecond: 4625.30, Average: 0.59673, P50: 0.167, P99: 9.279, P999: 15.807, KBPerSecond: 2089.64}, a.Totals)
	require.EqualValues(t, 4094, a.Operations)
	require.True(t, a.OK())

	require.True(t, math.IsNaN(b.Totals.P50), "its table has a p90 column there")
	require.True(t, math.IsNaN(b.Totals.Average), "-nan is no value")
	require.EqualValues(t, 9000, b.Operations, "connection errors in the record")
	require.Equal(t, "invalid: 3 error lines (exit 0)", b.Trouble())
	require.False(t, b.OK())
	require.Equal(t, "failed: the cache at 127.0.0.5:6379 refused the password; check auth_token", c.Trouble())
	require.Equal(t, "did not finish", d.Trouble())
}

func TestServersSayWhoTheyAre(t *testing.T) {
	for message, want := range map[string]string{
		"1:C 23 Nov 2026 03:08:09.100 # Valkey version=8.1.0, bits=64": "Valkey 8.1.0",
		`{"message":"Redis version=7.1.0, bits=64"}`:                   "Redis 7.1.0",
		"# Server initialized":                                         "",
	} {
		log, err := ParseLog(strings.NewReader("[2026-11-23T03:08:09.1Z] [engine-log/x] " + message + "\n"))
		require.NoError(t, err)
		require.Equal(t, want, log.Server)
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567.8: "1,234,568", -1234: "-1,234", -0.2: "0"} {
		require.Equal(t, want, Thousands(v))
	}
}

func FuzzParseLog(f *testing.F) {
	f.Add(exported)
	f.Add("[2026-11-23T03:08:09Z] [a] Totals 1 2 3\n[2026-11-23T03:08:09Z] [a] Type   Ops/sec\n")
	f.Fuzz(func(t *testing.T, text string) {
		log, err := ParseLog(strings.NewReader(text))
		if err == nil {
			require.LessOrEqual(t, log.Events, log.Lines)
			for _, task := range log.Tasks {
				require.True(t, task.OK() || task.Trouble() != "")
			}
		}
	})
}
