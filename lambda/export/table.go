package export

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
)

// table writes rows, and counts for the summary.
type table struct {
	job      MetricsJob
	w        io.Writer
	sink     Sink // nil: no marks
	columns  []column
	lines    []byte
	last     MetricsPosition // of lines: After and Series
	messages []string

	points  int64
	found   []byte // a bit a column
	minutes map[string]Minutes
}

// column is a series in its position in the table. The text that all its rows share is formatted once.
type column struct {
	Series
	from       int    // its index in a page
	head, tail []byte // of a row: the text between time and value, and after the value
}

func newTable(w io.Writer, j MetricsJob) *table {
	t := &table{job: j, w: w, minutes: map[string]Minutes{}}
	t.sink, _ = w.(Sink)
	t.order(j.Series)
	if from := j.From; from != nil {
		t.last, t.points, t.messages, t.minutes = *from, from.Points, slices.Clone(from.Messages), maps.Clone(from.Minutes)
		copy(t.found, from.Found)
	}
	return t
}

// order makes columns of the series, all before the first row.
func (t *table) order(series []Series) {
	t.columns, t.found = make([]column, len(series)), make([]byte, (len(series)+7)/8)
	for i, s := range series {
		t.columns[i] = column{s, i, record("", s.Namespace, s.Metric, s.Stat, ""), append(record("", s.Unit, s.label), '\n')}
	}
	slices.SortFunc(t.columns, func(a, b column) int { return a.compare(b.Series) })
}

// record is a line of CSV without its end.
func record(fields ...string) []byte {
	var line bytes.Buffer
	w := csv.NewWriter(&line)
	_ = w.Write(fields) // a buffer never fails
	w.Flush()
	return bytes.TrimSuffix(line.Bytes(), []byte{'\n'})
}

func (t *table) header() error {
	_, err := t.w.Write(append(record(Columns...), '\n'))
	return err
}

// addMessages adds each message of CloudWatch once.
func (t *table) addMessages(messages []string) {
	for _, m := range messages {
		if !slices.Contains(t.messages, m) {
			t.messages = append(t.messages, m)
		}
	}
}

func (t *table) page(p *metricsPage) error {
	t.addMessages(p.messages)
	if len(p.series) != len(t.columns) {
		t.order(p.series)
	}
	for period := range p.periods {
		at := p.Start.Add(time.Duration(period) * t.job.Period)
		after := int32(at.Sub(t.job.Window.Start) / time.Second)
		stamp := at.UTC().AppendFormat(nil, timestampLayout)
		for i := range t.columns {
			c := &t.columns[i]
			cell := c.from*p.periods + period
			if from := t.job.From; !p.known[cell] || from != nil && (after < from.After || after == from.After && i <= from.Series) {
				continue // missing, or written by an earlier invocation
			}
			t.count(i, at)
			t.lines = append(append(t.lines, stamp...), c.head...)
			t.lines = strconv.AppendFloat(t.lines, p.values[cell], 'f', -1, 64)
			t.lines = append(t.lines, c.tail...)
			if t.last.After, t.last.Series = after, i; len(t.lines) >= 64<<10 {
				if err := t.flush(); err != nil {
					return err
				}
			}
		}
	}
	return t.flush()
}

func (t *table) flush() error {
	if len(t.lines) == 0 {
		return nil
	}
	_, err := t.w.Write(t.lines)
	t.lines = t.lines[:0]
	if err != nil || t.sink == nil || !t.sink.Due() {
		return err
	}
	return t.sink.Mark(Position{Metrics: &MetricsPosition{After: t.last.After, Series: t.last.Series, Points: t.points,
		Found: slices.Clone(t.found), Minutes: maps.Clone(t.minutes), Messages: t.messages}})
}

func (t *table) count(column int, at time.Time) {
	t.points++
	t.found[column/8] |= 1 << (column % 8)
	source := t.columns[column].Source
	if m, minute := t.minutes[source], at.Unix()/60; m.Count == 0 || minute != m.Last {
		t.minutes[source] = Minutes{minute, m.Count + 1}
	}
}

func (t *table) has(column int) bool { return t.found[column/8]&(1<<(column%8)) != 0 }

func (t *table) summary(age time.Duration) Metrics {
	minutes := t.job.Window.End.Sub(t.job.Window.Start.Truncate(time.Minute))
	m := Metrics{PeriodSeconds: int(t.job.Period / time.Second), SourceAge: age.Truncate(time.Second).String(), SeriesAsked: len(t.columns),
		Points: t.points, MinutesExpected: int((minutes + time.Minute - 1) / time.Minute), Sources: []Source{}, Missing: []string{}, Messages: slices.Sorted(slices.Values(t.messages))}
	sources := map[string]int{}      // series found
	missing := map[string]struct{}{} // removed once a source has it
	for i, c := range t.columns {
		if _, ok := sources[c.Source]; !ok {
			sources[c.Source] = 0
		}
		if c.Expected {
			m.SeriesExpected++
			missing[c.Namespace+"/"+c.Metric] = struct{}{}
		}
		if t.has(i) {
			m.SeriesFound++
			sources[c.Source]++
		}
	}
	for i, c := range t.columns {
		if t.has(i) {
			delete(missing, c.Namespace+"/"+c.Metric)
		}
	}
	for name, found := range sources {
		m.Sources = append(m.Sources, Source{Name: name, SeriesFound: found, MinutesFound: t.minutes[name].Count})
	}
	slices.SortFunc(m.Sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	for name := range missing {
		m.Missing = append(m.Missing, name)
	}
	slices.Sort(m.Missing)
	return m
}

// Sum summarizes an export of this job that another attempt wrote.
func (j MetricsJob) Sum(written io.Reader) (Metrics, error) {
	t := newTable(io.Discard, j)
	places := map[[4]string]int{}
	for i, c := range t.columns {
		places[[4]string{c.Namespace, c.Metric, c.Stat, c.label}] = i
	}
	for row, err := range ReadMetrics(written) {
		if err != nil {
			return Metrics{}, err
		}
		if i, ok := places[[4]string{row.Namespace, row.MetricName, row.Stat, row.Dimensions}]; ok {
			t.count(i, row.Timestamp.Time)
		} else {
			t.points++ // of a series that ListMetrics had then
		}
	}
	return t.summary(j.Clock.Now().Sub(j.Window.Start)), nil
}
