package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fileSystem makes the store's calls to the operating system. Tests replace it with one that fails, and one that
// forgets what was not flushed.
type fileSystem interface {
	// Open opens a file for reading; errDamaged if it is a link, a pipe or a device.
	Open(path string) (*os.File, error)
	// Create creates a file with a unique name in a folder.
	Create(dir string) (*os.File, error)
	Write(f *os.File, p []byte) (int, error)
	// WriteUncached appends whole blocks of bytes without leaving a copy in the page cache, and returns how many bytes it
	// wrote: fewer than all, without an error, where the file system can't do that.
	WriteUncached(f *os.File, blocks [][]byte) (int, error)
	// Fill appends the bytes of r. If r is a file too, the kernel copies them.
	Fill(f *os.File, r io.Reader) (int64, error)
	Rename(from, to string) error
	Link(from, to string) error
	Mkdir(path string) error
	// Remove removes a file or an empty folder.
	Remove(path string) error
	Lstat(path string) (fs.FileInfo, error)
	// Chtimes sets when a file was changed.
	Chtimes(path string, changed time.Time) error
	// Names returns the names in a folder, unsorted; none if it does not exist.
	Names(dir string) ([]string, error)
	// Sync flushes files, and the names in folders. A folder that does not exist is no error.
	Sync(files []*os.File, dirs []string) error
	// SyncAll flushes the file system of a folder.
	SyncAll(dir string) error
}

// osFiles is the real file system.
type osFiles struct{}

func (osFiles) Create(dir string) (*os.File, error)         { return os.CreateTemp(dir, "") }
func (osFiles) Write(f *os.File, p []byte) (int, error)     { return f.Write(p) }
func (osFiles) Fill(f *os.File, r io.Reader) (int64, error) { return f.ReadFrom(r) }
func (osFiles) Rename(from, to string) error                { return os.Rename(from, to) }
func (osFiles) Link(from, to string) error                  { return os.Link(from, to) }
func (osFiles) Mkdir(path string) error                     { return os.Mkdir(path, 0o700) }
func (osFiles) Remove(path string) error                    { return os.Remove(path) }
func (osFiles) Lstat(path string) (fs.FileInfo, error)      { return os.Lstat(path) }
func (osFiles) SyncAll(dir string) error                    { return FlushFolder(dir) }

func (osFiles) Chtimes(path string, changed time.Time) error {
	return os.Chtimes(path, time.Time{}, changed)
}

func (osFiles) WriteUncached(f *os.File, blocks [][]byte) (int, error) {
	return writeUncached(f, blocks)
}

// Without O_NONBLOCK opening a pipe would wait for its writer.
func (osFiles) Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = fmt.Errorf("%w: %s", errDamaged, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (osFiles) Sync(files []*os.File, dirs []string) error { return syncThese(files, dirs) }

func (osFiles) Names(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// each is a level of below: every name that is there.
const each = "*"

// below returns the paths that are len(levels) levels below dir; a level is a name or each. Other than filepath.Glob it
// takes dir literally, whatever characters are in it, and fails if a folder can't be read.
func below(f fileSystem, dir string, levels ...string) ([]string, error) {
	paths := []string{dir}
	for _, level := range levels {
		var next []string
		for _, path := range paths {
			names := []string{level}
			if level == each {
				var err error
				if names, err = f.Names(path); err != nil && !errors.Is(err, syscall.ENOTDIR) {
					return nil, err
				}
			}
			for _, name := range names {
				next = append(next, filepath.Join(path, name))
			}
		}
		paths = next
	}
	return paths, nil
}

// removeFolder removes a folder and the files in it. It is no error if it does not exist.
func (s *Store) removeFolder(dir string) error {
	names, err := s.fs.Names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.removeFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return s.removeFile(dir)
}

// removeFiles removes the files in a folder. Folders with something in them stay: the store has not put them there.
func (s *Store) removeFiles(dir string) error {
	names, err := s.fs.Names(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := s.removeFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrExist) { // which ENOTEMPTY is
			return err
		}
	}
	return nil
}

// removeFile removes a file or an empty folder, if it exists.
func (s *Store) removeFile(path string) error {
	if err := s.fs.Remove(path); !isMissing(err) {
		return err
	}
	return nil
}
