package page

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A command in backquotes stays on one line.
func TestWrap(t *testing.T) {
	require.Equal(t, []string{"exported;", "`go tool mage deploy`, or", "not"}, wrap("exported; `go tool mage deploy`, or not", 25))
	require.Equal(t, []string{"a", "`command that is longer`", "b"}, wrap("a `command that is longer` b", 10))
	require.Equal(t, []string{"one ` alone", "and more"}, wrap("one ` alone and more", 12))
	require.Equal(t, []string{""}, wrap("", 12))
}
