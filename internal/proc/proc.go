// Package proc runs child processes that leave no orphan, and ends them on an interrupt or when the process that started this one ends.
//
// Interrupts: the first Ctrl-C (or SIGTERM, or the end of the process that started mage) ends the context. A child then gets exactly one SIGINT,
// because a second one makes Terraform quit without saving its state, and is waited for.
package proc

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Run runs c in a process group of its own, so that a terminal's Ctrl-C does not reach it. When c's context ends, the group gets one
// SIGINT; after grace (0: never) it is killed. What is left of the group when the child is gone is killed as well.
func Run(c *exec.Cmd, grace time.Duration) error { return run(c, grace, c.Start) }

// RunPrivate is Run for what writes secrets: its files are for their owner alone. The umask is the process's, so what another goroutine creates in
// that moment is for its owner alone, too.
func RunPrivate(c *exec.Cmd, grace time.Duration) error {
	return run(c, grace, func() error {
		defer syscall.Umask(syscall.Umask(0o077))
		return c.Start()
	})
}

// forking holds what a child inherits: the umask, and whether SIGINT is ignored.
var forking sync.Mutex

func run(c *exec.Cmd, grace time.Duration, start func() error) error {
	c.SysProcAttr = childAttr(syscall.SIGINT)
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) } // os/exec calls it once
	c.WaitDelay = grace
	// Pdeathsig fires when the *thread* that forked ends: this goroutine keeps it until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	forking.Lock()
	err := start()
	forking.Unlock()
	if err != nil {
		return err
	}
	err = c.Wait()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	return err
}
