package cloudwatch

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"time"
)

type listMetricsIn struct {
	Namespace, MetricName, NextToken, RecentlyActive, OwningAccount *string
	Dimensions                                                      []struct {
		Name  string `wire:",required"`
		Value *string
	}
	IncludeLinkedAccounts *bool
}

type listMetricsOut struct {
	Metrics   []metricRef
	NextToken *string
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
	start := ""
	if in.NextToken != nil && *in.NextToken != "" {
		b, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		if err != nil {
			return nil, invalidValue("The next token %s is not one that ListMetrics gave.", *in.NextToken)
		}
		start = string(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.acct.Clock.Now()
	active := now.Add(-14 * 24 * time.Hour) // without data for two weeks a metric is not listed
	if in.RecentlyActive != nil && *in.RecentlyActive != "" {
		active = now.Add(-3 * time.Hour)
	}
	out := &listMetricsOut{Metrics: []metricRef{}}
	for _, key := range slices.Sorted(maps.Keys(s.metrics)) {
		m := s.metrics[key]
		if key <= start || in.Namespace != nil && *in.Namespace != m.namespace || in.MetricName != nil && *in.MetricName != m.name ||
			now.Sub(m.first) < s.ListDelay || m.last.Before(active) {
			continue
		}
		matches := true
		for _, f := range in.Dimensions {
			matches = matches && slices.ContainsFunc(m.dimensions, func(d Dimension) bool {
				return d.Name == f.Name && (f.Value == nil || d.Value == *f.Value)
			})
		}
		if !matches {
			continue
		}
		if len(out.Metrics) == 500 {
			last := out.Metrics[499]
			t := base64.RawURLEncoding.EncodeToString([]byte(identity(last.Namespace, last.MetricName, last.Dimensions)))
			out.NextToken = &t
			break
		}
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
