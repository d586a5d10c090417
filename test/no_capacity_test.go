package test

import (
	"testing"

	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// AWS has no capacity for the cache: it accepts the creation, which then fails. AWS does not even return the failed cache's tags. destroy removes it, and
// so does the next deploy, which then creates a new one.
func TestNoCapacityForTheCache(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	for name, cache := range map[string]map[string]any{"nodes": nil, "serverless": {"serverless": map[string]any{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load := light(nil)
			inputs := map[string]any{"load": load, "notifications": map[string]any{"email": "team@example.com"}}
			w := newEnvironment(t)
			if cache != nil {
				inputs["cache"] = cache
				ca, err := w.local.CA()
				require.NoError(t, err)
				load["ca_pem"] = ca
			}
			p := newPerson(t, w, inputs)
			w.local.Caches.Exhausted(true)
			said, err := p.run(ops.Deploy, "")
			require.Error(t, err, said)
			require.Contains(t, said, "create-failed")
			run, _ := p.guard(t)
			p.invoke(shutdown.Event{Action: shutdown.ActionWatch, Run: run})
			told := p.waitForMail(run, "cache failed")
			w.local.Caches.Exhausted(false)
			require.Contains(t, p.runAdvice(told, "`go tool mage deploy` deletes it and tries again"), "could not be created; deleting it")
			require.Contains(t, p.runAdvice(told, "`go tool mage destroy` removes everything"), "is removed")
			p.assertNothingLeft()
		})
	}
}

// The same after a plain apply that nobody attends to: watch reports the cache, ends the run once it is overdue, and reports that nothing is left.
func TestWatchEndsARunWithoutCapacity(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	w := newEnvironment(t)
	w.local.Scheduler.RateScale = 40 // rate(10 minutes) ticks every 15 s
	s := newStack(t, w, ".", map[string]any{"notifications": map[string]any{"email": "team@example.com"}})
	w.local.Caches.Exhausted(true)
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "create-failed")
	run, _ := s.guard(t)
	s.waitForMessages(t, run, "started", "cache failed")
	require.True(t, s.cacheExists(t), "the run is not due yet, so the next apply may replace the cache")
	s.endOverdue(t)
	receipts := s.waitForMessages(t, run, "started", "cache failed", "apply failed", "ended", "gone")
	require.Contains(t, receipts[3], "No load ever ran")
	require.Contains(t, receipts[4], "does not exist any more")
	s.destroy(t.Context(), t)
}
