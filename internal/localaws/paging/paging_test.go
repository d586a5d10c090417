package paging

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPages(t *testing.T) {
	all := []string{"c", "a", "e e", "b", "d"} // in any order
	var got []string
	for token, pages := "", 1; ; pages++ {
		page, next, ok := Names(all, 2, token)
		require.True(t, ok)
		got = append(got, page...)
		if token = next; next == "" {
			require.Equal(t, 3, pages)
			break
		}
	}
	require.Equal(t, all, got)

	page, next, ok := Names(nil, 2, "")
	require.Equal(t, []string{}, page, "an empty list, not an absent one")
	require.Empty(t, next)
	require.True(t, ok)
	page, next, _ = Names(all[:2], 2, "")
	require.Equal(t, all[:2], page)
	require.Empty(t, next, "a page that is full may be the last")
}

func TestAListThatChanges(t *testing.T) {
	_, token, _ := Names([]string{"a", "b", "c", "d"}, 2, "")
	for name, c := range map[string]struct{ list, want []string }{
		"one more before":      {[]string{"a", "aa", "b", "c", "d"}, []string{"c", "d"}},
		"one less before":      {[]string{"b", "c", "d"}, []string{"c", "d"}},
		"moved to the front":   {[]string{"b", "a", "c", "d"}, []string{"a", "c"}},
		"its last one is gone": {[]string{"a", "x", "c", "d"}, []string{"c", "d"}},
		"all are gone":         {nil, []string{}},
	} {
		page, _, ok := Names(c.list, 2, token)
		require.True(t, ok, name)
		require.Equal(t, c.want, page, name)
	}
}

func TestATokenThatNoPageGave(t *testing.T) {
	for _, token := range []string{"?", "x", "10", base64.RawURLEncoding.EncodeToString([]byte("a")), base64.RawURLEncoding.EncodeToString([]byte(`after -1 "a"`))} {
		_, _, ok := Names([]string{"a"}, 1, token)
		require.False(t, ok, token)
	}
}

func TestSize(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, c := range []struct {
		asked *int
		size  int
		ok    bool
	}{{nil, 50, true}, {n(20), 20, true}, {n(100), 100, true}, {n(19), 19, false}, {n(101), 101, false}} {
		size, ok := Size(c.asked, 50, 20, 100)
		require.Equal(t, c.ok, ok)
		require.Equal(t, c.size, size)
	}
}
