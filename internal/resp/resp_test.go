package resp

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]any{
		"+OK\r\n":                "OK",
		"$3\r\na\r\n\r\n":        "a\r\n",
		"$-1\r\n":                nil,
		"_\r\n":                  nil,
		"-WRONGPASS no\r\n":      Error("WRONGPASS no"),
		":-7\r\n":                int64(-7),
		"*0\r\n":                 []any{},
		"*-1\r\n":                nil,
		"%1\r\n+k\r\n,1.5\r\n":   []any{"k", "1.5"},
		"*2\r\n-ERR x\r\n:1\r\n": []any{Error("ERR x"), int64(1)},
		"*2\r\n*3\r\n:0\r\n$1\r\na\r\n*-1\r\n%1\r\n+k\r\n_\r\n": []any{[]any{int64(0), "a", nil}, []any{"k", nil}},
	} {
		got, err := Read(bufio.NewReader(strings.NewReader(text)))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"HTTP/1.1 400 Bad Request\r\n", "\r\n", "$x\r\n", "$5\r\nab", "*1\r\n"} {
		_, err := Read(bufio.NewReader(strings.NewReader(text)))
		require.Error(t, err, text)
	}
}

func TestAppend(t *testing.T) {
	require.Equal(t, "*2\r\n$3\r\nGET\r\n$2\r\n\u00e9\r\n", string(Append(nil, "GET", "\u00e9")))
}
