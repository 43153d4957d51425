// Package regular opens regular files, and nothing else.
package regular

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a regular file to read. Other kinds are an error, at once: to open a FIFO would wait for somebody who
// writes to it, and no context or signal ends that.
func Open(path string) (*os.File, fs.FileInfo, error) {
	return open(path, os.OpenFile)
}

// OpenIn does the same in a folder.
func OpenIn(folder *os.Root, path string) (*os.File, fs.FileInfo, error) {
	return open(path, folder.OpenFile)
}

func open(path string, openFile func(string, int, fs.FileMode) (*os.File, error)) (*os.File, fs.FileInfo, error) {
	f, err := openFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
