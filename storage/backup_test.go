package storage

import (
	"os"
	"path/filepath"
	"testing"
)

// A copy that is brought up to date has what is new, what has been replaced, and still what is
// gone; a multipart upload that was seen under both its names is one.
func TestCopyEmbedded(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	write := func(path, text string) {
		t.Helper()
		// As the gateway does: another file takes the name.
		full := filepath.Join(from, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(full+".new", full); err != nil {
			t.Fatal(err)
		}
	}
	copies := func(want map[string]string) {
		t.Helper()
		if err := CopyEmbedded(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		for path, text := range want {
			if b, err := os.ReadFile(filepath.Join(to, path)); err != nil || string(b) != text {
				t.Errorf("%s: %q %v, want %q", path, b, err, text)
			}
		}
	}
	const multipart = "objects/b/.sgwtmp/multipart/hash/"
	write("objects/b/gone", "1")
	write("objects/b/name.inprogress", "2") // a key may end so
	write("metadata/b/gone/meta/etag", "3")
	write(multipart+"id/1", "4")
	write("lock", "5")
	want := map[string]string{"objects/b/gone": "1", "objects/b/name.inprogress": "2", "metadata/b/gone/meta/etag": "3", multipart + "id/1": "4"}
	copies(want)
	if _, err := os.Stat(filepath.Join(to, "lock")); err == nil {
		t.Error("what is not the store's was copied")
	}

	if err := os.Remove(filepath.Join(from, "objects/b/gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(from, multipart+"id"), filepath.Join(from, multipart+"id.tag.inprogress")); err != nil {
		t.Fatal(err)
	}
	write("metadata/b/gone/meta/etag", "changed")
	write("objects/b/new", "6")
	write(multipart+"id.tag.inprogress/2", "7")
	want["metadata/b/gone/meta/etag"], want["objects/b/new"], want[multipart+"id/2"] = "changed", "6", "7"
	copies(want)
	found, err := filepath.Glob(filepath.Join(to, multipart, "*"))
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
