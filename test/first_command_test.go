package test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// unprivilegedUser is a user other than root: the caller (nil), or `nobody` if the caller is root.
func unprivilegedUser() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// checkout copies the tree to a folder, without .git and build results.
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

// sharedTempDir is a temporary folder that other users can reach.
func sharedTempDir(t *testing.T) string {
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

func chown(t *testing.T, dir string, to *syscall.Credential) {
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

// runOnNewMachine runs a target as on a new machine: its own home, no build cache, no modules, only the module proxy in the environment. It ends with ctx.
func runOnNewMachine(ctx context.Context, t *testing.T, dir, home string, as *syscall.Credential, target string) (output string, err error) {
	t.Helper()
	return runInCleanEnvironment(ctx, t, dir, home, as, "go", "tool", "mage", target)
}

func runInCleanEnvironment(ctx context.Context, t *testing.T, dir, home string, as *syscall.Credential, command string, args ...string) (output string, err error) {
	t.Helper()
	proxy, err := exec.Command("go", "env", "GOPROXY", "GONOSUMDB", "GOSUMDB").Output()
	require.NoError(t, err)
	values := strings.Split(string(proxy), "\n")
	ctx, cancel := context.WithTimeout(ctx, 4*waitLimit)
	defer cancel()
	c := exec.CommandContext(ctx, command, args...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "PWD=" + dir, "GOPROXY=" + values[0], "GONOSUMDB=" + values[1], "GOSUMDB=" + values[2]}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = waitLimit
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	return out.String(), err
}

// The README's first command as a newcomer runs it: not root, no .git, a folder with spaces, umlauts and brackets, a new machine. Another checkout runs it at the
// same time. In a checkout in which local:up is running, a second local:run or local:up is refused with one sentence.
func TestFirstCommand(t *testing.T) {
	if onAWS() || !long() {
		t.Skip("compiles everything: mage test:all")
	}
	top, user := sharedTempDir(t), unprivilegedUser()
	t.Parallel()
	dir := checkout(t, filepath.Join(top, "a höuse [a-c]", "with späces*"))
	home := filepath.Join(top, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	chown(t, top, user)

	var both sync.WaitGroup
	var first, other string
	var firstErr, otherErr error
	otherCheckout := checkout(t, sharedTempDir(t))
	both.Go(func() { first, firstErr = runOnNewMachine(t.Context(), t, dir, home, user, "local:run") })
	both.Go(func() {
		other, otherErr = runOnNewMachine(t.Context(), t, otherCheckout, os.Getenv("HOME"), nil, "local:run")
	})
	both.Wait()

	require.NoError(t, firstErr, first)
	require.NoError(t, otherErr, other)
	require.Contains(t, first, "compiling the commands: one or two minutes on two cores the first time\n")
	for _, out := range []string{first, other} {
		require.Contains(t, out, "done: nothing is left running\n")
		require.Regexp(t, `(?m)^  throughput .* (9\d(\.\d)?|100) % of the reads hit$`, out, "the keys are written before the load")
		require.Contains(t, out, "with report.md and results.json beside it")
	}
	lock, err := os.ReadFile(filepath.Join(otherCheckout, ".localaws/stack/.terraform.lock.hcl"))
	require.NoError(t, err)
	require.Contains(t, string(lock), "hashicorp/aws")
	require.NotContains(t, string(lock), "h1:", "Terraform would verify the provider at every command")

	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan string, 1)
	go func() {
		out, _ := runOnNewMachine(ctx, t, dir, home, user, "local:up")
		ended <- out
	}()
	eventually(t, "local:up is ready", func(context.Context) (bool, any, error) {
		select {
		case out := <-ended:
			t.Fatalf("local:up ended by itself:\n%s", out)
		default:
		}
		_, err := os.Stat(filepath.Join(dir, ".localaws", "env"))
		return err == nil, nil, err
	})
	for _, command := range []string{"local:run", "local:up"} {
		out, err := runOnNewMachine(t.Context(), t, dir, home, user, command)
		require.Error(t, err, out)
		require.Regexp(t, `\.localaws is in use: a local:run or local:up is under way in this checkout \(process \d+\)\. Wait for it or end it`, out)
	}
	end()
	require.Contains(t, <-ended, "# ending")
}

// A checkout that is not writable is refused with one sentence, not with the first error that happens.
func TestFirstCommandInAReadOnlyCheckout(t *testing.T) {
	if onAWS() || !long() {
		t.Skip("compiles the commands: mage test:all")
	}
	t.Parallel()
	top, user := sharedTempDir(t), unprivilegedUser()
	dir := checkout(t, filepath.Join(top, "read only"))
	home := filepath.Join(top, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	chown(t, home, user)
	if user == nil {
		require.NoError(t, os.Chmod(dir, 0o555))
	}
	out, err := runOnNewMachine(t.Context(), t, dir, home, user, "local:run")
	require.Error(t, err)
	require.Contains(t, out, "mage: "+dir+" cannot be written (")
	require.Contains(t, out, "copy the checkout to a folder of your own")
}

// A disk that is too small, and one that fills during the run, are each reported in one sentence, and the command stops.
func TestFirstCommandOnAFullDisk(t *testing.T) {
	if onAWS() || !long() {
		t.Skip("compiles the commands: mage test:all")
	}
	t.Parallel()
	const full = `the disk of \S+/\.localaws is full, and the load's log and the exports would be lost: free space there \(a local run needs about 50 MB\), and run it again\n`
	dir := checkout(t, sharedTempDir(t))
	for _, c := range []struct{ size, filledAt, says string }{
		{"20m", "never", `the disk of \S+/\.localaws has 2\d MB left, and a local run needs about 50 MB: free space there, or use a checkout on another disk\n`},
		{"70m", "building the embedded AWS", full},
		{"70m", "embedded AWS at", full},
		{"70m", "terraform: applying", full},
	} {
		t.Run(c.filledAt, func(t *testing.T) {
			// The disk is mounted in a separate namespace.
			script := `mkdir -p .localaws && mount -t tmpfs -o size=` + c.size + ` none .localaws || exit 77
				(until grep -q "` + c.filledAt + `" said; do sleep 0.1; done; cat /dev/zero >.localaws/filled) 2>/dev/null & filling=$!
				go tool mage local:run >said 2>&1; code=$?; cat said; kill $filling 2>/dev/null; exit $code`
			require.NoError(t, os.WriteFile(filepath.Join(dir, "said"), nil, 0o600))
			out, err := runInCleanEnvironment(t.Context(), t, dir, os.Getenv("HOME"), nil, "unshare", "-Urm", "sh", "-c", script)
			var exit *exec.ExitError
			if errors.As(err, &exit) && (exit.ExitCode() == 77 || strings.HasPrefix(out, "unshare: ")) {
				t.Skip("no disk can be mounted here: ", out)
			}
			require.Error(t, err, out)
			require.Regexp(t, c.says, out)
			require.NotContains(t, out, "done: nothing is left running")
		})
	}
}
