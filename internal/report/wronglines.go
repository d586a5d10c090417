package report

import (
	"fmt"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// wrongLines counts the lines of a file that could not be read; only those lines are lost.
type wrongLines struct {
	n     int64
	first []string
}

func (w *wrongLines) add(e *export.LineError) {
	if w.n++; len(w.first) < 3 {
		w.first = append(w.first, e.Error())
	}
}

// say warns about them, with their line numbers.
func (w *wrongLines) say(r *Results, file string) {
	if w.n == 0 {
		return
	}
	more := ""
	if n := w.n - int64(len(w.first)); n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	r.warn("%s has %s that cannot be read, left out: %s%s", file, Quantity(int(w.n), "line"), strings.Join(w.first, "; "), more)
}
