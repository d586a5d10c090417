package elasticache

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// serverless is what only a serverless cache has. Otherwise it is a group: one server in cluster mode behind TLS.
type serverless struct {
	limits        *usageLimits
	subnets       []string
	dailySnapshot string
}

// usageLimits is returned as it was given; what was left out stays out.
type usageLimits struct {
	DataStorage   *dataStorage
	ECPUPerSecond *ecpuPerSecond
}

type dataStorage struct {
	Maximum, Minimum *int
	Unit             string `wire:",required"`
}

type ecpuPerSecond struct{ Maximum, Minimum *int }

// readerPort is where AWS serves eventually consistent reads; nothing listens on it here.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ReadReplicas.html
const readerPort = 6380

type serverlessShape struct {
	ServerlessCacheName, Description, Status, ARN      string
	Engine, MajorEngineVersion, FullEngineVersion      string
	CreateTime                                         *wire.Time
	CacheUsageLimits                                   *usageLimits
	KmsKeyId, UserGroupId                              string   `wire:",omitempty"`
	SecurityGroupIds                                   []string `wire:"SecurityGroupIds>SecurityGroupId"`
	SubnetIds                                          []string `wire:"SubnetIds>SubnetId"`
	Endpoint, ReaderEndpoint                           *endpoint
	SnapshotRetentionLimit                             int
	DailySnapshotTime                                  string `wire:",omitempty"`
	NetworkType, ConnectionType, StorageEncryptionType string
}

type serverlessOut struct{ ServerlessCache serverlessShape }

// major is the version that a caller asks for: 7 for 7.2.6.
func (v engineVersion) major() string { return v.full[:strings.IndexByte(v.full, '.')] }

// shapeServerless is a cache in DescribeServerlessCaches. Its states are lower case, unlike in the API reference:
// https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/elasticache/serverless_cache.go waits for these.
func (s *Service) shapeServerless(g *group) serverlessShape {
	out := serverlessShape{ServerlessCacheName: g.id, Description: g.description, Status: g.status, ARN: s.acct.ARN("elasticache", "serverlesscache:"+g.id),
		Engine: g.version.engine, MajorEngineVersion: g.version.major(), FullEngineVersion: g.version.short, CreateTime: wire.At(g.created),
		CacheUsageLimits: g.serverless.limits, KmsKeyId: g.kmsKey, UserGroupId: g.userGroup, SecurityGroupIds: g.securityGroups, SubnetIds: g.serverless.subnets,
		SnapshotRetentionLimit: g.snapshotRetention, DailySnapshotTime: g.serverless.dailySnapshot, NetworkType: "ipv4", ConnectionType: "vpc", StorageEncryptionType: "sse-elasticache"}
	if g.kmsKey != "" {
		out.StorageEncryptionType = "sse-kms"
	}
	if g.status != "creating" {
		addr := g.nodes()[0].addr
		out.Endpoint, out.ReaderEndpoint = &endpoint{addr, g.port}, &endpoint{addr, readerPort}
	}
	return out
}

func (s *Service) findServerless(name string) (*group, error) {
	if g := s.serverless[strings.ToLower(name)]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf(404, "ServerlessCacheNotFoundFault", "Serverless cache %s not found.", name)
}

type createServerlessIn struct {
	ServerlessCacheName             string `wire:",required"`
	Engine                          string `wire:",required"`
	Description, MajorEngineVersion *string
	CacheUsageLimits                *usageLimits
	KmsKeyId, UserGroupId           *string
	SecurityGroupIds                []string
	SubnetIds                       []string
	SnapshotArnsToRestore           []string
	SnapshotRetentionLimit          *int
	DailySnapshotTime               *string
	NetworkType, ConnectionType     *string
	Tags                            []tagset.Tag
}

// quotaServerless: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
const quotaServerless = 40

// kmsKey is a key's ARN, id or alias. Whether the key exists is not checked: KMS is not served.
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts-key-id.html
var kmsKey = regexp.MustCompile(`^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/.+|(mrk-)?[0-9a-f-]{32,36}|alias/.+)$`)

// createServerless checks everything, reserves an address, and answers. The server starts afterwards.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html
func (s *Service) createServerless(_ context.Context, in *createServerlessIn) (_ *serverlessOut, err error) {
	name, err := checkID("ServerlessCacheName", in.ServerlessCacheName, 40)
	if err != nil {
		return nil, err
	}
	g := &group{id: name, status: "creating", created: s.acct.Clock.Now(), clusterMode: true, tls: true, atRest: true, port: 6379, kmsKey: text(in.KmsKeyId), serverless: &serverless{}}
	if g.version, err = findMajor(in.Engine, text(in.MajorEngineVersion)); err != nil {
		return nil, err
	}
	switch {
	case g.kmsKey != "" && !kmsKey.MatchString(g.kmsKey):
		return nil, invalidValue("The parameter KmsKeyId is not the ARN of a KMS key: %s.", g.kmsKey)
	case len(in.SnapshotArnsToRestore) > 0:
		return nil, invalidCombination("localaws keeps no snapshots: leave SnapshotArnsToRestore out.")
	case !slices.Contains([]string{"", "ipv4"}, text(in.NetworkType)):
		return nil, invalidCombination("localaws has IPv4 only: NetworkType is %q.", *in.NetworkType)
	case !slices.Contains([]string{"", "vpc"}, text(in.ConnectionType)):
		return nil, invalidCombination("localaws has ConnectionType vpc only, not %q.", *in.ConnectionType)
	}
	if err := g.setServerless(in.Description, in.CacheUsageLimits, in.SnapshotRetentionLimit, in.DailySnapshotTime); err != nil {
		return nil, err
	}
	if g.tags, err = tagset.Add(tagRules, nil, in.Tags); err != nil {
		return nil, err
	}
	if err := s.placeServerless(g, in); err != nil {
		return nil, err
	}
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
	switch {
	case s.closed:
		return nil, wire.Errorf(500, "InternalFailure", "localaws is stopping")
	case s.serverless[g.id] != nil:
		return nil, wire.Errorf(400, "ServerlessCacheAlreadyExistsFault", "Serverless cache %s already exists.", g.id)
	case len(s.serverless) >= s.quota:
		return nil, wire.Errorf(400, "ServerlessCacheQuotaForCustomerExceededFault", "The quota of %d serverless caches per customer is reached.", s.quota)
	}
	if id := text(in.UserGroupId); id != "" {
		if err := s.give(g, id); err != nil {
			return nil, err
		}
	}
	s.attachServerless(g)
	s.serverless[g.id] = g
	s.note("serverless-cache", g.id, "Serverless cache %s is being created", g.id)
	s.background(func() { s.bring(g, serverlessSettings) })
	return &serverlessOut{s.shapeServerless(g)}, nil
}

// findMajor gives the newest version of a major one, or of the engine. Serverless starts with version 7.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html
func findMajor(engine, major string) (engineVersion, error) {
	if engine != "redis" && engine != "valkey" {
		return engineVersion{}, invalidValue("Invalid cache engine: %s. localaws has redis and valkey.", engine)
	}
	for _, v := range slices.Backward(engineVersions) {
		if v.engine == engine && v.major() >= "7" && (major == "" || major == v.major()) {
			return v, nil
		}
	}
	return engineVersion{}, invalidValue("Invalid MajorEngineVersion for %s: %s. It is a major version alone: 7 for redis; 7, 8 or 9 for valkey.", engine, major)
}

// snapshotTime: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html
var snapshotTime = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)

// setServerless checks and sets what create and modify share; nil means not requested.
func (g *group) setServerless(description *string, limits *usageLimits, retention *int, daily *string) error {
	if description != nil {
		if g.description = *description; len(g.description) > 255 || strings.ContainsAny(g.description, "<>") {
			return invalidValue("The parameter Description must have at most 255 characters and neither < nor >.")
		}
	}
	g.snapshotRetention = number(retention, g.snapshotRetention)
	if g.snapshotRetention < 0 || g.snapshotRetention > 35 {
		return invalidValue("The parameter SnapshotRetentionLimit must be between 0 and 35: it is %d.", g.snapshotRetention)
	}
	if text(daily) != "" {
		if !snapshotTime.MatchString(*daily) {
			return invalidValue("The parameter DailySnapshotTime must be hh24:mi in UTC: it is %s.", *daily)
		}
		g.serverless.dailySnapshot = *daily
	}
	if limits == nil {
		limits = &usageLimits{} // nothing asked for
	}
	merged := usageLimits{}
	if g.serverless.limits != nil {
		merged = *g.serverless.limits
	}
	// Bounds: https://docs.aws.amazon.com/cdk/api/v2/docs/aws-elasticache-alpha-readme.html and the provider's validators.
	if d := limits.DataStorage; d != nil {
		if d.Unit != "GB" {
			return invalidValue("Invalid value for DataStorage.Unit: %s. It is GB.", d.Unit)
		}
		if err := checkRange("DataStorage", d.Minimum, d.Maximum, 1, maxStorage); err != nil {
			return err
		}
		merged.DataStorage = d
	}
	if e := limits.ECPUPerSecond; e != nil {
		if err := checkRange("ECPUPerSecond", e.Minimum, e.Maximum, 1000, 15_000_000); err != nil {
			return err
		}
		merged.ECPUPerSecond = e
	}
	gigabytes := maxStorage
	if merged.DataStorage != nil {
		gigabytes = number(merged.DataStorage.Maximum, gigabytes)
	}
	g.nodeType.memory = float64(gigabytes) * (1 << 30)
	if merged != (usageLimits{}) {
		g.serverless.limits = &merged
	}
	return nil
}

// maxStorage is in GB.
const maxStorage = 5000

func checkRange(what string, minimum, maximum *int, least, most int) error {
	for _, v := range []*int{minimum, maximum} {
		if v != nil && (*v < least || *v > most) {
			return invalidValue("CacheUsageLimits.%s must be between %d and %d: it is %d.", what, least, most, *v)
		}
	}
	if minimum != nil && maximum != nil && *minimum > *maximum {
		return invalidCombination("CacheUsageLimits.%s has a Minimum, %d, above its Maximum, %d.", what, *minimum, *maximum)
	}
	return nil
}

// placeServerless checks subnets and security groups. The cache is reached by an interface endpoint, which has at most
// one subnet in each Availability Zone: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
// Two or three subnets: ElastiCache takes as many when none is named, and callers saw it insist on that
// (https://github.com/Pocket/terraform-modules ElasticacheServerlessCluster).
func (s *Service) placeServerless(g *group, in *createServerlessIn) error {
	if n := len(in.SubnetIds); n == 0 {
		return invalidValue("No default VPC for this user: SubnetIds must name two or three subnets.")
	} else if n < 2 || n > 3 {
		return invalidValue("The parameter SubnetIds must have two or three subnets: it has %d.", n)
	}
	vpc, zones := "", map[string]string{}
	for _, id := range in.SubnetIds {
		sub, ok := s.network.Subnet(id)
		switch other := zones[sub.AZ]; {
		case !ok:
			return invalidValue("The subnet ID '%s' does not exist.", id)
		case vpc != "" && vpc != sub.VPC:
			return invalidValue("All subnets must be in one VPC: %s is in %s, the ones before it in %s.", id, sub.VPC, vpc)
		case other != "":
			return invalidValue("The subnets %s and %s are both in %s: a serverless cache has one in each Availability Zone.", other, id, sub.AZ)
		}
		vpc, zones[sub.AZ] = sub.VPC, id
	}
	if err := s.checkSecurityGroups(in.SecurityGroupIds, vpc); err != nil {
		return err
	}
	g.serverless.subnets, g.securityGroups = in.SubnetIds, in.SecurityGroupIds
	if len(g.securityGroups) == 0 {
		g.securityGroups = []string{s.network.DefaultSecurityGroup(vpc)}
	}
	first, _ := s.network.Subnet(in.SubnetIds[0])
	g.shards = []*shard{{id: "0001", slots: "0-16383", nodes: []*cacheNode{{id: g.id + ".serverless", subnet: first.ID, az: first.AZ}}}} // no node's id has a dot
	return nil
}

// attachServerless takes an interface in each subnet; the mutex is held.
func (s *Service) attachServerless(g *group) {
	var releases []func()
	for _, subnet := range g.serverless.subnets {
		releases = append(releases, s.network.Attach("ElastiCache "+g.id, subnet, g.securityGroups))
	}
	g.nodes()[0].release = func() {
		for _, release := range releases {
			release()
		}
	}
}

// serverlessSettings: at its DataStorage maximum, a cache evicts keys that have a time to live, least recently used first.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html
var serverlessSettings = []setting{{name: "maxmemory-policy", value: "volatile-lru"}, {name: "reserved-memory-percent", value: "0"}}

type describeServerlessIn struct {
	ServerlessCacheName *string
	NextToken           string
	MaxResults          *int
}

type describeServerlessOut struct {
	ServerlessCaches []serverlessShape
	NextToken        string `wire:",omitempty"`
}

// describeServerless returns up to 50 caches a page.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeServerlessCaches.html
func (s *Service) describeServerless(_ context.Context, in *describeServerlessIn) (*describeServerlessOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.serverless))
	if text(in.ServerlessCacheName) != "" {
		g, err := s.findServerless(*in.ServerlessCacheName)
		if err != nil {
			return nil, err
		}
		names = []string{g.id}
	}
	limit, ok := paging.Size(in.MaxResults, 50, 1, 50)
	if !ok {
		return nil, invalidValue("The parameter MaxResults must be between 1 and 50: it is %d.", limit)
	}
	names, next, ok := paging.Names(names, limit, in.NextToken)
	if !ok {
		return nil, invalidValue("The parameter NextToken %q is not one of this list.", in.NextToken)
	}
	out := &describeServerlessOut{ServerlessCaches: []serverlessShape{}, NextToken: next}
	for _, name := range names {
		out.ServerlessCaches = append(out.ServerlessCaches, s.shapeServerless(s.serverless[name]))
	}
	return out, nil
}

type modifyServerlessIn struct {
	ServerlessCacheName                     string `wire:",required"`
	Description, Engine, MajorEngineVersion *string
	CacheUsageLimits                        *usageLimits
	UserGroupId                             *string
	RemoveUserGroup                         *bool
	SecurityGroupIds                        []string
	SnapshotRetentionLimit                  *int
	DailySnapshotTime                       *string
}

// modifyServerless applies changes to the running server.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyServerlessCache.html
func (s *Service) modifyServerless(_ context.Context, in *modifyServerlessIn) (*serverlessOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findServerless(in.ServerlessCacheName)
	if err != nil {
		return nil, err
	}
	switch {
	case g.status != "available":
		return nil, wire.Errorf(400, "InvalidServerlessCacheStateFault", "Serverless cache %s has status %s which is not valid for modification.", g.id, g.status)
	case text(in.Engine) != "" && *in.Engine != g.version.engine || text(in.MajorEngineVersion) != "" && *in.MajorEngineVersion != g.version.major():
		return nil, invalidCombination("localaws does not change the engine or its version of a living serverless cache: replace %s.", g.id)
	case is(in.RemoveUserGroup) || text(in.UserGroupId) != "" && !strings.EqualFold(*in.UserGroupId, g.userGroup):
		return nil, invalidCombination("localaws does not change the user group of a living serverless cache: replace %s.", g.id)
	}
	changed, extra := *g, *g.serverless // all is checked on a copy, so that a refused call changes nothing
	changed.serverless = &extra
	if err := changed.setServerless(in.Description, in.CacheUsageLimits, in.SnapshotRetentionLimit, in.DailySnapshotTime); err != nil {
		return nil, err
	}
	if len(in.SecurityGroupIds) > 0 {
		sub, _ := s.network.Subnet(g.serverless.subnets[0])
		if err := s.checkSecurityGroups(in.SecurityGroupIds, sub.VPC); err != nil {
			return nil, err
		}
		changed.securityGroups = in.SecurityGroupIds
		g.nodes()[0].release()
		s.attachServerless(&changed)
	}
	*g = changed
	g.status = "modifying"
	s.note("serverless-cache", g.id, "Serverless cache %s is being modified", g.id)
	out := &serverlessOut{s.shapeServerless(g)}
	s.background(func() { s.apply(g, serverlessSettings) })
	return out, nil
}

type deleteServerlessIn struct {
	ServerlessCacheName string `wire:",required"`
	FinalSnapshotName   *string
}

// deleteServerless answers at once; the last, partial period of metrics is published before the server ends.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteServerlessCache.html
func (s *Service) deleteServerless(_ context.Context, in *deleteServerlessIn) (*serverlessOut, error) {
	if text(in.FinalSnapshotName) != "" {
		return nil, invalidCombination("localaws keeps no snapshots: leave FinalSnapshotName out.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findServerless(in.ServerlessCacheName)
	if err != nil {
		return nil, err
	}
	if g.status != "available" && g.status != "create-failed" {
		return nil, wire.Errorf(400, "InvalidServerlessCacheStateFault", "Serverless cache %s has status %s which is not valid for deletion.", g.id, g.status)
	}
	g.status = "deleting"
	s.note("serverless-cache", g.id, "Serverless cache %s is being deleted", g.id)
	s.background(func() { s.remove(g) })
	return &serverlessOut{s.shapeServerless(g)}, nil
}

// serverlessMeasures lists AWS's metrics that can be measured here; doc.go names the others.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
var serverlessMeasures = []string{"BytesUsedForCache", "CacheHits", "CacheMisses", "CacheHitRate", "CurrConnections", "CurrItems", "CurrVolatileItems", "Evictions",
	"NetworkBytesIn", "NetworkBytesOut", "NewConnections", "AuthenticationFailures", "CommandAuthorizationFailures", "KeyAuthorizationFailures"}

// putServerless publishes a period under a serverless cache's one dimension.
func (w *watcher) putServerless(b between, at time.Time) {
	put := func(name, unit string, v float64) {
		w.s.metrics.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: name, Unit: unit, Dimensions: []cloudwatch.Dimension{{Name: "clusterId", Value: w.id}}}, at, v)
	}
	for _, m := range measures {
		if v, ok := m.value(b); ok && slices.Contains(serverlessMeasures, m.name) {
			put(m.name, m.unit, v)
		}
	}
	if v, ok := b.grown("total_commands_processed"); ok {
		put("TotalCmdsCount", "Count", v)
	}
	calls, _ := w.counts(b)
	for _, k := range kinds {
		if k != "ClusterBased" {
			put(k+"Cmds", "Count", calls[k])
		}
	}
}
