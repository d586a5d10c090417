package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// Every variable and output of a module has a row in the module's README. `mage check` compares the whole tables with terraform-docs' output.
func TestModuleREADMEsAreComplete(t *testing.T) {
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

// Every command of the magefile has a row in the README's table; `test` and `campaign` stand for their default.
func TestREADMEHasEveryCommand(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	magefile, err := os.ReadFile("../magefile.go")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(readme), "## Commands\n")
	commands := regexp.MustCompile(`(?m)^func (?:\((\w+)\) )?(\w+)\(\) error`).FindAllStringSubmatch(string(magefile), -1)
	require.Greater(t, len(commands), 25)
	for _, m := range commands {
		name := strings.ToLower(strings.TrimPrefix(m[1]+":"+m[2], ":"))
		require.Contains(t, table, "`"+strings.TrimSuffix(name, ":default")+"`")
	}
}

// The README's table is the output of mage help.
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
	require.Contains(t, printed.String(), "\nSKIP_CHECKS (validate, deploy, campaign)\n    checks to skip")
	require.NotContains(t, printed.String(), "`")
	require.NotContains(t, printed.String(), "](")
}

// The README's table has the environment variables that commands read, except those that every program reads.
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

// The table "To change something" in docs/architecture.md names existing files, and links in the documents lead to existing files.
func TestDocsLinkToExistingFiles(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(text), "## To change something")
	table, _, _ = strings.Cut(table, "\n## ")
	rows, lists := 0, 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		switch {
		case !strings.Contains(line, "`"):
			continue
		case len(cells) == 4: // what a change adds, and what that needs
			lists++
		case len(cells) == 6:
			rows++
		default:
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Join(cells[2:], " "), -1) {
			if !strings.ContainsAny(m[1], "./") || strings.ContainsAny(m[1], " ") || strings.HasPrefix(m[1], "account.") {
				continue // a name, or a command
			}
			_, err := os.Stat(filepath.Join("..", m[1]))
			require.NoError(t, err, "%s", line)
		}
	}
	require.GreaterOrEqual(t, rows, 90)
	require.GreaterOrEqual(t, lists, 10)

	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	documents, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	for _, more := range []string{"../*.md", "../docs/adr/*.md", "../modules/*/README.md", "../examples/*/README.md"} {
		found, err := filepath.Glob(more)
		require.NoError(t, err)
		documents = append(documents, found...)
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(document), m[1]))
			require.NoError(t, err, "%s links to %s", document, m[1])
		}
	}
}

// The README's costs of three sizes are computed from the price tables.
func TestREADMECostsFollowFromTheTables(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	known := reference.Known()
	fargate := known.Fargate[[2]string{"us-east-1", "X86_64"}]
	for _, size := range []struct {
		cache, load, node string
		nodes             float64
		tasks, vcpu, gb   float64
	}{
		{"1 x cache.t4g.micro", "1 task of 1 vCPU, 2 GB", "cache.t4g.micro", 1, 1, 1, 2},
		{"cache.r7g.large with 1 replica", "4 tasks of 1 vCPU, 2 GB", "cache.r7g.large", 2, 4, 1, 2},
		{"3 shards of cache.r7g.xlarge, 1 replica each", "10 tasks of 4 vCPU, 8 GB", "cache.r7g.xlarge", 6, 10, 4, 8},
	} {
		hour := known.NodeHour[[3]string{"us-east-1", size.node, "valkey"}]
		require.NotZero(t, hour)
		usd := size.nodes*hour + size.tasks*(size.vcpu*fargate[0]+size.gb*fargate[1])*45/60
		require.Contains(t, string(readme), fmt.Sprintf("| %s | %s | %.2f |", size.cache, size.load, usd))
	}
}
