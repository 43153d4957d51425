package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Open implements storage.Store.
func (s *Store) Open(
	ctx context.Context, at file.Location, etag string, offset, length int64,
) (r io.ReadCloser, err error) {
	err = s.call(ctx, "GetObject", "read object", file.ErrStorageRead, func(context.Context) error {
		r, err = s.open(ctx, at, etag, offset, length)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Read implements storage.Store. It is the same as Open: files do not break off as connections do.
func (s *Store) Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	return s.Open(ctx, at, etag, offset, length)
}

func (s *Store) open(ctx context.Context, at file.Location, etag string, offset, length int64) (*body, error) {
	o, err := s.find(at)
	if err != nil {
		return nil, err
	}
	b := &body{ctx: ctx, fs: s.fs, left: length}
	switch {
	case etag != "" && bare(etag) != o.ETag:
		err = fmt.Errorf("%w: its ETag is %q, not %q", file.ErrObjectChanged, o.ETag, bare(etag))
	case offset < 0 || length < 0 || offset > o.Size || length > o.Size-offset:
		err = fmt.Errorf("%w: it has %d bytes, want %d from %d on", file.ErrObjectChanged, o.Size, length, offset)
	case o.file != nil:
		b.file, b.here = o.file, length
		_, err = o.file.Seek(offset, io.SeekStart)
	default:
		b.folder, b.parts = s.parts(at.Bucket, o.Upload), o.Parts
		err = b.skip(offset)
	}
	if err != nil {
		if o.file != nil {
			o.file.Close()
		}
		return nil, err
	}
	return b, nil
}

// body reads a range of an object, which is in one file or in several.
type body struct {
	ctx    context.Context // of the caller
	fs     fileSystem
	file   *os.File // at the position of the next byte; nil: the next file must be opened
	here   int64    // bytes still to be read from file
	left   int64    // bytes still to be read in all
	folder string
	parts  []string // names of the files after file
	closed bool
}

// skip opens the file that contains the byte at offset, so that Open fails if that file is missing.
func (b *body) skip(offset int64) error {
	for len(b.parts) > 0 && b.left > 0 {
		size, err := partSize(b.parts[0])
		if err != nil {
			return err
		}
		if offset < size {
			return b.next(offset)
		}
		offset, b.parts = offset-size, b.parts[1:]
	}
	return nil
}

// next opens the next file, at offset.
func (b *body) next(offset int64) error {
	if len(b.parts) == 0 {
		return io.ErrUnexpectedEOF
	}
	size, err := partSize(b.parts[0])
	if err != nil {
		return err
	}
	f, err := b.fs.Open(filepath.Join(b.folder, b.parts[0]))
	if isMissing(err) {
		return fmt.Errorf("%w: it was replaced or deleted: %w", file.ErrObjectChanged, err)
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("%w: a part has %d bytes, and should have %d", errDamaged, info.Size(), size)
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return err
	}
	b.file, b.here, b.parts = f, min(size-offset, b.left), b.parts[1:]
	return nil
}

// ready opens files until there is at least one byte to be read; io.EOF at the end of the range.
func (b *body) ready() error {
	if b.closed {
		return fs.ErrClosed
	}
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if b.left == 0 {
		return io.EOF
	}
	for b.here == 0 {
		_ = b.drop() // the file was only read, so the error does not matter
		if err := b.next(0); err != nil {
			return err
		}
	}
	return nil
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ready(); err == io.EOF {
		return 0, err
	} else if err != nil {
		return 0, classify(file.ErrStorageRead, err)
	}
	n, err := b.file.Read(p[:min(int64(len(p)), b.here)])
	b.here, b.left = b.here-int64(n), b.left-int64(n)
	if err != nil {
		err = classify(file.ErrStorageRead, noEOF(err))
	}
	return n, err
}

// Pass writes at most the next most bytes to w and returns how many w took. If w is a socket, or has a ReadFrom that
// uses one, the kernel sends the bytes (sendfile) and they are not copied through this process.
//
// Reading a file does not block for long, so only w's own deadline limits the call. After an error the body can only
// be closed. The error is storage.ErrWriter if w did not take the bytes.
func (b *body) Pass(w io.Writer, most int64, _ time.Duration) (n int64, err error) {
	for most = min(most, b.left); n < most; {
		if err := b.ready(); err != nil {
			return n, classify(file.ErrStorageRead, err)
		}
		want := min(most-n, b.here)
		k, err := io.Copy(w, &io.LimitedReader{R: b.file, N: want})
		n, b.here, b.left = n+k, b.here-k, b.left-k
		var ours *fs.PathError
		switch {
		case errors.As(err, &ours):
			return n, classify(file.ErrStorageRead, err)
		case err != nil:
			return n, fmt.Errorf("%w: %w", storage.ErrWriter, err)
		case k < want:
			return n, classify(file.ErrStorageRead, io.ErrUnexpectedEOF)
		}
	}
	return n, nil
}

// Close closes the body.
func (b *body) Close() error {
	b.closed = true
	return b.drop()
}

func (b *body) drop() error {
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file, b.here = nil, 0
	return f.Close()
}
