package export

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// page is a page of log events, compressed while it waits: a hundred streams hold a page or two each. Log lines shrink to a tenth.
type page struct {
	packed []byte
	read   *bufio.Reader // nil before the first event
	events int           // left
	at     int64         // milliseconds of the event before
	last   bool          // of its stream
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// pack takes the events from begin to end (exclusive), in milliseconds.
func pack(events []types.OutputLogEvent, begin, end int64) (*page, error) {
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	p := &page{}
	var head []byte
	var before int64
	for _, e := range events {
		at, message := aws.ToInt64(e.Timestamp), aws.ToString(e.Message)
		if at < begin || at >= end {
			continue
		}
		head = binary.AppendUvarint(binary.AppendVarint(head[:0], at-before), uint64(len(message)))
		if _, err := w.Write(head); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, message); err != nil {
			return nil, err
		}
		before = at
		p.events++
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	p.packed = bytes.Clone(out.Bytes())
	return p, nil
}

// size is what the page holds, in bytes; it does not change while it is read.
func (p *page) size() int64 { return int64(len(p.packed)) }

// next takes an event off; the message is in buffer, which may have to grow.
func (p *page) next(buffer []byte) (at int64, message []byte, err error) {
	if p.read == nil {
		p.read = bufio.NewReader(flate.NewReader(bytes.NewReader(p.packed)))
	}
	delta, err := binary.ReadVarint(p.read)
	if err != nil {
		return 0, nil, fmt.Errorf("unpack a page of events: %w", err)
	}
	length, err := binary.ReadUvarint(p.read)
	if err != nil {
		return 0, nil, fmt.Errorf("unpack a page of events: %w", err)
	}
	if uint64(cap(buffer)) < length {
		buffer = make([]byte, length)
	}
	message = buffer[:length]
	if _, err := io.ReadFull(p.read, message); err != nil {
		return 0, nil, fmt.Errorf("unpack a page of events: %w", err)
	}
	p.at += delta
	p.events--
	return p.at, message, nil
}
