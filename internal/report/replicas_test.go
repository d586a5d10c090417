package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// A primary and its replica swap roles in minute 10: writes and keys are counted once throughout, reads on both.
func TestReplicasRepeatWrites(t *testing.T) {
	perMinute := func(v float64) func(int, int) float64 { return func(int, int) float64 { return v } }
	c := synthetic.Plain()
	c.Metrics = map[string]func(int, int) float64{
		"ProcessedCommands": func(node, minute int) float64 { return 60 * (300 + 100*float64(node)) }, // 300 writes, and 100 reads of the second
		"SetTypeCmds":       perMinute(60 * 300), "GetTypeCmds": func(node, _ int) float64 { return 60 * 100 * float64(node) },
		"CurrItems": perMinute(1000), "Evictions": perMinute(60 * 5),
		"IsMaster": func(node, minute int) float64 {
			return map[bool]float64{true: 1, false: 0}[(node == 0) == (minute < 10)]
		},
	}
	r := analyzed(t, c)
	w := *r.Phases.Load
	for name, s := range map[string]struct {
		of   *Series
		want float64
	}{"commands": {r.Server.Commands, 400}, "keys": {r.Server.Items, 1000}, "evictions": {r.Memory.Evictions, 5}} {
		values := s.of.grid().values(w)
		require.NotEmpty(t, values, name)
		for _, v := range values {
			require.InDelta(t, s.want, v, 1e-6, name)
		}
	}
}

// A failover moves the work to another node: a mean over both roles of a node does not show a primary's load.
func TestAFailoverHidesNoLimit(t *testing.T) {
	of := func(name string, busy, idle float64) *Results {
		c := synthetic.Plain()
		c.Replicas = 1
		primary := func(n, m int) bool { return (n == 0) == (m < 11) }
		c.Metrics = map[string]func(int, int) float64{
			"IsMaster": func(n, m int) float64 { return map[bool]float64{true: 1}[primary(n, m)] },
			name:       func(n, m int) float64 { return map[bool]float64{true: busy, false: idle}[primary(n, m)] },
		}
		r := analyzed(t, c)
		valid(t, r)
		return r
	}
	engine := of("EngineCPUUtilization", 90, 6)
	require.Equal(t, []string{"engine_cpu"}, engine.Verdict.Limits)
	require.Contains(t, engine.Verdict.Sentence, "perf-001 at 90 %, limit 90 %")
	require.InDelta(t, 90, *engine.figure("engine_cpu_percent"), 1e-9)
	require.InDelta(t, 20_000, *engine.Capacity.EngineOpsPerSecond, 100)
	require.Equal(t, NotLimited, of("EngineCPUUtilization", 89.9, 6).Verdict.Outcome)
	require.Equal(t, []string{"host_cpu"}, of("CPUUtilization", 90, 6).Verdict.Limits)

	out := of("NetworkBytesOut", 60*0.9*synthetic.Baseline, 0)
	require.InDelta(t, 0.9*synthetic.Baseline, *out.figure("node_bytes_out_per_second"), 1)
	require.InDelta(t, 20_000/0.9, *out.Capacity.BaselineOpsPerSecond, 200)
	require.Equal(t, []string{"packets_per_second"}, of("NetworkPacketsPerSecondAllowanceExceeded", 5e5, 0).Verdict.Limits)
}

// A cluster with replicas: a shard whose replica takes over is judged as one, the others separately; traffic and work are those of primaries.
func TestAClusterWithReplicas(t *testing.T) {
	cluster := func(cpu float64, at int) *Results {
		c := synthetic.Case{Minutes: 40, Tasks: 3, Nodes: 6, TaskCPU: 40, Sharded: true, Replicas: 3}
		primary := func(n, m int) bool { // the first shard's replica, perf-004, takes over
			return map[int]bool{0: m < at, 1: true, 2: true, 3: m >= at}[n]
		}
		of := func(busy, idle float64) func(int, int) float64 {
			return func(n, m int) float64 { return map[bool]float64{true: busy, false: idle}[primary(n, m)] }
		}
		c.Metrics = map[string]func(int, int) float64{"IsMaster": of(1, 0), "EngineCPUUtilization": of(cpu, 5), "GetTypeCmds": of(600_000, 0), "SetTypeCmds": of(60_000, 60_000), "ProcessedCommands": of(660_000, 60_000)}
		r := analyzed(t, c)
		valid(t, r)
		return r
	}
	r := cluster(95, 20)
	shards := map[string][]string{}
	for _, n := range r.Nodes {
		shards[n.Shard] = append(shards[n.Shard], n.ID)
	}
	require.Equal(t, map[string][]string{"0001": {"perf-001", "perf-004"}, "0002": {"perf-002", "perf-005"}, "0003": {"perf-003", "perf-006"}}, shards)
	require.Equal(t, 3, r.Configuration.Shards)
	require.Regexp(t, `^Failover to perf-004 at 03:30:00\. Limited by engine CPU \(perf-00\d at 95 %, limit 90 %, 3 of 6 nodes\), from 03:10:00 to 03:50:00`, r.Verdict.Sentence)
	require.InDelta(t, 95, *r.figure("engine_cpu_percent"), 0.1, "neither node of the first shard was it all the time")
	require.InDelta(t, 33_000, *r.Server.Commands.grid().over(*r.Phases.Steady, mean), 10, "writes that replicas repeat are counted once")
	require.Equal(t, NotLimited, cluster(89, 20).Verdict.Outcome)
	require.NotContains(t, cluster(95, 99).Verdict.Sentence, "Failover")
}
