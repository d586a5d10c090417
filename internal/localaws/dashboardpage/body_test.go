package dashboardpage

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/body.json")

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
	module, err := filepath.Abs("../../../modules/dashboard")
	require.NoError(t, err)
	for _, file := range []string{"variables.tf", "body.tf", "graphs.tf", "dashboard.json.tftpl", "node-network.csv"} {
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
	"name": "elasticache-perf", "nodes": []string{"elasticache-perf-001"}, "node_type": "cache.t4g.micro",
	"load": map[string]string{"cluster": "elasticache-perf", "service": "elasticache-perf-load", "log_group": "/elasticache-perf/elasticache-perf/load"},
	"facts": map[string]string{"run": "2026-11-23T15-18-57Z", "cache": "valkey 8.1, 1 x cache.t4g.micro", "load": "1 tasks x 2 threads x 10 clients, pipeline 1, 256 bytes, SET:GET 1:10",
		"ends": "60 minutes after the load is steady, at the latest 2026-11-23T17:18:57Z"},
}

// The page's tests look at what the module makes; -update takes it over.
func TestBodyIsTheModules(t *testing.T) {
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, []byte(rendered(t, ours)), "", " "))
	pretty.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile("testdata/body.json", pretty.Bytes(), 0o600))
	}
	kept, err := os.ReadFile("testdata/body.json")
	require.NoError(t, err)
	require.Equal(t, string(kept), pretty.String(), "modules/dashboard makes another body: go test ./internal/localaws/dashboardpage -update")
}

func TestMetricMath(t *testing.T) {
	metrics := []fetched{
		{Metric{id: "a0", Period: time.Minute}, series{0: 60, 60: 120}},
		{Metric{id: "a1", Period: time.Minute}, series{60: 60, 120: 0}},
		{Metric{id: "b0", Period: time.Minute}, series{0: 2, 60: 0}},
	}
	for text, want := range map[string][]series{
		`SUM(METRICS("a"))/PERIOD(a0)`: {{0: 1, 60: 3, 120: 0}},
		`MAX(METRICS("a"))`:            {{0: 60, 60: 120, 120: 0}},
		`AVG(METRICS("a"))`:            {{0: 60, 60: 90, 120: 0}},
		`MIN(METRICS("a"))`:            {{0: 60, 60: 60, 120: 0}},
		`a0*8/1000000000/PERIOD(a0)`:   {{0: 8e-9, 60: 16e-9}},
		`METRICS("a")/10`:              {{0: 6, 60: 12}, {60: 6, 120: 0}},
		`a0+a1`:                        {{60: 180}},
		`a0/b0`:                        {{0: 30}},
		`100-(b0*2)`:                   {{0: 96, 60: 100}},
	} {
		got, err := calculate(text, metrics)
		require.NoError(t, err, text)
		require.Len(t, got, len(want), text)
		for i, s := range want {
			require.Len(t, got[i], len(s), text)
			for at, v := range s {
				require.InDelta(t, v, got[i][at], 1e-12, text)
			}
		}
	}
	for text, want := range map[string]string{
		`SUM(METRICS("a")`: "is not understood here", `RATE(a0)`: "the function RATE", `c0*2`: "no metric of the id c0", `SUM(a0)`: "SUM of other than several series",
		`PERIOD(a0)`: "is a number", `a0 % 2`: "the operator %", `METRICS()+METRICS()`: "several series with several", `METRICS(a0)`: "in quotes", `PERIOD(1)`: "no id",
	} {
		_, err := calculate(text, metrics)
		require.ErrorContains(t, err, want, text)
	}
}
