package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ancestor is a process above this one in `go tool mage TARGET`: the go command, mage, and the compiled magefile that we are.
type ancestor struct {
	pid   int
	name  string
	began string // start time in clock ticks: with the pid it names one process for good
}

// ancestors returns the parents of this process up to the first that is not go or mage; none without /proc.
func ancestors() []ancestor {
	var above []ancestor
	for pid := os.Getppid(); pid > 1; {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			break
		}
		name := filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
		parent, began, alive := stat(pid)
		if !alive || name != "go" && name != "mage" {
			break
		}
		above = append(above, ancestor{pid, name, began})
		pid = parent
	}
	return above
}

func (a ancestor) alive() bool {
	_, began, alive := stat(a.pid)
	return alive && began == a.began
}

// stat reads a process's parent and start time; a zombie is not alive. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func stat(pid int) (parent int, began string, alive bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", false
	}
	// The name, in parentheses, may hold anything: the fields begin after its last one, with field 3.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, "", false
	}
	parent, _ = strconv.Atoi(fields[1])
	return parent, fields[19], fields[0] != "Z" && fields[0] != "X"
}
