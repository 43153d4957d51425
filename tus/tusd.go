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

// store implements tusd's DataStore with the engine, and its Locker with the leases. What tusd does not pass from one
// to the other is kept in the request's exchange.
type store struct{ engine *upload.Engine }

// tusUpload implements tusd's Upload for the upload of a request.
type tusUpload struct {
	x *exchange
	u *file.Upload
}

// NewUpload returns the upload whose row the PreCreate hook has written.
func (s store) NewUpload(ctx context.Context, _ handler.FileInfo) (handler.Upload, error) {
	return s.GetUpload(ctx, "")
}

// GetUpload returns the upload under this request's lease, or as it was read if the request needs no lease.
func (s store) GetUpload(ctx context.Context, _ string) (handler.Upload, error) {
	x := exchangeOf(ctx)
	return &tusUpload{x, x.upload}, nil
}

// GetInfo returns the upload's offset and length. It first finishes an upload that has all its bytes: tusd calls
// FinishUpload once, and never again after it failed.
func (up *tusUpload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	if !up.u.Done() && (up.u.Complete() && up.x.isForUpload() || len(up.u.Sources) > 0) {
		if err := up.x.session.Finish(); err != nil {
			return handler.FileInfo{}, fail(ctx, err)
		}
	}
	return handler.FileInfo{ID: string(up.u.ID), Size: up.u.Size, SizeIsDeferred: up.u.Deferred, Offset: up.u.Offset}, nil
}

// WriteChunk appends the request's body.
func (up *tusUpload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	n, err := up.append(offset, src)
	return n, fail(ctx, err)
}

func (up *tusUpload) append(offset int64, src io.Reader) (int64, error) {
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
	if err := x.draft.checkLength(x.r, up.u); err != nil {
		return 0, err
	}
	start, left := x.body.Count(), up.u.Size-offset
	n, err := s.Append(offset, upload.Body{
		Reader:    &source{src, x},
		Length:    x.r.ContentLength,
		Exceeded:  func() bool { return !up.u.Deferred && x.body.Count()-start > left },
		Interrupt: x.body.Interrupt,
		Cut:       x.body.Cut,
		Check:     x.check,
		More:      x.draft.isLastBody(x.r) && up.u.Deferred,
	})
	if err == nil && !x.body.Cut() {
		err = x.draft.checkEnd(x.r, up.u)
	}
	return n, err
}

// source is the body as the engine reads it. From tusd a body that was refused ends like any other; its last bytes
// would be committed, and could complete the upload, although the client is told that they were refused.
type source struct {
	io.Reader
	x *exchange
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) && s.x.err != nil {
		err = s.x.err
	}
	return n, err
}

// FinishUpload makes a file of an upload that has all its bytes.
func (up *tusUpload) FinishUpload(ctx context.Context) error {
	if up.u.Done() {
		return nil
	}
	if up.x.session == nil {
		return fail(ctx, fmt.Errorf("finish %s without its lease", up.u.ID))
	}
	return fail(ctx, up.x.session.Finish())
}

// GetReader is never called: downloads do not go through tusd.
func (up *tusUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, errors.New("downloads do not go through tusd")
}

// AsTerminatableUpload tells tusd that the termination extension is supported.
func (s store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(*tusUpload)
}

// Terminate ends the upload, or deletes the file it became.
func (up *tusUpload) Terminate(ctx context.Context) error { return fail(ctx, up.x.session.Terminate()) }

// AsLengthDeclarableUpload tells tusd that the creation-defer-length extension is supported.
func (s store) AsLengthDeclarableUpload(u handler.Upload) handler.LengthDeclarableUpload {
	return u.(*tusUpload)
}

// DeclareLength sets the length of an upload that was created without one. If the body is longer than that, the
// request is refused and the length is not set.
func (up *tusUpload) DeclareLength(ctx context.Context, length int64) error {
	if n := up.x.r.ContentLength; up.x.draft == "" && n > length-up.u.Offset { // a draft declares after the body
		return fail(ctx, file.Refuse(file.ErrTooLarge, "The body has %d bytes, the length leaves %d", n, length-up.u.Offset))
	}
	return fail(ctx, up.x.session.Declare(length))
}

// NewLock returns a lock without taking it.
func (s store) NewLock(id string) (handler.Lock, error) {
	return &lock{engine: s.engine, id: file.ID(id)}, nil
}

// lock implements tusd's Lock with a session.
type lock struct {
	engine  *upload.Engine
	id      file.ID
	session *upload.Session
}

// Lock waits until ctx ends. A later request that wants the lock interrupts this one's body by reqbody.Body, and not
// in tusd's own way: see ServeHTTP.
func (k *lock) Lock(ctx context.Context, _ func()) error {
	x := exchangeOf(ctx)
	if x.session != nil || x.needsNoLease() { // a new upload has its lease already; a reader needs none
		return nil
	}
	s, err := k.engine.Take(ctx, k.id, x.body.Interrupt)
	if err != nil {
		return fail(ctx, err)
	}
	k.session = s
	x.setSession(s)
	if x.upload.Gone() {
		s.Close()
		return fail(ctx, upload.Expired(x.upload))
	}
	return nil
}

// Unlock releases the lease.
func (k *lock) Unlock() error {
	if k.session != nil {
		k.session.Close()
	}
	return nil
}
