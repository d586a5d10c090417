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

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// writeReport writes report.html, report.md and results.json, and prints their path.
func writeReport(ctx context.Context, ws *workspace.Workspace, con *console.Console, from exported, name string, results any, html, markdown func(io.Writer) error) (string, error) {
	dir := filepath.Join(from.folder(ws.Root), name)
	size, err := saveReport(ctx, ws, from, dir, path.Join("report", name), results, html, markdown)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "report.html")
	con.Say("  report        %s (%d KB), with report.md and results.json beside it", ws.Path(file), size/1000)
	if _, folder := from.(folderExports); ws.On("UPLOAD") && !folder { // reports of a folder are not uploaded
		con.Say("  uploaded      %sreport/%s/", from, name)
	}
	return file, nil
}

// saveReport writes report.html, report.md and results.json into a folder, and with UPLOAD=1 also to S3 below name. size is the page's.
func saveReport(ctx context.Context, ws *workspace.Workspace, to exported, dir, name string, results any, html, markdown func(io.Writer) error) (size int, err error) {
	var b, md bytes.Buffer
	if err := errors.Join(html(&b), markdown(&md)); err != nil {
		return 0, err
	}
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("results.json: %w", err)
	}
	return b.Len(), saveFiles(ctx, ws, to, dir, name, []reportFile{{"report.html", "text/html; charset=utf-8", b.Bytes()}, {"report.md", "text/markdown; charset=utf-8", md.Bytes()},
		{"results.json", "application/json", append(text, '\n')}})
}

type reportFile struct {
	name, contentType string
	content           []byte
}

func saveFiles(ctx context.Context, ws *workspace.Workspace, to exported, dir, name string, files []reportFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := workspace.ReplaceFile(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
			return err
		}
		if !ws.On("UPLOAD") {
			continue
		}
		if err := to.put(ctx, path.Join(name, f.name), f.contentType, f.content); err != nil {
			return err
		}
	}
	return nil
}
