package loadgen

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkAgainstRawSocket compares the generator with the least a client can
// do: the same requests, prepared once, written and read without looking at the
// replies. Both run for a second in turn; ratio is generator to raw over all turns.
//
//	go test -run '^$' -bench RawSocket -benchtime 7x ./internal/loadgen
func BenchmarkAgainstRawSocket(b *testing.B) {
	const conns = 16
	for _, pipeline := range []int{1, 16} {
		b.Run(fmt.Sprintf("pipeline=%d", pipeline), func(b *testing.B) {
			port := redisServer(b)
			redis(b, port, "SET", "memtier-1", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
			var raw, ours float64
			for b.Loop() {
				raw += rawGets(b, port, conns, pipeline)
				o := load(b, context.Background(), port, fmt.Sprintf("-t 2 -c %d --test-time 1 --ratio 0:1 --key-minimum 1 --key-maximum 1 --pipeline %d --hide-histogram", conns/2, pipeline))
				require.Zero(b, o.code, o.progress)
				ours += o.doc.All.Totals.Rate
			}
			b.ReportMetric(ours/float64(b.N), "ops/s")
			b.ReportMetric(raw/float64(b.N), "raw-ops/s")
			b.ReportMetric(ours/raw, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rawGets gives the operations a second of conns sockets during one second.
func rawGets(b *testing.B, port, conns, pipeline int) float64 {
	var request []byte
	for range pipeline {
		request = appendGet(request, []byte("memtier-1"))
	}
	var sockets []net.Conn
	for range conns {
		conn, err := net.Dial("tcp", address(port))
		require.NoError(b, err)
		defer conn.Close()
		sockets = append(sockets, conn)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	started, total := time.Now(), 0
	for _, conn := range sockets {
		all.Go(func() {
			answer := make([]byte, pipeline*len("$32\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"))
			n := 0
			for time.Since(started) < time.Second {
				if _, err := conn.Write(request); err != nil {
					return
				}
				if _, err := io.ReadFull(conn, answer); err != nil {
					return
				}
				n += pipeline
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	all.Wait()
	return float64(total) / time.Since(started).Seconds()
}
