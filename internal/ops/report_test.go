package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

var threeRuns = []string{"2026-11-21T03-08-09Z", "2026-11-22T03-08-09Z", "2026-11-23T03-08-09Z"}

// exportsOf writes small exports of runs, one task for a minute each, laid out as in a bucket or by local:run.
func exportsOf(t *testing.T, runs ...string) string {
	t.Helper()
	folder := t.TempDir()
	write := func(kind, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, kind), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, kind, name), []byte(text), 0o644))
	}
	for i, run := range runs {
		log := fmt.Sprintf("[2026-11-23T03:10:00.000Z] [load/memtier/a] load: run=%s task=a generator=\"memtier_benchmark 2.3.1\"\n", run)
		for s := 1; s <= 60; s++ {
			log += fmt.Sprintf("[2026-11-23T03:10:%02d.500Z] [load/memtier/a] [RUN #1 5%%, %d secs]  2 threads 10 conns:     %d ops,   %d (avg:   1000) ops/sec, 1.00MB/sec (avg: 1.00MB/sec),  0.50 (avg:  0.60) msec latency\n",
				s-1, s, s*1000*(i+1), 1000*(i+1))
		}
		write("logs", run+".txt", log)
		write("metrics", run+".csv", strings.Join(export.Columns, ",")+"\n"+
			"2026-11-23T03:10:00+00:00,AWS/ElastiCache,EngineCPUUtilization,Average,50,Percent,CacheClusterId=c-001;CacheNodeId=0001\n"+
			"2026-11-23T03:10:00+00:00,AWS/ECS,CPUUtilization,Average,50,Percent,ClusterName=n;ServiceName=n-load\n")
		write("manifest", run+".json", fmt.Sprintf(`{"schema_version":1,"name":"n","run":%q,"complete":true,"created_at":"2026-11-23T03:20:00Z","tasks":[],"objects":[],"warnings":[]}`, run))
	}
	return folder
}

func reported(t *testing.T, ws *workspace.Workspace, from exported, env ...string) (text string, err error) {
	t.Helper()
	var out bytes.Buffer
	asked := *ws
	asked.Env = env
	err = reportRuns(t.Context(), &asked, &console.Console{Out: &out}, from)
	return out.String(), err
}

func TestReportOfAFolder(t *testing.T) {
	folder := exportsOf(t, threeRuns...)
	ws, con := &workspace.Workspace{Root: t.TempDir(), Env: []string{"FROM=" + folder}}, &console.Console{}
	from, err := findExports(t.Context(), ws, con)
	require.NoError(t, err)

	text, err := reported(t, ws, from)
	require.NoError(t, err)
	require.Contains(t, text, "run "+threeRuns[2]+" of n\n", "the default is the latest")
	require.Contains(t, text, "3,000 ops/s")
	text, err = reported(t, ws, from, "RUN="+threeRuns[0], "UPLOAD=1")
	require.NoError(t, err)
	require.Contains(t, text, "1,000 ops/s")
	for _, run := range []string{threeRuns[0], threeRuns[2]} {
		require.FileExists(t, filepath.Join(folder, "report", run, "report.md"))
		require.FileExists(t, filepath.Join(folder, "report", run, "report.html"), "beside the exports, as they would be in S3")
		content, err := os.ReadFile(filepath.Join(folder, "report", run, "results.json"))
		require.NoError(t, err)
		var r report.Results
		require.NoError(t, json.Unmarshal(content, &r))
		require.Equal(t, run, r.Run)
	}

	text, err = reported(t, ws, from, "RUNS="+strings.Join(threeRuns, ", "))
	require.FileExists(t, filepath.Join(folder, "report", strings.Join(threeRuns, "_"), "report.md"))
	require.NoError(t, err)
	require.Contains(t, text, "3 runs, each against A")
	content, err := os.ReadFile(filepath.Join(folder, "report", strings.Join(threeRuns, "_"), "results.json"))
	require.NoError(t, err)
	var c report.Comparison
	require.NoError(t, json.Unmarshal(content, &c))
	require.Equal(t, threeRuns, c.Runs)

	var many []string
	for day := range 15 {
		many = append(many, fmt.Sprintf("2026-10-%02dT03-08-09Z", day+1))
	}
	text, err = reported(t, ws, folderExports(exportsOf(t, many...)), "RUNS="+strings.Join(many, ","))
	require.NoError(t, err)
	require.Contains(t, text, many[0]+"_and_14_more")
}

func TestReportOfGroups(t *testing.T) {
	runs, sizes, err := groupsOf("a1, a2,a3 vs b1,b2 b3")
	require.NoError(t, err)
	require.Equal(t, []string{"a1", "a2", "a3", "b1", "b2", "b3"}, runs)
	require.Equal(t, []int{3, 3}, sizes)
	for _, text := range []string{"", "a,b"} {
		_, sizes, err = groupsOf(text)
		require.NoError(t, err)
		require.Empty(t, sizes)
	}
	for _, text := range []string{"a vs", "vs b", "a vs vs b", "a,vs,b"} {
		_, _, err = groupsOf(text)
		require.ErrorContains(t, err, "stands between two groups", text)
	}

	const fourth = "2026-11-20T03-08-09Z"
	from := folderExports(exportsOf(t, append([]string{fourth}, threeRuns...)...))
	text, err := reported(t, &workspace.Workspace{Root: t.TempDir()}, from, "RUNS="+threeRuns[0]+","+threeRuns[1]+" vs "+threeRuns[2]+","+fourth)
	require.NoError(t, err)
	require.Contains(t, text, "in 2 groups of repeats")
	require.Contains(t, text, "B2  "+fourth)
}

func TestReportSaysWhatToDo(t *testing.T) {
	folder := folderExports(exportsOf(t, append([]string{"2026-11-20T03-08-09Z"}, threeRuns...)...))
	ws, con := &workspace.Workspace{Root: t.TempDir()}, &console.Console{}
	const latest = "its latest are 2026-11-23T03-08-09Z, 2026-11-22T03-08-09Z, 2026-11-21T03-08-09Z"
	_, err := reported(t, ws, folder, "RUN=2026-11-24T00-00-00Z")
	require.ErrorContains(t, err, "has no run 2026-11-24T00-00-00Z, neither metrics nor logs: "+latest)
	_, err = reported(t, ws, folder, "FROM=here", "RUNS="+threeRuns[0]+",x")
	require.ErrorContains(t, err, "has no run x")
	_, err = reported(t, ws, folder, "RUN=a", "RUNS=b,c")
	require.ErrorContains(t, err, "RUN=a and RUNS=b,c: set one of them")

	ws.Env = []string{"FROM=" + string(folder), "UPLOAD=1"}
	require.ErrorContains(t, Report(t.Context(), ws, con), "and UPLOAD: the report of a folder is written into that folder; leave UPLOAD out")

	empty := t.TempDir()
	ws.Env = []string{"FROM=" + empty}
	_, err = findExports(t.Context(), ws, con)
	require.ErrorContains(t, err, "has neither a folder metrics nor logs; give the folder that holds metrics/, logs/ and manifest/")
	require.NoError(t, os.Mkdir(filepath.Join(empty, "metrics"), 0o755))
	_, err = reported(t, ws, folderExports(empty))
	require.ErrorContains(t, err, "has no exported run yet; `go tool mage status` shows where a run stands")
	_, err = reported(t, ws, folderExports(empty), "FROM=here", "RUN=x")
	require.ErrorContains(t, err, "it has no exported run")

	logs := exportsOf(t, threeRuns[0])
	require.NoError(t, os.RemoveAll(filepath.Join(logs, "metrics")))
	require.NoError(t, os.RemoveAll(filepath.Join(logs, "manifest")))
	ws.Env = []string{"FROM=" + logs}
	from, err := findExports(t.Context(), ws, con)
	require.NoError(t, err)
	text, err := reported(t, ws, from)
	require.NoError(t, err)
	require.Contains(t, text, "Throughput", "a folder with logs alone")

	require.NoError(t, os.WriteFile(filepath.Join(string(folder), "manifest", threeRuns[2]+".json"), []byte(`{"schema_version":7}`), 0o644))
	_, err = reported(t, ws, folder)
	require.ErrorContains(t, err, "schema_version 7")
}

// A run's name becomes file names, so it must not lead out of the folder where they are read and written.
func TestRunsAreNames(t *testing.T) {
	from := folderExports(exportsOf(t, threeRuns...))
	for _, name := range []string{"..", ".", "a b", "../" + threeRuns[0], "a/b", "latest", threeRuns[0] + "/"} {
		for _, env := range []string{"RUN=" + name, "RUNS=" + threeRuns[0] + "," + strings.ReplaceAll(name, " ", "-")} {
			ws := &workspace.Workspace{Root: t.TempDir(), Env: []string{env}}
			require.ErrorContains(t, Report(t.Context(), ws, &console.Console{Out: io.Discard}), "is not of the form 2026-11-23T03-08-09Z", env)
		}
		if strings.ContainsAny(name, "./") {
			_, err := reported(t, &workspace.Workspace{Root: t.TempDir()}, from, "FROM=here", "RUN="+name)
			require.ErrorContains(t, err, "is not of the form", name)
		}
	}
	for _, kind := range []string{"metrics/%s.csv", "logs/%s.txt"} { // a copy with another name
		text, err := os.ReadFile(filepath.Join(string(from), fmt.Sprintf(kind, threeRuns[0])))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(string(from), fmt.Sprintf(kind, "before the change")), text, 0o600))
	}
	_, err := reported(t, &workspace.Workspace{Root: t.TempDir()}, from, "FROM=here", "RUN=before the change")
	require.NoError(t, err)
}

func TestRunsAreNamedOnce(t *testing.T) {
	from := folderExports(exportsOf(t, threeRuns...))
	for given, says := range map[string]string{",": "RUNS=, names no run", threeRuns[0] + "," + threeRuns[0]: "names a run twice"} {
		_, err := reported(t, &workspace.Workspace{Root: t.TempDir()}, from, "RUNS="+given)
		require.ErrorContains(t, err, says)
		// checked before the inputs, which can be missing, too
		require.ErrorContains(t, Report(t.Context(), &workspace.Workspace{Root: t.TempDir(), Env: []string{"RUNS=" + given}}, &console.Console{Out: &bytes.Buffer{}}), says)
	}
}
