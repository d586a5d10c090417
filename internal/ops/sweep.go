package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Sweep lists all stacks in the account and Region of the credentials, whoever deployed them and wherever their state is. SWEEP=name, or all, asks, then ends
// the runs, exports them and removes the stacks.
func Sweep(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	wanted := ws.Getenv("SWEEP")
	if wanted != "" && !stackName.MatchString(wanted) {
		return fmt.Errorf("SWEEP=%q is not a stack's name: `go tool mage sweep` lists the stacks", wanted)
	}
	if wanted != "" && workspace.Exists(ws.DataDir()) { // a deploy creates it, and may be running
		unlock, err := terraform.Lock(ws)
		if err != nil {
			return err
		}
		defer unlock()
	}
	cfg, err := ws.AWS(ctx, "")
	if err != nil {
		return err
	}
	if cfg.Region == "" {
		return errors.New("no AWS Region: set AWS_REGION; a sweep covers one Region")
	}
	who, err := stack.Who(ctx, cfg)
	if err != nil {
		return err
	}
	place := fmt.Sprintf("account %s, Region %s", who.Account, who.Region)
	var found []*sweep.Found
	if wanted == "" || wanted == "all" {
		found, err = sweep.Find(ctx, ws, cfg)
	} else {
		var one *sweep.Found
		if one, err = sweep.Named(ctx, ws, cfg, wanted); one != nil {
			found = append(found, one)
		}
	}
	switch {
	case err != nil:
		return err
	case len(found) == 0 && wanted != "" && wanted != "all":
		return fmt.Errorf("there is no stack %s in %s: `go tool mage sweep` lists the stacks", wanted, place)
	case len(found) == 0:
		con.Say("there is no stack in %s: nothing has the tag %s", place, sweep.Tag)
		return nil
	case wanted == "":
		listSwept(con, found, place)
		return nil
	}
	return sweepAway(ctx, ws, con, cfg, found, place)
}

// stackName matches what the stack's input name allows.
var stackName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// listSwept prints a line or two for each stack.
func listSwept(con *console.Console, found []*sweep.Found, place string) {
	orphan := ""
	con.Say("stacks in %s: %d", place, len(found))
	for _, f := range found {
		if f.Hidden != nil {
			con.Say("  %s: cannot be read: %v", f.Name, f.Hidden)
			continue
		}
		con.Say("  %s: %s", f.Name, described(f))
		con.Say("    %s; %s", cmp.Or(f.Billed, "nothing of it is billed"), sweptFor(f.Cost))
		if f.Orphan() && orphan == "" {
			orphan = f.Name
		}
	}
	if orphan != "" {
		con.Say("an orphan is billed until somebody removes it: `SWEEP=%s go tool mage sweep`", orphan)
	}
	con.Say("SWEEP=name ends, exports and removes one of them, SWEEP=all all of them; both ask first")
}

// described says what state a stack is in.
func described(f *sweep.Found) string {
	run := "no run"
	if f.Run != "" {
		run = "run " + f.Run
	}
	switch g := f.Guard; {
	case g.Alive():
		return fmt.Sprintf("%s, guarded: it ends by itself, at the latest by %s", run, g.StopBy.UTC().Format(time.RFC3339))
	case f.Orphan():
		return fmt.Sprintf("ORPHAN, %s: %s, and something is billed", run, cmp.Or(g.Dead, "it has no guard"))
	case g.Run != "":
		return fmt.Sprintf("%s: %s", run, g.Dead)
	}
	if f.Run == "" {
		return "no run is under way, and none is known; the stack is not destroyed"
	}
	return fmt.Sprintf("no run is under way: the last one, %s, has ended; the stack is not destroyed", f.Run)
}

// sweptFor says what a stack has cost.
func sweptFor(c sweep.Cost) string {
	text := fmt.Sprintf("about %.2f USD is billed so far", c.USD)
	if c.Of == "" && c.Missing == "" {
		return "no cost of it is known"
	}
	if c.Of != "" {
		text += " (" + c.Of + ")"
	}
	if c.Missing != "" {
		text += ", without a price for " + c.Missing
	}
	return text
}
