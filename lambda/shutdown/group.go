package shutdown

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// replicationGroup is a cache with nodes.
type replicationGroup struct {
	*run
	name string
}

func (g replicationGroup) String() string { return "replication group " + g.name }

func (g replicationGroup) describe(ctx context.Context) (*seen, error) {
	out, err := g.aws.ElastiCache.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &g.name})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", g, err)
	}
	if len(out.ReplicationGroups) == 0 {
		return nil, nil
	}
	group := out.ReplicationGroups[0]
	m := export.Membership{ReplicationGroup: g.name, Engine: aws.ToString(group.Engine), NodeType: aws.ToString(group.CacheNodeType),
		ClusterMode: aws.ToBool(group.ClusterEnabled), Endpoint: address(group.ConfigurationEndpoint), CreatedAt: group.ReplicationGroupCreateTime}
	for _, shard := range group.NodeGroups {
		if m.Endpoint == "" {
			m.Endpoint = address(shard.PrimaryEndpoint)
		}
		for _, n := range shard.NodeGroupMembers {
			m.Nodes = append(m.Nodes, export.Node{CacheClusterID: aws.ToString(n.CacheClusterId), CacheNodeID: aws.ToString(n.CacheNodeId),
				NodeGroup: aws.ToString(shard.NodeGroupId), Role: aws.ToString(n.CurrentRole), AvailabilityZone: aws.ToString(n.PreferredAvailabilityZone)})
		}
	}
	return &seen{aws.ToString(group.Status), aws.ToString(group.ARN), m}, nil
}

// detail reads engine, version and node type from one member: they are the same for all, and only members report them in full.
func (g replicationGroup) detail(ctx context.Context, m *export.Membership) {
	ctx, done := g.brief(ctx)
	defer done()
	id := m.Nodes[0].CacheClusterID
	out, err := g.aws.ElastiCache.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: &id})
	if err != nil || len(out.CacheClusters) == 0 {
		g.warn("the engine version is not known: describe cache cluster %s: %v", id, err)
		return
	}
	c := out.CacheClusters[0]
	m.Engine, m.EngineVersion, m.NodeType = aws.ToString(c.Engine), aws.ToString(c.EngineVersion), aws.ToString(c.CacheNodeType)
}

// reconstruct takes the nodes' names from CloudWatch's metrics.
func (g replicationGroup) reconstruct(ctx context.Context) (*export.Membership, error) {
	ctx, done := g.brief(ctx)
	defer done()
	nodes, err := export.FindNodes(ctx, g.aws.CloudWatch, g.clock, g.name)
	if err != nil {
		return nil, err
	}
	g.warn("%s was gone before it was described: %d nodes are named after CloudWatch's metrics", g, len(nodes))
	return &export.Membership{ReplicationGroup: g.name, Nodes: nodes}, nil
}

func (g replicationGroup) delete(ctx context.Context) error {
	_, err := g.aws.ElastiCache.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &g.name, RetainPrimaryCluster: aws.Bool(false)})
	return err
}

func (g replicationGroup) resource() string { return "replicationgroup:" + g.name }

func (g replicationGroup) checks(ctx context.Context) []check {
	return append([]check{{allow: "elasticache:DescribeReplicationGroups", do: func(ctx context.Context) error {
		_, err := g.describe(ctx)
		return err
	}}, {allow: "elasticache:DescribeCacheClusters", do: func(ctx context.Context) error {
		_, err := g.aws.ElastiCache.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: aws.String(g.name + "-001")})
		return err
	}}}, g.tagsCheck(ctx, g.resource())...)
}
