//go:build unix && !linux

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem does nothing: only Linux can flush one file system.
func syncFileSystem(*os.File) (done bool, err error) { return false, nil }

// syncEverything flushes all file systems.
func syncEverything(*os.File) error { return unix.Sync() }
