package report

import "math"

// A replica repeats its primary's writes and holds the same keys. Sums over nodes count them once: on the node that is the shard's primary at the
// time, also after a failover. Reads are not repeated: a replica that serves reads does work of its own.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html (IsMaster)

// asPrimary is a metric of a node while it is a primary, else 0. A node with an unknown role counts as a primary.
func asPrimary(read func(*samples, *source, metric) *grid) func(*samples, *source, metric) *grid {
	return func(s *samples, n *source, m metric) *grid {
		return read(s, n, m).times(s.grid(n, isMaster), func(master float64) float64 { return master })
	}
}

// commandsOnce is a node's commands per second without the writes that it replicates.
func commandsOnce(s *samples, n *source, m metric) *grid {
	roles := s.grid(n, isMaster)
	if roles == nil {
		return s.rate(n, m)
	}
	repeated := s.rate(n, setCommands).times(roles, func(master float64) float64 { return master - 1 })
	return combine([]*grid{s.rate(n, m), repeated}, add)
}

// byShard reads a metric of a node. If nodes took turns as a shard's primary, the one that was primary for longest in the window has the highest
// value of all of them at each time: a failover moves the work to another node, and a mean over both roles of a node is not a primary's.
func (a *analysis) byShard(w Window, read func(*samples, *source, metric) *grid) func(*samples, *source, metric) *grid {
	return func(s *samples, n *source, m metric) *grid {
		var turns []*source
		longest, most := n, 0.0
		for _, other := range a.turns[n] {
			if v := s.grid(other, isMaster).over(w, mean); v != nil && *v > 0 {
				if turns = append(turns, other); *v > most {
					longest, most = other, *v
				}
			}
		}
		if len(turns) < 2 || longest != n {
			return read(s, n, m)
		}
		var grids []*grid
		for _, other := range turns {
			grids = append(grids, read(s, other, m))
		}
		return combine(grids, math.Max)
	}
}

// primaries finds the nodes that took turns as a shard's primary during the load; most runs have none.
func (a *analysis) primaries() {
	shards := map[string][]*source{}
	for _, n := range a.nodes {
		if v := a.s.grid(n, isMaster).over(*a.Phases.Load, highest); v != nil && *v >= 0.5 {
			if m, ok := a.m.node(n.id); ok {
				shards[m.NodeGroup] = append(shards[m.NodeGroup], n)
			}
		}
	}
	a.turns = map[*source][]*source{}
	for _, turns := range shards {
		for _, n := range turns {
			if len(turns) > 1 {
				a.turns[n] = turns
			}
		}
	}
}

// times multiplies each value by by(factor) at its time; a value without a factor is unchanged.
func (g *grid) times(factor *grid, by func(float64) float64) *grid {
	if g == nil || factor == nil {
		return g
	}
	if factor = factor.resample(g.step); factor == nil || factor.step != g.step {
		return g
	}
	for i := range g.v {
		if j := int(g.start-factor.start)/int(g.step) + i; j >= 0 && j < len(factor.v) && !math.IsNaN(factor.v[j]) {
			g.v[i] *= by(math.Round(factor.v[j]))
		}
	}
	return g
}
