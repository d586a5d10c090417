package test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every variant of cache and load is applied, loaded, exported and destroyed. All nodes run the same server binary
// whatever engine and version are asked for: two variants on one binary are one load test and two API tests.
func TestVariants(t *testing.T) {
	tls := map[string]any{"transit_encryption": true}
	for name, v := range map[string]struct {
		short bool // also in mage test
		cache map[string]any
		load  map[string]any
		token string
		tasks int
	}{
		"redis71-replicas":   {short: true, cache: map[string]any{"engine": "redis", "engine_version": "7.1", "replicas": 2, "multi_az": true}, tasks: 2},
		"valkey-cluster-tls": {short: true, cache: map[string]any{"engine": "valkey", "engine_version": "8.1", "shards": 2, "replicas": 1, "transit_encryption": true}, token: "a-token-of-16-or-more"},
		"valkey72":           {cache: map[string]any{"engine_version": "7.2"}},
		"valkey90":           {cache: map[string]any{"engine_version": "9.0", "node_type": "cache.r7g.large"}},
		"tls":                {cache: tls},
		"cluster3":           {cache: map[string]any{"shards": 3}, load: map[string]any{"pipeline": 4}},
		"replicas5":          {cache: map[string]any{"replicas": 5}},
		"parameters":         {cache: map[string]any{"parameters": map[string]any{"maxmemory-policy": "allkeys-lru", "slowlog-log-slower-than": "1"}, "log_format": "json"}},
		"data-tiering":       {cache: map[string]any{"node_type": "cache.r6gd.xlarge"}},
		"rate-limited":       {load: map[string]any{"rate_limit": 100}},
		"port":               {cache: map[string]any{"port": 7000}},
	} {
		t.Run(name, func(t *testing.T) {
			if !v.short && !long() {
				t.Skip("one of the longer suites: mage test:all")
			}
			t.Parallel()
			w := newWorld(t)
			load := map[string]any{"threads": 1, "clients": 2, "key_maximum": 1000, "task_count": max(1, v.tasks)}
			for k, x := range v.load {
				load[k] = x
			}
			vars := map[string]any{"cache": v.cache, "load": load}
			if v.cache == nil {
				vars["cache"] = map[string]any{}
			}
			if v.token != "" {
				vars["auth_token"] = v.token
			}
			if v.cache["transit_encryption"] == true && w.local != nil {
				ca, err := w.local.CA()
				require.NoError(t, err)
				load["ca_pem"] = ca
			}
			s := newStack(t, w, ".", vars)
			s.apply(t)
			s.planIsEmpty(t)
			run := s.output(t, "run")
			s.hasEnded(t, run, max(1, v.tasks))
			if v.token != "" {
				for _, kind := range []string{"metrics/" + run + ".csv", "logs/" + run + ".txt", "manifest/" + run + ".json"} {
					require.NotContains(t, string(s.object(t, "exports/"+kind)), v.token)
				}
			}
		})
	}
}
