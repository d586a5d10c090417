package ecs

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type tag struct{ Key, Value string }

var tagChars = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
func checkTags(tags []tag) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if n := utf8.RuneCountInString(t.Key); n < 1 || n > 128 || !tagChars.MatchString(t.Key) || strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return invalid("tag key %q must have 1 to 128 letters, digits, spaces or _.:/=+-@ and not begin with aws:", t.Key)
		}
		if utf8.RuneCountInString(t.Value) > 256 || !tagChars.MatchString(t.Value) {
			return invalid("tag value %q must have at most 256 letters, digits, spaces or _.:/=+-@", t.Value)
		}
		if seen[t.Key] {
			return invalid("Duplicate tag keys found: %s", t.Key)
		}
		seen[t.Key] = true
	}
	if len(tags) > 50 {
		return invalid("a resource has at most 50 tags")
	}
	return nil
}

// tagged finds the tags of a resource by its ARN. The lock is held.
func (s *Service) tagged(arn string) (*[]tag, error) {
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

func (s *Service) retag(arn string, change func([]tag) []tag) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(arn)
	if err != nil {
		return nil, err
	}
	changed := change(slices.Clone(*tags))
	if err := checkTags(slices.DeleteFunc(slices.Clone(changed), func(t tag) bool { return strings.HasPrefix(t.Key, "aws:") })); err != nil {
		return nil, err
	}
	*tags = changed
	return &struct{}{}, nil
}

func (s *Service) tagResource(_ context.Context, in *struct {
	ResourceArn string `wire:",required"`
	Tags        []tag  `wire:",required"`
}) (*struct{}, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return s.retag(in.ResourceArn, func(tags []tag) []tag {
		for _, t := range in.Tags {
			if i := slices.IndexFunc(tags, func(o tag) bool { return o.Key == t.Key }); i >= 0 {
				tags[i] = t
			} else {
				tags = append(tags, t)
			}
		}
		return tags
	})
}

func (s *Service) untagResource(_ context.Context, in *struct {
	ResourceArn string   `wire:",required"`
	TagKeys     []string `wire:",required"`
}) (*struct{}, error) {
	return s.retag(in.ResourceArn, func(tags []tag) []tag {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	})
}

func (s *Service) listTagsForResource(_ context.Context, in *struct {
	ResourceArn string `wire:",required"`
}) (*struct{ Tags []tag }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{ Tags []tag }{append([]tag{}, *tags...)}, nil
}

// Tagged are the tags of all resources, by ARN; of INACTIVE task definitions, too, which AWS keeps.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[string]string{}
	add := func(arn string, tags []tag) {
		all[arn] = map[string]string{}
		for _, t := range tags {
			all[arn][t.Key] = t.Value
		}
	}
	for _, c := range s.clusters {
		if c.status == "ACTIVE" {
			add(c.arn, c.tags)
		}
	}
	for _, revisions := range s.families {
		for _, d := range revisions {
			add(d.TaskDefinitionArn, d.tags)
		}
	}
	for _, v := range s.services {
		if v.status == "ACTIVE" {
			add(v.arn, v.tags)
		}
	}
	for _, t := range s.tasks {
		add(t.arn, t.tags)
	}
	return all
}
