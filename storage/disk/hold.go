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

// Hold keeps what the embedded store of a data folder has, for who copies it beside the
// service. It is made of two locks on files, so that the kernel ends a dead one's.
//
// Whoever removes something first commits the change of the row after which nobody needs it,
// and then asks whether there is a Hold. So what a database names that was copied under a Hold
// is there until the Hold is released, however the service goes on: either the removal saw the
// Hold, or the copy saw the commit.
type Hold struct{ parts, all func() }

// The files whose locks are a Hold: on all that is removed, and on parts that become an object.
const (
	holdFile  = "backup.lock"
	partsFile = "backup-parts.lock"
)

// BeginHold begins a Hold on a data folder. There can be one at a time: ErrHeld.
func BeginHold(ctx context.Context, dataDir string) (*Hold, error) {
	h := &Hold{func() {}, func() {}}
	for _, lock := range []struct {
		file   string
		unlock *func()
	}{{holdFile, &h.all}, {partsFile, &h.parts}} {
		// Who only looks has the lock for a moment.
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

// ReleaseParts lets uploads be completed again: what lies in parts was copied.
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

// holding is how the service sees a Hold.
type holding struct {
	dataDir  string
	patience time.Duration // of who completes an upload
}

// removal returns ErrHeld if nothing may be removed.
func (h holding) removal() error { return h.held(holdFile) }

func (h holding) held(name string) error {
	held, err := filelock.Held(filepath.Join(h.dataDir, name))
	if err == nil && held {
		err = storage.ErrHeld
	}
	return err
}

// completion waits until parts may become an object, at most for its patience. Unlike a removal it
// is waited for: its client is there. Who gives up comes again, as after any fault of a store.
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
