package cloudwatch

import (
	"context"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

var rules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return invalidValue("A resource has at most 50 tags.")
	}
	return invalidValue("Tag %q=%q is invalid: keys have 1 to 128 characters and do not begin with aws:, values up to 256.", t.Key, t.Value)
}}

// tagsOf finds the tags of an alarm or a dashboard; both mutexes are held.
func (s *Service) tagsOf(arn string) (*tagset.Set, error) {
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

type tagsOut struct{ Tags []tagset.Tag }

func (s *Service) listTags(_ context.Context, in *tagsIn) (*tagsOut, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &tagsOut{tagset.List[tagset.Tag](*t)}, nil
}

func (s *Service) tagResource(_ context.Context, in *struct {
	ResourceARN string        `wire:",required"`
	Tags        []tagset.Pair `wire:",required"`
}) (*none, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, t, in.Tags)
}

func (s *Service) untagResource(_ context.Context, in *struct {
	ResourceARN string   `wire:",required"`
	TagKeys     []string `wire:",required"`
}) (*none, error) {
	defer s.locked()()
	t, err := s.tagsOf(in.ResourceARN)
	if err == nil {
		*t = rules.Remove(*t, in.TagKeys)
	}
	return &none{}, err
}

// Tagged are the tags of all alarms, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for name, a := range s.alarms {
		all[s.acct.ARN("cloudwatch", "alarm:"+name)] = a.tags.Clone()
	}
	return all
}
