package elasticache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// equip gives nodes what they need besides an address, before the group is visible.
func (s *Service) equip(g *group) {
	secret := account.NewID(32)
	for _, n := range g.nodes() {
		n.secret, n.port, n.dir, n.caFile = secret, g.port, filepath.Join(s.acct.Dir, "nodes", n.id), s.CAFile()
	}
}

// bring brings a group from creating to available, or to create-failed.
func (s *Service) bring(g *group, settings []setting) {
	kind, noun := g.kind()
	started := s.acct.Clock.Now()
	err := s.capacity()
	if err == nil {
		err = s.startNodes(g, settings)
	}
	if err == nil {
		err = each(g.nodes(), func(n *cacheNode) error { return s.observe(g, n) })
	}
	if err == nil {
		err = s.acct.Clock.Sleep(s.ctx, s.acct.Delays.CacheCreate-s.acct.Clock.Now().Sub(started))
	}
	if err != nil {
		for _, n := range g.nodes() {
			n.end(0)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		g.status = "create-failed"
		s.acct.Log.Error("a cache could not be created", "kind", kind, "id", g.id, "error", err)
		s.note(kind, g.id, "%s %s could not be created: %v", noun, g.id, err)
		return
	}
	s.activate(g)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.status = "available"
	s.note(kind, g.id, "%s %s is available on %s", noun, g.id, s.binaries().running(g))
}

// Exhausted makes later creations fail because of missing capacity: they are accepted, and end in create-failed.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ErrorMessages.html#ErrorMessages.INSUFFICIENT_CACHE_CLUSTER_CAPACITY
func (s *Service) Exhausted(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exhausted = on
}

func (s *Service) capacity() error {
	s.mu.Lock()
	on := s.exhausted
	s.mu.Unlock()
	if !on {
		return nil
	}
	if err := s.acct.Clock.Sleep(s.ctx, s.acct.Delays.CacheCreate); err != nil {
		return err
	}
	return errors.New("there is not sufficient capacity of its node type in the Availability Zone")
}

// activate turns on log deliveries that are being enabled: at once, or after the delay that was asked for.
func (s *Service) activate(g *group) {
	s.mu.Lock()
	deliveries := append([]*delivery{}, g.deliveries...)
	s.mu.Unlock()
	turn := func() {
		for _, d := range deliveries {
			d.activate()
		}
	}
	if s.acct.Delays.LogDelivery <= 0 {
		turn()
		return
	}
	s.wg.Go(func() {
		if s.acct.Clock.Sleep(s.ctx, s.acct.Delays.LogDelivery) == nil {
			turn()
		}
	})
}

// each calls f for every node at once and waits.
func each(nodes []*cacheNode, f func(*cacheNode) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *Service) startNodes(g *group, settings []setting) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, startTime, fmt.Errorf("not ready within %s", startTime))
	defer cancel()
	s.mu.Lock()
	logins := s.logins(g, s.binaries().pick(g.version.engine).version >= "7")
	s.mu.Unlock()
	databases := "16"
	for _, x := range settings {
		if x.name == "databases" {
			databases = x.value
		}
	}
	up := func(n, primary *cacheNode) error {
		if err := s.start(ctx, g, n, primary, databases); err != nil {
			return err
		}
		for _, c := range logins {
			if _, err := n.do(c...); err != nil {
				return fmt.Errorf("user %s: %w", c[2], err)
			}
		}
		return n.configure(settings, g.nodeType)
	}
	if g.clusterMode {
		if err := each(g.nodes(), func(n *cacheNode) error { return up(n, nil) }); err != nil {
			return err
		}
		return join(ctx, g)
	}
	primary := g.shards[0].nodes[0]
	if err := up(primary, nil); err != nil {
		return err
	}
	return each(g.shards[0].nodes[1:], func(n *cacheNode) error {
		if err := up(n, primary); err != nil {
			return err
		}
		return n.replicated(ctx)
	})
}

type deleteGroupIn struct {
	ReplicationGroupId      string `wire:",required"`
	RetainPrimaryCluster    *bool
	FinalSnapshotIdentifier *string
}

// goodbye is how long a server gets to exit; one without persistence needs milliseconds.
const goodbye = time.Minute

// deleteReplicationGroup answers at once; its nodes' last, partial period of metrics and their last log lines are
// published before they end.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteReplicationGroup.html
func (s *Service) deleteReplicationGroup(_ context.Context, in *deleteGroupIn) (*groupOut, error) {
	if is(in.RetainPrimaryCluster) {
		return nil, invalidCombination("localaws has no cache clusters outside of replication groups, so RetainPrimaryCluster cannot be true.")
	}
	if text(in.FinalSnapshotIdentifier) != "" {
		return nil, wire.Errorf(400, "SnapshotFeatureNotSupportedFault", "localaws keeps no snapshots: leave FinalSnapshotIdentifier out.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(strings.ToLower(in.ReplicationGroupId))
	if err != nil {
		return nil, err
	}
	if g.status != "available" && g.status != "create-failed" {
		return nil, wire.Errorf(400, "InvalidReplicationGroupState", "Replication group %s has status %s which is not valid for deletion.", g.id, g.status)
	}
	g.status = "deleting"
	s.note("replication-group", g.id, "Replication group %s is being deleted", g.id)
	s.background(func() { s.remove(g) })
	return &groupOut{s.shape(g)}, nil
}

func (s *Service) remove(g *group) {
	started := s.acct.Clock.Now()
	_ = each(g.nodes(), func(n *cacheNode) error { n.end(goodbye); return nil })
	for _, d := range g.deliveries {
		d.activate() // what still waits is delivered, too
	}
	if s.acct.Clock.Sleep(s.ctx, s.acct.Delays.CacheDelete-s.acct.Clock.Now().Sub(started)) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range g.nodes() {
		n.release()
		if err := os.RemoveAll(n.dir); err != nil {
			s.acct.Log.Warn("a node's folder remains", "node", n.id, "error", err)
		}
	}
	if g.serverless != nil {
		delete(s.serverless, g.id)
	} else {
		delete(s.groups, g.id)
	}
	kind, noun := g.kind()
	s.note(kind, g.id, "%s %s was deleted", noun, g.id)
}

// engineLine delivers a line of a server's output.
func (s *Service) engineLine(g *group, cluster, line string) {
	engine, deliveries := s.deliveriesOf(g, "engine-log")
	for _, d := range deliveries {
		t, message := engineEvent(d.format, cluster, line, s.acct.Clock.Now())
		d.put(s, engine, cluster, t, message)
	}
}

func (s *Service) deliveriesOf(g *group, logType string) (engine string, out []*delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range g.deliveries {
		if d.logType == logType {
			out = append(out, d)
		}
	}
	return g.version.engine, out
}
