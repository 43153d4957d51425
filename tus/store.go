package tus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/file"
	"holdfast/hooks"
)

// store is the engine as tusd's DataStore, and the leases as its Locker. What tusd
// does not hand from one to the other travels in the request's exchange.
type store struct{ *Engine }

// upload is the one upload of a request.
type upload struct {
	*Engine
	x *exchange
	u *file.Upload
}

// NewUpload returns the upload whose row the PreCreate hook wrote.
func (s store) NewUpload(ctx context.Context, _ handler.FileInfo) (handler.Upload, error) {
	return s.GetUpload(ctx, "")
}

// GetUpload returns the upload as it is under the lease of this request, or as it was
// when nobody had it.
func (s store) GetUpload(ctx context.Context, _ string) (handler.Upload, error) {
	x := exchangeOf(ctx)
	return &upload{s.Engine, x, x.upload}, nil
}

// GetInfo says how far the upload is. One that has all its bytes is finished first:
// tusd calls FinishUpload once, and never again after it failed.
func (up *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	if !up.u.Done() && (up.u.Complete() && up.x.resumes() || len(up.u.Sources) > 0) {
		if err := up.finish(up.x.lease.ctx, up.u); err != nil {
			return handler.FileInfo{}, fail(ctx, err)
		}
	}
	return handler.FileInfo{ID: string(up.u.ID), Size: up.u.Size, SizeIsDeferred: up.u.Deferred, Offset: up.u.Offset}, nil
}

// WriteChunk appends the request's body.
func (up *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	x := up.x
	if x.lease == nil {
		return 0, fail(ctx, fmt.Errorf("write to %s without its lease", up.u.ID))
	}
	if up.u.Offset != offset || up.u.State != file.Open {
		return 0, fail(ctx, fmt.Errorf("upload %s is %s at %d, not at %d: %w", up.u.ID, up.u.State, up.u.Offset, offset, file.ErrConflict))
	}
	if err := up.claim(ctx); err != nil {
		return 0, fail(ctx, err)
	}
	if err := x.draft.fits(x.r, up.u); err != nil {
		return 0, fail(ctx, err)
	}
	start, left := x.body.count(), up.u.Size-offset
	n, err := up.append(x.lease.ctx, up.u, source{
		Reader:    src,
		length:    x.r.ContentLength,
		exceeded:  func() bool { return !up.u.Deferred && x.body.count()-start > left },
		interrupt: x.interrupt,
		cut:       x.body.cut.Load,
		check:     x.check,
		goesOn:    x.draft.completes(x.r) && up.u.Deferred,
	})
	x.lease.over.Store(!up.u.Held)
	if err == nil && !x.body.cut.Load() {
		err = x.draft.ends(x.r, up.u)
	}
	return n, fail(ctx, err)
}

// claim notes what the request says of the whole file (RFC 9530, Repr-Digest).
func (up *upload) claim(ctx context.Context) error {
	sum, err := hooks.ParseClaim(nil, up.x.r.Header.Values("Repr-Digest"))
	if err != nil {
		return err
	}
	return up.noteClaim(ctx, up.u, sum)
}

// noteClaim notes what its client says of a whole file that is not there yet.
func (e *Engine) noteClaim(ctx context.Context, u *file.Upload, sum []byte) error {
	switch {
	case sum == nil || bytes.Equal(sum, u.Claim):
		return nil
	case u.Claim != nil:
		return file.Refuse(file.ErrInvalid, "Repr-Digest is not the one that was declared before")
	}
	if err := e.rows.SetClaim(ctx, u.Fence(), sum); err != nil {
		return err
	}
	u.Claim = sum
	return nil
}

// isClaimed compares the bytes of an upload, which are all there, with what its client says that they are.
func isClaimed(u *file.Upload, claim []byte) error {
	if claim == nil {
		return nil
	}
	sum, err := hooks.Digest(u.HashState)
	if err != nil || bytes.Equal(sum, claim) {
		return err
	}
	return file.Refuse(file.ErrDigest, "The content has the SHA-256 %x, %x was declared", sum, claim)
}

// FinishUpload takes an upload with all its bytes to its record.
func (up *upload) FinishUpload(ctx context.Context) error {
	if up.u.Done() {
		return nil
	}
	if up.x.lease == nil {
		return fail(ctx, fmt.Errorf("finish %s without its lease", up.u.ID))
	}
	err := up.finish(up.x.lease.ctx, up.u)
	up.x.lease.over.Store(!up.u.Held)
	return fail(ctx, err)
}

// GetReader is never called: downloads do not go through tusd.
func (up *upload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("downloads do not go through tusd")
}

// AsTerminatableUpload makes the termination extension known to tusd.
func (s store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload { return u.(*upload) }

// Terminate ends the upload, or deletes the file it became.
func (up *upload) Terminate(ctx context.Context) error {
	err := up.terminate(up.x.lease.ctx, up.u)
	if err == nil {
		up.metrics.removed.Inc()
	}
	up.x.lease.over.Store(!up.u.Held)
	return fail(ctx, err)
}

// AsLengthDeclarableUpload makes the creation-defer-length extension known to tusd.
func (s store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*upload)
}

// DeclareLength sets the length of an upload that was begun without one.
func (up *upload) DeclareLength(ctx context.Context, length int64) error {
	return fail(ctx, up.declare(ctx, up.u, length))
}

// declare sets the length of an upload that was begun without one.
func (e *Engine) declare(ctx context.Context, u *file.Upload, length int64) error {
	if err := e.finisher.Fits(length); err != nil {
		return err
	}
	if err := e.rows.DeclareLength(ctx, u.Fence(), length); err != nil {
		return err
	}
	u.Size, u.Deferred = length, false
	return nil
}

// NewLock names a lock without taking it.
func (s store) NewLock(id string) (handler.Lock, error) {
	return &lock{s.leases, file.ID(id), nil}, nil
}

// lock is a lease as tusd's Lock.
type lock struct {
	leases *leases
	id     file.ID
	lease  *lease
}

// Lock waits until ctx ends. Who wants the lock after that interrupts this request;
// see exchange.interrupt for why not in tusd's own way.
func (k *lock) Lock(ctx context.Context, _ func()) error {
	x := exchangeOf(ctx)
	if x.lease != nil || x.reads() { // a new upload was born under its lease; a reader needs none
		return nil
	}
	l, u, err := k.leases.take(ctx, k.id, x.interrupt)
	if err != nil {
		return fail(ctx, err)
	}
	k.lease, x.lease, x.upload = l, l, u
	if u.Gone() {
		l.give()
		return fail(ctx, expired(u))
	}
	return nil
}

// Unlock gives the lease back.
func (k *lock) Unlock() error {
	if k.lease != nil {
		k.lease.give()
	}
	return nil
}

func expired(u *file.Upload) error {
	return file.Refuse(file.ErrGone, "This upload expired at %s, begin a new one", u.Expires.Format(time.RFC3339))
}
