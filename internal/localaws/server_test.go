package localaws_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
)

// Two clones or two users may start at the same moment, with caches on the same port.
func TestManyStartAtOnce(t *testing.T) {
	var all sync.WaitGroup
	problems := make([]error, 20)
	for i := range problems {
		all.Go(func() {
			server, err := localaws.Start(t.Context(), localaws.Config{Dir: t.TempDir(), CachePort: 6390})
			if problems[i] = err; err == nil {
				problems[i] = server.Close()
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(problems...))
}

// Who may call the embedded AWS may start processes here: only this machine may.
func TestEndpointIsOfThisMachine(t *testing.T) {
	_, err := localaws.Start(t.Context(), localaws.Config{Dir: t.TempDir(), Listen: "0.0.0.0:0"})
	require.ErrorContains(t, err, "is not an address of this machine's own: take one like 127.0.0.1")
}
