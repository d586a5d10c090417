package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errNotConnected = errors.New("not connected yet")
	errDropped      = errors.New("connection dropped.")
)

// worker drives one connection: it keeps the pipeline full, reads what has come,
// and notes what it saw. One goroutine owns all but the last group of fields.
type worker struct {
	run    *run
	client int
	thread int
	addr   string
	conn   net.Conn
	in     *reader
	out    []byte
	key    []byte
	failed error // of the first connect

	gen   *generator
	drawn uint64 // requests drawn, of the client's limit
	idle  int    // draws in a row that belong to other shards

	flight       []request // ring of what was sent and not answered
	first, count int
	onConn       int // requests sent on this connection
	tokens       int // --rate-limiting: requests left in the interval
	refill       int64

	second  int
	counts  [2]tally
	samples []sample

	mu                  sync.Mutex // conn, for kick
	kicked              bool
	ops, bytes, latency atomic.Int64
}

type request struct {
	sent    int64 // nanoseconds since the run began
	size    int32
	command int8
}

// sampleBatch is how many samples a worker keeps before the recorder gets them.
const sampleBatch = 1024

func newWorker(r *run, client int, addr string) *worker {
	return &worker{run: r, client: client, thread: client / r.cfg.clients, addr: addr,
		key: []byte(r.cfg.prefix), gen: newGenerator(r.cfg, client, r.seed, r.values),
		flight: make([]request, r.cfg.pipeline), samples: make([]sample, 0, sampleBatch)}
}

func (w *worker) connect(ctx context.Context) error {
	conn, in, err := w.run.dialer.dial(ctx, w.addr)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.in = conn, in
	if w.kicked {
		conn.SetDeadline(time.Unix(1, 0))
	}
	return nil
}

// kick ends the waiting for replies, now and later.
func (w *worker) kick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kicked = true
	if w.conn != nil {
		w.conn.SetDeadline(time.Unix(1, 0))
	}
}

// work loads until the run or the connection ends, through reconnects.
func (w *worker) work(ctx context.Context) {
	defer w.hand()
	err := w.failed
	for attempt := 0; ; {
		if err == nil {
			w.onConn, w.first, w.count = 0, 0, 0
			err = w.load(ctx)
			w.conn.Close()
			if err == nil || w.run.stopping.Load() || ctx.Err() != nil {
				return
			}
			if err == errReconnect {
				err = w.connect(ctx)
				continue
			}
			attempt = 0
		}
		if w.run.stopping.Load() || ctx.Err() != nil { // the end of ctx comes before watch has seen it
			return
		}
		if err != errNotConnected {
			w.run.connectionErrors.Add(1)
			w.run.errors.print(err.Error())
			limit := w.run.cfg.maxReconnects
			if !w.run.cfg.reconnect || limit > 0 && attempt >= limit {
				return
			}
			attempt++
			if !w.pause(time.Duration(float64(time.Second) * power(max(1, w.run.cfg.backoff), attempt-1))) {
				return
			}
		}
		err = w.connect(ctx)
	}
}

func power(base float64, n int) float64 {
	v := 1.0
	for range min(n, 10) {
		v *= base
	}
	return v
}

// pause sleeps; it is false when the run stopped meanwhile.
func (w *worker) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.run.stop:
		return false
	case <-t.C:
		return true
	}
}

// errReconnect asks for the new connection of --reconnect-interval.
var errReconnect = errors.New("time to reconnect")

// load is the hot loop. It returns nil when nothing is left to send and all was answered.
func (w *worker) load(ctx context.Context) error {
	cfg := w.run.cfg
	for {
		now := w.run.elapsed()
		more := w.fill(now)
		if len(w.out) > 0 {
			if _, err := w.conn.Write(w.out); err != nil {
				return broken(err)
			}
			w.out = w.out[:0]
		}
		switch {
		case w.count > 0:
			if err := w.receive(ctx); err != nil {
				return err
			}
		case !more:
			return nil
		case cfg.reconnectEvery > 0 && w.onConn >= cfg.reconnectEvery:
			return errReconnect
		case w.tokens <= 0 && cfg.rate > 0:
			w.pause(time.Duration(w.refill - w.run.elapsed()))
		default: // no key of this shard among many draws
			w.pause(10 * time.Millisecond)
		}
	}
}

// fill writes as many requests as pipeline, limits and rate allow; it is false
// when the worker has nothing more to send.
func (w *worker) fill(now int64) bool {
	cfg := w.run.cfg
	if w.run.stopping.Load() || cfg.testTime > 0 && now >= int64(cfg.testTime)*int64(time.Second) {
		return false
	}
	if cfg.rate > 0 && now >= w.refill {
		w.earn(now)
	}
	for w.count < cfg.pipeline {
		switch {
		case cfg.requests > 0 && w.drawn >= cfg.requests:
			return false
		case cfg.rate > 0 && w.tokens <= 0, cfg.reconnectEvery > 0 && w.onConn >= cfg.reconnectEvery:
			return true
		}
		command, number := w.gen.draw()
		w.drawn++
		w.key = strconv.AppendUint(w.key[:len(cfg.prefix)], number, 10)
		size, slotKey := len(w.out), w.key
		if cfg.commands != nil {
			w.out, slotKey = cfg.commands[command].append(w.out, w.key, w.gen.value(number))
			command = get // all of them are counted as one
		}
		if w.run.cluster != nil && w.run.cluster.owner.Load()[slot(slotKey)] != w.addr {
			// Another connection of this client draws the same and sends it.
			w.out = w.out[:size]
			if w.idle++; w.idle >= 4*slotCount {
				w.idle = 0
				return true
			}
			continue
		}
		w.idle = 0
		switch {
		case cfg.commands != nil: // it is there already
		case command == set:
			w.out = appendSet(w.out, w.key, w.gen.value(number), w.gen.expiry())
		default:
			w.out = appendGet(w.out, w.key)
		}
		last := w.first + w.count
		if last >= len(w.flight) {
			last -= len(w.flight)
		}
		w.flight[last] = request{sent: now, size: int32(len(w.out) - size), command: int8(command)}
		w.count++
		w.onConn++
		w.tokens--
	}
	return true
}

// earn gives the requests of the next interval. As in memtier there are at most
// 50 intervals a second, all clients have theirs at the same time, and what a
// slow server made impossible is not made up for.
func (w *worker) earn(now int64) {
	cfg := w.run.cfg
	w.tokens = (cfg.rate + 49) / 50
	interval := int64(time.Second) / int64(cfg.rate/w.tokens)
	w.refill += (now-w.refill)/interval*interval + interval
}

// receive waits for bytes and takes in every whole reply among them.
func (w *worker) receive(ctx context.Context) error {
	if err := w.in.fill(); err != nil {
		return broken(err)
	}
	now := w.run.elapsed()
	if at := int(now / int64(time.Second)); at != w.second || len(w.samples)+w.count > cap(w.samples) {
		w.hand()
		w.second = at
	}
	var ops, bytes, latency int64
	for w.count > 0 {
		rep, whole, err := w.in.next()
		if err != nil {
			return fmt.Errorf("Connection error: %w", err)
		}
		if !whole {
			break
		}
		req := &w.flight[w.first]
		if w.first++; w.first == len(w.flight) {
			w.first = 0
		}
		w.count--
		t := &w.counts[req.command]
		if rep.err != nil {
			w.refused(ctx, t, rep.err)
			continue
		}
		us := (now - req.sent) / int64(time.Microsecond)
		w.samples = append(w.samples, sample(us<<1|int64(req.command)))
		t.ops++
		t.rx += int64(rep.size)
		t.tx += int64(req.size)
		t.latency += us
		if req.command == get && w.run.cfg.commands == nil {
			if rep.found {
				t.hits++
			} else {
				t.misses++
			}
		}
		ops++
		bytes += int64(rep.size) + int64(req.size)
		latency += us
	}
	w.ops.Add(ops)
	w.bytes.Add(bytes)
	w.latency.Add(latency)
	return nil
}

// refused deals with an error reply: no operation, whatever it says.
func (w *worker) refused(ctx context.Context, t *tally, line []byte) {
	switch {
	case w.run.cluster != nil && bytes.HasPrefix(line, []byte("-MOVED ")):
		t.moved++
		w.run.relocate(ctx, w, string(line))
	case w.run.cluster != nil && bytes.HasPrefix(line, []byte("-ASK ")):
		t.ask++
	default:
		w.run.errors.print(fmt.Sprintf("server %s handle error response: %s", w.addr, line))
	}
}

// hand gives the recorder what was measured so far.
func (w *worker) hand() {
	if w.counts != [2]tally{} {
		w.run.stats.add(w.client, w.second, &w.counts, w.samples)
	}
	w.counts, w.samples = [2]tally{}, w.samples[:0]
}

// broken words an error of an open connection as memtier does.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return errDropped
	}
	return fmt.Errorf("Connection error: %w", cause(err))
}
