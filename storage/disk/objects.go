package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Put implements storage.Store.
func (s *Store) Put(
	ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64,
) (etag string, err error) {
	err = s.call(ctx, "PutObject", "put object", file.ErrStorageWrite, func(ctx context.Context) error {
		return s.write(size, func() error {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return err
			}
			etag, err = s.putObject(ctx, at, contentType, body, size)
			return err
		})
	})
	return etag, err
}

func (s *Store) putObject(
	ctx context.Context, at file.Location, contentType string, body io.Reader, size int64,
) (etag string, err error) {
	d, err := s.newDraft()
	if err != nil {
		return "", err
	}
	defer d.drop()
	sums, err := copyExactly(ctx, d, body, size)
	if err != nil {
		return "", err
	}
	r := record{Key: at.Key, Type: contentType, ETag: sums.etag(), Size: size}
	return quoted(r.ETag), s.publish(ctx, d, at, r)
}

// publish makes a draft the object at a location: it appends the record, and returns once the object is durable.
func (s *Store) publish(ctx context.Context, d *draft, at file.Location, r record) error {
	path := s.object(at)
	if err := s.ensure(ctx, filepath.Dir(path)); err != nil {
		return err
	}
	if err := r.append(d); err != nil {
		return err
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	discard, err := s.replace(ctx, at, func() error { return d.rename(path) })
	if err != nil {
		return err
	}
	if err = s.flush(ctx, nil, filepath.Dir(path)); err == nil {
		discard()
	}
	return err
}

// replace gives an object's name to another file by calling rename. If there was an object that consists of parts,
// discard removes those parts.
func (s *Store) replace(ctx context.Context, at file.Location, rename func() error) (discard func(), err error) {
	path := s.object(at)
	lock := s.keys.of(path)
	lock.Lock()
	defer lock.Unlock()
	old, err := s.recordAt(path)
	switch {
	case isMissing(err) || errors.Is(err, errDamaged) || err == nil && old.Upload == "":
		return func() {}, rename() // there was no object, or none with parts
	case err != nil:
		return nil, err
	}
	noted, err := s.note(ctx, at.Bucket, path)
	if err != nil {
		return nil, err
	}
	if err := rename(); err != nil {
		_ = s.fs.Remove(noted) // otherwise the next start removes it
		return nil, err
	}
	return func() {
		if s.holding.removal() == nil { // otherwise the next start removes them
			s.discard(ctx, at.Bucket, noted)
		}
	}, nil
}

// Delete implements storage.Store; storage.ErrHeld during a backup.
func (s *Store) Delete(ctx context.Context, at file.Location) error {
	return s.call(ctx, "DeleteObject", "delete object", file.ErrStorageWrite, func(ctx context.Context) error {
		if err := s.holding.removal(); err != nil {
			return err
		}
		path := s.object(at)
		lock := s.keys.of(path)
		lock.Lock()
		defer lock.Unlock()
		if err := s.old.remove(at); err != nil {
			return err
		}
		r, err := s.recordAt(path)
		if isMissing(err) {
			return nil
		}
		if errors.Is(err, errDamaged) || err == nil && r.Upload == "" {
			return s.fs.Remove(path)
		}
		if err != nil {
			return err
		}
		noted, err := s.noteByRename(ctx, at.Bucket, path)
		if err == nil {
			s.discard(ctx, at.Bucket, noted)
		}
		return err
	})
}

// found is an open object.
type found struct {
	record
	file     *os.File // nil: the object consists of files of parts
	modified time.Time
}

// find opens an object. The caller closes its file.
func (s *Store) find(at file.Location) (o found, err error) {
	f, err := s.fs.Open(s.object(at))
	if isMissing(err) {
		o, err = s.old.find(at)
		if isMissing(err) {
			err = fmt.Errorf("%w: %s", file.ErrObjectMissing, at.Key)
		}
		return o, err
	}
	if err != nil {
		return o, err
	}
	info, err := f.Stat()
	if err == nil {
		o.record, err = readRecord(f)
	}
	if err == nil && o.Key != at.Key {
		err = fmt.Errorf("%w: it is the object %q", errDamaged, o.Key)
	}
	if err != nil {
		f.Close()
		return o, err
	}
	o.modified, o.file = info.ModTime(), f
	if o.Upload != "" {
		o.file = nil
		f.Close()
	}
	return o, nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, at file.Location) (object storage.Object, err error) {
	err = s.call(ctx, "HeadObject", "look at object", file.ErrStorageRead, func(context.Context) error {
		object, err = s.stat(at)
		return err
	})
	return object, err
}

func (s *Store) stat(at file.Location) (storage.Object, error) {
	o, err := s.find(at)
	if err != nil {
		return storage.Object{}, err
	}
	if o.file != nil {
		o.file.Close()
	}
	return storage.Object{Size: o.Size, ETag: quoted(o.ETag), Type: o.Type, Modified: o.modified}, nil
}

// Copy implements storage.Copier.
func (s *Store) Copy(
	ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string,
) error {
	return s.call(ctx, "CopyObject", "copy object", file.ErrStorageWrite, func(ctx context.Context) error {
		o, err := s.stat(from)
		if err != nil {
			return err
		}
		return s.write(o.Size, func() error {
			body, err := s.open(ctx, from, fromETag, 0, o.Size)
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = s.putObject(ctx, to, contentType, body, o.Size)
			return err
		})
	})
}
