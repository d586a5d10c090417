package proc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

func notify() chan os.Signal {
	signals := make(chan os.Signal, 9)
	signal.Notify(signals, syscall.SIGINT)
	return signals
}

// ending is a second after the last signal: time for a second one, which must not come.
func ending(count int) <-chan time.Time {
	if count == 0 {
		return nil
	}
	return time.After(time.Second)
}

// has waits until a file has a text.
func has(t *testing.T, file, text string) {
	t.Helper()
	waittest.Until(t, func() error {
		content, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(content), text) {
			err = fmt.Errorf("%s has no %q: %q", file, text, content)
		}
		return err
	})
}

// A process tree as `go tool mage TARGET` has it: however it is ended, the command's child gets exactly one SIGINT, and is waited for.
func TestEndOfTheProcessAbove(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for name, end := range map[string]func(t *testing.T, dir string, top *os.Process, mage int){
		"SIGINT to the group": func(t *testing.T, _ string, top *os.Process, _ int) {
			require.NoError(t, syscall.Kill(-top.Pid, syscall.SIGINT))
		},
		"SIGTERM to the top": func(t *testing.T, _ string, top *os.Process, _ int) { require.NoError(t, top.Signal(syscall.SIGTERM)) },
		"SIGKILL to the top": func(t *testing.T, _ string, top *os.Process, _ int) { require.NoError(t, top.Kill()) },
		"SIGKILL in the middle": func(t *testing.T, _ string, _ *os.Process, mage int) {
			require.NoError(t, syscall.Kill(mage, syscall.SIGKILL))
		},
		"Ctrl-C pressed thrice": func(t *testing.T, dir string, top *os.Process, _ int) { interruptThrice(t, dir, top.Pid) },
		"SIGTERM to the command": func(t *testing.T, _ string, _ *os.Process, mage int) {
			require.NoError(t, syscall.Kill(childOf(t, mage), syscall.SIGTERM))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, role := range []string{"go", "mage", "target", "child"} {
				place(t, self, filepath.Join(dir, role))
			}
			top := exec.Command(filepath.Join(dir, "go"))
			top.Env = append(os.Environ(), "TEST_ROLE=go", "TEST_DIR="+dir)
			top.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, top.Start())
			child := pidIn(t, filepath.Join(dir, "child.pid"))
			mage := pidIn(t, filepath.Join(dir, "mage.pid"))
			end(t, dir, top.Process, mage)
			_ = top.Wait()
			has(t, filepath.Join(dir, "target.end"), "interrupted")
			require.Equal(t, "1", read(t, filepath.Join(dir, "child.end")), "SIGINTs that the child got")
			_, _, alive := stat(child)
			require.False(t, alive, "the child is waited for")
		})
	}
}

// interruptThrice presses Ctrl-C again when the last one has had its effect, and was said to be heard. The child does not end meanwhile.
func interruptThrice(t *testing.T, dir string, group int) {
	stay := filepath.Join(dir, "child.stay")
	require.NoError(t, os.WriteFile(stay, nil, 0o644))
	const heard = "interrupted: waiting until what runs has ended and saved what it created\n"
	const still = "still ending what runs; if that is Terraform, it is saving its state\n"
	for i := range 3 {
		require.NoError(t, syscall.Kill(-group, syscall.SIGINT))
		if i == 0 {
			has(t, filepath.Join(dir, "child.interrupted"), "")
			has(t, filepath.Join(dir, "target.said"), heard)
		} else {
			has(t, filepath.Join(dir, "target.said"), heard+strings.Repeat(still, i))
		}
	}
	require.NoError(t, os.Remove(stay))
}

// childOf is the one child of a process.
func childOf(t *testing.T, pid int) int {
	text := read(t, filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children"))
	if strings.TrimSpace(text) == "" { // another thread may have started it
		files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
		require.NoError(t, err)
		for _, f := range files {
			text += read(t, f)
		}
	}
	child, err := strconv.Atoi(strings.Fields(text)[0])
	require.NoError(t, err)
	return child
}

func pidIn(t *testing.T, file string) (pid int) {
	waittest.Until(t, func() error {
		text, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err
	})
	return pid
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// place puts a program where its path is to: by a link that /proc shows under that name, or by a copy.
func place(t *testing.T, from, to string) {
	if os.Link(from, to) == nil {
		return
	}
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

func TestAncestorsAreGoAndMageOnly(t *testing.T) {
	for _, a := range ancestors() { // under `go test`, the go command is above
		require.Contains(t, []string{"go", "mage"}, a.name)
		require.True(t, a.alive())
	}
	parent, began, alive := stat(os.Getpid())
	require.True(t, alive)
	require.Equal(t, os.Getppid(), parent)
	require.False(t, ancestor{pid: os.Getpid(), began: began + "0"}.alive(), "another process with the same pid")
}

func TestMain(m *testing.M) {
	if role := os.Getenv("TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// play is what a copy of this binary does as part of a process tree; see TestEndOfTheProcessAbove.
func play(role string) int {
	dir := os.Getenv("TEST_DIR")
	pid := []byte(strconv.Itoa(os.Getpid()))
	switch role {
	case "go", "mage": // starts the next one and waits, as they do
		next := map[string]string{"go": "mage", "mage": "target"}[role]
		c := exec.Command(filepath.Join(dir, next))
		c.Env = append(os.Environ(), "TEST_ROLE="+next)
		if write(filepath.Join(dir, role+".pid"), pid) != nil || c.Run() != nil {
			return 1
		}
	case "target": // a command with a child that ends on SIGINT only
		said, err := os.Create(filepath.Join(dir, "target.said"))
		if err != nil {
			return 1
		}
		ctx, stop := Interruptible(said)
		defer stop()
		c := exec.CommandContext(ctx, filepath.Join(dir, "child"))
		c.Env = append(os.Environ(), "TEST_ROLE=child")
		_ = Run(c, 0)
		_ = write(filepath.Join(dir, "target.end"), []byte(fmt.Sprint(context.Cause(ctx))))
	case "child":
		count := 0
		signals := notify()
		_ = write(filepath.Join(dir, "child.pid"), pid)
		for limit := time.After(waittest.Patience); ; {
			select {
			case <-limit:
				return 1
			case <-signals:
				count++
				_ = os.WriteFile(filepath.Join(dir, "child.interrupted"), nil, 0o644)
			case <-ending(count):
				if stays(dir) {
					continue
				}
				_ = os.WriteFile(filepath.Join(dir, "child.end"), []byte(strconv.Itoa(count)), 0o644)
				return 0
			}
		}
	}
	return 0
}

func stays(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "child.stay"))
	return err == nil
}

// write makes a file appear whole.
func write(file string, content []byte) error {
	if err := os.WriteFile(file+".next", content, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".next", file)
}

// No child is started in the moment in which SIGINT is ignored: it would not hear of an interrupt.
func TestChildrenHearInterrupts(t *testing.T) {
	signals := make(chan os.Signal, 1)
	takeInterrupts(signals) // the tests themselves may run with SIGINT ignored
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(t.Context())
	var taking sync.WaitGroup
	taking.Go(func() {
		for ctx.Err() == nil {
			takeInterrupts(signals)
		}
	})
	defer taking.Wait()
	defer cancel()
	for range 200 {
		var ignored bytes.Buffer
		c := exec.CommandContext(ctx, "grep", "^SigIgn:", "/proc/self/status") // https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
		c.Stdout = &ignored
		require.NoError(t, Run(c, 0))
		set, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(ignored.String(), "SigIgn:")), 16, 64)
		require.NoError(t, err)
		require.Zero(t, set&(1<<(syscall.SIGINT-1)), ignored.String())
	}
}
