package elasticache

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type describeGroupsIn struct {
	page
	ReplicationGroupId *string
}

type describeGroupsOut struct {
	ReplicationGroups []groupShape `wire:"ReplicationGroups>ReplicationGroup"`
	Marker            string       `wire:",omitempty"`
}

// describeReplicationGroups: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReplicationGroups.html
func (s *Service) describeReplicationGroups(_ context.Context, in *describeGroupsIn) (*describeGroupsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, marker, err := listed(in.page, s.groups, given(in.ReplicationGroupId), func(id string) (*group, error) { return s.find(strings.ToLower(id)) }, s.shape)
	return &describeGroupsOut{groups, marker}, err
}

type describeClustersIn struct {
	page
	CacheClusterId                          *string
	ShowCacheNodeInfo                       *bool
	ShowCacheClustersNotInReplicationGroups *bool
}

type describeClustersOut struct {
	CacheClusters []clusterShape `wire:"CacheClusters>CacheCluster"`
	Marker        string         `wire:",omitempty"`
}

// describeCacheClusters lists the nodes of replication groups; there are no other cache clusters here.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheClusters.html
func (s *Service) describeCacheClusters(_ context.Context, in *describeClustersIn) (*describeClustersOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type member struct {
		g *group
		n *cacheNode
	}
	by := map[string]member{}
	for _, g := range s.groups {
		for _, n := range g.nodes() {
			by[n.id] = member{g, n}
		}
	}
	names := slices.Sorted(maps.Keys(by))
	if in.CacheClusterId != nil && *in.CacheClusterId != "" {
		if by[*in.CacheClusterId].n == nil {
			return nil, wire.Errorf(404, "CacheClusterNotFound", "CacheCluster not found: %s", *in.CacheClusterId)
		}
		names = []string{*in.CacheClusterId}
	} else if in.ShowCacheClustersNotInReplicationGroups != nil && *in.ShowCacheClustersNotInReplicationGroups {
		names = nil
	}
	names, marker, err := in.cut(names)
	if err != nil {
		return nil, err
	}
	out := &describeClustersOut{CacheClusters: []clusterShape{}, Marker: marker}
	for _, n := range names {
		out.CacheClusters = append(out.CacheClusters, s.shapeCluster(by[n].g, by[n].n, in.ShowCacheNodeInfo != nil && *in.ShowCacheNodeInfo))
	}
	return out, nil
}
