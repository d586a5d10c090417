// Package workspace is what a command works with: the project's tree, the stack's folder, the environment, and the configuration of AWS's SDK.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// Workspace is the tree that a command works on, and the account it may use.
type Workspace struct {
	Root  string   // the tree, with go.mod, modules/ and lambda/
	Stack string   // Terraform's working directory: Root, or STACK_DIR
	Env   []string // environment of child processes

	// AWS makes the SDK's configuration; an empty region leaves it to the environment.
	AWS func(ctx context.Context, region string) (aws.Config, error)
	// Grace is how long Terraform may take to end after an interrupt; 0 is without limit, because killing it can lose its state.
	Grace time.Duration
	// Embedded: the stack is in the embedded AWS, and its folder is made anew for each.
	Embedded bool
}

// Open is the workspace of the working directory and the process's environment.
func Open() (*Workspace, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "modules")); err != nil {
		return nil, fmt.Errorf("%s is not the project's folder: run the command where magefile.go is", root)
	}
	ws := &Workspace{Root: root, Stack: root, Env: os.Environ(), AWS: func(ctx context.Context, region string) (aws.Config, error) {
		// The SDK logs warnings on stderr, for example of a body that it could not read to its end. A cancelled read is not worth a message.
		return config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithLogger(logging.Nop{}))
	}}
	if dir := os.Getenv("STACK_DIR"); dir != "" {
		if ws.Stack, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	return ws, nil
}

// Getenv is a variable of the workspace's environment; "" when it is not set.
func (ws *Workspace) Getenv(name string) string { return Getenv(ws.Env, name) }

// DataDir is Terraform's data directory: TF_DATA_DIR, else .terraform in the stack.
func (ws *Workspace) DataDir() string {
	dir := ws.Getenv("TF_DATA_DIR")
	if dir == "" {
		dir = ".terraform"
	}
	return ws.InStack(dir)
}

// InStack resolves a path as the stack's Terraform does.
func (ws *Workspace) InStack(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(ws.Stack, path)
}

// Path shows a file of the tree as a person would type it.
func (ws *Workspace) Path(file string) string {
	if rel, err := filepath.Rel(ws.Root, file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}

// plain is text that a shell takes as it is.
var plain = regexp.MustCompile(`^[\w%+,./:=@-]+$`)

// Word is text as one word of a shell, for a command that a person copies: in quotes if it needs them.
func Word(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Command is a child process in the tree and its environment, that prints to out.
func (ws *Workspace) Command(ctx context.Context, out io.Writer, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = ws.Root, ws.Env, out, out
	return c
}

// Getenv is a variable of an environment; the last one counts, as in os/exec.
func Getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// Without is env with the variables removed whose name match says so.
func Without(env []string, match func(name string) bool) []string {
	var kept []string
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !match(name) {
			kept = append(kept, e)
		}
	}
	return kept
}

// LookPath is exec.LookPath in another PATH than our own; "" when the program is not there.
func LookPath(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(file) {
			return file
		}
	}
	return ""
}

// Exists reports whether a file exists.
func Exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Glob lists what matches a pattern in a folder, by full paths. filepath.Glob would take brackets and stars in the folder's own path for a pattern.
func Glob(dir, pattern string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(filepath.Clean(dir)), pattern)
	for i, name := range found {
		found[i] = filepath.Join(dir, name)
	}
	return found, err
}

// ReplaceFile writes a file so that nobody sees half of it, and others may do so at the same time.
func ReplaceFile(file string, content []byte, mode os.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	err = errors.Join(err, next.Chmod(mode), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		_ = os.Remove(next.Name())
	}
	return err
}
