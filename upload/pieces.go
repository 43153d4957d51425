package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/storage"
)

// copyPieces has the store copy the pieces, each as a part, and reads them for the hash.
func (e *Engine) copyPieces(ctx context.Context, u *file.Upload, pieces []piece) error {
	sum, err := file.ResumeHash(u.HashState)
	if err != nil {
		return err
	}
	check := &sourceCheck{}
	for _, p := range pieces {
		if err := e.copyPiece(ctx, u, p, sum, check); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) copyPiece(ctx context.Context, u *file.Upload, p piece, sum hash.Hash, check *sourceCheck) error {
	number, err := e.nextPart(ctx, u, p.length)
	if err != nil {
		return err
	}
	var part file.Part
	both, ctx2 := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		part, err = e.objects.CopyPart(ctx2, p.source.Location, p.source.ETag, p.offset, p.length, u.Location, u.Multipart,
			number)
		return p.lost(err)
	})
	both.Go(func() error {
		r := &pieceReader{ctx: ctx2, objects: e.objects, pieces: []piece{p}, check: check}
		defer r.Close()
		_, err := io.Copy(sum, r)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	part.Offset = u.Offset
	state, err := saveHash(sum)
	if err != nil {
		return err
	}
	return e.commitProgress(ctx, u, file.Progress{Offset: u.Offset + p.length, HashState: state, Parts: []file.Part{part}})
}

// lostSource says that the store has lost bytes of a source of a final upload. It is a file.ErrLost.
type lostSource struct {
	source file.ID
	err    error
}

func (l *lostSource) Error() string { return fmt.Sprintf("source %s: %v", l.source, l.err) }

func (l *lostSource) Unwrap() error { return l.err }

// lost makes an error of reading a piece, or of copying it, a lostSource if the store is sure of it. Where an object is
// only said to be missing it is a file.ErrStorageRead: to the client of the final upload that must be no 404.
func (p piece) lost(err error) error {
	if !errors.Is(err, file.ErrObjectMissing) {
		return err
	}
	if err = unreadable(err); errors.Is(err, file.ErrLost) {
		err = &lostSource{p.source.ID, err}
	}
	return err
}

// pieceReader reads pieces one after the other. A source that has changed, or ends too early,
// is an error.
type pieceReader struct {
	ctx     context.Context
	objects Objects
	pieces  []piece
	check   *sourceCheck
	body    io.ReadCloser // of the first piece
	left    int64         // bytes of it
}

func (r *pieceReader) Read(b []byte) (int, error) {
	for r.left == 0 {
		if r.body != nil {
			r.body.Close()
			r.body, r.pieces = nil, r.pieces[1:]
		}
		if len(r.pieces) == 0 {
			return 0, io.EOF
		}
		p := r.pieces[0]
		body, err := r.objects.Open(r.ctx, p.source.Location, p.source.ETag, p.offset, p.length)
		if err != nil {
			return 0, p.lost(err)
		}
		r.body, r.left = body, p.length
	}
	p := r.pieces[0]
	n, err := r.body.Read(b[:min(int64(len(b)), r.left)])
	if wrong := r.check.add(p.source, p.offset+p.length-r.left, b[:n]); wrong != nil {
		return 0, wrong
	}
	r.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && r.left == 0:
		err = nil
	case errors.Is(err, file.ErrObjectMissing):
		err = p.lost(err)
	case err != nil:
		err = fmt.Errorf("read a source: %w: %w", file.ErrStorageRead, err)
	}
	return n, err
}

func (r *pieceReader) Close() {
	if r.body != nil {
		r.body.Close()
	}
}

// sourceCheck compares the bytes of sources with those that were sent: the row of each has the state of their SHA-256.
type sourceCheck struct {
	sum  hash.Hash
	size int64 // bytes of the source that sum has
}

// add adds bytes of a source that were read at an offset. The error is a lostSource if they were its last ones, and it
// is another one than was sent. A source that is read from its middle on is not compared: see checkBegun.
func (c *sourceCheck) add(of *file.Upload, at int64, b []byte) error {
	if at == 0 {
		c.sum, c.size = sha256.New(), 0
	}
	if c.sum == nil || at != c.size {
		return nil
	}
	c.sum.Write(b)
	if c.size += int64(len(b)); c.size < of.Size {
		return nil
	}
	return differs(of, c.sum.Sum(nil))
}

// differs compares the SHA-256 of a source's object with that of the bytes that were sent.
func differs(of *file.Upload, got []byte) error {
	if of.HashState == nil { // nothing was sent
		return nil
	}
	want, err := file.Digest(of.HashState)
	if err == nil && !bytes.Equal(got, want) {
		err = &lostSource{of.ID, fmt.Errorf("%w: the object has the SHA-256 %x, %x was sent", file.ErrLost, got, want)}
	}
	return err
}

// checkBegun reads the source in whose middle a final upload goes on, which is compared with what was sent only when it
// is read from its beginning.
func (e *Engine) checkBegun(ctx context.Context, parts sources, skip int64) error {
	for _, s := range parts {
		if u := s.u; skip > 0 && skip < u.Size {
			got, err := storage.Hash(ctx, e.objects, u.Location, u.ETag, u.Size)
			if err != nil {
				return piece{source: u}.lost(err)
			}
			return differs(u, got)
		}
		skip -= s.u.Size
	}
	return nil
}
