package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
)

// Await waits until nobody holds the lock of a state, says who does, and fails when somebody holds it for long: what a command ends before its
// Terraform runs may be what another one, in another checkout, is making: a cache is in the state only when it is made.
func (t *CLI) Await(ctx context.Context, con *console.Console, s *State) error {
	if s.Empty() {
		return nil
	}
	look := func(wait string) error { return t.Run(ctx, io.Discard, stateLockArgs(wait, s.resources[0].address)...) }
	err := look("0s")
	if held := holderOf(err); held != nil {
		waiting := con.Step("waiting for the state's lock, for up to %s: %s", lockWait, held)
		err = look(lockWait)
		waiting.End()
	}
	if held := holderOf(err); held != nil {
		err = fmt.Errorf("%s. Try again when it is done; `terraform -chdir=%s force-unlock %s` removes the lock of a command that has died", held, t.Dir, held.id)
	}
	if err != nil {
		return fmt.Errorf("the state is not free, and nothing was ended or changed: %w", err)
	}
	return nil
}

// holder is who holds a state's lock, as Terraform prints it.
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/states/statemgr/locker.go#L175
type holder struct{ id, who, operation, created string }

var lockInfo = regexp.MustCompile(`(?m)^[ \t│]*(ID|Who|Operation|Created):[ \t]+(\S.*?)[ \t]*$`)

// holderOf reads it from what a command says that did not get the lock; nil: that is not why it failed.
func holderOf(err error) *holder {
	var failed *Error
	if !errors.As(err, &failed) || !strings.Contains(failed.Output, "the state lock") {
		return nil
	}
	h := &holder{id: "ID", who: "another Terraform command"}
	for _, m := range lockInfo.FindAllStringSubmatch(colours.ReplaceAllString(failed.Output, ""), -1) {
		switch m[1] {
		case "ID":
			h.id = m[2]
		case "Who":
			h.who = m[2]
		case "Operation":
			h.operation = strings.ToLower(strings.TrimPrefix(m[2], "OperationType"))
		case "Created":
			h.created = m[2]
			if at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", m[2]); err == nil {
				h.created = at.Format(time.RFC3339)
			}
		}
	}
	return h
}

func (h *holder) String() string {
	text := h.who + " holds it"
	if h.operation != "" {
		text += " for " + h.operation
	}
	if h.created != "" {
		text += " since " + h.created
	}
	return text
}
