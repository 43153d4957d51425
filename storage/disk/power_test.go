package disk

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// memory is a file system that records when each change was flushed. From that it can produce what a power cut at any
// time may leave: everything that was flushed before, and an arbitrary part of the rest. The files themselves are in a
// folder, and nothing is really flushed.
type memory struct {
	osFiles
	mu     sync.Mutex
	time   int
	inodes map[string]*inode // by path, as the process sees them
	log    []*entry
}

// inode is a file or a folder.
type inode struct {
	folder  bool
	content []byte // at the time of the flush, or of the last rename
	flushed int    // when its bytes were flushed; 0: never
}

// entry is one change of a name.
type entry struct {
	time     int
	from, to string // one of them may be empty
	inode    *inode
	flushed  int // when the name was flushed; 0: never
}

func (m *memory) now() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.time++
	return m.time
}

// change records that an inode lost a name, or got one, if do succeeds.
func (m *memory) change(from, to string, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	m.time++
	node := m.inodes[from]
	if node == nil {
		node = &inode{folder: to != "" && isFolder(to)}
	}
	if !node.folder && to != "" {
		node.content, _ = os.ReadFile(to)
	}
	m.log = append(m.log, &entry{time: m.time, from: from, to: to, inode: node})
	if to != "" {
		m.inodes[to] = node
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (m *memory) Create(dir string) (f *os.File, err error) {
	m.mu.Lock()
	f, err = m.osFiles.Create(dir)
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return f, m.change("", f.Name(), func() error { return nil })
}

func (m *memory) Mkdir(path string) error {
	return m.change("", path, func() error { return m.osFiles.Mkdir(path) })
}

func (m *memory) Rename(from, to string) error {
	err := m.change(from, to, func() error { return m.osFiles.Rename(from, to) })
	m.forget(from, err)
	return err
}

func (m *memory) Link(from, to string) error {
	m.mu.Lock()
	node := m.inodes[from]
	m.mu.Unlock()
	err := m.change("", to, func() error { return m.osFiles.Link(from, to) })
	if err == nil {
		m.mu.Lock()
		m.inodes[to], m.log[len(m.log)-1].inode = node, node
		m.mu.Unlock()
	}
	return err
}

func (m *memory) Remove(path string) error {
	err := m.change(path, "", func() error { return m.osFiles.Remove(path) })
	m.forget(path, err)
	return err
}

func (m *memory) forget(path string, err error) {
	if err == nil {
		m.mu.Lock()
		delete(m.inodes, path)
		m.mu.Unlock()
	}
}

func (m *memory) Sync(files []*os.File, dirs []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.time++
	for _, f := range files {
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
		if err != nil {
			return err
		}
		for path, node := range m.inodes {
			if info, err := f.Stat(); err == nil && !node.folder && same(path, info) {
				node.content, node.flushed = b, m.time
			}
		}
	}
	for _, e := range m.log {
		if e.flushed == 0 && (slices.Contains(dirs, filepath.Dir(e.to)) || slices.Contains(dirs, filepath.Dir(e.from))) {
			e.flushed = m.time
		}
	}
	return nil
}

func same(path string, with os.FileInfo) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, with)
}

func (m *memory) SyncAll(string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.time++
	for _, e := range m.log {
		if e.flushed == 0 {
			e.flushed = m.time
		}
		if e.inode.flushed == 0 {
			e.inode.flushed = m.time
		}
	}
	return nil
}

// cut writes to a folder what a power cut at a time leaves of the one at root. For each change of a name that was not
// flushed, luck decides whether it is there; bytes that were not flushed are missing, or half of them are there.
func (m *memory) cut(t *testing.T, time int, root, to string, luck func() bool) {
	t.Helper()
	left := map[string]*inode{root: {folder: true}}
	for _, e := range m.log {
		if e.time > time || (e.flushed == 0 || e.flushed > time) && !luck() {
			continue
		}
		if e.from != "" && left[e.from] == e.inode {
			maps.DeleteFunc(left, func(path string, _ *inode) bool {
				return path == e.from || e.inode.folder && filepath.Dir(path) == e.from
			})
		}
		if e.to != "" && left[filepath.Dir(e.to)] != nil {
			left[e.to] = e.inode
		}
	}
	for _, path := range slices.Sorted(maps.Keys(left)) {
		node, at := left[path], filepath.Join(to, strings.TrimPrefix(path, root))
		var err error
		switch b := node.content; {
		case node.folder:
			err = os.MkdirAll(at, 0o700)
		case node.flushed == 0 || node.flushed > time:
			if !luck() {
				b = nil
			}
			err = os.WriteFile(at, b[:len(b)/2], 0o600)
		default:
			err = os.WriteFile(at, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// remembered returns a file system on which everything in a folder was flushed.
func remembered(t *testing.T, root string) *memory {
	t.Helper()
	m := &memory{inodes: map[string]*inode{}, time: 1}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		node := &inode{folder: d.IsDir(), flushed: 1}
		if !node.folder {
			node.content, err = os.ReadFile(path)
		}
		m.inodes[path] = node
		m.log = append(m.log, &entry{time: 1, to: path, inode: node, flushed: 1})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The power may be cut at every moment: what was acknowledged is there, and nothing incomplete is taken for whole. It
// may be cut once more while the store recovers.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	m := remembered(t, dir)
	s, err := open(t.Context(), m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &play{ctx: t.Context(), s: s, now: m.now}
	p.everything()
	if len(p.failed) > 0 {
		t.Fatal(p.failed)
	}
	end := m.now()
	for part := range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for time := part; time <= end && !t.Failed(); time += 4 {
				for seed := range uint64(5) {
					p.cutOnce(t, m, dir, time, seed)
				}
			}
		})
	}
}

// cutOnce checks what a power cut at a time may leave.
func (p *play) cutOnce(t *testing.T, m *memory, dir string, time int, seed uint64) {
	after := emptyFolder(t)
	defer os.RemoveAll(after)
	m.cut(t, time, dir, after, lucky(seed, time))
	disk := remembered(t, after)
	if seed == 2 && time%3 == 0 { // only sometimes, because it is slow
		if s, err := open(t.Context(), disk, after, Options{}); err == nil {
			p.cutTwice(t, disk, s, time)
		}
	}
	s, err := open(t.Context(), osFiles{}, after, Options{NoFlush: true})
	if err != nil {
		t.Errorf("start: %v", err)
	} else {
		p.check(t, s, time)
	}
	if t.Failed() {
		t.Errorf("cut at %d, seed %d, after %s", time, seed, m.around(time, dir))
	}
}

// cutTwice checks what a second power cut may leave, while s recovers from the first one.
func (p *play) cutTwice(t *testing.T, disk *memory, s *Store, time int) {
	for second := 1; second <= disk.now() && !t.Failed(); second += 2 {
		after := emptyFolder(t)
		disk.cut(t, second, s.dataDir, after, lucky(uint64(second)%4, time))
		s, err := open(t.Context(), osFiles{}, after, Options{NoFlush: true})
		if err != nil {
			t.Errorf("start: %v", err)
		} else {
			p.check(t, s, time)
		}
		if t.Failed() {
			t.Errorf("cut a second time at %d, after %s", second, disk.around(second, s.dataDir))
		}
		os.RemoveAll(after)
	}
}

// emptyFolder returns a folder, in memory if possible, which the caller removes.
func emptyFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "holdfast-disk")
	if err != nil {
		dir, err = os.MkdirTemp("", "holdfast-disk")
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// lucky returns a luck that is the same in every run: never, always, or sometimes.
func lucky(seed uint64, time int) func() bool {
	if seed < 2 {
		return func() bool { return seed == 1 }
	}
	r := rand.New(rand.NewPCG(seed, uint64(time)))
	return func() bool { return r.IntN(2) == 0 }
}

// around describes what was done shortly before a time.
func (m *memory) around(time int, root string) string {
	var b strings.Builder
	for _, e := range m.log {
		if e.time <= time && e.time > time-25 {
			fmt.Fprintf(&b, "\n%d %s -> %s, flushed %d", e.time, strings.TrimPrefix(e.from, root),
				strings.TrimPrefix(e.to, root), e.flushed)
		}
	}
	return b.String()
}
