package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Report answers what a finished run did and what limited it: a page of text here, report.html and results.json in files. It reads the run
// RUN= or the latest, from the stack's bucket or from a folder, FROM=, that holds metrics/, logs/ and manifest/. RUNS=a,b,c puts several side by
// side, the first as the reference; RUNS="a1,a2 vs b1,b2" compares groups of repeats. UPLOAD=1 also puts the files beside the exports in S3.
func Report(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if _, _, err := wantedRuns(ws); err != nil {
		return err
	}
	from, err := findExports(ctx, ws, con)
	if err != nil {
		return err
	}
	return reportRuns(ctx, ws, con, from)
}

// wantedRuns are the runs that RUN= or RUNS= names, none when neither does, and the sizes of the groups among them.
func wantedRuns(ws *workspace.Workspace) (runs []string, sizes []int, err error) {
	run := ws.Getenv("RUN")
	if runs, sizes, err = groupsOf(ws.Getenv("RUNS")); err != nil {
		return nil, nil, err
	}
	switch {
	case ws.Getenv("RUNS") != "" && len(runs) == 0:
		return nil, nil, fmt.Errorf("RUNS=%s names no run: give them with commas between them, RUNS=2026-11-23T03-08-09Z,2026-11-24T03-08-09Z", ws.Getenv("RUNS"))
	case len(slices.Compact(slices.Sorted(slices.Values(runs)))) < len(runs):
		return nil, nil, fmt.Errorf("RUNS=%s names a run twice: compare it with another one", strings.Join(runs, ","))
	case run != "" && len(runs) > 0:
		return nil, nil, fmt.Errorf("RUN=%s and RUNS=%s: give one of them", run, strings.Join(runs, ","))
	case run != "":
		runs = []string{run}
	}
	return runs, sizes, nil
}

func reportRuns(ctx context.Context, ws *workspace.Workspace, con *console.Console, from exported) error {
	runs, sizes, err := wantedRuns(ws)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		known, err := runsOf(ctx, from, 1)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return fmt.Errorf("%s has no exported run yet; `go tool mage status` says where a run stands", from)
		}
		runs = known[:1]
	}
	var all []*report.Results
	for _, run := range runs {
		if len(runs) > 1 {
			con.Say("reading run %s", run)
		}
		r, err := analyse(ctx, from, run)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	if len(all) == 1 {
		if err := page.Text(con.Out, all[0]); err != nil {
			return err
		}
		_, err := writeReport(ctx, ws, con, from, runs[0], all[0], func(w io.Writer) error { return page.HTML(w, all[0]) }, func(w io.Writer) error { return page.Markdown(w, all[0]) })
		return err
	}
	c := report.Compare(all)
	if len(sizes) > 0 {
		var groups [][]*report.Results
		rest := all
		for _, n := range sizes {
			groups, rest = append(groups, rest[:n]), rest[n:]
		}
		c = report.CompareGroups(groups)
	}
	if err := page.CompareText(con.Out, c); err != nil {
		return err
	}
	name := strings.Join(runs, "_")
	if len(name) > 200 { // a file's name has at most 255 bytes
		name = fmt.Sprintf("%s_and_%d_more", runs[0], len(runs)-1)
	}
	_, err = writeReport(ctx, ws, con, from, name, c, func(w io.Writer) error { return page.CompareHTML(w, c) }, func(w io.Writer) error { return page.CompareMarkdown(w, c) })
	return err
}

// groupsOf reads RUNS: "a,b" are runs side by side, "a1,a2 vs b1,b2" are groups of repeats, whose sizes are given then.
func groupsOf(text string) (runs []string, sizes []int, err error) {
	groups := strings.Split(" "+strings.Join(strings.Fields(text), " ")+" ", " vs ")
	for _, group := range groups {
		of := strings.FieldsFunc(group, func(r rune) bool { return r == ',' || r == ' ' })
		if len(groups) > 1 {
			sizes = append(sizes, len(of))
		}
		runs = append(runs, of...)
		if slices.Contains(of, "vs") || len(groups) > 1 && len(of) == 0 {
			return nil, nil, fmt.Errorf("RUNS=%s: \"vs\" stands between two groups of runs, as in a1,a2,a3 vs b1,b2,b3", text)
		}
	}
	return runs, sizes, nil
}

// exported is where exports lie. Names are below the export prefix, with slashes.
type exported interface {
	open(ctx context.Context, name string) (io.ReadCloser, error) // errors.Is(err, os.ErrNotExist) when it is not there
	list(ctx context.Context, folder string) ([]string, error)    // names in a folder
	put(ctx context.Context, name, contentType string, content []byte) error
	folder(root string) string // where files about these exports go on this machine
	String() string
}

func findExports(ctx context.Context, ws *workspace.Workspace, con *console.Console) (exported, error) {
	if from := ws.Getenv("FROM"); from != "" {
		isFolder := func(name string) bool {
			info, err := os.Stat(filepath.Join(from, name))
			return err == nil && info.IsDir()
		}
		if !isFolder("metrics") && !isFolder("logs") {
			return nil, fmt.Errorf("FROM=%s: it has neither a folder metrics nor logs; give the folder that holds metrics/, logs/ and manifest/", from)
		}
		return folderExports(from), nil
	}
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	in := subject.inputs
	cfg, err := ws.AWS(ctx, in.Region)
	if err != nil {
		return nil, err
	}
	return bucketExports{s3.NewFromConfig(cfg), in.Name, in.Bucket, in.Prefix, in.KMSKey}, nil
}

// errForeign is of a run that another stack made.
var errForeign = errors.New("it is a run of another stack")

// runsOf are the latest runs of the stack, most at most, the latest first: names of runs sort by time. They have a manifest, or where no run has one,
// metrics, or where none has these, logs.
func runsOf(ctx context.Context, from exported, most int) (runs []string, err error) {
	for _, of := range [][2]string{{"manifest", ".json"}, {"metrics", ".csv"}, {"logs", ".txt"}} {
		names, err := from.list(ctx, of[0])
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		for _, n := range slices.Backward(names) {
			run, is := strings.CutSuffix(n, of[1])
			if !is || len(runs) == most {
				continue
			}
			file, err := from.open(ctx, of[0]+"/"+n)
			if errors.Is(err, errForeign) {
				continue
			}
			if err != nil {
				return nil, err
			}
			_ = file.Close() // only whose it is was asked
			runs = append(runs, run)
		}
		if len(runs) > 0 {
			return runs, nil
		}
	}
	return nil, nil
}

// analyse reads what there is of a run; sections whose file is missing say so in the answer.
func analyse(ctx context.Context, from exported, run string) (*report.Results, error) {
	var in report.Run
	open := func(name string) (io.Reader, error) {
		r, err := from.open(ctx, name)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = r.Close() })
		return r, nil
	}
	ctx, cancel := context.WithCancel(ctx) // closes what was opened
	defer cancel()
	manifest, err := open("manifest/" + run + ".json")
	if err != nil {
		return nil, err
	}
	if manifest != nil {
		text, err := io.ReadAll(manifest)
		if err != nil {
			return nil, fmt.Errorf("%s: manifest of run %s: %w", from, run, err)
		}
		m, err := export.ParseManifest(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		in.Manifest = &m
	}
	if in.Metrics, err = open("metrics/" + run + ".csv"); err != nil {
		return nil, err
	}
	if in.Logs, err = open("logs/" + run + ".txt"); err != nil {
		return nil, err
	}
	if in.Metrics == nil && in.Logs == nil {
		known, err := runsOf(ctx, from, 3)
		if err != nil {
			return nil, err
		}
		advice := "it has no exported run"
		if n := min(3, len(known)); n > 0 {
			advice = "its latest are " + strings.Join(known[:n], ", ")
		}
		return nil, fmt.Errorf("%s has no run %s, neither metrics nor logs: %s; `go tool mage status` says where a run stands", from, run, advice)
	}
	r, err := report.Analyze(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run, err)
	}
	return r, nil
}

// writeReport writes report.html, report.md and results.json, and says where.
func writeReport(ctx context.Context, ws *workspace.Workspace, con *console.Console, from exported, name string, results any, html, markdown func(io.Writer) error) (string, error) {
	var b, md bytes.Buffer
	if err := errors.Join(html(&b), markdown(&md)); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return "", fmt.Errorf("results.json: %w", err)
	}
	dir := filepath.Join(from.folder(ws.Root), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	files := []struct {
		name, contentType string
		content           []byte
	}{{"report.html", "text/html; charset=utf-8", b.Bytes()}, {"report.md", "text/markdown; charset=utf-8", md.Bytes()},
		{"results.json", "application/json", append(text, '\n')}}
	for _, f := range files {
		if err := workspace.ReplaceFile(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
			return "", err
		}
		if !ws.On("UPLOAD") {
			continue
		}
		if err := from.put(ctx, path.Join("report", name, f.name), f.contentType, f.content); err != nil {
			return "", err
		}
	}
	file := filepath.Join(dir, "report.html")
	con.Say("  report        %s (%d KB), with report.md and results.json beside it", ws.Path(file), len(files[0].content)/1000)
	return file, nil
}

// folderExports are exports in a folder, as local:run leaves them.
type folderExports string

func (f folderExports) open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(name)))
}

func (f folderExports) list(_ context.Context, folder string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(string(f), folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// put has nothing to do: the files are beside the exports already.
func (f folderExports) put(context.Context, string, string, []byte) error { return nil }

func (f folderExports) folder(string) string { return filepath.Join(string(f), "report") }

func (f folderExports) String() string { return string(f) }

// bucketExports are those of one stack in S3: other stacks may have theirs beside them.
type bucketExports struct {
	client         *s3.Client
	stack          string // its name
	bucket, prefix string
	key            string // ARN of the KMS key for what is uploaded, "": S3's own
}

func (b bucketExports) at(name string) *string { return aws.String(path.Join(b.prefix, name)) }

func (b bucketExports) open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: b.at(name)})
	if stack.Missing(err) {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", b, name, err)
	}
	owner, text := path.Dir(out.Metadata[export.Metadata]), io.ReadCloser(out.Body) // STACK/RUN
	if owner == "." && strings.HasPrefix(name, "manifest/") {                       // copied here, without its metadata
		content, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		var m export.Manifest
		if err == nil && json.Unmarshal(content, &m) == nil {
			owner = m.Name
		}
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", b, name, err)
		}
		text = io.NopCloser(bytes.NewReader(content))
	}
	if owner != "." && owner != b.stack {
		_ = text.Close()
		return nil, fmt.Errorf("%s%s: %w: %s made it, and this one is %s. Set name = %q to read it", b, name, errForeign, owner, b.stack, owner)
	}
	return text, nil
}

func (b bucketExports) list(ctx context.Context, folder string) (names []string, err error) {
	prefix := *b.at(folder) + "/"
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list %s%s: %w", b, folder, err)
		}
		for _, o := range out.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), prefix))
		}
	}
	return names, nil
}

func (b bucketExports) put(ctx context.Context, name, contentType string, content []byte) error {
	in := &s3.PutObjectInput{Bucket: &b.bucket, Key: b.at(name), ContentType: &contentType, Body: bytes.NewReader(content)}
	in.ServerSideEncryption, in.SSEKMSKeyId = shutdown.Encryption(b.key)
	if _, err := b.client.PutObject(ctx, in); err != nil {
		return fmt.Errorf("upload %s%s: %w", b, name, err)
	}
	return nil
}

func (b bucketExports) folder(root string) string { return filepath.Join(root, "reports") }

func (b bucketExports) String() string { return fmt.Sprintf("s3://%s/%s/", b.bucket, b.prefix) }
