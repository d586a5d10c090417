package page

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Step is a long step at one moment.
type Step struct {
	Share float64 // 0 to 1; below 0: nobody knows
	Took  time.Duration
	Note  string // where it stands, in a few words
}

// Line is the step on one line of a terminal that is so many columns wide, cut where it does not fit.
func (s Step) Line(columns int) string {
	var b strings.Builder
	b.WriteString("  ")
	if s.Share >= 0 {
		fmt.Fprintf(&b, "%s %3.0f %%  ", Bar(s.Share, 24), 100*min(s.Share, 1))
	}
	b.WriteString(duration(s.Took.Truncate(time.Second)))
	if s.Note != "" {
		b.WriteString("  " + s.Note)
	}
	line := []rune(b.String())
	if columns > 1 && len(line) >= columns { // a full line would wrap, and could not be drawn over
		line = append(line[:columns-2], '…')
	}
	return string(line)
}

// Said is the step as a line of a log.
func (s Step) Said(title string) string {
	parts := []string{title}
	if s.Share >= 0 {
		parts = append(parts, fmt.Sprintf("%.0f %%", 100*min(s.Share, 1)))
	}
	parts = append(parts, duration(s.Took.Round(time.Second)))
	if s.Note != "" {
		parts = append(parts, s.Note)
	}
	return strings.Join(parts, " · ")
}

// Terminal is a terminal's output with one line below it that shows what goes on. What is written goes above that line. It may be used by
// several goroutines.
type Terminal struct {
	W       io.Writer
	Columns func() int // its width now

	mu   sync.Mutex
	line string // drawn; "" is none
	next string // to be drawn once the output's last line has ended
	mid  bool   // it has not
}

// erase removes the line that the cursor is in.
const erase = "\r\x1b[K"

func (t *Terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	text := string(b)
	if t.line != "" {
		text = erase + text
	}
	t.line, t.mid = "", b[len(b)-1] != '\n'
	if !t.mid {
		t.line = t.next
		text += t.next
	}
	if _, err := io.WriteString(t.W, text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Show draws a step below the output, in place of the one before; nil takes it away.
func (t *Terminal) Show(s *Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = ""
	if s != nil {
		t.next = s.Line(t.Columns())
	}
	if t.mid || t.line == t.next {
		return
	}
	text := t.next
	if t.line != "" {
		// The rest of a longer line is cleared after the new one is drawn: nothing flickers.
		text = "\r" + t.next + "\x1b[K"
		if t.next == "" {
			text = erase
		}
	}
	t.line = t.next
	_, _ = io.WriteString(t.W, text) // a terminal that is gone shows nothing
}

// Duration writes whole seconds with their two largest units: "1 h 30 min", "46 s".
func Duration(d time.Duration) string { return duration(d.Round(time.Second)) }
