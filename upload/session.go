package upload

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// Session is the right to change one upload: its lease, and its row as read and changed under that lease. It must be
// closed.
//
// Its methods go on when the client goes away: bytes that arrived are kept. They end when the lease is lost, and then
// change nothing any more. They must not be called concurrently. If the last commit has released the lease (the upload
// became a file, or was ended), Close knows.
type Session struct {
	engine *Engine
	lease  *lease
	u      *file.Upload
}

// TakeTimeout is the longest that a request should wait for another request to release an upload.
const TakeTimeout = 18 * time.Second

// Take waits until ctx ends for the lease on an upload, and asks its holder to release it. requestRelease is called
// when others ask for this session's lease: it should cause the session to commit what it has and to close; nil if the
// session is short anyway. It may be called from another goroutine, and more than once. The error is file.ErrLocked if
// the holder does not release the lease in time, and file.ErrNotFound if there is no such upload.
func (e *Engine) Take(ctx context.Context, id file.ID, requestRelease func()) (*Session, error) {
	l, u, err := e.leases.take(ctx, id, requestRelease)
	if err != nil {
		return nil, err
	}
	return &Session{engine: e, lease: l, u: u}, nil
}

// Upload returns the upload as this session has last committed it. It changes with the session.
func (s *Session) Upload() *file.Upload { return s.u }

// Lost returns why the lease was lost; nil while it is held.
func (s *Session) Lost() error {
	if s.lease.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.lease.ctx)
}

// Append adds the bytes of a body to the upload, which must be at offset. It returns how many were committed, also
// with an error: those are durable, whatever went wrong after them. With a checksum that is all of them or none.
//
// The errors are file.ErrConflict for another offset, file.ErrTooLarge for more bytes than the upload's length or the
// cap allows, file.ErrChecksum, file.ErrBusy for want of memory, file.ErrNoSpace, file.ErrQuota, file.ErrUnavailable
// for a store or a database that does not answer, and those with which the body was read.
func (s *Session) Append(offset int64, b Body) (n int64, err error) {
	if s.u.Offset != offset || s.u.State != file.Open || s.u.Direct {
		return 0, fmt.Errorf("upload %s is %s at %d, not at %d: %w", s.u.ID, s.u.State, s.u.Offset, offset, file.ErrConflict)
	}
	err = s.do(func(ctx context.Context) (err error) { n, err = s.engine.append(ctx, s.u, b); return err })
	return n, err
}

// Declare sets the length, in bytes, of an upload that was begun without one.
// file.ErrTooLarge if it is over the cap.
func (s *Session) Declare(length int64) error {
	return s.do(func(ctx context.Context) error {
		if length == s.u.Offset { // it completes the upload, and the draft's clients declare it after a body
			if err := s.engine.hooks.Confirm(ctx, true); err != nil {
				return err
			}
		}
		return s.engine.declare(ctx, s.u, length)
	})
}

// Claim stores the SHA-256 that the client declares for the whole file; nil: none. file.ErrInvalid if it declared
// another one before.
func (s *Session) Claim(sum []byte) error {
	return s.do(func(ctx context.Context) error { return s.engine.noteClaim(ctx, s.u, sum) })
}

// Finish takes an upload that has all its bytes, or will get them from its sources, to its record. After an error it
// can be called again, also by another session.
func (s *Session) Finish() error {
	return s.do(func(ctx context.Context) error { return s.engine.finish(ctx, s.u) })
}

// Terminate ends the upload for its client, or deletes the file that it became.
func (s *Session) Terminate() error {
	if err := s.engine.hooks.Confirm(s.lease.ctx, false); err != nil { // it may have waited long for the lease
		return err
	}
	err := s.end(nil)
	if err == nil {
		s.engine.metrics.removed.Inc()
	}
	return err
}

// end is Terminate without a request of a client, which is told why if it asks soon: see Engine.Ended.
func (s *Session) end(why error) error {
	return s.do(func(ctx context.Context) error { return s.engine.terminate(ctx, s.u, why) })
}

// Close releases the lease. It may be called more than once.
func (s *Session) Close() { s.lease.release() }

// do has f change the upload under the lease, and notes whether its last commit has released the lease. An upload of
// which the store has lost bytes is ended.
func (s *Session) do(f func(context.Context) error) error {
	defer func() { s.lease.releasedByCommit.Store(!s.u.Held) }()
	return s.engine.endLost(s.lease.ctx, s.u, f(s.lease.ctx))
}

// Expired returns the error for an upload that has expired: a file.ErrGone.
func Expired(u *file.Upload) error {
	return file.Refuse(file.ErrGone, "This upload expired at %s: begin a new one", u.Expires.Format(time.RFC3339))
}

// noteClaim stores the declared digest of an upload that is not complete yet.
func (e *Engine) noteClaim(ctx context.Context, u *file.Upload, sum []byte) error {
	switch {
	case sum == nil || bytes.Equal(sum, u.Claim):
		return nil
	case u.Claim != nil:
		return file.Refuse(file.ErrInvalid, "The SHA-256 is not the one that was declared before")
	}
	if err := e.rows.SetClaim(ctx, u.Fence(), sum); err != nil {
		return err
	}
	u.Claim = sum
	return nil
}

// declare sets the length of an upload that was begun without one.
func (e *Engine) declare(ctx context.Context, u *file.Upload, length int64) error {
	if err := e.hooks.Fits(length); err != nil {
		return err
	}
	if err := e.rows.DeclareLength(ctx, u.Fence(), length); err != nil {
		return err
	}
	u.Size, u.Deferred = length, false
	return nil
}
