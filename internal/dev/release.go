package dev

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Release makes dist/: the Lambda's zip for both architectures, the stack and its modules as terraform.tar.gz, and SHA256SUMS of them. Same sources
// and Go version give the same bytes.
func Release(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	architectures := []string{"arm64", "x86_64"}
	for _, architecture := range architectures {
		if err := gobuild.Lambda(ctx, ws, con, architecture); err != nil {
			return err
		}
	}
	sums, err := Pack(ws, filepath.Join(ws.Root, "dist"), architectures...)
	if err != nil {
		return err
	}
	con.Say("dist/ is ready:\n%s", sums)
	return nil
}

// Pack makes the folder of a release from the zips that are built and the tree's Terraform files, and returns what SHA256SUMS has. What was in the
// folder goes.
func Pack(ws *workspace.Workspace, dist string, architectures ...string) (sums string, err error) {
	assets := map[string][]byte{}
	for _, architecture := range architectures {
		zip := gobuild.Zip(ws, architecture)
		if assets[filepath.Base(zip)], err = os.ReadFile(zip); err != nil {
			return "", err
		}
	}
	if assets["terraform.tar.gz"], err = tarball(ws); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(assets[name]), name)
	}
	assets["SHA256SUMS"] = []byte(sums)
	if err := os.RemoveAll(dist); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return "", err
	}
	for name, content := range assets {
		if err := os.WriteFile(filepath.Join(dist, name), content, 0o644); err != nil {
			return "", err
		}
	}
	return sums, nil
}

// tarball has the stack, its modules and what belongs to them, as they are in the tree. What it takes is a list, so that no person's variables or
// state get into it, and owners, times and modes are fixed, so that its bytes depend on the files alone.
func tarball(ws *workspace.Workspace) ([]byte, error) {
	files, err := terraformFiles(ws)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	packed := tar.NewWriter(zipped)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(ws.Root, file))
		if err != nil {
			return nil, err
		}
		header := &tar.Header{Name: filepath.ToSlash(file), Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := packed.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := packed.Write(content); err != nil {
			return nil, err
		}
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	if err := zipped.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// terraformFiles are the release's, in order: those of the stack, and of each module without its tests.
func terraformFiles(ws *workspace.Workspace) ([]string, error) {
	files := []string{"CHANGELOG.md", "LICENSE", "terraform.tfvars.example"}
	roots, err := workspace.Glob(ws.Root, "*.tf")
	if err != nil {
		return nil, err
	}
	for _, file := range roots {
		files = append(files, filepath.Base(file))
	}
	taken := []string{".csv", ".json", ".md", ".pem", ".sh", ".tf"}
	err = filepath.WalkDir(filepath.Join(ws.Root, "modules"), func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "tests" || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.Type().IsRegular() && slices.Contains(taken, filepath.Ext(file)):
			files = append(files, ws.Path(file))
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}
