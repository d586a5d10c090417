package export

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// LineError is what is wrong with one line of a file. It costs that line alone: the sequence that yields it goes on.
type LineError struct {
	Line int64
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// TextLine is one line of a text, without line break and byte order mark.
type TextLine struct {
	Number int64
	Text   []byte // valid until the next line
	Open   bool   // the text ends in it, without a line break
}

// Lines yields the lines of a text. A text in UTF-16 that has
// such a mark, as PowerShell writes it, is read as well. A line of over most bytes is a *LineError; any other error ends the sequence.
func Lines(r io.Reader, most int) iter.Seq2[TextLine, error] {
	return func(yield func(TextLine, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		if mark, _ := in.Peek(2); string(mark) == "\xff\xfe" || string(mark) == "\xfe\xff" {
			in = bufio.NewReaderSize(transform.NewReader(in, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), 64<<10)
		}
		var long []byte
		for n := int64(1); ; n++ {
			line, err := in.ReadSlice('\n')
			if err == bufio.ErrBufferFull {
				long, size := append(long[:0], line...), len(line)
				for err == bufio.ErrBufferFull {
					if line, err = in.ReadSlice('\n'); len(long)+len(line) <= most {
						long = append(long, line...)
					}
					size += len(line)
				}
				if line = long; size > most && (err == nil || err == io.EOF) {
					if !yield(TextLine{Number: n}, &LineError{n, fmt.Errorf("it has %d bytes, more than %d", size, most)}) {
						return
					}
					continue
				}
			}
			if err != nil && err != io.EOF {
				yield(TextLine{Number: n}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if err == io.EOF && len(line) == 0 {
				return
			}
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // also within a file that was joined from several
			if !yield(TextLine{n, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err == io.EOF}, nil) || err == io.EOF {
				return
			}
		}
	}
}
