package export

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Results summarizes the tables that memtier prints at a task's end. Percentiles of tasks cannot be added up: the highest is kept.
type Results struct {
	Tables       int     `json:"tables"` // one a task
	OpsPerSecond float64 `json:"ops_per_second"`
	P99          float64 `json:"p99_ms,omitempty"` // the highest of the tables' p99, 0: none has one
}

// titles matches the table's column titles: one word, or "X Latency". A long percentile's title fills its column, so one blank separates titles.
var titles = regexp.MustCompile(`\S+ Latency|\S+`)

// TableColumn returns a column's value in a row of memtier's table with this header; false if the table lacks the column, or has "---" or "-nan"
// in it.
func TableColumn(header, row, column string) (float64, bool) {
	fields := strings.Fields(row)
	i := slices.Index(titles.FindAllString(header, -1), column)
	if i < 0 || i >= len(fields) {
		return 0, false
	}
	v, err := strconv.ParseFloat(fields[i], 64)
	return v, err == nil
}

// read reads a log event of the load. header is the last table header seen: a table's columns depend on memtier's flags, which are the same for
// all tasks of a run.
func (r *Results) read(message []byte, header *string) {
	if bytes.HasPrefix(message, []byte("Type ")) && bytes.Contains(message, []byte("Ops/sec")) {
		*header = strings.TrimSpace(string(message))
		return
	}
	if *header == "" || !bytes.HasPrefix(message, []byte("Totals ")) {
		return
	}
	value := func(column string) (float64, bool) {
		v, ok := TableColumn(*header, string(message), column)
		return v, ok && v >= 0 && v < 1e15
	}
	ops, ok := value("Ops/sec")
	if !ok {
		return
	}
	r.Tables++
	r.OpsPerSecond += ops
	if p99, ok := value("p99 Latency"); ok {
		r.P99 = max(r.P99, p99)
	}
}
