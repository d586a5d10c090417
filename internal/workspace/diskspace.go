package workspace

import (
	"math"
	"syscall"
)

// Free is how many bytes a folder's disk has left for its user. Of a folder that cannot be looked at, whoever writes there says what is wrong. A disk that counts
// no blocks at all, as some network and FUSE disks do, does not say what is left: https://man7.org/linux/man-pages/man2/statfs.2.html (undefined fields are 0).
func Free(dir string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Blocks == 0 {
		return math.MaxUint64
	}
	return fs.Bavail * uint64(fs.Bsize)
}
