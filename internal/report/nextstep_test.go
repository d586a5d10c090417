package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// The next step follows from the measurements: the page does not suggest a step that it also says does not help.
func TestNextStep(t *testing.T) {
	of := func(change func(*synthetic.Case)) Verdict {
		c := synthetic.Plain()
		change(&c)
		return analyzed(t, c).Verdict
	}
	skewed := func(other float64) string {
		return of(func(c *synthetic.Case) {
			c.Nodes, c.Sharded = 3, true
			c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[bool]float64{true: 96, false: other}[n == 1] }}
		}).Next
	}
	require.Equal(t, "Spread the work over more keys: one shard has most of it, and more shards do not help.", skewed(48))
	require.Contains(t, skewed(48.1), "Add shards")

	limited := func(each int) Verdict {
		return of(func(c *synthetic.Case) {
			c.Settings = map[int]string{500: `, "rate_limit": 500`, 520: `, "rate_limit": 520`}[each] // of 40 connections that do 20,000 ops/s
		})
	}
	require.Equal(t, []string{"load_generator"}, limited(500).Limits)
	require.Equal(t, "Raise the rate limit.", limited(500).Next)
	require.Empty(t, limited(520).Limits)
	require.Equal(t, "Raise clients or pipeline; where that changes nothing, add tasks.", limited(520).Next, "a limit that is not reached is not what holds the load")

	dies := of(func(c *synthetic.Case) { c.Dies = map[int]int{1: 600} })
	require.Equal(t, "Give the tasks more memory, and repeat the run.", dies.Next)
	require.Contains(t, of(func(c *synthetic.Case) {
		c.Dies = map[int]int{1: 600}
		c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 95})
	}).Next, "Add shards", "the limit of the cache comes first")
}

// A node without CPU credits is held at its baseline: its engine CPU does not show how much capacity is left.
func TestNoCapacityWithoutCredits(t *testing.T) {
	balance := func(credits float64) Capacity {
		c := synthetic.Plain()
		c.NodeType = "cache.t4g.small"
		c.Metrics = synthetic.With(map[string]float64{"CPUCreditBalance": credits, "EngineCPUUtilization": 20})
		return analyzed(t, c).Capacity
	}
	require.NotNil(t, balance(1.1).EngineOpsPerSecond)
	dry := balance(1)
	require.Nil(t, dry.EngineOpsPerSecond)
	require.Empty(t, dry.First)
	require.Equal(t, "The CPU credits ran dry: what the node does without them is all that it sustains, and nothing is extrapolated.", dry.Sentence)
}

// A resource that is almost at its limit leaves no room for more clients.
func TestTheNextStepNearALimit(t *testing.T) {
	next := func(name string, v float64) string {
		c := synthetic.Plain()
		flat(name, v)(&c)
		return analyzed(t, c).Verdict.Next
	}
	require.Equal(t, "Engine CPU is nearly at its limit: more clients add 1 % at most. Add shards or use a node type with a faster core; or do less work per command.", next("EngineCPUUtilization", 89))
	require.Contains(t, next("EngineCPUUtilization", 82), "more clients add 10 % at most")
	require.Equal(t, "Raise clients or pipeline; where that changes nothing, add tasks.", next("EngineCPUUtilization", 81))
	require.Contains(t, next("CPUUtilization", 85), "Host CPU is nearly at its limit: more clients add 6 % at most. Use a node type with more vCPUs.")
	c := synthetic.Plain()
	c.TaskCPU = 85
	require.Contains(t, analyzed(t, c).Verdict.Next, "The load generator is nearly at its limit: more clients add 5 % at most. Add tasks")
	c = synthetic.Plain()
	c.Nodes, c.Sharded = 3, true
	c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[bool]float64{true: 88, false: 20}[n == 1] }}
	require.Contains(t, analyzed(t, c).Verdict.Next, "add 2 % at most. Spread the work over more keys")
}

// A counter below its threshold that cost throughput, or counted refusals, decides the next step.
func TestTheNextStepBelowAThreshold(t *testing.T) {
	next := func(slow float64) string {
		c := synthetic.Plain()
		c.Rate = func(_, s int) float64 { return map[bool]float64{true: slow, false: 10_000}[s/60*7%20 < 9] }
		half("NetworkPacketsPerSecondAllowanceExceeded", 9, 3e6)(&c)
		return analyzed(t, c).Verdict.Next
	}
	require.Contains(t, next(8_900), "Raise the pipeline, so that a packet carries more commands")
	require.Contains(t, next(9_100), "Raise clients or pipeline")
	c := synthetic.Plain()
	half("RejectedConnections", 1)(&c)
	require.Contains(t, analyzed(t, c).Verdict.Next, "Open fewer connections")
}

func TestTheNextStepFitsTheRun(t *testing.T) {
	next := func(change func(*synthetic.Case)) string {
		c := synthetic.Plain()
		change(&c)
		return analyzed(t, c).Verdict.Next
	}
	carries := func(other float64) func(*synthetic.Case) {
		return func(c *synthetic.Case) {
			c.Nodes, c.Sharded = 3, true
			of := func(one, other float64) func(int, int) float64 {
				return func(n, _ int) float64 { return map[bool]float64{true: one, false: other}[n == 1] }
			}
			c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": of(60*0.99*synthetic.Baseline, 60*0.99*other*synthetic.Baseline), "NetworkBandwidthOutAllowanceExceeded": of(5e5, 0)}
		}
	}
	require.Contains(t, next(carries(0.5)), "Spread the bytes over more keys")
	require.Contains(t, next(carries(0.51)), "Use a node type with more baseline bandwidth")
	require.Equal(t, "Use a node type with more vCPUs.", next(flat("CPUUtilization", 95)), "TLS is off")
	require.Equal(t, "Raise reserved-memory-percent or use a node type with more memory: a node swaps.", next(flat("SwapUsage", 4<<30)))
	require.Contains(t, next(flat("SwapUsage", 0.99*(4<<30))), "Raise clients")
	require.Contains(t, next(throttles(10)), "Ramp the load up more slowly")
	require.Contains(t, next(func(c *synthetic.Case) {
		throttles(10)(c)
		c.Serverless = `{"max_ecpu_per_second": 20000}`
	}), "Raise the maximum of ECPUs")
}

// A maximum that is far away did not cause the throttling: raising it changes nothing.
func TestTheNextStepOfThrottlingBelowItsMaximum(t *testing.T) {
	next := func(used float64) string {
		c := synthetic.Plain()
		throttles(10)(&c)
		c.Serverless = `{"max_ecpu_per_second": 20000}`
		c.Metrics["ElastiCacheProcessingUnits"] = func(int, int) float64 { return 60 * used }
		return analyzed(t, c).Verdict.Next
	}
	require.Equal(t, "Raise the maximum of ECPUs, or ramp the load up more slowly.", next(18_000))
	require.Equal(t, "Ramp the load up more slowly, or set a minimum of ECPUs, so that the cache is scaled up before the load.", next(17_999))
}

// Two limits have two next steps, each printed once; a serverless cache is not told to change its node type.
func TestEachLimitHasItsNextStep(t *testing.T) {
	next := func(out float64) string {
		return changedBy(t, func(c *synthetic.Case) {
			c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 95, "NetworkBytesOut": 60 * 0.99 * synthetic.Baseline, "NetworkBandwidthOutAllowanceExceeded": out})
		}).Verdict.Next
	}
	require.Equal(t, "Add shards or use a node type with a faster core; or do less work per command. Use a node type with more baseline bandwidth, or smaller values; see the capacity estimate for what the baseline carries.", next(120))
	require.Equal(t, "Add shards or use a node type with a faster core; or do less work per command.", next(119))
	require.Equal(t, "Raise the cache's storage limit, or store fewer keys. Raise the maximum of ECPUs, or ramp the load up more slowly.", changedBy(t, func(c *synthetic.Case) {
		c.Serverless = `{"max_ecpu_per_second": 20000}`
		c.Metrics = synthetic.With(map[string]float64{"ThrottledCmds": 6000, "ElastiCacheProcessingUnits": 1.2e6, "Evictions": 2e5})
	}).Verdict.Next)
}

// A limit on reads from replicas is a limit of the replicas.
func TestTheNextStepOfReplicas(t *testing.T) {
	next := func(from string, primary float64) string {
		c := synthetic.Plain()
		c.Replicas, c.Settings = 1, `, "read_from": "`+from+`"`
		c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[int]float64{0: primary, 1: 95}[n] }}
		return analyzed(t, c).Verdict.Next
	}
	require.Contains(t, next("replicas", 89), "Add replicas")
	require.Contains(t, next("replicas", 90), "Add shards", "the primary is at its limit, too")
	require.Contains(t, next("primary", 89), "Add shards")
}

// After a load that used burst bandwidth to its end, the next step is a longer run.
func TestTheNextStepOfABurst(t *testing.T) {
	next := func(share float64) string {
		c := synthetic.Plain()
		c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * share * synthetic.Baseline})
		return analyzed(t, c).Verdict.Next
	}
	require.Equal(t, "Run until the burst bandwidth ends: what the nodes sustain was not seen.", next(1.11))
	require.Contains(t, next(1.09), "Raise clients or pipeline")
}
