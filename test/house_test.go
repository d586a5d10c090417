package test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/elasticache-perf/elasticache-perf"

// mayImport is who may import whom inside this module; a folder stands for all below it. What is not listed may
// import nothing of ours but its own subfolders.
var mayImport = map[string][]string{
	".":                  {"internal/ops"}, // magefile.go: every package it reaches is compiled for every target
	"internal/ops":       {"lambda/export", "lambda/shutdown", "internal/report", "internal/awsquery", "internal/waittest", "internal/proc", "internal/workspace", "internal/console", "internal/gobuild", "internal/terraform", "internal/stack", "internal/awstest", "internal/local"},
	"internal/local":     {"internal/terraform", "internal/gobuild", "internal/workspace", "internal/console", "internal/proc"},
	"internal/awstest":   {},
	"internal/stack":     {"internal/awsquery", "internal/awstest", "internal/console", "internal/report", "internal/workspace", "lambda/export", "lambda/shutdown"},
	"internal/terraform": {"internal/gobuild", "internal/workspace", "internal/console", "internal/proc", "internal/report", "lambda/shutdown"},
	"internal/gobuild":   {"internal/workspace", "internal/console", "internal/proc"},
	"internal/console":   {"internal/report", "internal/proc"},
	"internal/workspace": {},
	"internal/proc":      {"internal/waittest"},
	"internal/awsquery":  {},
	"internal/report":    {"lambda/export", "internal/chart"},
	"internal/chart":     {},
	"internal/localaws":  {"internal/chart", "internal/waittest"},
	"internal/loadgen":   {"internal/waittest"},
	"internal/waittest":  {},
	"lambda":             {"lambda"},
	"cmd":                {"internal"},
	"test":               {"internal", "lambda"},
	"modules":            {"internal/loadgen"}, // tests of load.sh
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
		house := "."
		for folder := range mayImport {
			if within(from, folder) && len(folder) > len(house) {
				house = folder
			}
		}
		if from != "." {
			require.NotEqual(t, ".", house, "%s is in no part of the house: give it a place in mayImport", from)
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to := ours(imported)
			if to == "" || within(to, house) && house != "." || slices.ContainsFunc(mayImport[house], func(ok string) bool { return within(to, ok) }) {
				continue
			}
			t.Errorf("%s must not import %s", from, to)
		}
	}
}

// What only tests need is not linked into what people run.
func TestNothingOfTheTestsIsShipped(t *testing.T) {
	never := []string{"github.com/aws/aws-sdk-go", "github.com/gruntwork-io", "github.com/stretchr", "testing", module + "/internal/localaws/apimodel"}
	for _, p := range packages(t, "./cmd/...", "./lambda") {
		for _, dep := range p.Deps {
			if slices.ContainsFunc(never, func(no string) bool { return within(dep, no) }) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

// ours is an import path inside this module, "." for its root, "" for a foreign one.
func ours(importPath string) string {
	importPath, _, _ = strings.Cut(importPath, " ") // "p [p.test]"
	importPath = strings.TrimSuffix(importPath, "_test")
	if !within(importPath, module) {
		return ""
	}
	return path.Clean(strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/"))
}
