package shutdown

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// replicationGroup is nil when it does not exist.
func (r *run) replicationGroup(ctx context.Context) (*types.ReplicationGroup, error) {
	id := r.cfg.Cache.ReplicationGroup
	if id == "" {
		return nil, nil
	}
	out, err := r.aws.ElastiCache.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe replication group %s: %w", id, err)
	}
	if len(out.ReplicationGroups) == 0 {
		return nil, nil
	}
	return &out.ReplicationGroups[0], nil
}

// readMembership puts the cache's nodes on record while the cache is there: without them a later export could not name its series.
func (r *run) readMembership(ctx context.Context) error {
	if r.state.Membership != nil && len(r.state.Membership.Nodes) > 0 {
		return nil
	}
	group, err := r.replicationGroup(ctx)
	if err != nil {
		return err
	}
	if group == nil || len(group.NodeGroups) == 0 {
		if r.state.Window != nil && r.cfg.Cache.ReplicationGroup != "" {
			return r.findMembership(ctx)
		}
		return nil
	}
	m := export.Membership{ReplicationGroup: r.cfg.Cache.ReplicationGroup, Engine: aws.ToString(group.Engine),
		NodeType: aws.ToString(group.CacheNodeType), ClusterMode: aws.ToBool(group.ClusterEnabled), Endpoint: endpoint(group), CreatedAt: group.ReplicationGroupCreateTime}
	for _, shard := range group.NodeGroups {
		for _, n := range shard.NodeGroupMembers {
			m.Nodes = append(m.Nodes, export.Node{CacheClusterID: aws.ToString(n.CacheClusterId), CacheNodeID: aws.ToString(n.CacheNodeId),
				NodeGroup: aws.ToString(shard.NodeGroupId), Role: aws.ToString(n.CurrentRole), AvailabilityZone: aws.ToString(n.PreferredAvailabilityZone)})
		}
	}
	r.state.Membership = &m
	if len(m.Nodes) == 0 {
		return nil
	}
	// All members are of one engine version and node type, which only the members themselves tell in full.
	out, err := r.aws.ElastiCache.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: &m.Nodes[0].CacheClusterID})
	if err != nil || len(out.CacheClusters) == 0 {
		r.warn("the engine version is not known: describe cache cluster %s: %v", m.Nodes[0].CacheClusterID, err)
		return nil
	}
	c := out.CacheClusters[0]
	m.Engine, m.EngineVersion, m.NodeType = aws.ToString(c.Engine), aws.ToString(c.EngineVersion), aws.ToString(c.CacheNodeType)
	return nil
}

// findMembership names the nodes after what CloudWatch lists, for a cache that was gone before anybody looked.
func (r *run) findMembership(ctx context.Context) error {
	id := r.cfg.Cache.ReplicationGroup
	nodes, err := export.FindNodes(ctx, r.aws.CloudWatch, r.clock, id)
	if err != nil {
		return err
	}
	r.warn("replication group %s was gone before it was described: %d nodes are named after CloudWatch's metrics", id, len(nodes))
	r.state.Membership = &export.Membership{ReplicationGroup: id, Nodes: nodes}
	return nil
}

func endpoint(group *types.ReplicationGroup) string {
	e := group.ConfigurationEndpoint
	if e == nil && len(group.NodeGroups) > 0 {
		e = group.NodeGroups[0].PrimaryEndpoint
	}
	if e == nil {
		return ""
	}
	return net.JoinHostPort(aws.ToString(e.Address), strconv.Itoa(int(aws.ToInt32(e.Port))))
}

// deleteCache deletes the cache if the stack made it and this run owns it. A cache that is being created or modified cannot be deleted:
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteReplicationGroup.html
func (r *run) deleteCache(ctx context.Context) error {
	if !r.cfg.Cache.Delete || r.cfg.Cache.ReplicationGroup == "" {
		r.gone = true
		return nil
	}
	group, err := r.replicationGroup(ctx)
	if err != nil {
		return err
	}
	if r.gone = group == nil; r.gone {
		return nil
	}
	if aws.ToString(group.Status) == "deleting" {
		r.deleting()
		return nil
	}
	id, status := r.cfg.Cache.ReplicationGroup, aws.ToString(group.Status)
	tags, err := r.aws.ElastiCache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: group.ARN})
	if errorCode(err) == "InvalidReplicationGroupState" {
		return pending(fmt.Sprintf("replication group %s is %s", id, status))
	}
	if err != nil {
		return fmt.Errorf("read the tags of replication group %s, which say whose it is: %w", id, err)
	}
	var owner string
	for _, t := range tags.TagList {
		if aws.ToString(t.Key) == "run" {
			owner = aws.ToString(t.Value)
		}
	}
	if owner != r.id {
		return fmt.Errorf("replication group %s has the tag run=%q, not %q: it was not created by this run and is not deleted; run `mage destroy` or delete it by hand", id, owner, r.id)
	}
	_, err = r.aws.ElastiCache.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &id, RetainPrimaryCluster: aws.Bool(false)})
	switch {
	case notFound(err):
		r.gone = true
	case errorCode(err) == "InvalidReplicationGroupState":
		return pending(fmt.Sprintf("replication group %s is %s and cannot be deleted yet", id, status))
	case err != nil:
		return fmt.Errorf("delete replication group %s: %w", id, err)
	default:
		r.deleting()
	}
	return nil
}

// deleting puts on record since when the cache no longer costs money, as far as this side knows: nodes are billed until they are terminated.
// https://aws.amazon.com/elasticache/pricing/
func (r *run) deleting() {
	if m := r.state.Membership; m != nil && m.DeletionRequestedAt == nil {
		now := r.clock.Now().UTC().Truncate(time.Second)
		m.DeletionRequestedAt = &now
	}
}
