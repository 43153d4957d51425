//go:build unix && !linux

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem flushes the file system that f lies on; false if this system can't: only Linux can name one.
func syncFileSystem(*os.File) (done bool, err error) { return false, nil }

// syncEverything flushes all file systems.
func syncEverything(*os.File) error { return unix.Sync() }
