package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ErrInterrupted is the reason of a context that an interrupt ended.
var ErrInterrupted = errors.New("interrupted")

// interruptedBy is the reason, which names the sender of the signal; Ctrl-C needs no name.
func interruptedBy(s os.Signal) error {
	switch s {
	case syscall.SIGTERM:
		return fmt.Errorf("%w by SIGTERM", ErrInterrupted)
	case syscall.SIGHUP:
		return fmt.Errorf("%w by SIGHUP: its terminal is gone", ErrInterrupted)
	}
	return ErrInterrupted
}

// heard is how long after an interrupt a message confirms it, if nothing has ended yet.
const heard = 2 * time.Second

// Interruptible is a context that ends on SIGINT, SIGTERM or SIGHUP, or when a process that started this one ends.
//
// mage has handlers of its own: SIGINT to the group makes the magefile's binary exit after 5 seconds and orphan its children, and SIGTERM or
// SIGKILL to `go tool mage` reaches only the processes above. So mage's handler is taken off, and the processes above are watched.
func Interruptible(messages io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 4)
	take := func() { takeInterrupts(signals) }
	take()
	others := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // not under nohup
		others = append(others, syscall.SIGHUP)
	}
	signal.Notify(signals, others...)
	// A handler that does nothing: writing to a pipe that nobody reads is an error then, not the end.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)

	above := ancestors()
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		ticks := 0
		var waits <-chan time.Time // after an interrupt
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				if ctx.Err() != nil {
					waits = nil
					fmt.Fprintln(messages, "still ending what runs; if that is Terraform, it is saving its state")
				} else {
					waits = time.After(heard)
				}
				cancel(interruptedBy(s))
			case <-waits:
				fmt.Fprintln(messages, "interrupted: waiting until what runs has ended and saved what it created")
			case <-tick.C:
				if ticks++; ticks <= 2 {
					take() // mage sets its handler in another goroutine, which may come after our first one
				}
				for _, a := range above {
					if !a.alive() && ctx.Err() == nil {
						cancel(fmt.Errorf("%w: the process that started this one (%s, pid %d) is gone", ErrInterrupted, a.name, a.pid))
					}
				}
			}
		}
	}()
	return ctx, func() {
		close(done)
		signal.Stop(signals)
		signal.Stop(broken)
		cancel(nil)
	}
}

// takeInterrupts makes signals the one receiver of SIGINT. Ignore removes every handler, without a moment in which it would kill us; a child that is
// started in that moment would ignore SIGINT for good.
func takeInterrupts(signals chan<- os.Signal) {
	forking.Lock()
	defer forking.Unlock()
	signal.Ignore(syscall.SIGINT)
	signal.Notify(signals, syscall.SIGINT)
}
