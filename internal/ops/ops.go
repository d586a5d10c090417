// Package ops is what the targets of the magefile do. A target calls Run with one command; a command does its work with Terraform, the AWS SDK
// and child processes, prints what a person wants to know, and gives an error that says what to do next.
package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/term"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// Command is what a target runs.
type Command func(context.Context, *Project) error

// Project is the tree that a command works on, and the world it may use.
type Project struct {
	Root  string   // the tree, with go.mod, modules/ and lambda/
	Stack string   // Terraform's working directory: Root, or STACK_DIR
	Env   []string // environment of child processes
	In    io.Reader
	Out   io.Writer
	TTY   bool // a person reads and can answer

	// Terminal, where Out is one, shows long steps in one line below it. Nil: a plain line of Out every Every, 0 is 30 s.
	Terminal *page.Terminal
	Every    time.Duration

	// AWS makes the SDK's configuration; an empty region leaves it to the environment.
	AWS func(ctx context.Context, region string) (aws.Config, error)
	// Grace is how long Terraform may take to end after an interrupt; 0 is for ever, as its state is worth more than our time.
	Grace time.Duration
	// Pause is how long to wait between looks at something that takes its time; 0 is 10 s.
	Pause time.Duration
	// TerraformOut receives what Terraform prints; nil is Out.
	TerraformOut io.Writer
}

// Run runs a command in the project of the working directory. The command's context ends on an interrupt.
func Run(command Command) error {
	ctx, stop := proc.Interruptible(os.Stderr)
	defer stop()
	p, err := open()
	if err != nil {
		return err
	}
	err = command(ctx, p)
	if cause := context.Cause(ctx); cause != nil && err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

func open() (*Project, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "modules")); err != nil {
		return nil, fmt.Errorf("%s is not the project's folder: run the command where magefile.go is", root)
	}
	p := &Project{
		Root: root, Stack: root, Env: os.Environ(), In: os.Stdin, Out: quiet{os.Stdout},
		TTY: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
		AWS: func(ctx context.Context, region string) (aws.Config, error) {
			return config.LoadDefaultConfig(ctx, config.WithRegion(region))
		},
	}
	if out := int(os.Stdout.Fd()); term.IsTerminal(out) && os.Getenv("TERM") != "dumb" {
		p.Terminal = &page.Terminal{W: os.Stdout, Columns: func() int {
			columns, _, err := term.GetSize(out)
			if err != nil || columns == 0 {
				return 80
			}
			return columns
		}}
		p.Out = quiet{p.Terminal}
	}
	if dir := os.Getenv("STACK_DIR"); dir != "" {
		if p.Stack, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// data is Terraform's data directory: TF_DATA_DIR, else .terraform in the stack.
func (p *Project) data() string {
	dir := getenv(p.Env, "TF_DATA_DIR")
	if dir == "" {
		dir = ".terraform"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(p.Stack, dir)
	}
	return dir
}

// path shows a file of the project as a person would type it.
func (p *Project) path(file string) string {
	if rel, err := filepath.Rel(p.Root, file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}

func (p *Project) pause() time.Duration {
	if p.Pause == 0 {
		return 10 * time.Second
	}
	return p.Pause
}

func (p *Project) say(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }

// quiet goes on when nobody listens any more: after the death of the process that started us, stdout is a broken pipe, and there is
// still work to finish.
type quiet struct{ w io.Writer }

func (q quiet) Write(b []byte) (int, error) {
	_, _ = q.w.Write(b)
	return len(b), nil
}

func getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- { // the last one counts, as in os/exec
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// without is env with the variables removed whose name match says so.
func without(env []string, match func(name string) bool) []string {
	var kept []string
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !match(name) {
			kept = append(kept, e)
		}
	}
	return kept
}

// sleep waits d, or less when ctx ends: then it gives the reason.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// command is a child of the project: its directory and its environment.
func (p *Project) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = p.Root, p.Env, p.Out, p.Out
	return c
}
