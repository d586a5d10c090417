package proc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	require.Eventually(t, func() bool { return p.Usage().Processes == 4 }, 5*time.Second, 10*time.Millisecond)
	require.Positive(t, p.Usage().RSS)
	p.Stop(50 * time.Millisecond)
	require.Empty(t, session(p.PID()))
	require.Equal(t, 128+int(syscall.SIGKILL), p.ExitCode())
}

// The child is signalled when its parent is killed, whichever thread started it.
func TestDeath(t *testing.T) {
	if os.Getenv("PROC_PARENT") != "" {
		p, err := Start(Spec{Path: "sleep", Args: []string{"600"}})
		if err != nil {
			panic(err)
		}
		time.Sleep(100 * time.Millisecond) // other threads come and go meanwhile
		fmt.Printf("child=%d\n", p.PID())
		time.Sleep(time.Hour)
	}
	parent := exec.Command(os.Args[0], "-test.run=TestDeath")
	parent.Env = append(os.Environ(), "PROC_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	b := make([]byte, 200)
	n, err := out.Read(b)
	require.NoError(t, err)
	_, child, ok := strings.Cut(strings.TrimSpace(string(b[:n])), "child=")
	require.True(t, ok)
	require.DirExists(t, "/proc/"+child)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool {
		b, err := os.ReadFile("/proc/" + child + "/stat")
		return err != nil || strings.Contains(string(b), ") Z ")
	}, 5*time.Second, 10*time.Millisecond)
}
