package disk

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"holdfast/file"
)

// usage is how full a file system is.
type usage struct {
	size, free    int64 // bytes
	files, unused int64 // inodes; files is 0 where there is no limit
}

func stat(dir string) (usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return usage{}, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	block := int64(st.Bsize)
	return usage{int64(st.Blocks) * block, int64(st.Bavail) * block, int64(st.Files), int64(st.Ffree)}, nil
}

// Of the reserve, where nobody has said how much it is to be.
const (
	usual    = 256 << 20 // bytes
	fraction = 10        // a tenth of a small disk
)

// Objects of the embedded store take some inodes each. So many stay unused, or the fraction of a
// small disk.
const (
	spareFiles = 4096
	perWrite   = 16
)

// Reserve is the room that uploads leave. Its methods may be called from several goroutines; those
// of a nil one let everything through.
type Reserve struct {
	dir   string
	least int64 // bytes; negative: as usual
	stat  func(dir string) (usage, error)

	mu      sync.Mutex
	flying  int64 // bytes that were let through and are being written
	writes  int64
	ballast bool // the file is there
}

// NewReserve returns the reserve of least bytes on the file system of dir; negative: 256 MiB, or a tenth of
// the disk where that is less.
func NewReserve(dir string, least int64) *Reserve {
	return &Reserve{dir: dir, least: least, stat: stat}
}

// Take lets through what writes n bytes, unless it would leave less than the reserve, together with
// all that is being written: file.ErrNoSpace. Whoever got room calls give when it was written.
func (r *Reserve) Take(n int64) (give func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u, err := r.stat(r.dir)
	if err != nil {
		return nil, err
	}
	if r.short(u, n+r.flying, (1+r.writes)*perWrite) {
		return nil, fmt.Errorf("%w: %d bytes and %d inodes are free in %s, %d bytes are being written", file.ErrNoSpace,
			u.free, u.unused, r.dir, r.flying)
	}
	r.flying, r.writes = r.flying+n, r.writes+1
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.flying, r.writes = r.flying-n, r.writes-1
	}), nil
}

// Check returns file.ErrNoSpace while uploads are refused.
func (r *Reserve) Check() error {
	give, err := r.Take(0)
	if err == nil {
		give()
	}
	return err
}

// short reports whether so much more would leave less than the reserve.
func (r *Reserve) short(u usage, bytes, inodes int64) bool {
	return u.free-bytes < r.bytes(u) || u.files > 0 && u.unused-inodes < min(spareFiles, u.files/fraction)
}

func (r *Reserve) bytes(u usage) int64 {
	if r.least < 0 {
		return min(usual, u.size/fraction)
	}
	return r.least
}

// ballastFile is written once, of bytes that no file system can leave out. It is let go of when the
// database has no room left, since something else has filled the disk: then files can be deleted.
const (
	ballastFile = "ballast"
	ballastSize = 4 << 20
	// full is so little that SQLite may not even open.
	full = 1 << 20
)

// Prepare makes the ballast where there is room for it, and lets go of it where there is none.
func (r *Reserve) Prepare() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, err := r.stat(r.dir)
	if err != nil {
		return err
	}
	path := filepath.Join(r.dir, ballastFile)
	info, err := os.Lstat(path)
	there := err == nil
	switch {
	case there && (u.free < full || u.files > 0 && u.unused == 0):
		return r.letGo()
	case there && info.Size() == ballastSize:
		r.ballast = true
		return nil
	case !there && !errors.Is(err, os.ErrNotExist):
		return err
	case r.short(u, cmp.Or(r.flying, 2*ballastSize), perWrite):
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, ballastSize)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, r.letGo())
	}
	r.ballast = true
	return nil
}

// LetGo gives the ballast's room to the database. It reports whether there was any.
func (r *Reserve) LetGo() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	had := r.ballast
	return r.letGo() == nil && had
}

func (r *Reserve) letGo() error {
	r.ballast = false
	if err := os.Remove(filepath.Join(r.dir, ballastFile)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
