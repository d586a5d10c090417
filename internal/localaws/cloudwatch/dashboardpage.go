package cloudwatch

import (
	"maps"
	"slices"
	"time"
)

// Dashboards are the names of all dashboards, sorted.
func (s *Service) Dashboards() []string {
	s.dashboards.mu.Lock()
	defer s.dashboards.mu.Unlock()
	return slices.Sorted(maps.Keys(s.dashboards.named))
}

// Dashboard is the body of a dashboard as PutDashboard got it; false when there is none.
func (s *Service) Dashboard(name string) (body string, ok bool) {
	s.dashboards.mu.Lock()
	defer s.dashboards.mu.Unlock()
	d := s.dashboards.named[name]
	if d == nil {
		return "", false
	}
	return d.body, true
}

// Values are what GetMetricData gives for a metric of any unit, in time order. The error is that of a statistic or period that it would refuse.
func (s *Service) Values(m Metric, stat string, period time.Duration, from, to time.Time) (times []time.Time, values []float64, err error) {
	of, err := parseStatistic(stat)
	if err != nil {
		return nil, nil, err
	}
	seconds := int(period / time.Second)
	if err := checkPeriod("Period", seconds); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrive()
	for _, p := range s.points(&metricStat{Metric: metricRef{m.Namespace, m.Name, m.Dimensions}, Period: seconds}, from, to, s.acct.Clock.Now()) {
		if v, ok := of(p); ok {
			times, values = append(times, time.Unix(p.at, 0).UTC()), append(values, v)
		}
	}
	return times, values, nil
}
