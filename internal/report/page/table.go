package page

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Row is the state of a campaign's run, in a table.
type Row struct {
	Name, State  string
	Left         time.Duration // of its load; 0: unknown
	OpsPerSecond *float64      // now; nil: unknown
}

// cells are a row's texts, "" if unknown.
func (r Row) cells() [4]string {
	all := [4]string{r.Name, r.State}
	if r.Left > 0 {
		all[2] = Duration(r.Left)
	}
	if r.OpsPerSecond != nil {
		all[3] = live("ops_per_second", r.OpsPerSecond)
	}
	return all
}

// Line is a row as a log line.
func (r Row) Line() string {
	all := r.cells()
	if all[2] != "" {
		all[2] += " left"
	}
	return strings.Join(slices.DeleteFunc(all[:], func(s string) bool { return s == "" }), " · ")
}

// Table formats rows as lines shorter than columns; 0: unlimited. A state that does not fit is cut; if there is no room for it, the last columns are
// left out.
func Table(rows []Row, columns int) (lines []string) {
	table := [][4]string{{"run", "state", "time left", "throughput now"}}
	for _, r := range rows {
		table = append(table, r.cells())
	}
	var widths [4]int
	for _, r := range table {
		for i, text := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	shown := len(widths)
	if columns > 0 { // a full line would wrap, and could not be redrawn
		room := columns - 1 - widths[2] - widths[3] - 3*len("  ")
		for ; room < 24 && shown > 2; shown-- {
			room += widths[shown-1] + len("  ")
		}
		widths[0] = min(widths[0], max(room/2, 8))
		widths[1] = min(widths[1], max(room-widths[0], 4))
	}
	for _, r := range table {
		line := fmt.Sprintf("%-*s  %-*s", widths[0], cut(r[0], widths[0]), widths[1], cut(r[1], widths[1]))
		for i := 2; i < shown; i++ {
			line += fmt.Sprintf("  %*s", widths[i], r[i])
		}
		if columns > 0 {
			line = cut(line, columns-1)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// cut shortens a text to a number of columns.
func cut(text string, columns int) string {
	if r := []rune(text); len(r) > columns {
		return string(r[:max(columns-1, 0)]) + "…"
	}
	return text
}
