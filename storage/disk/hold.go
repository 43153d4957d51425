package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"holdfast/internal/filelock"
	"holdfast/storage"
)

// Hold prevents removals from the embedded store of a data folder while a backup copies it beside the running service.
// It consists of two file locks, so the kernel releases the Hold of a process that died.
//
// A removal first commits the change of the row that makes the object obsolete, and then checks for a Hold. So every
// object that is named in a database copied under a Hold exists until the Hold is released: either the removal saw the
// Hold, or the copy of the database contains the commit.
type Hold struct{ parts, all func() }

// The files that a Hold locks: one prevents removals, the other prevents that parts become an object.
const (
	holdFile  = "backup.lock"
	partsFile = "backup-parts.lock"
)

// BeginHold begins a Hold on a data folder; storage.ErrHeld if there is one.
func BeginHold(ctx context.Context, dataDir string) (*Hold, error) {
	h := &Hold{func() {}, func() {}}
	for _, lock := range []struct {
		file   string
		unlock *func()
	}{{holdFile, &h.all}, {partsFile, &h.parts}} {
		// A store that checks for a Hold takes the lock for a moment, too: wait for that.
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		unlock, err := filelock.Wait(soon, filepath.Join(dataDir, lock.file))
		cancel()
		if errors.Is(err, filelock.ErrHeld) {
			err = fmt.Errorf("another one: %w", storage.ErrHeld)
		}
		if err != nil {
			h.Release()
			return nil, err
		}
		*lock.unlock = unlock
	}
	return h, nil
}

// ReleaseParts allows Complete again, once the parts are copied.
func (h *Hold) ReleaseParts() {
	h.parts()
	h.parts = func() {}
}

// Release ends the Hold.
func (h *Hold) Release() {
	h.ReleaseParts()
	h.all()
	h.all = func() {}
}

// holding checks for a Hold.
type holding struct {
	dataDir  string
	patience time.Duration // the longest wait of Complete
}

// removal returns storage.ErrHeld during a Hold.
func (h holding) removal() error { return h.held(holdFile) }

func (h holding) held(name string) error {
	held, err := filelock.Held(filepath.Join(h.dataDir, name))
	if err == nil && held {
		err = storage.ErrHeld
	}
	return err
}

// completion waits until parts may become an object, at most for patience. It waits, unlike a removal, because a
// client waits for the result; after storage.ErrHeld the client retries.
func (h holding) completion(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	for {
		err := h.held(partsFile)
		if !errors.Is(err, storage.ErrHeld) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
