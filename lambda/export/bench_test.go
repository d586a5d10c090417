package export

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"
)

// go test ./lambda/export -run '^$' -bench . -count 6 | tee new.txt && benchstat new.txt
// test/bench_test.go measures whole exports, including their calls.

func BenchmarkCSV(b *testing.B) {
	all := target.Catalog()[:200]
	slices.SortFunc(all, Series.compare)
	page := &metricsPage{}
	page.begin(Window{logWindow.Start, logWindow.Start.Add(500 * time.Minute)}, time.Minute, all)
	for i := range page.values {
		page.values[i], page.known[i] = float64(i%500)*1.25, true
	}
	out := &counter{}
	for b.Loop() {
		t := newTable(out, MetricsJob{Series: all, Period: time.Minute, Window: logWindow})
		if err := t.page(page); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(page.values))/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(out.n)/b.Elapsed().Seconds()/1e6, "MB/s")
	b.ReportMetric(peakMemory(b), "peak-MB")
}

func BenchmarkLogMerge(b *testing.B) {
	for _, streams := range []int{4, 100} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			const events = 200_000
			group := map[string][]logEvent{}
			for i := range events {
				name := fmt.Sprintf("load/memtier/%03d", i%streams)
				ops := 40_000 + i*7919%9_973
				group[name] = append(group[name], logEvent{logWindow.Start.UnixMilli() + int64(i)/100, fmt.Sprintf(
					"[RUN #1 %d%%, %3d secs]  4 threads 200 conns: %11d ops, %7d (avg: %7d) ops/sec, %d.%02dMB/sec (avg: 4.31MB/sec),  %d.%02d (avg:  4.72) msec latency",
					i*100/events, i, i*ops, ops, 44_000+i%97, 3+i%3, i%100, 4+i%2, i*31%100)})
			}
			out, calls := &counter{}, 0
			for b.Loop() {
				api := &fakeLogs{size: 10_000, groups: map[string]map[string][]logEvent{"/perf/load": group}}
				job := logJob(api)
				job.Rate = 1e9
				if _, err := job.Write(b.Context(), out); err != nil {
					b.Fatal(err)
				}
				calls += api.calls
			}
			b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(out.n)/b.Elapsed().Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(calls)/float64(b.N), "calls")
			b.ReportMetric(peakMemory(b), "peak-MB")
		})
	}
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

var _ io.Writer = (*counter)(nil)

// peakMemory is this process's peak resident memory in MiB, including the benchmark's own data.
func peakMemory(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return float64(usage.Maxrss) / 1024
}
