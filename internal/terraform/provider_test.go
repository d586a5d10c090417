package terraform

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// somewhere is a machine without any mirror.
func somewhere(t *testing.T) mirrors {
	dir := t.TempDir()
	return mirrors{env: []string{"HOME=" + filepath.Join(dir, "home")}, stack: filepath.Join(dir, "stack"), data: filepath.Join(dir, "data"), root: filepath.Join(dir, "root"),
		addOns: filepath.Join(dir, "opt"), shared: filepath.Join(dir, "share"), platform: "linux_amd64",
		answers: func(context.Context, string) bool { return false }}
}

func put(t *testing.T, parts ...string) string {
	dir := filepath.Join(parts...)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

func TestProviderIsNowhere(t *testing.T) {
	m := somewhere(t)
	put(t, m.addOns, "tool/registry.terraform.io/hashicorp/aws/5.100.0/windows_amd64")
	_, _, err := m.find(t.Context())
	var nowhere *NoProviderError
	require.ErrorAs(t, err, &nowhere)
	require.Contains(t, nowhere.Looked, filepath.Join(m.shared, "terraform/plugins"))
	require.Contains(t, nowhere.Looked, filepath.Join(m.addOns, "*"))
}

func TestProviderFromTheRegistry(t *testing.T) {
	m := somewhere(t)
	put(t, m.addOns, "tool/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")
	var asked string
	m.answers = func(_ context.Context, url string) bool { asked = url; return true }
	file, note, err := m.find(t.Context())
	require.NoError(t, err)
	require.Empty(t, file+note)
	require.Equal(t, "https://registry.terraform.io/.well-known/terraform.json", asked)
}

// A slow registry is waited for, unless a mirror can stand in for it.
func TestProviderOfASlowRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := somewhere(t)
		m.answers = func(ctx context.Context, _ string) bool { return console.Sleep(ctx, 9*time.Second) == nil }
		file, note, err := m.find(t.Context())
		require.NoError(t, err)
		require.Empty(t, file+note)
		put(t, m.addOns, "tool/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")
		began := time.Now()
		_, note, err = m.find(t.Context())
		require.NoError(t, err)
		require.Contains(t, note, "hashicorp/aws 5.100.0 from the mirror")
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

func TestProviderFromAnImpliedMirror(t *testing.T) {
	m := somewhere(t)
	put(t, m.shared, "terraform/plugins/registry.terraform.io/hashicorp/aws/6.2.0/linux_amd64")
	file, note, err := m.find(t.Context())
	require.NoError(t, err)
	require.Empty(t, file, "Terraform looks there by itself")
	require.Contains(t, note, m.shared)
}

func TestProviderFromAnAddOnFolder(t *testing.T) {
	m := somewhere(t)
	put(t, m.addOns, "empty")
	mirror := put(t, m.addOns, "tool")
	for _, version := range []string{"5.99.0", "5.100.0", "5.9.1"} {
		put(t, mirror, "registry.terraform.io/hashicorp/aws", version, "linux_amd64")
	}
	own := filepath.Join(put(t, workspace.Getenv(m.env, "HOME")), ".terraformrc")
	require.NoError(t, os.WriteFile(own, []byte("credentials \"example.com\" {}\n"), 0o600))
	file, note, err := m.find(t.Context())
	require.NoError(t, err)
	require.Contains(t, note, "hashicorp/aws 5.100.0 from the mirror "+mirror)
	require.Equal(t, filepath.Join(m.data, "cli.tfrc"), file)
	text := read(t, file)
	require.Contains(t, text, "credentials \"example.com\" {}\n", "the person's own configuration still counts")
	require.Contains(t, text, "path    = \""+mirror+"\"")
	require.Contains(t, text, `exclude = ["registry.terraform.io/hashicorp/aws"]`)

	// A provider_installation of the person's own is not touched.
	require.NoError(t, os.WriteFile(own, []byte("provider_installation {\n}\n"), 0o600))
	file, _, err = m.find(t.Context())
	require.NoError(t, err)
	require.Equal(t, own, file)
}

func TestProviderForOpenTofu(t *testing.T) {
	m := somewhere(t)
	m.tofu = true
	mirror := put(t, m.addOns, "tool")
	leaf := put(t, mirror, "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")
	for range 2 { // the second time, the link is there
		file, _, err := m.find(t.Context())
		require.NoError(t, err)
		require.Contains(t, read(t, file), `include = ["registry.opentofu.org/hashicorp/aws"]`)
	}
	linked, err := os.Readlink(filepath.Join(m.data, "mirror/registry.opentofu.org/hashicorp/aws/5.100.0/linux_amd64"))
	require.NoError(t, err)
	require.Equal(t, leaf, linked)
}

func TestMissingCLIConfigurationIsQuiet(t *testing.T) {
	m := somewhere(t)
	m.env = append(m.env, "TF_CLI_CONFIG_FILE="+filepath.Join(m.stack, "none"))
	m.answers = func(context.Context, string) bool { return true }
	file, note, err := m.find(t.Context())
	require.NoError(t, err)
	require.Empty(t, note)
	require.Empty(t, read(t, file), "an empty file of ours instead")
}

func TestAnswers(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	require.True(t, answers(t.Context(), up.URL))
	up.Close()
	require.False(t, answers(t.Context(), up.URL))
}

// Where the registry does not answer, Terraform's cache and what an earlier init has installed are as good as a mirror.
func TestProviderFromWhatIsThere(t *testing.T) {
	const leaf = "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64"
	mirrored := func(t *testing.T, m mirrors, from string) {
		t.Helper()
		file, note, err := m.find(t.Context())
		require.NoError(t, err)
		require.Contains(t, note, "hashicorp/aws 5.100.0 from the mirror "+from+" (registry.terraform.io does not answer)")
		require.Contains(t, read(t, file), "path    = \""+from+"\"")
	}
	t.Run("cache", func(t *testing.T) {
		m := somewhere(t)
		m.env = append(m.env, "TF_PLUGIN_CACHE_DIR=cache") // from the stack's folder, as Terraform takes it after -chdir
		put(t, m.stack, "cache", leaf)
		mirrored(t, m, filepath.Join(m.stack, "cache"))
	})
	t.Run("relative cache of the configuration", func(t *testing.T) {
		m := somewhere(t)
		put(t, m.stack, "cache", leaf)
		config := filepath.Join(m.stack, "own.tfrc")
		require.NoError(t, os.WriteFile(config, []byte("plugin_cache_dir = \"cache\"\n"), 0o600))
		m.env = append(m.env, "TF_CLI_CONFIG_FILE="+config)
		mirrored(t, m, filepath.Join(m.stack, "cache"))
	})
	t.Run("cache of the configuration", func(t *testing.T) {
		m := somewhere(t)
		put(t, m.root, "cache", leaf)
		config := filepath.Join(m.root, "own.tfrc")
		require.NoError(t, os.WriteFile(config, []byte("plugin_cache_dir = \"$PLUGINS/cache\"\ndisable_checkpoint = true\n"), 0o600))
		m.env = append(m.env, "TF_CLI_CONFIG_FILE="+config, "PLUGINS="+m.root)
		mirrored(t, m, filepath.Join(m.root, "cache"))
		file, _, err := m.find(t.Context())
		require.NoError(t, err)
		require.NotContains(t, read(t, file), "plugin_cache_dir", "Terraform cannot install from its cache to its cache")
		require.Contains(t, read(t, file), "disable_checkpoint")
	})
	t.Run("the project's own init", func(t *testing.T) {
		m := somewhere(t)
		put(t, m.root, ".terraform/providers", leaf)
		mirrored(t, m, filepath.Join(m.root, ".terraform/providers"))
	})
	t.Run("an earlier init", func(t *testing.T) {
		m := somewhere(t)
		put(t, m.data, "providers", leaf)
		file, note, err := m.find(t.Context())
		require.NoError(t, err)
		require.Contains(t, note, "from the mirror "+filepath.Join(m.data, "providers"))
		require.Contains(t, read(t, file), "path    = \""+filepath.Join(m.data, "kept")+"\"")
		require.DirExists(t, filepath.Join(m.data, "kept", leaf))
		require.NoError(t, os.Symlink(filepath.Join(m.data, "kept", leaf), filepath.Join(m.data, "providers", leaf))) // as Terraform does it
		mirrored(t, m, filepath.Join(m.data, "kept"))
	})
}

// Nobody else on the machine gives us a provider.
func TestProviderThatOthersCanChange(t *testing.T) {
	m := somewhere(t)
	leaf := put(t, m.addOns, "open/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")
	require.NoError(t, os.Chmod(leaf, 0o777))
	_, _, err := m.find(t.Context())
	require.ErrorContains(t, err, filepath.Join(m.addOns, "open")+" (skipped: others can write to "+leaf+" (mode 0777): `chmod go-w "+leaf+"` keeps them out)")
	put(t, m.addOns, "tool/registry.terraform.io/hashicorp/aws/5.99.0/linux_amd64")
	_, note, err := m.find(t.Context())
	require.NoError(t, err)
	require.Contains(t, note, "hashicorp/aws 5.99.0 from the mirror "+filepath.Join(m.addOns, "tool"))
}
