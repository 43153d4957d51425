package tus

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/file"
)

// store is the engine as tusd's DataStore, and the leases as its Locker. What tusd
// does not hand from one to the other travels in the request's exchange.
type store struct{ *Engine }

// upload is one upload within one request.
type upload struct {
	*Engine
	u *file.Upload
}

// NewUpload returns the upload whose row the PreCreate hook wrote.
func (s store) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	u, err := s.rows.Upload(ctx, file.ID(info.ID))
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &upload{s.Engine, u}, nil
}

// GetUpload reads the upload whose lease this request holds.
func (s store) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	l := exchangeOf(ctx).lease
	if l == nil {
		return nil, fail(ctx, fmt.Errorf("read upload %s without its lease", id))
	}
	u, err := s.load(l.ctx, l)
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &upload{s.Engine, u}, nil
}

// GetInfo says how far the upload is. One that has all its bytes is finished first:
// tusd calls FinishUpload once, and never again after it failed.
func (up *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	x := exchangeOf(ctx)
	if x.lease != nil && up.u.Complete() {
		if err := up.finish(x.lease.ctx, up.u); err != nil {
			return handler.FileInfo{}, fail(ctx, err)
		}
	}
	x.upload = up.u
	return handler.FileInfo{ID: string(up.u.ID), Size: up.u.Size, SizeIsDeferred: up.u.Deferred, Offset: up.u.Offset}, nil
}

// WriteChunk appends the request's body.
func (up *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	x := exchangeOf(ctx)
	if x.lease == nil {
		return 0, fail(ctx, fmt.Errorf("write to %s without its lease", up.u.ID))
	}
	if up.u.Epoch != x.lease.epoch { // a new upload, read before its lease was taken
		u, err := up.load(x.lease.ctx, x.lease)
		if err != nil {
			return 0, fail(ctx, err)
		}
		up.u, x.upload = u, u
	}
	if up.u.Offset != offset || up.u.State != file.Open {
		return 0, fail(ctx, fmt.Errorf("upload %s is %s at %d, not at %d: %w", up.u.ID, up.u.State, up.u.Offset, offset, file.ErrConflict))
	}
	start := x.body.count()
	n, err := up.append(x.lease.ctx, up.u, source{src, func() bool { return x.exceeds(start, up.u.Size-offset, up.u.Deferred) }})
	if err != nil {
		err = fail(ctx, err)
	}
	return n, err
}

// FinishUpload takes an upload with all its bytes to its record.
func (up *upload) FinishUpload(ctx context.Context) error {
	x := exchangeOf(ctx)
	if x.lease == nil { // an empty file, for which tusd takes no lock
		l, err := up.leases.take(ctx, up.u.ID, nil)
		if err != nil {
			return fail(ctx, err)
		}
		defer l.give()
		u, err := up.load(l.ctx, l)
		if err != nil {
			return fail(ctx, err)
		}
		up.u, x.upload = u, u
		return fail(ctx, up.finish(l.ctx, u))
	}
	return fail(ctx, up.finish(x.lease.ctx, up.u))
}

// GetReader is never called: downloads do not go through tusd.
func (up *upload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("downloads do not go through tusd")
}

// AsTerminatableUpload makes the termination extension known to tusd.
func (s store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload { return u.(*upload) }

// Terminate ends the upload, or deletes the file it became.
func (up *upload) Terminate(ctx context.Context) error {
	return fail(ctx, up.terminate(exchangeOf(ctx).lease.ctx, up.u))
}

// AsLengthDeclarableUpload makes the creation-defer-length extension known to tusd.
func (s store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*upload)
}

// DeclareLength sets the length of an upload that was begun without one.
func (up *upload) DeclareLength(ctx context.Context, length int64) error {
	if err := up.finisher.Fits(length); err != nil {
		return fail(ctx, err)
	}
	if err := up.rows.DeclareLength(ctx, up.u.Fence(), length); err != nil {
		return fail(ctx, err)
	}
	up.u.Size, up.u.Deferred = length, false
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
	l, err := k.leases.take(ctx, k.id, x.interrupt)
	if err != nil {
		return fail(ctx, err)
	}
	k.lease, x.lease = l, l
	return nil
}

// Unlock gives the lease back.
func (k *lock) Unlock() error {
	k.lease.give()
	return nil
}
