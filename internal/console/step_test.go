package console

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// clock is set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestALongStepInALog(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1_800_000_000, 0)}
	s := (&Console{Out: &out}).begin(at.now, "terraform: applying")
	for range 65 {
		at.at = at.at.Add(time.Second)
		s.At(0.5, "16 of 32 done")
		s.show()
	}
	require.Equal(t, "terraform: applying\nterraform: applying · 50 % · 30 s · 16 of 32 done\nterraform: applying · 50 % · 60 s · 16 of 32 done\n", out.String())
}

func TestALongStepInATerminal(t *testing.T) {
	var out bytes.Buffer
	at := &clock{time.Unix(1_800_000_000, 0)}
	terminal := &page.Terminal{W: &out, Columns: func() int { return 60 }}
	con := &Console{Out: terminal, Terminal: terminal}
	s := con.begin(at.now, "waiting")
	at.at = at.at.Add(90 * time.Second)
	s.At(-1, "cache deleting")
	con.Say("said meanwhile")
	close(s.done) // begin starts no ticker
	s.End()
	s.End()
	require.Equal(t, "waiting\n  0 s\r  90 s  cache deleting\x1b[K\r\x1b[Ksaid meanwhile\n  90 s  cache deleting\r\x1b[K", out.String())
	(*Step)(nil).End()
}

func TestAStepEndsWithItsTicker(t *testing.T) {
	var out bytes.Buffer
	s := (&Console{Out: &out}).Step("building %s", "it")
	s.End()
	require.Equal(t, "building it\n", out.String())
}
