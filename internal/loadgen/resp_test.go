package loadgen

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestCommands(t *testing.T) {
	require.Equal(t, "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$3\r\nxxx\r\n", string(appendSet(nil, []byte("k1"), []byte("xxx"), 0)))
	require.Equal(t, "*4\r\n$5\r\nSETEX\r\n$2\r\nk1\r\n$2\r\n60\r\n$1\r\nx\r\n", string(appendSet(nil, []byte("k1"), []byte("x"), 60)))
	require.Equal(t, "*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n", string(appendGet(nil, []byte("k1"))))
}

func TestReaderSplitsReplies(t *testing.T) {
	large := strings.Repeat("v", 100_000) // more than the buffer
	stream := "+OK\r\n$5\r\nhello\r\n$-1\r\n-ERR no\r\n_\r\n$0\r\n\r\n$100000\r\n" + large + "\r\n:7\r\n"
	type seen struct {
		size  int
		found bool
		err   string
	}
	want := []seen{{5, false, ""}, {11, true, ""}, {5, false, ""}, {9, false, "-ERR no"}, {3, false, ""}, {6, false, ""}, {100_011, true, ""}, {4, false, ""}}
	for name, source := range map[string]io.Reader{"whole": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream))} {
		d := newReader(source)
		var got []seen
		for {
			rep, whole, err := d.next()
			require.NoError(t, err)
			if whole {
				got = append(got, seen{rep.size, rep.found, string(rep.err)})
			} else if d.fill() != nil {
				break
			}
		}
		require.Equal(t, want, got, name)
	}
}

func TestReaderRefusesWhatIsNoReply(t *testing.T) {
	for _, stream := range []string{"HTTP/1.1 400 Bad Request\r\n", "\r\n", "$x\r\n"} {
		d := newReader(strings.NewReader(stream))
		require.NoError(t, d.fill())
		_, _, err := d.next()
		require.ErrorContains(t, err, "unexpected reply", stream)
	}
}
