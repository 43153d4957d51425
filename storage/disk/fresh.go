package disk

import (
	"io/fs"
	"sync"
	"time"
)

const (
	// freshFor is how long a part that was stored is taken for fresh: read within that time it may come from the memory
	// of the system, or of the disk, and say little about what the disk keeps.
	freshFor = time.Minute
	// mostFresh is how many parts are known as fresh, so that they do not take much memory.
	mostFresh = 10_000
	// coarse is the longest step in which file systems tell the time (FAT's): a change within one of them can't be seen.
	coarse = 2 * time.Second
)

// backdate dates a draft, which was written whole, a while back, so that every later change can be seen, however soon
// it comes.
func (d *draft) backdate() (fs.FileInfo, error) {
	if err := d.store.fs.Chtimes(d.path, time.Now().Add(-2*coarse)); err != nil {
		return nil, err
	}
	return d.store.fs.Lstat(d.path)
}

// fresh knows the parts that this process has just stored. Complete does not read them again if nothing has changed
// them since.
type fresh struct {
	mu    sync.Mutex
	parts map[string]stored
	order []string // the oldest first
}

type stored struct {
	at      time.Time
	changed time.Time // as the file system says
	size    int64     // bytes
}

// note takes a part for fresh, after it was flushed; info is backdate's.
func (f *fresh) note(path string, info fs.FileInfo) {
	now := time.Now()
	if now.Sub(info.ModTime()) < coarse {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.parts == nil {
		f.parts = map[string]stored{}
	}
	for len(f.order) > 0 && (len(f.order) >= mostFresh || now.Sub(f.parts[f.order[0]].at) > freshFor) {
		delete(f.parts, f.order[0])
		f.order = f.order[1:]
	}
	if _, known := f.parts[path]; !known {
		f.order = append(f.order, path)
	}
	f.parts[path] = stored{now, info.ModTime(), info.Size()}
}

// has reports whether a file is a part that was stored a moment ago, and is as it was then.
func (f *fresh) has(path string, info fs.FileInfo) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, known := f.parts[path]
	return known && time.Since(p.at) <= freshFor && info.Mode().IsRegular() && info.Size() == p.size &&
		info.ModTime().Equal(p.changed)
}
