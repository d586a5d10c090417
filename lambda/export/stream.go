package export

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// What a job holds: for each stream the page that is merged and the next one, compressed, of each page a chunk in full, and a few answers that are
// being decoded, some 8 MB each. Many streams get small chunks. When the budget is used up, nothing is read ahead and pages get smaller.
const (
	fetchers   = 8
	chunks     = 32 << 20 // bytes of all streams' chunks
	pageEvents = 10_000   // GetLogEvents' own bound
)

// Budget is what a job may hold of compressed pages, in bytes, when it is not told.
const Budget = 64 << 20

// reading is what the streams of one job share.
type reading struct {
	job     LogsJob
	pace    *pacer
	budget  int64
	chunk   int           // bytes
	small   int32         // events a page when the budget is used up, a tenth of them when it is used up twice
	slots   chan struct{} // one element for each call under way
	held    atomic.Int64  // bytes of pages
	fetches sync.WaitGroup
}

func newReading(job LogsJob, streams []*stream) *reading {
	r := &reading{job: job, pace: &pacer{clock: job.Clock, rate: job.Rate, until: job.Until}, slots: make(chan struct{}, fetchers),
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

// stream reads one log stream, page by page.
type stream struct {
	*reading
	group, name, label string
	order              int
	begun              bool // to be read

	at      int64 // milliseconds of the next event
	message []byte
	skipped int // events that an earlier invocation wrote at the instant where the job begins

	token   *string
	page    *page
	pending chan result // nil: no read is under way
}

// more goes to the next event; false at the end.
func (s *stream) more(ctx context.Context) (bool, error) {
	for {
		for s.page != nil && s.page.events > 0 {
			var err error
			if s.at, s.message, err = s.page.next(); err != nil {
				return false, fmt.Errorf("log stream %s of %s: %w", s.name, s.group, err)
			}
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
			s.ahead(ctx)
		}
		r := <-s.pending
		if s.pending = nil; r.err != nil {
			return false, r.err
		}
		s.page = r.page
		if !s.page.last && s.held.Load() < s.budget {
			s.ahead(ctx)
		}
	}
}

// written says that an earlier invocation wrote the event.
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

// compare orders the stream and that of a position, as streams are ordered.
func (s *stream) compare(p LogsPosition) int {
	return cmp.Or(strings.Compare(s.label, p.Label), strings.Compare(s.group, p.Group))
}

// ahead begins to read the next page. Until it is there it counts as much as the one before.
func (s *stream) ahead(ctx context.Context) {
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

// fetch reads on until there are events or the stream ends, which it does when a token repeats. Pages may be empty before that:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *stream) fetch(ctx context.Context) (*page, error) {
	begin, end := s.job.Window.Start.UnixMilli(), s.job.Window.End.UnixMilli()
	if s.job.From != nil {
		begin = max(begin, s.job.From.At)
	}
	for {
		if err := s.pace.wait(ctx, 1); err != nil {
			return nil, fmt.Errorf("read log stream %s of %s: %w", s.name, s.group, err)
		}
		in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &s.group, LogStreamName: &s.name, StartFromHead: aws.Bool(true), NextToken: s.token,
			StartTime: &begin, EndTime: &end}
		switch held := s.held.Load(); {
		case held > 2*s.budget:
			in.Limit = aws.Int32(s.small / 10)
		case held > s.budget:
			in.Limit = &s.small
		}
		out, err := s.job.API.GetLogEvents(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read log stream %s of %s: %w", s.name, s.group, err)
		}
		p, err := pack(out.Events, begin, end, s.chunk)
		if err != nil {
			return nil, fmt.Errorf("read log stream %s of %s: %w", s.name, s.group, err)
		}
		p.last = out.NextForwardToken == nil || s.token != nil && *out.NextForwardToken == *s.token
		s.token = out.NextForwardToken
		if p.events > 0 || p.last {
			return p, nil
		}
	}
}
