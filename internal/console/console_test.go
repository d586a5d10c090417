package console

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
)

func TestWritingGoesOnWhenNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, stop := proc.Interruptible(io.Discard)
	defer stop()
	n, err := Lasting{w}.Write([]byte("one"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
}
