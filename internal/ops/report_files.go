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
