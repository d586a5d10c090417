package ops

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The version in a tool's folder is the one that its go.mod asks for.
func TestToolsAreWhatTheirGoModSays(t *testing.T) {
	for _, one := range []tool{opentofu, terraform13, terraform15, terraformDocs, tflint} {
		text := read(t, filepath.Join("../..", one.modfile))
		module := regexp.MustCompile(`^[^/]+/[^/]+/[^/]+`).FindString(one.pkg)
		require.Contains(t, text, fmt.Sprintf("\t%s v%s ", module, one.version), one.modfile)
		require.Contains(t, text, one.pkg, "the tool line, for `go mod tidy`")
	}
}

func TestTerraformOfTheEnvironmentComesFirst(t *testing.T) {
	p := &Project{Root: t.TempDir(), Env: []string{"PATH=" + fake(t, "terraform", ""), "TERRAFORM=/elsewhere/tofu"}}
	found, err := p.terraform()
	require.NoError(t, err)
	require.Equal(t, "/elsewhere/tofu", found.Bin)
	require.True(t, found.tofu())
	require.ErrorContains(t, TestModules(t.Context(), p), "the modules' tests need Terraform 1.7 or newer, not /elsewhere/tofu")

	// The OpenTofu that was built comes last.
	p.Env = p.Env[:1]
	require.NoError(t, os.MkdirAll(filepath.Dir(p.tool(opentofu)), 0o755))
	require.NoError(t, os.WriteFile(p.tool(opentofu), nil, 0o755))
	found, err = p.terraform()
	require.NoError(t, err)
	require.False(t, found.tofu())
	p.Env = nil
	found, err = p.terraform()
	require.NoError(t, err)
	require.Equal(t, p.tool(opentofu), found.Bin)
}

// Each version gets the roots without anything that another has left in them.
func TestTreeOfAVersion(t *testing.T) {
	p := &Project{Root: t.TempDir(), Env: []string{"TF_DATA_DIR=/theirs"}}
	for _, file := range []string{"main.tf", "terraform.tfvars", "terraform.tfstate", ".terraform.lock.hcl", "modules/a/main.tf", "modules/a/list.csv", "examples/b/main.tf", "modules/a/.terraform/x"} {
		require.NoError(t, os.MkdirAll(filepath.Join(p.Root, filepath.Dir(file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(p.Root, file), []byte(file), 0o644))
	}
	for range 2 { // the second one replaces the first
		own, roots, err := p.tree("tofu-1")
		require.NoError(t, err)
		at := filepath.Join(p.Root, "build/versions/tofu-1")
		require.Equal(t, []string{at, filepath.Join(at, "modules/a"), filepath.Join(at, "examples/b")}, roots)
		require.Equal(t, filepath.Join(at, ".terraform"), own.data())
		require.Equal(t, "modules/a/list.csv", read(t, filepath.Join(at, "modules/a/list.csv")))
		for _, file := range []string{"terraform.tfvars", "terraform.tfstate", ".terraform.lock.hcl", "modules/a/.terraform"} {
			require.NoFileExists(t, filepath.Join(at, file))
		}
		require.NoError(t, os.WriteFile(filepath.Join(at, ".terraform.lock.hcl"), nil, 0o644))
	}
}

// What terraform-docs and tflint find is reported together, with what to do.
func TestDocsTellsEveryFinding(t *testing.T) {
	p := &Project{Root: t.TempDir(), Env: os.Environ(), Out: io.Discard}
	script := func(one tool, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(p.tool(one)), 0o755))
		require.NoError(t, os.WriteFile(p.tool(one), []byte("#!/bin/sh\n"+text), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.Root, "main.tf"), nil, 0o644))
	script(terraformDocs, `[ "$*" = "--output-check ." ] && echo modules/a/README.md is out of date; exit 1`)
	script(tflint, `echo "$@: an unused variable"; exit 2`)
	err := TestDocs(t.Context(), p)
	require.ErrorContains(t, err, "modules/a/README.md is out of date\nrun `build/tools/terraform-docs-0.20.0/terraform-docs .`")
	require.ErrorContains(t, err, "tflint: .: exit status 2\n--chdir="+p.Root+" --config="+filepath.Join(p.Root, ".tflint.hcl"))
	require.ErrorContains(t, err, "an unused variable")
	script(terraformDocs, "")
	script(tflint, "")
	require.NoError(t, TestDocs(t.Context(), p))
}
