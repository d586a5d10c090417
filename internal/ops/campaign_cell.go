package ops

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// cellStack deploys the stack of one cell, waits for its run and removes it.
type cellStack struct {
	o     *opened
	cell  campaign.Cell
	in    *workspace.Workspace // the cell's workspace
	quiet *console.Console     // writes to the cell's log
	log   *os.File
}

// enter prepares work on a cell's stack. onLine, if not nil, is called with each line that the work logs.
func (o *opened) enter(cell campaign.Cell, onLine func(line string)) (*cellStack, error) {
	in, err := o.c.Enter(o.ws, cell, o.base.Prefix)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(in.Stack, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	quiet := *o.con
	quiet.TTY, quiet.Answer, quiet.Terminal, quiet.TerraformOut, quiet.Every = false, nil, nil, log, 10*time.Second
	quiet.Out = &lastWord{w: log, onLine: onLine}
	return &cellStack{o, cell, in, &quiet, log}, nil
}

func (s *cellStack) close() { _ = s.log.Close() }

// deployAndWait deploys the stack and waits for the end of its run.
func (s *cellStack) deployAndWait(ctx context.Context) error {
	var there *deployed
	err := s.unlocking(ctx, func() (err error) {
		there, err = deploy(ctx, s.in, s.quiet)
		return err
	})
	if err == nil {
		_, err = waitRun(ctx, s.quiet, there)
	}
	return err
}

// resume waits for the end of a run whose load an earlier command created: another deploy would change it, or start another run. went reports whether there was
// such a run.
func (s *cellStack) resume(ctx context.Context) (went bool, err error) {
	there, err := s.o.stackOf(ctx, s.cell)
	if err != nil || there.Lambda == "" {
		return false, err
	}
	run, err := there.Run(ctx)
	if err != nil || run == nil {
		return false, err
	}
	stops, err := there.StopsAt(ctx)
	switch now := time.Now(); {
	case err != nil:
		return false, err
	case stops.IsZero() && now.Before(run.StopBy):
		return false, nil // the load is not created yet
	case now.Before(stops):
		s.quiet.Say("the run %s is under way", run.Run)
		_, err = waitRun(ctx, s.quiet, &deployed{&subject{inputs: s.o.inputs[s.cell.Variant]}, there, run, stops})
		return true, err
	}
	return true, end(ctx, s.quiet, there, run)
}

// remove destroys the stack, and its Terraform workspace and data.
func (s *cellStack) remove(ctx context.Context) error {
	if err := s.unlocking(ctx, func() error { return Destroy(ctx, s.in, s.quiet) }); err != nil {
		return err
	}
	return s.forget(ctx)
}

// unlocking calls do, and calls it again after removing a lock of the state that a dead command of the campaign left. No other machine works on the state,
// because this command holds the campaign.
func (s *cellStack) unlocking(ctx context.Context, do func() error) error {
	err := do()
	if err == nil || ctx.Err() != nil {
		return err
	}
	t, problem := terraform.Find(s.in, s.quiet)
	if problem != nil {
		return err
	}
	switch held, problem := t.Unlock(ctx, err); {
	case problem != nil:
		return errors.Join(err, problem)
	case held == "":
		return err
	default:
		s.o.con.Say("%s: a command that died (%s) left the lock of its state; it is removed", key(s.cell), held)
	}
	return do()
}

// forget removes Terraform's workspace and data of a stack that was destroyed. The log stays.
func (s *cellStack) forget(ctx context.Context) error {
	if !workspace.Exists(s.in.DataDir()) {
		return nil // another command removed it
	}
	t, err := terraform.Find(s.in, s.quiet)
	if err != nil {
		return err
	}
	if err := t.DropWorkspace(ctx); err != nil {
		return err
	}
	return os.RemoveAll(s.in.DataDir())
}

// lastWord is a writer that also calls onLine with each complete line that is not blank.
type lastWord struct {
	w      io.Writer
	mu     sync.Mutex
	line   string
	onLine func(string)
}

func (l *lastWord) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line += string(b)
	for {
		line, rest, whole := strings.Cut(l.line, "\n")
		if !whole {
			return l.w.Write(b)
		}
		if l.line = rest; strings.TrimSpace(line) != "" && l.onLine != nil {
			l.onLine(strings.TrimSpace(line))
		}
	}
}
