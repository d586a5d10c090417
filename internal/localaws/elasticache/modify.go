package elasticache

import (
	"context"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type modifyGroupIn struct {
	ReplicationGroupId                                                string `wire:",required"`
	ReplicationGroupDescription                                       *string
	ApplyImmediately                                                  *bool
	AutoMinorVersionUpgrade, AutomaticFailoverEnabled, MultiAZEnabled *bool
	AuthToken, AuthTokenUpdateStrategy                                *string
	CacheNodeType, CacheParameterGroupName, Engine, EngineVersion     *string
	SecurityGroupIds                                                  []string
	LogDeliveryConfigurations                                         []deliveryIn
	NotificationTopicArn, NotificationTopicStatus                     *string
	PreferredMaintenanceWindow, SnapshotWindow                        *string
	SnapshotRetentionLimit                                            *int
	TransitEncryptionEnabled                                          *bool
	TransitEncryptionMode, ClusterMode, IpDiscovery                   *string
	NodeGroupId, PrimaryClusterId, SnapshottingClusterId              *string
	CacheSecurityGroupNames, UserGroupIdsToAdd, UserGroupIdsToRemove  []string
	RemoveUserGroups                                                  *bool
}

// modifyReplicationGroup applies changes to the running nodes.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html
func (s *Service) modifyReplicationGroup(_ context.Context, in *modifyGroupIn) (*groupOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.available(in.ReplicationGroupId)
	if err != nil {
		return nil, err
	}
	if err := s.refuseChange(g, in); err != nil {
		return nil, err
	}
	changed := *g // all is checked on a copy, so that a refused call changes nothing
	if err := s.change(&changed, in); err != nil {
		return nil, err
	}
	if len(in.SecurityGroupIds) > 0 {
		for _, n := range g.nodes() {
			n.release()
			n.release = s.network.Attach("ElastiCache "+n.id, n.subnet, changed.securityGroups)
		}
	}
	*g = changed
	g.status = "modifying"
	s.note("replication-group", g.id, "Replication group %s is being modified", g.id)
	settings := s.parameters[g.parameters].effective()
	out := &groupOut{s.shape(g)}
	s.background(func() { s.apply(g, settings) })
	return out, nil
}

func (s *Service) available(id string) (*group, error) {
	g, err := s.find(strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	if g.status != "available" {
		return nil, wire.Errorf(400, "InvalidReplicationGroupState", "Replication group %s has status %s which is not valid for modification.", g.id, g.status)
	}
	return g, nil
}

// refuseChange refuses changes that localaws cannot make to an existing group.
func (s *Service) refuseChange(g *group, in *modifyGroupIn) error {
	for name, given := range map[string]bool{
		"CacheSecurityGroupNames": len(in.CacheSecurityGroupNames) > 0, "UserGroupIdsToAdd": len(in.UserGroupIdsToAdd) > 0, "UserGroupIdsToRemove": len(in.UserGroupIdsToRemove) > 0,
		"RemoveUserGroups": is(in.RemoveUserGroups), "NodeGroupId": text(in.NodeGroupId) != "", "PrimaryClusterId": text(in.PrimaryClusterId) != "",
		"SnapshottingClusterId":    text(in.SnapshottingClusterId) != "",
		"TransitEncryptionEnabled": in.TransitEncryptionEnabled != nil && *in.TransitEncryptionEnabled != g.tls,
		"TransitEncryptionMode":    text(in.TransitEncryptionMode) != "" && !(g.tls && *in.TransitEncryptionMode == "required"),
		"ClusterMode":              text(in.ClusterMode) != "" && *in.ClusterMode != enabled(g.clusterMode),
		"IpDiscovery":              text(in.IpDiscovery) != "" && *in.IpDiscovery != "ipv4",
	} {
		if given {
			return invalidCombination("localaws does not change %s of a living replication group: replace %s.", name, g.id)
		}
	}
	if !is(in.ApplyImmediately) {
		for name, given := range map[string]bool{"CacheNodeType": in.CacheNodeType != nil, "Engine": in.Engine != nil, "EngineVersion": in.EngineVersion != nil,
			"AuthToken": in.AuthToken != nil, "LogDeliveryConfigurations": len(in.LogDeliveryConfigurations) > 0} {
			if given {
				return invalidCombination("%s changes with ApplyImmediately only: localaws has no maintenance windows to wait for.", name)
			}
		}
	}
	return nil
}

// change checks the request and sets what it asks for.
func (s *Service) change(g *group, in *modifyGroupIn) error {
	for _, v := range []struct {
		to   *string
		from *string
	}{{&g.description, in.ReplicationGroupDescription}, {&g.snapshotWindow, in.SnapshotWindow}, {&g.topic, in.NotificationTopicArn}, {&g.topicStatus, in.NotificationTopicStatus}} {
		if v.from != nil {
			*v.to = *v.from
		}
	}
	for _, v := range []struct {
		to   *bool
		from *bool
	}{{&g.autoUpgrade, in.AutoMinorVersionUpgrade}, {&g.failover, in.AutomaticFailoverEnabled}, {&g.multiAZ, in.MultiAZEnabled}} {
		if v.from != nil {
			*v.to = *v.from
		}
	}
	if in.PreferredMaintenanceWindow != nil {
		g.maintenanceWindow = strings.ToLower(*in.PreferredMaintenanceWindow)
	}
	g.snapshotRetention = number(in.SnapshotRetentionLimit, g.snapshotRetention)
	if g.snapshotRetention < 0 || g.snapshotRetention > 35 {
		return invalidValue("The parameter SnapshotRetentionLimit must be between 0 and 35: it is %d.", g.snapshotRetention)
	}
	if !slices.Contains([]string{"active", "inactive"}, g.topicStatus) {
		return invalidValue("Invalid value for NotificationTopicStatus: %s. Valid values are active and inactive.", g.topicStatus)
	}
	if err := checkTopic(g.topic); err != nil {
		return err
	}
	if err := checkWindows(g.snapshotWindow, g.maintenanceWindow); err != nil {
		return err
	}
	if g.clusterMode && !g.failover {
		return invalidCombination("Automatic failover cannot be turned off with cluster mode enabled.")
	}
	if err := checkFailover(g, len(g.shards[0].nodes)); err != nil {
		return err
	}
	if len(in.SecurityGroupIds) > 0 {
		if err := s.checkSecurityGroups(in.SecurityGroupIds, s.subnets[g.subnetGroup].vpc); err != nil {
			return err
		}
		g.securityGroups = in.SecurityGroupIds
	}
	if err := s.upgrade(g, in); err != nil {
		return err
	}
	if err := s.changeToken(g, in); err != nil {
		return err
	}
	deliveries, err := s.deliver(g.deliveries, in.LogDeliveryConfigurations, g)
	g.deliveries = deliveries
	return err
}

// upgrade changes engine, version, parameters and node type: versions go up only, and parameters stay in the family.
func (s *Service) upgrade(g *group, in *modifyGroupIn) (err error) {
	engine, asked := g.version.engine, g.version.short
	if text(in.Engine) != "" {
		engine = strings.ToLower(*in.Engine)
	}
	if text(in.EngineVersion) != "" {
		asked = *in.EngineVersion
	}
	if engine != g.version.engine && (engine != "valkey" || text(in.EngineVersion) == "") {
		return invalidCombination("The engine changes from redis to valkey only, together with EngineVersion.")
	}
	v, err := findVersion(engine, asked)
	if err != nil {
		return err
	}
	if !v.atLeast(g.version.full) {
		return invalidCombination("The engine version cannot be downgraded from %s to %s: replace %s.", g.version.full, v.full, g.id)
	}
	g.version = v
	if text(in.CacheParameterGroupName) != "" {
		p, err := s.findParameters(*in.CacheParameterGroupName)
		if err != nil {
			return err
		}
		if (p.get("cluster-enabled") == "yes") != g.clusterMode {
			return invalidCombination("cluster-enabled cannot change on a living replication group: it is otherwise in parameter group %s.", p.name)
		}
		g.parameters = p.name
	}
	if f := s.parameters[g.parameters].family; f != v.family {
		return invalidCombination("Expected a parameter group of family %s but found one of family %s", v.family, f)
	}
	if in.CacheNodeType != nil {
		t, err := findNodeType(*in.CacheNodeType, engine)
		if err != nil {
			return err
		}
		if strings.HasPrefix(t.name, "cache.r6gd.") != g.dataTiering {
			return invalidCombination("Node types with and without data tiering cannot be exchanged: %s and %s.", g.nodeType.name, t.name)
		}
		g.nodeType = t
	}
	return nil
}

// changeToken: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html#auth-modifyng-token
func (s *Service) changeToken(g *group, in *modifyGroupIn) error {
	if in.AuthToken == nil && in.AuthTokenUpdateStrategy == nil {
		return nil
	}
	token, strategy := text(in.AuthToken), text(in.AuthTokenUpdateStrategy)
	if strategy == "" {
		strategy = "ROTATE"
	}
	switch {
	case !g.tls:
		return invalidCombination("The AUTH token modification is only supported when encryption-in-transit is enabled.")
	case strategy == "DELETE":
		g.authToken, g.oldToken = "", ""
	case strategy != "ROTATE" && strategy != "SET":
		return invalidValue("Invalid value for AuthTokenUpdateStrategy: %s. Valid values are SET, ROTATE and DELETE.", strategy)
	case !password.MatchString(token):
		return invalidValue("Invalid AuthToken provided: it must have 16 to 128 letters, digits and of the characters ! & # $ ^ < > -")
	case strategy == "SET":
		g.authToken, g.oldToken = token, ""
	default:
		if g.authToken != token {
			g.oldToken = g.authToken
		}
		g.authToken = token
	}
	g.authModified = s.acct.Clock.Now()
	return nil
}

// apply brings a changed group to its nodes, then makes it available again.
func (s *Service) apply(g *group, settings []setting) {
	s.mu.Lock()
	login := []string{"ACL", "SETUSER", "default", "resetpass"}
	for _, t := range []string{g.authToken, g.oldToken} {
		if t != "" {
			login = append(login, ">"+t)
		}
	}
	if g.authToken == "" {
		login = append(login, "nopass")
	}
	token, size, nodes := g.tls && g.userGroup == "", g.nodeType, g.nodes()
	s.mu.Unlock()
	err := each(nodes, func(n *cacheNode) error {
		if token {
			if _, err := n.do(login...); err != nil {
				return err
			}
		}
		return n.configure(settings, size)
	})
	s.activate(g)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.status = "available"
	kind, noun := g.kind()
	if err != nil {
		s.note(kind, g.id, "%s %s was modified in part: %v", noun, g.id, err)
		return
	}
	s.note(kind, g.id, "%s %s was modified", noun, g.id)
}

type shardsIn struct {
	ReplicationGroupId string `wire:",required"`
	NodeGroupCount     *int
	ApplyImmediately   *bool
	NodeGroupsToRemove []string
	NodeGroupsToRetain []string
}

func (s *Service) modifyShards(_ context.Context, in *shardsIn) (*groupOut, error) {
	return nil, s.refuseScaling(in.ReplicationGroupId, "the number of shards")
}

type replicasIn struct {
	ReplicationGroupId string `wire:",required"`
	ApplyImmediately   *bool
	NewReplicaCount    *int
	ReplicasToRemove   []string
}

func (s *Service) increaseReplicas(_ context.Context, in *replicasIn) (*groupOut, error) {
	return nil, s.refuseScaling(in.ReplicationGroupId, "the number of replicas")
}

func (s *Service) decreaseReplicas(_ context.Context, in *replicasIn) (*groupOut, error) {
	return nil, s.refuseScaling(in.ReplicationGroupId, "the number of replicas")
}

// refuseScaling: a run measures one topology, so a changed one is a new group.
func (s *Service) refuseScaling(id, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.available(id)
	if err != nil {
		return err
	}
	return invalidCombination("localaws does not change %s of a living replication group: replace %s.", what, g.id)
}
