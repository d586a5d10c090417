package elasticache

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// nodeID: a Redis or Valkey cache cluster has one node.
const nodeID = "0001"

type createGroupIn struct {
	ReplicationGroupId                                       string `wire:",required"`
	ReplicationGroupDescription                              string `wire:",required"`
	Engine, EngineVersion, CacheNodeType                     *string
	CacheParameterGroupName, CacheSubnetGroupName            *string
	SecurityGroupIds                                         []string
	Port                                                     *int
	NumCacheClusters, NumNodeGroups, ReplicasPerNodeGroup    *int
	PreferredCacheClusterAZs                                 []string
	AutomaticFailoverEnabled, MultiAZEnabled                 *bool
	AutoMinorVersionUpgrade, DataTieringEnabled              *bool
	AtRestEncryptionEnabled, TransitEncryptionEnabled        *bool
	TransitEncryptionMode, KmsKeyId, AuthToken               *string
	ClusterMode, NetworkType, IpDiscovery                    *string
	NotificationTopicArn                                     *string
	PreferredMaintenanceWindow, SnapshotWindow               *string
	SnapshotRetentionLimit                                   *int
	LogDeliveryConfigurations                                []deliveryIn
	Tags                                                     []tagset.Tag
	UserGroupIds, CacheSecurityGroupNames, SnapshotArns      []string
	SnapshotName, PrimaryClusterId, GlobalReplicationGroupId *string
}

type groupOut struct{ ReplicationGroup groupShape }

func is(b *bool) bool { return b != nil && *b }

// given is a member that has a text, or nil.
func given(s *string) *string {
	if text(s) == "" {
		return nil
	}
	return s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func number(n *int, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return *n
}

// createReplicationGroup checks everything, reserves addresses, and answers. Nodes start afterwards.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
func (s *Service) createReplicationGroup(_ context.Context, in *createGroupIn) (_ *groupOut, err error) {
	for name, given := range map[string]bool{"CacheSecurityGroupNames": len(in.CacheSecurityGroupNames) > 0,
		"SnapshotArns": len(in.SnapshotArns) > 0, "SnapshotName": text(in.SnapshotName) != "", "PrimaryClusterId": text(in.PrimaryClusterId) != "",
		"GlobalReplicationGroupId": text(in.GlobalReplicationGroupId) != ""} {
		if given {
			return nil, invalidCombination("localaws does not serve %s: leave it out.", name)
		}
	}
	id, err := checkID("ReplicationGroupId", in.ReplicationGroupId, 40)
	if err != nil {
		return nil, err
	}
	g := &group{id: id, description: in.ReplicationGroupDescription, status: "creating", created: s.acct.Clock.Now(), topic: text(in.NotificationTopicArn), topicStatus: "active",
		autoUpgrade: in.AutoMinorVersionUpgrade == nil || *in.AutoMinorVersionUpgrade, failover: is(in.AutomaticFailoverEnabled), multiAZ: is(in.MultiAZEnabled),
		tls: is(in.TransitEncryptionEnabled), kmsKey: text(in.KmsKeyId), dataTiering: is(in.DataTieringEnabled), port: number(in.Port, 6379), authToken: text(in.AuthToken)}
	if g.authToken != "" {
		g.authModified = g.created
	}
	if err := s.checkServer(g, in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if err := s.place(g, in); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	parameters := s.parameters[g.parameters]
	s.mu.Unlock()
	if err := s.ready(g); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			g.giveUp()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, wire.Errorf(500, "InternalFailure", "localaws is stopping")
	}
	if s.groups[g.id] != nil {
		return nil, exists(g.id)
	}
	for _, n := range g.nodes() {
		n.release = s.network.Attach("ElastiCache "+n.id, n.subnet, g.securityGroups)
	}
	s.groups[g.id] = g
	s.note("replication-group", g.id, "Replication group %s is being created", g.id)
	settings := parameters.effective()
	s.background(func() { s.bring(g, settings) })
	return &groupOut{s.shape(g)}, nil
}

// ready claims what a group's nodes need on this machine. The caller does not hold the mutex, because it listens for a moment; giveUp lets go of it.
func (s *Service) ready(g *group) error {
	if err := s.binaries().check(g, s.acct.Tools); err != nil {
		return err
	}
	if err := claim(g); err != nil {
		g.giveUp()
		return err
	}
	s.equip(g)
	return nil
}

func exists(id string) error {
	return wire.Errorf(400, "ReplicationGroupAlreadyExists", "Replication group %s already exists.", id)
}

var (
	// password: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
	password    = regexp.MustCompile(`^[a-zA-Z0-9!&#$^<>-]{16,128}$`)
	dailyWindow = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)
	weekWindow  = regexp.MustCompile(`^(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d-(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d$`)
)

// checkServer checks what needs no other resource.
func (s *Service) checkServer(g *group, in *createGroupIn) (err error) {
	engine := strings.ToLower(text(in.Engine))
	if engine == "" {
		engine = "redis"
	}
	if g.version, err = findVersion(engine, text(in.EngineVersion)); err != nil {
		return err
	}
	if in.CacheNodeType == nil {
		return invalidValue("The parameter CacheNodeType must be provided and must not be blank.")
	}
	if g.nodeType, err = findNodeType(*in.CacheNodeType, engine); err != nil {
		return err
	}
	g.atRest = is(in.AtRestEncryptionEnabled) || in.AtRestEncryptionEnabled == nil && engine == "valkey"
	g.snapshotRetention = number(in.SnapshotRetentionLimit, 0)
	if g.snapshotWindow = text(in.SnapshotWindow); g.snapshotWindow == "" {
		g.snapshotWindow = "03:00-04:00"
	}
	if g.maintenanceWindow = strings.ToLower(text(in.PreferredMaintenanceWindow)); g.maintenanceWindow == "" {
		g.maintenanceWindow = "sun:05:00-sun:06:00"
	}
	tiered := strings.HasPrefix(g.nodeType.name, "cache.r6gd.")
	switch mode := text(in.TransitEncryptionMode); {
	case g.port < 1 || g.port > 65535:
		return invalidValue("The parameter Port must be between 1 and 65535: it is %d.", g.port)
	case mode == "preferred":
		return invalidCombination("localaws has no TransitEncryptionMode preferred, where one port takes both plain and encrypted connections: take required.")
	case mode != "" && mode != "required":
		return invalidValue("Invalid value for TransitEncryptionMode: %s. Valid values are preferred and required.", mode)
	case mode != "" && !g.tls:
		return invalidCombination("TransitEncryptionMode cannot be set when TransitEncryptionEnabled is not true.")
	case g.authToken != "" && !g.tls:
		return invalidCombination("The AUTH token is only supported when encryption-in-transit is enabled: set TransitEncryptionEnabled, or leave AuthToken out.")
	case in.AuthToken != nil && !password.MatchString(g.authToken):
		return invalidValue("Invalid AuthToken provided: it must have 16 to 128 letters, digits and of the characters ! & # $ ^ < > -")
	case g.kmsKey != "" && !g.atRest:
		return invalidCombination("KmsKeyId cannot be set when AtRestEncryptionEnabled is not true.")
	case tiered != g.dataTiering:
		return invalidCombination("Data tiering must be enabled for cache.r6gd node types and for no other: DataTieringEnabled is %t for %s.", g.dataTiering, g.nodeType.name)
	case tiered && !g.version.atLeast("6.2"):
		return invalidCombination("Data tiering needs engine version 6.2 or later, not %s.", g.version.full)
	case g.snapshotRetention < 0 || g.snapshotRetention > 35:
		return invalidValue("The parameter SnapshotRetentionLimit must be between 0 and 35: it is %d.", g.snapshotRetention)
	case !slices.Contains([]string{"", "ipv4"}, text(in.NetworkType)) || !slices.Contains([]string{"", "ipv4"}, text(in.IpDiscovery)):
		return invalidCombination("localaws has IPv4 only: NetworkType is %q and IpDiscovery %q.", text(in.NetworkType), text(in.IpDiscovery))
	}
	if err := checkWindows(g.snapshotWindow, g.maintenanceWindow); err != nil {
		return err
	}
	if err := checkTopic(g.topic); err != nil {
		return err
	}
	if g.tags, err = tagset.Add(tagRules, nil, in.Tags); err != nil {
		return err
	}
	g.deliveries, err = s.deliver(nil, in.LogDeliveryConfigurations, g)
	return err
}

func checkTopic(arn string) error {
	if arn != "" && !strings.HasPrefix(arn, "arn:aws:sns:") {
		return invalidValue("Invalid ARN for NotificationTopicArn: %s.", arn)
	}
	return nil
}

func checkWindows(snapshot, maintenance string) error {
	if !dailyWindow.MatchString(snapshot) {
		return invalidValue("The snapshot window %s is not valid: it must be hh24:mi-hh24:mi in UTC.", snapshot)
	}
	if !weekWindow.MatchString(maintenance) {
		return invalidValue("The maintenance window %s is not valid: it must be ddd:hh24:mi-ddd:hh24:mi in UTC.", maintenance)
	}
	begin, _ := time.Parse("15:04", snapshot[:5])
	end, _ := time.Parse("15:04", snapshot[6:])
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	length := (end.Sub(begin) + day) % day
	if length < time.Hour {
		return invalidValue("The snapshot window %s must be at least 60 minutes long.", snapshot)
	}
	from := weekTime(maintenance[:9])
	upkeep := (weekTime(maintenance[10:]) - from + week) % week
	if upkeep < time.Hour {
		return invalidValue("The maintenance window %s must be at least 60 minutes long.", maintenance)
	}
	// https://github.com/hashicorp/terraform/issues/17247
	daily := time.Duration(begin.Hour())*time.Hour + time.Duration(begin.Minute())*time.Minute
	if after := (daily - from%day + day) % day; after < upkeep || (day-after)%day < length {
		return invalidValue("The snapshot window %s and maintenance window %s must not overlap.", snapshot, maintenance)
	}
	return nil
}

// weekTime is the time in the week of a text such as "sun:05:00", whose form was checked.
func weekTime(text string) time.Duration {
	at, _ := time.Parse("15:04", text[4:])
	return time.Duration(strings.Index("sunmontuewedthufrisat", text[:3])/3)*24*time.Hour + time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}

// place checks the group against subnets, security groups and parameters, and decides its members; the mutex is held.
func (s *Service) place(g *group, in *createGroupIn) error {
	if s.groups[g.id] != nil {
		return exists(g.id)
	}
	sg, err := s.findSubnets(orDefault(in.CacheSubnetGroupName))
	if err != nil {
		return err
	}
	g.subnetGroup = sg.name
	if err := s.checkSecurityGroups(in.SecurityGroupIds, sg.vpc); err != nil {
		return err
	}
	g.securityGroups = in.SecurityGroupIds
	name := text(in.CacheParameterGroupName)
	if name == "" {
		if name = "default." + g.version.family; text(in.ClusterMode) == "enabled" || number(in.NumNodeGroups, 1) > 1 {
			name += ".cluster.on"
		}
	}
	p, err := s.findParameters(name)
	if err != nil {
		return err
	}
	if p.family != g.version.family {
		return invalidCombination("Expected a parameter group of family %s but found one of family %s", g.version.family, p.family)
	}
	g.parameters, g.clusterMode = p.name, p.get("cluster-enabled") == "yes"
	shards, perShard, err := layout(g, in)
	if err != nil {
		return err
	}
	if zones := in.PreferredCacheClusterAZs; len(zones) > 0 {
		if shards > 1 { // https://github.com/hashicorp/terraform-provider-aws/issues/1271
			return invalidCombination("PreferredCacheClusterAZs can only be specified for one node group: there are %d.", shards)
		}
		if len(zones) != shards*perShard {
			return invalidCombination("The number of PreferredCacheClusterAZs, %d, must be that of cache clusters, %d.", len(zones), shards*perShard)
		}
		for _, z := range zones {
			if !slices.ContainsFunc(sg.subnets, func(id string) bool { sub, _ := s.network.Subnet(id); return sub.AZ == z }) {
				return invalidCombination("The cache subnet group %s has no subnet in availability zone %s.", sg.name, z)
			}
		}
	}
	if err := s.give(g, in.UserGroupIds...); err != nil {
		return err
	}
	s.members(g, shards, perShard, sg.subnets, in.PreferredCacheClusterAZs)
	return nil
}

func orDefault(name *string) string {
	if n := text(name); n != "" {
		return n
	}
	return "default" // of the default VPC, which is not here
}

func (s *Service) checkSecurityGroups(ids []string, vpc string) error {
	for _, id := range ids {
		sg, ok := s.network.SecurityGroup(id)
		if !ok {
			return invalidValue("Some security groups do not exist: %s.", id)
		}
		if sg.VPC != vpc {
			return invalidCombination("The security group %s is in %s and the cache subnet group in %s.", id, sg.VPC, vpc)
		}
	}
	return nil
}

// layout returns the number of shards and of nodes in each, by the rules of the cluster mode.
func layout(g *group, in *createGroupIn) (shards, perShard int, err error) {
	mode := text(in.ClusterMode)
	switch {
	case mode == "compatible":
		return 0, 0, invalidCombination("localaws has no cluster mode compatible, which is for migration only: take enabled or disabled.")
	case mode != "" && mode != "enabled" && mode != "disabled":
		return 0, 0, invalidValue("Invalid value for ClusterMode: %s. Valid values are enabled, disabled and compatible.", mode)
	case mode != "" && (mode == "enabled") != g.clusterMode:
		return 0, 0, invalidCombination("ClusterMode is %s, but cluster-enabled is otherwise in parameter group %s.", mode, g.parameters)
	case in.NumCacheClusters != nil && (in.ReplicasPerNodeGroup != nil || in.NumNodeGroups != nil && *in.NumNodeGroups > 1):
		return 0, 0, invalidCombination("Cannot specify NumCacheClusters together with NumNodeGroups or ReplicasPerNodeGroup.")
	}
	shards, perShard = number(in.NumNodeGroups, 1), 1+number(in.ReplicasPerNodeGroup, 0)
	if in.NumCacheClusters != nil {
		perShard = *in.NumCacheClusters
	}
	nodes := shards * perShard
	switch {
	case shards > 1 && !g.clusterMode:
		return 0, 0, invalidCombination("NumNodeGroups is %d: more than one needs a parameter group with cluster-enabled yes, and %s has no.", shards, g.parameters)
	case shards < 1 || shards > 500:
		return 0, 0, invalidValue("The parameter NumNodeGroups must be between 1 and 500: it is %d.", shards)
	case perShard < 1 || perShard > 6:
		return 0, 0, invalidValue("A node group has 0 to 5 replicas, not %d.", perShard-1)
	case nodes > 90: // https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
		return 0, 0, wire.Errorf(400, "NodeQuotaForClusterExceeded", "The request would make %d nodes, and the quota is 90 per cluster.", nodes)
	case g.clusterMode && !g.failover:
		return 0, 0, invalidCombination("%s with cluster mode enabled cannot be created with auto failover turned off.", g.version.engine)
	}
	return shards, perShard, checkFailover(g, perShard)
}

// checkFailover: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoFailover.html
func checkFailover(g *group, perShard int) error {
	if g.failover && !g.clusterMode && perShard < 2 {
		return invalidCombination("When using automatic failover, there must be at least 2 cache clusters in the replication group.")
	}
	if g.multiAZ && (!g.failover || perShard < 2) {
		return invalidCombination("Multi-AZ needs automatic failover and at least one replica in each node group.")
	}
	return nil
}
