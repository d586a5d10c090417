// Package ops is what the targets of the magefile do. A target calls Run with one command. A command works with Terraform, the AWS SDK and child processes,
// prints what a person needs to know, and returns an error that says what to do next.
package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Command is the function that a target runs.
type Command func(context.Context, *workspace.Workspace, *console.Console) error

// Run runs a command in the project of the working directory. The command's context ends on an interrupt.
func Run(command Command) error {
	con := console.Open()
	messages := io.Writer(os.Stderr)
	if con.Terminal != nil {
		messages = con.Out // above the line of a running step
	}
	ctx, stop := proc.Interruptible(messages)
	defer stop()
	ws, err := workspace.Open()
	if err != nil {
		return err
	}
	if err := workspace.CheckSwitches(ws.Env); err != nil {
		return err
	}
	advice := local.AdviceOf(ws)
	con.Out = local.Advised{W: con.Out, In: advice}
	err = command(ctx, ws, con)
	if lost := con.Lost(); lost != nil {
		err = errors.Join(err, fmt.Errorf("the output of this command was not completely written: %w", lost))
	}
	return shown(causeFirst(ctx, local.AdviceError(err, advice)))
}

// printable is an error made safe for a terminal, because it can quote AWS or a file. It drops Terraform's colours.
type printable struct{ error }

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func (e printable) Error() string {
	return page.Printable(colours.ReplaceAllString(e.error.Error(), ""))
}
func (e printable) Unwrap() error { return e.error }

func shown(err error) error {
	if err == nil {
		return nil
	}
	return printable{err}
}

// causeFirst returns the error of a command whose context may have ended: the cause comes first, and only once. Cancelled calls follow from it and are dropped.
func causeFirst(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || err == nil || errors.Is(err, cause):
		return err
	case errors.Is(err, context.Canceled):
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}
