package elasticache

import (
	"context"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Tagging-Resources.html
var tagRules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return wire.Errorf(400, "TagQuotaPerResourceExceeded", "A resource has at most 50 tags.")
	}
	return invalidValue("The tag %q=%q is invalid: keys have 1 to 128 characters and do not begin with aws:, values up to 256.", t.Key, t.Value)
}}

// tagsOf finds a resource's tags; the mutex is held. Cache clusters have those of their replication group.
func (s *Service) tagsOf(arn string) (*tagset.Set, error) {
	resource, ok := strings.CutPrefix(arn, s.acct.ARN("elasticache", ""))
	if !ok {
		return nil, wire.Errorf(400, "InvalidARN", "%s is not an ARN of ElastiCache in this account and Region.", arn)
	}
	kind, name, _ := strings.Cut(resource, ":")
	switch kind {
	case "replicationgroup":
		return tags(s.find(name))
	case "serverlesscache":
		return tags(s.findServerless(name))
	case "cluster":
		for _, g := range s.groups {
			for _, n := range g.nodes() {
				if n.id == name {
					return g.taggable()
				}
			}
		}
		return nil, wire.Errorf(404, "CacheClusterNotFound", "%s is not found.", name)
	case "subnetgroup":
		return tags(s.findSubnets(name))
	case "user":
		return tags(s.findUser(name))
	case "usergroup":
		return tags(s.findUserGroup(name))
	case "parametergroup":
		return tags(s.findParameters(name))
	}
	return nil, wire.Errorf(400, "InvalidARN", "localaws has no tags for %s.", arn)
}

// tags are those of what was found.
func tags[T interface {
	taggable() (*tagset.Set, error)
}](found T, err error) (*tagset.Set, error) {
	if err != nil {
		return nil, err
	}
	return found.taggable()
}

func (g *parameterGroup) taggable() (*tagset.Set, error) { return &g.tags, nil }
func (g *subnetGroup) taggable() (*tagset.Set, error)    { return &g.tags, nil }
func (u *user) taggable() (*tagset.Set, error)           { return &u.tags, nil }
func (g *userGroup) taggable() (*tagset.Set, error)      { return &g.tags, nil }

// taggable returns the tags of a cache that is available. AWS does not return the tags of any other.
// https://github.com/hashicorp/terraform-provider-aws/issues/33859
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html
func (g *group) taggable() (*tagset.Set, error) {
	switch {
	case g.status == "available":
		return &g.tags, nil
	case g.serverless != nil:
		return nil, wire.Errorf(400, "InvalidServerlessCacheStateFault", "Serverless cache %s is not in available state to perform tagging operations.", g.id)
	}
	return nil, wire.Errorf(400, "InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.")
}

type tagsOut struct {
	TagList []tagset.Tag `wire:"TagList>Tag"`
}

func (s *Service) listTags(_ context.Context, in *struct {
	ResourceName string `wire:",required"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagsOf(in.ResourceName)
	if err != nil {
		return nil, err
	}
	return &tagsOut{tagset.List[tagset.Tag](*t)}, nil
}

func (s *Service) addTags(_ context.Context, in *struct {
	ResourceName string       `wire:",required"`
	Tags         []tagset.Tag `wire:",required"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagsOf(in.ResourceName)
	if err != nil {
		return nil, err
	}
	if err := tagset.Put(tagRules, t, in.Tags); err != nil {
		return nil, err
	}
	return &tagsOut{tagset.List[tagset.Tag](*t)}, nil
}

func (s *Service) removeTags(_ context.Context, in *struct {
	ResourceName string   `wire:",required"`
	TagKeys      []string `wire:",required"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagsOf(in.ResourceName)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		if _, ok := (*t)[k]; !ok {
			return nil, wire.Errorf(404, "TagNotFound", "The resource %s has no tag %s.", in.ResourceName, k)
		}
	}
	*t = tagRules.Remove(*t, in.TagKeys)
	return &tagsOut{tagset.List[tagset.Tag](*t)}, nil
}

// Tagged are the tags of all caches, groups and users, by ARN; a node has its replication group's.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for _, g := range s.groups {
		all[s.acct.ARN("elasticache", "replicationgroup:"+g.id)] = g.tags.Clone()
		for _, n := range g.nodes() {
			all[s.acct.ARN("elasticache", "cluster:"+n.id)] = g.tags.Clone()
		}
	}
	for _, g := range s.serverless {
		all[s.acct.ARN("elasticache", "serverlesscache:"+g.id)] = g.tags.Clone()
	}
	for name, g := range s.subnets {
		all[s.acct.ARN("elasticache", "subnetgroup:"+name)] = g.tags.Clone()
	}
	for name, g := range s.parameters {
		all[s.acct.ARN("elasticache", "parametergroup:"+name)] = g.tags.Clone()
	}
	for id, u := range s.users {
		all[s.acct.ARN("elasticache", "user:"+id)] = u.tags.Clone()
	}
	for id, g := range s.userGroups {
		all[s.acct.ARN("elasticache", "usergroup:"+id)] = g.tags.Clone()
	}
	return all
}
