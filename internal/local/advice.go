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
	mageCommand = regexp.MustCompile(`(?:\. \S+ && )?(?:[A-Z]+=(?:'[^']*'|\S)+ )*go tool mage (?:build|deploy|destroy|export|report|status|stop|sweep|validate|watch)\b`)
	// Terraform draws a bar before the lines of its errors, in a terminal.
	awsCommand = regexp.MustCompile("(?:`|(?m:^[\\s│]+))aws [a-z0-9-]+ [a-z0-9-]+[^`\n]*")
	// The embedded AWS bills nothing. Messages of money say what is or are billed, and a test looks for others.
	billed = regexp.MustCompile(`\b(?:is|are) billed\b`)
)

// Advice writes a message for the embedded AWS: its commands act there, wherever they are pasted, and what AWS bills is not billed. mage changes the
// commands of `go tool mage`. What is written for it already stays as it is.
func Advice(endpoint, region string, mage func(command string) string, text string) string {
	text = billed.ReplaceAllString(text, "would be billed on AWS")
	text = mageCommand.ReplaceAllStringFunc(text, func(command string) string {
		if strings.HasPrefix(command, ". ") {
			return command
		}
		return mage(command)
	})
	return awsCommand.ReplaceAllStringFunc(text, func(command string) string {
		if strings.Contains(command, " --endpoint-url ") {
			return command
		}
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
