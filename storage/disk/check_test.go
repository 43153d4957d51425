package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// Parts that are gone or damaged never become an object: Complete and CheckPart say so.
func TestDamagedParts(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	for name, damage := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 3) },
		"longer":  func(path string) error { return os.Truncate(path, 30) },
		"flipped": func(path string) error { return os.WriteFile(path, []byte("sEcond"), 0o600) },
		"a link":  func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)) },
	} {
		t.Run(name, func(t *testing.T) {
			at := file.Location{Bucket: "b", Key: "key " + name}
			m, parts := begun(t, s, at, []byte("first"), []byte("second"))
			if err := damage(filepath.Join(s.parts(at.Bucket, m.ID), nameOf(parts[1]))); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckPart(t.Context(), at, m, parts[0]); err != nil {
				t.Errorf("the part before: %v", err)
			}
			for what, err := range map[string]error{"check": s.CheckPart(t.Context(), at, m, parts[1]),
				"complete": s.Complete(t.Context(), at, m, parts)} {
				if !errors.Is(err, storage.ErrDamaged) || errors.Is(err, file.ErrUnavailable) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := s.Stat(t.Context(), at); !errors.Is(err, file.ErrObjectMissing) {
				t.Errorf("there is an object: %v", err)
			}
		})
	}
}

// A part of version 0.1 has another kind of tag. It is compared with the CRC32 in its row, if that has one.
func TestDamagedPartOfBefore(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	at := file.Location{Bucket: "b", Key: "key"}
	m, parts := begun(t, s, at, []byte("first"))
	old := parts[0]
	old.ETag = `"8b04d5e3775d298e78455efc5ca404d5"`
	dir := s.parts(at.Bucket, m.ID)
	if err := os.Rename(filepath.Join(dir, nameOf(parts[0])), filepath.Join(dir, nameOf(old))); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckPart(t.Context(), at, m, old); err != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, nameOf(old)), []byte("fIrst"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckPart(t.Context(), at, m, old); !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("flipped: %v", err)
	}
}

// A part that is copied has the sums of its bytes, as every other.
func TestCopiedPartsHaveSums(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	from, to := file.Location{Bucket: "b", Key: "from"}, file.Location{Bucket: "b", Key: "to"}
	etag := put(t, s, from, []byte("0123456789"))
	m, err := s.BeginMultipart(t.Context(), to, "x/y", true)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := s.CopyPart(t.Context(), from, etag, 2, 5, to, m, 1)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := s.PutPart(t.Context(), to, m, 2, bytes.NewReader([]byte("23456")), 5)
	if err != nil || sent.ETag != copied.ETag {
		t.Errorf("copied %+v, sent %+v: %v", copied, sent, err)
	}
	if err := os.WriteFile(filepath.Join(s.parts(to.Bucket, m.ID), nameOf(copied)), []byte("23x56"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), to, m, []file.Part{copied, sent}); !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("completed of a damaged copy: %v", err)
	}
}

// unreadable is a disk whose parts can't be read at the moment.
type unreadable struct{ fileSystem }

func (u unreadable) Open(path string) (*os.File, error) {
	if filepath.Base(filepath.Dir(filepath.Dir(path))) == "parts" {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EIO}
	}
	return u.fileSystem.Open(path)
}

// A part that can't be read at the moment is no lost one.
func TestUnreadablePartIsNotLost(t *testing.T) {
	dir := t.TempDir()
	at := file.Location{Bucket: "b", Key: "key"}
	m, parts := begun(t, opened(t, dir, Options{}), at, []byte("first"))
	// Opened again, since the store that has just stored a part may not read it.
	s, err := open(context.Background(), unreadable{osFiles{}}, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), at, m, parts); errors.Is(err, storage.ErrDamaged) ||
		!errors.Is(err, file.ErrStorageWrite) {
		t.Errorf("complete: %v", err)
	}
}

// Nobody but this process completes uploads: one that it does not know will never be an object.
func TestUnknownUploadIsLost(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	at := file.Location{Bucket: "b", Key: "key"}
	m, parts := begun(t, s, at, []byte("first"))
	if err := os.Remove(s.upload(at.Bucket, m.ID)); err != nil {
		t.Fatal(err)
	}
	err := s.Complete(t.Context(), at, m, parts)
	if !errors.Is(err, storage.ErrDamaged) || !errors.Is(err, storage.ErrNoUpload) {
		t.Error(err)
	}
}
