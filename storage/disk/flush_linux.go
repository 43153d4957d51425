package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem writes the file system that f lies on to the disk.
func syncFileSystem(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

func deviceOf(f *os.File) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return uint64(st.Dev), err
}
