package terraform

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A name or key that the stack does not declare is an error, wherever it is given, and names the right one.
func TestUnknownInputs(t *testing.T) {
	for name, c := range map[string]struct {
		file, text, env string
		want            []string // none: it is right
	}{
		"all is right": {file: "terraform.tfvars", text: "load = { task_count = 7, prefill = { minutes = 3 } }\ntags = { anything = \"x\" }\ncache = { serverless = {} }\n",
			env: `TF_VAR_load={task_count=3}`},
		"a name":               {file: "terraform.tfvars", text: "\nlod = {}\n", want: []string{"terraform.tfvars:2: the stack has no input lod: write load"}},
		"a key":                {file: "terraform.tfvars", text: "load = {\n  clients = 5\n  taskcount = 7\n}\n", want: []string{"terraform.tfvars:3: load has no taskcount: write task_count"}},
		"a key within":         {file: "terraform.tfvars", text: "load = { prefill = { minuets = 7 } }\n", want: []string{"terraform.tfvars:1: load.prefill has no minuets: write minutes"}},
		"a quoted key":         {file: "terraform.tfvars", text: "cache = { \"shard\" : 7 }\n", want: []string{"terraform.tfvars:1: cache has no shard: write shards"}},
		"another file":         {file: "more.auto.tfvars", text: "nmae = \"x\"\n", want: []string{"more.auto.tfvars:1: the stack has no input nmae: write name"}},
		"JSON":                 {file: "terraform.tfvars.json", text: "{\n \"load\": {\n  \"piepline\": 3}, \"vpcid\": \"\"}\n", want: []string{"terraform.tfvars.json:3: load has no piepline: write pipeline", "terraform.tfvars.json:3: the stack has no input vpcid: write vpc_id"}},
		"the environment":      {env: "TF_VAR_test_duration_minuts=3", want: []string{"TF_VAR_test_duration_minuts in the environment: the stack has no input test_duration_minuts: write test_duration_minutes"}},
		"a key in it":          {env: "TF_VAR_load={thread=3}", want: []string{"TF_VAR_load in the environment: load has no thread: write threads"}},
		"an argument":          {env: `TF_CLI_ARGS_plan=-refresh=false -var lod={} -var 'load={thread = 3}'`, want: []string{"TF_CLI_ARGS_plan in the environment: the stack has no input lod: write load", "TF_CLI_ARGS_plan in the environment: load has no thread: write threads"}},
		"a plan to remove all": {env: `TF_CLI_ARGS_plan=-refresh=false -destroy -var name=x`, want: []string{"TF_CLI_ARGS_plan in the environment: with -destroy, Terraform does something other than what the command is for: unset it"}},
		"nobody waits":         {env: `TF_CLI_ARGS=-lock=false`, want: []string{"TF_CLI_ARGS in the environment: with -lock, Terraform does something other"}},
		"another state":        {env: `TF_CLI_ARGS_apply=--state=theirs`, want: []string{"TF_CLI_ARGS_apply in the environment: with -state, Terraform"}},
		"approved already":     {env: `TF_CLI_ARGS_destroy=-auto-approve -parallelism=2`},
		"of every command":     {env: `TF_CLI_ARGS=--var=nmae=x`, want: []string{"TF_CLI_ARGS in the environment: the stack has no input nmae: write name"}},
		"a file of arguments":  {file: "big one.tfvars", text: "\nload = { taskcount = 3 }\n", env: `TF_CLI_ARGS_plan=-var-file="big one.tfvars"`, want: []string{"big one.tfvars:2: load has no taskcount: write task_count"}},
		"right arguments":      {env: `TF_CLI_ARGS_plan=-target=module.load -var name=x -var='load={threads=3}'`},
		"an open quote":        {env: `TF_CLI_ARGS_plan=-var 'name=x`, want: []string{"TF_CLI_ARGS_plan in the environment: invalid command line string"}},
		"nothing near":         {env: "TF_VAR_existing_cache={host=\"x\"}", want: []string{"existing_cache has no host (it has cluster_mode, endpoint, port, "}},
		"Terraform says it":    {file: "terraform.tfvars", text: "load = {\n"},
		"of another type":      {file: "terraform.tfvars", text: "load = 3\nsubnet_ids = { a = 1 }\n"},
		"text that is no HCL":  {env: "TF_VAR_name=a b {"},
		"what others may have": {file: "other.tfvars", text: "lod = {}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, _ := project(t)
			if c.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, c.file), []byte(c.text), 0o644))
			}
			ws.Root = ws.Stack
			err := CheckGiven(ws, []string{"PATH=/bin", c.env})
			if len(c.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestStackThatIsNotThere(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	err := CheckGiven(&workspace.Workspace{Root: "../..", Stack: nowhere}, nil)
	require.ErrorContains(t, err, "the stack's inputs are declared in variables.tf, but stat "+nowhere+"/variables.tf: no such file or directory: the stack is the project's folder, or what STACK_DIR names")
}
