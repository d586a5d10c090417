package ops

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// The scripts run commands as processes in a folder with links to the project's HCL, and without AWS.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			files, err := workspace.Glob(root, "*.tf")
			if err != nil {
				return err
			}
			for _, file := range append(files, filepath.Join(root, "modules")) {
				if err := os.Symlink(file, filepath.Join(env.WorkDir, filepath.Base(file))); err != nil {
					return err
				}
			}
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_DATA_DIRS", filepath.Join(env.WorkDir, "share"))
			env.Setenv("TEST_ADD_ONS", filepath.Join(env.WorkDir, "opt"))
			env.Setenv("TEST_OFFLINE", "1")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
	})
}
