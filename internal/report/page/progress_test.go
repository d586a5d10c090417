package page

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStep(t *testing.T) {
	s := Step{Share: 0.5, Took: 75*time.Second + 400*time.Millisecond, Note: "16 of 32 done, creating module.cache.aws_elasticache_replication_group.this"}
	require.Equal(t, "  ████████████░░░░░░░░░░░░  50 %  75 s  16 of 32 done, creating module.cache.aws_elasticache_replication_group.this", s.Line(200))
	require.Equal(t, "  ████████████░░░░░░░░░░░░  50 %  75 s  16 of 32…", s.Line(50))
	require.Equal(t, "terraform: applying · 50 % · 75 s · 16 of 32 done, creating module.cache.aws_elasticache_replication_group.this", s.Said("terraform: applying"))
	require.Equal(t, "  10 min  cache deleting", Step{Share: -1, Took: 10 * time.Minute, Note: "cache deleting"}.Line(80))
}

// shown is the final content of a terminal.
func shown(text string) string {
	lines := []string{""}
	at := 0
	for text != "" {
		n := len(lines) - 1
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			lines[n], text = string([]rune(lines[n])[:at]), text[3:]
		case text[0] == '\r':
			at, text = 0, text[1:]
		case text[0] == '\n':
			lines, at, text = append(lines, ""), 0, text[1:]
		default:
			r := []rune(text)[0]
			line := []rune(lines[n])
			if at < len(line) {
				line[at] = r
			} else {
				line = append(line, r)
			}
			lines[n], at, text = string(line), at+1, text[len(string(r)):]
		}
	}
	return strings.Join(lines, "\n")
}

func TestTerminal(t *testing.T) {
	var b strings.Builder
	s := &Terminal{W: &b, Columns: func() int { return 80 }}
	at := func(seconds int, note string) {
		s.Show(&Step{Share: -1, Took: time.Duration(seconds) * time.Second, Note: note})
	}
	write := func(text string) {
		n, err := io.WriteString(s, text)
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	write("one\n")
	at(1, "a long note")
	require.Equal(t, "one\n  1 s  a long note", shown(b.String()))
	at(2, "short")
	require.Equal(t, "one\n  2 s  short", shown(b.String()))
	write("two\n")
	require.Equal(t, "one\ntwo\n  2 s  short", shown(b.String()))
	write("thr")
	at(3, "waits for the line's end")
	require.Equal(t, "one\ntwo\nthr", shown(b.String()))
	write("ee\n")
	require.Equal(t, "one\ntwo\nthree\n  3 s  waits for the line's end", shown(b.String()))
	s.Show(nil)
	write("four\n")
	require.Equal(t, "one\ntwo\nthree\nfour\n", shown(b.String()))

	b.Reset()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			at(i, "")
		}
	}()
	for i := range 200 {
		write(fmt.Sprintf("line %d\n", i))
	}
	<-done
	s.Show(nil)
	lines := strings.Split(shown(b.String()), "\n")
	require.Len(t, lines, 201)
	for i, l := range lines[:200] {
		require.Equal(t, fmt.Sprintf("line %d", i), l)
	}
}
