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
	"holdfast/storage/s3"
)

// backedUp is a folder that is copied as by a backup.
type backedUp struct {
	*testing.T
	from, to string
}

// write gives a name to another file, as the gateway does.
func (b backedUp) write(path, text string) {
	b.Helper()
	full := filepath.Join(b.from, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(full+".new", []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(full+".new", full); err != nil {
		b.Fatal(err)
	}
}

// copies makes a copy, or brings it up to date, and expects these files in it.
func (b backedUp) copies(want map[string]string) {
	b.Helper()
	for _, step := range []func(context.Context, string, string) error{CopyParts, CopyObjects} {
		if err := step(b.Context(), b.from, b.to); err != nil {
			b.Fatal(err)
		}
	}
	for path, text := range want {
		if got, err := os.ReadFile(filepath.Join(b.to, path)); err != nil || string(got) != text {
			b.Errorf("%s: %q %v, want %q", path, got, err, text)
		}
	}
}

// When a copy is brought up to date it gets new and replaced objects, and keeps those that were deleted; a multipart
// upload that was seen under both its names is one.
func TestCopyObjects(t *testing.T) {
	b := backedUp{t, t.TempDir(), filepath.Join(t.TempDir(), "copy")}
	const multipart = "objects/b/.sgwtmp/multipart/hash/"
	b.write("objects/b/gone", "1")
	b.write("objects/b/name.inprogress", "2") // a key may end so
	b.write("metadata/b/gone/meta/etag", "3")
	b.write(multipart+"id/1", "4")
	b.write("objects/b/.sgwtmp/half", "written at this moment")
	b.write("lock", "5")
	want := map[string]string{"objects/b/gone": "1", "objects/b/name.inprogress": "2",
		"metadata/b/gone/meta/etag": "3", multipart + "id/1": "4"}
	b.copies(want)
	for _, name := range []string{"lock", "objects/b/.sgwtmp/half"} {
		if _, err := os.Stat(filepath.Join(b.to, name)); err == nil {
			t.Errorf("a file that is no object was copied: %s", name)
		}
	}

	if err := os.Remove(filepath.Join(b.from, "objects/b/gone")); err != nil {
		t.Fatal(err)
	}
	id := filepath.Join(b.from, multipart, "id")
	if err := os.Rename(id, id+".tag.inprogress"); err != nil {
		t.Fatal(err)
	}
	b.write("metadata/b/gone/meta/etag", "changed")
	b.write("objects/b/new", "6")
	b.write(multipart+"id.tag.inprogress/2", "7")
	want["metadata/b/gone/meta/etag"], want["objects/b/new"], want[multipart+"id/2"] = "changed", "6", "7"
	b.copies(want)
	found, err := filepath.Glob(filepath.Join(b.to, multipart, "*"))
	if err != nil || len(found) != 1 {
		t.Errorf("multipart uploads: %v %v", found, err)
	}
}

// On another file system a file can't be shared.
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

// While a backup has its hold nothing is removed from the embedded store, and what lies in parts
// becomes an object only when the parts were copied. The hold of one that was killed has ended.
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
	c := &Store{Client: s3.New(s3.Options{Endpoint: "http://127.0.0.1:1"}), holding: see}
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
	h.Release() // as often as one likes
	if err := see.removal(); err != nil {
		t.Error(err)
	}
}

// A folder on the same file system shares files; what a backup that was killed has left goes.
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
