package export

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

// LineError is an error in one line of a file. Only that line is lost: the sequence that yields it continues.
type LineError struct {
	Line int64
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// TextLine is one line of a text, without its line break and byte order mark.
type TextLine struct {
	Number int64
	Text   []byte // valid until the next line
	Open   bool   // the last line, without a line break
}

// input remembers read errors: a truncated gzip file and a truncated download both fail with io.ErrUnexpectedEOF.
type input struct {
	io.Reader
	err error
}

func (in *input) Read(b []byte) (int, error) {
	n, err := in.Reader.Read(b)
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// Lines yields the lines of a text. It also reads UTF-16 with a byte order mark (PowerShell), gzip, and lines that end with CR alone (Excel's "CSV
// (Macintosh)"). A line longer than most bytes is a *LineError, and so is the end of a truncated gzip text; any other error, such as one of r, ends the
// sequence.
func Lines(r io.Reader, most int) iter.Seq2[TextLine, error] {
	return func(yield func(TextLine, error) bool) {
		from := &input{Reader: r}
		in := bufio.NewReaderSize(from, 64<<10)
		compressed := false
		if mark, _ := in.Peek(2); string(mark) == "\x1f\x8b" {
			text, err := gzip.NewReader(in)
			if from.err != nil {
				yield(TextLine{Number: 1}, fmt.Errorf("line 1: %w", from.err))
				return
			}
			if err != nil {
				yield(TextLine{Number: 1}, &LineError{1, err})
				return
			}
			in, compressed = bufio.NewReaderSize(text, 64<<10), true
		}
		if mark, _ := in.Peek(2); string(mark) == "\xff\xfe" || string(mark) == "\xfe\xff" {
			in = bufio.NewReaderSize(transform.NewReader(in, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), 64<<10)
		}
		if start, _ := in.Peek(64 << 10); bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 {
			in = bufio.NewReaderSize(transform.NewReader(in, runes.Map(func(r rune) rune {
				if r == '\r' {
					return '\n'
				}
				return r
			})), 64<<10)
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
				if compressed && from.err == nil {
					yield(TextLine{Number: n}, &LineError{n, fmt.Errorf("the compressed text ends in it: %w", err)})
					return
				}
				yield(TextLine{Number: n}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if err == io.EOF && len(line) == 0 {
				return
			}
			line = bytes.TrimLeft(line, "\ufeff\x00") // byte order marks inside a concatenated file; NULs where a log was truncated while being written
			if !yield(TextLine{n, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err == io.EOF}, nil) || err == io.EOF {
				return
			}
		}
	}
}
