package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// Elapsed puts the time since Began in front of every line.
type Elapsed struct {
	W     io.Writer
	Began time.Time
	mu    sync.Mutex
	mid   bool // the last write did not end its line
}

func (e *Elapsed) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []byte
	for line := range bytes.Lines(b) {
		if !e.mid {
			out = fmt.Appendf(out, "[%4.0f s] ", time.Since(e.Began).Seconds())
		}
		e.mid = line[len(line)-1] != '\n'
		out = append(out, line...)
	}
	if _, err := e.W.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
