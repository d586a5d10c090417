package export

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/gocarina/gocsv"
)

// GetMetricData's bounds: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
const (
	maxQueries    = 500
	maxDatapoints = 100_800
)

const day = 24 * time.Hour

// DataAPI reads datapoints.
type DataAPI interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// MetricsJob writes the datapoints of Series in Window as CSV.
type MetricsJob struct {
	API    DataAPI
	Clock  Clock
	Series []Series      // as Discover returned them: sorted, each once
	Window Window        // Start is a whole period
	Period time.Duration // as Resolution returned it
	Until  time.Time     // no call begins after it; zero: no limit
}

// Resolution is the shortest period, not under the wanted one, that CloudWatch still keeps for data that old: under 60 s for 3 hours,
// 60 s for 15 days, 300 s for 63 days, 3,600 s for 455 days. An hour is left for the export itself where data is about to fade.
//
// A period under 60 s finds datapoints that dense only where they were published that dense. ElastiCache publishes one sample a minute,
// and a request with a shorter period gets these minute points.
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
	return (wanted + least - 1) / least * least
}

// rounding is what CloudWatch rounds a StartTime of that age down to. Pages begin on it, else a page would repeat the end of the one before.
func rounding(age time.Duration) time.Duration {
	return max(time.Minute, Resolution(time.Minute, age))
}

// point is one datapoint on its way through a page; seq lets the later of two answers for one instant win.
type point struct {
	at     int64 // Unix seconds
	series int32
	seq    int32
	value  float64
}

// Write asks for one page of time after the other, for all series, and writes each before the next: what it holds is bound by the size of
// a page, not by the length of the run. Rows are in time order, and within one instant in the order of the series.
func (j MetricsJob) Write(ctx context.Context, w io.Writer) (Metrics, error) {
	out := newTable(w, j)
	if err := out.header(); err != nil {
		return Metrics{}, err
	}
	now := j.Clock.Now()
	age := now.Sub(j.Window.Start)
	// GetMetricData may be asked for 180,000 datapoints a second when the data is under 3 hours old, else for 396,000:
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
	pace := &pacer{clock: j.Clock, rate: 170_000, until: j.Until}
	if now.Sub(j.Window.End) > 3*time.Hour {
		pace.rate = 380_000
	}
	queries := j.queries()
	align := max(rounding(age), j.Period)
	length := align
	if n := len(queries); n > 0 {
		length = max(align, (maxDatapoints/time.Duration(min(n, maxQueries))*j.Period)/align*align)
	}
	var page []point
	for from := j.Window.Start.Truncate(align); from.Before(j.Window.End) && len(queries) > 0; from = from.Add(length) {
		to := from.Add(length)
		if to.After(j.Window.End) {
			to = j.Window.End
		}
		page = page[:0]
		for first := 0; first < len(queries); first += maxQueries {
			var err error
			if page, err = j.read(ctx, pace, Window{from, to}, queries[first:min(first+maxQueries, len(queries))], page, &out.messages); err != nil {
				return Metrics{}, fmt.Errorf("read metrics from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
			}
		}
		if err := out.page(page); err != nil {
			return Metrics{}, err
		}
	}
	return out.summary(age), nil
}

func (j MetricsJob) queries() []types.MetricDataQuery {
	queries := make([]types.MetricDataQuery, len(j.Series))
	for i, s := range j.Series {
		queries[i] = types.MetricDataQuery{
			Id: aws.String("s" + strconv.Itoa(i)), // begins with a lower-case letter, and says which series it is
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: aws.String(s.Namespace), MetricName: aws.String(s.Metric), Dimensions: s.Dimensions},
				Period: aws.Int32(int32(j.Period / time.Second)),
				Stat:   aws.String(s.Stat),
			},
		}
	}
	return queries
}

// read adds what CloudWatch has for these queries to page. A query that ends as PartialData or InternalError is asked again.
func (j MetricsJob) read(ctx context.Context, pace *pacer, window Window, queries []types.MetricDataQuery, page []point, messages *[]string) ([]point, error) {
	const attempts = 4
	cost := window.End.Sub(window.Start) / j.Period
	for attempt := 1; ; attempt++ {
		status := map[string]types.StatusCode{}
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(window.Start), EndTime: aws.Time(window.End),
			MetricDataQueries: queries, ScanBy: types.ScanByTimestampAscending}
		for {
			if err := pace.wait(ctx, float64(cost)*float64(len(queries))); err != nil {
				return nil, err
			}
			out, err := j.API.GetMetricData(ctx, in)
			if err != nil {
				return nil, err
			}
			for _, m := range out.Messages {
				if text := aws.ToString(m.Code) + ": " + aws.ToString(m.Value); !slices.Contains(*messages, text) {
					*messages = append(*messages, text)
				}
			}
			for _, r := range out.MetricDataResults {
				if page, err = j.add(page, r, window); err != nil {
					return nil, err
				}
				status[aws.ToString(r.Id)] = r.StatusCode
			}
			if aws.ToString(out.NextToken) == "" {
				break
			}
			if aws.ToString(out.NextToken) == aws.ToString(in.NextToken) {
				return nil, fmt.Errorf("GetMetricData returned the same page token twice")
			}
			in.NextToken = out.NextToken
		}
		queries = slices.DeleteFunc(slices.Clone(queries), func(q types.MetricDataQuery) bool {
			s := status[*q.Id]
			return s != types.StatusCodePartialData && s != types.StatusCodeInternalError
		})
		if len(queries) == 0 {
			return page, nil
		}
		if attempt == attempts {
			return nil, fmt.Errorf("GetMetricData answered %s for %s after %d attempts", status[*queries[0].Id], j.name(*queries[0].Id), attempts)
		}
		if err := j.Clock.Sleep(ctx, time.Second<<(attempt-1)); err != nil {
			return nil, err
		}
	}
}

// add appends the datapoints of one result.
func (j MetricsJob) add(page []point, r types.MetricDataResult, window Window) ([]point, error) {
	id := aws.ToString(r.Id)
	series, err := strconv.Atoi(strings.TrimPrefix(id, "s"))
	if err != nil || series < 0 || series >= len(j.Series) {
		return nil, fmt.Errorf("GetMetricData answered for %q, which was not asked", id)
	}
	if r.StatusCode == types.StatusCodeForbidden {
		return nil, fmt.Errorf("GetMetricData may not read %s: allow cloudwatch:GetMetricData", j.name(id))
	}
	if len(r.Timestamps) != len(r.Values) {
		return nil, fmt.Errorf("GetMetricData answered %d timestamps and %d values for %s", len(r.Timestamps), len(r.Values), j.name(id))
	}
	for i, at := range r.Timestamps {
		if !at.Before(window.Start) && at.Before(window.End) && !at.Before(j.Window.Start) {
			page = append(page, point{at.Unix(), int32(series), int32(len(page)), r.Values[i]})
		}
	}
	return page, nil
}

func (j MetricsJob) name(id string) string {
	i, _ := strconv.Atoi(strings.TrimPrefix(id, "s"))
	return fmt.Sprintf("%s %s %s", j.Series[i].Namespace, j.Series[i].Metric, j.Series[i].label)
}

// table writes rows and counts what the summary needs.
type table struct {
	job      MetricsJob
	csv      *gocsv.SafeCSVWriter
	rows     []Row
	messages []string

	points  int64
	found   []bool // by series
	minutes map[string]*minutes
}

// minutes counts the distinct minutes of one source; datapoints come in time order.
type minutes struct {
	last  int64
	count int
}

func newTable(w io.Writer, j MetricsJob) *table {
	return &table{job: j, csv: gocsv.NewSafeCSVWriter(csv.NewWriter(w)), rows: make([]Row, 0, 512),
		found: make([]bool, len(j.Series)), minutes: map[string]*minutes{}}
}

func (t *table) header() error { return gocsv.MarshalCSV(t.rows, t.csv) }

func (t *table) page(points []point) error {
	slices.SortFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.series, b.series), cmp.Compare(a.seq, b.seq))
	})
	for i, p := range points {
		if i+1 < len(points) && points[i+1].at == p.at && points[i+1].series == p.series {
			continue // answered twice: the later answer stands
		}
		s := &t.job.Series[p.series]
		t.count(p, s)
		t.rows = append(t.rows, Row{Timestamp{time.Unix(p.at, 0)}, s.Namespace, s.Metric, s.Stat, p.value, s.Unit, s.label})
		if len(t.rows) == cap(t.rows) {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	err := gocsv.MarshalCSVWithoutHeaders(t.rows, t.csv)
	t.rows = t.rows[:0]
	return err
}

func (t *table) count(p point, s *Series) {
	t.points++
	t.found[p.series] = true
	m := t.minutes[s.Source]
	if m == nil {
		m = &minutes{last: -1}
		t.minutes[s.Source] = m
	}
	if minute := p.at / 60; minute != m.last {
		m.last = minute
		m.count++
	}
}

func (t *table) summary(age time.Duration) Metrics {
	minutes := t.job.Window.End.Sub(t.job.Window.Start.Truncate(time.Minute))
	m := Metrics{PeriodSeconds: int(t.job.Period / time.Second), SourceAge: age.Truncate(time.Second).String(), SeriesAsked: len(t.job.Series),
		Points: t.points, MinutesExpected: int((minutes + time.Minute - 1) / time.Minute), Sources: []Source{}, Missing: []string{}, Messages: t.messages}
	sources := map[string]int{}      // series found
	missing := map[string]struct{}{} // until one source has it
	for i, s := range t.job.Series {
		if _, ok := sources[s.Source]; !ok {
			sources[s.Source] = 0
		}
		if s.Expected {
			m.SeriesExpected++
			missing[s.Namespace+"/"+s.Metric] = struct{}{}
		}
		if t.found[i] {
			m.SeriesFound++
			sources[s.Source]++
		}
	}
	for i, s := range t.job.Series {
		if t.found[i] {
			delete(missing, s.Namespace+"/"+s.Metric)
		}
	}
	for name, found := range sources {
		source := Source{Name: name, SeriesFound: found}
		if count := t.minutes[name]; count != nil {
			source.MinutesFound = count.count
		}
		m.Sources = append(m.Sources, source)
	}
	slices.SortFunc(m.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	for name := range missing {
		m.Missing = append(m.Missing, name)
	}
	slices.Sort(m.Missing)
	return m
}
