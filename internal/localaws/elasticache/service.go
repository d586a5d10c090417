package elasticache

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Network is the part of EC2 that nodes live in.
type Network interface {
	Subnet(id string) (ec2.Subnet, bool)
	SecurityGroup(id string) (ec2.SecurityGroup, bool)
	DefaultSecurityGroup(vpc string) string
	Attach(owner, subnet string, groups []string) (release func())
}

// Logs is the part of CloudWatch Logs that takes engine and slow logs.
type Logs interface {
	Group(name string) bool
	Put(group, stream string, events ...logs.Event) error
}

// Metrics is the part of CloudWatch that takes what nodes measure.
type Metrics interface {
	Put(m cloudwatch.Metric, t time.Time, value float64)
}

// Service is ElastiCache of one account and Region; its nodes are processes of this machine.
type Service struct {
	acct    *account.Account
	network Network
	logs    Logs
	metrics Metrics

	ctx  context.Context // of everything that runs on after a call
	stop context.CancelFunc
	wg   sync.WaitGroup

	binaries func() binaries
	ca       func() (*authority, error)

	mu         sync.Mutex
	groups     map[string]*group
	serverless map[string]*group
	quota      int // of serverless caches
	subnets    map[string]*subnetGroup
	parameters map[string]*parameterGroup
	users      map[string]*user
	userGroups map[string]*userGroup
	events     []event
	forgotten  int // events before them
	closed     bool
	exhausted  bool // there is no capacity for new caches
}

// New is an ElastiCache without caches. It starts no process.
func New(acct *account.Account, network Network, logs Logs, metrics Metrics) *Service {
	s := &Service{acct: acct, network: network, logs: logs, metrics: metrics, groups: map[string]*group{}, serverless: map[string]*group{}, quota: quotaServerless,
		subnets: map[string]*subnetGroup{}, parameters: defaultGroups(), userGroups: map[string]*userGroup{},
		users: map[string]*user{defaultUser: {id: defaultUser, name: defaultUser, engine: "redis", access: "on ~* +@all", tags: tagset.Set{}}}}
	s.binaries = sync.OnceValue(findBinaries)
	s.ca = sync.OnceValues(func() (*authority, error) { return loadAuthority(acct.Dir) })
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Register serves ElastiCache.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "elasticache", XMLNS: "http://elasticache.amazonaws.com/doc/2015-02-02/", Invalid: "InvalidParameterValue"},
		wire.Action("CreateReplicationGroup", s.createReplicationGroup),
		wire.Action("DescribeReplicationGroups", s.describeReplicationGroups),
		wire.Action("DescribeCacheClusters", s.describeCacheClusters),
		wire.Action("ModifyReplicationGroup", s.modifyReplicationGroup),
		wire.Action("ModifyReplicationGroupShardConfiguration", s.modifyShards),
		wire.Action("IncreaseReplicaCount", s.increaseReplicas),
		wire.Action("DecreaseReplicaCount", s.decreaseReplicas),
		wire.Action("DeleteReplicationGroup", s.deleteReplicationGroup),
		wire.Action("CreateServerlessCache", s.createServerless),
		wire.Action("DescribeServerlessCaches", s.describeServerless),
		wire.Action("ModifyServerlessCache", s.modifyServerless),
		wire.Action("DeleteServerlessCache", s.deleteServerless),
		wire.Action("CreateCacheSubnetGroup", s.createSubnetGroup),
		wire.Action("ModifyCacheSubnetGroup", s.modifySubnetGroup),
		wire.Action("DescribeCacheSubnetGroups", s.describeSubnetGroups),
		wire.Action("DeleteCacheSubnetGroup", s.deleteSubnetGroup),
		wire.Action("CreateCacheParameterGroup", s.createParameterGroup),
		wire.Action("ModifyCacheParameterGroup", s.modifyParameterGroup),
		wire.Action("ResetCacheParameterGroup", s.resetParameterGroup),
		wire.Action("DescribeCacheParameterGroups", s.describeParameterGroups),
		wire.Action("DescribeCacheParameters", s.describeParameters),
		wire.Action("DescribeEngineDefaultParameters", s.describeDefaultParameters),
		wire.Action("DeleteCacheParameterGroup", s.deleteParameterGroup),
		wire.Action("DescribeReservedCacheNodesOfferings", s.describeOfferings),
		wire.Action("DescribeEvents", s.describeEvents),
		wire.Action("CreateUser", s.createUser),
		wire.Action("DescribeUsers", s.describeUsers),
		wire.Action("DeleteUser", s.deleteUser),
		wire.Action("CreateUserGroup", s.createUserGroup),
		wire.Action("DescribeUserGroups", s.describeUserGroups),
		wire.Action("DeleteUserGroup", s.deleteUserGroup),
		wire.Action("ListTagsForResource", s.listTags),
		wire.Action("AddTagsToResource", s.addTags),
		wire.Action("RemoveTagsFromResource", s.removeTags),
	)
}

// Settled reports whether no cache is changing its state.
func (s *Service) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.all(), func(g *group) bool { return g.status != "available" && g.status != "create-failed" })
}

// Close kills every node, as a power failure would, and waits for all of them.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
	s.mu.Lock()
	var nodes []*cacheNode
	for _, g := range s.all() {
		nodes = append(nodes, g.nodes()...)
	}
	s.mu.Unlock()
	for _, n := range nodes {
		n.end(0)
	}
	return nil
}

// background runs f, which Close waits for; the mutex is held.
func (s *Service) background(f func()) {
	if !s.closed {
		s.wg.Go(f)
	}
}

// ServerVersion names what new nodes run on: "redis-server 7.0.15", "valkey-server 8.1.1" (both when both are on
// PATH: a node takes its own engine's), or the embedded stand-in, which is not Redis.
func (s *Service) ServerVersion() string { return s.binaries().String() }

func invalidValue(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterValue", format, args...)
}

func invalidCombination(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterCombination", format, args...)
}

// identifier: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
var identifier = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// checkID gives a name as ElastiCache stores it: in lower case.
func checkID(member, id string, longest int) (string, error) {
	id = strings.ToLower(id)
	if len(id) > longest || !identifier.MatchString(id) {
		return "", invalidValue("The parameter %s is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; must not end with a hyphen or contain two consecutive hyphens; and must have 1 to %d characters. It is %q.", member, longest, id)
	}
	return id, nil
}

// page is the paging of Describe calls: 20 to 100 records, with a marker.
type page struct {
	MaxRecords *int
	Marker     string
}

// cut gives the names of one page of sorted names, and the marker of the next.
func (p page) cut(names []string) ([]string, string, error) {
	limit, ok := paging.Size(p.MaxRecords, 100, 20, 100)
	if !ok {
		return nil, "", invalidValue("The parameter MaxRecords must be between 20 and 100: it is %d.", limit)
	}
	names, marker, ok := paging.Names(names, limit, p.Marker)
	if !ok {
		return nil, "", invalidValue("The marker %q is not one of this list.", p.Marker)
	}
	return names, marker, nil
}

// listed returns one page of what a Describe action lists, or the one resource that a request names.
func listed[T comparable, S any](p page, all map[string]T, named *string, find func(string) (T, error), shape func(T) S) (out []S, marker string, err error) {
	names := slices.Sorted(maps.Keys(all))
	if named != nil {
		found, err := find(*named)
		if err != nil {
			return nil, "", err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return all[name] != found })
	}
	names, marker, err = p.cut(names)
	out = []S{}
	for _, name := range names {
		out = append(out, shape(all[name]))
	}
	return out, marker, err
}

type event struct {
	SourceIdentifier, SourceType, Message string
	Date                                  *wire.Time
}

// note records an event of a cache; the mutex is held.
func (s *Service) note(kind, source, format string, args ...any) {
	e := event{source, kind, fmt.Sprintf(format, args...), wire.At(s.acct.Clock.Now())}
	s.forget()
	s.events = append(s.events, e)
	s.acct.Log.Info("elasticache", "source", source, "event", e.Message)
}

// forget drops events of more than 14 days ago, as AWS does; the mutex is held.
func (s *Service) forget() {
	before := len(s.events)
	oldest := s.acct.Clock.Now().Add(-14 * 24 * time.Hour)
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.Date.Before(oldest) })
	s.forgotten += before - len(s.events)
}

type describeEventsIn struct {
	page
	SourceIdentifier, SourceType *string
	StartTime, EndTime           *wire.Time
	Duration                     *int // minutes
}

type describeEventsOut struct {
	Events []event `wire:"Events>Event"`
	Marker string  `wire:",omitempty"`
}

// describeEvents returns the events of the last hour by default, and of 14 days at most.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeEvents.html
func (s *Service) describeEvents(_ context.Context, in *describeEventsIn) (*describeEventsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.acct.Clock.Now()
	if in.EndTime != nil {
		end = in.EndTime.Time
	}
	start := end.Add(-time.Hour)
	if in.Duration != nil {
		start = end.Add(-time.Duration(*in.Duration) * time.Minute)
	}
	if in.StartTime != nil {
		start = in.StartTime.Time
	}
	s.forget()
	var names []string
	byName := map[string]event{}
	for i, e := range s.events {
		if e.Date.Before(start) || e.Date.After(end) || in.SourceIdentifier != nil && *in.SourceIdentifier != e.SourceIdentifier ||
			in.SourceType != nil && *in.SourceType != e.SourceType {
			continue
		}
		name := fmt.Sprintf("%09d", s.forgotten+i)
		names = append(names, name)
		byName[name] = e
	}
	names, marker, err := in.cut(names)
	if err != nil {
		return nil, err
	}
	out := &describeEventsOut{Events: []event{}, Marker: marker}
	for _, n := range names {
		out.Events = append(out.Events, byName[n])
	}
	return out, nil
}
