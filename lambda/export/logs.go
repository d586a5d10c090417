package export

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// LogsAPI lists and reads log streams.
type LogsAPI interface {
	DescribeLogStreams(context.Context, *cloudwatchlogs.DescribeLogStreamsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error)
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

// LogGroup is a log group and the prefix of its streams' labels.
type LogGroup struct {
	Kind string // load, engine-log, slow-log
	Name string
}

// LogsJob writes the events of all streams of Groups in Window as lines "[timestamp] [stream] message", merged in time order.
//
// The timestamp is the event's own, UTC, in milliseconds. The stream is labelled kind/stream, load/memtier/abc or engine-log/xyz; the kind is
// not repeated if the stream's name starts with it, as the load's do. Events with the same timestamp are ordered by label, and within a
// stream as CloudWatch returned them. A line break inside a message (LF, CR LF or CR alone) starts a new line with the same prefix, one break
// at the end of a message is dropped, and invalid UTF-8 becomes U+FFFD. Nothing else is changed.
type LogsJob struct {
	API    LogsAPI
	Clock  Clock
	Groups []LogGroup
	Window Window
	Rate   float64   // GetLogEvents calls a second, see LogsRate
	Filter float64   // FilterLogEvents calls a second, see FilterRate
	Until  time.Time // no call starts after it; zero: no limit
	From   *LogsPosition
	Budget int64 // bytes of compressed pages to hold, zero: Budget
}

// LogsPosition is a position between two events, with the counts so far. It has no token, because tokens expire after a day.
type LogsPosition struct {
	At     int64  `json:"at"`    // milliseconds of the event before
	Label  string `json:"label"` // its stream and group; the streams before it, in order, have no events left at that time
	Group  string `json:"group"`
	Events int    `json:"events"`           // how many of this stream's events at that time were written
	Seen   []byte `json:"seen,omitempty"`   // a bit for each stream, in order: whether it had an event
	Header string `json:"header,omitempty"` // of the load's tables, if one was seen
	Sum    Logs   `json:"sum"`
}

// LogsRate is 95 % of a Region's quota of GetLogEvents calls per second, which cannot be raised:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
func LogsRate(region string) float64 {
	switch region {
	case "us-west-2", "ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "eu-west-1", "il-central-1":
		return 9.5
	case "eu-west-3":
		return 28.5
	}
	return 23.75
}

// FilterRate is 95 % of a Region's quota of FilterLogEvents calls per second, from the same page.
func FilterRate(region string) float64 {
	switch region {
	case "us-east-1":
		return 23.75
	case "ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1":
		return 4.75
	}
	return 9.5
}

// Write merges the streams. Its memory depends on the number of streams, not on the length of the run. Into a Sink it writes what follows
// From, and marks its position.
func (j LogsJob) Write(ctx context.Context, w io.Writer) (Logs, error) {
	sum, last, header := Logs{Window: j.Window}, LogsPosition{}, ""
	if j.From != nil {
		sum, last, header = j.From.Sum, *j.From, j.From.Header
	}
	all, missing, err := j.streams(ctx)
	if err != nil {
		return Logs{}, err
	}
	seen, streams := newBits(len(all), last.Seen), share(all)
	ctx, cancel := context.WithCancel(ctx)
	reading := newReading(j, streams)
	defer reading.fetches.Wait()
	defer cancel()
	var merged merge
	for i, s := range streams {
		for n := i; n < len(streams) && n < i+2*fetchers; n++ { // not all at once: pages read ahead cost memory
			if ahead := streams[n]; !ahead.started {
				ahead.started = true
				ahead.prefetch(ctx)
			}
		}
		if ok, err := s.more(ctx); err != nil {
			return Logs{}, err
		} else if ok {
			merged = append(merged, s)
		}
	}
	if j.From == nil {
		sum.Messages = missing
	}
	heap.Init(&merged)
	sink, _ := w.(Sink)
	var lines []byte
	for len(merged) > 0 {
		s := merged[0]
		var count int
		label := s.of.label
		lines, count = appendEvent(lines[:0], s.at, label, s.message)
		if _, err := w.Write(lines); err != nil {
			return Logs{}, err
		}
		sum.Events++
		sum.Lines += int64(count)
		sum.Bytes += int64(len(s.message))
		if seen.set(s.of.order) {
			sum.Streams++
		}
		if strings.HasPrefix(label, "load/") {
			sum.Results.read(s.message, &header)
		}
		if s.at < last.At {
			sink = nil // a stream out of time order has no position to resume from
		}
		if s.at != last.At || s.compare(last) != 0 {
			last = LogsPosition{At: s.at, Label: label, Group: s.group}
		}
		last.Events++
		if sink != nil && sink.Due() {
			mark := LogsPosition{last.At, last.Label, last.Group, last.Events, bytes.Clone(seen), header, sum}
			if err := sink.Mark(Position{Logs: &mark}); err != nil {
				return Logs{}, err
			}
		}
		if ok, err := s.more(ctx); err != nil {
			return Logs{}, err
		} else if ok {
			heap.Fix(&merged, 0)
		} else {
			heap.Pop(&merged)
		}
	}
	return sum, nil
}

// streams lists the streams that can have events of the window, ordered by label. A missing group is only a message in the summary: an engine
// that never started has none.
func (j LogsJob) streams(ctx context.Context) (all []source, messages []string, err error) {
	pace := &pacer{clock: j.Clock, rate: 23.75, until: j.Until} // DescribeLogStreams allows 25 calls a second
	for _, g := range j.Groups {
		in := &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(g.Name)}
		for {
			if err := pace.wait(ctx, 1); err != nil {
				return nil, nil, fmt.Errorf("list the streams of log group %s: %w", g.Name, err)
			}
			out, err := j.API.DescribeLogStreams(ctx, in)
			if gone := (*types.ResourceNotFoundException)(nil); errors.As(err, &gone) {
				messages = append(messages, fmt.Sprintf("log group %s does not exist", g.Name))
				break
			}
			if err != nil {
				return nil, nil, fmt.Errorf("list the streams of log group %s: %w", g.Name, err)
			}
			for _, s := range out.LogStreams {
				if j.reaches(s) {
					all = append(all, source{group: g.Name, name: aws.ToString(s.LogStreamName), label: label(g.Kind, aws.ToString(s.LogStreamName))})
				}
			}
			if aws.ToString(out.NextToken) == "" {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	slices.SortFunc(all, func(a, b source) int {
		return cmp.Or(strings.Compare(a.label, b.label), strings.Compare(a.group, b.group))
	})
	for i := range all {
		all[i].order = i
	}
	return all, messages, nil
}

// reaches excludes streams of earlier runs. LastIngestionTime is eventually consistent, typically within an hour, hence the margin of a day.
func (j LogsJob) reaches(s types.LogStream) bool {
	return s.LastIngestionTime == nil || *s.LastIngestionTime >= j.Window.Start.Add(-day).UnixMilli()
}

func label(kind, stream string) string {
	if !strings.HasPrefix(stream, kind+"/") {
		stream = kind + "/" + stream
	}
	return stream
}

// appendEvent appends an event's lines to dst and returns their number.
func appendEvent(dst []byte, at int64, label string, message []byte) ([]byte, int) {
	start := len(dst)
	dst = append(dst, '[')
	dst = time.UnixMilli(at).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, "] ["...)
	dst = append(dst, label...)
	dst = append(dst, "] "...)
	prefix := dst[start:len(dst):len(dst)]
	for lines := 1; ; lines++ {
		end := bytes.IndexAny(message, "\r\n")
		if end < 0 {
			return append(appendUTF8(dst, message), '\n'), lines
		}
		dst = append(appendUTF8(dst, message[:end]), '\n')
		if message[end] == '\r' && end+1 < len(message) && message[end+1] == '\n' {
			end++
		}
		if message = message[end+1:]; len(message) == 0 {
			return dst, lines
		}
		dst = append(dst, prefix...)
	}
}

func appendUTF8(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return append(dst, text...)
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		dst, text = utf8.AppendRune(dst, r), text[size:]
	}
	return dst
}

// merge is a heap of streams by their next event.
type merge []*stream

func (m merge) Len() int { return len(m) }
func (m merge) Less(a, b int) bool {
	return m[a].at < m[b].at || m[a].at == m[b].at && m[a].of.order < m[b].of.order
}
func (m merge) Swap(a, b int) { m[a], m[b] = m[b], m[a] }
func (m *merge) Push(any)     { panic("a stream is never added") }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	(*m)[len(*m)-1] = nil
	*m = (*m)[:len(*m)-1]
	return last
}

// bits is a set of small numbers.
type bits []byte

func newBits(size int, from []byte) bits {
	b := make(bits, (size+7)/8)
	copy(b, from)
	return b
}

// set adds n, and reports whether it is new.
func (b bits) set(n int) bool {
	is := b[n/8]&(1<<(n%8)) != 0
	b[n/8] |= 1 << (n % 8)
	return !is
}
