//go:build unix

package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
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

// The lock is on the file that has the name now, not on one that had it before.
func TestLockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, created, err := OpenFile(path)
	if err != nil || !created || !IsAt(f, path) {
		t.Fatal(created, err)
	}
	if _, _, err := OpenFile(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a second holder: %v", err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	other, created, err := OpenFile(path)
	if err != nil || !created || IsAt(f, path) || !IsAt(other, path) {
		t.Fatal(created, err)
	}
	f.Close()
	other.Close()
	again, created, err := OpenFile(path)
	if err != nil || created {
		t.Errorf("after it was closed: %v %v", created, err)
	}
	again.Close()
}

// Nothing is opened that is no regular file, nor what a link leads to.
func TestLockedFilesAreRegular(t *testing.T) {
	dir := t.TempDir()
	fifo, link, dangling := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), syscall.Mkfifo(fifo, 0o600),
		os.Symlink("file", link), os.Symlink("none", dangling)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, link, dangling, filepath.Join(dir, "file", "below")} {
		if f, _, err := OpenFile(path); err == nil || errors.Is(err, ErrHeld) {
			t.Errorf("%s: %v %v", path, f, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "none")); err == nil {
		t.Error("a file was made where a link leads")
	}
}
