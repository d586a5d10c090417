package page

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Step is the state of a long step.
type Step struct {
	Share float64 // 0 to 1; below 0: unknown
	Took  time.Duration
	Note  string // its state, in a few words
}

// Line is the step on one terminal line, cut if it does not fit.
func (s Step) Line(columns int) string {
	var b strings.Builder
	b.WriteString("  ")
	if s.Share >= 0 {
		fmt.Fprintf(&b, "%s %3.0f %%  ", Bar(s.Share, 24), 100*min(s.Share, 1))
	}
	b.WriteString(duration(s.Took.Truncate(time.Second)))
	if s.Note != "" {
		b.WriteString("  " + oneLine(s.Note))
	}
	line := []rune(b.String())
	if columns > 1 && len(line) >= columns { // a full line would wrap, and could not be redrawn
		line = append(line[:columns-2], '…')
	}
	return string(line)
}

// Said is the step as a log line.
func (s Step) Said(title string) string {
	parts := []string{title}
	if s.Share >= 0 {
		parts = append(parts, fmt.Sprintf("%.0f %%", 100*min(s.Share, 1)))
	}
	parts = append(parts, duration(s.Took.Round(time.Second)))
	if s.Note != "" {
		parts = append(parts, s.Note)
	}
	return oneLine(strings.Join(parts, " · "))
}

// Terminal is a terminal's output with one or more lines below it that show progress. New output goes above them. It is safe for concurrent use.
type Terminal struct {
	W       io.Writer
	Columns func() int // its width now
	Rows    func() int // its height now; nil: 24

	mu    sync.Mutex
	drawn string // "": nothing
	next  string // to be drawn after the output's current line has ended
	mid   bool   // the output's current line has not ended
}

// erase removes what is drawn, with the cursor at its end. A terminal that became narrower has wrapped its lines.
func (t *Terminal) erase() string {
	up := -1
	for line := range strings.SplitSeq(t.drawn, "\n") {
		up += 1 + max(0, utf8.RuneCountInString(line)-1)/max(1, t.Columns())
	}
	if up > 0 {
		return fmt.Sprintf("\r\x1b[%dA\x1b[J", up)
	}
	return "\r\x1b[K"
}

func (t *Terminal) rows() int {
	if t.Rows == nil {
		return 24
	}
	return t.Rows()
}

// Room is the maximum number of a table's rows: its two heads and some of the output must fit, too.
func (t *Terminal) Room() int { return max(min(t.rows()-8, 16), 1) }

func (t *Terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	text := string(b)
	if t.drawn != "" {
		text = t.erase() + text
	}
	t.drawn, t.mid = "", b[len(b)-1] != '\n'
	if !t.mid {
		t.drawn = t.next
		text += t.next
	}
	if _, err := io.WriteString(t.W, text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Show draws a step below the output, in place of the previous one; nil removes it.
func (t *Terminal) Show(s *Step) {
	if s == nil {
		t.draw("")
		return
	}
	t.draw(s.Line(t.Columns()))
}

// ShowTable draws a line and rows below the output, in place of the previous ones.
func (t *Terminal) ShowTable(title string, rows []Row) {
	columns := t.Columns()
	t.draw(strings.Join(append([]string{cut(title, columns-1)}, Table(rows, columns)...), "\n"))
}

func (t *Terminal) draw(next string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next = next; t.mid || t.drawn == next {
		return
	}
	text := next
	switch {
	case t.drawn == "":
	case next == "" || strings.Contains(t.drawn+next, "\n"):
		text = t.erase() + next
	default: // clear the rest of a longer line only after drawing the new one, against flicker
		text = "\r" + next + "\x1b[K"
	}
	t.drawn = next
	_, _ = io.WriteString(t.W, text) // nothing to do about a closed terminal
}

// Duration formats whole seconds with the two largest units: "1 h 30 min", "46 s".
func Duration(d time.Duration) string { return duration(d.Round(time.Second)) }
