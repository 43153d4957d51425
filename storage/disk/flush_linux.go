package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem flushes the file system that f lies on; false if this system can't.
func syncFileSystem(f *os.File) (done bool, err error) { return true, unix.Syncfs(int(f.Fd())) }

// syncEverything flushes the file system that f lies on.
func syncEverything(f *os.File) error { return unix.Syncfs(int(f.Fd())) }
