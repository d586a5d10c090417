package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// Somebody deletes a log group while its events are read, such as a destroy beside a watch: what was read already is given, and that is all.
func TestAStreamIsDeletedWhileItIsRead(t *testing.T) {
	acct := wiretest.Account(t)
	s := New(acct)
	st := &stream{name: "s"}
	for range 4 { // blocks
		require.NoError(t, s.store(st, []record{{place: place{at: time.Now().UnixMilli()}, message: strings.Repeat("x", blockSize)}}))
	}
	m, err := newMerge([]*stream{st}, place{}, false)
	require.NoError(t, err)
	require.NoError(t, st.remove())
	read := 0
	for m.next() != nil {
		read++
		require.NoError(t, m.skip())
	}
	require.Equal(t, 1, read)
}
