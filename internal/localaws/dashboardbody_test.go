package localaws_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
)

var update = flag.Bool("update", false, "write dashboardpage/testdata/body.json")

// rendered is the body that modules/dashboard makes of these values: its HCL without the provider, in Terraform or OpenTofu.
func rendered(t *testing.T, values map[string]any) string {
	t.Helper()
	bin := ""
	for _, name := range []string{"terraform", "tofu"} {
		if found, err := exec.LookPath(name); err == nil && bin == "" {
			bin = found
		}
	}
	require.NotEmpty(t, bin, "neither terraform nor tofu is on PATH")
	dir := t.TempDir()
	module, err := filepath.Abs("../../modules/dashboard")
	require.NoError(t, err)
	for _, file := range []string{"variables.tf", "body.tf", "graphs.tf", "widgets.tf", "node-network.csv"} {
		require.NoError(t, os.Symlink(filepath.Join(module, file), filepath.Join(dir, file)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "output.tf"), []byte("locals {\n  region = \"us-east-1\"\n}\noutput \"body\" {\n  value = local.body\n}\n"), 0o600))
	text, err := json.Marshal(values)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "terraform.tfvars.json"), text, 0o600))
	run := func(args ...string) string {
		c := exec.CommandContext(t.Context(), bin, append([]string{"-chdir=" + dir}, args...)...)
		c.Env = append(os.Environ(), "TF_DATA_DIR=", "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1")
		var problems bytes.Buffer
		c.Stderr = &problems
		out, err := c.Output()
		require.NoError(t, err, "%s\n%s", out, problems.String())
		return string(out)
	}
	run("init", "-input=false", "-no-color")
	run("apply", "-input=false", "-auto-approve", "-no-color")
	return run("output", "-raw", "body")
}

// ours are the values that the stack gives for its defaults.
var ours = map[string]any{
	"name": "elasticache-perf", "nodes": []string{"elasticache-perf-001"}, "node_type": "cache.t4g.micro", "engine": "valkey",
	"log_groups": map[string]string{"slow": "/aws/vendedlogs/elasticache/elasticache-perf/slow"}, "lines": map[string]int{"connections": 20},
	"window": map[string]string{"start": "2026-11-23T15:18:57Z", "end": "2026-11-23T17:18:57Z"},
	"load":   map[string]string{"cluster": "elasticache-perf", "service": "elasticache-perf-load", "log_group": "/elasticache-perf/elasticache-perf/load"},
	"facts": map[string]string{"run": "2026-11-23T15-18-57Z", "cache": "valkey 8.1, 1 x cache.t4g.micro", "load": "1 task x 2 threads x 10 clients, pipeline 1, 256 bytes, SET:GET 1:10",
		"ends": "60 minutes after the load is steady, at the latest 2026-11-23T17:18:57Z"},
}

// The page's tests look at what the module makes; -update takes it over.
func TestBodyIsTheModules(t *testing.T) {
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, []byte(rendered(t, ours)), "", " "))
	pretty.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile("dashboardpage/testdata/body.json", pretty.Bytes(), 0o600))
	}
	kept, err := os.ReadFile("dashboardpage/testdata/body.json")
	require.NoError(t, err)
	require.Equal(t, string(kept), pretty.String(), "modules/dashboard makes another body: go test ./internal/localaws -run TestBody -update")
}

// Whatever the module makes, CloudWatch takes without a warning, and the local page can show.
func TestBodiesOfOtherCaches(t *testing.T) {
	server, err := localaws.Start(t.Context(), localaws.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	metrics := cloudwatch.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL()), Credentials: credentials.NewStaticCredentialsProvider(server.Env()["AWS_ACCESS_KEY_ID"], server.Env()["AWS_SECRET_ACCESS_KEY"], "")})
	for name, c := range map[string]struct {
		nodes      int
		serverless string
		replicas   bool
		charts     int
		shows      string
	}{
		"six":        {nodes: 6, charts: 20, shows: "0006-001"},
		"replicas":   {nodes: 2, replicas: true, charts: 22, shows: "Replication link, worst replica"},
		"sixty":      {nodes: 60, replicas: true, charts: 22, shows: "**nodes** 60: graphs show the highest and the mean of them"},
		"500":        {nodes: 500, charts: 20, shows: "**nodes** 500: graphs show the highest and the mean of the first 60"},
		"serverless": {serverless: "orders", charts: 15, shows: "Commands throttled"},
		"load-only":  {charts: 4, shows: "Load tasks running"},
	} {
		t.Run(name, func(t *testing.T) {
			values := maps.Clone(ours)
			nodes := []string{}
			for i := range c.nodes {
				if c.replicas {
					nodes = append(nodes, fmt.Sprintf("orders-%04d-%03d", i/2+1, i%2+1))
				} else {
					nodes = append(nodes, fmt.Sprintf("orders-%04d-001", i+1))
				}
			}
			values["name"], values["nodes"] = name, nodes
			if c.serverless != "" {
				values["serverless_cache"] = c.serverless
			}
			body := rendered(t, values)
			out, err := metrics.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: &name, DashboardBody: &body})
			require.NoError(t, err)
			require.Empty(t, out.DashboardValidationMessages)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.DashboardURL()+name, nil)
			require.NoError(t, err)
			answer, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.StatusCode)
			require.Equal(t, c.charts, strings.Count(string(text), `<figure class="chart"`))
			require.True(t, strings.Contains(body, c.shows), c.shows)
			for _, not := range []string{"metric math", "understood", "calculated here"} {
				require.False(t, strings.Contains(string(text), not), "all of it is drawn: %s", not)
			}
		})
	}
}
