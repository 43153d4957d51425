package disk

import (
	"cmp"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"holdfast/file"
)

// usage is how full a file system is.
type usage struct {
	size, free    int64 // bytes
	files, unused int64 // inodes; files is 0 if there is no limit
}

func stat(dir string) (usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return usage{}, fmt.Errorf("%w: look at the disk of %s: %w", file.ErrStorageWrite, dir, err)
	}
	block := int64(st.Bsize)
	return usage{int64(st.Blocks) * block, int64(st.Bavail) * block, int64(st.Files), int64(st.Ffree)}, nil
}

// The default reserve: usual bytes or, if that is less, one in fraction bytes of the disk.
const (
	usual    = 256 << 20 // bytes
	fraction = 10        // a tenth of the disk
)

// spareFiles is the number of inodes that stay unused, or a tenth of all if that is less; perWrite is the largest
// number of inodes that one object of the embedded store needs.
const (
	spareFiles = 4096
	perWrite   = 16
)

// Reserve is free space that uploads must leave. Its methods may be called from several goroutines; a nil Reserve
// permits everything.
type Reserve struct {
	dir   string
	least int64 // bytes; negative: the default
	stat  func(dir string) (usage, error)

	mu       sync.Mutex
	inFlight int64 // bytes that were permitted and are being written
	writes   int64
	ballast  bool // the file exists
}

// NewReserve returns a reserve of least bytes on the file system of dir; if least is negative, of 256 MiB or a
// tenth of the disk, whichever is less.
func NewReserve(dir string, least int64) *Reserve {
	return &Reserve{dir: dir, least: least, stat: stat}
}

// Take permits a write of n bytes; file.ErrNoSpace if it would leave less than the reserve, together with all writes
// that are under way. The caller calls give when the write has ended.
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
	if r.short(u, n+r.inFlight, (1+r.writes)*perWrite) {
		return nil, fmt.Errorf("%w: %d bytes and %d inodes are free in %s, %d bytes are being written", file.ErrNoSpace,
			u.free, u.unused, r.dir, r.inFlight)
	}
	r.inFlight, r.writes = r.inFlight+n, r.writes+1
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inFlight, r.writes = r.inFlight-n, r.writes-1
	}), nil
}

// Fits returns file.ErrNoSpace if a write of n bytes would not be permitted now. Others may take the space before it
// begins.
func (r *Reserve) Fits(n int64) error {
	give, err := r.Take(n)
	if err == nil {
		give()
	}
	return err
}

// Check returns file.ErrNoSpace while uploads are refused.
func (r *Reserve) Check() error { return r.Fits(0) }

// short reports whether a write of bytes and inodes would leave less than the reserve.
func (r *Reserve) short(u usage, bytes, inodes int64) bool {
	return u.free-bytes < r.bytes(u) || u.files > 0 && u.unused-inodes < min(spareFiles, u.files/fraction)
}

func (r *Reserve) bytes(u usage) int64 {
	if r.least < 0 {
		return min(usual, u.size/fraction)
	}
	return r.least
}

// ballastFile contains random bytes, which no file system can compress away. It is removed when something else has
// filled the disk and the database has no space left: then SQLite has enough space to delete files.
const (
	ballastFile = "ballast"
	ballastSize = 4 << 20
	// full is so little free space, in bytes, that SQLite may be unable to open the database.
	full = 1 << 20
)

// Prepare writes the ballast if there is space for it, and removes it if the disk is full.
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
		return r.release()
	case there && info.Size() == ballastSize:
		r.ballast = true
		return nil
	case !there && !errors.Is(err, os.ErrNotExist):
		return err
	case r.short(u, cmp.Or(r.inFlight, 2*ballastSize), perWrite):
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var seed [32]byte
	crand.Read(seed[:])
	_, err = io.CopyN(f, rand.NewChaCha8(seed), ballastSize)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, r.release())
	}
	r.ballast = true
	return nil
}

// Release removes the ballast, so that the database has space. It reports whether there was a ballast.
func (r *Reserve) Release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	had := r.ballast
	return r.release() == nil && had
}

func (r *Reserve) release() error {
	r.ballast = false
	if err := os.Remove(filepath.Join(r.dir, ballastFile)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
