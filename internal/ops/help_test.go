package ops

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

func TestHelpOfACommand(t *testing.T) {
	var out bytes.Buffer
	ws, con := &workspace.Workspace{Root: "../.."}, &console.Console{Out: &out}
	require.NoError(t, explain(ws, con, []string{"Report", "stop", "local:run", "test"}))
	said := out.String()
	require.Contains(t, said, "UPLOAD=1).\n\nEnvironment variables that it reads:\nRUN\n    a run, 2026-11-23T03-08-09Z\n    not set: the latest one\n")
	require.Contains(t, said, "go tool mage stop\n    ends the run now: stops the load, exports, deletes the cache.\n\nAll commands read these:\n")
	require.Contains(t, said, "go tool mage local:run\n    takes a run from end to end")
	require.Contains(t, said, "\nMINUTES\n")
	require.Contains(t, said, "\nE2E_LONG\n")
	require.NotContains(t, said, "APPROVE")
	require.ErrorContains(t, explain(ws, con, []string{"stpo"}), "there is no command stpo: `go tool mage -l` lists them")

	require.Equal(t, []string{"deploy"}, helpOf([]string{"mage", "help", "deploy"}))
	require.Empty(t, helpOf([]string{"mage", "help"}))
}

// The table of variables lists for each command exactly what its code reads, and includes what its sentence in the magefile names.
func TestHelpSaysWhatACommandReads(t *testing.T) {
	does, err := targets("../../magefile.go")
	require.NoError(t, err)
	reads := environmentOf(t, ".")
	magefile, err := os.ReadFile("../../magefile.go")
	require.NoError(t, err)
	seen := 0
	for _, m := range regexp.MustCompile(`func (?:\((\w+)\) )?(\w+)\(\) error \{ return ops\.Run\(ops\.(\w+)\)`).FindAllStringSubmatch(string(magefile), -1) {
		target := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(m[1]+":"+m[2]), ":"), ":default")
		if m[1] == "Local" {
			continue // they run other commands, with another environment
		}
		own, shared := workspace.Reads(target)
		var listed, everyones []string
		for _, v := range own {
			listed = append(listed, strings.Trim(v.Name, "`"))
		}
		for _, v := range shared {
			everyones = append(everyones, strings.Trim(v.Name, "`"))
		}
		read := slices.DeleteFunc(reads(m[3]), func(name string) bool { return slices.Contains(everyones, name) })
		require.ElementsMatch(t, read, listed, "%s", target)
		for _, named := range regexp.MustCompile(`\b([A-Z_]+)=`).FindAllStringSubmatch(does[target], -1) {
			require.Contains(t, listed, named[1], "the sentence of %s", target)
		}
		seen++
	}
	require.Equal(t, 14, seen)

	// The commands that the table names exist.
	for _, v := range workspace.Variables {
		for _, of := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(v.For, -1) {
			require.Contains(t, does, of[1], v.Name)
		}
	}
}

// environmentOf returns what a function reads of the environment, directly and through what it calls in its package. Functions and methods are followed by
// name.
func environmentOf(t *testing.T, folder string) func(function string) []string {
	uses, reads := map[string][]string{}, map[string][]string{}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			of := f.Name.Name
			if f.Recv != nil {
				of = "." + of
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				call, is := n.(*ast.CallExpr)
				if !is {
					return true
				}
				for _, e := range append([]ast.Expr{call.Fun}, call.Args...) { // a function can be passed as an argument
					switch e := e.(type) {
					case *ast.Ident:
						uses[of] = append(uses[of], e.Name)
					case *ast.SelectorExpr:
						uses[of] = append(uses[of], "."+e.Sel.Name)
					case *ast.BasicLit:
						if m := regexp.MustCompile(`^"([A-Z][A-Z_]+)"$`).FindStringSubmatch(e.Value); m != nil && isLookUp(call.Fun) {
							reads[of] = append(reads[of], m[1])
						}
					}
				}
				return true
			})
		}
	}
	return func(function string) (names []string) {
		seen := map[string]bool{}
		var follow func(string)
		follow = func(f string) {
			if seen[f] {
				return
			}
			seen[f] = true
			for _, name := range reads[f] {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			for _, c := range uses[f] {
				follow(c)
			}
		}
		follow(function)
		return names
	}
}

func isLookUp(f ast.Expr) bool {
	s, is := f.(*ast.SelectorExpr)
	return is && slices.Contains([]string{"Getenv", "LookupEnv", "On"}, s.Sel.Name)
}
