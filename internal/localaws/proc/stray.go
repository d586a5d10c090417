package proc

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

var marked atomic.Int64

// ours is the prefix of the mark in the environment of each process that this one starts. A process can leave its session and outlive its parents, but its
// initial environment still has the mark, unless it was cleared on purpose.
var ours = sync.OnceValue(func() string {
	mark := "LOCALAWS_PROCESS=" + rand.Text()
	_ = watch(mark) // without a shell, a SIGKILL of this process may leave something behind
	return mark
})

// watch starts a shell that outlives this process and then kills what is left with the mark. It learns of this process's end when the kernel closes the pipe.
func watch(mark string) error {
	read, write, err := os.Pipe() // the other end is closed in children
	if err != nil {
		return err
	}
	shell := exec.Command("/bin/sh", "-c", `read -r _
for try in 1 2 3; do for e in /proc/[0-9]*/environ; do p=${e#/proc/}; ! grep -qsz "^$0[.]" "$e" || kill -9 "${p%/environ}"; done; done 2>/dev/null`, mark)
	shell.Stdin, shell.Dir, shell.SysProcAttr = read, "/", &syscall.SysProcAttr{Setsid: true}
	err = shell.Start()
	_ = read.Close()
	if err != nil {
		_ = write.Close()
		return err
	}
	go func() { // the pipe stays open as long as this process, whatever ends it
		_ = shell.Wait()
		_ = write.Close()
	}()
	return nil
}

// marks are the living processes with a mark.
func marks(mark string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	for _, file := range files {
		text, err := os.ReadFile(file) // a zombie's is empty, and another user's cannot be read
		if err != nil || !slices.ContainsFunc(bytes.Split(text, []byte{0}), func(v []byte) bool { return string(v) == mark }) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		pids = append(pids, pid)
	}
	return pids
}

// ended returns when a child has ended, without waiting for (reaping) it.
func ended(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// handles reports whether a process has a handler for a signal.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func handles(pid int, sig syscall.Signal) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // one that has ended handles nothing
	_, rest, _ := strings.Cut(string(text), "SigCgt:")
	mask, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	caught, _ := strconv.ParseUint(mask, 16, 64)
	return caught&(1<<(uint(sig)-1)) != 0
}
