package workspace

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOurs(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "way", "folder")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	program := filepath.Join(folder, "program")
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	require.NoError(t, Ours(folder))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(folder, link))
	require.NoError(t, Ours(link))
	for _, open := range []string{program, folder, filepath.Dir(folder)} {
		require.NoError(t, os.Chmod(open, 0o757))
		require.EqualError(t, Ours(link), "others can write to "+open+" (mode 0757): `chmod go-w "+open+"` keeps them out")
		require.NoError(t, os.Chmod(open, 0o755))
	}
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o757|os.ModeSticky))
	require.NoError(t, Ours(folder), "as /tmp is")
	require.NoError(t, os.Chmod(folder, 0o757|os.ModeSticky))
	require.Error(t, Ours(folder), "others can put files there")
	require.Error(t, Ours(filepath.Join(folder, "none")))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chmod(folder, 0o755))
		require.NoError(t, os.Chown(program, 65534, 65534))
		require.EqualError(t, Ours(folder), program+" belongs to user 65534, who can change it")
	}
}
