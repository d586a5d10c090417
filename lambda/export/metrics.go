package export

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// GetMetricData's limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
const (
	maxQueries    = 500
	maxDatapoints = 100_800
)

// maxCells bounds a page at 9 bytes a cell; two pages are held. From 162 nodes on, pages are shorter than a call allows.
const maxCells = 4_000_000

const day = 24 * time.Hour

// DataAPI reads datapoints.
type DataAPI interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// MetricsJob writes the datapoints in Window of Series, and of the series that Find returns, as CSV.
type MetricsJob struct {
	API    DataAPI
	Clock  Clock
	Series []Series
	Find   func(context.Context) ([]Series, error) // runs while the first page is read; nil: only Series
	Window Window                                  // Start is a whole period
	Period time.Duration                           // as Resolution returned it
	Until  time.Time                               // no call starts after it; zero: no limit
	From   *MetricsPosition                        // not with Find
}

// MetricsPosition is a position between two rows of the metrics, with the counts so far.
type MetricsPosition struct {
	After    int32              `json:"after"`  // seconds after the window's start, of the row before
	Series   int                `json:"series"` // its index in the order of the series
	Points   int64              `json:"points"`
	Found    []byte             `json:"found"` // one bit per series
	Minutes  map[string]Minutes `json:"minutes"`
	Messages []string           `json:"messages,omitempty"`
}

// Minutes counts the distinct minutes of one source; its datapoints come in time order.
type Minutes struct {
	Last  int64 `json:"last"`
	Count int   `json:"count"`
}

// Resolution returns the shortest period, not below the wanted one, that CloudWatch still keeps for data of that age: under 60 s for 3 hours,
// 60 s for 15 days, 300 s for 63 days, 3,600 s for 455 days. It changes to the longer period an hour early, because the export takes time.
//
// It divides a day: where other periods start is not documented, only how CloudWatch rounds StartTime, which does not depend on the period.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
//
// A period under 60 s only returns datapoints as often as they were published. ElastiCache publishes one sample a minute, so a request with a
// shorter period gets these.
func Resolution(wanted, age time.Duration) time.Duration {
	least := time.Second
	switch {
	case age > 63*day-time.Hour:
		least = time.Hour
	case age > 15*day-time.Hour:
		least = 5 * time.Minute
	case age > 2*time.Hour:
		least = time.Minute
	}
	period := (wanted + least - 1) / least * least
	for period < day && day%period != 0 {
		period += least
	}
	return min(period, day)
}

// rounding is the unit to which CloudWatch rounds a StartTime of that age down. Pages start on it, or a page would repeat the end of the previous one.
func rounding(age time.Duration) time.Duration {
	return max(time.Minute, Resolution(time.Minute, age))
}

// readers is the number of concurrent calls for a page: CloudWatch takes a second or more for an answer of 100,800 datapoints, and four a
// second are allowed. Each takes some 25 MB to decode.
const readers = 3

// attempts is how often a query is sent while its answer is incomplete.
const attempts = 4

// Write reads all series page by page in time, and writes each page while the next is read, so its memory depends on the size
// of a page, not on the length of the run. Rows are ordered by time, then by series. Into a Sink it writes what follows From, and marks its
// position.
func (j MetricsJob) Write(ctx context.Context, w io.Writer) (Metrics, error) {
	out := newTable(w, j)
	if j.From == nil {
		if err := out.header(); err != nil {
			return Metrics{}, err
		}
	}
	now := j.Clock.Now()
	age := now.Sub(j.Window.Start)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reading := &metricsReading{MetricsJob: j, now: now, pace: &pacer{clock: j.Clock, rate: 1, until: j.Until}}
	pages := make(chan *metricsPage)
	go func() {
		defer close(pages)
		reading.pages(ctx, max(rounding(age), j.Period), pages)
	}()
	var failed error
	for page := range pages {
		if failed != nil {
			continue // until the reader stops too
		}
		if failed = page.err; failed == nil {
			failed = out.page(page)
		}
		if failed != nil {
			cancel()
		}
	}
	if failed != nil {
		return Metrics{}, failed
	}
	return out.summary(age), ctx.Err()
}

// metricsPage has the datapoints of all series in a span of time: a cell for each period of each series. There can be millions of cells.
type metricsPage struct {
	Window
	series   []Series
	periods  int
	values   []float64 // the periods of the first series, of the second ...
	known    []bool    // which values exist
	messages []string
	err      error
}

// begin reuses the page's memory for another span.
func (p *metricsPage) begin(window Window, period time.Duration, series []Series) {
	p.Window, p.periods, p.messages, p.err = window, int((window.End.Sub(window.Start)+period-1)/period), nil, nil
	p.series, p.values, p.known = nil, p.values[:0], p.known[:0]
	p.add(series)
}

func (p *metricsPage) add(series []Series) {
	p.series = slices.Concat(p.series, series)
	cells := len(p.series) * p.periods
	p.values = slices.Grow(p.values, cells-len(p.values))[:cells]
	from := len(p.known)
	p.known = slices.Grow(p.known, cells-from)[:cells]
	clear(p.known[from:])
}

// metricsReading is a job's state while it reads.
type metricsReading struct {
	MetricsJob
	now  time.Time
	pace *pacer // its cost is in seconds

	mu   sync.Mutex
	page *metricsPage // being read
}

// pages sends all pages. A received page is valid until the page after the next is received. All but the last are as long as a call or memory
// allows: there are as few as possible, and the last one, which is written when nothing is left to read, is short.
func (r *metricsReading) pages(ctx context.Context, align time.Duration, pages chan<- *metricsPage) {
	from := r.Window.Start
	if r.From != nil {
		from = from.Add(time.Duration(r.From.After) * time.Second)
	}
	buffers := [2]*metricsPage{{}, {}}
	for i := 0; from.Before(r.Window.End); i++ {
		from = from.Truncate(align)
		to := from.Add(max(align, time.Duration(pagePeriods(len(r.Series)))*r.Period/align*align))
		if to.After(r.Window.End) {
			to = r.Window.End
		}
		r.page = buffers[i%2]
		r.page.begin(Window{from, to}, r.Period, r.Series)
		if err := r.readPage(ctx); err != nil {
			r.page.err = fmt.Errorf("read metrics from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
		}
		select {
		case pages <- r.page:
		case <-ctx.Done():
			return
		}
		if r.page.err != nil {
			return
		}
		from = to
	}
}

// pagePeriods returns how many periods a page of so many series has: as many as a call allows and memory can hold.
func pagePeriods(series int) int {
	series = max(1, series)
	return max(1, min(maxDatapoints/min(series, maxQueries), maxCells/series))
}

// readPage fills the page with the known series, and then with those found in the meantime.
func (r *metricsReading) readPage(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var found []Series
	var finding sync.WaitGroup
	if find := r.Find; find != nil {
		r.Find = nil
		finding.Go(func() {
			var err error
			if found, err = find(ctx); err != nil {
				cancel(err)
			}
		})
	}
	r.readSeries(ctx, cancel, 0)
	finding.Wait()
	if known := len(r.Series); len(found) > 0 {
		r.page.add(found)
		r.Series = r.page.series
		r.readSeries(ctx, cancel, known)
	}
	return context.Cause(ctx)
}

// readSeries reads the page's series from first on, with several concurrent calls.
func (r *metricsReading) readSeries(ctx context.Context, cancel context.CancelCauseFunc, first int) {
	size := min(maxQueries, max(1, maxDatapoints/r.page.periods))
	chunks := make(chan int)
	var reads sync.WaitGroup
	for range min(readers, (len(r.Series)-first+size-1)/size) {
		reads.Go(func() {
			for first := range chunks {
				if err := r.read(ctx, r.queries(first, min(first+size, len(r.Series)))); err != nil {
					cancel(err)
				}
			}
		})
	}
	for ; first < len(r.Series) && ctx.Err() == nil; first += size {
		chunks <- first
	}
	close(chunks)
	reads.Wait()
}

// cost is how many seconds of the quota a call for the page takes. CloudWatch counts the datapoints that could exist. It allows 396,000 a second,
// and 180,000 if StartTime is within the last three hours; 5 % are left to others.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
func (r *metricsReading) cost(queries int) float64 {
	points, rate := float64(r.page.periods*queries), 396_000.0
	if r.now.Sub(r.page.Start) <= 3*time.Hour+time.Minute {
		rate = 180_000
	}
	return points / (0.95 * rate)
}

func (j MetricsJob) queries(first, end int) []types.MetricDataQuery {
	queries := make([]types.MetricDataQuery, 0, end-first)
	for i, s := range j.Series[first:end] {
		queries = append(queries, types.MetricDataQuery{
			Id: aws.String("s" + strconv.Itoa(first+i)), // must start with a lower-case letter; the number is the series
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: aws.String(s.Namespace), MetricName: aws.String(s.Metric), Dimensions: s.Dimensions},
				Period: aws.Int32(int32(j.Period / time.Second)),
				Stat:   aws.String(s.Stat),
			},
		})
	}
	return queries
}

// read adds the answers to these queries to the page. A query with PartialData or InternalError is sent again, and so is one that is missing from
// the answer; one that is always missing is reported as a gap.
func (r *metricsReading) read(ctx context.Context, queries []types.MetricDataQuery) error {
	for attempt := 1; ; attempt++ {
		status := map[string]types.StatusCode{}
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(r.page.Start), EndTime: aws.Time(r.page.End),
			MetricDataQueries: queries, ScanBy: types.ScanByTimestampAscending}
		for {
			if err := r.pace.wait(ctx, r.cost(len(queries))); err != nil {
				return err
			}
			out, err := r.API.GetMetricData(ctx, in)
			if err != nil {
				return err
			}
			if err := r.add(out, status); err != nil {
				return err
			}
			if aws.ToString(out.NextToken) == "" {
				break
			}
			if aws.ToString(out.NextToken) == aws.ToString(in.NextToken) {
				return fmt.Errorf("GetMetricData returned the same page token twice")
			}
			in.NextToken = out.NextToken
		}
		queries = slices.DeleteFunc(slices.Clone(queries), func(q types.MetricDataQuery) bool {
			s, answered := status[*q.Id]
			return answered && s != types.StatusCodePartialData && s != types.StatusCodeInternalError
		})
		if len(queries) == 0 {
			return nil
		}
		if attempt == attempts {
			return r.unanswered(queries, status)
		}
		if err := r.Clock.Sleep(ctx, time.Second<<(attempt-1)); err != nil {
			return err
		}
	}
}

// unanswered records the queries that are missing from every answer. A query that was answered, but never in full, is an error.
func (r *metricsReading) unanswered(queries []types.MetricDataQuery, status map[string]types.StatusCode) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range queries {
		if s, answered := status[*q.Id]; answered {
			return fmt.Errorf("GetMetricData answered %s for %s after %d attempts", s, r.name(*q.Id), attempts)
		}
		r.page.messages = append(r.page.messages, "GetMetricData gave no answer for "+r.name(*q.Id))
	}
	return nil
}

// add adds one answer to the page; if a period has two values, the later one counts.
func (r *metricsReading) add(out *cloudwatch.GetMetricDataOutput, status map[string]types.StatusCode) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range out.Messages {
		r.page.messages = append(r.page.messages, aws.ToString(m.Code)+": "+aws.ToString(m.Value))
	}
	for _, result := range out.MetricDataResults {
		id := aws.ToString(result.Id)
		series, err := strconv.Atoi(strings.TrimPrefix(id, "s"))
		if err != nil || series < 0 || series >= len(r.Series) {
			return fmt.Errorf("GetMetricData answered for %q, which was not asked", id)
		}
		if result.StatusCode == types.StatusCodeForbidden {
			return fmt.Errorf("reading %s was denied: allow cloudwatch:GetMetricData", r.name(id))
		}
		if len(result.Timestamps) != len(result.Values) {
			return fmt.Errorf("GetMetricData answered %d timestamps and %d values for %s", len(result.Timestamps), len(result.Values), r.name(id))
		}
		status[id] = result.StatusCode
		for i, at := range result.Timestamps {
			if !at.Before(r.page.Start) && at.Before(r.page.End) && !at.Before(r.Window.Start) {
				cell := series*r.page.periods + int(at.Sub(r.page.Start)/r.Period)
				r.page.values[cell], r.page.known[cell] = result.Values[i], true
			}
		}
	}
	return nil
}

func (j MetricsJob) name(id string) string {
	i, _ := strconv.Atoi(strings.TrimPrefix(id, "s"))
	return fmt.Sprintf("%s %s %s", j.Series[i].Namespace, j.Series[i].Metric, j.Series[i].label)
}
