package test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/elasticache-perf/elasticache-perf"

type room struct {
	folder    string
	mayImport []string
}

// house lists which packages of this module may import which, from the lowest layer up. A folder includes all folders below it. A folder may only import
// folders before it in this list, and of those only the ones it names. A package in none of these folders fails the test.
var house = []room{
	{"internal/waittest", nil}, // these two are for tests only
	{"internal/awstest", nil},
	{"lambda", nil},
	{"internal/awsquery", nil},
	{"internal/chart", nil},
	{"internal/stats", nil},
	{"internal/report", []string{"lambda/export", "lambda/reference", "internal/chart", "internal/stats"}},
	{"internal/resp", nil},
	{"internal/loadgen", []string{"internal/resp", "internal/waittest"}},
	{"internal/localaws", []string{"internal/resp", "internal/chart", "internal/waittest", "lambda/reference"}},
	{"modules", []string{"internal/loadgen"}}, // tests of load.sh

	// 1: the workspace, the terminal, child processes
	{"internal/workspace", nil},
	{"internal/proc", []string{"internal/waittest"}},
	{"internal/console", []string{"internal/report", "internal/proc"}},
	// 2: builds by the go command, Terraform, and the stack as AWS shows it
	{"internal/gobuild", []string{"internal/workspace", "internal/console", "internal/proc"}},
	{"internal/terraform", []string{"internal/gobuild", "internal/workspace", "internal/console", "internal/proc", "internal/report", "lambda/shutdown"}},
	{"internal/stack", []string{"internal/workspace", "internal/console", "internal/report", "internal/awsquery", "internal/awstest", "lambda/export", "lambda/shutdown"}},
	{"internal/price", []string{"internal/awstest", "lambda/reference"}},
	// 3: a campaign's file and plan; stacks without their state; the embedded AWS
	{"internal/campaign", []string{"internal/terraform", "internal/price", "internal/workspace", "internal/console", "internal/report", "lambda/export", "lambda/reference"}},
	{"internal/sweep", []string{"internal/stack", "internal/workspace", "internal/console", "internal/report", "internal/awsquery", "internal/price", "lambda/export", "lambda/shutdown"}},
	{"internal/local", []string{"internal/terraform", "internal/gobuild", "internal/workspace", "internal/console", "internal/proc"}},
	// 4: commands
	{"internal/ops", []string{"internal/local", "internal/campaign", "internal/sweep", "internal/price", "internal/stack", "internal/terraform", "internal/gobuild", "internal/workspace", "internal/console", "internal/proc",
		"internal/report", "internal/awsquery", "internal/awstest", "lambda/export", "lambda/shutdown"}},
	{"internal/dev", []string{"internal/local", "internal/terraform", "internal/gobuild", "internal/workspace", "internal/console", "internal/proc", "internal/report"}},

	{".", []string{"internal/ops", "internal/dev"}}, // magefile.go: every package it reaches is compiled for every target
	{"cmd", []string{"internal"}},
	{"test", []string{"internal", "lambda"}},
}

func TestArrowsGoDown(t *testing.T) {
	for i, in := range house {
		for _, to := range in.mayImport {
			below := slices.ContainsFunc(house[:i], func(r room) bool { return within(to, r.folder) || within(r.folder, to) })
			require.True(t, below, "%s imports %s, which is not before it in the list", in.folder, to)
		}
	}
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

func packages(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		require.NoError(t, d.Decode(&p))
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

func within(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

func TestWhoImportsWhom(t *testing.T) {
	for _, p := range packages(t, "-tags=mage", "./...") {
		from := ours(p.ImportPath)
		in := room{folder: "."}
		for _, r := range house {
			if (within(from, r.folder) || r.folder == ".") && len(r.folder) >= len(in.folder) {
				in = r
			}
		}
		if from != "." {
			require.NotEqual(t, ".", in.folder, "%s is not in the list: add it there", from)
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to := ours(imported)
			if to == "" || within(to, in.folder) && in.folder != "." || slices.ContainsFunc(in.mayImport, func(ok string) bool { return within(to, ok) }) {
				continue
			}
			t.Errorf("%s must not import %s", from, to)
		}
	}
}

// Test dependencies are not linked into the programs that people run.
func TestProgramsLinkNoTestDependencies(t *testing.T) {
	never := []string{"github.com/aws/aws-sdk-go", "github.com/gruntwork-io", "github.com/stretchr", "github.com/santhosh-tekuri", "testing", module + "/internal/localaws/apimodel"}
	for _, p := range packages(t, "./cmd/...", "./lambda") {
		for _, dep := range p.Deps {
			if slices.ContainsFunc(never, func(no string) bool { return within(dep, no) }) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// A command is a list of steps, in files by topic: a file with more than 200 lines has two topics.
func TestFilesOfCommandsAreShort(t *testing.T) {
	files, err := filepath.Glob("../internal/ops/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.LessOrEqual(t, bytes.Count(text, []byte("\n")), 200, "%s: split it by what it does", file)
	}
}

// A type has one responsibility: a type with more than 15 methods has two.
func TestTypesOfCommandsAreSmall(t *testing.T) {
	files, err := filepath.Glob("../internal/ops/*.go")
	require.NoError(t, err)
	methods := map[string]int{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range f.Decls {
			if fn, is := decl.(*ast.FuncDecl); is && fn.Recv != nil {
				methods[strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*")]++
			}
		}
	}
	require.NotEmpty(t, methods)
	for name, n := range methods {
		require.LessOrEqual(t, n, 15, "methods of %s: split it by what it does", name)
	}
}

// ours is an import path inside this module, "." for its root, "" for another module's.
func ours(importPath string) string {
	importPath, _, _ = strings.Cut(importPath, " ") // "p [p.test]"
	importPath = strings.TrimSuffix(importPath, "_test")
	if !within(importPath, module) {
		return ""
	}
	return path.Clean(strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/"))
}
