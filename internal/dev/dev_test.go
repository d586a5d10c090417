package dev

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

func TestModulesNeedTerraform(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir(), Env: []string{"TERRAFORM=/elsewhere/tofu"}}, &console.Console{}
	require.ErrorContains(t, TestModules(t.Context(), ws, con), "the modules' tests need Terraform 1.7 or newer, not /elsewhere/tofu")
}

// Each version gets the roots without anything that another has left in them.
func TestTreeOfAVersion(t *testing.T) {
	ws := &workspace.Workspace{Root: t.TempDir(), Env: []string{"TF_DATA_DIR=/theirs"}}
	for _, file := range []string{"main.tf", "terraform.tfvars", "terraform.tfstate", ".terraform.lock.hcl", "modules/a/main.tf", "modules/a/list.csv", "examples/b/main.tf", "modules/a/.terraform/x"} {
		require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, filepath.Dir(file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(ws.Root, file), []byte(file), 0o644))
	}
	for range 2 { // the second one replaces the first
		own, roots, err := versionTree(ws, "tofu-1")
		require.NoError(t, err)
		at := filepath.Join(ws.Root, "build/versions/tofu-1")
		require.Equal(t, []string{at, filepath.Join(at, "modules/a"), filepath.Join(at, "examples/b")}, roots)
		require.Equal(t, filepath.Join(at, ".terraform"), own.DataDir())
		require.Equal(t, "modules/a/list.csv", read(t, filepath.Join(at, "modules/a/list.csv")))
		for _, file := range []string{"terraform.tfvars", "terraform.tfstate", ".terraform.lock.hcl", "modules/a/.terraform"} {
			require.NoFileExists(t, filepath.Join(at, file))
		}
		require.NoError(t, os.WriteFile(filepath.Join(at, ".terraform.lock.hcl"), nil, 0o644))
	}
}

// What terraform-docs and tflint find is reported together, with what to do.
func TestDocsTellsEveryFinding(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir(), Env: os.Environ()}, &console.Console{Out: io.Discard}
	require.NoError(t, os.WriteFile(filepath.Join(ws.Root, "main.tf"), nil, 0o644))
	script(t, gobuild.TerraformDocs.Path(ws), `[ "$*" = "--output-check ." ] && echo modules/a/README.md is out of date; exit 1`)
	script(t, gobuild.TFLint.Path(ws), `echo "$@: an unused variable"; exit 2`)
	err := TestDocs(t.Context(), ws, con)
	require.ErrorContains(t, err, "modules/a/README.md is out of date\nrun `build/tools/terraform-docs-0.20.0/terraform-docs .`")
	require.ErrorContains(t, err, "tflint: .: exit status 2\n--chdir="+ws.Root+" --config="+filepath.Join(ws.Root, ".tflint.hcl"))
	require.ErrorContains(t, err, "an unused variable")
	script(t, gobuild.TerraformDocs.Path(ws), "")
	script(t, gobuild.TFLint.Path(ws), "")
	require.NoError(t, TestDocs(t.Context(), ws, con))
}

func TestArchitectureThatLambdaHasNot(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir(), Env: []string{"ARCH=sparc"}}, &console.Console{Out: io.Discard}
	require.ErrorContains(t, Build(t.Context(), ws, con), `there is no Lambda architecture "sparc": use arm64 or x86_64`)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
