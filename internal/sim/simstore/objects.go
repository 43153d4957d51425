package simstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// receive reads a body, which must have size bytes.
func receive(body io.Reader, size int64) ([]byte, error) {
	b := make([]byte, size+1)
	n, err := io.ReadFull(body, b)
	if int64(n) != size || !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %d bytes of %d came: %w", file.ErrStorageWrite, n, size, cmp.Or(err, errSize))
	}
	return b[:size], nil
}

var errSize = errors.New("the body has another size")

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker,
	size int64) (string, error) {
	b, err := receive(body, size)
	if err != nil {
		return "", err
	}
	return write(ctx, s, Call{Op: "Put", At: at}, func() (string, error) {
		o := newObject(b, contentType)
		s.set(at, o)
		return o.etag, nil
	})
}

// set stores an object. The caller holds the lock.
func (s *Store) set(at file.Location, o *object) {
	if s.buckets[at.Bucket] == nil {
		s.buckets[at.Bucket] = map[string]*object{}
	}
	s.buckets[at.Bucket][at.Key] = o
}

// find returns an object, which must have etag if that is not empty. The caller holds the lock.
func (s *Store) find(at file.Location, etag string) (*object, error) {
	o := s.buckets[at.Bucket][at.Key]
	switch {
	case o == nil:
		return nil, file.ErrObjectMissing
	case etag != "" && etag != o.etag:
		return nil, file.ErrObjectChanged
	}
	return o, nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	return read(ctx, s, Call{Op: "Stat", At: at}, func() (storage.Object, error) {
		o, err := s.find(at, "")
		if err != nil {
			return storage.Object{}, err
		}
		return storage.Object{Size: int64(len(o.data)), ETag: o.etag, Type: o.kind, Modified: o.modified}, nil
	})
}

// Open implements storage.Store.
func (s *Store) Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	return s.open(ctx, "Open", at, etag, offset, length)
}

// Read implements storage.Store.
func (s *Store) Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	return s.open(ctx, "Read", at, etag, offset, length)
}

func (s *Store) open(ctx context.Context, op string, at file.Location, etag string,
	offset, length int64) (io.ReadCloser, error) {
	c := Call{Op: op, At: at}
	fate := s.fates(ctx, c)
	fate.Late = 0
	b, err := run(ctx, s, c, fate, file.ErrStorageRead, func() ([]byte, error) {
		o, err := s.find(at, etag)
		if err != nil {
			return nil, err
		}
		if size := int64(len(o.data)); offset > size || length > size-offset {
			return nil, fmt.Errorf("%w: it has %d bytes", file.ErrObjectChanged, size)
		}
		return o.data[offset : offset+length], nil
	})
	if err != nil {
		return nil, err
	}
	r := &content{ctx: ctx, left: b, pause: fate.After}
	if fate.Short {
		r.breaks, r.left = true, b[:len(b)/2]
	}
	return r, nil
}

// content is an object's body.
type content struct {
	ctx    context.Context
	left   []byte
	pause  time.Duration // before the first byte
	breaks bool          // it breaks off before its end
}

func (c *content) Read(p []byte) (int, error) {
	if err := sleep(c.ctx, c.pause); err != nil {
		return 0, fmt.Errorf("%w: %w", file.ErrStorageRead, err)
	}
	c.pause = 0
	n := copy(p, c.left)
	c.left = c.left[n:]
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case c.breaks:
		return 0, fmt.Errorf("%w: %w", file.ErrStorageRead, errSimulated)
	}
	return 0, io.EOF
}

func (c *content) Close() error { return nil }

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, at file.Location) error {
	_, err := write(ctx, s, Call{Op: "Delete", At: at}, func() (struct{}, error) {
		delete(s.buckets[at.Bucket], at.Key)
		return struct{}{}, nil
	})
	return err
}

// Copy implements storage.Copier.
func (s *Store) Copy(ctx context.Context, from file.Location, fromETag string, to file.Location,
	contentType string) error {
	_, err := write(ctx, s, Call{Op: "Copy", At: to}, func() (struct{}, error) {
		o, err := s.source(from, fromETag)
		if err == nil {
			s.set(to, newObject(o.data, contentType))
		}
		return struct{}{}, err
	})
	return err
}

// source returns an object that is to be copied.
func (s *Store) source(from file.Location, etag string) (*object, error) {
	if s.NoCopy {
		return nil, storage.ErrNoCopy
	}
	return s.find(from, etag)
}
