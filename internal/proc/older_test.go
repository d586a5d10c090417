package proc

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that was started after a time cannot have done anything before it.
func TestOlder(t *testing.T) {
	if _, err := booted(); err != nil {
		t.Skip("no /proc")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	is := func(name string) bool { return name == filepath.Base(self) }
	require.True(t, Older(is, time.Now().Add(time.Minute)), "this one")
	require.False(t, Older(is, time.Now().Add(-24*time.Hour)), "a test does not run for a day")
	require.False(t, Older(func(string) bool { return false }, time.Now()))
}
