package shutdown

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCacheThatCannotBeDeletedYet(t *testing.T) {
	w := newFakeAWS()
	w.cache = "modifying"
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err, "it only needs time")
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, "replication group perf is modifying")
	assert.True(t, w.manifest(t).Complete)
	w.cache = "available"
	answer, err = w.tick()
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
	assert.Equal(t, 1, w.manifest(t).Attempts, "a complete manifest is not written again")
}

func TestCacheThatIsSlowToDelete(t *testing.T) {
	w := newFakeAWS()
	w.deleting = 200
	started := w.Now()
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusPending, answer.Status)
	assert.Contains(t, answer.Message, "still deleting")
	assert.Less(t, w.Now().Sub(started), 15*time.Minute)
	assert.NotEmpty(t, w.schedules["perf-watch"], "the guard stays while the cache is there")
	for range 3 {
		_, err = w.tick()
		require.NoError(t, err)
	}
	w.assertEnded(t)
}

func TestCacheOfSomeoneElse(t *testing.T) {
	for _, tag := range []struct{ run, name string }{{"2026-11-22T01-01-01Z", "other"}, {"2026-11-22T01-01-01Z", ""}, {"2026-11-24T01-01-01Z", "perf"}, {"", "perf"}, {"1", "perf"}} {
		w := newFakeAWS()
		w.cacheRun, w.cacheName = tag.run, tag.name
		_, err := w.handle("stop", ActionStop)
		require.ErrorContains(t, err, fmt.Sprintf("replication group perf has the tag run=%q", tag.run))
		assert.Zero(t, w.called("DeleteReplicationGroup"))
		assert.True(t, w.manifest(t).Complete, "the exports are written")
	}

	w := newFakeAWS()
	w.cfg.Cache.Delete, w.cacheRun = false, ""
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	assert.Equal(t, "available", w.cache)
	assert.Zero(t, w.called("DeleteReplicationGroup")+w.called("ListTagsForResource"))
	assert.Nil(t, w.manifest(t).Membership.DeletionRequestedAt, "it stays")
	assert.Empty(t, w.schedules)
}

// The stack's cache was never created, and somebody created one with its name since the run started: one failed read of its tags does not make it the
// run's.
func TestCacheOfSomeoneElseAfterOneFailedTagRead(t *testing.T) {
	for kind, make := range kinds {
		for _, code := range []string{"ServiceUnavailable", "AccessDeniedException"} {
			w := make()
			w.cacheRun, w.cacheName = "", "somebody"
			w.refuseOnce("ListTagsForResource", code)
			_, err := w.handle("stop", ActionStop)
			require.ErrorContains(t, err, `has the tag run=""`, kind)
			assert.Equal(t, "available", w.cache, kind)
		}
	}
}

// Reading the tags is denied, and the cache was created since the run started, but it is not the one that the run's stop has seen or deleted, or it was
// created later than any cache of the run.
func TestAnotherCacheWhileTagsAreDenied(t *testing.T) {
	for kind, make := range kinds {
		for name, c := range map[string]func(*fakeAWS){
			"the run's was deleted by its stop": func(w *fakeAWS) {
				_, err := w.handle("stop", ActionStop)
				require.NoError(t, err)
				require.Empty(t, w.cache)
				w.cacheMade = w.clock.Add(time.Minute)
			},
			"the run's was deleted by somebody": func(w *fakeAWS) {
				w.refuse("ListTagsForResource", "InvalidReplicationGroupState") // the cache is on record, and stays for now
				_, err := w.handle("stop", ActionStop)
				require.NoError(t, err)
				require.Equal(t, "available", w.cache)
				w.cacheMade = w.clock.Add(time.Minute)
			},
			"it was created after stop_by": func(w *fakeAWS) {
				w.tasks, w.streams = nil, nil
				w.clock, w.cacheMade = at("2026-11-23T07:00:00Z"), at("2026-11-23T06:50:00Z")
			},
		} {
			w := make()
			w.stuck = true // the guard stays
			c(w)
			w.cache, w.cacheRun, w.cacheName = "available", "", "somebody"
			w.refuse("ListTagsForResource", "AccessDeniedException")
			_, err := w.tick()
			require.ErrorContains(t, err, "read the tags of", "%s: %s", kind, name)
			assert.Equal(t, "available", w.cache, "%s: %s", kind, name)
		}
	}
}

// The first describe of the cache fails. Its deletion describes it again, which is the last chance to record the membership.
func TestMembershipIsReadBeforeTheCacheIsDeleted(t *testing.T) {
	undisturbed := newFakeAWS()
	_, err := undisturbed.handle("stop", ActionStop)
	require.NoError(t, err)
	w := newFakeAWS()
	w.refuseOnce("DescribeReplicationGroups", "ServiceUnavailable")
	_, err = w.handle("stop", ActionStop)
	require.ErrorContains(t, err, "read the membership")
	w.revive()
	w.ticks(t)
	w.assertEnded(t)
	seen, want := w.manifest(t).Membership, undisturbed.manifest(t).Membership
	want.DeletionRequestedAt = seen.DeletionRequestedAt
	assert.Equal(t, want, seen)
}

// A busy cache is left to the next tick, even if AWS takes seconds to answer.
func TestBusyCacheDoesNotHoldUpTheInvocation(t *testing.T) {
	w := newFakeAWS()
	w.cache = "modifying"
	w.late = func(int, string) time.Duration { return 2 * time.Second }
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, 1, w.called("ListTagsForResource"))
}

// An apply started a new run and failed before it updated the cache, which still has the tag of the stack's previous run.
func TestCacheOfAnEarlierRun(t *testing.T) {
	w := newFakeAWS()
	w.cacheRun = "2026-11-22T01-01-01Z"
	answer, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	assert.Equal(t, StatusDone, answer.Status)
	w.assertEnded(t)
}
