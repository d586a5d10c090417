package export

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// A job's memory: for each stream the current and the next page, compressed, with one chunk unpacked, and a few answers that are being decoded,
// some 8 MB each. Many streams get small chunks. When the budget is used up, nothing is read ahead and pages get smaller.
const (
	fetchers   = 8
	chunks     = 32 << 20 // bytes of all streams' chunks
	pageEvents = 10_000   // GetLogEvents' limit
)

// Budget is the default limit of a job's compressed pages, in bytes.
const Budget = 64 << 20

// reading is shared by the streams of one job.
type reading struct {
	job     LogsJob
	pace    *pacer // of GetLogEvents
	filter  *pacer // of FilterLogEvents
	budget  int64
	chunk   int           // bytes
	small   int32         // events per page when the budget is used up, a tenth of that when it is used up twice
	slots   chan struct{} // one element for each call under way
	held    atomic.Int64  // bytes of pages
	fetches sync.WaitGroup
}

func newReading(job LogsJob, streams []*stream) *reading {
	r := &reading{job: job, pace: &pacer{clock: job.Clock, rate: job.Rate, until: job.Until},
		filter: &pacer{clock: job.Clock, rate: job.Filter, until: job.Until}, slots: make(chan struct{}, fetchers),
		budget: cmp.Or(job.Budget, Budget), chunk: min(max(chunks/max(1, len(streams)), 2<<10), 64<<10),
		small: int32(max(100, pageEvents*100/max(100, len(streams))))}
	for _, s := range streams {
		s.reading = r
	}
	return r
}

type result struct {
	page *page
	err  error
}

// source is a log stream.
type source struct {
	group, name, label string
	order              int // of its label among all
}

// Up to this number, streams are read one by one, with at least two calls each, because only a repeated token marks a stream's end. For 10,000
// streams that is 20,000 calls, too many for a Lambda invocation. More streams are read a hundred at a time by FilterLogEvents, which accepts as
// many names but has a lower quota: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	oneByOne = 1_000
	together = 100
)

// share groups the streams that are read together.
func share(all []source) (streams []*stream) {
	most := 1
	if len(all) > oneByOne {
		most = together
	}
	for n := 0; n < len(all); {
		end := n + 1
		for end < len(all) && end < n+most && all[end].group == all[n].group {
			end++
		}
		streams, n = append(streams, &stream{group: all[n].group, sources: all[n:end]}), end
	}
	return streams
}

// stream reads one log stream, or several of a group together, page by page.
type stream struct {
	*reading
	group   string
	sources []source
	started bool // reading has started

	at      int64 // milliseconds of the next event
	of      *source
	message []byte
	skipped int // events at the job's first timestamp that an earlier invocation wrote

	token   *string
	carried []event // with several streams: events of the last timestamp so far; the next page may have more
	page    *page
	pending chan result // nil: no read is under way
}

func (s *stream) String() string {
	if len(s.sources) == 1 {
		return fmt.Sprintf("log stream %s of %s", s.sources[0].name, s.group)
	}
	return fmt.Sprintf("log streams %s to %s of %s", s.sources[0].name, s.sources[len(s.sources)-1].name, s.group)
}

// more advances to the next event; false at the end.
func (s *stream) more(ctx context.Context) (bool, error) {
	for {
		for s.page != nil && s.page.events > 0 {
			var err error
			if s.at, s.message, err = s.page.next(); err != nil {
				return false, fmt.Errorf("%s: %w", s, err)
			}
			s.of = &s.sources[s.page.of]
			if !s.written() {
				return true, nil
			}
		}
		if s.page != nil {
			s.held.Add(-s.page.size())
			if s.page.last {
				s.page = nil
				return false, nil
			}
			s.page = nil
		}
		if s.pending == nil {
			s.prefetch(ctx)
		}
		r := <-s.pending
		if s.pending = nil; r.err != nil {
			return false, r.err
		}
		s.page = r.page
		if !s.page.last && s.held.Load() < s.budget {
			s.prefetch(ctx)
		}
	}
}

// written reports whether an earlier invocation wrote the event.
func (s *stream) written() bool {
	from := s.job.From
	if from == nil || s.at > from.At {
		return false
	}
	order := s.compare(*from)
	if s.at == from.At && order == 0 && s.skipped < from.Events {
		s.skipped++
		return true
	}
	return s.at < from.At || order < 0
}

// compare compares the next event's stream with a position's, in the order of streams.
func (s *stream) compare(p LogsPosition) int {
	return cmp.Or(strings.Compare(s.of.label, p.Label), strings.Compare(s.group, p.Group))
}

// prefetch starts reading the next page. Until it arrives, it counts as much as the previous one.
func (s *stream) prefetch(ctx context.Context) {
	pending, expected := make(chan result, 1), int64(0)
	if s.page != nil {
		expected = s.page.size()
	}
	s.held.Add(expected)
	s.pending = pending
	s.fetches.Go(func() {
		s.slots <- struct{}{}
		p, err := s.fetch(ctx)
		<-s.slots
		if s.held.Add(-expected); p != nil {
			s.held.Add(p.size())
		}
		pending <- result{p, err}
	})
}

// fetch reads until there are events or the stream ends; pages before that can be empty.
func (s *stream) fetch(ctx context.Context) (*page, error) {
	begin, end := s.job.Window.Start.UnixMilli(), s.job.Window.End.UnixMilli()
	if s.job.From != nil {
		begin = max(begin, s.job.From.At)
	}
	read := s.fetchOne
	if len(s.sources) > 1 {
		read = s.fetchSeveral
	}
	for {
		var limit *int32
		switch held := s.held.Load(); {
		case held > 2*s.budget:
			limit = aws.Int32(s.small / 10)
		case held > s.budget:
			limit = &s.small
		}
		events, last, err := read(ctx, begin, end, limit)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s, err)
		}
		p, err := pack(slices.DeleteFunc(events, func(e event) bool { return e.at < begin || e.at >= end }), s.chunk)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s, err)
		}
		if p.last = last; p.events > 0 || last {
			return p, nil
		}
	}
}

// fetchOne reads the next page of one stream, which ends when the token repeats:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *stream) fetchOne(ctx context.Context, begin, end int64, limit *int32) (events []event, last bool, err error) {
	if err := s.pace.wait(ctx, 1); err != nil {
		return nil, false, err
	}
	out, err := s.job.API.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: &s.group, LogStreamName: &s.sources[0].name, StartFromHead: aws.Bool(true),
		NextToken: s.token, StartTime: &begin, EndTime: &end, Limit: limit})
	if err != nil {
		return nil, false, err
	}
	events = make([]event, len(out.Events))
	for i, e := range out.Events {
		events[i] = event{aws.ToInt64(e.Timestamp), 0, aws.ToString(e.Message)}
	}
	last = out.NextForwardToken == nil || s.token != nil && *out.NextForwardToken == *s.token
	s.token = out.NextForwardToken
	return events, last, nil
}

// fetchSeveral reads the next page of several streams, which is in time order; the last page has no token. Events with the same timestamp are sorted by
// stream; those with the page's last timestamp wait for the next page.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (s *stream) fetchSeveral(ctx context.Context, begin, end int64, limit *int32) (events []event, last bool, err error) {
	if err := s.filter.wait(ctx, 1); err != nil {
		return nil, false, err
	}
	names, number := make([]string, len(s.sources)), make(map[string]int, len(s.sources))
	for i, source := range s.sources {
		names[i], number[source.name] = source.name, i
	}
	out, err := s.job.API.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &s.group, LogStreamNames: names,
		NextToken: s.token, StartTime: &begin, EndTime: &end, Limit: limit})
	if err != nil {
		return nil, false, err
	}
	events = s.carried
	for _, e := range out.Events {
		of, asked := number[aws.ToString(e.LogStreamName)]
		if !asked {
			return nil, false, fmt.Errorf("FilterLogEvents answered with log stream %q, which it was not asked for", aws.ToString(e.LogStreamName))
		}
		events = append(events, event{aws.ToInt64(e.Timestamp), of, aws.ToString(e.Message)})
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), a.of-b.of) })
	s.token, s.carried = out.NextToken, nil
	if s.token == nil {
		return events, true, nil
	}
	whole := len(events)
	for whole > 0 && events[whole-1].at == events[len(events)-1].at {
		whole--
	}
	s.carried = slices.Clone(events[whole:])
	return events[:whole], false, nil
}
