package workspace

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/smithy-go/logging"
	"github.com/stretchr/testify/require"
)

// What a command has to say it says itself: the SDK writes no warnings between its lines.
func TestTheSDKIsSilent(t *testing.T) {
	t.Chdir("../..")
	ws, err := Open()
	require.NoError(t, err)
	cfg, err := ws.AWS(t.Context(), "us-east-1")
	require.NoError(t, err)
	require.Equal(t, logging.Nop{}, cfg.Logger)
}

func TestWordIsOneWordOfAShell(t *testing.T) {
	require.Equal(t, "-chdir=/home/a_b/c.d", Word("-chdir=/home/a_b/c.d"), "what needs no quotes has none")
	for _, text := range []string{"", "it's a [b-c]*", "a höuse/with späces", "~", "$HOME", "`id`;#&|<>\"%s", "a\\b", "a\nb", "!!", "{a,b}", "x=1"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Word(text)+"; set -- "+Word(text)+"; printf ' %s' $#").Output()
		require.NoError(t, err, text)
		require.Equal(t, text+" 1", string(out))
	}
}

func TestGlobTakesAFolderByItsName(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "[a-c] b*")
	for _, file := range []string{filepath.Join(dir, "modules/m/main.tf"), filepath.Join(dir, "main.tf"), filepath.Join(top, "a b/main.tf")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, nil, 0o644))
	}
	for pattern, want := range map[string][]string{"*.tf": {filepath.Join(dir, "main.tf")}, "modules/*/*.tf": {filepath.Join(dir, "modules/m/main.tf")}, "main.tf": {filepath.Join(dir, "main.tf")}, "none/*": nil} {
		found, err := Glob(dir, pattern)
		require.NoError(t, err)
		require.Equal(t, want, found, pattern)
	}
	_, err := Glob(dir, "[")
	require.Error(t, err)
	found, err := Glob(filepath.Join(top, "none"), "*")
	require.NoError(t, err)
	require.Empty(t, found)
}
