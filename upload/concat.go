package upload

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdfast/access"
	"holdfast/file"
	"holdfast/storage"
)

// copySize is the longest range that the store copies in one call, in bytes.
const copySize = 1 << 30

// Concatenate makes a file of the partial uploads that c names (tus 1.0.0, Concatenation). If there is an upload with
// exactly these sources already, because the answer was lost or the service crashed, it is continued. ctx limits the
// wait for the leases.
func (e *Engine) Concatenate(ctx context.Context, who file.Identity, c Creation) (*file.Upload, error) {
	u, err := e.rows.Final(ctx, who, c.Sources)
	if err == nil {
		return u, e.goOn(ctx, u, c.Claim)
	}
	if !errors.Is(err, file.ErrNotFound) {
		return nil, err
	}
	parts, err := e.takeSources(ctx, who, c.Sources)
	if errors.Is(err, file.ErrNotFound) {
		// Another request with the same sources may have been faster.
		if u, other := e.rows.Final(ctx, who, c.Sources); other == nil {
			return u, e.goOn(ctx, u, c.Claim)
		}
	}
	if err != nil {
		return nil, err
	}
	defer parts.close()
	c.Size = parts.size()
	s, err := e.Create(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	err = s.do(func(ctx context.Context) error { return e.concatenate(ctx, s.u, parts) })
	return s.u, err
}

// goOn finishes an existing final upload; claim is the digest that the client declares this time.
func (e *Engine) goOn(ctx context.Context, u *file.Upload, claim []byte) error {
	if u.Done() {
		return Matches(u, claim)
	}
	s, err := e.Take(ctx, u.ID, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	defer func() { *u = *s.u }()
	if s.u.Done() {
		return Matches(s.u, claim)
	}
	if err := s.Claim(claim); err != nil {
		return err
	}
	return s.Finish()
}

// sources are sessions on the partial uploads of a final one, in the order of their bytes. While they are held no
// other request can delete or use them.
type sources []*Session

// takeSources takes the leases on the partial uploads of a final one, and checks that they are the caller's own,
// partial, and complete.
func (e *Engine) takeSources(ctx context.Context, who file.Identity, ids []file.ID) (_ sources, err error) {
	all := make(sources, len(ids))
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	// In the same order in every request, or two requests could wait for each other.
	for _, id := range slices.Sorted(slices.Values(ids)) {
		s, err := e.Take(ctx, id, nil)
		if err != nil {
			return nil, sourceError(id, err)
		}
		all[slices.Index(ids, id)] = s
		if err := access.Upload(who, s.u); err != nil {
			return nil, err
		}
		switch {
		case !s.u.Partial:
			return nil, file.Refuse(file.ErrInvalid, "Upload-Concat: %s is not a partial upload", id)
		case s.u.Gone():
			return nil, file.Refuse(file.ErrGone, "Upload-Concat: %s has expired", id)
		case !s.u.Complete():
			return nil, file.Refuse(file.ErrInvalid, "Upload-Concat: %s is not finished, it is at %d", id, s.u.Offset)
		}
		if err := s.Finish(); err != nil { // its object may not have been assembled yet
			return nil, err
		}
	}
	return all, nil
}

func sourceError(id file.ID, err error) error {
	if errors.Is(err, file.ErrNotFound) {
		return file.Refuse(file.ErrNotFound, "Upload-Concat: there is no upload %s", id)
	}
	return err
}

func (all sources) close() {
	for _, s := range all {
		if s != nil {
			s.Close()
		}
	}
}

// size returns the length of the final upload, in bytes.
func (all sources) size() (n int64) {
	for _, s := range all {
		n += s.u.Size
	}
	return n
}

// concatenate builds the final upload u from its sources, and removes them once the file is recorded.
func (e *Engine) concatenate(ctx context.Context, u *file.Upload, parts sources) error {
	if err := e.join(ctx, u, parts); err != nil {
		return fmt.Errorf("put %s together: %w", u.ID, err)
	}
	if err := e.finish(ctx, u); err != nil {
		return err
	}
	for _, s := range parts {
		if err := s.end(); err != nil {
			e.log.WarnContext(ctx, "a partial upload stays until it expires", "upload", s.u.ID, "error", err)
		}
	}
	return nil
}

// assemble resumes concatenate for a final upload that was interrupted.
func (e *Engine) assemble(ctx context.Context, u *file.Upload) error {
	parts, err := e.takeSources(ctx, u.Creator, u.Sources)
	if errors.Is(err, file.ErrNotFound) || errors.Is(err, file.ErrGone) {
		return errors.Join(err, e.terminate(ctx, u)) // it can't become a file any more
	}
	if err != nil {
		return err
	}
	defer parts.close()
	return e.concatenate(ctx, u, parts)
}

// join adds the bytes of the sources to u, from its offset on.
func (e *Engine) join(ctx context.Context, u *file.Upload, parts sources) error {
	pieces, copyable := parts.pieces(u.Offset)
	if copyable {
		err := e.copyPieces(ctx, u, pieces)
		if !errors.Is(err, storage.ErrNoCopy) {
			return err
		}
		pieces, _ = parts.pieces(u.Offset)
	}
	if len(pieces) == 0 {
		return nil
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	body := &pieceReader{ctx: reading, objects: e.objects, pieces: pieces}
	defer body.Close()
	_, err := e.append(ctx, u, Body{Reader: body, Interrupt: stop})
	if err == nil && !u.Complete() {
		err = fmt.Errorf("%w: the sources ended at %d of %d bytes", file.ErrStorageRead, u.Offset, u.Size)
	}
	return err
}

// piece is a range of a source.
type piece struct {
	of             *file.Upload
	offset, length int64 // bytes, within the source
}

// pieces returns the ranges after the first skip bytes of the sources. copyable reports whether the store can copy
// them: each but the last must be long enough for a part.
func (all sources) pieces(skip int64) (pieces []piece, copyable bool) {
	for _, s := range all {
		u := s.u
		from := min(skip, u.Size)
		skip -= from
		for from < u.Size {
			n := min(copySize, u.Size-from)
			if rest := u.Size - from - n; rest > 0 && rest < storage.MinCopy {
				n -= storage.MinCopy // leave enough for the next piece
			}
			pieces = append(pieces, piece{u, from, n})
			from += n
		}
	}
	copyable = len(pieces) > 1
	for i, p := range pieces {
		if i < len(pieces)-1 && p.length < storage.MinCopy {
			copyable = false
		}
	}
	return pieces, copyable
}

// copyPieces lets the store copy the pieces, each as a part, and reads them for the hash.
func (e *Engine) copyPieces(ctx context.Context, u *file.Upload, pieces []piece) error {
	sum, err := resumeHash(u.HashState)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if err := e.copyPiece(ctx, u, p, sum); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) copyPiece(ctx context.Context, u *file.Upload, p piece, sum hash.Hash) error {
	number, err := e.nextPart(ctx, u, p.length)
	if err != nil {
		return err
	}
	var part file.Part
	both, ctx2 := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		part, err = e.objects.CopyPart(ctx2, p.of.Location, p.of.ETag, p.offset, p.length, u.Location, u.Multipart, number)
		return unavailable(err)
	})
	both.Go(func() error {
		r := &pieceReader{ctx: ctx2, objects: e.objects, pieces: []piece{p}}
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

// unavailable returns err, but unavailable instead of missing: the final upload, which the client asks for, exists.
func unavailable(err error) error {
	if errors.Is(err, file.ErrObjectMissing) {
		return fmt.Errorf("%w: a source: %s", file.ErrStorageRead, err.Error())
	}
	return err
}

// pieceReader reads pieces one after the other. A source that has changed, or is too short, is an error.
type pieceReader struct {
	ctx     context.Context
	objects Objects
	pieces  []piece
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
		body, err := r.objects.Open(r.ctx, p.of.Location, p.of.ETag, p.offset, p.length)
		if err != nil {
			return 0, unavailable(err)
		}
		r.body, r.left = body, p.length
	}
	n, err := r.body.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && r.left == 0:
		err = nil
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
