package loadgen

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// drainTime is how long the replies of requests that are under way when the
// time is up are waited for.
const drainTime = 2 * time.Second

// run is one benchmark: its workers and what they share.
type run struct {
	cfg     *config
	dialer  *dialer
	cluster *cluster // nil outside cluster mode
	stats   *recorder
	errors  *errorLog
	values  []byte
	seed    uint64

	began       time.Time     // zero until all connections are made
	end         int64         // nanoseconds since then
	stop        chan struct{} // closed: send no more
	stopping    atomic.Bool
	interrupted bool

	mu      sync.Mutex
	workers []*worker
	active  []atomic.Int64 // by thread: workers that still run
	running sync.WaitGroup

	connectionErrors atomic.Int64
}

// elapsed is the time since the load began, in nanoseconds.
func (r *run) elapsed() int64 { return int64(time.Since(r.began)) }

// benchmark makes all connections, loads, and prints progress until the end. It
// returns an error only when there was nothing to load.
func (r *run) benchmark(ctx context.Context, progress io.Writer) error {
	if n := runtime.GOMAXPROCS(0); r.cfg.threads < n {
		runtime.GOMAXPROCS(r.cfg.threads)
		defer runtime.GOMAXPROCS(n)
	}
	fmt.Fprintln(progress, "[RUN #1] Preparing benchmark client...")
	seed := net.JoinHostPort(r.cfg.server, strconv.Itoa(r.cfg.port))
	addresses := []string{seed}
	if r.cfg.cluster {
		r.cluster = &cluster{dialer: r.dialer}
		if err := r.cluster.load(ctx, seed); err != nil {
			return err
		}
		addresses = r.cluster.primaries()
	}
	r.active = make([]atomic.Int64, r.cfg.threads)
	r.stop = make(chan struct{})
	for i := range r.cfg.threads * r.cfg.clients {
		for _, a := range addresses {
			r.workers = append(r.workers, newWorker(r, i, a))
		}
	}
	r.connect(ctx)
	fmt.Fprintln(progress, "[RUN #1] Launching threads now...")
	r.began = time.Now()
	if ctx.Err() != nil {
		r.halt()
	}
	r.mu.Lock()
	for _, w := range r.workers {
		r.start(ctx, w)
	}
	r.mu.Unlock()
	r.watch(ctx, progress)
	r.stats.finish()
	r.errors.flush(true)
	return nil
}

// connect makes the first connection of every worker, 64 at a time.
func (r *run) connect(ctx context.Context) {
	var all sync.WaitGroup
	room := make(chan struct{}, 64)
	for _, w := range r.workers {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			w.failed = w.connect(ctx)
		})
	}
	all.Wait()
}

func (r *run) start(ctx context.Context, w *worker) {
	r.active[w.thread].Add(1)
	r.running.Go(func() {
		defer r.active[w.thread].Add(-1)
		w.work(ctx)
	})
}

// join adds a connection to a shard that appeared while the load runs, for the
// client whose worker met it.
func (r *run) join(ctx context.Context, from *worker, addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.client == from.client && w.addr == addr {
			return
		}
	}
	w := newWorker(r, from.client, addr)
	for w.drawn < from.drawn {
		w.gen.draw()
		w.drawn++
	}
	r.workers = append(r.workers, w)
	w.failed = errNotConnected
	r.start(ctx, w)
}

// watch prints a record a second until the last worker is done. It ends the
// sending at test-time, and everything when ctx is done.
func (r *run) watch(ctx context.Context, progress io.Writer) {
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var over <-chan time.Time
	if r.cfg.testTime > 0 {
		over = time.After(time.Duration(r.cfg.testTime) * time.Second)
	}
	var drained <-chan time.Time
	meter := meter{run: r}
	cancelled := ctx.Done()
	for {
		select {
		case <-done:
			r.end = r.elapsed()
			io.WriteString(progress, meter.record()+"\n\n")
			return
		case <-tick.C:
			io.WriteString(progress, meter.record())
			r.errors.flush(false)
		case <-over:
			r.halt()
			drained = time.After(drainTime)
		case <-drained:
			r.kick()
		case <-cancelled:
			cancelled = nil
			r.interrupted = true
			fmt.Fprintf(progress, "\n[RUN #1] Interrupted by user (Ctrl+C) after %.1f secs, stopping threads...\n", time.Since(r.began).Seconds())
			r.halt()
			r.kick()
		}
	}
}

// halt ends the sending.
func (r *run) halt() {
	if !r.stopping.Swap(true) {
		close(r.stop)
	}
}

// kick ends the waiting for replies.
func (r *run) kick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.kick()
	}
}

// meter makes the progress records.
type meter struct {
	run                     *run
	ops, bytes, latency, at int64
	rate, flow              int64
	delay                   float64
}

func (m *meter) record() string {
	r := m.run
	var ops, bytes, latency int64
	r.mu.Lock()
	for _, w := range r.workers {
		ops, bytes, latency = ops+w.ops.Load(), bytes+w.bytes.Load(), latency+w.latency.Load()
	}
	r.mu.Unlock()
	threads := 0
	for i := range r.active {
		if r.active[i].Load() > 0 {
			threads++
		}
	}
	now := r.elapsed()
	if seconds := float64(now-m.at) / 1e9; threads == r.cfg.threads && seconds > 0 {
		m.rate, m.flow = int64(float64(ops-m.ops)/seconds), int64(float64(bytes-m.bytes)/seconds)
		m.delay = float64(latency-m.latency) / 1000 / float64(ops-m.ops)
	}
	m.ops, m.bytes, m.latency, m.at = ops, bytes, latency, now
	percent := 100 * float64(now) / 1e9 / float64(r.cfg.testTime)
	if r.cfg.requests > 0 {
		percent = 100 * float64(ops) / (float64(r.cfg.requests) * float64(len(r.active)) * float64(r.cfg.clients))
	}
	seconds := max(float64(now)/1e9, 1e-6)
	failed := ""
	if n := r.connectionErrors.Load(); n > 0 {
		failed = fmt.Sprintf(" %d conn errors", n)
	}
	return fmt.Sprintf("[RUN #1 %.0f%%, %3d secs] %2d threads %2d conns%s: %11d ops, %7d (avg: %7d) ops/sec, %s/sec (avg: %s/sec), %s (avg: %s) msec latency\r",
		percent, now/1e9, threads, r.cfg.clients, failed, ops, m.rate, int64(float64(ops)/seconds),
		flow(m.flow), flow(int64(float64(bytes)/seconds)), msec(5, 2, m.delay), msec(5, 2, float64(latency)/1000/float64(ops)))
}

func flow(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.2fGB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.2fMB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.2fKB", float64(bytes)/(1<<10))
}

// msec prints what C would: no value is "-nan".
func msec(width, decimals int, v float64) string {
	if v != v {
		return fmt.Sprintf("%*s", width, "-nan")
	}
	return fmt.Sprintf("%*.*f", width, decimals, v)
}

// errorLog prints error lines on standard error without letting a flood of equal
// ones become the load: memtier wrote 7 MB of NOAUTH in 3 s.
type errorLog struct {
	out io.Writer

	mu   sync.Mutex
	seen map[string]int // lines asked for, by text
	held map[string]int // of these not printed yet
}

// inFull is how many lines of one text are printed one by one, and how many
// texts are told apart.
const inFull = 10

func (l *errorLog) print(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.seen[line]; !known && len(l.seen) >= 100*inFull {
		line, _, _ = strings.Cut(line, ":")
	}
	if l.seen[line]++; l.seen[line] > inFull {
		l.held[line]++
		return
	}
	fmt.Fprintln(l.out, line)
}

// flush prints what was held back, at most ten texts of it unless it is the end.
func (l *errorLog) flush(end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line, held := range l.held {
		if n++; n > inFull && !end {
			return
		}
		fmt.Fprintf(l.out, "%s (%d more)\n", line, held)
		delete(l.held, line)
	}
}
