package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// opens counts the parts that are opened.
type opens struct {
	fileSystem
	parts atomic.Int32
}

func (o *opens) Open(path string) (*os.File, error) {
	if strings.Contains(path, "/parts/") {
		o.parts.Add(1)
	}
	return o.fileSystem.Open(path)
}

// Complete does not read parts again that it has just stored, unless they were changed since, or some time has passed.
func TestFreshParts(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	seen := &opens{fileSystem: s.fs}
	s.fs = seen
	flip := func(path string) error { return os.WriteFile(path, []byte("sEcond"), 0o600) }
	age := func(path string) error {
		p := s.fresh.parts[path]
		p.at = p.at.Add(-2 * freshFor)
		s.fresh.parts[path] = p
		return nil
	}
	for name, c := range map[string]struct {
		then func(path string) error
		read bool
		want error
	}{
		"as stored":        {func(string) error { return nil }, false, nil},
		"changed":          {flip, true, storage.ErrDamaged},
		"cut":              {func(path string) error { return os.Truncate(path, 3) }, true, storage.ErrDamaged},
		"gone":             {os.Remove, true, storage.ErrDamaged},
		"old":              {age, true, nil},
		"old, and changed": {func(path string) error { return errors.Join(age(path), flip(path)) }, true, storage.ErrDamaged},
		"noted anew":       {func(path string) error { return os.Chtimes(path, time.Time{}, time.Now()) }, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			at := file.Location{Bucket: "b", Key: "key " + name}
			m, parts := begun(t, s, at, []byte("first"), []byte("second"))
			if err := c.then(filepath.Join(s.parts(at.Bucket, m.ID), nameOf(parts[1]))); err != nil {
				t.Fatal(err)
			}
			seen.parts.Store(0)
			if err := s.Complete(t.Context(), at, m, parts); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if read := seen.parts.Load() > 0; read != c.read {
				t.Errorf("parts were read: %v, want %v", read, c.read)
			}
		})
	}
}

// A part whose file was changed at the very moment that it was stored is not taken for fresh: its time would not tell.
func TestPartChangedWhileItWasStored(t *testing.T) {
	path, info := changedBy(t, time.Hour)
	var f fresh
	if f.note(path, info); f.has(path, info) {
		t.Error("a part that may have been changed in the same moment is fresh")
	}
}

// changedBy makes a file whose time of change differs from now.
func changedBy(t *testing.T, d time.Duration) (path string, info fs.FileInfo) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "part")
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = os.Chtimes(path, time.Now(), time.Now().Add(d))
	}
	if err == nil {
		info, err = os.Lstat(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

// Of many parts only the last ones are known as fresh.
func TestFreshPartsAreBounded(t *testing.T) {
	path, info := changedBy(t, -time.Hour)
	var f fresh
	for i := range mostFresh + 10 {
		f.note(path+strings.Repeat("x", i%97)+string(rune('a'+i/97)), info)
	}
	if len(f.parts) > mostFresh || len(f.order) != len(f.parts) {
		t.Errorf("%d parts are fresh, %d in order", len(f.parts), len(f.order))
	}
}
