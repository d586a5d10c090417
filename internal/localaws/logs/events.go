package logs

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	overhead   = 26
	batchBytes = 1 << 20
	batchCount = 10000
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
	pageBytes = 1 << 20
	pageCount = 10000
	// A filtered page ends after this much was searched, found or not: pages may be empty and still have a token.
	searchBytes = 16 << 20

	day = int64(24 * time.Hour / time.Millisecond)
)

type rejected struct{ TooNewLogEventStartIndex, TooOldLogEventEndIndex, ExpiredLogEventEndIndex *int }

type putLogEventsOut struct {
	NextSequenceToken     string
	RejectedLogEventsInfo *rejected
}

// putLogEvents ignores the sequence token, as AWS does since January 2023.
func (s *Service) putLogEvents(_ context.Context, in *struct {
	LogGroupName  string `wire:",required"`
	LogStreamName string `wire:",required"`
	LogEvents     []struct {
		Timestamp int64  `wire:",required"`
		Message   string `wire:",required"`
	} `wire:",required"`
	SequenceToken *string
}) (*putLogEventsOut, error) {
	g, st, err := s.find(&in.LogGroupName, nil, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	n := len(in.LogEvents)
	if n < 1 || n > batchCount {
		return nil, invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and %d", batchCount)
	}
	size := 0
	for i, e := range in.LogEvents {
		if e.Message == "" {
			return nil, invalid("1 validation error detected: Value '' at 'logEvents.%d.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1", i+1)
		}
		size += len(e.Message) + overhead
		if i > 0 && e.Timestamp < in.LogEvents[i-1].Timestamp {
			return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if size > batchBytes {
		return nil, invalid("Upload too large: %d bytes exceeds limit of %d", size, batchBytes)
	}
	if in.LogEvents[n-1].Timestamp-in.LogEvents[0].Timestamp > day {
		return nil, invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	now, expires := s.now(), s.oldest(g)
	// how many events are before a time; those that are too old come first
	before := func(t int64) *int {
		i := 0
		for i < n && in.LogEvents[i].Timestamp < t {
			i++
		}
		return &i
	}
	var r rejected
	from, to := 0, n
	if i := before(now - 14*day); *i > 0 {
		r.TooOldLogEventEndIndex, from = i, *i
	}
	if i := before(expires); *i > 0 {
		r.ExpiredLogEventEndIndex, from = i, max(from, *i)
	}
	if i := before(now + day/12 + 1); *i < n {
		r.TooNewLogEventStartIndex, to = i, *i
	}
	out := &putLogEventsOut{NextSequenceToken: strconv.FormatInt(s.seq.Load(), 10)}
	if r != (rejected{}) {
		out.RejectedLogEventsInfo = &r
	}
	var records []record
	for _, e := range in.LogEvents[min(from, to):to] {
		records = append(records, record{place: place{at: e.Timestamp}, message: e.Message})
	}
	return out, s.store(st, records)
}

// oldest is the time before which a group's events have expired.
func (s *Service) oldest(g *group) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.retention == nil {
		return math.MinInt64
	}
	return s.now() - int64(*g.retention)*day
}

// token is a position in a stream: f/… continues after it, b/… before it.
func token(kind string, p place) string {
	return fmt.Sprintf("%s/%d.%d/s", kind, p.at, p.seq)
}

var tokenForm = regexp.MustCompile(`^([fb])/(-?\d+)\.(-?\d+)/s$`)

func parseToken(t string) (kind string, p place, err error) {
	m := tokenForm.FindStringSubmatch(t)
	if m == nil {
		return "", place{}, invalid("The specified nextToken is invalid.")
	}
	at, err1 := strconv.ParseInt(m[2], 10, 64)
	seq, err2 := strconv.ParseInt(m[3], 10, 64)
	if err1 != nil || err2 != nil {
		return "", place{}, invalid("The specified nextToken is invalid.")
	}
	return m[1], place{at, seq}, nil
}

// window is the requested time span, both ends inclusive.
type window struct{ start, end int64 }

// read takes events from m until the page is full, the window or the limit ends, or enough was searched. It gives
// them in the order read, and whether there is more behind the last place that it looked at.
func (w window) read(m merge, limit, search int, match func(string) bool) (out []record, at place, more bool, err error) {
	size, searched := 0, 0
	for e := m.next(); e != nil; e = m.next() {
		if e.at < w.start || e.at > w.end { // cursors start inside the window, so it ends here
			return out, at, false, nil
		}
		n := len(e.message) + overhead
		hit := match(e.message)
		if hit && (len(out) == limit || len(out) > 0 && size+n > pageBytes) || searched > search {
			return out, at, true, nil
		}
		at = e.place
		if searched += n; hit {
			out, size = append(out, *e), size+n
		}
		if err := m.skip(); err != nil {
			return nil, at, false, err
		}
	}
	return out, at, false, nil
}

func everything(string) bool { return true }

// empty reports whether a read starts with a page without events, as any page but the last may have none.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *Service) empty() bool { return s.acct.Delays.EmptyPages && s.reads.Add(1)%3 == 0 }

type outputEvent struct {
	Timestamp, IngestionTime int64
	Message                  string
}

type getLogEventsOut struct {
	Events                              []outputEvent
	NextForwardToken, NextBackwardToken string
}

// readable refuses reads that a group's class does not support.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html
func (g *group) readable(action string) error {
	if g.class != standard {
		return invalid("%s is not supported for log group %s of class %s", action, g.name, g.class)
	}
	return nil
}

func bounds(start, end *int64, oldest int64) window {
	w := window{0, math.MaxInt64}
	if start != nil {
		w.start = *start
	}
	if end != nil {
		w.end = *end
	}
	w.start = max(w.start, oldest)
	return w
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *Service) getLogEvents(_ context.Context, in *struct {
	LogGroupName, LogGroupIdentifier *string
	LogStreamName                    string `wire:",required"`
	StartTime, EndTime               *int64
	NextToken                        *string
	Limit                            *int
	StartFromHead, Unmask            *bool // nothing is masked here
}) (*getLogEventsOut, error) {
	g, st, err := s.find(in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	if err := g.readable("GetLogEvents"); err != nil {
		return nil, err
	}
	limit, err := pageLimit(in.Limit, pageCount)
	if err != nil {
		return nil, err
	}
	w := bounds(in.StartTime, in.EndTime, s.oldest(g))
	if in.EndTime != nil {
		w.end-- // exclusive
	}
	head := in.StartFromHead != nil && *in.StartFromHead
	back, from := !head, place{w.start, 0}
	if back {
		from = ending
		if w.end < math.MaxInt64 {
			from = place{w.end + 1, 0}
		}
	}
	if in.NextToken != nil {
		kind, p, err := parseToken(*in.NextToken)
		if err != nil {
			return nil, err
		}
		if kind == "f" && !head {
			return nil, invalid("startFromHead must be true when nextToken is a nextForwardToken")
		}
		back, from = kind == "b", p
		if first := (place{w.start, 0}); !back && from.less(first) {
			from = first
		}
		if last := (place{w.end, math.MaxInt64}); back && last.less(from) {
			from = last
		}
	} else if s.empty() {
		out := &getLogEventsOut{[]outputEvent{}, token("f", from), token("b", place{from.at, from.seq + 1})}
		if back {
			out.NextForwardToken, out.NextBackwardToken = token("f", place{from.at, from.seq - 1}), token("b", from)
		}
		return out, nil
	}
	m, err := newMerge([]*stream{st}, from, back)
	if err != nil {
		return nil, err
	}
	events, _, _, err := w.read(m, limit, math.MaxInt, everything)
	if err != nil {
		return nil, err
	}
	if back {
		slices.Reverse(events)
	}
	out := &getLogEventsOut{Events: []outputEvent{}}
	for _, e := range events {
		out.Events = append(out.Events, outputEvent{e.at, e.ingested, e.message})
	}
	if len(events) > 0 {
		out.NextForwardToken = token("f", events[len(events)-1].place)
		out.NextBackwardToken = token("b", events[0].place)
		return out, nil
	}
	// No events: both tokens mark the same gap, and the passed one is returned unchanged.
	if in.NextToken == nil {
		from, back = place{w.start, 0}, false
	}
	out.NextForwardToken, out.NextBackwardToken = token("f", from), token("b", place{from.at, from.seq + 1})
	if back {
		out.NextForwardToken, out.NextBackwardToken = token("f", place{from.at, from.seq - 1}), token("b", from)
	}
	switch {
	case in.NextToken == nil:
	case back:
		out.NextBackwardToken = *in.NextToken
	default:
		out.NextForwardToken = *in.NextToken
	}
	return out, nil
}

type filteredEvent struct {
	LogStreamName, Message, EventId string
	Timestamp, IngestionTime        int64
}

type filterLogEventsOut struct {
	Events             []filteredEvent
	SearchedLogStreams []struct{} // empty since 2019, deprecated
	NextToken          string     `wire:",omitempty"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (s *Service) filterLogEvents(_ context.Context, in *struct {
	LogGroupName, LogGroupIdentifier *string
	LogStreamNames                   []string
	LogStreamNamePrefix              *string
	StartTime, EndTime               *int64
	FilterPattern, NextToken         *string
	Limit                            *int
	StartFromHead                    *bool
	Interleaved, Unmask              *bool // always interleaved, nothing masked
}) (*filterLogEventsOut, error) {
	g, err := s.group(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := g.readable("FilterLogEvents"); err != nil {
		return nil, err
	}
	limit, err := pageLimit(in.Limit, pageCount)
	if err != nil {
		return nil, err
	}
	match := everything
	if in.FilterPattern != nil {
		if match, err = compile(*in.FilterPattern); err != nil {
			return nil, err
		}
	}
	streams, err := s.choose(g, in.LogStreamNames, in.LogStreamNamePrefix)
	if err != nil {
		return nil, err
	}
	w := bounds(in.StartTime, in.EndTime, s.oldest(g))
	back := in.StartFromHead != nil && !*in.StartFromHead
	from := place{w.start, 0}
	if back {
		from = place{w.end, math.MaxInt64}
	}
	if in.NextToken != nil {
		kind, p, err := parseToken(*in.NextToken)
		if err != nil {
			return nil, err
		}
		if (kind == "b") != back {
			return nil, invalid("The specified nextToken belongs to another startFromHead.")
		}
		from = p
	} else if s.empty() {
		kind := "f"
		if back {
			kind = "b"
		}
		return &filterLogEventsOut{Events: []filteredEvent{}, SearchedLogStreams: []struct{}{}, NextToken: token(kind, from)}, nil
	}
	m, err := newMerge(streams, from, back)
	if err != nil {
		return nil, err
	}
	events, at, more, err := w.read(m, limit, searchBytes, match)
	if err != nil {
		return nil, err
	}
	out := &filterLogEventsOut{Events: []filteredEvent{}, SearchedLogStreams: []struct{}{}}
	for _, e := range events {
		out.Events = append(out.Events, filteredEvent{e.stream.name, e.message, fmt.Sprintf("%020d%036d", e.at, e.seq), e.at, e.ingested})
	}
	if more {
		out.NextToken = token("f", at)
		if back {
			out.NextToken = token("b", at)
		}
	}
	return out, nil
}

// choose picks a group's streams by name or by prefix.
func (s *Service) choose(g *group, names []string, prefix *string) ([]*stream, error) {
	if names != nil && prefix != nil {
		return nil, invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
	}
	if names != nil && (len(names) < 1 || len(names) > 100) {
		return nil, invalid("1 validation error detected: Value at 'logStreamNames' failed to satisfy constraint: Member must have length between 1 and 100")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*stream
	for _, name := range names {
		st := g.streams[name]
		if st == nil {
			return nil, noStream()
		}
		out = append(out, st)
	}
	if names != nil {
		return out, nil
	}
	for name, st := range g.streams {
		if prefix == nil || strings.HasPrefix(name, *prefix) {
			out = append(out, st)
		}
	}
	return out, nil
}

// compile understands patterns of terms: all of them must occur, case-sensitive; quotes hold one with other
// characters than letters, digits and _ together; -term excludes; ?a ?b means any.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func compile(pattern string) (func(string) bool, error) {
	var all, none, some []string
	rest := strings.TrimSpace(pattern)
	for rest != "" {
		m := term.FindStringSubmatch(rest)
		if m == nil {
			return nil, invalid("localaws does not serve the filter pattern %q: only terms, \"quoted terms\", -excluded and ?any", pattern)
		}
		word := m[2]
		if strings.HasPrefix(word, `"`) {
			word = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(word[1 : len(word)-1])
		}
		switch m[1] {
		case "-":
			none = append(none, word)
		case "?":
			some = append(some, word)
		default:
			all = append(all, word)
		}
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	if len(some) > 0 && len(all)+len(none) > 0 { // AWS ignores the ?terms then
		some = nil
	}
	return func(message string) bool {
		in := func(t string) bool { return strings.Contains(message, t) }
		return !slices.ContainsFunc(none, in) && !slices.ContainsFunc(all, func(t string) bool { return !in(t) }) &&
			(len(some) == 0 || slices.ContainsFunc(some, in))
	}, nil
}

var term = regexp.MustCompile(`^([-?]?)(\w+|"(?:[^"\\]|\\.)*")(?:\s|$)`)
