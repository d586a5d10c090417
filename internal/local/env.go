package local

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Of a person's environment, only this reaches the embedded AWS: what programs need on this machine, where Terraform and Go get
// their dependencies, and the person's load, cache and names.
var (
	passed = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TERM", "COLUMNS", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE",
		"TERRAFORM", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"}
	passedPrefixes = []string{"LC_", "XDG_", "GO", "CGO_", "TF_REGISTRY_"}
	passedInputs   = []string{"name", "tags", "load", "load_zones", "cache", "auth_token", "margin_minutes", "skip_final_export", "metrics_export_s3_prefix"}
)

func passes(variable string) bool {
	if input, is := strings.CutPrefix(variable, "TF_VAR_"); is {
		return slices.Contains(passedInputs, input)
	}
	return slices.Contains(passed, variable) || slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(variable, p) })
}

// localEnv is the part of env that reaches the embedded AWS.
func localEnv(env []string) []string {
	return workspace.Without(env, func(name string) bool { return !passes(name) })
}

// unread lists the person's inputs that do not reach the embedded AWS: files in the project's folder, and variables.
func unread(ws *workspace.Workspace) (names []string, err error) {
	files, err := terraform.GivenFiles(ws.Root)
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	for _, e := range ws.Env {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "TF_VAR_") && !passes(name) {
			names = append(names, name)
		}
	}
	return names, err
}

// isLoopback reports whether a URL has a loopback address. (The name localhost can resolve to anything, and S3 clients would put bucket names before it.)
func isLoopback(text string) bool {
	u, err := url.Parse(text)
	return err == nil && net.ParseIP(u.Hostname()).IsLoopback()
}

// Sealed refuses what would reach outside of the embedded AWS if endpoint is one: other endpoints in the environment, and an existing cache elsewhere.
func Sealed(endpoint string, env []string, in *terraform.Inputs) error {
	if !isLoopback(endpoint) {
		return nil
	}
	var problems []string
	for _, e := range env {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_ENDPOINT_URL") && value != "" && !isLoopback(value) {
			problems = append(problems, fmt.Sprintf("%s points elsewhere: unset it", name))
		}
	}
	if cache := in.ExistingCache; cache != nil {
		for _, host := range []string{cache.Endpoint, cache.ReaderEndpoint} {
			if host != "" && !isLoopback("//"+host) {
				problems = append(problems, fmt.Sprintf("existing_cache points to %s, and the load would overwrite its data: use a cache of the embedded AWS, on 127.0.0.x, or leave existing_cache out", host))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("the AWS at %s is an embedded one, and nothing in it may reach the outside; nothing was done:\n  - %s", endpoint, strings.Join(problems, "\n  - "))
}
