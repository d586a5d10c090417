package page

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatus(t *testing.T) {
	s := Status{Now: at(15), Run: "2026-11-23T03-08-00Z", Phase: "running", Meaning: "until 2026-11-23T03:38:00Z", Began: at(0), Stops: at(30),
		Recent: []float64{0, 12000, 24000, 48211}, ReadP99: ptr(0.094), WriteP99: ptr(0.131),
		Rows: [][2]string{{"cache", "available"}, {"tasks", "4 of 4 running"}, {"results", "will be in s3://perf/exports/"}}}
	narrow(t, s.String())
	require.Equal(t, `run 2026-11-23T03-08-00Z: running
              until 2026-11-23T03:38:00Z
  time        █████████████████░░░░░░░░░░░░░░░░░  50 %  15 min left
  throughput   ▂▄█                                48,211 ops/s
  p99         read 0.0940 ms, write 0.131 ms (inside the cache, last minute)
  cache       available
  tasks       4 of 4 running
  results     will be in s3://perf/exports/
`, s.String())
	require.Equal(t, "running · 50 %, 15 min left · 48,211 ops/s · p99 read 0.0940 ms, write 0.131 ms · cache available · tasks 4 of 4 running", s.Line())
	require.Equal(t, "none\n              nothing is deployed\n", Status{Phase: "none", Meaning: "nothing is deployed"}.String())
	s.Now = at(31)
	require.Contains(t, s.String(), "100 %  time is up")
}

func TestScreen(t *testing.T) {
	var b strings.Builder
	c := Screen{W: &b, TTY: true}
	require.NoError(t, c.Show(Status{Phase: "a", Meaning: "b"}))
	require.NoError(t, c.Show(Status{Phase: "c"}))
	c.Keep()
	require.NoError(t, c.Show(Status{Phase: "d"}))
	require.Equal(t, "a\n              b\n\x1b[2A\x1b[Jc\nd\n", b.String())

	b.Reset()
	c = Screen{W: &b, TTY: true, Columns: func() int { return 20 }}
	require.NoError(t, c.Show(Status{Phase: strings.Repeat("x", 20), Rows: [][2]string{{"results", "s3://bucket/prefix/"}}})) // one row and two
	require.NoError(t, c.Show(Status{Phase: "d"}))
	require.Contains(t, b.String(), "\x1b[3A\x1b[Jd\n")

	b.Reset()
	c = Screen{W: &b, Every: 10 * time.Second}
	for i := range 5 {
		require.NoError(t, c.Show(Status{Phase: "running", Now: begin.Add(time.Duration(4*i) * time.Second)}))
	}
	require.Equal(t, "running\nrunning\n", b.String())
}
