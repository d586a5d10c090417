package export

import (
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gocarina/gocsv"
)

// table writes rows and counts what the summary needs.
type table struct {
	job      MetricsJob
	csv      *gocsv.SafeCSVWriter
	sink     Sink // nil: no marks
	rows     []Row
	last     point // of rows
	messages []string

	points  int64
	found   []byte // a bit a series
	minutes map[string]Minutes
}

func newTable(w io.Writer, j MetricsJob) *table {
	t := &table{job: j, csv: gocsv.NewSafeCSVWriter(csv.NewWriter(w)), rows: make([]Row, 0, 512),
		found: make([]byte, (len(j.Series)+7)/8), minutes: map[string]Minutes{}}
	t.sink, _ = w.(Sink)
	if from := j.From; from != nil {
		t.last = point{after: from.After, series: int32(from.Series)}
		t.points, t.messages, t.minutes = from.Points, slices.Clone(from.Messages), maps.Clone(from.Minutes)
		copy(t.found, from.Found)
	}
	return t
}

func (t *table) header() error { return gocsv.MarshalCSV(t.rows, t.csv) }

// says keeps what CloudWatch said, once each.
func (t *table) says(messages []string) {
	for _, m := range messages {
		if !slices.Contains(t.messages, m) {
			t.messages = append(t.messages, m)
		}
	}
}

func (t *table) page(points []point, again bool) error {
	sort := slices.SortFunc[[]point]
	if again {
		sort = slices.SortStableFunc
	}
	sort(points, func(a, b point) int { return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.series, b.series)) })
	for i, p := range points {
		if i+1 < len(points) && points[i+1].after == p.after && points[i+1].series == p.series {
			continue // answered twice: the later answer stands
		}
		if from := t.job.From; from != nil && (p.after < from.After || p.after == from.After && int(p.series) <= from.Series) {
			continue // written by an earlier invocation
		}
		s := &t.job.Series[p.series]
		t.count(p, s)
		t.rows = append(t.rows, Row{Timestamp{t.job.Window.Start.Add(time.Duration(p.after) * time.Second)}, s.Namespace, s.Metric, s.Stat, p.value, s.Unit, s.label})
		if t.last = p; len(t.rows) == cap(t.rows) {
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
	if err != nil || t.sink == nil || !t.sink.Due() {
		return err
	}
	return t.sink.Mark(Position{Metrics: &MetricsPosition{After: t.last.after, Series: int(t.last.series), Points: t.points,
		Found: slices.Clone(t.found), Minutes: maps.Clone(t.minutes), Messages: t.messages}})
}

func (t *table) count(p point, s *Series) {
	t.points++
	t.found[p.series/8] |= 1 << (p.series % 8)
	if m, minute := t.minutes[s.Source], (t.job.Window.Start.Unix()+int64(p.after))/60; m.Count == 0 || minute != m.Last {
		t.minutes[s.Source] = Minutes{minute, m.Count + 1}
	}
}

func (t *table) has(series int) bool { return t.found[series/8]&(1<<(series%8)) != 0 }

func (t *table) summary(age time.Duration) Metrics {
	minutes := t.job.Window.End.Sub(t.job.Window.Start.Truncate(time.Minute))
	m := Metrics{PeriodSeconds: int(t.job.Period / time.Second), SourceAge: age.Truncate(time.Second).String(), SeriesAsked: len(t.job.Series),
		Points: t.points, MinutesExpected: int((minutes + time.Minute - 1) / time.Minute), Sources: []Source{}, Missing: []string{}, Messages: slices.Sorted(slices.Values(t.messages))}
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
		if t.has(i) {
			m.SeriesFound++
			sources[s.Source]++
		}
	}
	for i, s := range t.job.Series {
		if t.has(i) {
			delete(missing, s.Namespace+"/"+s.Metric)
		}
	}
	for name, found := range sources {
		m.Sources = append(m.Sources, Source{Name: name, SeriesFound: found, MinutesFound: t.minutes[name].Count})
	}
	slices.SortFunc(m.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	for name := range missing {
		m.Missing = append(m.Missing, name)
	}
	slices.Sort(m.Missing)
	return m
}
