package workspace

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFree(t *testing.T) {
	require.Equal(t, uint64(math.MaxUint64), Free("/proc/self"), "it counts no blocks, as some network disks do not")
	require.Equal(t, uint64(math.MaxUint64), Free(t.TempDir()+"/none"))
	require.NotEqual(t, uint64(math.MaxUint64), Free(t.TempDir()))
}
