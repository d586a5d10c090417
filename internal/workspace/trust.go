package workspace

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Ours reports whether only root and the caller can change a folder, its content, and the path to it. Only then is a program executed that was found by
// a search instead of named by a person; else anybody on this machine could plant one.
func Ours(folder string) error {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			if err := ours(filepath.Join(real, e.Name()), false); err != nil {
				return err
			}
		}
	}
	if err := ours(real, false); err != nil {
		return err
	}
	for at := filepath.Dir(real); ; at = filepath.Dir(at) {
		if err := ours(at, true); err != nil || at == filepath.Dir(at) {
			return err
		}
	}
}

// ours looks at one file or folder. In a folder on the way that is sticky, as /tmp is, others cannot rename what is ours. A group that has its
// owner's number is his alone, as most distributions make it.
func ours(path string, onTheWay bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	mode := info.Mode()
	switch {
	case int(owner.Uid) != os.Geteuid() && owner.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, who can change it", path, owner.Uid)
	case onTheWay && mode&fs.ModeSticky != 0:
	case mode.Perm()&0o002 != 0, mode.Perm()&0o020 != 0 && owner.Gid != owner.Uid:
		return fmt.Errorf("others can write to %s (mode %04o): `chmod go-w %s` keeps them out", path, mode.Perm(), Word(path))
	}
	return nil
}
