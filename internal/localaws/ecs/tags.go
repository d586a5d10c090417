package ecs

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
var rules = tagset.Rules{Chars: true, Once: true, Refuse: func(p tagset.Problem, t tagset.Tag) error {
	switch p {
	case tagset.Twice:
		return invalid("Duplicate tag keys found: %s", t.Key)
	case tagset.TooMany:
		return invalid("a resource has at most 50 tags")
	}
	return invalid("tag %q=%q: a key must have 1 to 128 letters, digits, spaces or _.:/=+-@ and not begin with aws:, a value at most 256", t.Key, t.Value)
}}

// tagged finds the tags of a resource by its ARN. The lock is held.
func (s *Service) tagged(arn string) (*tagset.Set, error) {
	for _, c := range s.clusters {
		if c.arn == arn && c.status == "ACTIVE" {
			return &c.tags, nil
		}
	}
	for _, revisions := range s.families {
		for _, d := range revisions {
			if d.TaskDefinitionArn == arn {
				return &d.tags, nil
			}
		}
	}
	for _, v := range s.services {
		if v.arn == arn && v.status == "ACTIVE" {
			return &v.tags, nil
		}
	}
	for _, t := range s.tasks {
		if t.arn == arn {
			return &t.tags, nil
		}
	}
	return nil, wire.Errorf(400, "ResourceNotFoundException", "The specified resource %s was not found.", arn)
}

func (s *Service) tagResource(_ context.Context, in *struct {
	ResourceArn string       `wire:",required"`
	Tags        []tagset.Tag `wire:",required"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, tagset.Put(rules, tags, in.Tags)
}

func (s *Service) untagResource(_ context.Context, in *struct {
	ResourceArn string   `wire:",required"`
	TagKeys     []string `wire:",required"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(in.ResourceArn)
	if err == nil {
		*tags = rules.Remove(*tags, in.TagKeys)
	}
	return &struct{}{}, err
}

func (s *Service) listTagsForResource(_ context.Context, in *struct {
	ResourceArn string `wire:",required"`
}) (*struct{ Tags []tagset.Tag }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{ Tags []tagset.Tag }{tagset.List[tagset.Tag](*tags)}, nil
}

// Tagged are the tags of all resources, by ARN; of INACTIVE task definitions, too, which AWS keeps.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for _, c := range s.clusters {
		if c.status == "ACTIVE" {
			all[c.arn] = c.tags.Clone()
		}
	}
	for _, revisions := range s.families {
		for _, d := range revisions {
			all[d.TaskDefinitionArn] = d.tags.Clone()
		}
	}
	for _, v := range s.services {
		if v.status == "ACTIVE" {
			all[v.arn] = v.tags.Clone()
		}
	}
	for _, t := range s.tasks {
		all[t.arn] = t.tags.Clone()
	}
	return all
}
