package disk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/file"
	"holdfast/storage"
	"holdfast/storage/storagetest"
)

// opened opens a store in a folder.
func opened(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storagetest.Run(t, opened(t, t.TempDir(), Options{}))
}

func TestStoreWithoutFlushes(t *testing.T) {
	storagetest.Run(t, opened(t, t.TempDir(), Options{NoFlush: true}))
}

func put(t *testing.T, s *Store, at file.Location, content []byte) (etag string) {
	t.Helper()
	etag, err := s.Put(t.Context(), at, "x/y", bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return etag
}

// begun begins an upload and stores its parts.
func begun(t *testing.T, s *Store, at file.Location, contents ...[]byte) (m file.Multipart, parts []file.Part) {
	t.Helper()
	m, err := s.BeginMultipart(t.Context(), at, "x/y", false)
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range contents {
		p, err := s.PutPart(t.Context(), at, m, int32(i+1), bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	return m, parts
}

// content reads an object.
func content(t *testing.T, s *Store, at file.Location) ([]byte, error) {
	t.Helper()
	o, err := s.Stat(t.Context(), at)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(t.Context(), at, o.ETag, 0, o.Size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// matching lists the files of the store that match a pattern.
func matching(t *testing.T, dataDir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(rootOf(dataDir), pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What a crash has left is never taken for an object; the next start removes or completes it.
func TestStartAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	layout := storage.Layout{BucketPrefix: "crash"}
	whole, parted, deleted := layout.Object(1, "whole"), layout.Object(1, "parted"), layout.Object(1, "deleted")
	put(t, s, whole, []byte("whole"))
	m, parts := begun(t, s, parted, []byte("one"), []byte("two"))
	if _, err := s.PutPart(t.Context(), parted, m, 7, bytes.NewReader([]byte("unused")), 6); err != nil {
		t.Fatal(err)
	}
	begunRecord, err := os.ReadFile(s.upload(parted.Bucket, m.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), parted, m, parts); err != nil {
		t.Fatal(err)
	}
	gone, goneParts := begun(t, s, deleted, []byte("three"))
	if err := s.Complete(t.Context(), deleted, gone, goneParts); err != nil {
		t.Fatal(err)
	}
	// The crash: one file was being written; one upload was completed, but its record not yet removed; one object was
	// being removed, and another one about to be replaced.
	for path, b := range map[string][]byte{
		filepath.Join(s.root, "tmp", "half"):                                []byte("half of an obj"),
		s.upload(parted.Bucket, m.ID):                                       begunRecord,
		filepath.Join(s.parts(parted.Bucket, m.ID), partName(7, 6, "beef")): []byte("unused"),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.noteByRename(t.Context(), deleted.Bucket, s.object(deleted)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.note(t.Context(), parted.Bucket, s.object(parted)); err != nil {
		t.Fatal(err)
	}
	s = opened(t, dir, Options{})
	for at, want := range map[file.Location]string{whole: "whole", parted: "onetwo"} {
		if b, err := content(t, s, at); err != nil || string(b) != want {
			t.Errorf("%s: %q %v", at.Key, b, err)
		}
	}
	if _, err := s.Stat(t.Context(), deleted); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("the object that was on its way out: %v", err)
	}
	for pattern, want := range map[string]int{"tmp/*": 0, "buckets/*/uploads/*": 0, "buckets/*/parts/*/*": 2,
		"buckets/*/trash/*": 0} {
		if found := matching(t, dir, pattern); len(found) != want {
			t.Errorf("%s: %v, want %d", pattern, found, want)
		}
	}
}

// A file that is not a whole object is not read as one, whatever its name.
func TestDamagedFiles(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	at := file.Location{Bucket: "b", Key: "key"}
	put(t, s, at, []byte("content"))
	good, err := os.ReadFile(s.object(at))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)-1], "half": good[:len(good)/2], "only bytes": []byte("content"),
		"a byte less": good[1:], "a byte more": append([]byte("x"), good...), "only its end": good[len(good)-endSize:],
		"zeros": make([]byte, len(good)), "another's": bytes.Replace(good, []byte(`"key":"key"`), []byte(`"key":"kez"`), 1),
	} {
		if err := os.WriteFile(s.object(at), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := content(t, s, at); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		page, err := s.List(t.Context(), at.Bucket, "", "")
		if err != nil || len(page) != 1 || page[0].Size != int64(len(b)) || page[0].ETag != "" {
			t.Errorf("%s is listed as %v, %v", name, page, err)
		}
	}
	put(t, s, at, []byte("content")) // a damaged object can be replaced
	if got, err := content(t, s, at); err != nil || string(got) != "content" {
		t.Errorf("%q %v", got, err)
	}
}

// What is no plain file is not read, and nothing waits for it.
func TestOtherKindsOfFiles(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	at := file.Location{Bucket: "b", Key: "key"}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, replace := range map[string]func(path string) error{
		"link": func(path string) error { return errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path)) },
		"pipe": func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
	} {
		put(t, s, at, []byte("content"))
		if err := replace(s.object(at)); err != nil {
			t.Fatal(err)
		}
		if got, err := content(t, s, at); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if err := os.Remove(s.object(at)); err != nil {
			t.Fatal(err)
		}
	}
}

// A part that was cut is damage, for each range that is in it: so a download says that before it begins.
func TestCutPart(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	at := file.Location{Bucket: "b", Key: "key"}
	m, parts := begun(t, s, at, []byte("first"), []byte("second"))
	if err := s.Complete(t.Context(), at, m, parts); err != nil {
		t.Fatal(err)
	}
	o, err := s.Stat(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(s.parts(at.Bucket, m.ID), nameOf(parts[1])), 2); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{5, 6, 8, 10} {
		if _, err := s.Open(t.Context(), at, o.ETag, offset, 1); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("from %d: %v", offset, err)
		}
	}
	r, err := s.Open(t.Context(), at, o.ETag, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "first" {
		t.Errorf("the part before: %q %v", got, err)
	}
}
