package shutdown

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

func TestStopServerless(t *testing.T) {
	w := newServerless()
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
	created, m := at("2026-11-23T03:10:00Z"), w.manifest(t).Membership
	require.NotNil(t, m.DeletionRequestedAt)
	assert.Equal(t, export.Membership{ServerlessCache: "perf", CreatedAt: &created, DeletionRequestedAt: m.DeletionRequestedAt, Engine: "valkey", EngineVersion: "8.1", ClusterMode: true,
		Endpoint: "perf-abc.serverless.use1.cache.amazonaws.com:6379", Nodes: []export.Node{}}, *m)
	assert.Contains(t, w.text(metricsKey), ",AWS/ElastiCache,CurrItems,Maximum,")
	assert.Contains(t, w.text(metricsKey), ",Count,clusterId=perf\n")
	assert.NotContains(t, w.text(metricsKey), "CacheNodeId")
	assert.Equal(t, 1, w.called("DeleteServerlessCache"))
	assert.Zero(t, w.called("DescribeReplicationGroups")+w.called("DescribeCacheClusters")+w.called("DeleteReplicationGroup"))
	assert.Contains(t, w.manifest(t).Metrics.Missing, "AWS/ElastiCache/ElastiCacheProcessingUnits")
	assert.Equal(t, "perf", w.manifest(t).Metrics.Sources[0].Name)
	assert.Equal(t, 62, w.manifest(t).Metrics.Sources[0].MinutesFound)
}

// The metrics of a cache that the stop never saw are exported too: they only need its name.
func TestServerlessCacheGoneBeforeTheStop(t *testing.T) {
	undisturbed := newServerless()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	w := newServerless()
	w.cache = ""
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Contains(t, answer.Message, "kept until 2026-11-23T07:18:09Z, because an apply may create serverless cache perf until then")
	assert.True(t, w.manifest(t).Complete)
	w.ticks(t)
	w.assertEnded(t)
	assert.Equal(t, undisturbed.text(metricsKey), w.text(metricsKey))
	assert.Contains(t, w.manifest(t).Warnings, "serverless cache perf was gone before it was described: its engine and version are not known")
}

func TestServerlessThatCannotBeDeletedYet(t *testing.T) {
	w := newServerless()
	w.cache = "modifying"
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err, "it only needs time")
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, "serverless cache perf is modifying")
	w.cache, w.deleting = "available", 200
	answer, err = w.tick()
	require.NoError(t, err)
	assert.Contains(t, answer.Message, "serverless cache perf is still deleting")
	for range 3 {
		_, err = w.tick()
		require.NoError(t, err)
	}
	w.assertEnded(t)
}

// A cache that the stack did not create is exported and kept.
func TestExistingCache(t *testing.T) {
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := make()
			w.cfg.Cache.Delete, w.cacheRun = false, ""
			started := w.Now()
			answer, err := w.handle("stop", ActionStop)
			require.NoError(t, err)
			assert.Equal(t, StatusDone, answer.Status)
			assert.Equal(t, "available", w.cache)
			assert.Zero(t, w.called("DeleteReplicationGroup")+w.called("DeleteServerlessCache")+w.called("ListTagsForResource"))
			assert.Less(t, w.Now().Sub(started), 5*time.Minute, "the stop does not wait for its deletion")
			assert.Empty(t, w.schedules)
			m := w.manifest(t)
			assert.True(t, m.Complete && known(m.Membership))
			assert.Nil(t, m.Membership.DeletionRequestedAt)
			assert.Contains(t, w.text(metricsKey), "AWS/ElastiCache,CurrItems")
		})
	}
	for kind, make := range kinds { // the stop does not delete another stack's cache either
		w := make()
		w.cacheRun, w.cacheName = "2026-11-22T01-01-01Z", "other"
		_, err := w.handle("stop", ActionStop)
		require.ErrorContains(t, err, `has the tag run="2026-11-22T01-01-01Z"`, kind)
		assert.Equal(t, "available", w.cache)
	}
}

// If only the cache's endpoint is known, ECS's metrics and the load's log are exported, and the manifest says so.
func TestEndpointOnly(t *testing.T) {
	w := newFakeAWS()
	w.cfg.Cache = Cache{}
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	m := w.manifest(t)
	assert.True(t, m.Complete)
	assert.Nil(t, m.Membership)
	assert.Contains(t, m.Warnings, "the stack names neither a replication group nor a serverless cache: the metrics are those of ECS alone")
	assert.Contains(t, w.text(metricsKey), "AWS/ECS,CPUUtilization")
	assert.NotContains(t, w.text(metricsKey), "AWS/ElastiCache")
	assert.Contains(t, w.text(logsKey), "ALL STATS")
	for _, c := range w.calls {
		assert.False(t, strings.Contains(c, "Cache") || strings.Contains(c, "ReplicationGroup") || c == "ListTagsForResource", c)
	}

	w = newFakeAWS() // the stop also waits for the last minutes of ECS's metrics
	w.cfg.Cache, w.clock, w.lag = Cache{}, at("2026-11-23T04:22:00Z"), 2*time.Minute
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Contains(t, w.text(metricsKey), "2026-11-23T04:21:00+00:00,AWS/ECS,CPUUtilization")
}

func TestPreflightServerless(t *testing.T) {
	w := newServerless()
	w.service, w.cache = false, ""
	_, err := w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.NotZero(t, w.called("DescribeServerlessCaches"))
	assert.NotZero(t, w.called("ListTagsForResource"))
	assert.Zero(t, w.called("DescribeReplicationGroups")+w.called("DescribeCacheClusters"), "the preflight does not ask for permissions that the stop does not need")

	for op, delete := range map[string]bool{"DescribeServerlessCaches": false, "ListTagsForResource": true} {
		w = newServerless()
		w.cfg.Cache.Delete = delete
		w.before = func(_ int, called string) error {
			if called == op {
				return apiError("AccessDenied")
			}
			return nil
		}
		_, err = w.handle("preflight", ActionPreflight)
		require.ErrorContains(t, err, "allow elasticache:"+op)
	}
	w = newServerless()
	w.cfg.Cache.Delete = false
	_, err = w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	assert.Zero(t, w.called("ListTagsForResource"), "the tags of a cache that is not deleted do not matter")
}
