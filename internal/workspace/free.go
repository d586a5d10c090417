package workspace

import (
	"math"
	"syscall"
)

// Free is how many bytes a folder's disk has left for its user. Of a folder that cannot be looked at, whoever writes there says what is wrong.
func Free(dir string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return math.MaxUint64
	}
	return fs.Bavail * uint64(fs.Bsize)
}
