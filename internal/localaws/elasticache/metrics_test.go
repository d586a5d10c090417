package elasticache_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// A machine too busy to read a node for three periods leaves no hole: each period has its share of what was counted.
func TestMetricsReadLate(t *testing.T) {
	real(t)
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock, a.MetricsPeriod = clock, 5*time.Second })
	g := w.create(t)
	c := connect(t, g.NodeGroups[0].PrimaryEndpoint, nil)
	for i := range 300 {
		do(t, c, "SET", fmt.Sprint("k", i), "v")
	}
	begin := clock.Now()
	published := func(metric string, n int) []float64 {
		var values []float64
		wiretest.Until(t, fmt.Sprintf("%d periods of %s", n, metric), func() (any, bool) {
			w.books.mu.Lock()
			defer w.books.mu.Unlock()
			points := w.books.points[metric+" CacheClusterId=perf-001"]
			values = nil
			for i := range n {
				if v, there := points[begin.Add(time.Duration(5*i)*time.Second)]; there {
					values = append(values, v)
				}
			}
			return points, len(values) == n && len(points) == n
		})
		return values
	}
	wiretest.Until(t, "the node waits for its period's end", func() (any, bool) { return clock.Sleeping(), slices.Contains(clock.Sleeping(), 5*time.Second) })
	clock.Move(15 * time.Second)
	require.InDeltaSlice(t, []float64{100, 100, 100}, published("SetTypeCmds", 3), 1e-6)
	require.Equal(t, []float64{300, 300, 300}, published("CurrItems", 3), "the one value that was read")
	require.Equal(t, []float64{1, 1, 1}, published("IsMaster", 3))
	require.InDelta(t, published("EngineCPUUtilization", 3)[0], published("EngineCPUUtilization", 3)[2], 0.001, "the same share of three equal periods")
	in := published("NetworkBytesIn", 3)
	require.InDelta(t, in[0], in[2], 1)
	for i := range 30 {
		do(t, c, "SET", fmt.Sprint("k", i), "v")
	}
	clock.Next(t, 5*time.Second)
	require.InDeltaSlice(t, []float64{100, 100, 100, 30}, published("SetTypeCmds", 4), 1e-6, "the next one comes in time")
	latency := published("SetTypeCmdsLatency", 4)
	require.InDelta(t, latency[0], latency[1], 1e-6, "a share of the commands took a share of their time")
	clock.Move(12 * time.Second)
	w.remove(t)
	total, periods := w.books.sum("SetTypeCmds", "perf-001")
	require.InDelta(t, 330, total, 1e-6)
	require.Equal(t, 7, periods, "also the partial one in which the node ends")
}

// A server that hangs for four periods has no datapoints of them, also where its slow log is what is waited for.
func TestMetricsOfAServerThatHangs(t *testing.T) {
	real(t)
	for _, of := range []string{"slow-log", "engine-log"} {
		t.Run(of, func(t *testing.T) {
			clock := wiretest.NewClock()
			w := start(t, func(a *account.Account) { a.Clock, a.MetricsPeriod = clock, 3*time.Second }) // the slow log by itself is read each 5 s
			g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
				in.LogDeliveryConfigurations = delivery(of, "/there/slow", "json")
			})
			endpoint := g.NodeGroups[0].PrimaryEndpoint
			c := connect(t, endpoint, nil)
			do(t, c, "SET", "k", "v")
			_, rest, _ := strings.Cut(do(t, c, "INFO", "server").(string), "process_id:")
			pid, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			begin := clock.Now()
			points := func() (starts []string) {
				w.books.mu.Lock()
				defer w.books.mu.Unlock()
				for at := range w.books.points["SetTypeCmds CacheClusterId=perf-001"] {
					starts = append(starts, at.Sub(begin).String())
				}
				slices.Sort(starts)
				return starts
			}
			require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have ended
			clock.Next(t, 3*time.Second)
			wiretest.Until(t, "the server is asked", func() (any, bool) { n := unread(t, endpoint); return n, n > 0 })
			clock.Move(12 * time.Second)
			require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
			wiretest.Until(t, "the period that was asked for", func() (any, bool) { return points(), len(points()) > 0 })
			clock.Next(t, 3*time.Second)
			wiretest.Until(t, "the next one", func() (any, bool) { return points(), len(points()) > 1 })
			require.Equal(t, []string{"0s", "15s"}, points())
		})
	}
}

// unread is how many bytes the kernel holds for a server. https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt
func unread(t *testing.T, of *types.Endpoint) (bytes int64) {
	t.Helper()
	ip := net.ParseIP(*of.Address).To4()
	local := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], *of.Port)
	table, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	for _, line := range strings.Split(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 4 && f[1] == local {
			_, queue, _ := strings.Cut(f[4], ":")
			n, err := strconv.ParseInt(queue, 16, 64)
			require.NoError(t, err)
			bytes += n
		}
	}
	return bytes
}

// Which periods of five seconds, the first from 10 s on, a reading is for: what ended before the server was asked, and not what ended before
// it answered.
func TestPeriodsOfAReading(t *testing.T) {
	at := func(s float64) time.Time { return time.Date(2026, 11, 23, 3, 0, 0, int(s*1e9), time.UTC) }
	for _, c := range []struct {
		asked, answered float64
		starts          string
		next            float64
	}{
		{15, 15, "[10]", 15}, {15.1, 19.9, "[10]", 15}, {19.9, 20, "[10]", 20}, {12, 12.1, "[10]", 15}, // the last: the node ends
		{20, 20, "[10 15]", 20}, {34.9, 34.9, "[10 15 20 25]", 30}, {20, 41, "[10 15]", 40}, {15, 36, "[10]", 35},
	} {
		starts, next := elasticache.Due(at(10), at(c.asked), at(c.answered), 5*time.Second)
		var seconds []int
		for _, s := range starts {
			seconds = append(seconds, int(s.Sub(at(0)).Seconds()))
		}
		require.Equal(t, c.starts, fmt.Sprint(seconds), "asked at %g, answered at %g", c.asked, c.answered)
		require.Equal(t, at(c.next), next, "asked at %g, answered at %g", c.asked, c.answered)
	}
}
