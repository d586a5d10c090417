package export

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSettled(t *testing.T) {
	a, b := series(t, "CurrConnections", "Average", "perf-001"), series(t, "CurrConnections", "Average", "perf-002")
	for name, test := range map[string]struct {
		end     string
		period  time.Duration
		a, b    []string
		settled bool
		step    time.Duration
	}{
		"all there":                       {"03:10:00", time.Minute, []string{"03:08:00", "03:09:00"}, []string{"03:08:00", "03:09:00"}, true, time.Minute},
		"the last minute of b is missing": {"03:10:00", time.Minute, []string{"03:08:00", "03:09:00"}, []string{"03:08:00"}, false, time.Minute},
		"nothing of b":                    {"03:10:00", time.Minute, []string{"03:08:00", "03:09:00"}, nil, false, time.Minute},
		"nothing":                         {"03:10:00", 5 * time.Second, nil, nil, false, time.Minute},
		"minutes, though 5 s are asked":   {"03:10:25", 5 * time.Second, []string{"03:09:00", "03:10:00"}, []string{"03:09:00", "03:10:00"}, true, time.Minute},
		"minutes, the last is missing":    {"03:10:25", 5 * time.Second, []string{"03:09:00", "03:10:00"}, []string{"03:09:00"}, false, time.Minute},
		"dense":                           {"03:10:25", 5 * time.Second, []string{"03:10:15", "03:10:20"}, []string{"03:10:15", "03:10:20", "03:10:25"}, true, 5 * time.Second},
		"dense, the last is missing":      {"03:10:25", 5 * time.Second, []string{"03:10:10", "03:10:15"}, []string{"03:10:15", "03:10:20"}, false, 5 * time.Second},
		"dense, b is dead":                {"03:10:25", 5 * time.Second, []string{"03:10:15", "03:10:20"}, nil, false, 5 * time.Second},
		"five minutes":                    {"03:10:00", 5 * time.Minute, []string{"03:00:00", "03:05:00"}, []string{"03:05:00"}, true, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			api := &fakeMetrics{size: 1}
			for _, clock := range test.a {
				api.put(a, at("2026-11-23T"+clock+"Z"), 5)
			}
			for _, clock := range test.b {
				api.put(b, at("2026-11-23T"+clock+"Z"), 5)
			}
			settled, step, err := target.Settled(t.Context(), api, at("2026-11-23T"+test.end+"Z"), test.period)
			require.NoError(t, err)
			assert.Equal(t, test.settled, settled)
			assert.Equal(t, test.step, step)
		})
	}
}

func TestFindNodes(t *testing.T) {
	api := &fakeMetrics{listed: []types.Metric{
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf-002", "CacheNodeId=0001"),
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf-0001-001", "CacheNodeId=0001"),
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf-001", "CacheNodeId=0001"),
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf-001-b-001", "CacheNodeId=0001"),
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf2-001", "CacheNodeId=0001"),
		metric(NamespaceCache, "CurrConnections", "CacheClusterId=perf-001", "CacheNodeId=0001", "Tier=SSD"),
	}}
	nodes, err := FindNodes(t.Context(), api, &ticker{}, "perf")
	require.NoError(t, err)
	assert.Equal(t, []Node{{CacheClusterID: "perf-0001-001", CacheNodeID: "0001"}, {CacheClusterID: "perf-001", CacheNodeID: "0001"}, {CacheClusterID: "perf-002", CacheNodeID: "0001"}}, nodes)
}
