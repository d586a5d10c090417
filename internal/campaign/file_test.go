package campaign

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

func read(t *testing.T, name, text string) (*Campaign, error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), name+".hcl")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := Read(&workspace.Workspace{Root: filepath.Dir(file), Stack: root}, file)
	return c, err
}

const nodes = `
repeats  = 5
parallel = 2
budget   = 40
baseline = "r7g"
rank_by  = "latency_p99_ms"

common {
  test_duration_minutes = 20
  cache = { engine = "valkey", parameters = { maxmemory-policy = "allkeys-lru" } }
}

variant "r6g" { cache = { node_type = "cache.r6g.large", parameters = { timeout = "60" } } }
variant "r7g" { cache = { node_type = "cache.r7g.large" } }

matrix "m" {
  over  = { engine = ["redis", "valkey"], tls = [false, true] }
  cache = { engine = over.engine, transit_encryption = over.tls }
}
`

func TestAFile(t *testing.T) {
	c, err := read(t, "nodes", nodes)
	require.NoError(t, err)
	var names []string
	for _, v := range c.Variants {
		names = append(names, v.Name)
	}
	require.Equal(t, []string{"r6g", "r7g", "m-redis-no-tls", "m-redis-tls", "m-valkey-no-tls", "m-valkey-tls"}, names)
	require.Regexp(t, `nodes\.hcl:3,12$`, c.Place("parallel"))
	require.Regexp(t, `nodes\.hcl$`, c.Place("seed"), "not in the file")
	require.Equal(t, []any{5, 2, 40.0, "r7g", "latency_p99_ms"}, []any{c.Repeats, c.Parallel, c.Budget, c.Baseline, c.RankBy})

	var inputs map[string]any
	cell := Cell{"nodes", "r6g", 3, c.Seed}
	text, err := c.values(cell, "exports")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &inputs))
	require.Equal(t, map[string]any{"engine": "valkey", "node_type": "cache.r6g.large", "parameters": map[string]any{"maxmemory-policy": "allkeys-lru", "timeout": "60"}}, inputs["cache"], "merged deeply")
	require.Equal(t, []any{20.0, "nodes-r6g-r3", "exports/campaigns/nodes/r6g-r3"}, []any{inputs["test_duration_minutes"], inputs["name"], inputs["metrics_export_s3_prefix"]})
	require.Equal(t, map[string]any{"name": "nodes", "variant": "r6g", "round": 3.0, "seed": float64(c.Seed), "inputs": c.sum("r6g")}, inputs["campaign"])

	settings, err := json.Marshal(map[string]any{"campaign": inputs["campaign"]})
	require.NoError(t, err)
	require.Equal(t, &cell, CellOf(settings))
	require.Nil(t, CellOf([]byte(`{"campaign":null}`)))
	require.False(t, c.Changed(cell, &export.Manifest{Settings: settings}))
	again, err := read(t, "nodes", strings.ReplaceAll(nodes, "repeats", "# A word more.\nrepeats"))
	require.NoError(t, err)
	require.False(t, again.Changed(cell, &export.Manifest{Settings: settings}), "the inputs are what they were")
	require.False(t, again.Changed(cell, &export.Manifest{Settings: []byte(`{"campaign":{"name":"nodes","variant":"r6g","round":3,"seed":1}}`)}), "from before there was a sum")
	again.Shorten(7)
	require.True(t, again.Changed(cell, &export.Manifest{Settings: settings}))
	require.True(t, cell.Of(&export.Manifest{Settings: settings}))
	require.False(t, Cell{"nodes", "r6g", 2, c.Seed}.Of(&export.Manifest{Settings: settings}))
	require.False(t, cell.Of(&export.Manifest{Settings: []byte(`{"cache":{}}`)}))
}

// Each round has every variant once, in its own order, which the seed decides.
func TestRoundsAreRandomizedCompleteBlocks(t *testing.T) {
	c, err := read(t, "nodes", nodes)
	require.NoError(t, err)
	rounds := c.Rounds()
	require.Len(t, rounds, 5)
	orders := map[string]bool{}
	for i, cells := range rounds {
		var names []string
		for _, cell := range cells {
			require.Equal(t, i+1, cell.Round)
			names = append(names, cell.Variant)
		}
		text, _ := json.Marshal(names)
		orders[string(text)] = true
		slices.Sort(names)
		require.Equal(t, []string{"m-redis-no-tls", "m-redis-tls", "m-valkey-no-tls", "m-valkey-tls", "r6g", "r7g"}, names)
	}
	require.Greater(t, len(orders), 3)
	again, err := read(t, "nodes", nodes)
	require.NoError(t, err)
	require.Equal(t, rounds, again.Rounds(), "a command that goes on finds the same order")
	other, err := read(t, "nodes", nodes+"seed = 7\n")
	require.NoError(t, err)
	require.EqualValues(t, 7, other.Seed)
	require.NotEqual(t, rounds, other.Rounds())
}

// Problems in a file are reported with their positions, before anything is created.
func TestBadFiles(t *testing.T) {
	two := "\nvariant \"a\" {}\nvariant \"b\" {}\n"
	for name, v := range map[string]struct{ text, want string }{
		"syntax":            {"repeats = \n", "bad.hcl:1,11: Invalid expression"},
		"unknown argument":  {"repeats = 2\nrepeat = 3" + two, "bad.hcl:2,1: Unsupported argument"},
		"no repeats":        {two, "Missing required argument"},
		"repeats 0":         {"repeats = 0" + two, "bad.hcl:1,11: repeats has to be a whole number from 1 to 100"},
		"repeats 1.5":       {"repeats = 1.5" + two, "bad.hcl:1,11: repeats has to be a whole number"},
		"repeats text":      {"repeats = \"many\"" + two, "bad.hcl:1,11: repeats has to be a number"},
		"unknown variable":  {"repeats = 2\nvariant \"a\" { cach = {} }\nvariant \"b\" {}", "bad.hcl:2,15: the stack has no input cach: write cache"},
		"unknown key":       {"repeats = 2\nvariant \"a\" {\n  cache = { node_typ = \"x\" }\n}\nvariant \"b\" {}", "bad.hcl:3,13: cache has no node_typ: write node_type"},
		"same name":         {"repeats = 2\nvariant \"a\" {}\nvariant \"a\" {}", "bad.hcl:3,9: there is already a variant a"},
		"name":              {"repeats = 2\nvariant \"A_b\" {}\nvariant \"b\" {}", "bad.hcl:2,9: the variant's name \"A_b\""},
		"long name":         {"repeats = 2\nvariant \"a\" {}\nvariant \"a-name-that-is-far-too-long-for-a-stack\" {}", "bad.hcl:3,9: the stacks' names get too long: bad-a-name-that-is-far-too-long-for-a-stack-r2 has 46 characters"},
		"long matrix name":  {"repeats = 2\nmatrix \"a-name-that-is-far\" {\n  over = { engine = [\"redis\", \"valkey\"], transit-encryption = [true] }\n}", "bad.hcl:2,8: the stacks' names get too long: bad-a-name-that-is-far-redis-transit-encryption-r2"},
		"two of a matrix":   {"repeats = 2\nmatrix \"m\" {\n  over = { size = [\"a.b\", \"a-b\"] }\n}", "bad.hcl:2,8: there is already a variant m-a-b"},
		"one variant":       {"repeats = 2\nvariant \"a\" {}", "two or more variants, and this file has 1"},
		"empty matrix":      {"repeats = 2\nmatrix \"m\" {\n  over = {}\n}", "bad.hcl:3,10: the matrix \"m\" is empty"},
		"empty list":        {"repeats = 2\nmatrix \"m\" {\n  over = { engine = [] }\n}", "bad.hcl:3,21: the matrix \"m\" is empty: engine has no values"},
		"no over":           {"repeats = 2\nmatrix \"m\" {\n}", "bad.hcl:2,1: the matrix \"m\" has no over"},
		"not of the matrix": {"repeats = 2\nmatrix \"m\" {\n  over = { engine = [\"redis\", \"valkey\"] }\n  cache = { engine = over.engin }\n}", "bad.hcl:4,"},
		"baseline":          {"repeats = 2\nbaseline = \"other\"" + two, "bad.hcl:2,12: baseline: there is no variant other (it has a, b)"},
		"rank_by":           {"repeats = 2\nrank_by = \"ops_per_secnd\"" + two, "bad.hcl:2,11: rank_by: there is no figure ops_per_secnd to rank by: write ops_per_second"},
		"budget":            {"repeats = 2\nbudget = -1" + two, "bad.hcl:2,10: the budget"},
		"the name":          {"repeats = 2\ncommon { name = \"x\" }" + two, "bad.hcl:2,10: a campaign cannot set name: each run has a stack of its own name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, "bad", v.text)
			require.Error(t, err)
			assert.Contains(t, err.Error(), v.want)
			assert.Contains(t, err.Error(), "nothing was created")
		})
	}
	_, err := read(t, "Bad_name", "repeats = 2"+two)
	require.ErrorContains(t, err, "the campaign is named after its file")
	_, err = read(t, "bad", "repeats = 0\nparallel = 0\nvariant \"a\" { cach = {} }\nvariant \"b\" { lod = {} }")
	for _, all := range []string{"repeats", "parallel", "write cache", "write load"} {
		require.ErrorContains(t, err, all, "all of it is said at once")
	}
}

// A cell's stack has the project's HCL and inputs, its own inputs after them, and its own Terraform data.
func TestACellsWorkspace(t *testing.T) {
	c, err := read(t, "nodes", nodes)
	require.NoError(t, err)
	root := t.TempDir()
	for _, name := range []string{"main.tf", "terraform.tfvars", "modules", "build"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, name), 0o755))
	}
	ws := &workspace.Workspace{Root: root, Stack: root, Env: []string{"TF_DATA_DIR=/x", "TF_WORKSPACE=y", "HOME=/h"}}
	cell := Cell{"nodes", "r7g", 2, 1}
	for range 2 { // the second time it exists
		in, err := c.Enter(ws, cell, "exports")
		require.NoError(t, err)
		for _, name := range []string{"main.tf", "terraform.tfvars", "modules", "build", valuesFile} {
			_, err := os.Stat(filepath.Join(in.Stack, name))
			require.NoError(t, err, name)
		}
		require.Equal(t, "nodes-r7g-r2", in.Getenv("TF_WORKSPACE"))
		require.Equal(t, filepath.Join(in.Stack, ".terraform"), in.DataDir())
		require.Equal(t, "1", in.Getenv("APPROVE"))
	}
}

// Every example can be read as a campaign.
func TestExamplesAreRead(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	files, err := workspace.Glob(root, "examples/campaigns/*.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		_, err := Read(&workspace.Workspace{Root: root, Stack: root}, file)
		require.NoError(t, err)
	}
}

// Terraform accepts the inputs of every variant of every example, and reports what is wrong with a bad one.
func TestTerraformTakesTheExamples(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	stack := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(root, "variables.tf"), filepath.Join(stack, "variables.tf")))
	require.NoError(t, os.WriteFile(filepath.Join(stack, "terraform.tfvars"), []byte("vpc_id = \"vpc-0123456789abcdef0\"\nsubnet_ids = [\"subnet-0123456789abcdef0\"]\nmetrics_export_s3_bucket = \"one\"\nname = \"mine\"\n"), 0o600))
	ws, con := &workspace.Workspace{Root: root, Stack: stack, Env: os.Environ()}, &console.Console{Out: io.Discard}
	files, err := workspace.Glob(root, "examples/campaigns/*.hcl")
	require.NoError(t, err)
	for _, file := range files {
		c, err := Read(ws, file)
		require.NoError(t, err)
		for _, v := range c.Variants {
			cell := Cell{c.Name, v.Name, 1, c.Seed}
			in, err := c.Enter(ws, cell, "exports")
			require.NoError(t, err)
			_, inputs, err := terraform.Ready(t.Context(), in, con)
			require.NoError(t, err, "%s: %s", file, v.Name)
			require.Equal(t, cell.Stack(), inputs.Name, "terraform.tfvars does not win")
			require.Equal(t, cell.Exports("exports"), inputs.Prefix)
			require.Positive(t, EstimateRun(inputs, price.Dated("us-east-1")).USD)
		}
	}
	c, err := read(t, "bad", "repeats = 2\nvariant \"a\" { load = { task_count = -1 } }\nvariant \"b\" {}")
	require.NoError(t, err)
	in, err := c.Enter(ws, Cell{c.Name, "a", 1, c.Seed}, "exports")
	require.NoError(t, err)
	_, _, err = terraform.Ready(t.Context(), in, con)
	require.ErrorContains(t, err, "task_count")
	// A value of the wrong type is reported by Terraform's own error.
	for text, want := range map[string]string{`test_duration_minutes = "long"`: "a number is required", `load = { task_count = [1] }`: "number required", `subnet_ids = { a = 1 }`: "list of string"} {
		c, err := read(t, "bad", "repeats = 2\nvariant \"a\" { "+text+" }\nvariant \"b\" {}")
		require.NoError(t, err)
		in, err := c.Enter(ws, Cell{c.Name, "a", 1, c.Seed}, "exports")
		require.NoError(t, err)
		_, _, err = terraform.Ready(t.Context(), in, con)
		require.ErrorContains(t, err, want, text)
		require.Contains(t, c.At(c.Variants[0]), "bad.hcl:2,9")
	}
}
