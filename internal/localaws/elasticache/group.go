package elasticache

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// group is a replication group or, with serverless set, a serverless cache. The service's mutex guards it.
type group struct {
	id, description, status           string
	created                           time.Time
	version                           engineVersion
	nodeType                          nodeType
	parameters, subnetGroup           string
	securityGroups                    []string
	port                              int
	clusterMode, failover, multiAZ    bool
	atRest, tls                       bool
	kmsKey, topic, topicStatus        string
	autoUpgrade                       bool
	dataTiering                       bool
	snapshotRetention                 int
	snapshotWindow, maintenanceWindow string
	authToken, oldToken               string // oldToken: still accepted after ROTATE
	authModified                      time.Time
	userGroup                         string // its users log in; without one it is ""
	shards                            []*shard
	deliveries                        []*delivery
	tags                              tagset.Set
	serverless                        *serverless
}

// kind is what DescribeEvents and people call it.
func (g *group) kind() (source, noun string) {
	if g.serverless != nil {
		return "serverless-cache", "Serverless cache"
	}
	return "replication-group", "Replication group"
}

type shard struct {
	id, slots string
	nodes     []*cacheNode // the primary first
}

func (g *group) nodes() []*cacheNode {
	var out []*cacheNode
	for _, sh := range g.shards {
		out = append(out, sh.nodes...)
	}
	return out
}

// Listener is an address that a cache listens on, and the cache's security groups.
type Listener struct {
	SecurityGroups []string
	Port           int
}

// Listeners returns the listeners of all caches, to decide which tasks can reach one.
func (s *Service) Listeners() []Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Listener
	for _, g := range s.all() {
		out = append(out, Listener{slices.Clone(g.securityGroups), g.port})
	}
	return out
}

// all are the replication groups and the serverless caches; the mutex is held.
func (s *Service) all() []*group {
	return slices.AppendSeq(slices.Collect(maps.Values(s.groups)), maps.Values(s.serverless))
}

func (s *Service) find(id string) (*group, error) {
	if g := s.groups[id]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf(404, "ReplicationGroupNotFoundFault", "ReplicationGroup %s not found.", id)
}

type endpoint struct {
	Address string
	Port    int
}

type memberShape struct {
	CacheClusterId, CacheNodeId, PreferredAvailabilityZone string
	CurrentRole                                            string    `wire:",omitempty"` // cluster mode has none here
	ReadEndpoint                                           *endpoint // nor this
}

type nodeGroupShape struct {
	NodeGroupId, Status             string
	Slots                           string `wire:",omitempty"`
	PrimaryEndpoint, ReaderEndpoint *endpoint
	NodeGroupMembers                []memberShape `wire:"NodeGroupMembers>NodeGroupMember"`
}

type pendingShape struct {
	AuthTokenStatus string `wire:",omitempty"`
}

type groupShape struct {
	ReplicationGroupId, Description, Status, ARN, Engine, CacheNodeType string
	MemberClusters                                                      []string         `wire:"MemberClusters>ClusterId"`
	NodeGroups                                                          []nodeGroupShape `wire:"NodeGroups>NodeGroup"`
	AutomaticFailover, MultiAZ, DataTiering, ClusterMode                string
	ConfigurationEndpoint                                               *endpoint
	SnapshotRetentionLimit                                              int
	SnapshotWindow                                                      string
	ClusterEnabled, AuthTokenEnabled                                    bool
	TransitEncryptionEnabled, AtRestEncryptionEnabled                   bool
	AutoMinorVersionUpgrade                                             bool
	TransitEncryptionMode, KmsKeyId                                     string `wire:",omitempty"`
	AuthTokenLastModifiedDate, ReplicationGroupCreateTime               *wire.Time
	LogDeliveryConfigurations                                           []deliveryShape `wire:"LogDeliveryConfigurations>LogDeliveryConfiguration"`
	NetworkType, IpDiscovery                                            string
	PendingModifiedValues                                               pendingShape
	UserGroupIds                                                        []string
}

func enabled(b bool) string {
	if b {
		return "enabled"
	}
	return "disabled"
}

// shape is a group in DescribeReplicationGroups. Endpoints are addresses instead of AWS's names; a group's reader
// endpoint is its first replica. A group that is being created has no endpoints.
func (s *Service) shape(g *group) groupShape {
	mode := ""
	if g.tls {
		mode = "required"
	}
	out := groupShape{ReplicationGroupId: g.id, Description: g.description, Status: g.status, ARN: s.acct.ARN("elasticache", "replicationgroup:"+g.id),
		Engine: g.version.engine, CacheNodeType: g.nodeType.name, MemberClusters: []string{}, NodeGroups: []nodeGroupShape{}, AutomaticFailover: enabled(g.failover), MultiAZ: enabled(g.multiAZ), DataTiering: enabled(g.dataTiering),
		ClusterMode: enabled(g.clusterMode), ClusterEnabled: g.clusterMode, SnapshotRetentionLimit: g.snapshotRetention, SnapshotWindow: g.snapshotWindow,
		AuthTokenEnabled: g.authToken != "", TransitEncryptionEnabled: g.tls, AtRestEncryptionEnabled: g.atRest, AutoMinorVersionUpgrade: g.autoUpgrade,
		TransitEncryptionMode: mode, KmsKeyId: g.kmsKey, AuthTokenLastModifiedDate: wire.At(g.authModified), ReplicationGroupCreateTime: wire.At(g.created),
		LogDeliveryConfigurations: shapeDeliveries(g), NetworkType: "ipv4", IpDiscovery: "ipv4", UserGroupIds: []string{}}
	if g.userGroup != "" {
		out.UserGroupIds = []string{g.userGroup}
	}
	if g.oldToken != "" {
		out.PendingModifiedValues.AuthTokenStatus = "ROTATING"
	}
	up := g.status != "creating"
	if up && g.clusterMode {
		out.ConfigurationEndpoint = &endpoint{g.shards[0].nodes[0].addr, g.port}
	}
	for _, sh := range g.shards {
		ng := nodeGroupShape{NodeGroupId: sh.id, Status: g.status, NodeGroupMembers: []memberShape{}}
		if g.clusterMode {
			ng.Slots = sh.slots
		} else if up {
			ng.PrimaryEndpoint, ng.ReaderEndpoint = &endpoint{sh.nodes[0].addr, g.port}, &endpoint{sh.nodes[min(1, len(sh.nodes)-1)].addr, g.port}
		}
		for i, n := range sh.nodes {
			out.MemberClusters = append(out.MemberClusters, n.id)
			m := memberShape{CacheClusterId: n.id, CacheNodeId: nodeID, PreferredAvailabilityZone: n.az}
			if !g.clusterMode {
				m.CurrentRole = []string{"primary", "replica"}[min(i, 1)]
				if up {
					m.ReadEndpoint = &endpoint{n.addr, g.port}
				}
			}
			ng.NodeGroupMembers = append(ng.NodeGroupMembers, m)
		}
		out.NodeGroups = append(out.NodeGroups, ng)
	}
	return out
}

type cacheNodeShape struct {
	CacheNodeId, CacheNodeStatus, ParameterGroupStatus, CustomerAvailabilityZone string
	CacheNodeCreateTime                                                          *wire.Time
	Endpoint                                                                     *endpoint
}

type parameterStatus struct {
	CacheParameterGroupName, ParameterApplyStatus string
	CacheNodeIdsToReboot                          []string `wire:"CacheNodeIdsToReboot>CacheNodeId"`
}

type securityGroupStatus struct{ SecurityGroupId, Status string }

type notificationShape struct{ TopicArn, TopicStatus string }

type clusterShape struct {
	CacheClusterId, CacheClusterStatus, CacheNodeType, Engine, EngineVersion, ARN, ReplicationGroupId string
	NumCacheNodes                                                                                     int
	PreferredAvailabilityZone, PreferredMaintenanceWindow                                             string
	CacheClusterCreateTime                                                                            *wire.Time
	NotificationConfiguration                                                                         *notificationShape
	CacheParameterGroup                                                                               parameterStatus
	CacheSubnetGroupName                                                                              string
	CacheNodes                                                                                        []cacheNodeShape `wire:"CacheNodes>CacheNode"`
	AutoMinorVersionUpgrade                                                                           bool
	SecurityGroups                                                                                    []securityGroupStatus
	CacheSecurityGroups                                                                               []none `wire:"CacheSecurityGroups>CacheSecurityGroup"`
	SnapshotRetentionLimit                                                                            int
	SnapshotWindow                                                                                    string
	AuthTokenEnabled, TransitEncryptionEnabled, AtRestEncryptionEnabled                               bool
	TransitEncryptionMode                                                                             string `wire:",omitempty"`
	AuthTokenLastModifiedDate                                                                         *wire.Time
	ReplicationGroupLogDeliveryEnabled                                                                bool
	LogDeliveryConfigurations                                                                         []deliveryShape `wire:"LogDeliveryConfigurations>LogDeliveryConfiguration"`
	NetworkType, IpDiscovery                                                                          string
	PendingModifiedValues                                                                             none
}

// shapeCluster is a node in DescribeCacheClusters. Log deliveries belong to its group.
func (s *Service) shapeCluster(g *group, n *cacheNode, nodes bool) clusterShape {
	mode := ""
	if g.tls {
		mode = "required"
	}
	out := clusterShape{CacheClusterId: n.id, CacheClusterStatus: g.status, CacheNodeType: g.nodeType.name, Engine: g.version.engine, EngineVersion: g.version.full,
		ARN: s.acct.ARN("elasticache", "cluster:"+n.id), ReplicationGroupId: g.id, NumCacheNodes: 1, PreferredAvailabilityZone: n.az,
		PreferredMaintenanceWindow: g.maintenanceWindow, CacheClusterCreateTime: wire.At(g.created),
		CacheParameterGroup:  parameterStatus{g.parameters, "in-sync", []string{}},
		CacheSubnetGroupName: g.subnetGroup, AutoMinorVersionUpgrade: g.autoUpgrade, SecurityGroups: []securityGroupStatus{}, CacheSecurityGroups: []none{},
		SnapshotRetentionLimit: g.snapshotRetention, SnapshotWindow: g.snapshotWindow, AuthTokenEnabled: g.authToken != "",
		TransitEncryptionEnabled: g.tls, AtRestEncryptionEnabled: g.atRest, TransitEncryptionMode: mode, AuthTokenLastModifiedDate: wire.At(g.authModified),
		ReplicationGroupLogDeliveryEnabled: len(g.deliveries) > 0, LogDeliveryConfigurations: []deliveryShape{}, NetworkType: "ipv4", IpDiscovery: "ipv4"}
	for _, id := range g.securityGroups {
		out.SecurityGroups = append(out.SecurityGroups, securityGroupStatus{id, "active"})
	}
	if g.topic != "" {
		out.NotificationConfiguration = &notificationShape{g.topic, g.topicStatus}
	}
	if nodes {
		cn := cacheNodeShape{CacheNodeId: nodeID, CacheNodeStatus: g.status, ParameterGroupStatus: "in-sync", CustomerAvailabilityZone: n.az, CacheNodeCreateTime: wire.At(g.created)}
		if g.status != "creating" {
			cn.Endpoint = &endpoint{n.addr, g.port}
		}
		out.CacheNodes = []cacheNodeShape{cn}
	}
	return out
}

// members places a group's nodes: member ids are id-001, in cluster mode id-0001-001, over the subnets in turn.
func (s *Service) members(g *group, shards, perShard int, subnets []string, zones []string) {
	i := 0
	for sh := range shards {
		of := &shard{id: fmt.Sprintf("%04d", sh+1), slots: fmt.Sprintf("%d-%d", 16384*sh/shards, 16384*(sh+1)/shards-1)}
		for r := range perShard {
			id := fmt.Sprintf("%s-%03d", g.id, r+1)
			if g.clusterMode {
				id = fmt.Sprintf("%s-%s-%03d", g.id, of.id, r+1)
			}
			subnet := subnets[(sh+r)%len(subnets)]
			if len(zones) > 0 {
				subnet = subnets[slices.IndexFunc(subnets, func(x string) bool { sub, _ := s.network.Subnet(x); return sub.AZ == zones[i] })]
			}
			sub, _ := s.network.Subnet(subnet)
			of.nodes = append(of.nodes, &cacheNode{id: id, subnet: subnet, az: sub.AZ})
			i++
		}
		g.shards = append(g.shards, of)
	}
}
