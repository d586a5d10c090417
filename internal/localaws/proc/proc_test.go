package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func TestOutputAndExitCode(t *testing.T) {
	var out bytes.Buffer
	p, err := Start(Spec{Path: "sh", Args: []string{"-c", `echo "$A $HOME"; exit 3`}, Env: []string{"A=1"}, Stdout: &out})
	require.NoError(t, err)
	<-p.Done()
	require.Equal(t, "1 \n", out.String())
	require.Equal(t, 3, p.ExitCode())
	p.Kill() // harmless afterwards
	require.NoError(t, p.Signal(syscall.SIGTERM))

	_, err = Start(Spec{Path: "no-such-program"})
	require.ErrorContains(t, err, "start no-such-program")
}

// Whoever keeps a Process that has ended, for its exit code, does not keep its arguments and environment.
func TestAnEndedChildIsSmall(t *testing.T) {
	text := strings.Repeat("x", 1000)
	held := weak.Make(unsafe.StringData(text))
	p, err := Start(Spec{Path: "true", Args: []string{text}, Env: []string{text}, Stdout: new(bytes.Buffer)})
	require.NoError(t, err)
	<-p.Done()
	wiretest.Until(t, "nothing has the arguments", func() (any, bool) { runtime.GC(); return "they are held", held.Value() == nil })
	require.Zero(t, p.ExitCode())
}

// A program that makes process groups of its own and ignores SIGTERM is ended all the same.
func TestStopEndsTheWholeSession(t *testing.T) {
	p, err := Start(Spec{Path: "sh", Args: []string{"-c", `trap "" TERM; timeout 600 sleep 599 & sleep 598`}, Env: os.Environ()})
	require.NoError(t, err)
	wiretest.Until(t, "four processes", func() (any, bool) { u := p.Usage(); return u, u.Processes == 4 })
	require.Positive(t, p.Usage().RSS)
	p.Stop(50 * time.Millisecond)
	require.Empty(t, session(p.PID()))
	require.Equal(t, 128+int(syscall.SIGKILL), p.ExitCode())
}

// Nothing of a child outlives it, nor is it waited for; what was written before arrives.
func TestNothingIsLeftBehind(t *testing.T) {
	var out bytes.Buffer
	p, err := Start(Spec{Path: "sh", Args: []string{"-c", `sleep 3600 & timeout 3600 sleep 3599 & echo up`}, Env: os.Environ(), Stdout: &out, Stderr: &out})
	require.NoError(t, err)
	<-p.Done()
	require.Empty(t, session(p.PID()))
	require.Equal(t, "up\n", out.String())
	require.Zero(t, p.ExitCode())
}

// The child is signalled when its parent is killed, whichever thread started it, and what it started ends too.
func TestDeath(t *testing.T) {
	if os.Getenv("PROC_PARENT") != "" {
		p, err := Start(Spec{Path: "sh", Args: []string{"-c", "setsid sleep 600 & exec sleep 600"}, Env: os.Environ()})
		if err != nil {
			panic(err)
		}
		var ended sync.WaitGroup
		for range 10 { // threads come and go meanwhile
			ended.Go(func() { runtime.LockOSThread() }) // a goroutine that ends locked ends its thread
		}
		ended.Wait()
		for len(marks(p.mark)) < 2 { // both
			time.Sleep(time.Millisecond)
		}
		fmt.Printf("child=%s\n", p.mark)
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run=TestDeath")
	parent.Env = append(os.Environ(), "PROC_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, child, ok := strings.Cut(strings.TrimSpace(line), "child=")
	require.True(t, ok)
	require.Len(t, marks(child), 2)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	wiretest.Until(t, "both end", func() (any, bool) { left := marks(child); return left, len(left) == 0 })
}

// A process that made a session of its own, and whose parents are gone, ends with the child that it comes from.
func TestStopEndsWhatLeftTheSession(t *testing.T) {
	var out bytes.Buffer
	p, err := Start(Spec{Path: "sh", Args: []string{"-c", `(setsid sleep 3600 & exec setsid sleep 3599) & sleep 3598`}, Env: os.Environ(), Stdout: &out})
	require.NoError(t, err)
	left := func() (pids []int) {
		for _, pid := range marks(p.mark) {
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(line), "sleep") {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	wiretest.Until(t, "three sleep", func() (any, bool) { pids := left(); return pids, len(pids) == 3 })
	p.Stop(0)
	require.Empty(t, left())
}

// The first process of a container gets no signal that it has no handler for, but SIGKILL.
func TestFirstProcess(t *testing.T) {
	start := func(script string, first bool) *Process {
		p, err := Start(Spec{Path: "sh", Args: []string{"-c", script}, Env: os.Environ(), First: first})
		require.NoError(t, err)
		return p
	}
	deaf := start("sleep 3600; :", true)
	deaf.Stop(300 * time.Millisecond)
	require.Equal(t, 137, deaf.ExitCode())

	other := start("sleep 3600; :", false)
	other.Stop(time.Minute)
	require.Equal(t, 143, other.ExitCode())

	ready := filepath.Join(t.TempDir(), "ready")
	hears := start("trap 'exit 3' TERM; : >"+ready+"; while :; do sleep 0.1; done", true)
	wiretest.Until(t, "it has its handler", func() (any, bool) { _, err := os.Stat(ready); return err, err == nil })
	hears.Stop(time.Minute)
	require.Equal(t, 3, hears.ExitCode())
}
