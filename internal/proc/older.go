package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are the units of a process's start time in /proc/PID/stat, in a second: what user space sees is 100 on every Linux.
const ticks = 100

// Older tells whether a process of this machine whose name is one of those that is tells was started by a time. Where there is no /proc nobody knows: it
// may be so.
func Older(is func(name string) bool, by time.Time) bool {
	boot, err := booted()
	if err != nil {
		return true
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		_, began, alive := stat(pid)
		if !alive {
			continue
		}
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil { // of another user: its name, cut to 15 bytes
			name, _ := os.ReadFile(filepath.Join(dir, "comm"))
			exe = strings.TrimSpace(string(name))
		}
		after, err := strconv.ParseInt(began, 10, 64)
		if is(filepath.Base(strings.TrimSuffix(exe, " (deleted)"))) && (err != nil || !boot.Add(time.Duration(after)*time.Second/ticks).After(by)) {
			return true
		}
	}
	return false
}

// booted is when the machine was, to the second. https://man7.org/linux/man-pages/man5/proc_stat.5.html
func booted() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	for line := range bytes.Lines(text) {
		if at, is := strings.CutPrefix(string(line), "btime "); is {
			seconds, err := strconv.ParseInt(strings.TrimSpace(at), 10, 64)
			return time.Unix(seconds, 0), err
		}
	}
	return time.Time{}, fmt.Errorf("/proc/stat has no btime")
}
