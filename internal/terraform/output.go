package terraform

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// printed is a child's output, in an unnamed file that is read while it grows. A pipe would break when this process is killed, and
// Terraform would die while it saves its state.
type printed struct {
	file *os.File
	to   io.Writer
	read int64
}

func newPrinted(to io.Writer) (*printed, error) {
	file, err := os.CreateTemp("", "elasticache-perf-terraform-")
	if err != nil {
		return nil, fmt.Errorf("what Terraform prints goes to a temporary file: %w", err)
	}
	_ = os.Remove(file.Name()) // it lives as long as somebody has it open
	return &printed{file: file, to: to}, nil
}

// pass passes on new output. A reader that does not take it does not stop the child.
func (p *printed) pass() {
	n, _ := io.Copy(p.to, io.NewSectionReader(p.file, p.read, math.MaxInt64-p.read))
	p.read += n
}

// passAll passes on the output of all files until end, which waits until everything is passed on.
func passAll(all ...*printed) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ended := false; !ended; {
			select {
			case <-stop:
				ended = true
			case <-tick.C:
			}
			for _, p := range all {
				p.pass()
			}
		}
	}()
	return func() {
		close(stop)
		<-done
		for _, p := range all {
			_ = p.file.Close()
		}
	}
}
