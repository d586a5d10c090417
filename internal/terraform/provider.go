package terraform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// NoProviderError means that the aws provider can be had nowhere.
type NoProviderError struct {
	Registry string   // that did not answer
	Looked   []string // folders without it
}

func (e *NoProviderError) Error() string {
	return fmt.Sprintf("Terraform's provider hashicorp/aws was not found: %s does not answer, and it is not in\n  %s\n"+
		"go online (HTTPS_PROXY is used when it is set), or put an unpacked mirror (registry.terraform.io/hashicorp/aws/VERSION/%s/) into one of these folders; `terraform providers mirror DIR` makes one on another machine",
		e.Registry, strings.Join(e.Looked, "\n  "), platform())
}

// mirrors looks for the provider. Its fields are all that it reads of the machine, so that tests can replace it.
type mirrors struct {
	configured string // the plugin cache of the person's CLI configuration, once that is read
	env        []string
	stack      string // Terraform's working directory
	data       string // Terraform's data directory: what is generated goes there
	tofu       bool
	root       string // the project's folder: its own .terraform may be filled
	addOns     string // where add-on packages lie, one folder each: /opt, https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch03s13.html
	shared     string // default of XDG_DATA_DIRS
	answers    func(ctx context.Context, url string) bool
	platform   string // linux_amd64
}

// FindProvider tells Terraform where to get the provider from, in its environment, and says so when that is not the registry.
func (t *CLI) FindProvider(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if t.found {
		return nil
	}
	m := mirrors{env: t.Env, stack: t.Dir, data: ws.DataDir(), root: ws.Root, tofu: t.Tofu(), addOns: AddOns, shared: "/usr/local/share:/usr/share",
		answers: RegistryAnswers, platform: platform()}
	file, note, err := m.find(ctx)
	if err != nil {
		return err
	}
	if note != "" {
		con.Say("provider: %s", note)
	}
	cache := m.cache() != "" && strings.Contains(note, " from the mirror "+m.cache()+" (") // as the cache too, Terraform would install from the folder into itself, and fail
	t.Env = workspace.Without(t.Env, func(name string) bool { return name == "TF_CLI_CONFIG_FILE" || cache && name == "TF_PLUGIN_CACHE_DIR" })
	if file != "" {
		t.Env = append(t.Env, "TF_CLI_CONFIG_FILE="+file)
	}
	t.found = true
	return nil
}

// What FindProvider reads of the machine; tests replace it.
var (
	AddOns          = "/opt"
	RegistryAnswers = answers
)

// find gives the CLI configuration file to use ("" is Terraform's default) and what to say about it.
// https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation
func (m mirrors) find(ctx context.Context) (file, note string, err error) {
	file, own, err := m.ownConfig()
	if err != nil {
		return "", "", err
	}
	if strings.Contains(own, "provider_installation") {
		return file, "as your " + file + " says", nil
	}
	m.configured = m.configuredCache(own)
	looked := m.implied()
	for _, dir := range looked {
		if m.holds(dir, m.host()) != "" {
			return file, "from " + dir, nil // Terraform looks there by itself
		}
	}
	mirror, closed := m.mirror(looked)
	// A slow registry is used unless a mirror can replace it; then the wait is shorter than Terraform's (10 s).
	limit := 30 * time.Second
	if mirror.version != "" {
		limit = 5 * time.Second
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	registry := "https://" + m.host()
	if m.answers(asking, registry+"/.well-known/terraform.json") {
		return file, "", nil
	}
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	if mirror.version != "" {
		if file, err = m.write(own, mirror); err != nil {
			return "", "", err
		}
		return file, fmt.Sprintf("hashicorp/aws %s from the mirror %s (%s does not answer)", mirror.version, mirror.dir, m.host()), nil
	}
	looked = append(looked, filepath.Join(m.addOns, "*"), filepath.Join(m.root, ".terraform/providers"))
	return "", "", &NoProviderError{Registry: registry, Looked: append(looked, closed...)}
}

// found is a mirror's newest version.
type found struct{ dir, host, version string }

// mirror is the first folder that has the provider: those of add-on packages, Terraform's cache, what an earlier init has installed, and for OpenTofu
// what the implied folders have of the other registry. closed are those that are not taken because others can change them.
func (m mirrors) mirror(implied []string) (taken found, closed []string) {
	dirs, _ := workspace.Glob(m.addOns, "*")
	if cache := m.cache(); cache != "" {
		dirs = append(dirs, cache)
	}
	dirs = append(dirs, filepath.Join(m.data, "kept"), m.providers(), filepath.Join(m.root, ".terraform/providers"))
	if m.tofu {
		dirs = append(dirs, implied...)
	}
	for _, dir := range dirs {
		for _, host := range slices.Compact([]string{m.host(), terraformHost}) {
			version := m.holds(dir, host)
			unpacked := workspace.Exists(m.leaf(dir, host, version))
			if version == "" || host != m.host() && !unpacked {
				continue
			}
			folder := m.leaf(dir, host, version)
			if !unpacked {
				folder = filepath.Dir(filepath.Dir(folder))
			}
			if err := workspace.Ours(folder); err != nil {
				closed = append(closed, fmt.Sprintf("%s (skipped: %v)", dir, err))
				continue
			}
			return found{dir, host, version}, nil
		}
	}
	return found{}, closed
}

// cache is Terraform's plugin cache; "" if there is none. A relative path is relative to the stack's folder: Terraform looks whether it exists before
// it enters the folder that -chdir names, and installs into it after that.
// https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache
func (m mirrors) cache() string {
	dir := workspace.Getenv(m.env, "TF_PLUGIN_CACHE_DIR")
	if dir == "" {
		return m.configured
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(m.stack, dir)
	}
	return dir
}

var cacheSetting = regexp.MustCompile(`(?m)^[ \t]*plugin_cache_dir[ \t]*=[ \t]*"([^"]+)".*$`)

// configuredCache is the plugin cache of the person's CLI configuration; Terraform expands variables in it, and prefers TF_PLUGIN_CACHE_DIR.
func (m mirrors) configuredCache(own string) string {
	set := cacheSetting.FindStringSubmatch(own)
	if set == nil {
		return ""
	}
	dir := os.Expand(set[1], func(name string) string { return workspace.Getenv(m.env, name) })
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(m.stack, dir)
	}
	return filepath.Clean(dir)
}

// providers is where Terraform installs them.
func (m mirrors) providers() string { return filepath.Join(m.data, "providers") }

const terraformHost = "registry.terraform.io"

func (m mirrors) host() string {
	if m.tofu {
		return "registry.opentofu.org"
	}
	return terraformHost
}

// ownConfig is the person's CLI configuration: its path ("" is the default) and its text. TF_CLI_CONFIG_FILE may name a file that does not
// exist: then there is none, and Terraform shall not warn of it at every command.
func (m mirrors) ownConfig() (file, text string, err error) {
	candidates := []string{".terraformrc"}
	if m.tofu {
		candidates = []string{".tofurc", ".terraformrc"}
	}
	named := workspace.Getenv(m.env, "TF_CLI_CONFIG_FILE")
	for i, c := range candidates {
		candidates[i] = filepath.Join(workspace.Getenv(m.env, "HOME"), c)
	}
	if named != "" {
		candidates = []string{named}
	}
	for _, path := range candidates {
		content, err := os.ReadFile(path)
		if err == nil {
			return path, string(content), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", "", fmt.Errorf("your Terraform CLI configuration: %w", err)
		}
	}
	if named == "" {
		return "", "", nil
	}
	file, err = m.write("", found{})
	return file, "", err
}

// implied are the folders in which Terraform looks by itself.
// https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
func (m mirrors) implied() []string {
	home := workspace.Getenv(m.env, "HOME")
	own, dirs := workspace.Getenv(m.env, "XDG_DATA_HOME"), workspace.Getenv(m.env, "XDG_DATA_DIRS")
	if own == "" {
		own = filepath.Join(home, ".local/share")
	}
	if dirs == "" {
		dirs = m.shared
	}
	list := []string{filepath.Join(m.stack, "terraform.d/plugins"), filepath.Join(home, ".terraform.d/plugins"), filepath.Join(own, "terraform/plugins")}
	if runtime.GOOS == "darwin" {
		list = append(list, filepath.Join(home, "Library/Application Support/io.terraform/plugins"), "/Library/Application Support/io.terraform/plugins")
	}
	for _, dir := range filepath.SplitList(dirs) {
		list = append(list, filepath.Join(dir, "terraform/plugins"))
	}
	return list
}

// holds returns a mirror's newest version of the provider for this platform, unpacked or packed; "" if it has none.
func (m mirrors) holds(dir, host string) string {
	folder := filepath.Join(dir, host, "hashicorp/aws")
	unpacked, _ := workspace.Glob(folder, "*/"+m.platform)
	packed, _ := workspace.Glob(folder, "terraform-provider-aws_*_"+m.platform+".zip")
	newest := ""
	for _, found := range append(unpacked, packed...) {
		version := filepath.Base(filepath.Dir(found))
		if strings.HasSuffix(found, ".zip") {
			version = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found), "terraform-provider-aws_"), "_"+m.platform+".zip")
		}
		if newer(version, newest) {
			newest = version
		}
	}
	return newest
}

// newer reports whether a, if it is a complete version, is newer than b; "" is older than every version.
func newer(a, b string) bool {
	return strings.Count(a, ".") >= 2 && semver.IsValid("v"+a) && semver.Compare("v"+a, "v"+b) > 0
}

// write generates a CLI configuration: the person's own text, and the mirror when there is one.
func (m mirrors) write(own string, mirror found) (string, error) {
	if err := os.MkdirAll(m.data, 0o755); err != nil {
		return "", fmt.Errorf("Terraform's data directory (TF_DATA_DIR, or .terraform beside the stack): %w", err)
	}
	text := own
	if dir := mirror.dir; dir != "" {
		if dir == m.configured { // as the cache too, Terraform would install from the folder into itself, and fail
			text = cacheSetting.ReplaceAllString(text, "")
		}
		switch err := error(nil); {
		case mirror.host != m.host():
			dir, err = m.link(mirror)
			if err != nil {
				return "", err
			}
		case dir == m.providers():
			dir, err = m.keep(mirror)
			if err != nil {
				return "", err
			}
		}
		text += fmt.Sprintf("\nprovider_installation {\n  filesystem_mirror {\n    path    = %q\n    include = [%q]\n  }\n  direct {\n    exclude = [%[2]q]\n  }\n}\n", dir, m.host()+"/hashicorp/aws")
	}
	file := filepath.Join(m.data, "cli.tfrc")
	return file, workspace.ReplaceFile(file, []byte(text), 0o600) // the person's configuration may contain tokens; another command may be reading the file
}

// link makes a mirror for OpenTofu, which looks under a registry name of its own. Linking the version's leaf works, linking `aws` does not.
func (m mirrors) link(mirror found) (string, error) {
	to := filepath.Join(m.data, "mirror")
	leaf := m.leaf(to, m.host(), mirror.version)
	if err := os.MkdirAll(filepath.Dir(leaf), 0o755); err != nil {
		return "", err
	}
	if err := os.Remove(leaf); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return to, os.Symlink(m.leaf(mirror.dir, mirror.host, mirror.version), leaf)
}

// keep makes a mirror of what an earlier init has installed: Terraform asks the registry even when it has all it needs, and fails when it is to install
// from there to there.
func (m mirrors) keep(mirror found) (string, error) {
	to := filepath.Join(m.data, "kept")
	leaf := m.leaf(to, mirror.host, mirror.version)
	if err := os.MkdirAll(filepath.Dir(leaf), 0o755); err != nil {
		return "", err
	}
	return to, os.Rename(m.leaf(mirror.dir, mirror.host, mirror.version), leaf)
}

// leaf is where a mirror has one version unpacked.
func (m mirrors) leaf(mirror, host, version string) string {
	return filepath.Join(mirror, host, "hashicorp/aws", version, m.platform)
}

func platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

// answers reports whether a registry can be reached.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
