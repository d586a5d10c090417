package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Clean removes what builds, tests and local runs left: build/, dist/, .localaws/, and the data directories of Terraform that are not the stack's own.
// The stack's state, its .terraform and terraform.tfvars stay. Exports of local runs are removed only after a yes.
func Clean(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	unlock, err := local.Lock(ws)
	if err != nil {
		return err
	}
	defer unlock()
	if workspace.Exists(ws.DataDir()) { // a deploy makes it, and reads build/
		stack, err := terraform.Lock(ws)
		if err != nil {
			return err
		}
		defer stack()
	}
	n, err := exportedRuns(filepath.Join(local.Dir(ws), "s3"))
	if err != nil {
		return err
	}
	if n > 0 {
		question := fmt.Sprintf("%s holds the exports of local runs (%d), which are removed for good.", ws.Path(local.Dir(ws)), n)
		if err := con.Approve(ctx, ws.On("APPROVE"), question, "nothing was removed"); err != nil {
			return err
		}
	}
	remove := []string{filepath.Join(ws.Root, "build"), filepath.Join(ws.Root, "dist"), local.Dir(ws)}
	for _, top := range []string{"modules", "examples", "test"} {
		err := filepath.WalkDir(filepath.Join(ws.Root, top), func(file string, entry fs.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err == nil && slices.Contains([]string{".terraform", ".terraform.lock.hcl"}, entry.Name()) {
				remove = append(remove, file)
				if entry.IsDir() {
					return fs.SkipDir
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, file := range remove {
		if !workspace.Exists(file) {
			continue
		}
		if err := os.RemoveAll(file); err != nil {
			return fmt.Errorf("clean: %w", err)
		}
		con.Say("removed %s", ws.Path(file))
	}
	return nil
}

// exportedRuns counts the manifests below a folder.
func exportedRuns(dir string) (n int, err error) {
	err = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && !entry.IsDir() && filepath.Base(filepath.Dir(file)) == "manifest" && filepath.Ext(file) == ".json" {
			n++
		}
		return err
	})
	return n, err
}
