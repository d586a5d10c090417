package report

import "math"

// A replica repeats the writes of its primary and holds the same keys. What is added up over nodes counts them once: where a node is the primary of its
// shard at the time, also after a failover. Reads are not repeated: a replica that was asked has done work of its own.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html (IsMaster)

// asPrimary is a metric of a node while it is a primary, else 0. A node that does not say what it is counts.
func asPrimary(read func(*samples, *source, metric) *grid) func(*samples, *source, metric) *grid {
	return func(s *samples, n *source, m metric) *grid {
		return read(s, n, m).times(s.grid(n, isMaster), func(master float64) float64 { return master })
	}
}

// commandsOnce is the commands a second of a node without the writes that it repeats.
func commandsOnce(s *samples, n *source, m metric) *grid {
	roles := s.grid(n, isMaster)
	if roles == nil {
		return s.rate(n, m)
	}
	repeated := s.rate(n, setCommands).times(roles, func(master float64) float64 { return master - 1 })
	return combine([]*grid{s.rate(n, m), repeated}, add)
}

// times multiplies each value by what by makes of the factor at its time; one without a factor stays.
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
