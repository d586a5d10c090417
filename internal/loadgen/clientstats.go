package loadgen

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// clientHeader is memtier's; readers find a column by its name, for older versions have fewer.
const clientHeader = "Second,SET Requests,SET Average Latency,SET Total Bytes,SET Total Bytes TX,SET Total Bytes RX," +
	"GET Requests,GET Average Latency,GET Total Bytes,GET Total Bytes TX,GET Total Bytes RX,GET Misses,GET Hits,WAIT Requests,WAIT Average Latency"

// clientFiles writes the files of --client-stats, PREFIX-RUN-THREAD-CLIENT.csv: what each client did, by second, in
// whole numbers where table and JSON have rates.
func (r *results) clientFiles(progress io.Writer) error {
	if r.cfg.clientStats == "" {
		return nil
	}
	fmt.Fprintln(progress, "[RUN 1] Writing client stats files...")
	for client := range r.cfg.threads * r.cfg.clients {
		var b bytes.Buffer
		b.WriteString("Per-Second Benchmark Data\n" + clientHeader + "\n")
		for second, t := range r.clients[client] {
			if t == ([2]tally{}) {
				continue // memtier has no row of a second without a reply
			}
			s, g := &t[set], &t[get]
			fmt.Fprintf(&b, "%d,%s,%s,%d,%d,0,0.000000\n", second, s.columns(), g.columns(), g.misses, g.hits)
		}
		name := fmt.Sprintf("%s-1-%d-%d.csv", r.cfg.clientStats, client/r.cfg.clients, client%r.cfg.clients)
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// columns are requests, average latency in seconds, and bytes: both ways, sent, received.
func (t *tally) columns() string {
	average := int64(0)
	if t.ops > 0 {
		average = t.latency / t.ops
	}
	return fmt.Sprintf("%d,%d.%06d,%d,%d,%d", t.ops, average/1e6, average%1e6, t.rx+t.tx, t.tx, t.rx)
}
