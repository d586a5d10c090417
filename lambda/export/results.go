package export

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Results sums up the tables that memtier prints at a task's end. Percentiles of tasks cannot be added up: the highest is kept.
type Results struct {
	Tables       int     `json:"tables"` // one a task
	OpsPerSecond float64 `json:"ops_per_second"`
	P99          float64 `json:"p99_ms,omitempty"` // the highest of the tables' p99, 0: none has one
}

// titles are those of the table's columns: one word, or "Latency" after what it is of. A long percentile's is as wide as its column: one blank is between.
var titles = regexp.MustCompile(`\S+ Latency|\S+`)

// TableColumn is a column's value in a row of memtier's table, which is paired with the table's header; false where the table does not have it, or has
// "---" or "-nan" for it.
func TableColumn(header, row, column string) (float64, bool) {
	fields := strings.Fields(row)
	i := slices.Index(titles.FindAllString(header, -1), column)
	if i < 0 || i >= len(fields) {
		return 0, false
	}
	v, err := strconv.ParseFloat(fields[i], 64)
	return v, err == nil
}

// read takes in an event of the load. header is the last table header that was seen: which columns a table has depends on memtier's flags, which are
// the same for all tasks of a run.
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
