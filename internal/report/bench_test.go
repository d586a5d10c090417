package report

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An hour of 4 tasks, the usual run.
func BenchmarkHour(b *testing.B) {
	bench(b, crafted{minutes: 60, tasks: 4, nodes: 3, taskCPU: 40, bulk: 50})
}

// A day of 100 tasks and 90 nodes: about 1 GB of CSV and 2 GB of log, made while it is read, which costs more than half of the time. HOURS shortens it.
//
//	HOURS=24 go test ./internal/report -run '^$' -bench Day -benchtime 1x
func BenchmarkDay(b *testing.B) {
	hours, _ := strconv.Atoi(os.Getenv("HOURS"))
	if hours == 0 {
		hours = 1
	}
	bench(b, crafted{minutes: 60 * hours, tasks: 100, nodes: 90, taskCPU: 40, bulk: 45})
}

func bench(b *testing.B, c crafted) {
	debug.SetGCPercent(100)
	var peak atomic.Uint64
	done := make(chan struct{})
	go func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.Sys-m.HeapReleased))
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	size := 0
	for b.Loop() {
		r := c.analyze(b)
		text, err := json.Marshal(r)
		require.NoError(b, err)
		size = len(text)
	}
	close(done)
	b.ReportMetric(float64(peak.Load())/(1<<20), "peak-MiB")
	b.ReportMetric(float64(size)/(1<<20), "results-MiB")
}
