package export

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
)

// page is a page of log events, compressed in chunks that are unpacked one after the other: only one chunk per stream is in memory unpacked.
// Log lines shrink to a tenth, in small chunks to a quarter.
type page struct {
	chunks []chunk
	raw    []byte // the rest of the current chunk
	held   int64
	events int   // left
	at     int64 // milliseconds of the previous event
	of     int   // the stream of the previous event, by its number within the reader
	last   bool  // of its stream
}

type chunk struct {
	packed []byte
	length int // unpacked
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// Readers are shared: one holds 40 KB, and there are thousands of streams.
var unpackers = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// event is a log event from CloudWatch, with the number of its stream within the reader.
type event struct {
	at      int64
	of      int
	message string
}

// pack compresses events in chunks of about size bytes.
func pack(events []event, size int) (*page, error) {
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	p := &page{}
	var raw []byte
	var out bytes.Buffer
	flush := func() error {
		out.Reset()
		w.Reset(&out)
		if _, err := w.Write(raw); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		p.chunks = append(p.chunks, chunk{bytes.Clone(out.Bytes()), len(raw)})
		p.held += int64(out.Len())
		raw = raw[:0]
		return nil
	}
	var before int64
	for _, e := range events {
		raw = binary.AppendUvarint(binary.AppendVarint(raw, e.at-before), uint64(e.of))
		raw = append(binary.AppendUvarint(raw, uint64(len(e.message))), e.message...)
		before = e.at
		if p.events++; len(raw) >= size {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if len(raw) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	p.chunks = slices.Clip(p.chunks)
	return p, nil
}

// size returns the compressed size in bytes; it does not change while the page is read.
func (p *page) size() int64 { return p.held }

// unpack unpacks the next chunk.
func (p *page) unpack() error {
	if len(p.chunks) == 0 {
		return io.ErrUnexpectedEOF
	}
	next := p.chunks[0]
	p.chunks[0] = chunk{}
	p.chunks = p.chunks[1:]
	r := unpackers.Get().(io.ReadCloser)
	defer unpackers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(next.packed), nil); err != nil {
		return err
	}
	p.raw = make([]byte, next.length)
	_, err := io.ReadFull(r, p.raw)
	return err
}

// next removes and returns an event; the message is valid until the next call.
func (p *page) next() (at int64, message []byte, err error) {
	if len(p.raw) == 0 {
		if err := p.unpack(); err != nil {
			return 0, nil, fmt.Errorf("unpack a page of events: %w", err)
		}
	}
	delta, n := binary.Varint(p.raw)
	of, m := binary.Uvarint(p.raw[max(n, 0):])
	length, l := binary.Uvarint(p.raw[max(n, 0)+max(m, 0):])
	if head := n + m + l; n <= 0 || m <= 0 || l <= 0 || uint64(len(p.raw)-head) < length {
		return 0, nil, fmt.Errorf("unpack a page of events: %w", io.ErrUnexpectedEOF)
	} else {
		message, p.raw = p.raw[head:head+int(length)], p.raw[head+int(length):]
	}
	p.at, p.of = p.at+delta, int(of)
	p.events--
	return p.at, message, nil
}
