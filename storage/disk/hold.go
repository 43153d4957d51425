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

// Hold prevents removals from the embedded store of a data folder while a backup copies it beside the running
// service. It consists of two locks on files, so the kernel releases the Hold of a process that died.
//
// A removal first commits the change of the row after which the object is not needed, and then checks for a Hold.
// So everything that a database names which was copied under a Hold exists until the Hold is released: either the
// removal saw the Hold, or the copy of the database saw the commit.
type Hold struct{ parts, all func() }

// The files that a Hold locks: one forbids removals, the other forbids that parts become an object.
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
		// Checking for a Hold takes the lock for a moment, too: wait for that.
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

// ReleaseParts permits Complete again, after the parts were copied.
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
	patience time.Duration // of Complete
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

// completion waits until parts may become an object, at most for patience. Unlike a removal it waits, because a
// client is waiting for the result; after storage.ErrHeld the client tries again.
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
