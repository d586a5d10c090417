package terraform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// Every module that a root takes by release comes from the folder instead; what is local or somebody else's stays.
func TestReleasedModulesComeFromAFolder(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("main.tf", "module \"cache\" {\n  source = \"github.com/elasticache-perf/elasticache-perf//modules/cache?ref=v0.1.0\"\n\n  name = \"a\"\n}\n\nmodule \"near\" {\n  source = \"./near\"\n}\n")
	write("load.tf", "module \"trial\" {\n  source  = \"github.com/elasticache-perf/elasticache-perf//modules/ecs-load?ref=v1.20.3\"\n}\n\nmodule \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n")
	override, err := terraform.OverrideReleased(root, "/clone/modules")
	require.NoError(t, err)
	require.Equal(t, "module \"trial\" {\n  source = \"/clone/modules/ecs-load\"\n}\nmodule \"cache\" {\n  source = \"/clone/modules/cache\"\n}\n", string(override))
	override, err = terraform.OverrideReleased(t.TempDir(), "/clone/modules")
	require.NoError(t, err)
	require.Empty(t, override)
}

// The examples name every module by release: a folder that is copied alone finds them.
func TestExamplesNeedNothingBesides(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.tf")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), "../", "%s reaches beyond its folder", file)
	}
}
