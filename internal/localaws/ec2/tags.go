package ec2

import (
	"context"
	"maps"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

type tagSpecification struct {
	ResourceType string
	Tag          []tagset.Tag
}

// tagSet lists a resource's tags by key.
func (s *Service) tagSet(id string) []tagset.Tag { return tagset.List[tagset.Tag](s.tags[id]) }

// Tags are those of a resource, as conditions of policies see them.
func (s *Service) Tags(id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.tags[id])
}

// ResourceType is what a resource's ARN names before its id: "security-group".
func ResourceType(id string) string { return kinds[kindOf(id)].resource }

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
var tagRules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	switch {
	case p == tagset.TooMany:
		return fail("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	case p == tagset.Reserved:
		return badValue("Tag keys starting with 'aws:' are reserved for internal use")
	case utf8.RuneCountInString(t.Value) > 256:
		return badValue("Tag value exceeds the maximum length of 256 characters")
	}
	return badValue("Tag key exceeds the maximum length of 128 characters or is empty: '%s'", t.Key)
}}

// specified gives the tags that a create action brings for its kind of resource.
func specified(specs []tagSpecification, kind string) (tagset.Set, error) {
	var all []tagset.Tag
	for _, spec := range specs {
		if spec.ResourceType != kinds[kind].resource {
			return nil, badValue("'%s' is not a valid taggable resource type for this operation.", spec.ResourceType)
		}
		all = append(all, spec.Tag...)
	}
	return tagset.Add(tagRules, nil, all)
}

type createTagsIn struct {
	ResourceId []string     `wire:",required"`
	Tag        []tagset.Tag `wire:",required"`
}

type done struct{ Return bool }

func (s *Service) createTags(_ context.Context, in *createTagsIn) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tagged := map[string]tagset.Set{}
	for _, id := range in.ResourceId {
		err := s.taggable(id)
		if err != nil {
			return nil, err
		}
		if tagged[id], err = tagset.Add(tagRules, s.tags[id], in.Tag); err != nil {
			return nil, err
		}
	}
	maps.Copy(s.tags, tagged)
	return &done{true}, nil
}

func (s *Service) taggable(id string) error {
	if _, ok := kinds[kindOf(id)]; !ok {
		return fail("InvalidID", "The ID '%s' is not valid", id)
	}
	if !s.exists(id) {
		return missing(kindOf(id), id)
	}
	return nil
}

type deleteTagsIn struct {
	ResourceId []string `wire:",required"`
	Tag        []struct {
		Key   string
		Value *string
	}
}

// deleteTags takes away the tags named, with their value when it is given too; all of them when none is named.
func (s *Service) deleteTags(_ context.Context, in *deleteTagsIn) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range in.ResourceId {
		if err := s.taggable(id); err != nil {
			return nil, err
		}
	}
	for _, id := range in.ResourceId {
		if len(in.Tag) == 0 {
			delete(s.tags, id)
		}
		for _, t := range in.Tag {
			if v, ok := s.tags[id][t.Key]; ok && (t.Value == nil || *t.Value == v) {
				delete(s.tags[id], t.Key)
			}
		}
	}
	return &done{true}, nil
}

// Tagged are the tags of all resources, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for id, tags := range s.tags {
		if s.exists(id) {
			all[s.acct.ARN("ec2", ResourceType(id)+"/"+id)] = tags.Clone()
		}
	}
	return all
}
