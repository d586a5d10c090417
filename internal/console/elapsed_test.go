package console

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestElapsedBeginsEveryLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		e := &Elapsed{W: &out, Began: time.Now().Add(-75 * time.Second)}
		for _, text := range []string{"one\ntw", "o\n", "three\n"} {
			_, err := e.Write([]byte(text))
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		require.Equal(t, "[  75 s] one\n[  75 s] two\n[  77 s] three\n", out.String())
	})
}
