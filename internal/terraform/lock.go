package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Await waits until nobody holds the lock of a state. It says who does, and fails after a long time. Without it, a command could end, before its
// Terraform runs, what another checkout is creating: a cache is in the state only once it is created.
func (t *CLI) Await(ctx context.Context, con *console.Console, s *State) error {
	if s.Empty() {
		return nil
	}
	look := func(wait string) error { return t.Run(ctx, io.Discard, stateLockArgs(wait, s.resources[0].address)...) }
	err := look("0s")
	if held := holderOf(err); held != nil {
		waiting := con.Step("waiting for the state lock, for up to %s: %s", lockWait, held)
		err = look(lockWait)
		waiting.End()
	}
	if held := holderOf(err); held != nil {
		err = &lockedError{fmt.Sprintf("%s. Try again when it is done; `%s` removes the lock of a command that has died", held, t.forceUnlock(held)), err}
	}
	if err != nil {
		return fmt.Errorf("the state is locked, so nothing was ended or changed: %w", err)
	}
	return nil
}

// lockedError says who holds a lock, in place of Terraform's message.
type lockedError struct {
	text string
	err  error
}

func (e *lockedError) Error() string { return e.text }
func (e *lockedError) Unwrap() error { return e.err }

// forceUnlock is the command with which a person removes a lock.
func (t *CLI) forceUnlock(held *holder) string {
	in := ""
	if name := workspace.Getenv(t.Env, "TF_WORKSPACE"); name != "" {
		in = "TF_WORKSPACE=" + name + " "
	}
	return fmt.Sprintf("%sterraform %s force-unlock %s", in, workspace.Word("-chdir="+t.Dir), held.id)
}

// Unlock removes the lock that has made a command fail where its holder is dead for sure: it was of this user on this machine, and no Terraform of this
// machine is as old as the lock. removed is who held it; "": the lock is another one's, or nobody knows. The caller knows that no other machine works on the
// state: two of one name would look like one.
func (t *CLI) Unlock(ctx context.Context, failed error) (removed string, err error) {
	held := holderOf(failed)
	older := func(by time.Time) bool {
		return proc.Older(func(name string) bool {
			return name == filepath.Base(t.Bin) || strings.HasPrefix(name, "terraform") || strings.HasPrefix(name, "tofu")
		}, by)
	}
	if held == nil || !held.dead(older) {
		return "", nil
	}
	return held.String(), t.Run(ctx, io.Discard, "force-unlock", "-force", held.id)
}

// dead reports whether the holder ended without releasing the lock. older reports whether a Terraform on this machine was started by a time.
func (h *holder) dead(older func(time.Time) bool) bool {
	who, err := user.Current()
	host, problem := os.Hostname()
	if err != nil || problem != nil || h.at.IsZero() || h.who != who.Username+"@"+host {
		return false
	}
	return !older(h.at.Add(2 * time.Second)) // starts are known to the second
}

// holder is who holds a state's lock, as Terraform prints it.
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/states/statemgr/locker.go#L175
type holder struct {
	id, who, operation, created string
	at                          time.Time // zero: it is not known
}

var lockInfo = regexp.MustCompile(`(?m)^[ \t│]*(ID|Who|Operation|Created):[ \t]+(\S.*?)[ \t]*$`)

// holderOf reads the holder from the output of a command that failed; nil if the lock is not why it failed.
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
				h.created, h.at = at.Format(time.RFC3339), at
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
