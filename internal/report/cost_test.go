package report

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

func TestCost(t *testing.T) {
	r := analyzed(t, synthetic.Plain())
	// cache.m7g.large with Valkey is 0.1264 USD; the run lives 40 minutes, two tasks 22 minutes each with 2 vCPU and 4 GB.
	tasks := 2 * 22.0 / 60 * (2*0.0404784 + 4*0.004446)
	want := 2*1*0.1264 + tasks
	require.InDelta(t, want, *r.Cost.TotalUSD, 1e-9)
	require.InEpsilon(t, want/24*1, *r.Cost.USDPerMillionOps, 0.005, "24 million operations")
	require.Empty(t, r.Cost.Missing)
	require.Contains(t, r.Cost.Items[0].Source, "2026-10-02")

	run := Run(synthetic.Plain().Files())
	run.Manifest.Membership.Nodes[0].AvailabilityZone = "eu-west-1a"
	r, err := Analyze(context.Background(), run)
	require.NoError(t, err)
	require.Nil(t, r.Cost.TotalUSD)
	require.Contains(t, strings.Join(r.Cost.Missing, "\n"), "price of cache.m7g.large, valkey in eu-west-1")
	_, lacks := r.Lacks("cost")
	require.True(t, lacks)
}

// Traffic between zones is billed on the tasks' side: here one of two tasks is in a zone without a node.
func TestCostBetweenZones(t *testing.T) {
	analyze := func(change func(*export.Manifest)) *Results {
		run := Run(synthetic.Plain().Files())
		run.Manifest.Tasks[0].AvailabilityZone, run.Manifest.Tasks[1].AvailabilityZone = "us-east-1b", "us-east-1c"
		change(run.Manifest)
		r, err := Analyze(context.Background(), run)
		require.NoError(t, err)
		valid(t, r)
		return r
	}
	r := analyze(func(*export.Manifest) {})
	require.Equal(t, []string{"us-east-1b"}, r.Configuration.NodeZones)
	require.Equal(t, []string{"us-east-1b", "us-east-1c"}, r.Configuration.TaskZones)
	require.Equal(t, "us-east-1c", r.Tasks[1].AvailabilityZone)
	last := func(r *Results) CostItem { return r.Cost.Items[len(r.Cost.Items)-1] }
	const all = 2 * 20 * 60 * 10_000 * 300 / 1e9 // GB: two tasks, 20 minutes, 10,000 ops/s of 300 bytes
	require.Equal(t, "Transfer between zones", last(r).Name)
	require.InEpsilon(t, all/2, *last(r).Quantity, 0.01)
	require.InEpsilon(t, 0.01*all/2, *last(r).USD, 0.01)
	require.NotNil(t, r.Cost.TotalUSD)

	apart := analyze(func(m *export.Manifest) { m.Membership.Nodes[1].AvailabilityZone = "us-east-1a" })
	require.InEpsilon(t, all*3/4, *last(apart).Quantity, 0.01, "three of four pairs")
	replica := analyze(func(m *export.Manifest) {
		m.Membership.Nodes[1].AvailabilityZone, m.Membership.Nodes[1].Role = "us-east-1a", "replica"
	})
	require.InEpsilon(t, all/2, *last(replica).Quantity, 0.01, "the load goes to the primary only")
	unknown := analyze(func(m *export.Manifest) { m.Tasks[1].AvailabilityZone = "" })
	require.Contains(t, strings.Join(unknown.Cost.NotIncluded, "\n"), "data transfer between Availability Zones: the zones of the tasks are not known")

	together := analyze(func(m *export.Manifest) { m.Tasks[1].AvailabilityZone = "us-east-1b" })
	require.Zero(t, *last(together).Quantity)
	require.Equal(t, []Difference{{"zones of the tasks", []string{"us-east-1b, us-east-1c", "us-east-1b"}}}, Compare([]*Results{r, together}).Differences)
}

// Nodes are billed from creation to deletion by the manifest, partial hours as full hours; missing times are reported.
func TestCostOfTheCachesOwnTime(t *testing.T) {
	at := func(minutes float64) *time.Time {
		v := synthetic.Began.Add(time.Duration(minutes * float64(time.Minute)))
		return &v
	}
	for name, test := range map[string]struct {
		created, requested, manifest *time.Time
		hours                        float64 // of two nodes
		says                         string
	}{
		"both":                {at(-5), at(52), at(70), 2, "2 nodes for 0.95 h, partial hours billed as full hours; the cache's time is from its creation, to the request to delete it"},
		"over an hour":        {at(-5), at(56), at(70), 4, "2 nodes for 1.02 h"},
		"neither":             {nil, nil, at(45), 2, "2 nodes for 0.92 h, partial hours billed as full hours; the cache's time is from the run's start, a little before its creation, to the manifest"},
		"a cache that stays":  {at(-5), nil, at(56), 4, "from its creation, to the manifest"},
		"one that was before": {at(-5000), nil, at(45), 2, "from the run's start, because the cache existed before, to the manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			run := Run(synthetic.Plain().Files())
			run.Manifest.CreatedAt = *test.manifest
			run.Manifest.Membership.CreatedAt, run.Manifest.Membership.DeletionRequestedAt = test.created, test.requested
			r, err := Analyze(context.Background(), run)
			require.NoError(t, err)
			require.InDelta(t, test.hours, *r.Cost.Items[0].Quantity, 1e-9)
			require.Contains(t, r.Cost.Items[0].How, test.says)
			valid(t, r)
		})
	}
}

func TestQuantity(t *testing.T) {
	for want, of := range map[string]struct {
		n    int
		what string
	}{"0 runs": {0, "run"}, "1 run": {1, "run"}, "2 runs": {2, "run"}, "1,024 bytes": {1024, "byte"}, "1 address": {1, "address"}, "2 addresses": {2, "address"}} {
		require.Equal(t, want, Quantity(of.n, of.what))
	}
}
