package disk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"holdfast/file"
	"holdfast/storage"
)

// flushLimit is the time limit of a flush. A flush waits for everything that was written to the file system, by other
// processes too.
const flushLimit = 5 * time.Minute

// write makes a call that writes n bytes, if there is space for them.
func (s *Store) write(n int64, call func() error) error {
	give, err := s.room.Take(n)
	if err != nil {
		return fmt.Errorf("write to the disk: %w", err)
	}
	defer give()
	if err = call(); err == nil {
		return nil
	}
	// A full disk has many error codes.
	if full := s.room.Check(); errors.Is(full, file.ErrNoSpace) {
		return fmt.Errorf("%w: %w", full, errors.New(err.Error()))
	}
	return err
}

// flush flushes the names in folders, and a file, which it closes; nil: no file. It goes on after ctx has ended: a
// file that has its name can be seen already, so it must reach the disk.
func (s *Store) flush(ctx context.Context, f *os.File, dirs ...string) error {
	if s.flusher == nil {
		if f != nil {
			return f.Close()
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	return s.flusher.Flush(ctx, f, dirs...)
}

// draft is a file in tmp that is being written and has no name yet.
type draft struct {
	store    *Store
	f        *os.File
	path     string
	uncached bool // its bytes are not left in the page cache
}

func (s *Store) newDraft() (*draft, error) {
	f, err := s.fs.Create(filepath.Join(s.root, "tmp"))
	if err != nil {
		return nil, err
	}
	return &draft{store: s, f: f, path: f.Name()}, nil
}

// drop removes the file if it has no name. It may be called after any other method.
func (d *draft) drop() {
	if d.f != nil {
		d.f.Close()
	}
	if d.path != "" {
		if err := d.store.removeFile(d.path); err != nil {
			d.store.unnamed.Store(d.path, true) // Sweep tries again, and the next start empties tmp
		}
	}
}

// Write and ReadFrom append bytes.
func (d *draft) Write(p []byte) (int, error) { return d.store.fs.Write(d.f, p) }

func (d *draft) ReadFrom(r io.Reader) (int64, error) { return d.store.fs.Fill(d.f, r) }

// flush flushes what was written, and the names in folders. Nothing may be written afterwards.
func (d *draft) flush(ctx context.Context, dirs ...string) error {
	f := d.f
	d.f = nil
	return d.store.flush(ctx, f, dirs...)
}

// rename renames the file to path and replaces a file that is there. The caller must have flushed the draft if there
// may be such a file, or if the name alone says that the file is whole: a power cut could leave the name without the
// bytes. The caller flushes the folder afterwards.
func (d *draft) rename(path string) error {
	err := d.store.fs.Rename(d.path, path)
	if err == nil {
		d.path = ""
	}
	return err
}

// ensure creates a folder, with its parents up to the store's root, and flushes their names.
func (s *Store) ensure(ctx context.Context, dir string) error {
	if _, known := s.folders.Load(dir); known || dir == s.dataDir {
		return nil
	}
	if err := s.ensure(ctx, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := s.mkdir(dir); err != nil {
		return err
	}
	if err := s.flush(ctx, nil, filepath.Dir(dir)); err != nil {
		return err
	}
	s.folders.Store(dir, true)
	return nil
}

// mkdir creates a folder if it does not exist. The caller flushes its name.
func (s *Store) mkdir(dir string) error {
	if err := s.fs.Mkdir(dir); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// sums make the ETag of written bytes: two fast checksums of different kinds. They tell apart different contents; they
// do not protect against somebody who constructs bytes with equal sums.
type sums struct {
	x *xxhash.Digest
	c uint32
}

func newSums() *sums { return &sums{x: xxhash.New()} }

func (s *sums) Write(p []byte) (int, error) {
	_, _ = s.x.Write(p) // never fails
	s.c = crc32.Update(s.c, crc32.IEEETable, p)
	return len(p), nil
}

func (s *sums) etag() string { return fmt.Sprintf("%016x%08x", s.x.Sum64(), s.c) }

// copyBuffer is the largest buffer for a body, in bytes.
const copyBuffer = 256 << 10

// errSize is the error for a body that does not have the declared size.
var errSize = errors.New("the body does not have the declared size")

// copyExactly copies size bytes of body into d, and returns their sums. It fails if body is shorter or longer.
func copyExactly(ctx context.Context, d *draft, body io.Reader, size int64) (*sums, error) {
	if m, ok := body.(storage.InMemory); ok {
		if pieces, ok := m.Pieces(); ok {
			return copyPieces(ctx, d, pieces, size)
		}
	}
	h := newSums()
	in := contextReader{ctx, body}
	buf := make([]byte, min(size+1, copyBuffer))
	n, err := io.CopyBuffer(onlyWriter{io.MultiWriter(d, h)}, io.LimitReader(in, size), buf)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("%w: %d of %d bytes came", errSize, n, size)
	}
	if _, err := bufio.NewReaderSize(in, 16).ReadByte(); err == nil {
		return nil, fmt.Errorf("%w: more than %d bytes came", errSize, size)
	} else if err != io.EOF {
		return nil, err
	}
	return h, nil
}

// copyPieces is copyExactly for bytes in memory.
func copyPieces(ctx context.Context, d *draft, pieces [][]byte, size int64) (*sums, error) {
	if err := d.writePieces(ctx, pieces); err != nil {
		return nil, err
	}
	h, n := newSums(), int64(0)
	for _, p := range pieces {
		_, _ = h.Write(p) // never fails
		n += int64(len(p))
	}
	if n != size {
		return nil, fmt.Errorf("%w: %d of %d bytes came", errSize, n, size)
	}
	return h, nil
}

type onlyWriter struct{ io.Writer }

// contextReader is a reader that fails once a context has ended.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (u contextReader) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}

// locks are mutexes for names. Two names may share a mutex.
type locks struct {
	once sync.Once
	seed maphash.Seed
	all  [256]sync.RWMutex
}

func (l *locks) of(name string) *sync.RWMutex {
	l.once.Do(func() { l.seed = maphash.MakeSeed() })
	return &l.all[maphash.String(l.seed, name)%uint64(len(l.all))]
}
