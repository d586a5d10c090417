package report

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// texts returns the files of a synthetic run.
func texts(c synthetic.Case) (metrics, log string) {
	var m, l bytes.Buffer
	c.CSV(&m)
	c.Log(&l)
	return m.String(), l.String()
}

func ofTexts(t *testing.T, metrics, log string, m *export.Manifest) *Results {
	t.Helper()
	run := Run{Manifest: m}
	if metrics != "" {
		run.Metrics = strings.NewReader(metrics)
	}
	if log != "" {
		run.Logs = strings.NewReader(log)
	}
	r, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	valid(t, r)
	return r
}

func warnings(r *Results) string { return strings.Join(r.Warnings, "\n") }

// Files changed by other tools are read correctly, and each omission or assumption is reported once.
func TestFilesOfOtherTools(t *testing.T) {
	c := synthetic.Plain()
	c.Nodes = 1
	metrics, log := texts(c)
	want := analyzed(t, c)
	const stamp = "2026-11-23T03:12:00+00:00,AWS/ElastiCache,EngineCPUUtilization,Average,"
	for name, test := range map[string]struct {
		metrics, log string
		says         string // a part of the only warning; "" for none
	}{
		"a byte order mark in both":  {"\ufeff" + metrics, "\ufeff" + log, ""},
		"CRLF in both":               {strings.ReplaceAll(metrics, "\n", "\r\n"), strings.ReplaceAll(log, "\n", "\r\n"), ""},
		"semicolons, commas between": {semicolons(metrics), log, ""},
		"a space in times":           {strings.ReplaceAll(metrics, "T03:", " 03:"), log, ""},
		"times without an offset":    {strings.ReplaceAll(metrics, "+00:00", ""), log, "times without an offset in 598 rows: they are read as UTC"},
		"an empty value":             {strings.Replace(metrics, stamp+"40", stamp, 1), log, ""},
		"a value that is none":       {strings.Replace(metrics, stamp+"40", stamp+"n/a", 1), log, `the metrics CSV has 1 line that cannot be read, left out: line 115: the value "n/a" is no number`},
		"joined with itself":         {metrics + metrics, log, "repeats a series and a time in 598 rows"},
		"joined, the first cut off":  {metrics[:len(metrics)-20] + metrics, log, "repeats a series and a time in 597 rows"},
		"a row far away":             {metrics + strings.Replace(stamp, "2026", "2025", 1) + "99,Percent,CacheClusterId=perf-001;CacheNodeId=0001\n", log, "has 1 datapoint over 15 days away from the others, left out"},
		"a log twice":                {metrics, log + log, "lines of the log are left out: they lie before others of their stream"},
		"histograms twice":           {metrics, regexp.MustCompile(`(?m)^.*load: hdr .*\n`).ReplaceAllString(log, "$0$0"), ""},
		"histograms split":           {metrics, regexp.MustCompile(`(load: hdr sha256=\S+ part=\S+ \S{30})(\S{50})`).ReplaceAllString(log, "$1\n$2\n"), ""},
		"histograms split with head": {metrics, regexp.MustCompile(`(?m)^(\[\S+\] \[\S+\] )(load: hdr sha256=\S+ part=\S+ \S{30})(\S{50})`).ReplaceAllString(log, "$1$2\n$1$3"), ""},
		"a log line that is none":    {metrics, strings.Replace(log, "\n", "\n--- more ---\n\n", 1), "the log has 1 line that cannot be read, left out: line 2: it is no `[timestamp] [stream] message`"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ofTexts(t, test.metrics, test.log, c.Manifest())
			require.Equal(t, want.Verdict.Outcome, r.Verdict.Outcome)
			for i, f := range want.Headline {
				if f.Value != nil {
					require.InEpsilon(t, 1+*f.Value, 1+*r.Headline[i].Value, 1e-9, f.ID)
				}
			}
			if test.says == "" {
				require.Empty(t, r.Warnings)
			} else {
				require.Contains(t, warnings(r), test.says)
			}
		})
	}
	t.Run("the end was cut off", func(t *testing.T) {
		r := ofTexts(t, metrics[:len(metrics)-6], log, c.Manifest())
		require.Contains(t, warnings(r), "it is cut off")
		require.Len(t, r.Nodes, 1)
	})
}

// semicolons makes the CSV that spreadsheets write where the comma is the decimal separator.
func semicolons(text string) string {
	text = strings.NewReplacer(",", ";", ";CacheNodeId", ",CacheNodeId", ";ServiceName", ",ServiceName").Replace(text)
	return regexp.MustCompile(`;(\d+)\.(\d+);`).ReplaceAllString(text, ";$1,$2;")
}

func TestFilesThatAreNotThere(t *testing.T) {
	c := synthetic.Plain()
	metrics, log := texts(c)
	analyze := func(metrics, log string) (*Results, error) {
		return Analyze(context.Background(), Run{Metrics: strings.NewReader(metrics), Logs: strings.NewReader(log), Manifest: c.Manifest()})
	}
	r, err := analyze("", log)
	require.NoError(t, err)
	require.Contains(t, warnings(r), "the metrics CSV is empty: the report is made without metrics")
	require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.005)
	r, err = analyze("a,b\n1,2\n", log)
	require.NoError(t, err)
	require.Contains(t, warnings(r), `no column Timestamp: expected Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions, found "a,b"`)
	r, err = analyze(metrics, "")
	require.NoError(t, err)
	require.Contains(t, warnings(r), "the log is empty")
	require.InEpsilon(t, 40_000, *r.figure("ops_per_second"), 0.005, "the nodes' commands")
	r, err = analyze(metrics, "no log\nat all\n")
	require.NoError(t, err)
	require.Contains(t, warnings(r), "the log has no line that is")
	_, err = analyze("", "")
	require.ErrorContains(t, err, "the metrics CSV is empty", "a report of nothing is none")
}

// One datapoint of 5 minutes, one of an hour that the load fills in part, and two such hours: the manifest has the period.
func TestLongPeriods(t *testing.T) {
	const row = "%s,AWS/ElastiCache,%s,%s,%v,Unit,CacheClusterId=perf-001;CacheNodeId=0001\n"
	for _, test := range []struct {
		minutes, period int
		starts          map[string]float64 // seconds of load in each datapoint
		says            string
	}{
		{5, 300, map[string]float64{"2026-11-23T03:10:00Z": 300}, "Not limited"},
		{40, 3600, map[string]float64{"2026-11-23T03:00:00Z": 2400}, "Cannot tell from metrics whose datapoints are of 3,600 s each: 0:40:00 cover none of them whole; the load generator itself saw 10,0"},
		{60, 3600, map[string]float64{"2026-11-23T03:00:00Z": 3000, "2026-11-23T04:00:00Z": 600}, "Next: Set metrics_period_seconds = 60."},
	} {
		c := synthetic.Plain()
		c.Minutes, c.Tasks, c.Nodes = test.minutes, 1, 1
		text := strings.Join(export.Columns, ",") + "\n"
		for at, seconds := range test.starts {
			text += fmt.Sprintf(row, at, "NetworkBytesOut", "Sum", 5e6*seconds) + fmt.Sprintf(row, at, "NetworkBytesIn", "Sum", 1e6*seconds) + fmt.Sprintf(row, at, "EngineCPUUtilization", "Average", 40) +
				at + ",AWS/ECS,CPUUtilization,Average,40,Percent,ClusterName=perf;ServiceName=perf-load\n"
		}
		_, log := texts(c)
		m := c.Manifest()
		m.Metrics = &export.Metrics{PeriodSeconds: test.period}
		r := ofTexts(t, text, log, m)
		require.InEpsilon(t, 5e6, *r.figure("node_bytes_out_per_second"), 0.001, "40 Mbit/s")
		require.InEpsilon(t, 10_000, *r.figure("ops_per_second"), 0.005)
		require.Contains(t, r.Verdict.Sentence+" Next: "+r.Verdict.Next, test.says)
		require.NotContains(t, r.Verdict.Sentence, "missing")
	}
}

// A period under a minute gives the same figures as one of a minute, and a minute of load has enough datapoints for a verdict.
func TestSubMinutePeriods(t *testing.T) {
	c := synthetic.Plain()
	metrics, log := texts(c)
	want, r := ofTexts(t, metrics, log, nil), ofTexts(t, everyTenSeconds(t, metrics), log, nil)
	require.Equal(t, want.Verdict.Outcome, r.Verdict.Outcome)
	require.Equal(t, 10, r.Provenance.MetricPeriod)
	for _, id := range []string{"node_bytes_out_per_second", "engine_cpu_percent"} {
		require.InEpsilon(t, *want.figure(id), *r.figure(id), 1e-6, id)
	}
	c.Minutes = 1
	metrics, log = texts(c)
	require.Equal(t, CannotTell, ofTexts(t, metrics, log, nil).Verdict.Outcome)
	require.Equal(t, NotLimited, ofTexts(t, everyTenSeconds(t, metrics), log, nil).Verdict.Outcome)
}

func everyTenSeconds(t *testing.T, metrics string) string {
	lines := strings.Split(strings.TrimSpace(metrics), "\n")
	fine := lines[:1:1]
	for _, line := range lines[1:] {
		f := strings.Split(line, ",")
		at, err := time.Parse(time.RFC3339, f[0])
		require.NoError(t, err)
		var value float64
		_, err = fmt.Sscan(f[4], &value)
		require.NoError(t, err)
		if f[3] == "Sum" {
			value /= 6
		}
		for i := range 6 {
			f[0], f[4] = at.Add(time.Duration(10*i)*time.Second).Format(time.RFC3339), fmt.Sprint(value)
			fine = append(fine, strings.Join(f, ","))
		}
	}
	return strings.Join(fine, "\n") + "\n"
}

// memtier before 2.3 prints no connections in its records. Records of an unknown form are reported as unreadable, and the nodes' counters are used instead.
func TestRecordsOfOtherVersions(t *testing.T) {
	c := synthetic.Case{Minutes: 2, Tasks: 1, Nodes: 1, TaskCPU: 40}
	metrics, log := texts(c)
	r := ofTexts(t, metrics, strings.NewReplacer(" threads 10 conns:", " threads:", "2.3.1", "2.1.4").Replace(log), c.Manifest())
	require.InEpsilon(t, 10_000, *r.figure("ops_per_second"), 0.005)
	require.Equal(t, "ok", r.Tasks[0].State)

	r = ofTexts(t, metrics, strings.ReplaceAll(log, " threads 10 conns:", " workers:"), c.Manifest())
	require.InEpsilon(t, 20_000, *r.figure("ops_per_second"), 0.005, "the node's commands")
	require.Contains(t, r.Headline[0].Note, "the log's progress records have an unknown format; the tasks' tables say 9,996 ops/s")
	require.Contains(t, warnings(r), "task task0000: 120 progress records of memtier_benchmark 2.3.1 in an unknown format")
	require.Equal(t, "ok", r.Tasks[0].State)
	require.InEpsilon(t, 1_200_000, r.Tasks[0].Operations, 0.01, "by its histogram")
	p50, ok := r.Client.Latency.At(50)
	require.True(t, ok)
	require.InEpsilon(t, 0.4, p50, 0.02)

	r = ofTexts(t, "", strings.ReplaceAll(log, " threads 10 conns:", " workers:"), nil)
	require.Contains(t, r.Verdict.Sentence, "the log cannot be read: its progress records have an unknown format; the tasks' tables say 9,996 ops/s")

	block := regexp.MustCompile(`(?m)(\[RUN #1 5%, )(\d+) secs\].*?(\d+) \(avg: +(\d+)\) ops/sec, (\S+) \(avg: \S+\).*$`)
	r = ofTexts(t, metrics, block.ReplaceAllString(log, "[RUN #1   5%   ${2}s] throughput $3 (avg: $4) ops/sec   $5 (avg: $5)   miss 10.00% (avg: 10.00%)"), c.Manifest())
	require.InEpsilon(t, 10_000, *r.figure("ops_per_second"), 0.005, "--realtime-latencies")
	require.Equal(t, analyzed(t, c).Client.Operations, r.Client.Operations, "by the histogram")
}

// memtier restarts a thread that lost its connection, and loses its count: the total falls, by a quarter here.
func TestATotalThatFalls(t *testing.T) {
	c := synthetic.Case{Minutes: 2, Tasks: 1, Nodes: 1, TaskCPU: 40, Rate: func(int, int) float64 { return 10_000 }}
	for _, nonsense := range []string{"1000000", "9999"} { // the rate in the record
		_, log := texts(c)
		i := strings.Index(log, "60 secs]")
		before, after := log[:i], log[i:]
		lost := int64(150_000)
		n := 0
		after = regexp.MustCompile(`conns: +(\d+) ops, +(\d+)`).ReplaceAllStringFunc(after, func(s string) string {
			var total, rate int64
			_, err := fmt.Sscanf(s, "conns: %d ops, %d", &total, &rate)
			require.NoError(t, err)
			n++
			if n == 1 {
				return fmt.Sprintf("conns: %d ops, %s", total-lost, nonsense)
			}
			return fmt.Sprintf("conns: %d ops, %d", total-lost, rate)
		})
		r := ofTexts(t, "", before+after, nil)
		require.InEpsilon(t, 10_000, *r.figure("ops_per_second"), 0.002)
		require.InEpsilon(t, 1_200_000, r.Client.Operations, 0.002)
		top := 0.0
		for _, v := range r.Client.Throughput.Values {
			top = max(top, v)
		}
		require.Less(t, top, 11_000., "no point of the chart is more than the load ever did")
		require.Contains(t, warnings(r), "memtier restarted 1 time after a lost connection and forgot what it had done; what it did in these 1 s is taken from its rate")
	}
}

// A run of a minute that starts and ends within seconds, as memtier's do: its first record is of 0.99 s, and the last fraction of a second has none.
func TestPartsOfSeconds(t *testing.T) {
	for _, ends := range []float64{59.2, 59.6, 60.0, 60.49, 60.51} {
		const rate, start = 10_000., 0.37
		stamp := func(at float64) string {
			return synthetic.Began.Add(time.Duration(math.Round((start+at)*1000)) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		}
		line := func(at float64, format string, args ...any) string {
			return fmt.Sprintf("[%s] [load/memtier/a] %s\n", stamp(at), fmt.Sprintf(format, args...))
		}
		log := line(-2, `load: run=2026-11-23T03-00-00Z task=a generator="memtier_benchmark 2.3.1"`)
		for s := 1; float64(s)-0.01 < ends; s++ {
			at := float64(s) - 0.01
			log += line(at, "[RUN #1 0%%, %3d secs]  2 threads 10 conns: %11d ops, %7d (avg: %7d) ops/sec, 2.86MB/sec (avg: 2.86MB/sec), 0.50 (avg: 0.50) msec latency",
				int(at), int(rate*at), int(rate), int(rate))
		}
		log += line(ends+0.2, "Type         Ops/sec    Avg. Latency") + line(ends+0.2, "Totals      %.2f      0.5", rate) +
			synthetic.HistogramLines(func(text string) string { return line(ends+0.2, "%s", text) }, map[int64]int64{500: int64(rate * ends)}) +
			line(ends+0.3, "load: finished exit=0 ok")
		r := ofTexts(t, "", log, nil)
		require.InEpsilon(t, rate, *r.figure("ops_per_second"), 0.005, "ends at %v", ends)
		require.EqualValues(t, rate*ends, r.Client.Operations)
		require.InDelta(t, ends, r.Phases.Load.Duration().Seconds(), 1)
		require.Empty(t, r.Gaps)
	}
}

func TestTitlesOfColumns(t *testing.T) {
	const header = "Type         Ops/sec     Hits/sec    Avg. Latency     p50 Latency p99.99999 Latency p99.999999 Latency       KB/sec"
	totals := parseTotals(header, "Totals 10 9 0.1 0.2 0.3 0.4 99")
	require.Equal(t, []float64{10, 9, 0.1, 0.2, 99}, []float64{totals.OpsPerSecond, totals.HitsPerSecond, totals.Average, totals.P50, totals.KBPerSecond})
	v, ok := export.TableColumn(header, "Totals 10 9 0.1 0.2 0.3 0.4 99", "p99.999999 Latency")
	require.True(t, ok)
	require.InDelta(t, 0.4, v, 0)
}

func replaceLast(text, old, with string) string {
	at := strings.LastIndex(text, old)
	return text[:at] + with + text[at+len(old):]
}
