package loadgen

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

// The wrapper that a load task runs is tested here, with this package's binary
// as its memtier_benchmark: it needs both.
const wrapper = "../../modules/ecs-load/load.sh"

// job is one run of the wrapper.
type job struct {
	t    *testing.T
	cmd  *exec.Cmd
	tmp  string
	naps string // a file with a byte for each time it slept
	mu   sync.Mutex
	out  bytes.Buffer
	done chan struct{}
}

func (j *job) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.Write(b)
}

func (j *job) log() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.String()
}

// task starts the wrapper as ECS does, with tools before all others on PATH. Its own pauses are short.
func task(t *testing.T, shell, tools string, env []string, args ...string) *job {
	text, err := os.ReadFile(wrapper)
	require.NoError(t, err)
	own := t.TempDir()
	j := &job{t: t, tmp: t.TempDir(), naps: filepath.Join(own, "naps"), done: make(chan struct{})}
	tool(t, own, "sleep", `case $1 in 1 | 2) echo >>`+j.naps+`; set -- 0.05 ;; esac; PATH=$BEYOND exec sleep "$@"`)
	j.cmd = exec.Command(shell, append([]string{"-c", string(text), "memtier"}, args...)...)
	j.cmd.Env = append([]string{"PATH=" + own + ":" + tools + ":" + os.Getenv("PATH"), "BEYOND=" + os.Getenv("PATH"), "TMPDIR=" + j.tmp, "RUN=2026-11-23T03-08-09Z",
		"ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/0123456789abcdef0123456789abcdef-4242"}, env...)
	j.cmd.Stdout, j.cmd.Stderr = j, j
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the test can see what is left
	require.NoError(t, j.cmd.Start())
	go func() { j.cmd.Wait(); close(j.done) }()
	t.Cleanup(func() {
		syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL)
		<-j.done
		if t.Failed() {
			t.Log(j.log())
		}
	})
	return j
}

// until waits for a pattern in the log.
func (j *job) until(pattern string) (found string) {
	j.t.Helper()
	want := regexp.MustCompile(pattern)
	waittest.Until(j.t, func() error {
		ended := j.ended()
		if found = want.FindString(j.log()); found == "" {
			require.False(j.t, ended, "it ended without %s\n%s", pattern, j.log())
			return fmt.Errorf("not in the log: %s\n%s", pattern, j.log())
		}
		return nil
	})
	return found
}

func (j *job) ended() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// lingers sees the wrapper wait and wait, which it does not do while a load runs: another task would take its place if it ended.
func (j *job) lingers() {
	j.t.Helper()
	before := j.slept()
	waittest.Until(j.t, func() error {
		if n := j.slept() - before; n < 3 {
			require.False(j.t, j.ended(), "it ended\n%s", j.log())
			return fmt.Errorf("it slept %d times:\n%s", n, j.log())
		}
		return nil
	})
	require.False(j.t, j.ended(), j.log())
}

func (j *job) slept() int {
	b, _ := os.ReadFile(j.naps)
	return len(b)
}

// terminate sends SIGTERM to the wrapper alone, as Fargate does.
func (j *job) terminate() { j.cmd.Process.Signal(syscall.SIGTERM) }

// exit waits for the end and checks that nothing is left: no process, no file.
func (j *job) exit() int {
	j.t.Helper()
	waittest.Until(j.t, func() error {
		if !j.ended() {
			return fmt.Errorf("the wrapper does not end:\n%s", j.log())
		}
		if syscall.Kill(-j.cmd.Process.Pid, 0) != syscall.ESRCH {
			return errors.New("processes are left")
		}
		return nil
	})
	left, err := os.ReadDir(j.tmp)
	require.NoError(j.t, err)
	require.Empty(j.t, left)
	return j.cmd.ProcessState.ExitCode()
}

// shells runs a test in every shell that /bin/sh may be: dash is that of memtier's image and of Debian; bash, that of Amazon Linux, is left to mage test:all.
func shells(t *testing.T, test func(t *testing.T, shell string)) {
	for _, shell := range []string{"dash", "bash"} {
		if shell == "bash" && os.Getenv("E2E_LONG") == "" {
			continue
		}
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip("needs " + shell)
			}
			sh := filepath.Join(t.TempDir(), "sh") // bash called sh is a POSIX shell
			require.NoError(t, os.Symlink(path, sh))
			test(t, sh)
		})
	}
}

// tool puts a program of the test's own on PATH.
func tool(t *testing.T, dir, name, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o700))
}

// fake is a memtier_benchmark whose probe passes and whose load is the text.
func fake(t *testing.T, text string) string {
	dir := t.TempDir()
	tool(t, dir, "memtier_benchmark", `case "$*" in
--version) echo fake; exit ;;
*--test-time=1) printf 'Totals  12.00 \n'; exit ;;
esac
`+text)
	return dir
}

// untilThere waits for a file.
func untilThere(t *testing.T, file string) {
	t.Helper()
	waittest.Until(t, func() error { _, err := os.Stat(file); return err })
}

func TestWrapperHappyPath(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		s, port := mini(t)
		s.RequireAuth("top-secret")
		j := task(t, shell, generatorDir(t), []string{"CACHE_AUTH_TOKEN=top-secret"}, "--server=127.0.0.1", "--port", fmt.Sprint(port), "--threads=1", "--clients=2", "--test-time=3", "--ratio=1:3", "--key-maximum=100", "--rate-limiting=100")
		j.until(`(?m)^load: finished exit=0 ok$`)
		log := j.log()
		require.True(t, strings.HasPrefix(log, `load: run=2026-11-23T03-08-09Z task=0123456789abcdef0123456789abcdef generator="`+version+"\"\nload: ready\n"), log)
		require.Regexp(t, `(?m)^\[RUN #1 \d+%, +\d+ secs\] .* msec latency\n\[RUN #1 \d+%, +\d+ secs\] .* msec latency$`, log, "a line each")
		require.Regexp(t, `(?m)^ALL STATS\n=+\nType .*\n-+\nSets .*\nGets .*\nWaits .*\nTotals +[1-9]`, log)
		require.NotContains(t, log, "top-secret")
		for _, k := range s.Keys() {
			require.True(t, strings.HasPrefix(k, "memtier-0123456789abcdef0123456789abcdef-"), k)
		}
		part := regexp.MustCompile(`(?m)^load: hdr sha256=(\w+) part=1/1 (\S+)$`).FindStringSubmatch(log)
		require.NotNil(t, part, log)
		require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(part[2]))), part[1])
		h, err := hdrhistogram.Decode([]byte(part[2]))
		require.NoError(t, err)
		require.Positive(t, h.TotalCount())

		j.lingers()
		j.terminate()
		require.Zero(t, j.exit())
	})
}

func TestWrapperTermMidRun(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		_, port := mini(t)
		j := task(t, shell, generatorDir(t), nil, "--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "--threads=1", "--clients=1", "--rate-limiting=100", "--test-time=3000")
		j.until(underWay)
		j.terminate()
		require.Zero(t, j.exit())
		require.Regexp(t, `(?s)Interrupted by user.*\nTotals +[1-9].*\nload: finished exit=0 ok\n$`, j.log())
	})
}

// Other data types have no prefill, and the probe asks with the load's own commands.
func TestWrapperCommands(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		port := redisServer(t)
		j := task(t, shell, generatorDir(t), nil, "--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "--threads=1", "--clients=1", "--key-minimum=1", "--key-maximum=100",
			"--command=HSET __key__ field __data__", "--command=HGET __key__ field", "--command-ratio=10", "--test-time=3000", "--rate-limiting=1000")
		j.until(underWay)
		j.terminate()
		require.Zero(t, j.exit())
		require.Regexp(t, `(?s)\nTotals +[1-9].*\nload: finished exit=0 ok\n$`, j.log())
	})
}

// A memtier that cannot do the job is refused before it loads.
func TestWrapperRefusesOldGenerators(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		for version, fails := range map[string]bool{"memtier_benchmark 2.1.4": true, "memtier_benchmark 1.4.0": true, "memtier_benchmark v=2.2.0 sha=00000000:0": true,
			"memtier_benchmark v=2.3.1 sha=75588c1b:0 bits=64": false, "memtier_benchmark v=255.255.255 sha=0": false, "memtier_benchmark v=2.10.0": false,
			"memtier_benchmark 2.4.0": true, "memtier_benchmark 2.4.1": true, "memtier_benchmark 2.4.4": false, "memtier_benchmark 2.4.10": false, "memtier_benchmark 2.5.1": false, "something else": false} {
			dir := t.TempDir()
			tool(t, dir, "memtier_benchmark", `[ "$*" != --version ] || { echo "`+version+`"; exit 0; }; : >`+dir+`/asked; exit 1`)
			j := task(t, shell, dir, nil, "--test-time=3000")
			require.Equal(t, 1, j.exit())
			if fails {
				require.Regexp(t, "load: failed: "+regexp.QuoteMeta(version)+" (is older than 2.3: it prints other progress records|has known regressions)", j.log())
				require.NoFileExists(t, dir+"/asked")
			} else {
				require.NotContains(t, j.log(), "older")
				require.FileExists(t, dir+"/asked")
			}
		}
	})
}

// timeoutSleeps waits until the timeout above a fake does: a signal that reaches it right after its fork ends it alone.
const timeoutSleeps = `until grep -q 'State:.S' /proc/$PPID/status; do :; done;`

// underWay is a load that has made operations.
const underWay = `(?m)^\[RUN #1 \d+%, .*: +[1-9]\d* ops,.*latency$`

func TestWrapperTermDuringProbe(t *testing.T) {
	real, err := exec.LookPath("timeout")
	require.NoError(t, err)
	shells(t, func(t *testing.T, shell string) {
		dir := t.TempDir()
		tool(t, dir, "memtier_benchmark", `[ "$*" != --version ] || exit 0; : >`+dir+`/hangs; exec sleep 3600`)
		tool(t, dir, "timeout", `[ "$1 $2 $3 $4" = "--foreground -k 2 8" ] || exit 1; shift 4; exec `+real+` --foreground -k 2 3600 "$@"`)
		j := task(t, shell, dir, nil, "--test-time=3000")
		untilThere(t, dir+"/hangs")
		j.terminate()
		require.Equal(t, 1, j.exit())
		require.Contains(t, j.log(), "load: failed: told to stop before the load")
	})
}

// A load that is slow to start is not interrupted before it can be: INT would kill it without its table, or be lost. Its exit code is its own,
// also when it has ended before the wrapper comes to wait for it again.
func TestWrapperTermAsTheLoadStarts(t *testing.T) {
	for name, then := range map[string]string{
		"and is interrupted": `trap 'printf "Totals  5.00 \n"; exit 0' INT; echo '[RUN #1] Preparing benchmark client...' >&2; while :; do sleep 0.05; done`,
		"and ends by itself": `trap : INT; echo '[RUN #1] Preparing benchmark client...' >&2; printf "Totals  5.00 \n"`, // no INT kills memtier once it has spoken
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				started, goes := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "goes")
				j := task(t, shell, fake(t, `: >`+started+`; while [ ! -e `+goes+` ]; do sleep 0.05; done; `+then), nil, "--test-time=3000")
				untilThere(t, started)
				j.terminate()
				j.lingers()
				require.NoError(t, os.WriteFile(goes, nil, 0o600))
				require.Zero(t, j.exit())
				require.Regexp(t, `\nTotals  5.00 \nload: finished exit=0 ok\n$`, j.log())
			})
		})
	}
}

func TestWrapperProbeFails(t *testing.T) {
	s, guarded := mini(t)
	s.RequireAuth("top-secret")
	refused := freePort(t)
	for name, tc := range map[string]struct {
		port int
		env  []string
		args string
		want string
	}{
		"refused":                    {refused, nil, "", fmt.Sprintf("load: failed: no command succeeded on 127.0.0.1:%d in 3 tries: Connection error: connection refused; check", refused)},
		"wrong password":             {guarded, []string{"CACHE_AUTH_TOKEN=other-secret"}, "", ": error: authentication failed [-WRONGPASS"},
		"no password":                {guarded, nil, "", "handle error response: -NOAUTH"},
		"TLS to a plain port, no CA": {guarded, []string{"CA_PEM=nonsense"}, "--tls", "Failed to load CA certificate file"},
		"unknown flag":               {guarded, nil, "--nonsense", "unrecognized option '--nonsense'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				args := append([]string{"--server", "127.0.0.1", "-p", fmt.Sprint(tc.port), "-n", "100"}, strings.Fields(tc.args)...)
				j := task(t, shell, generatorDir(t), tc.env, args...)
				require.Equal(t, 1, j.exit())
				require.Contains(t, j.log(), tc.want)
				require.NotContains(t, j.log(), "load: ready")
				require.NotContains(t, j.log(), "secret")
			})
		})
	}
}

func TestWrapperTLS(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		serverSide, ca := certificate(t)
		pem, err := os.ReadFile(ca)
		require.NoError(t, err)
		_, port := tlsMini(t, serverSide)
		j := task(t, shell, generatorDir(t), []string{"CA_PEM=" + string(pem)}, "--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "--tls", "-t", "1", "-c", "1", "-n", "100", "--ratio=0:1")
		j.until(`(?m)^load: finished exit=0 ok$`)
		j.terminate()
		require.Zero(t, j.exit())
	})
}

func TestWrapperHoldsBackAFlood(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		j := task(t, shell, fake(t, `yes 'server 10.0.0.1:6379 handle error response: -NOAUTH Authentication required.' | head -n 20000 >&2
printf '[RUN #1 100%%,   5 secs]  0 threads: -nan\r\n\nALL STATS\nTotals  30000.00 \n'`), nil, "--test-time=3000")
		verdict := j.until(`load: finished.*`)
		require.Contains(t, verdict, "load: finished exit=0 invalid: 20000 error lines, ended after ")
		require.Equal(t, 20, strings.Count(j.log(), "NOAUTH"))
		require.Contains(t, j.log(), "\n[RUN #1 100%,   5 secs]  0 threads: -nan\n")
		j.terminate()
		require.Equal(t, 1, j.exit())
	})
}

func TestWrapperJudges(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"all zero":     {`printf 'Connection error: Connection refused\n' >&2; printf 'Totals  0.00  0.00  -nan\n'`, "load: finished exit=0 invalid: no operations, 1 error lines, ended after"},
		"not a number": {`printf 'Totals  -nan \n'`, "load: finished exit=0 invalid: no operations, ended after"},
		"no table":     {`exit 3`, "load: finished exit=3 invalid: exit code 3, no operations, ended after"},
		"too short":    {`printf 'Totals  9.00 \n'`, "load: finished exit=0 invalid: ended after"},
		"no newline":   {`printf 'Totals  9.00'`, "\nTotals  9.00\nload: finished exit=0 invalid: ended after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shells(t, func(t *testing.T, shell string) {
				j := task(t, shell, fake(t, tc.text), nil, "--test-time", "3000")
				j.until(regexp.QuoteMeta(tc.want))
				j.terminate()
				require.Equal(t, 1, j.exit())
			})
		})
	}
}

// TestWrapperWatchdogs chooses the minute by a timeout of its own. Its time is up when it gets ALRM.
func TestWrapperWatchdogs(t *testing.T) {
	real, err := exec.LookPath("timeout")
	require.NoError(t, err)
	clock := func(t *testing.T, dir, minute string) {
		tool(t, dir, "timeout", `case "$*" in
"--foreground -s INT -k 60 3060 "*) shift 6; exec `+real+` --foreground -s INT -k `+minute+` 1000 "$@" ;;
"--foreground -k 2 8 "*) exec `+real+` "$@" ;;
*) echo "unexpected: timeout $*" ;;
esac`)
	}
	hangs := `trap '' INT; printf '[RUN #1 1%%,   1 secs] x\r' >&2; exec sleep 1000`
	t.Run("ignores INT after TERM", func(t *testing.T) {
		shells(t, func(t *testing.T, shell string) {
			dir := fake(t, hangs)
			clock(t, dir, "0.2")
			j := task(t, shell, dir, nil, "--test-time=3000")
			j.until(`secs\] x`)
			j.terminate()
			require.Equal(t, 1, j.exit())
			require.Contains(t, j.log(), "load: finished exit=137 invalid: hung and was killed, no operations")
		})
	})
	t.Run("runs on after its time", func(t *testing.T) {
		shells(t, func(t *testing.T, shell string) {
			dir := fake(t, `trap 'printf "Totals  5.00 \n"; exit 0' INT; printf '[RUN #1 1%%,   1 secs] x\r' >&2; `+timeoutSleeps+` kill -ALRM $PPID; while :; do sleep 0.1; done`)
			clock(t, dir, "600")
			j := task(t, shell, dir, nil, "--test-time=3000")
			j.until(`load: finished exit=124 invalid: ran on after its test time`)
			require.Contains(t, j.log(), "Totals  5.00")
			j.terminate()
			require.Equal(t, 1, j.exit())
		})
	})
}

func TestWrapperTwoAtOnce(t *testing.T) {
	shells(t, func(t *testing.T, shell string) {
		s, port := mini(t)
		tools := generatorDir(t)
		var jobs []*job
		for range 2 {
			jobs = append(jobs, task(t, shell, tools, []string{"ECS_CONTAINER_METADATA_URI_V4="}, "--server=127.0.0.1", fmt.Sprintf("--port=%d", port), "-t1", "-c1", "-n", "200", "--ratio=1:0", "--key-prefix=p-"))
		}
		var ids []string
		for _, j := range jobs {
			j.until(`(?m)^load: finished exit=0 ok$`)
			id := regexp.MustCompile(` task=([0-9a-f]{8}) `).FindStringSubmatch(j.log())
			require.NotNil(t, id, j.log())
			ids = append(ids, "p-"+id[1]+"-")
			j.terminate()
			require.Zero(t, j.exit())
		}
		require.NotEqual(t, ids[0], ids[1])
		var numbers [2][]string
		for _, k := range s.Keys() {
			for i, prefix := range ids {
				if n, ok := strings.CutPrefix(k, prefix); ok {
					numbers[i] = append(numbers[i], n)
				}
			}
		}
		require.Equal(t, len(s.Keys()), len(numbers[0])+len(numbers[1]))
		slices.Sort(numbers[0])
		slices.Sort(numbers[1])
		require.NotEqual(t, numbers[0], numbers[1], "each task has its own sequence")
	})
}
