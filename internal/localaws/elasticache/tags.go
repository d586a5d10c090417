package elasticache

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type tag struct{ Key, Value string }

type tags map[string]string

func (t tags) list() []tag {
	out := []tag{}
	for _, k := range slices.Sorted(maps.Keys(t)) {
		out = append(out, tag{k, t[k]})
	}
	return out
}

// with is t and more. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Tagging-Resources.html
func (t tags) with(more []tag) (tags, error) {
	out := tags{}
	maps.Copy(out, t)
	for _, m := range more {
		if m.Key == "" || len(m.Key) > 128 || len(m.Value) > 256 || strings.HasPrefix(m.Key, "aws:") {
			return nil, invalidValue("The tag %q=%q is invalid: keys have 1 to 128 characters and do not begin with aws:, values up to 256.", m.Key, m.Value)
		}
		out[m.Key] = m.Value
	}
	if len(out) > 50 {
		return nil, wire.Errorf(400, "TagQuotaPerResourceExceeded", "A resource has at most 50 tags, not %d.", len(out))
	}
	return out, nil
}

// tagsOf finds a resource's tags; the mutex is held. Cache clusters have those of their replication group.
func (s *Service) tagsOf(arn string) (*tags, error) {
	resource, ok := strings.CutPrefix(arn, s.acct.ARN("elasticache", ""))
	if !ok {
		return nil, wire.Errorf(400, "InvalidARN", "%s is not an ARN of ElastiCache in this account and Region.", arn)
	}
	kind, name, _ := strings.Cut(resource, ":")
	switch kind {
	case "replicationgroup":
		g, err := s.find(name)
		if err != nil {
			return nil, err
		}
		return g.taggable()
	case "serverlesscache":
		g, err := s.findServerless(name)
		if err != nil {
			return nil, err
		}
		return g.taggable()
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
		g, err := s.findSubnets(name)
		if err != nil {
			return nil, err
		}
		return &g.tags, nil
	case "user":
		u, err := s.findUser(name)
		if err != nil {
			return nil, err
		}
		return &u.tags, nil
	case "usergroup":
		ug, err := s.findUserGroup(name)
		if err != nil {
			return nil, err
		}
		return &ug.tags, nil
	case "parametergroup":
		g, err := s.findParameters(name)
		if err != nil {
			return nil, err
		}
		return &g.tags, nil
	}
	return nil, wire.Errorf(400, "InvalidARN", "localaws has no tags for %s.", arn)
}

// taggable are the tags of a cache that is available. Of any other AWS does not even tell them.
// https://github.com/hashicorp/terraform-provider-aws/issues/33859
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html
func (g *group) taggable() (*tags, error) {
	switch {
	case g.status == "available":
		return &g.tags, nil
	case g.serverless != nil:
		return nil, wire.Errorf(400, "InvalidServerlessCacheStateFault", "Serverless cache %s is not in available state to perform tagging operations.", g.id)
	}
	return nil, wire.Errorf(400, "InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.")
}

type tagsOut struct {
	TagList []tag `wire:"TagList>Tag"`
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
	return &tagsOut{t.list()}, nil
}

func (s *Service) addTags(_ context.Context, in *struct {
	ResourceName string `wire:",required"`
	Tags         []tag  `wire:",required"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagsOf(in.ResourceName)
	if err != nil {
		return nil, err
	}
	more, err := t.with(in.Tags)
	if err != nil {
		return nil, err
	}
	*t = more
	return &tagsOut{t.list()}, nil
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
	left := maps.Clone(*t)
	for _, k := range in.TagKeys {
		if _, ok := left[k]; !ok {
			return nil, wire.Errorf(404, "TagNotFound", "The resource %s has no tag %s.", in.ResourceName, k)
		}
		delete(left, k)
	}
	*t = left
	return &tagsOut{t.list()}, nil
}

// Tagged are the tags of all caches and groups, by ARN; a node has its replication group's.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]map[string]string{}
	for _, g := range s.groups {
		all[s.acct.ARN("elasticache", "replicationgroup:"+g.id)] = maps.Clone(g.tags)
		for _, n := range g.nodes() {
			all[s.acct.ARN("elasticache", "cluster:"+n.id)] = maps.Clone(g.tags)
		}
	}
	for _, g := range s.serverless {
		all[s.acct.ARN("elasticache", "serverlesscache:"+g.id)] = maps.Clone(g.tags)
	}
	for name, g := range s.subnets {
		all[s.acct.ARN("elasticache", "subnetgroup:"+name)] = maps.Clone(g.tags)
	}
	for name, g := range s.parameters {
		all[s.acct.ARN("elasticache", "parametergroup:"+name)] = maps.Clone(g.tags)
	}
	return all
}
