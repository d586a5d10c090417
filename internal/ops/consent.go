package ops

import (
	"context"
	"fmt"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// consent records what a person has approved. Each irreversible step is asked for before it is taken.
type consent struct {
	con   *console.Console
	place string   // of the stack: name, account, Region
	given bool     // to everything
	done  []string // steps after a yes, which a later no does not undo
}

func newConsent(ws *workspace.Workspace, con *console.Console, place string) *consent {
	return &consent{con: con, place: place, given: ws.On("APPROVE")}
}

func (c *consent) ask(ctx context.Context, question string) error {
	without := "nothing was changed"
	if len(c.done) > 0 {
		without = "nothing was changed but this: " + strings.Join(c.done, ", ")
	}
	return c.con.Approve(ctx, c.given, question, without)
}

func (c *consent) did(format string, args ...any) {
	c.done = append(c.done, fmt.Sprintf(format, args...))
}

// endingOf says what finish will do to a run; "" if there is nothing to do.
func endingOf(ctx context.Context, ws *workspace.Workspace, s *stack.Stack, run *shutdown.Event) (string, error) {
	m, err := s.Manifest(ctx, run.Run)
	if err != nil || m != nil && m.Complete {
		return "", err
	}
	ran, err := s.Loaded(ctx, run.Run)
	switch {
	case err != nil || !ran:
		return "", err
	case ws.On("FORCE"):
		return fmt.Sprintf("the run %s is given up (FORCE=1); lost for good: %s", run.Run, lost(m)), nil
	}
	return fmt.Sprintf("the run %s is ended: its load stops, and %s are exported", run.Run, lost(m)), nil
}

// asList lists things one per line below a heading.
func asList(what string, things []string) string {
	return what + "\n  - " + strings.Join(things, "\n  - ") + "\n"
}
