package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type tag struct {
	Key   string `wire:",required"`
	Value string `wire:",required"`
}

type tags map[string]string

func (t tags) list() []tag {
	out := []tag{}
	for _, k := range slices.Sorted(maps.Keys(t)) {
		out = append(out, tag{k, t[k]})
	}
	return out
}

// with is t and more; 50 tags are the most a resource has.
func (t tags) with(more []tag) (tags, error) {
	out := tags{}
	maps.Copy(out, t)
	for _, m := range more {
		if m.Key == "" || len(m.Key) > 128 || len(m.Value) > 256 || strings.HasPrefix(m.Key, "aws:") {
			return nil, invalidValue("Tag %q=%q is invalid: keys have 1 to 128 characters and do not begin with aws:, values up to 256.", m.Key, m.Value)
		}
		out[m.Key] = m.Value
	}
	if len(out) > 50 {
		return nil, invalidValue("A resource has at most 50 tags, not %d.", len(out))
	}
	return out, nil
}

// tagsOf finds the tags of an alarm or a dashboard; both mutexes are held.
func (s *Service) tagsOf(arn string) (*tags, error) {
	if name, ok := strings.CutPrefix(arn, s.acct.ARN("cloudwatch", "alarm:")); ok {
		if a := s.alarms[name]; a != nil {
			return &a.tags, nil
		}
	}
	if name, ok := strings.CutPrefix(arn, s.dashboardARN("")); ok {
		if d := s.dashboards.named[name]; d != nil {
			return &d.tags, nil
		}
	}
	return nil, wire.Errorf(404, "ResourceNotFoundException", "Resource %s does not exist.", arn)
}

// locked holds the mutexes of alarms and dashboards, and gives what lets them go.
func (s *Service) locked() (unlock func()) {
	s.mu.Lock()
	s.dashboards.mu.Lock()
	return func() {
		s.dashboards.mu.Unlock()
		s.mu.Unlock()
	}
}

type tagsIn struct {
	ResourceARN string `wire:",required"`
}

type tagsOut struct{ Tags []tag }

func (s *Service) listTags(_ context.Context, in *tagsIn) (*tagsOut, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &tagsOut{t.list()}, nil
}

func (s *Service) tagResource(_ context.Context, in *struct {
	ResourceARN string `wire:",required"`
	Tags        []tag  `wire:",required"`
}) (*none, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	more, err := t.with(in.Tags)
	if err != nil {
		return nil, err
	}
	*t = more
	return &none{}, nil
}

func (s *Service) untagResource(_ context.Context, in *struct {
	ResourceARN string   `wire:",required"`
	TagKeys     []string `wire:",required"`
}) (*none, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(*t, k)
	}
	return &none{}, nil
}

// Tagged are the tags of all alarms, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[string]string{}
	for name, a := range s.alarms {
		all[s.acct.ARN("cloudwatch", "alarm:"+name)] = maps.Clone(a.tags)
	}
	return all
}
