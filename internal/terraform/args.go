package terraform

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// argument is an input that TF_CLI_ARGS or TF_CLI_ARGS_plan gives: -var (NAME=VALUE) or -var-file (a file).
type argument struct{ from, flag, value string }

// argumentsOf reads them as Terraform does: it splits the text with the same library, the last of two counts, and a relative path is one of the folder that
// it works in. https://developer.hashicorp.com/terraform/cli/config/environment-variables#tf_cli_args-and-tf_cli_args_name
func argumentsOf(ws *workspace.Workspace, env []string) (arguments []argument, err error) {
	for _, from := range []string{"TF_CLI_ARGS_plan", "TF_CLI_ARGS"} {
		words, err := shellwords.Parse(workspace.Getenv(env, from))
		if err != nil {
			return nil, fmt.Errorf("%s in the environment: %w", from, err)
		}
		for i := 0; i < len(words); i++ {
			flag, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(words[i], "-"), "-"), "=")
			if flag != "var" && flag != "var-file" || !strings.HasPrefix(words[i], "-") {
				continue
			}
			if i++; has {
				i--
			} else if i < len(words) {
				value = words[i]
			}
			if flag == "var-file" && !filepath.IsAbs(value) {
				value = filepath.Join(ws.Stack, value)
			}
			arguments = append(arguments, argument{from, flag, value})
		}
	}
	return arguments, nil
}

// refusedFlags lists flags that turn a command into another one: a deploy whose plan removes everything, or a change that ignores the state's lock.
var refusedFlags = []string{"destroy", "json", "lock", "out", "refresh-only", "state", "state-out"}

// checkFlags refuses such flags in the environment variables that Terraform reads.
func checkFlags(env []string) (problems []string, err error) {
	for _, from := range []string{"TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_CLI_ARGS_apply", "TF_CLI_ARGS_destroy"} {
		words, err := shellwords.Parse(workspace.Getenv(env, from))
		if err != nil {
			return nil, fmt.Errorf("%s in the environment: %w", from, err)
		}
		for _, word := range words {
			flag, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if strings.HasPrefix(word, "-") && slices.Contains(refusedFlags, flag) {
				problems = append(problems, fmt.Sprintf("%s in the environment: with -%s, Terraform does something other than what the command is for: unset it", from, flag))
			}
		}
	}
	return problems, nil
}

// inputArgs returns these arguments for a plan in another folder, quoted for a shell. Other flags, such as a target, are for the stack's plan only.
func inputArgs(ws *workspace.Workspace, env []string) (string, error) {
	arguments, err := argumentsOf(ws, env)
	var words []string
	for _, a := range arguments {
		words = append(words, "'-"+a.flag+"="+strings.ReplaceAll(a.value, "'", `'"'"'`)+"'")
	}
	return strings.Join(words, " "), err
}
