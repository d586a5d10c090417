package export

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// reading is what the streams of one job share.
type reading struct {
	job   LogsJob
	pace  *pacer
	limit *int32        // events a page, nil: as many as fit
	ahead chan struct{} // one element for each page that is read ahead
	reads *sync.WaitGroup
}

// begin reads the first page of every stream, a few at a time.
func (r *reading) begin(ctx context.Context, streams []*stream) error {
	next := make(chan *stream)
	for range min(aheadPages, len(streams)) {
		r.reads.Go(func() {
			for s := range next {
				s.pending <- s.fetch(ctx)
			}
		})
	}
	defer close(next)
	for _, s := range streams {
		s.reading, s.pending = r, make(chan result, 1)
		select {
		case next <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// page is a page of events in the least memory: the messages behind each other, and where each one ends.
type page struct {
	text []byte
	at   []int64 // milliseconds
	end  []int
	last bool
}

type result struct {
	page page
	err  error
}

// stream reads one log stream, page by page.
type stream struct {
	*reading
	group, name, label string
	order              int

	token    *string
	page     page
	i        int         // of the next event in page
	pending  chan result // nil: no read is under way
	borrowed bool        // the read under way holds an element of ahead
}

func (s *stream) event() (at int64, message []byte) {
	begin := 0
	if s.i > 0 {
		begin = s.page.end[s.i-1]
	}
	return s.page.at[s.i], s.page.text[begin:s.page.end[s.i]]
}

// more says whether there is a next event, and gets the next page for it. From the middle of a page on, the next one is read ahead, as
// long as not too many are.
func (s *stream) more(ctx context.Context) (bool, error) {
	if s.i < len(s.page.at) {
		if s.pending == nil && !s.page.last && s.i >= len(s.page.at)/2 {
			select {
			case s.ahead <- struct{}{}:
				s.borrowed, s.pending = true, make(chan result, 1)
				s.reads.Go(func() { s.pending <- s.fetch(ctx) })
			default:
			}
		}
		return true, nil
	}
	if s.page.last {
		s.page = page{}
		return false, nil
	}
	s.page.text = nil // let it go before the next one comes
	var r result
	if s.pending == nil {
		r = s.fetch(ctx)
	} else {
		r = <-s.pending
		s.pending = nil
		if s.borrowed {
			<-s.ahead
			s.borrowed = false
		}
	}
	s.page, s.i = r.page, 0
	return len(s.page.at) > 0, r.err
}

// fetch reads on until there are events or the stream ends, which it does when a token repeats. Pages may be empty before that:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *stream) fetch(ctx context.Context) result {
	window := s.job.Window
	for {
		if err := s.pace.wait(ctx, 1); err != nil {
			return result{err: fmt.Errorf("read log stream %s of %s: %w", s.name, s.group, err)}
		}
		out, err := s.job.API.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(s.group), LogStreamName: aws.String(s.name), StartFromHead: aws.Bool(true), NextToken: s.token, Limit: s.limit,
			StartTime: aws.Int64(window.Start.UnixMilli()), EndTime: aws.Int64(window.End.UnixMilli()),
		})
		if err != nil {
			return result{err: fmt.Errorf("read log stream %s of %s: %w", s.name, s.group, err)}
		}
		p := page{last: out.NextForwardToken == nil || s.token != nil && *out.NextForwardToken == *s.token}
		s.token = out.NextForwardToken
		size := 0
		for _, e := range out.Events {
			size += len(aws.ToString(e.Message))
		}
		p.text, p.at, p.end = make([]byte, 0, size), make([]int64, 0, len(out.Events)), make([]int, 0, len(out.Events))
		for _, e := range out.Events {
			if at := aws.ToInt64(e.Timestamp); at >= window.Start.UnixMilli() && at < window.End.UnixMilli() {
				p.text = append(p.text, aws.ToString(e.Message)...)
				p.at, p.end = append(p.at, at), append(p.end, len(p.text))
			}
		}
		if len(p.at) > 0 || p.last {
			return result{page: p}
		}
	}
}
