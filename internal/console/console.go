// Package console is how a command talks: what it says, how far a long step is, and what it asks.
package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// Console is a command's output and input: a terminal, or a log.
type Console struct {
	In     io.Reader
	Out    io.Writer
	TTY    bool      // a person reads
	Answer io.Writer // for questions to a person; nil: nobody can answer

	// Terminal, where Out is one, shows long steps in one line below it. Nil: a plain line of Out every Every, 0 is 30 s.
	Terminal *page.Terminal
	Every    time.Duration

	// Pause is how long to wait between looks at something that takes its time; 0 is 10 s.
	Pause time.Duration
	// TerraformOut receives what Terraform prints; nil is Out.
	TerraformOut io.Writer

	lost *atomic.Pointer[error] // why some of Out was not written to a disk; nil: nobody keeps it
}

// Lost is why the file that the output goes to does not have all of it; nil when it has, and when nobody reads any more.
func (c *Console) Lost() error {
	if c.lost == nil || c.lost.Load() == nil {
		return nil
	}
	return *c.lost.Load()
}

// Open is the console of this process.
func Open() *Console {
	c := &Console{In: os.Stdin, lost: new(atomic.Pointer[error]), TTY: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))}
	c.Out = Lasting{os.Stdout, c.lost}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		c.Answer = Lasting{W: os.Stderr} // in `mage destroy >log`, the question is not to go to the log
	}
	if out := int(os.Stdout.Fd()); term.IsTerminal(out) && os.Getenv("TERM") != "dumb" {
		size := func() (columns, rows int) {
			columns, rows, err := term.GetSize(out)
			if err != nil || columns == 0 || rows == 0 {
				return 80, 24
			}
			return columns, rows
		}
		c.Terminal = &page.Terminal{W: os.Stdout,
			Columns: func() int { columns, _ := size(); return columns }, Rows: func() int { _, rows := size(); return rows }}
		c.Out = Lasting{W: c.Terminal}
		if c.Answer != nil {
			c.Answer = c.Out
		}
	}
	return c
}

// Say prints a line.
func (c *Console) Say(format string, args ...any) {
	_, _ = io.WriteString(c.Out, page.Printable(fmt.Sprintf(format, args...))+"\n")
}

// Wait waits a pause, at most for most where it is not 0; when ctx ends meanwhile, it gives the reason.
func (c *Console) Wait(ctx context.Context, most time.Duration) error {
	d := c.Pause
	if d == 0 {
		d = 10 * time.Second
	}
	if most > 0 {
		d = min(d, most)
	}
	return Sleep(ctx, d)
}

// Approve asks a person, unless the answer is given already. Where nobody can answer, that is a no. without is what a no leaves undone.
func (c *Console) Approve(ctx context.Context, given bool, question, without string) error {
	if given {
		return nil
	}
	if c.Answer == nil {
		return fmt.Errorf("%s\nnot approved, because there is no terminal to answer in: %s. APPROVE=1 answers yes in advance", question, without)
	}
	fmt.Fprintf(c.Answer, "%s [y/N] ", page.Printable(question))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case a := <-answer:
		if a != "y" && a != "yes" {
			return fmt.Errorf("not approved: %s", without)
		}
		return nil
	}
}

// Lasting continues when nobody reads any more: after the death of the process that started us, stdout is a broken pipe, and there is
// still work to finish. If the disk is full, Lost gets that error, unless Lost is nil.
type Lasting struct {
	W    io.Writer
	Lost *atomic.Pointer[error]
}

func (l Lasting) Write(b []byte) (int, error) {
	_, err := l.W.Write(b)
	if full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT); full && l.Lost != nil {
		l.Lost.CompareAndSwap(nil, &err)
	}
	return len(b), nil
}

// Sleep waits d, or less when ctx ends: then it gives the reason.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
