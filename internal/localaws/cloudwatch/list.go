package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
)

type listMetricsIn struct {
	Namespace, MetricName, RecentlyActive, OwningAccount *string
	NextToken                                            string
	Dimensions                                           []struct {
		Name  string `wire:",required"`
		Value *string
	}
	IncludeLinkedAccounts *bool
}

type listMetricsOut struct {
	Metrics   []metricRef
	NextToken string `wire:",omitempty"`
}

// listMetrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
func (s *Service) listMetrics(_ context.Context, in *listMetricsIn) (*listMetricsOut, error) {
	if in.RecentlyActive != nil && *in.RecentlyActive != "" && *in.RecentlyActive != "PT3H" {
		return nil, validation("The value %s for parameter RecentlyActive is invalid: it must be PT3H.", *in.RecentlyActive)
	}
	if in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts || in.OwningAccount != nil && *in.OwningAccount != s.acct.ID {
		return nil, validation("localaws is account %s alone: there are no linked accounts.", s.acct.ID)
	}
	if len(in.Dimensions) > 30 {
		return nil, validation("The collection Dimensions has %d members: it must have at most 30.", len(in.Dimensions))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrive()
	now := s.acct.Clock.Now()
	active := now.Add(-14 * 24 * time.Hour) // without data for two weeks a metric is not listed
	if in.RecentlyActive != nil && *in.RecentlyActive != "" {
		active = now.Add(-3 * time.Hour)
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(s.metrics)) {
		m := s.metrics[key]
		if in.Namespace != nil && *in.Namespace != m.namespace || in.MetricName != nil && *in.MetricName != m.name ||
			now.Sub(m.first) < s.ListDelay || m.last.Before(active) {
			continue
		}
		matches := true
		for _, f := range in.Dimensions {
			matches = matches && slices.ContainsFunc(m.dimensions, func(d Dimension) bool {
				return d.Name == f.Name && (f.Value == nil || d.Value == *f.Value)
			})
		}
		if matches {
			keys = append(keys, key)
		}
	}
	keys, next, ok := paging.Names(keys, 500, in.NextToken)
	if !ok {
		return nil, invalidValue("The next token %s is not one that ListMetrics gave.", in.NextToken)
	}
	out := &listMetricsOut{Metrics: []metricRef{}, NextToken: next}
	for _, key := range keys {
		m := s.metrics[key]
		out.Metrics = append(out.Metrics, metricRef{m.namespace, m.name, present(m.dimensions)})
	}
	return out, nil
}

// present is an empty list, not an absent one, for a metric without dimensions.
func present(d []Dimension) []Dimension {
	if d == nil {
		return []Dimension{}
	}
	return d
}
