package ops

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// runChild runs c in a process group of its own, so that a terminal's Ctrl-C does not reach it. When c's context ends, the group gets one
// SIGINT; after grace (0: never) it is killed. Whoever is left of the group when the child is gone is killed as well.
func runChild(c *exec.Cmd, grace time.Duration) error {
	c.SysProcAttr = childAttr(syscall.SIGINT)
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) } // os/exec calls it once
	c.WaitDelay = grace
	// Pdeathsig fires when the *thread* that forked ends: this goroutine keeps it until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.Start(); err != nil {
		return err
	}
	err := c.Wait()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	return err
}

// command is a child of the project: its directory and its environment.
func (p *Project) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = p.Root, p.Env, p.Out, p.Out
	return c
}
