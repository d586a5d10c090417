package terraform

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
)

// progress passes on Terraform's output line by line, and reads its progress from it.
type progress struct {
	to    io.Writer
	shown bool // to a person

	mu      sync.Mutex
	part    []byte   // of a line that has not ended
	total   int      // changes in the plan; 0: not known yet
	done    int      // of them
	pending []string // "creating ADDRESS", the longest under way first
	step    *console.Step
	waiting bool // for the state's lock
}

var (
	locking  = regexp.MustCompile(`^Acquiring state lock\.`) // Terraform says so when it does not get it at once
	colours  = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	planned  = regexp.MustCompile(`^Plan: (?:\d+ to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy`)
	started  = regexp.MustCompile(`^(.+?): (Creating|Modifying|Destroying)\.\.\.`)
	finished = regexp.MustCompile(`^(.+?): (?:Creation|Modifications|Destruction) complete after`)
)

// follow lets s show how far Terraform is; what the plan said stays known.
func (f *progress) follow(s *console.Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step, f.done, f.pending = s, 0, nil
}

func (f *progress) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.part = append(f.part, b...)
	end := bytes.LastIndexByte(f.part, '\n') + 1
	if end == 0 {
		return len(b), nil
	}
	if _, err := f.to.Write(f.part[:end]); err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(f.part[:end])) {
		f.read(colours.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
	}
	f.part = append([]byte(nil), f.part[end:]...)
	return len(b), nil
}

// flush passes on a last line that has no end.
func (f *progress) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.part) > 0 {
		_, _ = f.to.Write(append(f.part, '\n')) // what was said before it is there
		f.part = nil
	}
}

// held is like f, but keeps what comes in a buffer: of a plan that fails, only the errors are to be shown.
func (f *progress) held() (*progress, *bytes.Buffer) {
	var text bytes.Buffer
	f.mu.Lock()
	defer f.mu.Unlock()
	return &progress{to: &text, step: f.step}, &text
}

func (f *progress) read(line string) {
	if f.step != nil && f.waiting != locking.MatchString(line) {
		f.waiting = !f.waiting
		note := ""
		if f.waiting {
			note = "waiting for the state lock, which another command holds"
		}
		f.step.At(-1, "%s", note)
	}
	if m := planned.FindStringSubmatch(line); m != nil {
		f.total = 0
		for _, n := range m[1:] {
			count, _ := strconv.Atoi(n) // digits
			f.total += count
		}
	} else if m := started.FindStringSubmatch(line); m != nil {
		f.pending = append(f.pending, strings.ToLower(m[2])+" "+m[1])
	} else if m := finished.FindStringSubmatch(line); m != nil {
		f.done++
		f.pending = slices.DeleteFunc(f.pending, func(p string) bool { return strings.HasSuffix(p, " "+m[1]) })
	} else {
		return
	}
	if f.step == nil {
		return
	}
	share, note := -1., fmt.Sprintf("%d done", f.done)
	if f.total > 0 {
		share, note = float64(f.done)/float64(f.total), fmt.Sprintf("%d of %d done", f.done, f.total)
	}
	if n := len(f.pending); n > 0 {
		note += ", " + f.pending[0]
		if n > 1 {
			note += fmt.Sprintf(" and %d more", n-1)
		}
	}
	f.step.At(share, "%s", note)
}
