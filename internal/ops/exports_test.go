package ops

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// bucket serves a folder of exports as s3://b/exports/, and records uploads.
func bucket(t *testing.T, folder string, put map[string]string) bucketExports {
	cfg, err := awstest.Answering(func(what string, _ url.Values) (int, map[string]string, string) {
		if key, is := strings.CutPrefix(what, "PUT /b/"); is {
			put[key] = what
			return 200, nil, ""
		}
		if what == "GET /b" || what == "GET /b/" { // only the manifests are ever listed
			list := ""
			for _, run := range threeRuns {
				list += "<Contents><Key>exports/manifest/" + run + ".json</Key></Contents>"
			}
			return 200, nil, "<ListBucketResult>" + list + "</ListBucketResult>"
		}
		content, err := os.ReadFile(filepath.Join(folder, strings.TrimPrefix(what, "GET /b/exports/")))
		if err != nil {
			return 404, nil, `<Error><Code>NoSuchKey</Code></Error>`
		}
		return 200, nil, string(content)
	})(context.Background(), "")
	require.NoError(t, err)
	return bucketExports{s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), "n", "b", "exports", ""}
}

func TestReportOfABucket(t *testing.T) {
	put := map[string]string{}
	ws := &workspace.Workspace{Root: t.TempDir()}
	from := bucket(t, exportsOf(t, threeRuns...), put)
	text, err := reported(t, ws, from)
	require.NoError(t, err)
	require.Contains(t, text, "run "+threeRuns[2])
	require.FileExists(t, filepath.Join(ws.Root, "reports", threeRuns[2], "report.html"))
	require.Empty(t, put, "nothing is uploaded unless it is asked for")

	_, err = reported(t, ws, from, "RUNS="+threeRuns[0]+","+threeRuns[1], "UPLOAD=1")
	require.NoError(t, err)
	pair := "exports/report/" + threeRuns[0] + "_" + threeRuns[1]
	var keys []string
	for key := range put {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	require.Equal(t, []string{pair + "/report.html", pair + "/report.md", pair + "/results.json"}, keys)

	_, err = reported(t, ws, from, "RUN=2026-01-01T00-00-00Z")
	require.ErrorContains(t, err, "s3://b/exports/ has no run 2026-01-01T00-00-00Z, neither metrics nor logs: its latest are "+threeRuns[2])
}

// local:run fails if its exports are not complete.
func TestExportsOfALocalRunAreWhole(t *testing.T) {
	yes, no := true, false
	good := func() *report.Results {
		r := &report.Results{Nodes: []report.NodeResult{{ID: "c-001"}}, Tasks: []report.TaskResult{{ID: "a", State: "ok"}}}
		r.Network.Fargate.ServiceCPU = &report.Series{}
		r.Provenance.Files = []report.Source{{Kind: export.KindMetrics, Key: "m.csv", Verified: &yes}, {Kind: export.KindLogs, Key: "l.txt", Verified: &yes}}
		return r
	}
	require.NoError(t, whole(good()))
	for says, spoil := range map[string]func(*report.Results){
		"the manifest lists no logs":        func(r *report.Results) { r.Provenance.Files = r.Provenance.Files[:1] },
		"m.csv does not match the manifest": func(r *report.Results) { r.Provenance.Files[0].Verified = &no },
		"no metric of a cache node":         func(r *report.Results) { r.Nodes = nil },
		"no metric of the load's service":   func(r *report.Results) { r.Network.Fargate.ServiceCPU = nil },
		"no line of a load task":            func(r *report.Results) { r.Tasks = nil },
		"task a is died: did not finish":    func(r *report.Results) { r.Tasks[0].State, r.Tasks[0].Trouble = "died", "did not finish" },
		"l.txt does not match the manifest": func(r *report.Results) { r.Provenance.Files[1].Verified = nil },
	} {
		r := good()
		spoil(r)
		require.ErrorContains(t, whole(r), says)
	}
}

func TestReportFromABucketThatIsNotThere(t *testing.T) {
	cfg, err := awstest.Answering(func(string, url.Values) (int, map[string]string, string) {
		return 404, nil, `<Error><Code>NoSuchBucket</Code></Error>`
	})(t.Context(), "")
	require.NoError(t, err)
	_, err = bucketExports{client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), bucket: "typo", prefix: "exports"}.list(t.Context(), "manifest")
	require.EqualError(t, err, "the bucket typo does not exist: set metrics_export_s3_bucket to the one that the run was exported to")
}
