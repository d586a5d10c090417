package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// Runs with a known answer, each just below and just above a threshold.
func TestJudging(t *testing.T) {
	limits := func(change func(*synthetic.Case)) *Results {
		c := synthetic.Plain()
		change(&c)
		return analyzed(t, c)
	}
	t.Run("packets are compared with the commands of their minute", func(t *testing.T) {
		for _, metric := range []string{"NetworkPacketsPerSecondAllowanceExceeded", "NetworkConntrackAllowanceExceeded", "NetworkBandwidthOutAllowanceExceeded"} {
			require.Empty(t, limits(flat(metric, 119)).Verdict.Limits, "of 1,200,000 commands")
			require.Len(t, limits(flat(metric, 120)).Verdict.Limits, 1)
		}
	})
	t.Run("a node at its connections", func(t *testing.T) {
		require.Empty(t, limits(flat("CurrConnections", 64_349)).Verdict.Limits)
		full := limits(flat("CurrConnections", 64_350)).Verdict
		require.Equal(t, []string{"connections"}, full.Limits)
		require.Contains(t, full.Sentence, "Limited by connections (64,350 open on perf-001, of 65,000)")
	})
	t.Run("no burst left at the start", func(t *testing.T) {
		held := func(share, queued float64) *Results {
			return limits(func(c *synthetic.Case) {
				c.Metrics = synthetic.With(map[string]float64{"NetworkBytesOut": 60 * share * synthetic.Baseline, "NetworkBandwidthOutAllowanceExceeded": queued})
			})
		}
		r := held(0.99, 120)
		require.Contains(t, r.Verdict.Sentence, "perf-001 at 99 % of 937 Mbit/s")
		require.Contains(t, r.Verdict.Sentence, "7 % of the burst of 12.5 Gbit/s")
		require.Equal(t, BurstSpent, r.Network.Nodes[0].Out.State)
		require.Contains(t, r.Network.Nodes[0].Out.Sentence, "no burst was left")
		require.Empty(t, held(0.99, 119).Verdict.Limits)
		require.Contains(t, held(0.79, 120).Network.Nodes[0].Out.Sentence, "no burst was needed", "packets are queued for another reason")
	})
	t.Run("one minute above the baseline decides nothing", func(t *testing.T) {
		after := func(minutes int) *Results {
			return limits(func(c *synthetic.Case) {
				c.Minutes = 60
				c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 {
					switch {
					case m < 20:
						return 60 * 3 * synthetic.Baseline
					case m >= 40 && m < 40+minutes:
						return 60 * 1.14 * synthetic.Baseline
					}
					return 60 * 0.99 * synthetic.Baseline
				}}
			})
		}
		require.Equal(t, 20, *after(1).Network.Nodes[0].Out.EndedMinute)
		require.Contains(t, after(1).Network.Nodes[0].Out.Sentence, "1 single minute above it later is credit regained at the baseline")
		require.NotContains(t, after(0).Network.Nodes[0].Out.Sentence, "regained")
		require.Equal(t, 42, *after(2).Network.Nodes[0].Out.EndedMinute)
	})
	t.Run("no burst is needed below the baseline alone", func(t *testing.T) {
		of := func(share float64) string {
			return limits(flat("NetworkBytesOut", 60*share*synthetic.Baseline)).Network.Nodes[0].Out.Sentence
		}
		require.Contains(t, of(0.99), "no burst was needed")
		require.Contains(t, of(1.05), "at 105 % of the baseline of 937 Mbit/s on average")
		require.NotContains(t, of(1.05), "no burst was needed")
	})
	t.Run("the budget of a burst", func(t *testing.T) {
		c := synthetic.Plain()
		c.Metrics = map[string]func(int, int) float64{"NetworkBytesOut": func(_, m int) float64 {
			return 60 * synthetic.Baseline * map[bool]float64{true: 3, false: 0.99}[m < 10]
		}}
		out := analyzed(t, c).Network.Nodes[0].Out
		require.InEpsilon(t, 2*600*synthetic.Baseline, *out.BudgetBytes, 1e-9)
		require.Contains(t, out.Sentence, "141 GB above the baseline until then, which last 20 min at twice the baseline and 1.62 min at 12.5 Gbit/s")
	})
	t.Run("tasks that did not finish are the first word", func(t *testing.T) {
		require.Regexp(t, `^1 of 2 tasks did not finish: OutOfMemoryError: .*\. 20,000 ops/s until task task0001 ended at 03:20:00 \(minute 10 of the load\), then 10,000 ops/s\. Not limited`,
			limits(func(c *synthetic.Case) { c.Dies = map[int]int{1: 600} }).Verdict.Sentence)
		require.Len(t, limits(func(c *synthetic.Case) { c.Dies = map[int]int{1: 179} }).Verdict.Segments, 1, "under three minutes are no segment")
		require.Len(t, limits(func(c *synthetic.Case) { c.Dies = map[int]int{1: 180} }).Verdict.Segments, 2)
	})
	t.Run("a closed loop waits for replies", func(t *testing.T) {
		does := func(rate float64) string {
			return limits(func(c *synthetic.Case) { c.Rate = func(int, int) float64 { return rate } }).Verdict.Sentence
		}
		require.Contains(t, does(36_300), "Bound by the round trip: 40 connections with a pipeline of 1 send again every 0.551 ms; replies take 0.5 ms of that.")
		require.Contains(t, does(35_700), "send again every 0.56 ms; replies take 0.5 ms of that, the rest is spent in memtier.")
		limited := limits(func(c *synthetic.Case) { c.Settings = `, "rate_limit": 1000` }).Verdict
		require.NotContains(t, limited.Sentence, "round trip", "a rate limit is no closed loop")
	})
	t.Run("a minute that is not whole judges nothing", func(t *testing.T) {
		of := func(start, end int) *Results {
			return limits(func(c *synthetic.Case) {
				c.Minutes, c.Tasks = 4, 1
				c.Begins, c.Dies = map[int]int{0: start}, map[int]int{0: end}
				c.Metrics = synthetic.With(map[string]float64{"EngineCPUUtilization": 100})
			})
		}
		partly, whole := of(30, 90), of(30, 0)
		require.Equal(t, CannotTell, partly.Verdict.Outcome, partly.Verdict.Sentence)
		require.Contains(t, partly.Verdict.Sentence, "Cannot tell from CloudWatch's minutes")
		require.Equal(t, "Too few whole minutes of metrics lie in the load: there is nothing to extrapolate from.", partly.Capacity.Sentence)
		require.Nil(t, partly.Capacity.EngineOpsPerSecond)
		require.Equal(t, Limited, whole.Verdict.Outcome, whole.Verdict.Sentence)
		require.NotNil(t, whole.Capacity.EngineOpsPerSecond)
	})
	t.Run("an outage is said", func(t *testing.T) {
		of := func(seconds int) string {
			return limits(func(c *synthetic.Case) {
				c.Rate = func(_, s int) float64 { return map[bool]float64{true: 0, false: 10_000}[s >= 600 && s < 600+seconds] }
			}).Verdict.Sentence
		}
		require.Regexp(t, `^No operation for 25 s from 03:20:00\. Not limited`, of(25), "and no segment of its own")
		early := limits(func(c *synthetic.Case) {
			c.Rate = func(_, s int) float64 { return map[bool]float64{true: 0, false: 10_000}[s >= 300 && s < 325] }
		})
		require.Equal(t, synthetic.Began, early.Phases.Steady.Start, "what was before it is no warm-up")
		require.NotContains(t, of(4), "No operation")
	})
	state := func(r *Results, id string) string {
		for _, f := range r.Verdict.Findings {
			if f.ID == id {
				return f.State
			}
		}
		return ""
	}
	t.Run("a task with a tail of its own", func(t *testing.T) {
		tail := func(us int64) string {
			return state(limits(func(c *synthetic.Case) {
				c.Tasks = 3
				c.Latency = func(task int) []int64 { return []int64{400, 500, map[bool]int64{true: us, false: 600}[task == 2]} }
			}), "peers")
		}
		require.Equal(t, Quiet, tail(1190))
		require.Equal(t, Noted, tail(1210))
	})
	t.Run("a skew of idle shards is none", func(t *testing.T) {
		skewed := func(cpu float64) string {
			return state(limits(func(c *synthetic.Case) {
				c.Nodes, c.Sharded = 3, true
				c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(n, _ int) float64 { return map[bool]float64{true: cpu, false: 20}[n == 1] }}
			}), "skew")
		}
		require.Equal(t, Quiet, skewed(49.9))
		require.Equal(t, Noted, skewed(50))
	})
	t.Run("a drift of over 10 % is no steady state", func(t *testing.T) {
		drifts := func(percent float64) *Results {
			return limits(func(c *synthetic.Case) {
				c.Rate = func(_, s int) float64 { return 10_000 * (1 + percent/100*(float64(s)/1200-0.5)) }
			})
		}
		require.Equal(t, Steady, drifts(9).Phases.Steady.Phase)
		r := drifts(11)
		require.Equal(t, Drifting, r.Phases.Steady.Phase)
		require.Contains(t, r.Warnings, "there was no steady state: throughput drifted by +11 % in the time that figures are of")
	})
	t.Run("a change divides the run", func(t *testing.T) {
		late := func(cpu, factor float64) *Results {
			return limits(func(c *synthetic.Case) {
				c.Minutes = 60
				c.Rate = func(_, s int) float64 { return map[bool]float64{true: 20_000, false: 20_000 * factor}[s < 36*60] }
				c.Metrics = map[string]func(int, int) float64{"EngineCPUUtilization": func(_, m int) float64 { return map[bool]float64{true: 60, false: cpu}[m < 36] }}
			})
		}
		r := late(99, 0.75)
		require.Equal(t, []string{"engine_cpu"}, r.Verdict.Limits)
		require.Regexp(t, `^40,000 ops/s until engine CPU went from 60 to 99 % at 03:46:00 \(minute 36 of the load\), then 30,000 ops/s\. Limited by engine CPU .* from 03:46:00 to 04:10:00 \(minutes 36 to 60 of the load\)\.$`, r.Verdict.Sentence)
		require.InDelta(t, 40_000, *r.figure("ops_per_second"), 100, "no mean of two states")
		require.Len(t, r.Verdict.Segments, 2)
		require.Empty(t, r.Verdict.Segments[0].Limits)
		valid(t, r)
		require.Equal(t, NotLimited, late(89, 0.75).Verdict.Outcome)
		require.Len(t, late(69, 0.92).Verdict.Segments, 1, "8 % and 9 points are one state")
	})
	t.Run("a failover is an event of its segment", func(t *testing.T) {
		r := limits(func(c *synthetic.Case) {
			c.Minutes, c.Replicas = 30, 1
			c.Rate = func(_, s int) float64 { return map[bool]float64{true: 0, false: 10_000}[s >= 720 && s < 745] }
			c.Metrics = map[string]func(int, int) float64{
				"IsMaster":               func(n, m int) float64 { return map[bool]float64{true: 1}[(n == 0) == (m < 12)] },
				"ReplicationLag":         func(n, m int) float64 { return map[bool]float64{true: 40, false: 0.5}[n == 1 && m >= 4 && m < 12] },
				"MasterLinkHealthStatus": func(n, m int) float64 { return map[bool]float64{true: 0, false: 1}[m == 12] },
				"SaveInProgress":         func(n, m int) float64 { return map[bool]float64{true: 1}[n == 1 && m >= 16 && m < 20] },
			}
			c.Says = []synthetic.Line{{Second: 721, Stream: "engine-log/perf-002", Text: "1:M # MASTER MODE enabled"}, {Second: 760, Stream: "engine-log/perf-002", Text: "1:M * Full resync requested by replica 10.0.0.1"}}
		})
		require.Regexp(t, `^No operation for 25 s from 03:22:00\. Failover to perf-002 at 03:22:00\. Not limited`, r.Verdict.Sentence)
		require.Equal(t, synthetic.Began, r.Phases.Steady.Start, "what was before it is no warm-up")
		kinds := map[string]int{}
		for _, e := range r.Verdict.Events {
			kinds[e.Kind]++
		}
		require.Equal(t, map[string]int{EventLag: 1, EventFailover: 2, EventOutage: 1, EventLink: 2, EventSync: 1, EventSnapshot: 1}, kinds, "%v", r.Verdict.Events)
		require.Contains(t, r.Verdict.Notes[0], "replication: perf-002 lagged behind its primary by up to 40 s from 03:14:00 to 03:22:00; ")
		valid(t, r)
	})
	t.Run("CPU credits that run dry", func(t *testing.T) {
		dry := func(left float64) *Results {
			return limits(func(c *synthetic.Case) {
				c.Minutes, c.Nodes, c.NodeType = 60, 1, "cache.t4g.small"
				c.Rate = func(_, s int) float64 { return map[bool]float64{true: 20_000, false: 5_000}[s < 36*60] }
				c.Metrics = map[string]func(int, int) float64{
					"CPUCreditBalance": func(_, m int) float64 { return map[bool]float64{true: 72 - 2*float64(m), false: left}[m < 36] },
					"NetworkBytesOut":  func(int, int) float64 { return 1e6 }, "NetworkBytesIn": func(int, int) float64 { return 1e6 },
				}
			})
		}
		require.Regexp(t, `^40,000 ops/s until the CPU credits ran dry at 03:46:00 \(minute 36 of the load\), then 10,000 ops/s\. Limited by CPU credits`, dry(0).Verdict.Sentence)
		require.Regexp(t, `^40,000 ops/s until 03:46:00 \(minute 36 of the load\), then 10,000 ops/s\. Not limited`, dry(1.1).Verdict.Sentence)
	})
	t.Run("counters are compared with packets, and have an effect", func(t *testing.T) {
		queued := func(packets float64) Verdict {
			return limits(func(c *synthetic.Case) {
				c.Rate = func(_, s int) float64 { return map[bool]float64{true: 8_000, false: 10_000}[s/60%2 == 0] }
				c.Metrics = map[string]func(int, int) float64{
					"NetworkPacketsIn": func(int, int) float64 { return 1e6 }, "NetworkPacketsOut": func(int, int) float64 { return 1e6 },
					"NetworkPacketsPerSecondAllowanceExceeded": func(_, m int) float64 { return map[bool]float64{true: packets}[m%2 == 0] },
				}
			}).Verdict
		}
		require.Empty(t, queued(199).Limits, "of 2,000,000 packets")
		require.Equal(t, []string{"packets_per_second"}, queued(200).Limits)
		require.Contains(t, queued(200).Sentence, "with 16,000 ops/s in those minutes and 20,000 in the others")
	})
	t.Run("evictions that make reads miss", func(t *testing.T) {
		evicts := func(rate float64) string {
			return limits(func(c *synthetic.Case) {
				c.Metrics = map[string]func(int, int) float64{"Evictions": func(int, int) float64 { return 60_000 },
					"CacheHits":   func(_, m int) float64 { return map[bool]float64{true: 900, false: 10 * rate}[m < 10] },
					"CacheMisses": func(_, m int) float64 { return map[bool]float64{true: 100, false: 1000 - 10*rate}[m < 10] }}
			}).Verdict.Sentence
		}
		require.Contains(t, evicts(84.9), "hit rate down from 90 to 85 %")
		require.NotContains(t, evicts(85.1), "hit rate")
	})
	t.Run("evictions that start late", func(t *testing.T) {
		r := limits(func(c *synthetic.Case) {
			c.Minutes = 60
			c.Metrics = map[string]func(int, int) float64{"Evictions": func(_, m int) float64 { return map[bool]float64{true: 0, false: 300_000}[m < 33] }}
		})
		require.Equal(t, []string{"memory"}, r.Verdict.Limits)
		require.Contains(t, r.Verdict.Sentence, "(minutes 33 to 60 of the load)")
	})
}

// The time of a reply is at most the time between requests, however the rate moved, and an outage is not counted as time spent in memtier.
func TestTheRoundTripIsOfTheOperations(t *testing.T) {
	of := func(minutes int, rate func(s int) float64) string {
		c := synthetic.Plain()
		c.Minutes, c.Nodes, c.Tasks = minutes, 1, 1
		c.Rate = func(_, s int) float64 { return rate(s) }
		c.Mean = func(_, s int) float64 { return 0.95 * 20_000 / max(1, rate(s)) }
		return analyzed(t, c).Verdict.Sentence
	}
	require.Contains(t, of(8, func(s int) float64 { return 20_000 * min(1, 0.1+0.9*float64(s)/300) }), "Bound by the round trip: 20 connections with a pipeline of 1 send again every 1.39 ms; replies take 1.3")
	require.Contains(t, of(20, func(s int) float64 { return map[bool]float64{true: 0, false: 20_000}[s >= 600 && s < 760] }),
		"Bound by the round trip: 20 connections with a pipeline of 1 send again every 1 ms; replies take 0.95 ms of that")
}
