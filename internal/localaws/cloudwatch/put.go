package cloudwatch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type putMetricDataIn struct {
	Namespace              string `wire:",required"`
	MetricData             []datum
	StrictEntityValidation *bool // about entities, which are not served
}

type datum struct {
	MetricName        string `wire:",required"`
	Dimensions        []Dimension
	Timestamp         *wire.Time
	Value             *float64
	Values, Counts    []float64
	StatisticValues   *struct{ SampleCount, Sum, Minimum, Maximum float64 }
	Unit              *string
	StorageResolution *int
}

// putMetricData: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
func (s *Service) putMetricData(_ context.Context, in *putMetricDataIn) (*none, error) {
	if err := checkNamespace(in.Namespace); err != nil {
		return nil, err
	}
	if strings.HasPrefix(in.Namespace, "AWS/") {
		return nil, invalidValue("The value AWS/ for parameter Namespace is invalid: namespaces that begin with AWS/ are reserved.")
	}
	if n := len(in.MetricData); n == 0 || n > 1000 {
		return nil, validation("MetricData has %d members: it must have 1 to 1000.", n)
	}
	now := s.acct.Clock.Now()
	type put struct {
		m Metric
		t time.Time
		p sample
	}
	var puts []put
	for i, d := range in.MetricData {
		member := fmt.Sprintf("MetricData.member.%d", i+1)
		if err := checkMetric(in.Namespace, d.MetricName, d.Dimensions); err != nil {
			return nil, err
		}
		unit, err := checkUnit(d.Unit)
		if err != nil {
			return nil, err
		}
		if r := d.StorageResolution; r != nil && *r != 1 && *r != 60 {
			return nil, invalidValue("The value %d for parameter %s.StorageResolution is invalid: it must be 1 or 60.", *r, member)
		}
		p, err := d.sample(member)
		if err != nil {
			return nil, err
		}
		t := now
		if d.Timestamp != nil {
			t = d.Timestamp.Time
		}
		if t.Before(now.Add(-14*24*time.Hour)) || t.After(now.Add(2*time.Hour)) {
			return nil, invalidValue("The parameter %s.Timestamp must specify a time no more than two weeks in the past and two hours in the future.", member)
		}
		if d.StorageResolution == nil || *d.StorageResolution == 60 {
			t = t.Truncate(time.Minute)
		}
		puts = append(puts, put{Metric{in.Namespace, d.MetricName, unit, d.Dimensions}, t, p})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range puts {
		s.add(p.m, p.t, p.p)
	}
	return &none{}, nil
}

func (d datum) sample(member string) (sample, error) {
	given := 0
	for _, b := range []bool{d.Value != nil, len(d.Values) > 0, d.StatisticValues != nil} {
		if b {
			given++
		}
	}
	if given != 1 {
		return sample{}, invalidCombination("%s must have exactly one of Value, Values and StatisticValues.", member)
	}
	if st := d.StatisticValues; st != nil {
		if st.SampleCount <= 0 || st.Minimum > st.Maximum {
			return sample{}, invalidValue("%s.StatisticValues: SampleCount must be above 0 and Minimum not above Maximum.", member)
		}
		return sample{n: st.SampleCount, sum: st.Sum, min: st.Minimum, max: st.Maximum}, nil
	}
	values, counts := d.Values, d.Counts
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	if len(counts) > 0 && len(counts) != len(values) || len(values) > 150 {
		return sample{}, invalidValue("%s: Values must have at most 150 members, and Counts as many as Values.", member)
	}
	var p sample
	for i, v := range values {
		if math.IsNaN(v) || math.Abs(v) > math.Pow(2, 360) {
			return sample{}, invalidValue("The value %g for parameter %s.Value is invalid: it must be between -2^360 and 2^360.", v, member)
		}
		q := one(v)
		if len(counts) > 0 {
			q = sample{n: counts[i], sum: v * counts[i], min: v, max: v}
		}
		if i == 0 {
			p = q
		} else {
			p.merge(q)
		}
	}
	return p, nil
}

func checkNamespace(n string) error {
	if n == "" || len(n) > 255 || strings.HasPrefix(n, ":") {
		return invalidValue("The value %q for parameter Namespace is invalid: it must have 1 to 255 characters and not begin with a colon.", n)
	}
	return nil
}

func checkMetric(namespace, name string, dims []Dimension) error {
	if err := checkNamespace(namespace); err != nil {
		return err
	}
	if name == "" || len(name) > 255 {
		return invalidValue("The value %q for parameter MetricName is invalid: it must have 1 to 255 characters.", name)
	}
	if len(dims) > 30 {
		return invalidValue("A metric has at most 30 dimensions, not %d.", len(dims))
	}
	for i, d := range dims {
		if d.Name == "" || len(d.Name) > 255 || strings.HasPrefix(d.Name, ":") || d.Value == "" || len(d.Value) > 1024 {
			return invalidValue("Dimension %q=%q is invalid: names have 1 to 255 characters and no leading colon, values 1 to 1024.", d.Name, d.Value)
		}
		if slices.ContainsFunc(dims[:i], func(o Dimension) bool { return o.Name == d.Name }) {
			return invalidValue("Dimension %s is given twice.", d.Name)
		}
	}
	return nil
}
