package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSplitWords(t *testing.T) {
	words, err := splitWords(` HSET  __key__ "a field" 'it\'s' "\x41\n"  `)
	require.NoError(t, err)
	require.Equal(t, []string{"HSET", "__key__", "a field", "it's", "A\n"}, words)
	for _, bad := range []string{`SET "a`, `SET "a"b`, `SET 'a`} {
		_, err := splitWords(bad)
		require.Error(t, err, bad)
	}
}

// Commands take turns by their ratios, their keys are of the range, and other types of data are what the server has afterwards.
func TestCommandsOfOtherTypes(t *testing.T) {
	port := redisServer(t)
	var out, progress bytes.Buffer
	file := filepath.Join(t.TempDir(), "out.json")
	code := Main(t.Context(), []string{"-s", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "1", "-c", "2", "-n", "330", "--key-minimum=1", "--key-maximum=10", "--data-size-range=8-107", "--hide-histogram",
		"--command=HSET h:__key__ field __data__", "--command-key-pattern=S", "--command=ZADD z:__key__ 1 __data__", "--command-ratio=2", "--command-key-pattern=S",
		"--command=ZRANGE z:__key__ 0 9 WITHSCORES", "--command-ratio=8", "--json-out-file=" + file}, &out, &progress)
	require.Zero(t, code, progress.String())
	require.EqualValues(t, 20, redis(t, port, "DBSIZE"))
	require.Equal(t, "hash", redis(t, port, "TYPE", "h:memtier-1"))
	require.Equal(t, "zset", redis(t, port, "TYPE", "z:memtier-10"))
	o := &outcome{file: file}
	o.read(t)
	require.EqualValues(t, 660, o.doc.All.Totals.Count)
	require.NotContains(t, progress.String(), "error")
	require.Regexp(t, `(?m)^Type +Ops/sec +Avg\. Latency`, out.String())
	require.Regexp(t, `(?m)^Commands +\d+\.\d\d +\d`, out.String())
	require.Regexp(t, `(?m)^Totals +\d+\.\d\d +\d`, out.String())
}

func TestCommandsInClusterMode(t *testing.T) {
	port, _ := realCluster(t)
	var out, progress bytes.Buffer
	code := Main(t.Context(), []string{"-s", "127.0.0.1", "-p", fmt.Sprint(port), "--cluster-mode", "-t", "1", "-c", "2", "-n", "500", "--command=INCR n:__key__", "--key-maximum=100"}, &out, &progress)
	require.Zero(t, code, progress.String())
	require.NotContains(t, progress.String(), "MOVED")
}

func TestReaderOfArrays(t *testing.T) {
	d := newReader(strings.NewReader("*2\r\n$1\r\na\r\n*2\r\n:1\r\n-ERR inside\r\n*0\r\n*-1\r\n%1\r\n+k\r\n$-1\r\n+OK\r\n"))
	require.NoError(t, d.fill())
	for _, want := range []reply{{size: 32, found: true}, {size: 4}, {size: 5}, {size: 13, found: true}, {size: 5}} {
		got, whole, err := d.next()
		require.NoError(t, err)
		require.True(t, whole)
		require.Equal(t, want, got)
	}
}

// The rate limit lets requests through as memtier's does: all clients at the same instants, 20 ms apart.
func TestRateLimitRefillsAtOnce(t *testing.T) {
	var mu sync.Mutex
	at := map[time.Duration]int{}
	synctest.Test(t, func(t *testing.T) {
		cfg, err := parse(strings.Fields("-t 1 -c 4 --test-time 1 --rate-limiting 150 --pipeline 10"))
		require.NoError(t, err)
		began := time.Now()
		cfg.dial = func(context.Context, string, string) (net.Conn, error) {
			ours, its := net.Pipe()
			go serve(its, 0, func([]string) string {
				mu.Lock()
				defer mu.Unlock()
				at[time.Since(began)]++
				return "$-1\r\n"
			})
			return ours, nil
		}
		require.Zero(t, cfg.run(t.Context(), &bytes.Buffer{}, &bytes.Buffer{}))
	})
	require.Len(t, at, 50)
	for when, n := range at {
		require.Zero(t, when%(20*time.Millisecond))
		require.Equal(t, 4*3, n)
	}
}

// slow is a progress log that takes a moment to say that the run was interrupted.
type slow struct{ bytes.Buffer }

func (s *slow) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("Interrupted")) {
		time.Sleep(10 * time.Millisecond)
	}
	return s.Buffer.Write(b)
}

// The end of the context is not the failure of a connection that is being recreated, whoever sees it first.
func TestInterruptWhileReconnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := parse(strings.Fields("-t 1 -c 4 --test-time 60 --reconnect-interval 1"))
		require.NoError(t, err)
		cfg.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			select { // as a real one: it takes a moment, and ends with its context
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Millisecond):
			}
			ours, its := net.Pipe()
			go serve(its, 0, nothing)
			return ours, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		var progress slow
		require.Zero(t, cfg.run(ctx, &bytes.Buffer{}, &progress))
		require.Contains(t, progress.String(), "Interrupted")
		require.NotContains(t, progress.String(), "rror")
	})
}
