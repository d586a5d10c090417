package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

const mostOfAPage = 5 << 20 // bytes

// The page and results.json stay small enough to open for runs of any length with any number of tasks and nodes.
func TestPageOfADayIsSmall(t *testing.T) {
	r, err := report.Analyze(t.Context(), report.CraftedDay(24, true))
	require.NoError(t, err)
	require.Len(t, r.Tasks, 100)
	require.Len(t, r.Nodes, 90)
	require.Len(t, r.Client.Throughput.Values, 1440)
	var html bytes.Buffer
	require.NoError(t, page.HTML(&html, r))
	require.Less(t, html.Len(), mostOfAPage)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(text), 2*mostOfAPage)
}

func BenchmarkReport(b *testing.B) {
	b.Run("1h-4-tasks-3-nodes", func(b *testing.B) { bench(b, report.CraftedHour()) })
	// A day of 100 tasks and 90 nodes. HOURS=24 runs all of it: it needs 3 GB under TMPDIR and some minutes to write the files.
	hours, _ := strconv.Atoi(os.Getenv("HOURS"))
	hours = max(1, hours)
	b.Run(strconv.Itoa(hours)+"h-100-tasks-90-nodes", func(b *testing.B) { bench(b, report.CraftedDay(hours, false)) })
}

// bench measures from files to page. Peak memory is the process's, counted after the files were written.
func bench(b *testing.B, made report.Run) {
	dir := b.TempDir()
	size := map[string]int64{}
	write := func(kind, name string, from io.Reader) {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(b, err)
		sum := sha256.New()
		size[name], err = io.Copy(io.MultiWriter(f, sum), from)
		require.NoError(b, err)
		require.NoError(b, f.Close())
		made.Manifest.Objects = append(made.Manifest.Objects, export.Object{Kind: kind, Key: name, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	write(export.KindMetrics, "metrics.csv", made.Metrics)
	write(export.KindLogs, "logs.txt", made.Logs)
	open := func(name string) *os.File {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(b, err)
		return f
	}
	debug.FreeOSMemory()
	require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // resets the high-water mark, proc_pid_clear_refs(5)
	var html bytes.Buffer
	began, worked, n := time.Now(), cpu(b), 0
	for b.Loop() {
		metrics, logs := open("metrics.csv"), open("logs.txt")
		r, err := report.Analyze(b.Context(), report.Run{Metrics: metrics, Logs: logs, Manifest: made.Manifest})
		require.NoError(b, err)
		require.True(b, *r.Provenance.Files[0].Verified && *r.Provenance.Files[1].Verified)
		html.Reset()
		require.NoError(b, page.HTML(&html, r))
		_, _ = metrics.Close(), logs.Close()
		n++
	}
	b.ReportMetric(time.Since(began).Seconds()/float64(n), "s/report")
	b.ReportMetric((cpu(b)-worked).Seconds()/float64(n), "CPU-s/report")
	b.ReportMetric(float64(size["metrics.csv"])/1e6, "MB-of-CSV")
	b.ReportMetric(float64(size["logs.txt"])/1e6, "MB-of-log")
	b.ReportMetric(float64(html.Len())/1e6, "MB-of-page")
	b.ReportMetric(float64(peak(b))/1024, "peak-MiB")
}

// cpu is the process's CPU time, which other work on the machine changes less than wall-clock time.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the process's peak memory in KiB.
func peak(b *testing.B) int64 {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, is := strings.CutPrefix(line, "VmHWM:"); is {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			require.NoError(b, err)
			return n
		}
	}
	b.Fatal("no VmHWM in /proc/self/status")
	return 0
}
