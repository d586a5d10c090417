package ops

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// local:run also sees UPLOAD=1 of the environment, but its exports are in a folder.
func TestReportOfAFolderIsNotUploaded(t *testing.T) {
	var said bytes.Buffer
	none := func(io.Writer) error { return nil }
	_, err := writeReport(t.Context(), &workspace.Workspace{Root: t.TempDir(), Env: []string{"UPLOAD=1"}}, &console.Console{Out: &said}, folderExports(t.TempDir()), aRun, 1, none, none)
	require.NoError(t, err)
	require.Contains(t, said.String(), "report.html")
	require.NotContains(t, said.String(), "uploaded")
}
