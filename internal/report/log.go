package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Line is one line of an exported log: `[timestamp] [stream] message`.
type Line struct {
	Time            time.Time
	Stream, Message string
}

// ParseLine reads one line of an exported log; false when it is none.
func ParseLine(s string) (Line, bool) {
	stamp, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "] [")
	if !ok || !strings.HasPrefix(s, "[") {
		return Line{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Line{}, false
	}
	stream, message, ok := strings.Cut(rest, "]")
	if !ok {
		return Line{}, false
	}
	return Line{Time: at.UTC(), Stream: stream, Message: strings.TrimPrefix(message, " ")}, true
}

// Totals is the last row of memtier's final table; a value that the table does not have is NaN.
type Totals struct {
	OpsPerSecond, HitsPerSecond, MissesPerSecond float64
	Average, P50, P99, P999                      float64 // milliseconds
	KBPerSecond                                  float64 // 1,024 bytes, as memtier counts
}

// Task is what one task of the load said about itself.
type Task struct {
	Stream, ID, Run, Generator string
	Started, Ready, Finished   time.Time // zero: it never said so
	Failed                     string    // why it never loaded the cache; "" when it did
	Exit                       int       // exit code of the generator, after Finished
	Verdict                    string    // "ok", or "invalid: " and why; "" when it did not finish
	Operations                 int64     // of the last progress record
	Totals                     *Totals   // nil: no final table
}

// OK tells whether the task loaded the cache to the end and its result counts.
func (t *Task) OK() bool { return t.Verdict == "ok" && t.Totals != nil && t.Totals.OpsPerSecond > 0 }

// Log is what an exported log says about a run.
type Log struct {
	Tasks         []*Task // by stream name
	Server        string  // the engine's own version as in its log, for example "Redis 7.0.15"; "" when it is not there
	Lines, Events int     // lines in all, and those that are `[timestamp] [stream] message`
}

var (
	startLine    = regexp.MustCompile(`^load: run=(\S+) task=(\S+) generator="([^"]*)"`)
	finishedLine = regexp.MustCompile(`^load: finished exit=(-?\d+) (ok|invalid: .*)$`)
	serverLine   = regexp.MustCompile(`\b(Redis|Valkey|redis|valkey|miniredis)(?: version=|-server |-server version |\s+version )v?(\d[\w.]*)`)
	gap          = regexp.MustCompile(`\s{2,}`)
)

// ParseLog reads an exported log in one pass.
func ParseLog(r io.Reader) (*Log, error) {
	log := &Log{}
	tasks := map[string]*Task{}
	headers := map[string][]string{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 2<<20) // a CloudWatch event has at most 1 MiB, https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
	for in.Scan() {
		log.Lines++
		line, ok := ParseLine(in.Text())
		if !ok {
			continue
		}
		log.Events++
		task := tasks[line.Stream]
		if m := startLine.FindStringSubmatch(line.Message); m != nil && task == nil {
			task = &Task{Stream: line.Stream, Run: m[1], ID: m[2], Generator: m[3], Started: line.Time}
			tasks[line.Stream] = task
			log.Tasks = append(log.Tasks, task)
		}
		if task == nil {
			if m := serverLine.FindStringSubmatch(line.Message); m != nil && log.Server == "" {
				log.Server = m[1] + " " + m[2]
			}
			continue
		}
		task.read(line, headers)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("exported log, line %d: %w", log.Lines+1, err)
	}
	sort.Slice(log.Tasks, func(i, j int) bool { return log.Tasks[i].Stream < log.Tasks[j].Stream })
	return log, nil
}

func (t *Task) read(line Line, headers map[string][]string) {
	msg := strings.TrimSpace(line.Message)
	switch {
	case msg == "load: ready":
		t.Ready = line.Time
	case strings.HasPrefix(msg, "load: failed: "):
		t.Failed = strings.TrimPrefix(msg, "load: failed: ")
	case strings.HasPrefix(msg, "load: finished"):
		if m := finishedLine.FindStringSubmatch(msg); m != nil {
			t.Finished, t.Verdict = line.Time, m[2]
			t.Exit, _ = strconv.Atoi(m[1])
		}
	case strings.HasPrefix(msg, "[RUN #"):
		if p, ok := ParseProgress(msg); ok {
			t.Operations = p.Operations
		}
	case strings.HasPrefix(msg, "Type ") && strings.Contains(msg, "Ops/sec"):
		headers[t.Stream] = gap.Split(msg, -1)
	case strings.HasPrefix(msg, "Totals ") && headers[t.Stream] != nil:
		t.Totals = parseTotals(headers[t.Stream], strings.Fields(msg))
	}
}

// parseTotals pairs a row of memtier's table with its header: which columns there are depends on memtier's flags.
// "---" and "-nan" stand for no value.
func parseTotals(header, row []string) *Totals {
	t := &Totals{}
	into := map[string]*float64{
		"Ops/sec": &t.OpsPerSecond, "Hits/sec": &t.HitsPerSecond, "Misses/sec": &t.MissesPerSecond,
		"Avg. Latency": &t.Average, "p50 Latency": &t.P50, "p99 Latency": &t.P99, "p99.9 Latency": &t.P999, "KB/sec": &t.KBPerSecond,
	}
	for _, to := range into {
		*to = math.NaN()
	}
	for i, name := range header {
		if to := into[name]; to != nil && i < len(row) {
			if v, err := strconv.ParseFloat(row[i], 64); err == nil {
				*to = v
			}
		}
	}
	return t
}

// Progress is one of the generator's records, written once a second.
type Progress struct {
	Seconds      int64 // since the generator's start
	Operations   int64 // since the generator's start
	OpsPerSecond int64 // in the last second
}

var progressLine = regexp.MustCompile(`^\[RUN #\d+[^\]]*?(\d+) secs?\]\s+\d+ threads\s+\d+ conns(?:\s+\d+ conn errors)?:\s+(\d+) ops,\s+(\d+) `)

// ParseProgress reads a progress record, "[RUN #1 5%,   1 secs]  2 threads  8 conns: 4094 ops, 4031 (avg: ...".
func ParseProgress(message string) (Progress, bool) {
	m := progressLine.FindStringSubmatch(message)
	if m == nil {
		return Progress{}, false
	}
	var p Progress
	p.Seconds, _ = strconv.ParseInt(m[1], 10, 64)
	p.Operations, _ = strconv.ParseInt(m[2], 10, 64)
	p.OpsPerSecond, _ = strconv.ParseInt(m[3], 10, 64)
	return p, true
}
