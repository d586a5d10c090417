package loadgen

import (
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// memtier's bounds, in microseconds: 10 us to 600 s.
const (
	lowest  = 10
	highest = 600_000_000
)

func wholeRun() *hdrhistogram.Histogram  { return hdrhistogram.New(lowest, highest, 2) }
func oneSecond() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, 2) }

// tally counts what one command did.
type tally struct {
	ops, rx, tx  int64
	latency      int64 // microseconds, summed
	hits, misses int64
	moved, ask   int64
}

func (t *tally) add(o tally) {
	t.ops += o.ops
	t.rx += o.rx
	t.tx += o.tx
	t.latency += o.latency
	t.hits += o.hits
	t.misses += o.misses
	t.moved += o.moved
	t.ask += o.ask
}

// sample is one operation: twice its latency in microseconds, plus the command.
type sample int64

// second is what one second of the run measured, by command. The histograms
// live until closeAfter seconds have passed and become spread then.
type second struct {
	tally     [2]tally
	histogram [2]*hdrhistogram.Histogram
	spread    [3]spread // get, set, both
}

// spread is what remains of a second's histogram, in microseconds.
type spread struct {
	min, max  int64
	quantiles []int64
}

// closeAfter bounds memory over a long run: a sample that comes to its second
// later than this still counts, but no longer moves that second's percentiles.
const closeAfter = 10

// recorder gathers what the connections measured. They hand it over in lots, so
// that its lock is no part of the hot path.
type recorder struct {
	percentiles []float64

	mu      sync.Mutex
	total   [2]tally
	latency [2]*hdrhistogram.Histogram
	seconds []second
	closed  int
	clients [][][2]tally // by client and second; nil without --client-stats
}

func newRecorder(cfg *config) *recorder {
	r := &recorder{percentiles: cfg.percentiles, latency: [2]*hdrhistogram.Histogram{wholeRun(), wholeRun()}}
	if cfg.clientStats != "" {
		r.clients = make([][][2]tally, cfg.threads*cfg.clients)
	}
	return r
}

func (r *recorder) add(client, at int, counts *[2]tally, samples []sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients != nil {
		mine := &r.clients[client]
		for len(*mine) <= at {
			*mine = append(*mine, [2]tally{})
		}
		for c := range counts {
			(*mine)[at][c].add(counts[c])
		}
	}
	for len(r.seconds) <= at {
		r.seconds = append(r.seconds, second{histogram: [2]*hdrhistogram.Histogram{oneSecond(), oneSecond()}})
		r.closeUntil(len(r.seconds) - closeAfter)
	}
	s := &r.seconds[at]
	for c := range counts {
		s.tally[c].add(counts[c])
		r.total[c].add(counts[c])
	}
	for _, v := range samples {
		command, us := int(v&1), min(int64(v>>1), highest)
		r.latency[command].RecordValue(us)
		if h := s.histogram[command]; h != nil {
			h.RecordValue(us)
		}
	}
}

// closeUntil turns the histograms of the seconds before n into percentiles.
func (r *recorder) closeUntil(n int) {
	for ; r.closed < n; r.closed++ {
		s := &r.seconds[r.closed]
		both := oneSecond()
		both.Merge(s.histogram[get])
		both.Merge(s.histogram[set])
		for i, h := range []*hdrhistogram.Histogram{s.histogram[get], s.histogram[set], both} {
			if h.TotalCount() > 0 {
				s.spread[i] = spread{min: h.Min(), max: h.Max(), quantiles: h.ValueAtPercentilesSlice(r.percentiles)}
			}
		}
		s.histogram = [2]*hdrhistogram.Histogram{}
	}
}

// finish closes the last seconds.
func (r *recorder) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeUntil(len(r.seconds))
}
