//go:build unix && !linux

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem writes all file systems to the disk: only Linux can name one.
func syncFileSystem(*os.File) error { return unix.Sync() }

func deviceOf(f *os.File) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return uint64(st.Dev), err
}
