//go:build !windows

// Command mage is what `go tool mage` runs here: it compiles mage and the targets, shows progress, and then runs the target. Mage itself compiles silently, for
// one or two minutes on a new machine. This program is small, so that it is compiled and prints its first line within seconds.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	root, err := os.Getwd()
	if err == nil {
		err = run(root, os.Args[1:])
	}
	fmt.Fprintln(os.Stderr, "mage:", err)
	os.Exit(1)
}

// run compiles what is needed and becomes the target; it returns only with an error.
func run(root string, args []string) error {
	if _, err := os.Stat(filepath.Join(root, "magefile.go")); err != nil {
		return fmt.Errorf("%s is not the project's folder: run the command where magefile.go is", root)
	}
	c := compiler{root: root, out: os.Stderr, patience: 2 * time.Second, every: 10 * time.Second}
	flags := c.goFlags()
	c.env, c.verbose = settings(os.Environ(), flags), settings(os.Environ(), flags+" -v")
	held, err := c.lock() // until this process execs the target or ends
	if err != nil {
		return err
	}
	defer held.Close()
	program, err := c.compile(args)
	if err != nil {
		return err
	}
	return syscall.Exec(program, append([]string{"mage"}, explained(args)...), c.env)
}

// explained turns `-h TARGET`, `TARGET --help` and `TARGET help` into `help TARGET`. Mage's own help leaves out the target's environment variables, and mage
// runs a target that precedes the help argument.
func explained(args []string) []string {
	asked, targets := false, []string{"help"}
	for _, a := range args {
		switch {
		case a == "-h" || a == "-help" || a == "--help" || strings.EqualFold(a, "help"):
			asked = true
		case !strings.HasPrefix(a, "-"):
			targets = append(targets, a)
		}
	}
	if asked && len(targets) > 1 {
		return targets
	}
	return args
}

// settings adds the go command's settings for everything that is compiled from here on. They equal the Lambda's, so that packages shared by commands, embedded
// AWS, Lambda and tests are compiled once.
func settings(env []string, goflags string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return strings.HasPrefix(e, "GOFLAGS=") || strings.HasPrefix(e, "CGO_ENABLED=") // the first one would win
	})
	return append(env, "CGO_ENABLED=0", "GOFLAGS="+strings.TrimSpace(goflags+" -trimpath"))
}

// compiler builds the program with the targets.
type compiler struct {
	root     string
	env      []string
	verbose  []string // env, in which `go build` prints the name of each package that it compiles
	out      io.Writer
	patience time.Duration // faster work prints nothing
	every    time.Duration // between two lines of progress
}

// goFlags returns the person's own flags, from the environment or from `go env -w`.
func (c compiler) goFlags() string {
	out, _ := exec.Command("go", "env", "GOFLAGS").Output()
	return strings.TrimSpace(string(out))
}

func (c compiler) file(name string) string { return filepath.Join(c.root, "build", name) }

// lock makes commands in one checkout compile one after the other: mage writes a file among the sources while it compiles.
func (c compiler) lock() (*os.File, error) {
	if err := os.MkdirAll(c.file(""), 0o755); err != nil {
		return nil, readOnly(c.root, err)
	}
	f, err := os.OpenFile(c.file("mage.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, readOnly(c.root, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

func readOnly(root string, err error) error {
	return fmt.Errorf("%s cannot be written (%w): the targets are compiled in its folder build; copy the checkout to a folder of your own, or get write permission here", root, err)
}

// compile returns the program to run: the targets, or mage itself for what only mage does (-init, -clean, -compile, -version).
func (c compiler) compile(args []string) (string, error) {
	mage, targets := c.file("mage"), c.file("targets")
	said := c.progress()
	defer said.end()
	if err := c.build(said, "go", "build", "-o", mage, "github.com/magefile/mage"); err != nil {
		return "", err
	}
	for _, a := range args {
		if strings.HasPrefix(a, "-init") || strings.HasPrefix(a, "-clean") || strings.HasPrefix(a, "-compile") || a == "-version" {
			return mage, nil
		}
	}
	output := filepath.Join(c.root, "mage_output_file.go") // a killed mage leaves it among the sources
	_ = os.Remove(output)
	defer os.Remove(output)
	// The go command relinks only if something has changed, and writes a new file in place of one that may be running.
	return targets, c.build(said, mage, "-compile", targets, "-ldflags", "-s -w")
}

// build runs one command of the compilation. It passes on the output, except for package names, which it counts.
func (c compiler) build(said *progress, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = c.root, c.verbose
	words, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	full := false
	for lines := bufio.NewScanner(words); lines.Scan(); {
		said.line(lines.Text())
		full = full || strings.Contains(lines.Text(), syscall.ENOSPC.Error())
	}
	if err := cmd.Wait(); err != nil {
		if full {
			err = fmt.Errorf("%w: a disk is full. Free space on the disk of %s, of the build cache (go env GOCACHE) or of temporary files (%s): the first compilation takes about 600 MB in all", err, c.file(""), os.TempDir())
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
		}
		return err
	}
	return nil
}

// progress shows that the compilation goes on.
type progress struct {
	lines chan string
	done  chan struct{}
}

// progress says at once if this is the first compilation. Otherwise it prints nothing for a while.
func (c compiler) progress() *progress {
	p := &progress{lines: make(chan string), done: make(chan struct{})}
	began, packages, patience, first := time.Now(), 0, c.patience, "checking the commands, and compiling what has changed"
	if _, err := os.Stat(c.file("targets")); err != nil {
		patience, first = 0, "compiling the commands: one or two minutes on two cores the first time"
	}
	go func() {
		defer close(p.done)
		next := time.After(patience)
		for {
			select {
			case line, open := <-p.lines:
				switch {
				case !open:
					return
				case line == "" || strings.ContainsAny(line, " \t"):
					fmt.Fprintln(c.out, line)
				default:
					packages++
				}
			case <-next:
				if first != "" {
					fmt.Fprintln(c.out, first)
				} else {
					fmt.Fprintf(c.out, "compiling the commands: %d packages, %.0f s\n", packages, time.Since(began).Seconds())
				}
				first = ""
				next = time.After(c.every)
			}
		}
	}()
	return p
}

func (p *progress) line(text string) { p.lines <- text }

func (p *progress) end() {
	close(p.lines)
	<-p.done
}
