package cloudwatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type metricRef struct {
	Namespace, MetricName string
	Dimensions            []Dimension
}

type dataQuery struct {
	Id                           string `wire:",required"`
	MetricStat                   *metricStat
	Expression, Label, AccountId *string
	Period                       *int
	ReturnData                   *bool
}

type metricStat struct {
	Metric metricRef `wire:",required"`
	Period int       `wire:",required"`
	Stat   string    `wire:",required"`
	Unit   *string
}

type getMetricDataIn struct {
	MetricDataQueries  []dataQuery `wire:",required"`
	StartTime, EndTime *wire.Time
	ScanBy, NextToken  *string
	MaxDatapoints      *int
	LabelOptions       *struct{ Timezone *string } // matters to dynamic labels only, which are refused
}

// Datapoints is what a request counts against the quota of datapoints a second: those that could be there.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
func (in *getMetricDataIn) Datapoints() (n int, start time.Time) {
	if in.StartTime == nil || in.EndTime == nil {
		return 0, start
	}
	for _, q := range in.MetricDataQueries {
		if q.MetricStat != nil && q.MetricStat.Period > 0 {
			n += int(in.EndTime.Sub(in.StartTime.Time) / (time.Duration(q.MetricStat.Period) * time.Second))
		}
	}
	return n, in.StartTime.Time
}

type message struct{ Code, Value string }

type dataResult struct {
	Id, Label, StatusCode string
	Timestamps            []wire.Time
	Values                []float64
	Messages              []message
}

type getMetricDataOut struct {
	MetricDataResults []dataResult
	Messages          []message
	NextToken         *string
}

const maxDatapoints = 100_800

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

func (s *Service) checkQuery(q dataQuery, ids map[string]bool, member string) (statistic, error) {
	switch {
	case !queryID.MatchString(q.Id) || len(q.Id) > 255:
		return nil, validation("The value %q for parameter %s.Id is invalid: it must begin with a lower-case letter and hold letters, digits and underscores only.", q.Id, member)
	case ids[q.Id]:
		return nil, validation("The values for parameter Id in MetricDataQueries are not unique: %s is there twice.", q.Id)
	case q.Expression != nil && *q.Expression != "":
		return nil, validation("localaws does not serve %s.Expression: ask for metrics by MetricStat, and calculate from their values.", member)
	case q.MetricStat == nil:
		return nil, validation("%s needs MetricStat.", member)
	case q.Period != nil:
		return nil, validation("%s.Period is for expressions; a metric's period is in MetricStat.", member)
	case q.AccountId != nil && *q.AccountId != s.acct.ID:
		return nil, validation("localaws is account %s alone, so %s.AccountId cannot be %s.", s.acct.ID, member, *q.AccountId)
	case q.Label != nil && strings.Contains(*q.Label, "${"):
		return nil, validation("localaws does not serve dynamic labels: %s.Label is %q.", member, *q.Label)
	}
	ids[q.Id] = true
	m := q.MetricStat
	if err := checkMetric(m.Metric.Namespace, m.Metric.MetricName, m.Metric.Dimensions); err != nil {
		return nil, err
	}
	if err := checkPeriod(member+".MetricStat.Period", m.Period); err != nil {
		return nil, err
	}
	if _, err := checkUnit(m.Unit); err != nil {
		return nil, err
	}
	return parseStatistic(m.Stat)
}

// getMetricData: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *Service) getMetricData(_ context.Context, in *getMetricDataIn) (*getMetricDataOut, error) {
	if in.StartTime == nil || in.EndTime == nil {
		return nil, missing("StartTime and EndTime")
	}
	if !in.StartTime.Before(in.EndTime.Time) {
		return nil, validation("The parameter StartTime must be less than the parameter EndTime.")
	}
	if n := len(in.MetricDataQueries); n == 0 || n > 500 {
		return nil, validation("The collection MetricDataQueries has %d members: it must have 1 to 500.", n)
	}
	limit := maxDatapoints
	if in.MaxDatapoints != nil {
		if limit = *in.MaxDatapoints; limit < 1 || limit > maxDatapoints {
			return nil, validation("The value %d for parameter MaxDatapoints is invalid: it must be 1 to %d.", limit, maxDatapoints)
		}
	}
	scan := "TimestampDescending"
	if in.ScanBy != nil && *in.ScanBy != "" {
		if scan = *in.ScanBy; scan != "TimestampDescending" && scan != "TimestampAscending" {
			return nil, validation("The value %s for parameter ScanBy is invalid: it must be TimestampDescending or TimestampAscending.", scan)
		}
	}
	stats, ids := make([]statistic, len(in.MetricDataQueries)), map[string]bool{}
	for i, q := range in.MetricDataQueries {
		var err error
		if stats[i], err = s.checkQuery(q, ids, fmt.Sprintf("MetricDataQueries.member.%d", i+1)); err != nil {
			return nil, err
		}
	}
	// A token is where the next page starts: a query, and the time of its last point.
	page := fmt.Sprintf("%x", fingerprint(in.MetricDataQueries, in.StartTime.UnixMilli(), in.EndTime.UnixMilli(), scan))
	query, after, err := parseToken(in.NextToken, page)
	if err != nil {
		return nil, err
	}
	out := &getMetricDataOut{MetricDataResults: []dataResult{}, Messages: []message{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrive()
	now := s.acct.Clock.Now()
	for ; query < len(in.MetricDataQueries); query, after = query+1, 0 {
		q := in.MetricDataQueries[query]
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		m := q.MetricStat
		r := dataResult{Id: q.Id, Label: m.Metric.MetricName, StatusCode: "Complete", Timestamps: []wire.Time{}, Values: []float64{}, Messages: []message{}}
		if q.Label != nil {
			r.Label = *q.Label
		}
		points := s.points(m, in.StartTime.Time, in.EndTime.Time, now)
		if scan == "TimestampDescending" {
			slices.Reverse(points)
		}
		for _, p := range points {
			if after != 0 && (p.at == after || (scan == "TimestampDescending") == (p.at > after)) {
				continue // on an earlier page
			}
			v, ok := stats[query](p)
			if !ok {
				continue
			}
			if limit == 0 {
				r.StatusCode = "PartialData"
				out.NextToken = makeToken(page, query, lastTime(r, after))
				break
			}
			limit--
			r.Timestamps = append(r.Timestamps, wire.Time{Time: time.Unix(p.at, 0).UTC()})
			r.Values = append(r.Values, v)
		}
		if len(r.Values) > 0 || r.StatusCode == "Complete" {
			out.MetricDataResults = append(out.MetricDataResults, r)
		}
		if out.NextToken != nil {
			break
		}
	}
	return out, nil
}

func (s *Service) points(m *metricStat, start, end, now time.Time) []sample {
	of := s.metrics[identity(m.Metric.Namespace, m.Metric.MetricName, sorted(m.Metric.Dimensions))]
	if of == nil {
		return nil
	}
	unit, _ := checkUnit(m.Unit) // checked before
	return of.window(roundStart(start, now, m.Period).Unix(), end.Unix(), int64(m.Period), unit, now)
}

func lastTime(r dataResult, before int64) int64 {
	if n := len(r.Timestamps); n > 0 {
		return r.Timestamps[n-1].Unix()
	}
	return before
}

func fingerprint(parts ...any) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%s\n", dump(p)) // a hash never fails
	}
	return h.Sum64()
}

func dump(p any) string {
	queries, ok := p.([]dataQuery)
	if !ok {
		return fmt.Sprint(p)
	}
	var b strings.Builder
	for _, q := range queries {
		fmt.Fprintf(&b, "%s %s %v %d %s;", q.Id, q.MetricStat.Metric.Namespace, q.MetricStat.Metric, q.MetricStat.Period, q.MetricStat.Stat)
	}
	return b.String()
}

func makeToken(request string, query int, after int64) *string {
	t := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d", request, query, after))
	return &t
}

func parseToken(token *string, request string) (query int, after int64, err error) {
	if token == nil || *token == "" {
		return 0, 0, nil
	}
	var of string
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%s %d %d", &of, &query, &after)
	}
	if err != nil || of != request {
		return 0, 0, wire.Errorf(400, "InvalidNextToken", "The next token is not one of this request.")
	}
	return query, after, nil
}
