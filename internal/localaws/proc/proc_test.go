package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

// The child is signalled when its parent is killed, whichever thread started it.
func TestDeath(t *testing.T) {
	if os.Getenv("PROC_PARENT") != "" {
		p, err := Start(Spec{Path: "sleep", Args: []string{"600"}})
		if err != nil {
			panic(err)
		}
		var ended sync.WaitGroup
		for range 10 { // threads come and go meanwhile
			ended.Go(func() { runtime.LockOSThread() }) // a goroutine that ends locked ends its thread
		}
		ended.Wait()
		fmt.Printf("child=%d\n", p.PID())
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
	require.DirExists(t, "/proc/"+child)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	wiretest.Until(t, "the child ends", func() (any, bool) {
		b, err := os.ReadFile("/proc/" + child + "/stat")
		return string(b), err != nil || strings.Contains(string(b), ") Z ")
	})
}
