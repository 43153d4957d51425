package filelock

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("a second holder: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Wait(gone, path); !errors.Is(err, ErrHeld) || !errors.Is(err, context.Canceled) {
		t.Fatalf("waiting in vain: %v", err)
	}
	if held, err := Held(path); !held || err != nil {
		t.Fatalf("somebody holds it: %v %v", held, err)
	}
	got := make(chan error)
	go func() {
		_, err := Wait(t.Context(), path)
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if _, err := Try(filepath.Join(path, "below a file")); err == nil || errors.Is(err, ErrHeld) {
		t.Fatalf("a path that can't be: %v", err)
	}
	if held, err := Held(filepath.Join(t.TempDir(), "none")); held || err != nil {
		t.Fatalf("nobody made it: %v %v", held, err)
	}
}

// The lock on a folder stays when files in it are removed.
func TestLockedFolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := TryFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryFolder(dir); !errors.Is(err, ErrHeld) {
		t.Errorf("a second holder: %v", err)
	}
	unlock()
	if unlock, err = TryFolder(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if _, err := TryFolder(filepath.Join(dir, "none")); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
