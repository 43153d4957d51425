package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// stuck is a disk that removes nothing for a while.
type stuck struct {
	fileSystem
	is atomic.Bool
}

func (s *stuck) Remove(path string) error {
	if s.is.Load() {
		return &os.PathError{Op: "remove", Path: path, Err: syscall.EBUSY}
	}
	return s.fileSystem.Remove(path)
}

// What could not be removed when it was deleted is removed by the next sweep, and not only by the next start.
func TestSweepRemovesWhatWasLeft(t *testing.T) {
	disk := &stuck{fileSystem: osFiles{}}
	dir := t.TempDir()
	s, err := open(context.Background(), disk, dir, Options{})
	noError(t, err)
	gone, replaced, kept := file.Location{Bucket: "b", Key: "gone"}, file.Location{Bucket: "b", Key: "replaced"},
		file.Location{Bucket: "b", Key: "kept"}
	for _, at := range []file.Location{gone, replaced, kept} {
		m, parts := begun(t, s, at, []byte("first"), []byte("second"))
		noError(t, s.Complete(t.Context(), at, m, parts))
	}
	aborted, _ := begun(t, s, gone, []byte("third"))
	disk.is.Store(true)
	noError(t, s.Delete(t.Context(), gone))
	noError(t, s.Abort(t.Context(), gone, aborted.ID))
	put(t, s, replaced, []byte("new"))
	if err := s.Sweep(t.Context()); !errors.Is(err, file.ErrStorageWrite) {
		t.Errorf("while nothing can be removed: %v", err)
	}
	disk.is.Store(false)
	hold, err := BeginHold(t.Context(), dir)
	noError(t, err)
	noError(t, s.Sweep(t.Context()))
	if n := len(matching(t, dir, "buckets/b/parts/*/*")); n != 7 {
		t.Errorf("during a backup %d parts are left of 7", n)
	}
	hold.Release()
	noError(t, s.Sweep(t.Context()))
	if left := append(matching(t, dir, "buckets/b/trash/*"), matching(t, dir, "tmp/*")...); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if n := len(matching(t, dir, "buckets/b/parts/*/*")); n != 2 {
		t.Errorf("%d parts are left of the object that stays", n)
	}
	if got, err := content(t, s, kept); err != nil || string(got) != "firstsecond" {
		t.Errorf("%q %v", got, err)
	}
}

// Parts whose object was deleted when its record was damaged are found, and can be removed. Parts of uploads and of
// objects are not, nor anything while a damaged object is there: they may be its parts.
func TestOrphans(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	damaged, kept := file.Location{Bucket: "b", Key: "damaged"}, file.Location{Bucket: "b", Key: "kept"}
	m, parts := begun(t, s, damaged, []byte("first"))
	noError(t, s.Complete(t.Context(), damaged, m, parts))
	other, otherParts := begun(t, s, kept, []byte("second"))
	noError(t, s.Complete(t.Context(), kept, other, otherParts))
	begun(t, s, file.Location{Bucket: "b", Key: "begun"}, []byte("third"))
	finds := func(want ...string) {
		t.Helper()
		var got []string
		noError(t, s.Orphans(t.Context(), "b", func(b storage.MultipartUpload) error {
			if b.Key != "" || b.Since.IsZero() {
				t.Errorf("%+v", b)
			}
			got = append(got, b.ID)
			return nil
		}))
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	finds()
	noError(t, os.Truncate(s.object(damaged), 10))
	finds()
	noError(t, s.Delete(t.Context(), damaged))
	finds(m.ID)
	noError(t, s.Abort(t.Context(), file.Location{Bucket: "b"}, other.ID))
	noError(t, s.Abort(t.Context(), file.Location{Bucket: "b"}, m.ID))
	finds()
	if _, err := os.Lstat(filepath.Join(s.parts("b", m.ID))); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if got, err := content(t, s, kept); err != nil || string(got) != "second" {
		t.Errorf("%q %v", got, err)
	}
}
