package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/file"
	"holdfast/storage"
)

// While the folder of the store is gone, or another one is in its place, nothing is missing: all calls fail.
func TestStoreIsAway(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	at, begins := file.Location{Bucket: "b", Key: "key"}, file.Location{Bucket: "b", Key: "begun"}
	etag := put(t, s, at, []byte("content"))
	m, parts := begun(t, s, begins, []byte("part"))
	aside := filepath.Join(t.TempDir(), "aside")
	for name, replace := range map[string]func(){
		"gone":         func() {},
		"an empty one": func() { noError(t, os.Mkdir(s.root, 0o700)) },
		"another one":  func() { opened(t, dir, Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			noError(t, os.Rename(s.root, aside))
			replace()
			for call, err := range callsOf(t.Context(), s, at, begins, m, parts, etag) {
				if !errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrObjectMissing) ||
					errors.Is(err, storage.ErrNoUpload) || errors.Is(err, storage.ErrDamaged) {
					t.Errorf("%s: %v", call, err)
				}
			}
			noError(t, os.RemoveAll(s.root))
			noError(t, os.Rename(aside, s.root))
			if got, err := content(t, s, at); err != nil || string(got) != "content" {
				t.Errorf("when it is back: %q %v", got, err)
			}
		})
	}
}

// callsOf makes every call of a store, and returns their errors.
func callsOf(ctx context.Context, s *Store, at, begins file.Location, m file.Multipart, parts []file.Part,
	etag string) map[string]error {
	errs := map[string]error{}
	_, errs["Stat"] = s.Stat(ctx, at)
	_, errs["Open"] = s.Open(ctx, at, etag, 0, 1)
	_, errs["Put"] = s.Put(ctx, at, "x/y", bytes.NewReader([]byte("content")), 7)
	errs["Delete"] = s.Delete(ctx, at)
	_, errs["BeginMultipart"] = s.BeginMultipart(ctx, begins, "x/y", false)
	_, errs["PutPart"] = s.PutPart(ctx, begins, m, 1, bytes.NewReader([]byte("part")), 4)
	_, errs["Parts"] = s.Parts(ctx, begins, m, 0)
	errs["CheckPart"] = s.CheckPart(ctx, begins, m, parts[0])
	errs["Complete"] = s.Complete(ctx, begins, m, parts)
	errs["Abort"] = s.Abort(ctx, begins, m.ID)
	_, errs["List"] = s.List(ctx, "b", "", "")
	errs["Multiparts"] = s.Multiparts(ctx, "b", func(storage.MultipartUpload) error { return nil })
	_, errs["Buckets"] = s.Buckets(ctx, "")
	_, errs["Leftovers"] = s.Leftovers(ctx, "b", "x")
	_, errs["CopyPart"] = s.CopyPart(ctx, at, etag, 0, 1, begins, m, 2)
	errs["Copy"] = s.Copy(ctx, at, etag, begins, "x/y")
	errs["Ping"] = s.Ping(ctx, "b")
	return errs
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A store is opened only with the database that it belongs to, unless that is accepted. An older one, without an
// identity, is opened and gets one.
func TestStoreOfTheDatabase(t *testing.T) {
	none := func(string) {}
	older := func(dir string) {
		s := opened(t, dir, Options{})
		put(t, s, file.Location{Bucket: "b", Key: "key"}, []byte("content"))
		noError(t, os.Remove(s.identityPath()))
	}
	oldest := func(dir string) { noError(t, os.MkdirAll(filepath.Join(dir, oldObjects, "bucket"), 0o700)) }
	known := func(dir string) {
		s := opened(t, dir, Options{})
		put(t, s, file.Location{Bucket: "b", Key: "key"}, []byte("content"))
		noError(t, os.WriteFile(s.identityPath(), []byte("one\n"), 0o600))
	}
	for name, c := range map[string]struct {
		folder   func(dir string)
		database Database
		opens    bool
	}{
		"both new":                       {none, Database{}, true},
		"an older store":                 {older, Database{Used: true}, true},
		"an older store, a new database": {older, Database{}, true},
		"the oldest store":               {oldest, Database{Used: true}, true},
		"its own":                        {known, Database{"one", true}, true},
		"a restored older database":      {known, Database{Used: true}, true},
		"records without a store":        {none, Database{Used: true}, false},
		"its store is gone":              {none, Database{"one", false}, false},
		"another one's":                  {known, Database{"two", true}, false},
		"its identity is gone":           {older, Database{"one", true}, false},
		"an empty database":              {known, Database{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.folder(dir)
			s, err := Open(t.Context(), dir, Options{Database: &c.database})
			if c.opens != (err == nil) || !c.opens && !errors.Is(err, ErrOtherStore) {
				t.Fatalf("opened: %v", err)
			}
			if !c.opens {
				if s, err = Open(t.Context(), dir, Options{Database: &c.database, Accept: true}); err != nil {
					t.Fatalf("accepted: %v", err)
				}
			}
			if s.Identity() == "" || c.database.Identity != "" && s.Identity() != c.database.Identity {
				t.Errorf("its identity is %q", s.Identity())
			}
			again := Database{Identity: s.Identity(), Used: true}
			if _, err := Open(t.Context(), dir, Options{Database: &again}); err != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

// Writable sees that nothing, or nothing as long as a part, can be written. A full disk is told elsewhere.
func TestWritable(t *testing.T) {
	s := opened(t, t.TempDir(), Options{Largest: 1 << 20})
	if err := s.Writable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := matching(t, s.dataDir, "tmp/*"); len(left) != 0 {
		t.Errorf("the probe has left %v", left)
	}
	noError(t, os.RemoveAll(filepath.Join(s.root, "tmp")))
	if err := s.Writable(t.Context()); !errors.Is(err, file.ErrStorageWrite) {
		t.Errorf("without a folder to write to: %v", err)
	}
	full := NewReserve(s.dataDir, 0)
	full.stat = func(string) (usage, error) { return usage{size: 100}, nil }
	full.least = 1
	s.room = full
	if err := s.Writable(t.Context()); err != nil {
		t.Errorf("on a full disk: %v", err)
	}
}

// Files may be written, but none as long as a part (ulimit -f).
func TestWritableLimit(t *testing.T) {
	s := opened(t, t.TempDir(), Options{Largest: 64 << 20})
	var was unix.Rlimit
	noError(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
	noError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 32 << 20, Max: was.Max}))
	defer func() { noError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &was)) }()
	if err := s.Writable(t.Context()); !errors.Is(err, file.ErrStorageWrite) {
		t.Errorf("the limit is 32 MiB: %v", err)
	}
}
