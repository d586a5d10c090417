package terraform

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// project is the tree itself, with a stack folder that has its variables only, and whose name is a pattern that it does not match.
func project(t *testing.T, env ...string) (*workspace.Workspace, *console.Console) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	stack := filepath.Join(t.TempDir(), "[a-c] b*")
	require.NoError(t, os.Mkdir(stack, 0o755))
	require.NoError(t, link(filepath.Join(root, "variables.tf"), filepath.Join(stack, "variables.tf")))
	return &workspace.Workspace{Root: root, Stack: stack, Env: append(os.Environ(), env...)}, &console.Console{Out: &bytes.Buffer{}}
}

const tfvars = `vpc_id = "vpc-0123456789abcdef0"
subnet_ids = ["subnet-0123456789abcdef0"]
metrics_export_s3_bucket = "one"
load = { task_count = 2 }
`

func TestInputsAreAsTerraformSeesThem(t *testing.T) {
	ws, con := project(t, "TF_VAR_metrics_export_s3_bucket=less", "TF_VAR_name=mine", "TF_VAR_auth_token=0123456789abcdef", "TF_DATA_DIR=elsewhere", "TF_WORKSPACE=other")
	require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "terraform.tfvars"), []byte(tfvars), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "more.auto.tfvars"), []byte("test_duration_minutes = 7\n"), 0o644))
	_, in, err := Ready(t.Context(), ws, con)
	require.NoError(t, err)
	require.Equal(t, "mine", in.Name)
	require.Equal(t, "one", in.Bucket, "terraform.tfvars counts more than TF_VAR_")
	require.Equal(t, "exports", in.Prefix)
	require.Equal(t, 7, in.Minutes)
	require.Equal(t, []string{"subnet-0123456789abcdef0"}, in.Subnets)
	require.Empty(t, in.Region)
	require.True(t, in.Auth)
	require.Equal(t, 2, in.Load.TaskCount)
	require.Equal(t, 1024, in.Load.CPU, "the module's default")
	require.NotEmpty(t, in.Load.Image)
	require.NotEmpty(t, in.Cache.NodeType)
	require.Nil(t, in.Cache.Serverless)
	require.Nil(t, in.ExistingCache)
	require.Equal(t, shutdown.Cache{ReplicationGroup: "mine", Delete: true}, in.Config().Cache)
}

// What TF_CLI_ARGS_plan gives to the stack's plan, the commands know; a relative path is one of the stack's folder.
func TestInputsOfArguments(t *testing.T) {
	ws, con := project(t, `TF_CLI_ARGS_plan=-target=module.load -var-file="it's big.tfvars" -var 'load={ "clients" = 9 }'`, "TF_CLI_ARGS=-var=name=mine")
	require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "terraform.tfvars"), []byte(tfvars), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "it's big.tfvars"), []byte("test_duration_minutes = 7\nname = \"other\"\n"), 0o644))
	_, in, err := Ready(t.Context(), ws, con)
	require.NoError(t, err)
	require.Equal(t, 7, in.Minutes)
	require.Equal(t, "mine", in.Name)
	require.Equal(t, 1, in.Load.TaskCount, "the load is the last one that is given")
}

func TestInputsOfOtherCaches(t *testing.T) {
	for env, want := range map[string]shutdown.Cache{
		`TF_VAR_cache={"serverless":{"max_storage_gb":1}}`:                                                      {Serverless: "elasticache-perf", Delete: true},
		`TF_VAR_existing_cache={"endpoint":"a.example","replication_group_id":"orders"}`:                        {ReplicationGroup: "orders"},
		`TF_VAR_existing_cache={"endpoint":"a.example","serverless_cache":"s","tls":true,"cluster_mode":true}`:  {Serverless: "s"},
		`TF_VAR_existing_cache={"endpoint":"a.example","port":7000,"security_group_id":"sg-0123456789abcdef0"}`: {},
	} {
		ws, con := project(t, env)
		require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "terraform.tfvars"), []byte(tfvars), 0o644))
		_, in, err := Ready(t.Context(), ws, con)
		require.NoError(t, err)
		require.Equal(t, want, in.Config().Cache, env)
	}
}

func TestInputsOfAWrongType(t *testing.T) {
	ws, con := project(t, "TF_VAR_load={task_count=[]}")
	require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "terraform.tfvars"), []byte(strings.Replace(tfvars, `"vpc-0123456789abcdef0"`, `["a"]`, 1)), 0o644))
	_, _, err := Ready(t.Context(), ws, con)
	require.ErrorContains(t, err, "vpc_id")
	require.ErrorContains(t, err, "are invalid")
}
