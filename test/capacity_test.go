package test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
)

// AWS has no capacity for the cache: its creation is accepted, and fails. The cache that is left cannot even be asked for its tags; destroy removes
// it, and so does the next deploy, which makes another.
func TestNoCapacityForTheCache(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	if !long() {
		t.Skip("one of the longer suites: mage test:all")
	}
	for name, cache := range map[string]map[string]any{"nodes": nil, "serverless": {"serverless": map[string]any{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load := light(nil)
			inputs := map[string]any{"load": load}
			w := newWorld(t)
			if cache != nil {
				inputs["cache"] = cache
				ca, err := w.local.CA()
				require.NoError(t, err)
				load["ca_pem"] = ca
			}
			p := newPerson(t, w, inputs)
			w.local.Caches.Exhausted(true)
			said, err := p.types(ops.Deploy, "")
			require.Error(t, err, said)
			require.Contains(t, said, "create-failed")
			said, err = p.types(ops.Destroy, "")
			require.NoError(t, err, said)
			p.clean()

			said, err = p.types(ops.Deploy, "")
			require.Error(t, err, said)
			w.local.Caches.Exhausted(false)
			said, err = p.types(ops.Deploy, "")
			require.NoError(t, err, said)
			require.Contains(t, said, "could not be created: deleting it")
			said, err = p.types(ops.Destroy, "")
			require.NoError(t, err, said)
			p.clean()
		})
	}
}
