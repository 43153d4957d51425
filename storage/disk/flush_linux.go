package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem flushes the file system of f; done is false on systems other than Linux, which can't.
func syncFileSystem(f *os.File) (done bool, err error) { return true, unix.Syncfs(int(f.Fd())) }

// syncEverything flushes the file system of f.
func syncEverything(f *os.File) error { return unix.Syncfs(int(f.Fd())) }
