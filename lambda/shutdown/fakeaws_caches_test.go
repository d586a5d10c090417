package shutdown

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	cachetypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
)

// kinds makes a fake with each kind of cache.
var kinds = map[string]func() *fakeAWS{"node-based": newFakeAWS, "serverless": newServerless}

func newServerless() *fakeAWS {
	w := newFakeAWS()
	w.cfg.Cache = Cache{Serverless: "perf", Delete: true}
	w.cfg.Logs.Engine, w.cfg.Logs.Slow = "", ""
	return w
}

func (w *fakeAWS) DescribeReplicationGroups(ctx context.Context, in *elasticache.DescribeReplicationGroupsInput, _ ...func(*elasticache.Options)) (*elasticache.DescribeReplicationGroupsOutput, error) {
	return call(ctx, w, "DescribeReplicationGroups", func() (*elasticache.DescribeReplicationGroupsOutput, error) {
		w.age()
		if w.cache == "" {
			return nil, &cachetypes.ReplicationGroupNotFoundFault{}
		}
		return &elasticache.DescribeReplicationGroupsOutput{ReplicationGroups: []cachetypes.ReplicationGroup{{
			ReplicationGroupId: in.ReplicationGroupId, ARN: aws.String("arn:aws:elasticache:us-east-1:123456789012:replicationgroup:perf"), Status: &w.cache,
			ReplicationGroupCreateTime: &w.cacheMade, CacheNodeType: aws.String("cache.t4g.micro"), ClusterEnabled: aws.Bool(false), NodeGroups: []cachetypes.NodeGroup{{NodeGroupId: aws.String("0001"),
				PrimaryEndpoint:  &cachetypes.Endpoint{Address: aws.String("perf.abc.use1.cache.amazonaws.com"), Port: aws.Int32(6379)},
				NodeGroupMembers: []cachetypes.NodeGroupMember{{CacheClusterId: aws.String("perf-001"), CacheNodeId: aws.String("0001"), CurrentRole: aws.String("primary")}}}}}}}, nil
	})
}

func (w *fakeAWS) DescribeCacheClusters(ctx context.Context, in *elasticache.DescribeCacheClustersInput, _ ...func(*elasticache.Options)) (*elasticache.DescribeCacheClustersOutput, error) {
	return call(ctx, w, "DescribeCacheClusters", func() (*elasticache.DescribeCacheClustersOutput, error) {
		if w.cache == "" {
			return nil, &cachetypes.CacheClusterNotFoundFault{}
		}
		return &elasticache.DescribeCacheClustersOutput{CacheClusters: []cachetypes.CacheCluster{{Engine: aws.String("redis"), EngineVersion: aws.String("7.1.0"), CacheNodeType: aws.String("cache.t4g.micro")}}}, nil
	})
}

func (w *fakeAWS) ListTagsForResource(ctx context.Context, in *elasticache.ListTagsForResourceInput, _ ...func(*elasticache.Options)) (*elasticache.ListTagsForResourceOutput, error) {
	return call(ctx, w, "ListTagsForResource", func() (*elasticache.ListTagsForResourceOutput, error) {
		if w.cache == "" {
			return nil, &cachetypes.ReplicationGroupNotFoundFault{}
		}
		if w.cache != "available" { // https://github.com/hashicorp/terraform-provider-aws/issues/33859
			return nil, &cachetypes.InvalidReplicationGroupStateFault{}
		}
		return &elasticache.ListTagsForResourceOutput{TagList: []cachetypes.Tag{{Key: aws.String("name"), Value: &w.cacheName}, {Key: aws.String("run"), Value: &w.cacheRun}}}, nil
	})
}

func (w *fakeAWS) DeleteReplicationGroup(ctx context.Context, in *elasticache.DeleteReplicationGroupInput, _ ...func(*elasticache.Options)) (*elasticache.DeleteReplicationGroupOutput, error) {
	return call(ctx, w, "DeleteReplicationGroup", func() (*elasticache.DeleteReplicationGroupOutput, error) {
		switch w.cache {
		case "":
			return nil, &cachetypes.ReplicationGroupNotFoundFault{}
		case "available", "create-failed":
			w.deleteCache()
			return &elasticache.DeleteReplicationGroupOutput{}, nil
		}
		return nil, &cachetypes.InvalidReplicationGroupStateFault{}
	})
}

func (w *fakeAWS) DescribeServerlessCaches(ctx context.Context, in *elasticache.DescribeServerlessCachesInput, _ ...func(*elasticache.Options)) (*elasticache.DescribeServerlessCachesOutput, error) {
	return call(ctx, w, "DescribeServerlessCaches", func() (*elasticache.DescribeServerlessCachesOutput, error) {
		w.age()
		if w.cache == "" {
			return nil, &cachetypes.ServerlessCacheNotFoundFault{}
		}
		return &elasticache.DescribeServerlessCachesOutput{ServerlessCaches: []cachetypes.ServerlessCache{{ServerlessCacheName: in.ServerlessCacheName,
			ARN: aws.String("arn:aws:elasticache:us-east-1:123456789012:serverlesscache:perf"), Status: aws.String(strings.ToUpper(w.cache)),
			Engine: aws.String("valkey"), FullEngineVersion: aws.String("8.1"), CreateTime: &w.cacheMade,
			Endpoint: &cachetypes.Endpoint{Address: aws.String("perf-abc.serverless.use1.cache.amazonaws.com"), Port: aws.Int32(6379)}}}}, nil
	})
}

func (w *fakeAWS) DeleteServerlessCache(ctx context.Context, in *elasticache.DeleteServerlessCacheInput, _ ...func(*elasticache.Options)) (*elasticache.DeleteServerlessCacheOutput, error) {
	return call(ctx, w, "DeleteServerlessCache", func() (*elasticache.DeleteServerlessCacheOutput, error) {
		switch w.cache {
		case "":
			return nil, &cachetypes.ServerlessCacheNotFoundFault{}
		case "available", "create-failed":
			w.deleteCache()
			return &elasticache.DeleteServerlessCacheOutput{}, nil
		}
		return nil, &cachetypes.InvalidServerlessCacheStateFault{}
	})
}

// deleteCache starts the deletion of the cache.
func (w *fakeAWS) deleteCache() {
	if w.cache = "deleting"; w.sim != nil {
		w.sim.deleteCache(w)
	}
}

// age removes a deleting cache after a number of describe calls.
func (w *fakeAWS) age() {
	if w.cache == "deleting" && w.sim == nil {
		if w.deleting--; w.deleting < 0 {
			w.cache = ""
		}
	}
}
