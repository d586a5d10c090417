package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Clean removes what builds, tests and local runs left: build/, .localaws/, and the data directories of Terraform that are not the stack's own.
// The stack's state, its .terraform and terraform.tfvars stay.
func Clean(_ context.Context, p *Project) error {
	unlock, err := p.lockLocal()
	if err != nil {
		return err
	}
	defer unlock()
	remove := []string{filepath.Join(p.Root, "build"), p.local()}
	for _, top := range []string{"modules", "examples", "test"} {
		err := filepath.WalkDir(filepath.Join(p.Root, top), func(file string, entry fs.DirEntry, err error) error {
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
		if !exists(file) {
			continue
		}
		if err := os.RemoveAll(file); err != nil {
			return fmt.Errorf("clean: %w", err)
		}
		p.say("removed %s", p.path(file))
	}
	return nil
}
