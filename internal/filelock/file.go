// Package filelock locks a file or folder against other processes.
package filelock

import (
	"errors"
	"io/fs"
	"os"
)

// ErrHeld says that another process holds the lock.
var ErrHeld = errors.New("in use by another process")

// OpenFile opens the regular file at path to read and write, and locks it until it is closed; created says that there
// was none. The error is ErrHeld if somebody else has the lock. Links are not followed. Where the file system can't
// lock files nothing is locked.
func OpenFile(path string) (f *os.File, created bool, err error) {
	for {
		f, created, err := openLocked(path)
		if err != nil {
			return nil, false, err
		}
		// Whoever had the lock before may have renamed or removed the file after it was opened here.
		if IsAt(f, path) {
			return f, created, nil
		}
		f.Close()
	}
}

// IsAt reports whether path names the open file, itself and not by a link.
func IsAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && opened.Mode().IsRegular() && os.SameFile(opened, named)
}

// openLocked opens the file, or makes it, and locks it.
func openLocked(path string) (f *os.File, created bool, err error) {
	info, err := os.Lstat(path)
	if created = errors.Is(err, fs.ErrNotExist); created {
		if f, err = create(path); errors.Is(err, fs.ErrExist) { // by another process, since Lstat
			return openLocked(path)
		}
	} else if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	} else if err == nil {
		if f, err = open(path); errors.Is(err, fs.ErrNotExist) {
			return openLocked(path)
		}
	}
	if err != nil {
		return nil, false, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, false, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, created, nil
}
