// Package proc starts and ends the real processes behind the embedded AWS: cache nodes, tasks, Lambda runtimes.
//
// Each child leads its own session, so that what it starts can be found, measured and ended, also
// programs that make process groups (as coreutils' timeout does). Processes that leave the session are found by an inherited environment variable.
// When the child ends, everything that it started ends too, as with a container's first process
// (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html). The kernel signals the child when this process dies for any reason, and a waiting
// shell then ends the rest. Linux only: it reads /proc.
package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec is a process to be.
type Spec struct {
	Path           string // looked up on PATH of this process when it has no slash
	Args           []string
	Env            []string // exactly this, beside the mark; nil is nothing else
	Dir            string
	Stdin          *os.File // nil: nothing
	Stdout, Stderr io.Writer
	Death          syscall.Signal // what the child gets when this process dies; default SIGKILL
	First          bool           // the child is a container's first process: a signal that it has no handler for does not reach it
}

// Process is a started child. It is small: its arguments, environment and pipes go when the child has ended, however long somebody keeps the Process.
type Process struct {
	child *os.Process
	path  string
	mark  string // in the environment of all that it starts
	first bool
	done  chan struct{}
	code  int
}

// pipe is read until its other end is closed everywhere.
type pipe struct {
	read, write *os.File
	ended       chan struct{}
}

// stray is how long output is still read if a process that left the session keeps the pipe open.
const stray = time.Minute

// forks is where every child is started: PR_SET_PDEATHSIG fires when the *thread* that forked ends, so one
// thread that never ends does it. https://github.com/golang/go/issues/27505
var forks = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

// Start starts a child; errors name the program.
func Start(s Spec) (*Process, error) {
	cmd := exec.Command(s.Path, s.Args...)
	p := &Process{path: cmd.Path, mark: fmt.Sprintf("%s.%d", ours(), marked.Add(1)), first: s.First, done: make(chan struct{})}
	cmd.Env, cmd.Dir = append([]string{p.mark}, s.Env...), s.Dir
	if s.Stdin != nil {
		cmd.Stdin = s.Stdin
	}
	var output []*pipe
	err := write(&output, &cmd.Stdout, s.Stdout)
	if err == nil && s.Stderr == s.Stdout {
		cmd.Stderr = cmd.Stdout
	} else if err == nil {
		err = write(&output, &cmd.Stderr, s.Stderr)
	}
	if s.Death == 0 {
		s.Death = syscall.SIGKILL
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: s.Death}
	if err == nil {
		started := make(chan error)
		forks() <- func() { started <- cmd.Start() }
		err = <-started
	}
	for _, o := range output {
		_ = o.write.Close() // the child has its own
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	p.child = cmd.Process
	go func() {
		ended(p.PID())
		p.sweep()      // before its pid, which is its session's id, can be reused
		_ = cmd.Wait() // the exit code says it
		p.code = exitCode(cmd.ProcessState)
		for _, o := range output {
			_ = o.read.SetReadDeadline(time.Now().Add(stray)) // pipes take deadlines
			<-o.ended
		}
		close(p.done)
	}()
	return p, nil
}

// write makes the child write to w: directly to a file, otherwise through a pipe, which it adds to output.
func write(output *[]*pipe, to *io.Writer, w io.Writer) error {
	if _, file := w.(*os.File); file || w == nil {
		*to = w
		return nil
	}
	r, end, err := os.Pipe()
	if err != nil {
		return err
	}
	o := &pipe{r, end, make(chan struct{})}
	*to, *output = end, append(*output, o)
	go func() {
		defer close(o.ended)
		_, _ = io.Copy(w, r) // w reports its own errors
		_ = r.Close()
	}()
	return nil
}

func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// PID is the child's process and session id.
func (p *Process) PID() int { return p.child.Pid }

// Done is closed when the child has ended and its output has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is valid after Done: 128+n when signal n ended the child.
func (p *Process) ExitCode() int { return p.code }

// Signal goes to the child only, as to a container's PID 1, which ignores signals that it has no handler for, except SIGKILL.
func (p *Process) Signal(sig os.Signal) error {
	if number, ok := sig.(syscall.Signal); p.first && ok && number != syscall.SIGKILL && !handles(p.PID(), number) {
		return nil
	}
	if err := p.child.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.path, err)
	}
	return nil
}

// Stop sends SIGTERM, then after grace SIGKILL to the whole session, and waits until the session is gone.
func (p *Process) Stop(grace time.Duration) {
	if grace > 0 && p.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.done:
		case <-time.After(grace):
		}
	}
	_ = p.child.Kill() // it may have ended; what it started ends with it
	<-p.done
}

// sweep kills what the child started until nothing is left. The child has ended and was not waited for.
func (p *Process) sweep() {
	for {
		members := session(p.PID())
		for _, pid := range marks(p.mark) {
			members = append(members, member{pid: pid})
		}
		for _, m := range members {
			_ = syscall.Kill(m.pid, syscall.SIGKILL) // it may have ended meanwhile
		}
		if len(members) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Kill ends the whole session at once and waits.
func (p *Process) Kill() { p.Stop(0) }

// Usage is a session's CPU time since each of its living processes started, including children that were waited
// for, and its resident bytes now.
type Usage struct {
	CPU       time.Duration
	RSS       int64
	Processes int
}

// Usage reads the whole session's from /proc.
func (p *Process) Usage() Usage {
	var u Usage
	for _, m := range session(p.PID()) {
		u.CPU += m.cpu
		u.RSS += m.rss
		u.Processes++
	}
	return u
}

type member struct {
	pid int
	cpu time.Duration
	rss int64
}

// session lists the living processes of a session; zombies are not living.
// Fields: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func session(sid int) []member {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []member
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may hold anything, so fields count from the last one.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 22 || f[0] == "Z" || f[3] != strconv.Itoa(sid) {
			continue
		}
		var ticks, pages int64
		for _, i := range []int{11, 12, 13, 14} { // utime stime cutime cstime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			ticks += n
		}
		pages, _ = strconv.ParseInt(f[21], 10, 64)
		const tick = time.Second / 100 // USER_HZ, 100 on every Linux that Go runs on
		out = append(out, member{pid, time.Duration(ticks) * tick, pages * int64(os.Getpagesize())})
	}
	return out
}
