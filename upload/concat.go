package upload

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		return u, e.continueFinal(ctx, u, c.Claim)
	}
	if !errors.Is(err, file.ErrNotFound) {
		return nil, err
	}
	parts, err := e.takeSources(ctx, who, c.Sources)
	if errors.Is(err, file.ErrNotFound) {
		// Another request with the same sources may have been faster.
		if u, other := e.rows.Final(ctx, who, c.Sources); other == nil {
			return u, e.continueFinal(ctx, u, c.Claim)
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

// continueFinal finishes an existing final upload; claim is the digest that the client declares this time.
func (e *Engine) continueFinal(ctx context.Context, u *file.Upload, claim []byte) error {
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
			return nil, file.Refuse(file.ErrInvalid, "%s is not a partial upload", id)
		case s.u.Gone():
			return nil, file.Refuse(file.ErrGone, "The partial upload %s has expired", id)
		case !s.u.Complete():
			return nil, file.Refuse(file.ErrInvalid, "The partial upload %s is not finished, it is at %d", id, s.u.Offset)
		}
		if err := s.Finish(); err != nil { // its object may not have been assembled yet
			return nil, err
		}
	}
	return all, nil
}

func sourceError(id file.ID, err error) error {
	if errors.Is(err, file.ErrNotFound) {
		return file.Refuse(file.ErrNotFound, "There is no upload %s to concatenate", id)
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
		if err := s.end(nil); err != nil {
			e.log.WarnContext(ctx, "a partial upload stays until it expires", "upload", s.u.ID, "error", err)
		}
	}
	return nil
}

// assemble resumes concatenate for a final upload that was interrupted.
func (e *Engine) assemble(ctx context.Context, u *file.Upload) error {
	parts, err := e.takeSources(ctx, u.Creator, u.Sources)
	if errors.Is(err, file.ErrNotFound) || errors.Is(err, file.ErrGone) {
		return errors.Join(err, e.terminate(ctx, u, nil)) // it can't become a file any more
	}
	if err != nil {
		return err
	}
	defer parts.close()
	return e.concatenate(ctx, u, parts)
}

// join brings the bytes of the sources into u, from where it is. A source of which the store has lost bytes is ended.
func (e *Engine) join(ctx context.Context, u *file.Upload, parts sources) error {
	err := e.joinFrom(ctx, u, parts)
	lost, ok := errors.AsType[*lostSource](err)
	if !ok {
		return err
	}
	for _, s := range parts {
		if s.u.ID == lost.source {
			err = s.do(func(context.Context) error { return err })
		}
	}
	return err
}

func (e *Engine) joinFrom(ctx context.Context, u *file.Upload, parts sources) error {
	if err := e.checkBegun(ctx, parts, u.Offset); err != nil {
		return err
	}
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
	body := &pieceReader{ctx: reading, objects: e.objects, pieces: pieces, check: &sourceCheck{}}
	defer body.Close()
	_, err := e.append(ctx, u, Body{Reader: body, Interrupt: stop})
	if err == nil && !u.Complete() {
		err = fmt.Errorf("%w: the sources ended at %d of %d bytes", file.ErrStorageRead, u.Offset, u.Size)
	}
	return err
}

// piece is a range of a source.
type piece struct {
	source         *file.Upload
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
