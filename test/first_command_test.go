package test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// somebody is a user who is not root: the caller, or `nobody` when the caller is root.
func somebody() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// checkout copies the tree, without .git and what was built, to a folder that belongs to somebody.
func checkout(t *testing.T, dir string) string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	files, err := list.Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		from, to := filepath.Join("..", name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // deleted and not yet committed
		}
		require.NoError(t, err)
		content, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, content, info.Mode()))
	}
	return dir
}

// folder of a test that another user can reach, too.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "first-command-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		_ = exec.Command("chmod", "-R", "u+w", dir).Run() // Go's module cache is read-only
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

func give(t *testing.T, dir string, to *syscall.Credential) {
	t.Helper()
	if to == nil {
		return
	}
	require.NoError(t, filepath.WalkDir(dir, func(file string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(file, int(to.Uid), int(to.Gid))
	}))
}

// newcomer runs a command as on a new machine: an own home, no build cache, no modules, nothing in the environment but the way to the module proxy.
func newcomer(t *testing.T, dir, home string, as *syscall.Credential, args ...string) (output string, err error) {
	t.Helper()
	proxy, err := exec.Command("go", "env", "GOPROXY", "GONOSUMDB", "GOSUMDB").Output()
	require.NoError(t, err)
	values := strings.Split(string(proxy), "\n")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute) // it hangs
	defer cancel()
	c := exec.CommandContext(ctx, "go", append([]string{"tool", "mage"}, args...)...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "PWD=" + dir, "GOPROXY=" + values[0], "GONOSUMDB=" + values[1], "GOSUMDB=" + values[2]}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 2 * time.Minute
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	return out.String(), err
}

// The README's first command, as somebody who has nothing: not root, no .git, a folder with spaces and umlauts, an empty machine. At the same time
// another checkout takes it, too, and in the same one a second is refused in a sentence.
func TestFirstCommand(t *testing.T) {
	if onAWS() || !long() {
		t.Skip("compiles everything: mage test:all")
	}
	top, user := open(t), somebody()
	t.Parallel()
	dir := checkout(t, filepath.Join(top, "a höuse", "with späces"))
	home := filepath.Join(top, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	give(t, top, user)

	var both sync.WaitGroup
	var first, other, second, up string
	var firstErr, otherErr, secondErr, upErr error
	ended := make(chan struct{})
	both.Go(func() {
		defer close(ended)
		first, firstErr = newcomer(t, dir, home, user, "local:run")
	})
	both.Go(func() {
		neighbour := checkout(t, open(t))
		other, otherErr = newcomer(t, neighbour, os.Getenv("HOME"), nil, "local:run")
	})
	for running := true; running; {
		select {
		case <-ended:
			running = false // too early: what it said is shown below
		case <-time.After(100 * time.Millisecond):
			if _, err := os.Stat(filepath.Join(dir, ".localaws", "stack")); err == nil { // made under the lock
				second, secondErr = newcomer(t, dir, home, user, "local:run")
				up, upErr = newcomer(t, dir, home, user, "local:up")
				running = false
			}
		}
	}
	both.Wait()

	require.NoError(t, firstErr, first)
	require.NoError(t, otherErr, other)
	require.Contains(t, first, "compiling the commands: about a minute on two cores the first time\n")
	for _, out := range []string{first, other} {
		require.Contains(t, out, "done: nothing is left running\n")
		require.Regexp(t, `(?m)^  throughput .* (9\d(\.\d)?|100) % of the reads hit$`, out, "the keys are written before the load")
		require.Contains(t, out, "with results.json beside it")
	}
	for _, refused := range []struct {
		out string
		err error
	}{{second, secondErr}, {up, upErr}} {
		require.Error(t, refused.err, refused.out)
		require.Regexp(t, `\.localaws is in use: a local:run or local:up is under way in this checkout \(process \d+\)\. Wait for it or end it`, refused.out)
	}
}

// A checkout that cannot be written is refused in a sentence, not by the error of whatever fails first.
func TestFirstCommandInAReadOnlyCheckout(t *testing.T) {
	if onAWS() || !long() {
		t.Skip("compiles what says it: mage test:all")
	}
	t.Parallel()
	top, user := open(t), somebody()
	dir := checkout(t, filepath.Join(top, "read only"))
	home := filepath.Join(top, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	give(t, home, user)
	if user == nil {
		require.NoError(t, os.Chmod(dir, 0o555))
	}
	out, err := newcomer(t, dir, home, user, "local:run")
	require.Error(t, err)
	require.Contains(t, out, "mage: "+dir+" cannot be written (")
	require.Contains(t, out, "copy the checkout to a folder of your own")
}
