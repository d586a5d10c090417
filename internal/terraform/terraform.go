// Package terraform drives Terraform or OpenTofu: finds it and its provider, reads the stack's inputs, and runs its commands.
package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// ErrNotFound means that neither Terraform nor OpenTofu is on PATH.
var ErrNotFound = errors.New("neither terraform nor tofu is on PATH: install Terraform 1.3 or newer (https://developer.hashicorp.com/terraform/install) or OpenTofu (https://opentofu.org/docs/intro/install)")

// CLI drives one stack. Its commands never ask: there is no terminal on their stdin.
type CLI struct {
	Bin   string // path of terraform or tofu
	Dir   string // the stack's folder
	Env   []string
	Out   io.Writer // what it prints
	Color bool
	Grace time.Duration // see workspace.Workspace

	found, prepared bool // the provider, and the stack's folder
}

// ErrStale means that the state was changed after the plan was made, and that nothing of the plan was carried out.
var ErrStale = errors.New("the state was changed after the plan was made, so nothing was applied")

// Error is a Terraform command that failed.
type Error struct {
	Args   []string
	Code   int
	Output string // the errors it printed
	Next   string // what a person can do about it; "" if unknown
	// Unsaved: what it has made is not in the state. Unreadable: the state is cut short or no state at all.
	Unsaved, Unreadable bool
	Err                 error // of the process
}

func (e *Error) Error() string {
	text := fmt.Sprintf("terraform %s failed (exit code %d)", e.Args[0], e.Code)
	if e.Code < 0 { // https://pkg.go.dev/os#ProcessState.ExitCode
		text = fmt.Sprintf("terraform %s did not end by itself (%v)", e.Args[0], e.Err)
	}
	if e.Output != "" {
		text += ":\n" + e.Output
	}
	if e.Next != "" {
		text += "\n" + e.Next
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Find finds Terraform: the program in TERRAFORM=, else terraform or tofu on the project's PATH, else an OpenTofu that was built because neither was found.
func Find(ws *workspace.Workspace, con *console.Console) (*CLI, error) {
	if named := ws.Getenv("TERRAFORM"); named != "" {
		return New(ws, con, named), nil
	}
	path := ws.Getenv("PATH")
	for _, bin := range []string{workspace.LookPath(path, "terraform"), workspace.LookPath(path, "tofu"), gobuild.OpenTofu.Path(ws)} {
		if workspace.Exists(bin) {
			return New(ws, con, bin), nil
		}
	}
	return nil, ErrNotFound
}

// Need finds Terraform, or builds OpenTofu.
func Need(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*CLI, error) {
	t, err := Find(ws, con)
	if !errors.Is(err, ErrNotFound) {
		return t, err
	}
	con.Say("neither terraform nor tofu is on PATH")
	bin, problem := gobuild.OpenTofu.Build(ctx, ws, con)
	if problem != nil {
		return nil, fmt.Errorf("%w\n%w", err, problem)
	}
	return New(ws, con, bin), nil
}

// Ready finds Terraform and reads the inputs.
func Ready(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*CLI, *Inputs, error) {
	t, err := Need(ctx, ws, con)
	if err != nil {
		return nil, nil, err
	}
	in, err := ReadInputs(ctx, ws, t)
	if err != nil {
		return nil, nil, err
	}
	return t, in, nil
}

// New is Terraform for the project's stack.
func New(ws *workspace.Workspace, con *console.Console, bin string) *CLI {
	out := con.TerraformOut
	if out == nil {
		out = con.Out
	}
	return &CLI{Bin: bin, Dir: ws.Stack, Env: append(ws.Env[:len(ws.Env):len(ws.Env)], "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1"),
		Out: &progress{to: out, shown: con.TerraformOut == nil}, Color: con.TTY && con.TerraformOut == nil && ws.Getenv("NO_COLOR") == "", Grace: ws.Grace}
}

// Tofu tells OpenTofu from Terraform.
func (t *CLI) Tofu() bool { return filepath.Base(t.Bin) == "tofu" }

// lockTimeout is how long a command waits for others who hold the state: one that reads or plans is over by then, one that applies is not.
// https://developer.hashicorp.com/terraform/language/state/locking
const lockTimeout = "-lock-timeout=" + lockWait

const lockWait = "60s"

// The command lines, without -chdir and -no-color, which all have.

func initArgs(upgrade bool) []string {
	args := []string{"init", "-input=false"}
	if upgrade {
		args = append(args, "-upgrade")
	}
	return args
}

// planArgs writes the plan to file; a resource in replace is recreated.
func planArgs(file string, replace ...string) []string {
	args := []string{"plan", "-input=false", lockTimeout, "-detailed-exitcode", "-out=" + file}
	for _, r := range replace {
		args = append(args, "-replace="+r)
	}
	return args
}

func applyArgs(plan string) []string { return []string{"apply", "-input=false", lockTimeout, plan} }

func destroyArgs() []string { return []string{"destroy", "-input=false", lockTimeout, "-auto-approve"} }

func outputArgs() []string { return []string{"output", "-json"} }

func stateListArgs() []string { return []string{"state", "list"} }

func stateRemoveArgs(addresses ...string) []string {
	return append([]string{"state", "rm", lockTimeout}, addresses...)
}

// stateLockArgs takes and releases the state's lock: a dry run of a removal locks as a real one does.
func stateLockArgs(wait, address string) []string {
	return []string{"state", "rm", "-dry-run", "-lock-timeout=" + wait, address}
}

// argv is the whole command line after the program's name.
func (t *CLI) argv(args []string) []string {
	all := append([]string{"-chdir=" + t.Dir}, args...)
	if !t.Color && args[0] != "state" && args[0] != "workspace" { // these have no such flag
		all = append(all[:2:2], append([]string{"-no-color"}, all[2:]...)...)
	}
	return all
}

// Run prints what Terraform prints; capture, when set, gets its stdout instead.
func (t *CLI) Run(ctx context.Context, capture io.Writer, args ...string) error {
	var err error
	c := exec.CommandContext(ctx, t.Bin, t.argv(args)...)
	c.Env = t.Env
	var problems bytes.Buffer
	began := time.Now()
	if capture != nil {
		c.Stdout, c.Stderr = capture, &problems
		err = proc.RunPrivate(c, t.Grace) // plan and state hold the auth token
	} else {
		err = t.runShown(ctx, c, args[0] == "plan", &problems)
	}
	if f, ok := t.Out.(*progress); ok {
		f.flush()
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		if args[0] == "apply" && c.ProcessState.Success() {
			return nil // the interrupt came when all was done
		}
		return fmt.Errorf("terraform %s: %w%s", args[0], cause, t.interrupted(args[0], c.ProcessState, began))
	}
	if c.ProcessState == nil {
		return fmt.Errorf("terraform cannot be executed: %w. Put a Terraform that runs on this machine first on PATH, or name one with TERRAFORM=", err)
	}
	if args[0] == "apply" && strings.Contains(problems.String(), "Error: Saved plan is stale") {
		return ErrStale
	}
	failed := &Error{Args: args, Code: c.ProcessState.ExitCode(), Err: err}
	if capture != nil || t.quiet() {
		failed.Output = strings.TrimSpace(problems.String())
	}
	failed.Unsaved = strings.Contains(problems.String(), "Failed to persist state")
	if failed.Unreadable = strings.Contains(problems.String(), "Unsupported state file format"); failed.Unreadable {
		failed.Next = "if the state is a file, terraform.tfstate.backup beside it is the previous one. What was created can be found, ended and removed without a state: `go tool mage sweep` lists it"
	}
	if strings.Contains(problems.String(), "timeout while waiting for plugin to start") {
		failed.Next = "Terraform gives its provider a minute to start, and this machine was too busy for that. Nothing was changed: run the command again"
	}
	if held := holderOf(failed); held != nil {
		failed.Next = fmt.Sprintf("`%s` removes the lock of a command that has died", t.forceUnlock(held))
	}
	return failed
}

// runShown runs a command, and prints what it prints while it does; a plan when it is made: of one that fails, only the errors are printed, and
// nothing of one that was interrupted.
func (t *CLI) runShown(ctx context.Context, c *exec.Cmd, plan bool, problems io.Writer) error {
	var shown io.Writer = t.Out
	if f, ok := t.Out.(*progress); ok && plan {
		held, text := f.held()
		shown = held
		defer func() {
			held.flush()
			if code := c.ProcessState.ExitCode(); ctx.Err() == nil && (code == 0 || code == 2) { // -detailed-exitcode
				_, _ = f.Write(text.Bytes())
			}
		}()
	}
	out, err := newPrinted(shown)
	if err != nil {
		return err
	}
	errs, err := newPrinted(io.MultiWriter(t.Out, problems))
	if err != nil {
		_ = out.file.Close()
		return err
	}
	defer passAll(out, errs)()
	c.Stdout, c.Stderr = out.file, errs.file
	return proc.RunPrivate(c, t.Grace) // plan and state hold the auth token
}

// interrupted says what happened to the state when a command that can change it was interrupted: a command that ended by itself has saved it, or
// written it to a file. https://developer.hashicorp.com/terraform/cli/state/recover
func (t *CLI) interrupted(command string, ended *os.ProcessState, began time.Time) string {
	if command != "apply" && command != "destroy" && command != "state" {
		return ""
	}
	rescued := filepath.Join(t.Dir, "errored.tfstate")
	info, err := os.Stat(rescued)
	switch {
	case ended == nil:
		return "; it was not started"
	case err == nil && !info.ModTime().Before(began.Truncate(time.Second)): // some file systems know seconds only
		return fmt.Sprintf("; it could not save its state and left it in %s: `terraform state push errored.tfstate` in %s saves it", rescued, t.Dir)
	case !ended.Exited():
		return fmt.Sprintf("; it was killed (%s) before it had ended by itself, so its state may lack what it was creating", ended)
	}
	return "; it ended by itself, and its state is saved"
}

// quiet: its output is not shown, so errors must be shown again.
func (t *CLI) quiet() bool {
	f, ok := t.Out.(*progress)
	return !ok || !f.shown
}

// During makes a step show the progress of the commands that follow.
func (t *CLI) During(s *console.Step) {
	if f, ok := t.Out.(*progress); ok {
		f.follow(s)
	}
}

// Init initializes the stack's folder: modules, provider, backend.
func (t *CLI) Init(ctx context.Context, upgrade bool) error {
	return t.Run(ctx, nil, initArgs(upgrade)...)
}

// Plan writes a plan to file and reports whether it has changes.
func (t *CLI) Plan(ctx context.Context, file string, replace ...string) (changes bool, err error) {
	err = t.Run(ctx, nil, planArgs(file, replace...)...)
	var failed *Error
	if errors.As(err, &failed) && failed.Code == 2 { // -detailed-exitcode
		return true, nil
	}
	return false, err
}

// Rehearse makes a plan only to see what Terraform and the modules refuse. It takes no lock, because the plan is thrown away.
func (t *CLI) Rehearse(ctx context.Context) error {
	return t.Run(ctx, io.Discard, "plan", "-input=false", "-lock=false")
}

// Apply carries a plan out.
func (t *CLI) Apply(ctx context.Context, plan string) error {
	return t.Run(ctx, nil, applyArgs(plan)...)
}

// Destroy removes everything in the state.
func (t *CLI) Destroy(ctx context.Context) error { return t.Run(ctx, nil, destroyArgs()...) }

// Forget removes resources from the state without deleting them.
func (t *CLI) Forget(ctx context.Context, addresses ...string) error {
	return t.Run(ctx, nil, stateRemoveArgs(addresses...)...)
}

// DropWorkspace removes the Terraform workspace that TF_WORKSPACE names, which Terraform does only when its state is empty.
// https://developer.hashicorp.com/terraform/cli/commands/workspace/delete
func (t *CLI) DropWorkspace(ctx context.Context) error {
	name := workspace.Getenv(t.Env, "TF_WORKSPACE")
	other := *t
	other.Env = workspace.Without(t.Env, func(variable string) bool { return variable == "TF_WORKSPACE" }) // the one that is in use cannot be removed
	err := other.Run(ctx, io.Discard, "workspace", "delete", lockTimeout, name)
	var failed *Error
	if errors.As(err, &failed) && strings.Contains(failed.Output, "doesn't exist") {
		return nil
	}
	return err
}

// Outputs are the stack's outputs that are plain strings, numbers or booleans, as text.
func (t *CLI) Outputs(ctx context.Context) (map[string]string, error) {
	var text bytes.Buffer
	if err := t.Run(ctx, &text, outputArgs()...); err != nil {
		return nil, err
	}
	var all map[string]struct{ Value any }
	if err := json.Unmarshal(text.Bytes(), &all); err != nil {
		return nil, fmt.Errorf("terraform output: %w", err)
	}
	outputs := map[string]string{}
	for name, o := range all {
		switch o.Value.(type) {
		case string, float64, bool:
			outputs[name] = fmt.Sprint(o.Value)
		}
	}
	return outputs, nil
}

// Resources are the addresses in the state; none when there is no state.
func (t *CLI) Resources(ctx context.Context) ([]string, error) {
	var text bytes.Buffer
	err := t.Run(ctx, &text, stateListArgs()...)
	var failed *Error
	if errors.As(err, &failed) && strings.Contains(failed.Output, "No state file was found") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Fields(text.String()), nil
}

// Prepare prepares the stack's folder. A lock file may pin a provider that the mirror at hand does not have: then the mirror's version is taken.
func (t *CLI) Prepare(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if t.prepared {
		return nil
	}
	err := t.Init(ctx, false)
	var failed *Error
	if errors.As(err, &failed) && !failed.Unreadable && failed.Code >= 0 && ctx.Err() == nil && strings.HasPrefix(workspace.Getenv(t.Env, "TF_CLI_CONFIG_FILE"), ws.DataDir()) {
		con.Say("terraform: once more, with the version that the mirror has")
		err = t.Init(ctx, true)
	}
	if err == nil && ws.Embedded {
		err = ForgetChecksums(ws.Stack)
	}
	t.prepared = err == nil
	return err
}

// Version is its own version: "terraform 1.3.10". (OpenTofu warns on stdout, so its configuration must be valid first.)
func (t *CLI) Version(ctx context.Context) (string, error) {
	c := exec.CommandContext(ctx, t.Bin, "version", "-json")
	var out bytes.Buffer
	c.Stdout, c.Stderr, c.Env = &out, &out, t.Env
	err := proc.Run(c, time.Minute)
	var said struct {
		Version string `json:"terraform_version"`
	}
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &said)
	}
	if err != nil {
		return "", fmt.Errorf("%s version -json: %w\n%s", t.Bin, err, strings.TrimSpace(out.String()))
	}
	return filepath.Base(t.Bin) + " " + said.Version, nil
}
