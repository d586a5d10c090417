package local

import (
	"cmp"
	"io"
	"regexp"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A command that a message names inside the embedded AWS is meant for the embedded AWS. Pasted unchanged into another shell, it would act on real AWS:
// `go tool mage destroy` on the stack of the project's folder, `aws ... delete-...` on an account.
var (
	mageCommand = regexp.MustCompile(`(?:[A-Z]+=\S+ )*go tool mage (?:build|deploy|destroy|export|report|status|stop|validate|watch)\b`)
	// Terraform draws a bar before the lines of its errors, in a terminal.
	awsCommand = regexp.MustCompile("(?:`|(?m:^[\\s│]+))aws [a-z0-9-]+ [a-z0-9-]+[^`\n]*")
)

// Advice rewrites the commands in a message so that they act on the embedded AWS, wherever they are pasted. mage rewrites those of `go tool mage`.
func Advice(endpoint, region string, mage func(command string) string, text string) string {
	text = mageCommand.ReplaceAllStringFunc(text, mage)
	return awsCommand.ReplaceAllStringFunc(text, func(command string) string {
		command += " --endpoint-url " + endpoint
		if !strings.Contains(command, " --region ") {
			command += " --region " + region
		}
		return command
	})
}

// Again is the advice of an embedded AWS that ends with its command: only the whole command can be repeated.
func Again(string) string { return "go tool mage local:run" }

// AdviceOf is the advice of a command in the workspace. Where local:up wrote the environment, an advised command reads that environment first.
func AdviceOf(ws *workspace.Workspace) func(string) string {
	endpoint := ws.Getenv("AWS_ENDPOINT_URL")
	if !isLoopback(endpoint) {
		return func(text string) string { return text }
	}
	first := ""
	if file := EnvFile(ws); workspace.Exists(file) {
		first = ". " + ws.Path(file) + " && "
	}
	return func(text string) string {
		return Advice(endpoint, cmp.Or(ws.Getenv("AWS_REGION"), placeholder.Hello.Region), func(command string) string { return first + command }, text)
	}
}

// Advised writes the output of a command with its advice rewritten for the embedded AWS.
type Advised struct {
	W  io.Writer
	In func(string) string
}

func (a Advised) Write(b []byte) (int, error) {
	if _, err := io.WriteString(a.W, a.In(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// AdviceError is an error with its advice rewritten for the embedded AWS.
func AdviceError(err error, in func(string) string) error {
	if err == nil {
		return nil
	}
	if text := in(err.Error()); text != err.Error() {
		return &advised{err, text}
	}
	return err
}

type advised struct {
	error
	text string
}

func (a *advised) Error() string { return a.text }
func (a *advised) Unwrap() error { return a.error }
