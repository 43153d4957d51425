package disk

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
)

// flusher flushes files and folders to the disk. One flush serves all callers that were waiting when it began. A
// caller that comes while a flush runs waits for the next one, because the running one may miss its data.
type flusher struct {
	flush func(files []*os.File, dirs []string) error

	mu      sync.Mutex
	next    *flight // has not begun; nil if no caller waits
	running bool
}

type flight struct {
	files []*os.File
	dirs  []string // without duplicates
	done  chan struct{}
	err   error
}

// Flush flushes the names in folders, and a file, which it closes; nil: no file. All callers of one flush get its
// error.
func (f *flusher) Flush(ctx context.Context, file *os.File, dirs ...string) error {
	f.mu.Lock()
	if f.next == nil {
		f.next = &flight{done: make(chan struct{})}
	}
	mine := f.next
	if file != nil {
		mine.files = append(mine.files, file)
	}
	for _, dir := range dirs {
		if !slices.Contains(mine.dirs, dir) {
			mine.dirs = append(mine.dirs, dir)
		}
	}
	if !f.running {
		f.running = true
		go f.run()
	}
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *flusher) run() {
	f.mu.Lock()
	for f.next != nil {
		now := f.next
		f.next = nil
		f.mu.Unlock()
		now.err = f.flush(now.files, now.dirs)
		for _, file := range now.files {
			now.err = errors.Join(now.err, file.Close())
		}
		close(now.done)
		f.mu.Lock()
	}
	f.running = false
	f.mu.Unlock()
}

// manyFiles is the number of files from which on the whole file system is flushed instead of each file.
const manyFiles = 4

// syncThese flushes files and folders of one file system.
func syncThese(files []*os.File, dirs []string) error {
	if len(files) >= manyFiles {
		if done, err := syncFileSystem(files[0]); done {
			return err
		}
	}
	var all error
	for _, f := range files {
		all = errors.Join(all, f.Sync())
	}
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if isMissing(err) {
			continue // removed meanwhile
		}
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		all = errors.Join(all, err)
	}
	return all
}

// FlushFolder flushes the file system of a folder to the disk.
func FlushFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncEverything(d)
}
