package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whichever signal ends local:run during its apply, Terraform saves its state and no process is left behind.
func TestNoProcessIsLeftBehind(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	for name, end := range map[string]func(top int) error{
		"SIGINT to the group": func(top int) error { return syscall.Kill(-top, syscall.SIGINT) },
		"SIGTERM to the top":  func(top int) error { return syscall.Kill(top, syscall.SIGTERM) },
		"SIGKILL to the top":  func(top int) error { return syscall.Kill(top, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			if name != "SIGINT to the group" {
				onlyLong(t)
			}
			t.Parallel()
			dir := linkedTree(t)
			log, err := os.Create(filepath.Join(dir, "log"))
			require.NoError(t, err)
			defer log.Close()
			run := exec.Command("go", "tool", "mage", "local:run")
			run.Dir, run.Env = dir, append(os.Environ(), "PWD="+dir)
			run.Stdout, run.Stderr = log, log
			run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell with job control does
			require.NoError(t, run.Start())
			t.Cleanup(func() {
				for _, p := range processes(t, dir) {
					t.Errorf("left behind: %s", p)
					_ = syscall.Kill(p.pid, syscall.SIGKILL)
				}
				if t.Failed() {
					t.Log(contents(log.Name()), "\n", contents(filepath.Join(dir, ".localaws/localaws.log")))
				}
			})
			// Terraform must save what is created by now: the guard exists, the cache is in progress.
			ended := make(chan error, 1)
			go func() { ended <- run.Wait() }()
			eventually(t, "the apply has created the guard", func(context.Context) (bool, any, error) {
				select {
				case err := <-ended:
					t.Fatalf("local:run ended too early: %v", err)
				default:
				}
				said := contents(filepath.Join(dir, ".localaws/terraform.log"))
				return strings.Contains(said, "aws_scheduler_schedule.watch: Creation complete"), said[max(0, len(said)-2000):], nil
			})
			require.NotEmpty(t, processes(t, dir))

			require.NoError(t, end(run.Process.Pid))
			eventually(t, "no process is left", func(context.Context) (bool, any, error) {
				left := processes(t, dir)
				return len(left) == 0, left, nil
			})

			var state struct{ Resources []struct{ Type string } }
			require.NoError(t, json.Unmarshal([]byte(contents(filepath.Join(dir, ".localaws/stack/terraform.tfstate"))), &state))
			var types []string
			for _, r := range state.Resources {
				types = append(types, r.Type)
			}
			require.Contains(t, types, "aws_scheduler_schedule", "what was created is in the state")
		})
	}
}

// linkedTree creates a separate checkout: links to the same files, with its own build/ and .localaws/.
func linkedTree(t *testing.T) string {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, e := range entries {
		if name := e.Name(); name != "build" && !strings.HasSuffix(name, ".tfvars") && (name[0] != '.' || name == ".git") {
			require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
		}
	}
	return dir
}

type process struct {
	pid  int
	args string
}

func (p process) String() string { return fmt.Sprintf("%d %s", p.pid, p.args) }

// processes returns the running processes that have the folder in their program, working directory, arguments or environment.
func processes(t *testing.T, dir string) (found []process) {
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		at := filepath.Join("/proc", e.Name())
		exe, _ := os.Readlink(filepath.Join(at, "exe")) // a zombie has none of these
		cwd, _ := os.Readlink(filepath.Join(at, "cwd"))
		args, _ := os.ReadFile(filepath.Join(at, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(at, "environ"))
		if strings.HasPrefix(exe, dir) || strings.HasPrefix(cwd, dir) || bytes.Contains(args, []byte(dir)) || bytes.Contains(env, []byte(dir)) {
			found = append(found, process{pid, strings.ReplaceAll(string(args), "\x00", " ")})
		}
	}
	return found
}

func contents(file string) string {
	text, _ := os.ReadFile(file)
	return string(text)
}
