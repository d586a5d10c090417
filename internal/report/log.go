package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Line is one line of an exported log: `[timestamp] [stream] message`.
type Line struct {
	Time            time.Time
	Stream, Message string
}

// ParseLine reads one line of an exported log; false if it is not one. It also accepts a line that a spreadsheet has quoted, and the lines of
// the CLI's `aws logs tail`: `timestamp stream message`.
func ParseLine(s string) (Line, bool) { return (&stamps{}).line(s) }

// stamps parses times fast: most are of the same second as the one before.
type stamps struct {
	second string
	at     time.Time
}

func (s *stamps) parse(text string) (time.Time, error) {
	const second = len("2006-01-02T15:04:05")
	if len(text) != second+len(".000Z") || text[second] != '.' || text[second+4] != 'Z' {
		return time.Parse(time.RFC3339Nano, text)
	}
	if text[:second] != s.second {
		at, err := time.Parse("2006-01-02T15:04:05", text[:second])
		if err != nil {
			return at, err
		}
		s.second, s.at = text[:second], at
	}
	ms, err := strconv.ParseUint(text[second+1:second+4], 10, 16)
	return s.at.Add(time.Duration(ms) * time.Millisecond), err
}

func (t *stamps) line(s string) (Line, bool) {
	if text, ok := strings.CutPrefix(s, `"[`); ok && strings.HasSuffix(text, `"`) {
		s = "[" + strings.ReplaceAll(text[:len(text)-1], `""`, `"`)
	}
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		if f := strings.SplitN(s, " ", 3); len(f) == 3 && strings.Contains(f[1], "/") {
			at, err := time.Parse(time.RFC3339Nano, f[0])
			return Line{Time: at.UTC(), Stream: f[1], Message: f[2]}, err == nil
		}
	}
	stamp, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "] [")
	if !ok || !strings.HasPrefix(s, "[") {
		return Line{}, false
	}
	at, err := t.parse(stamp)
	if err != nil {
		return Line{}, false
	}
	stream, message, ok := strings.Cut(rest, "]")
	if !ok {
		return Line{}, false
	}
	return Line{Time: at.UTC(), Stream: stream, Message: strings.TrimPrefix(message, " ")}, true
}

// Totals is the last row of memtier's final table; a value that is not in the table is NaN.
type Totals struct {
	OpsPerSecond, HitsPerSecond, MissesPerSecond float64
	Average, P50, P99, P999                      float64 // milliseconds
	KBPerSecond                                  float64 // 1,024 bytes, as memtier counts
}

// Task is what one task of the load logged about itself.
type Task struct {
	Stream, ID, Run, Generator string
	Started, Ready, Finished   time.Time // zero: not logged
	Filling, Filled            time.Time // start and end of its prefill; zero: not logged
	Failed                     string    // why it never loaded the cache; "" if it did
	Exit                       int       // exit code of the generator, after Finished
	Verdict                    string    // "ok", or "invalid: " and why; "" if it did not finish
	Operations                 int64     // of the last progress record
	Totals                     *Totals   // nil: no final table

	unread   int       // progress records of an unknown form
	headless bool      // the log does not have its start
	latest   time.Time // of its lines
	record   Progress  // the last one, kept here to save allocations
}

// OK reports whether the task loaded the cache to the end with a result that counts.
func (t *Task) OK() bool { return t.Verdict == "ok" && t.Totals != nil && t.Totals.OpsPerSecond > 0 }

// Trouble returns why a task is not OK.
func (t *Task) Trouble() string {
	switch {
	case t.Failed != "":
		return "failed: " + t.Failed
	case t.Verdict == "":
		return "did not finish"
	case t.Totals == nil:
		return "printed no final table"
	case t.Verdict != "ok":
		return fmt.Sprintf("%s (exit %d)", t.Verdict, t.Exit)
	}
	return "no operations"
}

// Log is the parsed content of an exported log.
type Log struct {
	Tasks         []*Task // by stream name
	Server        string  // the engine's version as it logs it, for example "Redis 7.0.15"; "" if unknown
	Lines, Events int     // all lines, and those that are `[timestamp] [stream] message`

	wrong    wrongLines
	repeated int // lines of tasks from before what was already read of their streams, as in joined exports
}

var errNoEvent = errors.New("it is no `[timestamp] [stream] message`")

var (
	startLine    = regexp.MustCompile(`^load: run=(\S+) task=(\S+) generator="([^"]*)"`)
	finishedLine = regexp.MustCompile(`^load: finished exit=(-?\d+) (ok|invalid: .*)$`)
	serverLine   = regexp.MustCompile(`\b(Redis|Valkey|redis|valkey|miniredis)(?: version=|-server |-server version |\s+version )v?(\d[\w.]*)`)
)

// ParseLog reads an exported log in one pass.
func ParseLog(r io.Reader) (*Log, error) {
	log := &Log{}
	return log, log.scan(r, func(*Task, Line, *Progress) {})
}

// A CloudWatch event has at most 1 MiB, https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const longestLine = 2 << 20

// outOfOrder is how much a line can be older than the previous line of its stream.
const outOfOrder = 5 * time.Second

// scan reads a log and passes each line to visit, with the task of its stream (nil: not a task's) and its progress record, if it is one.
func (log *Log) scan(r io.Reader, visit func(*Task, Line, *Progress)) error {
	tasks := map[string]*Task{}
	headers := map[string]string{}
	var previous Line
	var last *Task // the task of the previous line
	times := &stamps{}
	for text, err := range export.Lines(r, longestLine) {
		log.Lines++
		if wrong := (*export.LineError)(nil); errors.As(err, &wrong) {
			log.wrong.add(wrong)
			continue
		}
		if err != nil {
			return fmt.Errorf("exported log, %w", err)
		}
		line, ok := times.line(string(text.Text))
		if !ok {
			if last != nil && strings.HasPrefix(previous.Message, histogramLine) && isPayload(text.Text) { // a long line that was split
				visit(last, Line{previous.Time, previous.Stream, string(text.Text)}, nil)
			} else if len(bytes.TrimSpace(text.Text)) > 0 {
				log.wrong.add(&export.LineError{Line: text.Number, Err: errNoEvent})
			}
			continue
		}
		log.Events++
		task := tasks[line.Stream]
		if task == nil && strings.HasPrefix(line.Message, "load: run=") {
			if m := startLine.FindStringSubmatch(line.Message); m != nil {
				task = &Task{Stream: line.Stream, Run: m[1], ID: m[2], Generator: m[3], Started: line.Time}
				tasks[line.Stream] = task
				log.Tasks = append(log.Tasks, task)
			}
		}
		if task == nil && strings.HasPrefix(line.Message, "[RUN #") { // the log's start was cut off
			if _, ok := ParseProgress(strings.TrimSpace(line.Message)); ok {
				task = &Task{Stream: line.Stream, ID: line.Stream[strings.LastIndexByte(line.Stream, '/')+1:], Started: line.Time, headless: true}
				tasks[line.Stream] = task
				log.Tasks = append(log.Tasks, task)
			}
		}
		previous, last = line, task
		if task == nil {
			if log.Server == "" {
				if m := serverLine.FindStringSubmatch(line.Message); m != nil {
					log.Server = m[1] + " " + m[2]
				}
			}
			visit(nil, line, nil)
			continue
		}
		if line.Time.Before(task.latest.Add(-outOfOrder)) {
			log.repeated++
			continue
		}
		task.latest = later(task.latest, line.Time)
		visit(task, line, task.read(line, headers))
	}
	sort.Slice(log.Tasks, func(i, j int) bool { return log.Tasks[i].Stream < log.Tasks[j].Stream })
	return nil
}

// read processes a line of the task; it returns the line's progress record, or nil.
func (t *Task) read(line Line, headers map[string]string) *Progress {
	msg := strings.TrimSpace(line.Message)
	switch {
	case strings.HasPrefix(msg, "[RUN #"):
		if t.Filled.IsZero() && !t.Filling.IsZero() {
			return nil // of the prefill
		}
		if p, ok := ParseProgress(msg); ok {
			t.Operations, t.record = p.Operations, p
			return &t.record
		}
		if isRecord(msg) {
			t.unread++
		}
	case msg == "load: ready":
		t.Ready = line.Time
	case strings.HasPrefix(msg, "load: prefill "):
		t.Filling = line.Time
	case strings.HasPrefix(msg, "load: prefilled "):
		t.Filled = line.Time
	case strings.HasPrefix(msg, "load: failed: "):
		t.Failed = strings.TrimPrefix(msg, "load: failed: ")
	case strings.HasPrefix(msg, "load: finished"):
		if m := finishedLine.FindStringSubmatch(msg); m != nil {
			t.Finished, t.Verdict = line.Time, m[2]
			t.Exit, _ = strconv.Atoi(m[1])
		}
	case strings.HasPrefix(msg, "Type ") && strings.Contains(msg, "Ops/sec"):
		headers[t.Stream] = msg
	case strings.HasPrefix(msg, "Totals ") && headers[t.Stream] != "":
		t.Totals = parseTotals(headers[t.Stream], msg)
	}
	return nil
}

// parseTotals reads the last row of memtier's table, whose columns depend on memtier's flags.
func parseTotals(header, row string) *Totals {
	t := &Totals{}
	for name, to := range map[string]*float64{
		"Ops/sec": &t.OpsPerSecond, "Hits/sec": &t.HitsPerSecond, "Misses/sec": &t.MissesPerSecond,
		"Avg. Latency": &t.Average, "p50 Latency": &t.P50, "p99 Latency": &t.P99, "p99.9 Latency": &t.P999, "KB/sec": &t.KBPerSecond,
	} {
		v, ok := export.TableColumn(header, row, name)
		if *to = v; !ok {
			*to = math.NaN()
		}
	}
	return t
}

// Progress is one of the generator's records, written once a second.
type Progress struct {
	Seconds          int64   // since the generator's start
	Threads          int64   // that still run
	Operations       int64   // since the generator's start
	OpsPerSecond     int64   // in the last second
	Mean             float64 // operations a second since the generator's start; 0: not known
	Rate             bool    // the record has rates only, as with --realtime-latencies: Operations are Mean x Seconds
	ConnectionErrors int64   // since the generator's start
	BytesPerSecond   float64 // in the last second, requests and replies; NaN when idle
	LatencyMS        float64 // mean of the last second; NaN when idle
}

// ParseProgress reads a progress record, "[RUN #1 5%,   1 secs]  2 threads  8 conns: 4094 ops, 4031 (avg: 4031) ops/sec, 155.58KB/sec (avg: ...".
// It is written by hand for speed: a day of 100 tasks has nine million of them.
func ParseProgress(message string) (Progress, bool) {
	var p Progress
	c := cursor{rest: message}
	if !c.skip("[RUN #") {
		return p, false
	}
	head, rest, ok := strings.Cut(c.rest, "]")
	before, isHead := strings.CutSuffix(strings.TrimSuffix(head, "s"), " sec")
	if ok && !isHead {
		return parseRates(head, rest)
	}
	if !ok {
		return p, false
	}
	p.Seconds, _ = strconv.ParseInt(before[strings.LastIndexByte(before, ' ')+1:], 10, 64)
	c.rest = rest
	if p.Threads, ok = c.number(" threads"); !ok {
		return p, false
	}
	c.number(" conns") // memtier before 2.3 does not print them
	if !c.skip(":") {
		if p.ConnectionErrors, ok = c.number(" conn errors:"); !ok {
			return p, false
		}
	}
	if p.Operations, ok = c.number(" ops,"); !ok {
		return p, false
	}
	if p.OpsPerSecond, ok = c.number(" "); !ok {
		return p, false
	}
	p.BytesPerSecond, p.LatencyMS = math.NaN(), math.NaN()
	if mean := (cursor{c.rest}); mean.skip("(avg:") {
		if v, ok := mean.number(")"); ok {
			p.Mean = float64(v)
		}
	}
	if _, after, ok := strings.Cut(c.rest, "ops/sec, "); ok {
		p.BytesPerSecond = parseRate(after)
		if _, after, ok = strings.Cut(after, "), "); ok {
			latency, _, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
			if v, err := strconv.ParseFloat(latency, 64); err == nil {
				p.LatencyMS = v
			}
		}
	}
	return p, true
}

// parseRates reads the first line of the block that memtier 2.4 and later print with --realtime-latencies instead of a progress record:
// "[RUN #1  33%   1s] throughput 153,287 (avg: 153,287) ops/sec   8.62MB/sec (avg: 8.62MB/sec)   miss 49.86% (avg: 49.86%)".
// https://github.com/redis/memtier_benchmark/pull/379
func parseRates(head, rest string) (Progress, bool) {
	p := Progress{Rate: true, LatencyMS: math.NaN(), BytesPerSecond: math.NaN()}
	seconds, isHead := strings.CutSuffix(head, "s")
	text, isRecord := strings.CutPrefix(rest, " throughput ")
	rates, bytes, complete := strings.Cut(text, " ops/sec ")
	now, average, both := strings.Cut(strings.TrimSuffix(rates, ")"), " (avg:")
	if !isHead || !isRecord || !complete || !both {
		return p, false
	}
	number := func(text string) (n int64, err error) {
		return strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(text), ",", ""), 10, 64)
	}
	mean, err := number(average)
	if err != nil {
		return p, false
	}
	if p.OpsPerSecond, err = number(now); err != nil {
		return p, false
	}
	if p.Seconds, err = number(seconds[strings.LastIndexByte(seconds, ' ')+1:]); err != nil {
		return p, false
	}
	p.Mean, p.Operations, p.BytesPerSecond = float64(mean), mean*max(1, p.Seconds), parseRate(strings.TrimSpace(bytes))
	return p, true
}

// parseRate reads "155.58KB/sec", in memtier's units of 1,024; NaN if it cannot.
func parseRate(s string) float64 {
	text, _, ok := strings.Cut(s, "B/sec")
	if !ok {
		return math.NaN()
	}
	unit := 1.0
	if n := len(text) - 1; n >= 0 {
		if i := strings.IndexByte("KMGT", text[n]); i >= 0 {
			text, unit = text[:n], float64(int64(1)<<(10*(i+1)))
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return math.NaN()
	}
	return v * unit
}

// cursor parses a record from left to right.
type cursor struct{ rest string }

func (c *cursor) skip(text string) bool {
	rest, ok := strings.CutPrefix(c.rest, text)
	c.rest = rest
	return ok
}

// number skips spaces, reads digits, and skips the text that must follow.
func (c *cursor) number(then string) (int64, bool) {
	s := strings.TrimLeft(c.rest, " ")
	n, v := 0, int64(0)
	for n < len(s) && n <= 18 && s[n] >= '0' && s[n] <= '9' { // 18 digits cannot overflow
		v = 10*v + int64(s[n]-'0')
		n++
	}
	rest, ok := strings.CutPrefix(s[n:], then)
	if n == 0 || n > 18 || !ok {
		return 0, false
	}
	c.rest = rest
	return v, true
}
