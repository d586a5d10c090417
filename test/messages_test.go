package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// coveredBy lists parts of messages that appear only after hours, in a race or because of somebody else, with the test that runs the same command.
var coveredBy = map[string]string{
	"go tool mage local:run":                                                          "TestFirstCommand",            // appears only without its environment; the test runs it as the README's reader does
	"start it with `go tool mage local:up`":                                           "TestFirstCommand",            // a separate process, which that test starts
	"CAMPAIGN=%s go tool mage local:campaign":                                         "TestCampaign",                // ends with its environment
	"  go tool mage deploy\n":                                                         "TestMessages",                // terraform apply after the run's end
	"and nothing guards it: `go tool mage destroy` ends and exports it first":         "TestDestroyOfARunningLoad",   // somebody removes the guard
	"the state cannot be read: %v\nrun `go tool mage destroy` again":                  "TestDestroyOfARunningLoad",   // the backend is gone
	"`go tool mage destroy` again tells whether":                                      "TestDestroyAfterLostAnswers", // an answer that is lost after the last resource
	"it was not created by this run and is not deleted; run `go tool mage destroy`":   "TestDestroyAfterLostAnswers", // somebody changes the tags
	"%s && go tool mage deploy":                                                       "TestMessages",                // what local:up prints for another shell
	"`RUN=%s go tool mage export` tries once more":                                    "TestFaultsExportAgain",       // a day after the load
	"but the run is not: %s; run `go tool mage destroy`":                              "TestMessages",                // the same, seen by the Lambda
	"look at the log of this function, then run `go tool mage destroy`":               "TestDestroyOfARunningLoad",   // a day after the end
	"`SWEEP=%[1]s go tool mage sweep` ends and removes it, after asking":              "TestSweep",                   // a stack whose function is gone, or that another file of that name created
	"without a state: `go tool mage sweep` lists it":                                  "TestSweep",                   // a state file that is cut short
	"or remove what was created, without a state, with `SWEEP=%s go tool mage sweep`": "TestSweep",                   // a full disk
	"aws elasticache describe-events":                                                 "TestCallsOfTheCLI",           // a cache that is busy for 45 minutes
}

// messageCommand is a command in a message's source.
type messageCommand struct {
	file, message string
	start, end    int
}

// isIn reports whether a part of the message contains the command.
func (p messageCommand) isIn(part string) bool {
	for at := 0; at <= p.start; at++ {
		if strings.HasPrefix(p.message[at:], part) && p.end <= at+len(part) {
			return true
		}
	}
	return false
}

// commandInSource matches a command in source, which has verbs such as %s for the values.
var commandInSource = regexp.MustCompile("(?:^|`|\n\\s+|: )(aws [a-z0-9-]+ [a-z0-9-]+)|\\b((?:go tool )?mage [a-z]+(?::[a-z]+)?)")

// A test runs each command in a message, or coveredBy names the test that runs the same one. mage's commands are spelled as in the README, and their
// targets exist.
func TestEveryCommandInAMessageIsRun(t *testing.T) {
	targets := regexp.MustCompile(`(?m)^func (?:\((\w+)\) )?(\w+)\(\) error`)
	magefile, err := os.ReadFile("../magefile.go")
	require.NoError(t, err)
	var exist []string
	for _, m := range targets.FindAllStringSubmatch(string(magefile), -1) {
		exist = append(exist, strings.TrimPrefix(strings.ToLower(m[1]+":"+m[2]), ":"))
	}
	tests, runParts := readTests(t)
	for part, test := range coveredBy {
		require.Contains(t, tests, test, part)
	}
	used := map[string]bool{}
	places := readMessages(t)
	require.Greater(t, len(places), 40)
	for _, p := range places {
		text := p.message[p.start:p.end]
		if target, is := strings.CutPrefix(text, "go tool mage "); is {
			require.Contains(t, exist, target, "%s: %s", p.file, p.message)
		} else {
			require.True(t, strings.HasPrefix(text, "aws "), "%s: write `go tool mage ...`, because the reader may not have mage: %s", p.file, p.message)
		}
		if slices.ContainsFunc(runParts, p.isIn) {
			continue
		}
		excused := false
		for part := range coveredBy {
			if p.isIn(part) {
				excused, used[part] = true, true
			}
		}
		if !excused {
			t.Errorf("%s: no test runs `%s` of the message %q: run it by runAdvice, or name in coveredBy the test that runs the same command", p.file, text, p.message)
		}
	}
	for part := range coveredBy {
		if !used[part] {
			t.Errorf("no message says %q any more, or a test runs it: remove it from coveredBy", part)
		}
	}
}

// readTests returns the names of the tests, and the parts of messages whose commands they run.
func readTests(t *testing.T) (tests, runParts []string) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				tests = append(tests, n.Name.Name)
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				if len(n.Args) > 0 && (name == "runAdvice") {
					if text, is := constant(n.Args[len(n.Args)-1]); is {
						runParts = append(runParts, text)
					}
				}
			}
			return true
		})
	}
	require.NotEmpty(t, runParts)
	return tests, runParts
}

var description = regexp.MustCompile(`(?ms)^ *description *= *(?:<<-EOT$.*?^ *EOT$|"[^\n]*"$)`)

// readMessages finds the commands in the messages of the sources.
func readMessages(t *testing.T) (places []messageCommand) {
	eachMessage(t, func(file, message string) {
		for _, span := range commandInSource.FindAllStringSubmatchIndex(message, -1) {
			places = append(places, messageCommand{file, message, max(span[2], span[4]), max(span[3], span[5])})
		}
	}, "cmd", "internal", "lambda", "modules", "examples", ".")
	return places
}

// The embedded AWS bills nothing, so local.Advice rewrites what commands say about cost: they must use the phrases that it knows.
func TestMessagesAboutCostUseKnownPhrases(t *testing.T) {
	of, worded := regexp.MustCompile(`(?i)\bbill|\bUSD\b`), regexp.MustCompile(`\b(?:is|are) billed\b|\bwould cost\b|\bAWS bills\b`)
	follows := ", about %.2f USD in all (%s)" // continues a sentence with "and is billed"
	said := 0
	eachMessage(t, func(file, message string) {
		if !of.MatchString(message) || message == follows || message == "billed" {
			return
		}
		said++
		require.Regexp(t, worded, message, file)
	}, "internal/ops", "internal/stack", "internal/sweep", "internal/terraform")
	require.Greater(t, said, 10)
}

// eachMessage finds the messages in the sources of some folders: strings in Go, and lines of Terraform and shell, except comments and descriptions
// of inputs, which are documentation and are never printed.
func eachMessage(t *testing.T, add func(file, message string), folders ...string) {
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", folder), func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (folder == "." && file != filepath.Join("..", ".") || entry.Name() == "localaws" && folder == "internal" || entry.Name() == "tests" || entry.Name() == "testdata" || entry.Name() == ".terraform"):
				return filepath.SkipDir
			case strings.HasSuffix(file, ".tf") || strings.HasSuffix(file, ".sh"):
				text, err := os.ReadFile(file)
				for line := range strings.Lines(description.ReplaceAllString(string(text), "")) {
					if !strings.HasPrefix(strings.TrimSpace(line), "#") {
						add(file, strings.ReplaceAll(line, `\n`, "\n"))
					}
				}
				return err
			case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(source, func(n ast.Node) bool {
				e, is := n.(ast.Expr)
				if !is {
					return true
				}
				text, is := constant(e)
				if is {
					add(file, text)
				}
				return !is
			})
			return nil
		})
		require.NoError(t, err)
	}
}

// constant returns the text of a string literal, or of concatenated ones.
func constant(e ast.Expr) (text string, is bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, is := constant(e.X)
		b, also := constant(e.Y)
		return a + b, is && also && e.Op == token.ADD
	}
	return "", false
}
