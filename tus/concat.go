package tus

import (
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/access"
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/storage"
)

// copySize is the longest piece that the store copies in one call, in bytes.
const copySize = 1 << 30

// final makes a file of the partial uploads that c names. An upload that was begun with
// the very same sources is gone on with: its answer was lost, or the service with it.
func (e *Engine) final(ctx context.Context, who file.Identity, c hooks.Creation,
	create func(context.Context, hooks.Creation) (file.Upload, error)) (*file.Upload, error) {
	u, err := e.rows.Final(ctx, who, c.Sources)
	if err == nil {
		return u, e.goOn(ctx, u, c.Claim)
	}
	if !errors.Is(err, file.ErrNotFound) {
		return nil, err
	}
	s, err := e.lockSources(ctx, who, c.Sources)
	if errors.Is(err, file.ErrNotFound) {
		// Another request with the same sources may have been faster while we waited.
		if u, other := e.rows.Final(ctx, who, c.Sources); other == nil {
			return u, e.goOn(ctx, u, c.Claim)
		}
	}
	if err != nil {
		return nil, err
	}
	defer s.give()
	c.Size, c.Holder, c.Lease = s.size(), e.leases.holder, e.leases.ttl
	since := time.Now()
	born, err := create(ctx, c)
	if err != nil {
		return nil, err
	}
	l := e.leases.hold(ctx, &lease{id: born.ID, epoch: born.Epoch, since: since})
	defer l.give()
	err = e.concatenate(l.ctx, &born, s)
	l.over.Store(!born.Held)
	return &born, err
}

// goOn takes a final upload that is there already to its end; claim is what its client says of it now.
func (e *Engine) goOn(ctx context.Context, u *file.Upload, claim []byte) error {
	if u.Done() {
		return isClaimed(u, claim)
	}
	l, now, err := e.leases.take(ctx, u.ID, nil)
	if err != nil {
		return err
	}
	defer l.give()
	*u = *now
	if u.Done() {
		return isClaimed(u, claim)
	}
	if err = e.noteClaim(l.ctx, u, claim); err == nil {
		err = e.finish(l.ctx, u)
	}
	l.over.Store(!u.Held)
	return err
}

// sources are the partial uploads of a final one (tus 1.0.0, Concatenation), and the
// leases on them: nobody deletes or uses them meanwhile.
type sources struct {
	uploads []*file.Upload // in the order of their bytes
	leases  []*lease       // of each; nil where it is not taken yet
}

// lockSources takes the leases on the partial uploads of a final one, and checks that
// they may be used by who: own, partial, with all their bytes.
func (e *Engine) lockSources(ctx context.Context, who file.Identity, ids []file.ID) (_ *sources, err error) {
	s := &sources{uploads: make([]*file.Upload, len(ids)), leases: make([]*lease, len(ids))}
	defer func() {
		if err != nil {
			s.give()
		}
	}()
	// In one order for all, or two requests could wait for each other.
	for _, id := range slices.Sorted(slices.Values(ids)) {
		l, u, err := e.leases.take(ctx, id, nil)
		if err != nil {
			return nil, sourceError(id, err)
		}
		i := slices.Index(ids, id)
		s.leases[i], s.uploads[i] = l, u
		if err := access.Upload(who, u); err != nil {
			return nil, err
		}
		switch {
		case !u.Partial:
			return nil, file.Refuse(file.ErrInvalid, "Upload-Concat: %s is not a partial upload", id)
		case u.Gone():
			return nil, file.Refuse(file.ErrGone, "Upload-Concat: %s has expired", id)
		case !u.Complete():
			return nil, file.Refuse(file.ErrInvalid, "Upload-Concat: %s is not finished, it is at %d", id, u.Offset)
		}
		if err := e.finish(l.ctx, u); err != nil { // its object may have to be put together yet
			return nil, err
		}
	}
	return s, nil
}

func sourceError(id file.ID, err error) error {
	if errors.Is(err, file.ErrNotFound) {
		return file.Refuse(file.ErrNotFound, "Upload-Concat: there is no upload %s", id)
	}
	return err
}

func (s *sources) give() {
	for _, l := range s.leases {
		if l != nil {
			l.give()
		}
	}
}

// size is the length of the final upload, in bytes.
func (s *sources) size() (n int64) {
	for _, u := range s.uploads {
		n += u.Size
	}
	return n
}

// concatenate makes the final upload u of its sources, which are locked, and removes
// them once the file is recorded.
func (e *Engine) concatenate(ctx context.Context, u *file.Upload, s *sources) error {
	if err := e.join(ctx, u, s); err != nil {
		return fmt.Errorf("put %s together: %w", u.ID, err)
	}
	if err := e.finish(ctx, u); err != nil {
		return err
	}
	for i, source := range s.uploads {
		if err := e.terminate(s.leases[i].ctx, source); err != nil {
			e.log.WarnContext(ctx, "a partial upload stays until it expires", "upload", source.ID, "error", err)
			continue
		}
		s.leases[i].over.Store(true)
	}
	return nil
}

// assemble is concatenate's first half for a final upload that was cut short.
func (e *Engine) assemble(ctx context.Context, u *file.Upload) error {
	s, err := e.lockSources(ctx, u.Creator, u.Sources)
	if errors.Is(err, file.ErrNotFound) || errors.Is(err, file.ErrGone) {
		return errors.Join(err, e.terminate(ctx, u)) // it can't become a file any more
	}
	if err != nil {
		return err
	}
	defer s.give()
	return e.concatenate(ctx, u, s)
}

// join brings the bytes of the sources into u, from where it is.
func (e *Engine) join(ctx context.Context, u *file.Upload, s *sources) error {
	pieces, copyable := s.pieces(u.Offset)
	if copyable {
		err := e.copyPieces(ctx, u, pieces)
		if !errors.Is(err, storage.ErrNoCopy) {
			return err
		}
		pieces, _ = s.pieces(u.Offset)
	}
	if len(pieces) == 0 {
		return nil
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	body := &pieceReader{ctx: reading, objects: e.objects, pieces: pieces}
	defer body.Close()
	_, err := e.append(ctx, u, source{Reader: body, exceeded: never, cut: never, interrupt: stop})
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

// pieces are what follows the first skip bytes of the sources. They can be copied by the
// store if each but the last is long enough for a part.
func (s *sources) pieces(skip int64) (all []piece, copyable bool) {
	for _, u := range s.uploads {
		from := min(skip, u.Size)
		skip -= from
		for from < u.Size {
			n := min(copySize, u.Size-from)
			if rest := u.Size - from - n; rest > 0 && rest < storage.MinCopy {
				n -= storage.MinCopy // leave enough for the next piece
			}
			all = append(all, piece{u, from, n})
			from += n
		}
	}
	copyable = len(all) > 1
	for i, p := range all {
		if i < len(all)-1 && p.length < storage.MinCopy {
			copyable = false
		}
	}
	return all, copyable
}

// copyPieces has the store copy the pieces, each as a part, and reads them for the hash.
func (e *Engine) copyPieces(ctx context.Context, u *file.Upload, pieces []piece) error {
	sum := sha256.New()
	if u.HashState != nil {
		if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.HashState); err != nil {
			return fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	for _, p := range pieces {
		if err := e.copyPiece(ctx, u, p, sum); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) copyPiece(ctx context.Context, u *file.Upload, p piece, sum hash.Hash) error {
	part := file.Part{Offset: u.Offset, Size: p.length}
	var err error
	if part.Number, err = e.nextPart(ctx, u, p.length); err != nil {
		return err
	}
	both, ctx2 := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		part.ETag, err = e.objects.CopyPart(ctx2, p.of.Location, p.of.ETag, p.offset, p.length, u.Location, u.MultipartID, part.Number)
		return err
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
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return fmt.Errorf("save SHA-256 state: %w", err)
	}
	return e.commitProgress(ctx, u, file.Progress{Offset: u.Offset + p.length, HashState: state, Parts: []file.Part{part}})
}

// pieceReader reads pieces one after the other. A source that is not what it was, or
// ends too early, is an error.
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
		if errors.Is(err, file.ErrObjectMissing) {
			err = fmt.Errorf("%w: a source: %s", file.ErrStorageRead, err.Error())
		}
		if err != nil {
			return 0, err
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

func never() bool { return false }
