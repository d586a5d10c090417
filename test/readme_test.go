package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Every variable and output of a module has its row in the module's README. `mage check` compares the whole tables with what terraform-docs writes.
func TestModuleREADMEsAreWhole(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^(?:variable|output) "([a-z_0-9]+)"`)
	modules, err := filepath.Glob("../modules/*/main.tf")
	require.NoError(t, err)
	require.Len(t, modules, 4)
	for _, main := range modules {
		dir := filepath.Dir(main)
		readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
		require.NoError(t, err)
		var names []string
		for _, file := range []string{"variables.tf", "outputs.tf"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
		}
		require.NotEmpty(t, names)
		for _, name := range names {
			require.Contains(t, string(readme), "| "+strings.ReplaceAll(name, "_", `\_`)+" |", "%s: run `go tool mage test:docs`, which says how the README is written", dir)
		}
	}
}

// The README's table is the one that mage help prints.
func TestREADMEHasTheTableOfHelp(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	table := "| variable | for | value | not set |\n|---|---|---|---|\n"
	for _, v := range workspace.Variables {
		table += strings.TrimSuffix("| "+v.Name+" | "+v.For+" | "+v.Value+" | "+v.Unset, " ") + " |\n"
	}
	_, written, _ := strings.Cut(string(readme), table[:strings.Index(table, "\n")])
	require.Equal(t, table[strings.Index(table, "\n"):]+"\n", written[:strings.Index(written, "\n\n")+2])
	var printed strings.Builder
	workspace.Help(&printed)
	require.Contains(t, printed.String(), "\nSKIP_CHECKS (validate, deploy)\n    checks to leave out")
	require.NotContains(t, printed.String(), "`")
	require.NotContains(t, printed.String(), "](")
}

// What the commands read of the environment is in the README's table, but for what every program reads and what tests tell their own processes.
func TestREADMEHasTheEnvironment(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	read := regexp.MustCompile(`(?:[gG]etenv|LookupEnv|On|number)\((?:[a-z.]+, )?"([A-Z0-9_]+)"`)
	var files []string
	for _, folder := range []string{"ops", "dev", "local", "terraform", "workspace", "gobuild"} {
		found, err := filepath.Glob("../internal/" + folder + "/*.go")
		require.NoError(t, err)
		files = append(files, found...)
	}
	everyones := regexp.MustCompile(`^(PATH|HOME|TERM|XDG_.*|AWS_.*|TF_VAR_.*)$`)
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range read.FindAllStringSubmatch(string(text), -1) {
			if !everyones.MatchString(m[1]) {
				seen++
				require.Contains(t, string(readme), "`"+m[1]+"`", "%s reads it", file)
			}
		}
	}
	require.Greater(t, seen, 15)
}
