package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// faulty is a file system on which some calls fail.
type faulty struct {
	fileSystem
	calls atomic.Int64
	fails func(n int64) bool // whether the nth call fails
}

func never(int64) bool { return false }

// next counts a call and returns its error.
func (f *faulty) next() error {
	n := f.calls.Add(1)
	switch {
	case !f.fails(n):
		return nil
	case n%3 == 0:
		return &fs.PathError{Op: "call", Path: "the disk", Err: syscall.ENOSPC}
	}
	return &fs.PathError{Op: "call", Path: "the disk", Err: syscall.EIO}
}

// Open fails, or succeeds and reading from the file fails.
func (f *faulty) Open(path string) (*os.File, error) {
	err := f.next()
	if err != nil && f.calls.Load()%2 == 0 && !isFolder(path) {
		return os.OpenFile(path, os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	return f.fileSystem.Open(path)
}

// Write may write only a part of the bytes before it fails.
func (f *faulty) Write(to *os.File, p []byte) (int, error) {
	if err := f.next(); err != nil {
		n, _ := f.fileSystem.Write(to, p[:len(p)/2])
		return n, err
	}
	return f.fileSystem.Write(to, p)
}

func (f *faulty) WriteUncached(to *os.File, blocks [][]byte) (int, error) {
	if err := f.next(); err != nil {
		n, _ := f.fileSystem.WriteUncached(to, blocks[:len(blocks)/2])
		return n, err
	}
	return f.fileSystem.WriteUncached(to, blocks)
}

func (f *faulty) Create(dir string) (*os.File, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.fileSystem.Create(dir)
}

func (f *faulty) Fill(to *os.File, r io.Reader) (int64, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.fileSystem.Fill(to, r)
}

func (f *faulty) Lstat(path string) (fs.FileInfo, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.fileSystem.Lstat(path)
}

func (f *faulty) Names(dir string) ([]string, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.fileSystem.Names(dir)
}

func (f *faulty) do(call func() error) error {
	if err := f.next(); err != nil {
		return err
	}
	return call()
}

func (f *faulty) Rename(from, to string) error {
	return f.do(func() error { return f.fileSystem.Rename(from, to) })
}
func (f *faulty) Link(from, to string) error {
	return f.do(func() error { return f.fileSystem.Link(from, to) })
}
func (f *faulty) Mkdir(path string) error {
	return f.do(func() error { return f.fileSystem.Mkdir(path) })
}
func (f *faulty) Remove(path string) error {
	return f.do(func() error { return f.fileSystem.Remove(path) })
}
func (f *faulty) Chtimes(path string, changed time.Time) error {
	return f.do(func() error { return f.fileSystem.Chtimes(path, changed) })
}
func (f *faulty) SyncAll(dir string) error {
	return f.do(func() error { return f.fileSystem.SyncAll(dir) })
}

func (f *faulty) Sync(files []*os.File, dirs []string) error {
	return f.do(func() error { return f.fileSystem.Sync(files, dirs) })
}

// played plays the whole scene on a failing disk. Then the power is cut, and the folder is opened on a sound disk.
func played(t *testing.T, tries int, fails func(n int64) bool) (calls int64) {
	t.Helper()
	dir := emptyFolder(t)
	defer os.RemoveAll(dir)
	m := remembered(t, dir)
	disk := &faulty{fileSystem: m, fails: never}
	s, err := open(t.Context(), disk, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	disk.calls.Store(0)
	disk.fails = fails
	p := &play{ctx: t.Context(), s: s, now: m.now, tries: tries}
	p.everything()
	calls = disk.calls.Load()
	for _, err := range p.failed {
		if !errors.Is(err, file.ErrUnavailable) && !errors.Is(err, file.ErrNoSpace) && !errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("not an error that the contract knows: %v", err)
		}
	}
	disk.fails = never
	p.objects(t, s, p.now())
	for _, time := range append(p.again, p.now()) {
		p.cutOnce(t, m, dir, time, 0)
	}
	if s, err = open(t.Context(), osFiles{}, dir, Options{NoFlush: true}); err != nil {
		t.Fatal(err)
	}
	p.check(t, s, p.now())
	return calls
}

// Each call to the disk fails once and the store's call is repeated; or all calls fail from one on. What was
// acknowledged is there afterwards.
func TestFaultsOfTheDisk(t *testing.T) {
	all := played(t, 1, never)
	if all < 100 {
		t.Fatalf("%d calls", all)
	}
	for name, run := range map[string]func(t *testing.T, n int64){
		"once": func(t *testing.T, n int64) { played(t, 3, func(i int64) bool { return i == n }) },
		"on":   func(t *testing.T, n int64) { played(t, 1, func(i int64) bool { return i >= n }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := int64(1); n <= all; n++ {
				if run(t, n); t.Failed() {
					t.Fatalf("call %d of %d", n, all)
				}
			}
		})
	}
}

// A failed start can be repeated.
func TestFaultsOfAStart(t *testing.T) {
	t.Parallel()
	old := unpack(t)
	for n := int64(1); ; n++ {
		dir := emptyFolder(t)
		if err := copyTree(t.Context(), old, dir, old); err != nil {
			t.Fatal(err)
		}
		disk := &faulty{fileSystem: osFiles{}, fails: func(i int64) bool { return i == n }}
		s, err := open(t.Context(), disk, dir, Options{})
		if disk.calls.Load() < n {
			os.RemoveAll(dir)
			return
		}
		if err != nil {
			if s, err = open(t.Context(), osFiles{}, dir, Options{NoFlush: true}); err != nil {
				t.Fatal(err)
			}
		}
		left, err := s.Leftovers(t.Context(), oldBucket, oldUnfinished)
		if err != nil || len(left.Keys) != 1 || len(left.Multiparts) != 1 {
			t.Fatalf("call %d failed: %+v %v", n, left, err)
		}
		if err := s.Complete(t.Context(), location(oldBucket, oldUnfinished),
			file.Multipart{ID: oldMultipart, Sums: true}, oldParts()); err != nil {
			t.Fatalf("call %d failed: %v", n, err)
		}
		os.RemoveAll(dir)
	}
}

// Every call that writes also flushes, and fails if the flush fails: the disk may not have the bytes.
func TestEveryWriteIsFlushed(t *testing.T) {
	dir := t.TempDir()
	broken := &unflushed{}
	s, err := open(t.Context(), broken, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &play{ctx: t.Context(), s: s, now: func() int { return broken.flushes }}
	one, parted := location("a", "one"), location("a", "parted")
	etag := p.put(one, "content")
	u := p.begin(parted)
	p.part(u, 1, "part")
	if len(p.failed) > 0 {
		t.Fatal(p.failed)
	}
	for name, write := range map[string]func(){
		"Put":            func() { p.put(location("a", "two"), "x") },
		"Copy":           func() { p.copy(one, etag, location("a", "copy"), "content") },
		"BeginMultipart": func() { p.begin(location("a", "more")) },
		"PutPart":        func() { p.part(u, 2, "another") },
		"CopyPart":       func() { p.copyPart(u, 3, one, etag, "content") },
		"Complete":       func() { p.complete(u, 1) },
	} {
		p.failed, broken.err = nil, errors.New("the disk is broken")
		before := broken.flushes
		if write(); len(p.failed) != 1 || !errors.Is(p.failed[0], file.ErrStorageWrite) ||
			!errors.Is(p.failed[0], broken.err) || broken.flushes == before {
			t.Errorf("%s, not flushed: %v", name, p.failed)
		}
	}
}

// unflushed is a file system on which flushes fail.
type unflushed struct {
	osFiles
	flushes int
	err     error
}

func (u *unflushed) Sync([]*os.File, []string) error {
	u.flushes++
	return u.err
}

// A process may be killed at any call. Whatever the next process finds survives a power cut, even if the first process
// has not flushed it: the next one may have acknowledged it.
func TestPowerCutAfterAKill(t *testing.T) {
	t.Parallel()
	for n := int64(5); ; n += 6 {
		dir := emptyFolder(t)
		m := remembered(t, dir)
		disk := &faulty{fileSystem: m, fails: func(i int64) bool { return i >= n }}
		s, err := open(t.Context(), disk, dir, Options{})
		p := &play{ctx: t.Context(), s: s, now: m.now}
		if err == nil {
			p.everything()
		}
		ended := disk.calls.Load() < n
		if s, err = open(t.Context(), m, dir, Options{}); err != nil {
			t.Fatal(err)
		}
		after := emptyFolder(t)
		m.cut(t, m.now(), dir, after, lucky(0, 0))
		cut, err := open(t.Context(), osFiles{}, after, Options{NoFlush: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.changes {
			seen, seenErr := content(t, s, c.at)
			left, err := content(t, cut, c.at)
			if seenErr == nil && !bytes.Equal(seen, left) {
				t.Fatalf("killed at call %d: %s was %q, and is %q (%v)", n, c.at.Key, seen, left, err)
			}
		}
		os.RemoveAll(dir)
		os.RemoveAll(after)
		if ended {
			return
		}
	}
}
