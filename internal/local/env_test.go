package local

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// theirs is an environment that leads elsewhere in every way.
var theirs = []string{"AWS_PROFILE=production", "AWS_ENDPOINT_URL=https://example.com", "AWS_ENDPOINT_URL_S3=https://example.com", "AWS_ENDPOINT_URL_ELASTICACHE=https://example.com",
	"AWS_CA_BUNDLE=/theirs", "AWS_REGION=eu-west-1", "TF_CLI_ARGS_apply=-state=theirs", "TF_DATA_DIR=/theirs", "TF_LOG=trace", "STACK_DIR=/theirs", "FORCE=1", "RUN=x",
	`TF_VAR_existing_cache={"endpoint":"cache.example"}`, "TF_VAR_iam={}", "TF_VAR_metrics_export_kms_key_arn=arn:x"}

var ours = []string{"PATH=/usr/bin:/bin", "HOME=/home/ann", "GOFLAGS=-mod=mod", "HTTPS_PROXY=http://proxy", "TF_CLI_CONFIG_FILE=/rc", `TF_VAR_load={"task_count":2}`, "TF_VAR_name=mine"}

func TestEnvironmentThatReachesTheEmbeddedAWS(t *testing.T) {
	require.Equal(t, ours, localEnv(append(append([]string{}, theirs...), ours...)))
}

// A shell that reads the environment of local:up keeps nothing that leads out of it.
func TestShellIsSealed(t *testing.T) {
	ws, _ := tree(t)
	file := filepath.Join(ws.Root, "env")
	require.NoError(t, os.WriteFile(file, []byte(embedded.Script(ws, map[string]any{"vpc_id": "vpc-1"})), 0o644))
	for _, shell := range []string{"sh", "bash", "zsh"} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		c := exec.Command(shell, "-c", `. "$0" && exec env`, file)
		c.Env = append(append([]string{"LINES_OF=a\nAWS_PROFILE=no\n"}, theirs...), ours...)
		out, err := c.Output()
		require.NoError(t, err)
		var left []string
		for line := range strings.Lines(string(out)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); strings.HasPrefix(name, "AWS_") && name != "AWS_PROFILE" || strings.HasPrefix(name, "TF_") || name == "STACK_DIR" {
				left = append(left, name+"="+strings.ReplaceAll(value, ws.Root, "."))
			}
		}
		require.ElementsMatch(t, []string{"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=it's", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_CONFIG_FILE=/dev/null",
			"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "TF_CLI_CONFIG_FILE=/rc", "TF_DATA_DIR=./.localaws/terraform", "STACK_DIR=./.localaws/stack",
			`TF_VAR_load={"task_count":2}`, "TF_VAR_name=mine", "TF_VAR_vpc_id=vpc-1"}, left, shell)
	}
}

// What is in the project's terraform.tfvars, and is not read, is named.
func TestInputsThatAreNotRead(t *testing.T) {
	ws, _ := tree(t)
	ws.Env = []string{"TF_VAR_load={}", "TF_VAR_existing_cache={}", "PATH=/bin"}
	require.NoError(t, os.WriteFile(filepath.Join(ws.Root, "more.auto.tfvars.json"), []byte("{}"), 0o644))
	names, err := unread(ws)
	require.NoError(t, err)
	require.Equal(t, []string{"terraform.tfvars", "more.auto.tfvars.json", "TF_VAR_existing_cache"}, names)
}

func TestEndpointsOutside(t *testing.T) {
	const embedded = "http://127.0.0.1:4000"
	at := func(host, reader string) *terraform.Inputs {
		return &terraform.Inputs{ExistingCache: &terraform.ExistingCache{Endpoint: host, ReaderEndpoint: reader}}
	}
	none := &terraform.Inputs{}
	for name, c := range map[string]struct {
		endpoint string
		env      string
		in       *terraform.Inputs
		want     string
	}{
		"AWS itself":                    {in: at("cache.example", ""), env: "AWS_ENDPOINT_URL_S3=https://vpce.example"},
		"an interface endpoint":         {endpoint: "https://vpce.example", in: at("cache.example", "")},
		"all inside":                    {endpoint: embedded, in: at("127.0.0.7", "127.0.0.8"), env: "AWS_ENDPOINT_URL_S3=http://127.0.0.1:4001"},
		"S3 outside":                    {endpoint: embedded, in: none, env: "AWS_ENDPOINT_URL_S3=https://s3.example", want: "AWS_ENDPOINT_URL_S3 points elsewhere: unset it"},
		"S3 at a name":                  {endpoint: embedded, in: none, env: "AWS_ENDPOINT_URL_S3=http://localhost:1", want: "AWS_ENDPOINT_URL_S3"},
		"an existing cache outside":     {endpoint: embedded, in: at("cache.example", ""), want: "existing_cache points to cache.example, and the load would overwrite its data"},
		"its reader outside":            {endpoint: embedded, in: at("127.0.0.7", "10.0.0.7"), want: "existing_cache points to 10.0.0.7"},
		"an address that is no 127.0.0": {endpoint: "http://10.0.0.1:1", in: at("cache.example", "")},
	} {
		t.Run(name, func(t *testing.T) {
			err := Sealed(c.endpoint, []string{"PATH=/bin", c.env}, c.in)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}

	ws, con := tree(t)
	outside := &Embedded{Hello: Handshake{URL: "http://10.0.0.1:1"}}
	_, _, err := outside.Enter(ws, con, nil)
	require.ErrorContains(t, err, "the embedded AWS is at http://10.0.0.1:1, but only an address of this machine (127.0.0.1) is allowed")
	require.Empty(t, con.Out.(*bytes.Buffer).String())
}
