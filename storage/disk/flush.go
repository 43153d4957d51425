package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// flusher flushes the file systems of some folders to the disk. One flush serves all callers that were waiting when it
// began. A caller that comes while it runs waits for the next one, because the running one may have missed its data.
type flusher struct {
	flush func() error
	dirs  []*os.File

	mu      sync.Mutex
	next    *flight // not begun yet; nil if no caller waits
	running bool
}

type flight struct {
	done chan struct{}
	err  error
}

func newFlusher(dirs ...string) (*flusher, error) {
	f := &flusher{}
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.dirs = append(f.dirs, d)
	}
	f.flush = f.syncDirs
	return f, nil
}

// Flush returns when everything written before the call is on the disk.
func (f *flusher) Flush(ctx context.Context) error {
	f.mu.Lock()
	if f.next == nil {
		f.next = &flight{done: make(chan struct{})}
	}
	mine := f.next
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
		now.err = f.flush()
		close(now.done)
		f.mu.Lock()
	}
	f.running = false
	f.mu.Unlock()
}

func (f *flusher) syncDirs() error {
	done := make(map[uint64]bool)
	for _, d := range f.dirs {
		device, err := deviceOf(d)
		if err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		if done[device] {
			continue
		}
		if err := syncFileSystem(d); err != nil {
			return fmt.Errorf("flush file system: %w", err)
		}
		done[device] = true
	}
	return nil
}

// Close closes the folders. No call of Flush may be pending.
func (f *flusher) Close() (err error) {
	for _, d := range f.dirs {
		err = errors.Join(err, d.Close())
	}
	return err
}
