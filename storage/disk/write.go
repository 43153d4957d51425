package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// The gateway does not flush its writes, fills the disk to its last byte, and knows nothing of backups. So every
// call that writes or removes goes through one of these methods.

// flushLimit is the time limit of a flush. It waits for everything that was written to the file system, also by others.
const flushLimit = 5 * time.Minute

// write makes a call that writes n bytes: if there is space for them, and durable when it returns.
func (s *Store) write(ctx context.Context, n int64, call func() error) error {
	give, err := s.room.Take(n)
	if err != nil {
		return fmt.Errorf("write to the disk: %w", err)
	}
	defer give()
	if err = call(); err == nil {
		err = s.flushed(ctx)
	}
	if errors.Is(err, file.ErrStorageWrite) {
		// The gateway reports a full disk in many ways, such as a folder that can't be made.
		if full := s.room.Check(); errors.Is(full, file.ErrNoSpace) {
			return fmt.Errorf("%w: %w", full, errors.New(err.Error()))
		}
	}
	return err
}

// flushed returns when what was written is on the disk.
func (s *Store) flushed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := s.flush(ctx); err != nil {
		return fmt.Errorf("%w: %w", file.ErrStorageWrite, err)
	}
	return nil
}

// Put is storage.Store's.
func (s *Store) Put(
	ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64,
) (etag string, err error) {
	err = s.write(ctx, size, func() error {
		etag, err = s.Client.Put(ctx, at, contentType, body, size)
		return err
	})
	return etag, err
}

// BeginMultipart is storage.Store's.
func (s *Store) BeginMultipart(
	ctx context.Context, at file.Location, contentType string, copies bool,
) (m file.Multipart, err error) {
	err = s.write(ctx, 0, func() error {
		m, err = s.Client.BeginMultipart(ctx, at, contentType, copies)
		return err
	})
	return m, err
}

// PutPart is storage.Store's.
func (s *Store) PutPart(
	ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker, size int64,
) (part file.Part, err error) {
	err = s.write(ctx, size, func() error {
		part, err = s.Client.PutPart(ctx, at, m, number, body, size)
		return err
	})
	return part, err
}

// CopyPart is storage.Copier's.
func (s *Store) CopyPart(
	ctx context.Context, from file.Location, fromETag string, offset, length int64,
	to file.Location, m file.Multipart, number int32,
) (part file.Part, err error) {
	err = s.write(ctx, length, func() error {
		part, err = s.Client.CopyPart(ctx, from, fromETag, offset, length, to, m, number)
		return err
	})
	return part, err
}

// Copy is storage.Copier's.
func (s *Store) Copy(
	ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string,
) error {
	return s.write(ctx, 0, func() error { return s.Client.Copy(ctx, from, fromETag, to, contentType) })
}

// Complete is storage.Store's. It waits until a backup has copied the parts.
func (s *Store) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	if err := s.holding.completion(ctx); err != nil {
		return fmt.Errorf("complete multipart upload: %w", err)
	}
	size := int64(0)
	for _, p := range parts {
		size += p.Size // the object is written before its parts are removed
	}
	return s.write(ctx, size, func() error { return s.Client.Complete(ctx, at, m, parts) })
}

// Delete is storage.Store's; storage.ErrHeld while a backup is made.
func (s *Store) Delete(ctx context.Context, at file.Location) error {
	if err := s.holding.removal(); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return s.Client.Delete(ctx, at)
}

// Abort is storage.Store's; storage.ErrHeld while a backup is made.
func (s *Store) Abort(ctx context.Context, at file.Location, uploadID string) error {
	if err := s.holding.removal(); err != nil {
		return fmt.Errorf("abort multipart upload: %w", err)
	}
	return s.Client.Abort(ctx, at, uploadID)
}

var _ interface {
	storage.Store
	storage.Copier
} = (*Store)(nil)
