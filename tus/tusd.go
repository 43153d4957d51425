package tus

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/upload"
)

// store is the engine as tusd's DataStore, and the leases as its Locker. What tusd
// does not hand from one to the other travels in the request's exchange.
type store struct{ engine *upload.Engine }

// oneUpload is the upload of a request, as tusd's Upload.
type oneUpload struct {
	x *exchange
	u *file.Upload
}

// NewUpload returns the upload whose row the PreCreate hook wrote.
func (s store) NewUpload(ctx context.Context, _ handler.FileInfo) (handler.Upload, error) {
	return s.GetUpload(ctx, "")
}

// GetUpload returns the upload as it is under the lease of this request, or as it was
// when no request held it.
func (s store) GetUpload(ctx context.Context, _ string) (handler.Upload, error) {
	x := exchangeOf(ctx)
	return &oneUpload{x, x.upload}, nil
}

// GetInfo says how far the upload is. One that has all its bytes is finished first:
// tusd calls FinishUpload once, and never again after it failed.
func (up *oneUpload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	if !up.u.Done() && (up.u.Complete() && up.x.resumes() || len(up.u.Sources) > 0) {
		if err := up.x.session.Finish(); err != nil {
			return handler.FileInfo{}, fail(ctx, err)
		}
	}
	return handler.FileInfo{ID: string(up.u.ID), Size: up.u.Size, SizeIsDeferred: up.u.Deferred, Offset: up.u.Offset}, nil
}

// WriteChunk appends the request's body.
func (up *oneUpload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	n, err := up.append(offset, src)
	return n, fail(ctx, err)
}

func (up *oneUpload) append(offset int64, src io.Reader) (int64, error) {
	x, s := up.x, up.x.session
	if s == nil {
		return 0, fmt.Errorf("write to %s without its lease", up.u.ID)
	}
	claim, err := digest.Parse(x.r.Header, "Repr-Digest")
	if err != nil {
		return 0, err
	}
	if err := s.Claim(claim); err != nil {
		return 0, err
	}
	if err := x.draft.fits(x.r, up.u); err != nil {
		return 0, err
	}
	start, left := x.body.Count(), up.u.Size-offset
	n, err := s.Append(offset, upload.Body{
		Reader:    src,
		Length:    x.r.ContentLength,
		Exceeded:  func() bool { return !up.u.Deferred && x.body.Count()-start > left },
		Interrupt: x.body.Interrupt,
		Cut:       x.body.Cut,
		Check:     x.check,
		More:      x.draft.completes(x.r) && up.u.Deferred,
	})
	if err == nil && !x.body.Cut() {
		err = x.draft.ends(x.r, up.u)
	}
	return n, err
}

// FinishUpload takes an upload with all its bytes to its record.
func (up *oneUpload) FinishUpload(ctx context.Context) error {
	if up.u.Done() {
		return nil
	}
	if up.x.session == nil {
		return fail(ctx, fmt.Errorf("finish %s without its lease", up.u.ID))
	}
	return fail(ctx, up.x.session.Finish())
}

// GetReader is never called: downloads do not go through tusd.
func (up *oneUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("downloads do not go through tusd")
}

// AsTerminatableUpload makes the termination extension known to tusd.
func (s store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(*oneUpload)
}

// Terminate ends the upload, or deletes the file it became.
func (up *oneUpload) Terminate(ctx context.Context) error { return fail(ctx, up.x.session.Terminate()) }

// AsLengthDeclarableUpload makes the creation-defer-length extension known to tusd.
func (s store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*oneUpload)
}

// DeclareLength sets the length of an upload that was begun without one. A body that is longer declares nothing: the
// request is wrong as a whole.
func (up *oneUpload) DeclareLength(ctx context.Context, length int64) error {
	if n := up.x.r.ContentLength; up.x.draft == "" && n > length-up.u.Offset { // a draft declares behind its body
		return fail(ctx, file.Refuse(file.ErrTooLarge, "The body has %d bytes, the length leaves %d", n, length-up.u.Offset))
	}
	return fail(ctx, up.x.session.Declare(length))
}

// NewLock names a lock without taking it.
func (s store) NewLock(id string) (handler.Lock, error) {
	return &lock{engine: s.engine, id: file.ID(id)}, nil
}

// lock is a session as tusd's Lock.
type lock struct {
	engine  *upload.Engine
	id      file.ID
	session *upload.Session
}

// Lock waits until ctx ends. A request that wants the lock later interrupts this one; see
// reqbody.Body for why not in tusd's own way.
func (k *lock) Lock(ctx context.Context, _ func()) error {
	x := exchangeOf(ctx)
	if x.session != nil || x.reads() { // a new upload was born under its lease; a reader needs none
		return nil
	}
	s, err := k.engine.Take(ctx, k.id, x.body.Interrupt)
	if err != nil {
		return fail(ctx, err)
	}
	k.session = s
	x.hold(s)
	if x.upload.Gone() {
		s.Close()
		return fail(ctx, upload.Expired(x.upload))
	}
	return nil
}

// Unlock gives the lease back.
func (k *lock) Unlock() error {
	if k.session != nil {
		k.session.Close()
	}
	return nil
}
