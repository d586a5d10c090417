package logs

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
)

// A stream's events are in append-only files, each in time order. In memory there is only one index entry for
// every blockSize bytes: ten million events of 150 bytes cost about 1 MB. No file stays open, because there may be more streams than this process may
// have descriptors.
const (
	blockSize  = 64 << 10
	headerSize = 8 + 8 + 8 + 4 // time, ingestion time, sequence, length of the message
)

// place is a position among events, ordered as in CloudWatch Logs: by timestamp, then by ingestion. seq starts at 1.
type place struct{ at, seq int64 }

func (p place) less(q place) bool { return p.at < q.at || p.at == q.at && p.seq < q.seq }

var ending = place{math.MaxInt64, math.MaxInt64}

// record is one stored event; times are milliseconds since 1970.
type record struct {
	place
	ingested int64
	message  string
	stream   *stream
}

type block struct {
	offset int64
	first  place
}

// run is one file of events in time order. Batches that overlap older ones go to another run of the stream.
type run struct {
	file   string
	size   int64
	last   place
	blocks []block
}

func (r *run) append(records []record) error {
	blocks, size := r.blocks, r.size
	var buf []byte
	for _, e := range records {
		at := size + int64(len(buf))
		if len(blocks) == 0 || at-blocks[len(blocks)-1].offset >= blockSize {
			blocks = append(blocks, block{at, e.place})
		}
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.at))
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.ingested))
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.seq))
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(e.message)))
		buf = append(buf, e.message...)
	}
	f, err := os.OpenFile(r.file, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("log events: %w", err)
	}
	_, err = f.WriteAt(buf, size)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("log events: %w", err)
	}
	r.blocks, r.size, r.last = blocks, size+int64(len(buf)), records[len(records)-1].place
	return nil
}

// cursor reads a run as it was when the cursor was made, forwards or backwards.
type cursor struct {
	stream *stream
	file   string
	size   int64
	blocks []block
	back   bool
	from   place    // exclusive
	next   int      // block to load next
	events []record // loaded and not yet taken, the nearest first
}

// cursor starts after (or, backwards, before) a place. The stream's lock is held.
func (r *run) cursor(s *stream, from place, back bool) *cursor {
	c := &cursor{stream: s, file: r.file, size: r.size, blocks: r.blocks, back: back, from: from}
	// the last block that begins before the place
	c.next = max(0, sort.Search(len(c.blocks), func(i int) bool { return !c.blocks[i].first.less(from) })-1)
	return c
}

// deleted reports whether the stream was deleted, maybe while it was read.
func (st *stream) deleted() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.gone
}

// fill loads blocks until there is an event or the run has no more, because it ends or because the stream was deleted meanwhile.
func (c *cursor) fill() error {
	for len(c.events) == 0 && c.next >= 0 && c.next < len(c.blocks) {
		end := c.size
		if c.next+1 < len(c.blocks) {
			end = c.blocks[c.next+1].offset
		}
		buf := make([]byte, end-c.blocks[c.next].offset)
		f, err := os.Open(c.file)
		if errors.Is(err, os.ErrNotExist) && c.stream.deleted() {
			c.next = -1
			return nil
		}
		if err != nil {
			return fmt.Errorf("log events: %w", err)
		}
		_, err = f.ReadAt(buf, c.blocks[c.next].offset)
		_ = f.Close() // only read
		if err != nil {
			return fmt.Errorf("log events: %w", err)
		}
		for len(buf) > 0 {
			n := headerSize + int(binary.BigEndian.Uint32(buf[24:]))
			e := record{place: place{int64(binary.BigEndian.Uint64(buf)), int64(binary.BigEndian.Uint64(buf[16:]))},
				ingested: int64(binary.BigEndian.Uint64(buf[8:])), message: string(buf[headerSize:n]), stream: c.stream}
			if !c.back && c.from.less(e.place) || c.back && e.less(c.from) {
				c.events = append(c.events, e)
			}
			buf = buf[n:]
		}
		if c.back {
			slices.Reverse(c.events)
			c.next--
		} else {
			c.next++
		}
	}
	return nil
}

// merge reads many runs as one, in order. It is a heap of cursors that have events.
type merge []*cursor

func (m merge) Len() int { return len(m) }
func (m merge) Less(i, j int) bool {
	if m[i].back {
		i, j = j, i
	}
	return m[i].events[0].less(m[j].events[0].place)
}
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*cursor)) }
func (m *merge) Pop() any {
	c := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return c
}

// newMerge reads the streams' events after (backwards: before) a place.
func newMerge(streams []*stream, from place, back bool) (merge, error) {
	var m merge
	for _, s := range streams {
		s.mu.Lock()
		for _, r := range s.runs {
			m = append(m, r.cursor(s, from, back))
		}
		s.mu.Unlock()
	}
	for _, c := range m {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	m = slices.DeleteFunc(m, func(c *cursor) bool { return len(c.events) == 0 })
	heap.Init(&m)
	return m, nil
}

// next returns the nearest event without removing it; nil at the end.
func (m merge) next() *record {
	if len(m) == 0 {
		return nil
	}
	return &m[0].events[0]
}

// skip drops what next gave.
func (m *merge) skip() error {
	c := (*m)[0]
	c.events = c.events[1:]
	if err := c.fill(); err != nil {
		return err
	}
	if len(c.events) == 0 {
		heap.Pop(m)
	} else {
		heap.Fix(m, 0)
	}
	return nil
}
