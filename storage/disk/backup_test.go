package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// A copy that is updated has new and replaced files, keeps files that were deleted at the source, and is a valid data
// folder.
func TestCopyObjects(t *testing.T) {
	from, to := unpack(t), filepath.Join(t.TempDir(), oddName)
	s := opened(t, from, Options{NoFlush: true})
	copies := func(steps ...func(context.Context, string, string) error) {
		t.Helper()
		for _, step := range steps {
			if err := step(t.Context(), from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole, parted, gone := location("b", "whole"), location("b", "parted"), location("b", "gone")
	put(t, s, whole, []byte("first"))
	put(t, s, gone, []byte("gone"))
	m, parts := begun(t, s, parted, []byte("one"), []byte("two"))
	copies(CopyParts, CopyObjects)

	put(t, s, whole, []byte("the second"))
	if err := errors.Join(s.Delete(t.Context(), gone), s.Complete(t.Context(), parted, m, parts)); err != nil {
		t.Fatal(err)
	}
	goesOn, _ := begun(t, s, location("b", "goes on"), []byte("part"))
	copies(CopyParts, CopyObjects)
	if _, err := os.Stat(filepath.Join(to, holdFile)); err == nil {
		t.Error("what is no object was copied")
	}
	copied := opened(t, to, Options{NoFlush: true})
	for at, want := range map[file.Location]string{whole: "the second", gone: "gone", parted: "onetwo",
		location(oldBucket, oldSmall): "a small file of version 0.1\n"} {
		if b, err := content(t, copied, at); err != nil || string(b) != want {
			t.Errorf("%s: %q %v, want %q", at.Key, b, err, want)
		}
		if err := ObjectIn(to, at, int64(len(want))); err != nil {
			t.Errorf("%s: %v", at.Key, err)
		}
	}
	if _, err := os.Stat(copied.upload("b", goesOn.ID)); err != nil {
		t.Errorf("the upload that goes on: %v", err)
	}
	if err := os.RemoveAll(copied.parts("b", m.ID)); err != nil {
		t.Fatal(err)
	}
	if err := ObjectIn(to, parted, 6); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("an object without its parts: %v", err)
	}
}

// A folder that was moved elsewhere, with a symbolic link in its place, is not left out in silence.
func TestCopyOfALink(t *testing.T) {
	from, elsewhere := unpack(t), filepath.Join(t.TempDir(), "objects")
	if err := os.Rename(filepath.Join(from, oldObjects), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(from, oldObjects)); err != nil {
		t.Fatal(err)
	}
	opened(t, from, Options{NoFlush: true})
	if err := CopyObjects(t.Context(), from, filepath.Join(t.TempDir(), "copy")); err == nil {
		t.Error("it was copied without its objects")
	}
}

// Between two file systems a file is copied, not linked.
func TestDuplicate(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := duplicate(from, to, info); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	was, statErr := os.Stat(to)
	if err != nil || statErr != nil || string(b) != "text" || !was.ModTime().Equal(info.ModTime()) {
		t.Errorf("%q %v %v", b, err, was)
	}
}

// During a Hold nothing is removed from the embedded store, and parts become an object only after they were copied.
// The Hold of a killed backup has ended.
func TestHold(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	see := holding{dir, 50 * time.Millisecond}
	if err := see.removal(); err != nil {
		t.Fatalf("before there was a backup: %v", err)
	}
	h, err := BeginHold(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := BeginHold(ctx, dir); !errors.Is(err, storage.ErrHeld) {
		t.Errorf("a second backup: %v", err)
	}
	c := opened(t, dir, Options{NoFlush: true})
	c.holding = see
	at := file.Location{Bucket: "b", Key: "k"}
	for name, err := range map[string]error{"delete": c.Delete(ctx, at), "abort": c.Abort(ctx, at, "id"),
		"complete": c.Complete(ctx, at, file.Multipart{ID: "id"}, nil)} {
		if !errors.Is(err, storage.ErrHeld) || !errors.Is(err, file.ErrUnavailable) {
			t.Errorf("%s during a backup: %v", name, err)
		}
	}
	waited := make(chan error)
	go func() { waited <- holding{dir, time.Minute}.completion(ctx) }()
	h.ReleaseParts()
	if err := <-waited; err != nil {
		t.Errorf("the parts were copied: %v", err)
	}
	if err := see.removal(); !errors.Is(err, storage.ErrHeld) {
		t.Errorf("the objects were not: %v", err)
	}
	h.Release()
	h.Release() // more than once is allowed
	if err := see.removal(); err != nil {
		t.Error(err)
	}
}

// A folder on the same file system shares files; leftovers of a killed backup are removed.
func TestNear(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	h, err := BeginHold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	left := filepath.Join(dir, stagePrefix+"1", "objects")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	near, err := Near(dir, to)
	if err != nil || near.Path != to || near.Remove() != nil {
		t.Errorf("%v %v", near, err)
	}
	for folder, want := range map[string]bool{left: false, to: true} {
		if _, err := os.Stat(folder); (err == nil) != want {
			t.Errorf("%s: %v", folder, err)
		}
	}
}

// A stage that a backup still copies from is not removed, neither by the next backup nor by a service that starts.
func TestStageInUse(t *testing.T) {
	dir := t.TempDir()
	opened(t, dir, Options{NoFlush: true})
	stage, err := newStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, stagePrefix+"of-a-killed-backup")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	is := func(path string) bool { _, err := os.Stat(path); return err == nil }
	opened(t, dir, Options{NoFlush: true})
	if !is(stage.Path) || is(left) {
		t.Errorf("a start: the stage in use %v, that of a killed backup %v", is(stage.Path), is(left))
	}
	h, err := BeginHold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Near(dir, t.TempDir()); err != nil || !is(stage.Path) {
		t.Errorf("another backup: %v, the stage in use %v", err, is(stage.Path))
	}
	h.Release()
	if err := stage.Remove(); err != nil || is(stage.Path) {
		t.Errorf("its backup has ended: %v", err)
	}
}

// A folder that somebody has put into tmp does not keep the store from opening, and stays.
func TestFolderInTmp(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{NoFlush: true})
	tmp := filepath.Join(s.root, "tmp")
	if err := os.MkdirAll(filepath.Join(tmp, "folder", "in it"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, dir, Options{NoFlush: true})
	if names, err := (osFiles{}).Names(tmp); err != nil || len(names) != 1 || names[0] != "folder" {
		t.Errorf("%v %v", names, err)
	}
}

// OwnFolder sees the store's folders through links and relative paths, and nothing in folders beside it.
func TestOwnFolder(t *testing.T) {
	parent := t.TempDir()
	t.Chdir(parent)
	dir := filepath.Join(parent, "data")
	s := opened(t, dir, Options{NoFlush: true})
	if err := os.Symlink(filepath.Join(s.root, "tmp"), filepath.Join(parent, "link")); err != nil {
		t.Fatal(err)
	}
	for path, in := range map[string]bool{
		filepath.Join(s.root, "b"): true, filepath.Join(s.root, "tmp", "b"): true, filepath.Join(parent, "link", "b"): true,
		s.root: true, filepath.Join(dir, "b"): false, filepath.Join(parent, "b"): false, filepath.Join(dir, "store-2"): false,
	} {
		for _, data := range []string{dir, "data"} {
			if own, err := OwnFolder(data, path); err != nil || (own != "") != in {
				t.Errorf("%s in %s: %q %v", path, data, own, err)
			}
		}
	}
}
