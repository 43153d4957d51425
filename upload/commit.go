package upload

import (
	"context"
	"errors"
	"slices"

	"holdfast/file"
)

// commitLanded commits the flights that have landed, up to the first one that has not, or must wait. With a checksum
// the commit waits for the end of the body.
func (a *appender) commitLanded(ctx context.Context) error {
	var fault error
	for len(a.flights) > 0 && a.flights[0].hasLanded() && !a.mustWait(a.flights[0]) {
		f := a.flights[0]
		if fault = f.err; fault != nil {
			break // the flights behind it would leave a hole
		}
		a.flights = a.flights[1:]
		a.add(f)
	}
	if a.body.Check == nil {
		if err := a.commit(ctx); err != nil {
			return err
		}
	}
	return fault
}

// mustWait reports whether a flight has the last bytes of the upload, and the body has not ended: it may still be
// refused, and then they must not have completed the upload.
func (a *appender) mustWait(f *flight) bool { return !a.ended && !a.u.Deferred && f.offset == a.u.Size }

// add adds a flight to the pending commit.
func (a *appender) add(f *flight) {
	p := &a.pending
	p.Offset, p.HashState = f.offset, f.hash
	switch {
	case f.part != nil:
		a.replace(f.part.Offset)
		p.Parts = append(p.Parts, *f.part)
	case f.tail != nil:
		a.replace(f.tail.Offset)
		if i := slices.IndexFunc(a.tails, func(t file.Tail) bool { return t.Key == f.tail.Key }); i >= 0 {
			a.tails[i] = *f.tail // with its sum
		}
		p.Tails = append(p.Tails, *f.tail)
	default:
		p.Whole, p.Key, p.ETag = true, f.key, f.etag
		a.replace(0)
	}
}

// replace removes the tails from an offset on from the pending commit: a part or a longer tail contains their bytes.
func (a *appender) replace(from int64) {
	a.pending.Tails, a.replaced = cutTails(a.pending.Tails, from, a.replaced)
}

// cutTails splits tails at an offset, and appends those after it to gone.
func cutTails(tails []file.Tail, from int64, gone []file.Tail) (left, all []file.Tail) {
	i := slices.IndexFunc(tails, func(t file.Tail) bool { return t.Offset >= from })
	if i < 0 {
		return tails, gone
	}
	return tails[:i:i], append(gone, tails[i:]...)
}

// commit commits what has landed.
func (a *appender) commit(ctx context.Context) error {
	p := a.pending
	if p.Offset == 0 {
		return nil
	}
	if err := a.engine.commitProgress(ctx, a.u, p); err != nil {
		if errors.Is(err, file.ErrQuota) { // certainly not committed
			a.engine.discard(ctx, a.u.Location.Bucket, p.Tails)
		}
		if !errors.Is(err, file.ErrUnavailable) {
			a.pending = file.Progress{} // the next attempt would be refused, too
		}
		return err
	}
	a.engine.discard(ctx, a.u.Location.Bucket, a.replaced)
	a.pending, a.replaced = file.Progress{}, nil
	if a.body.Committed != nil {
		a.body.Committed(a.u.Offset)
	}
	return nil
}

// commitLast makes the last commit of a request, which also releases the lease if nothing is left to do.
func (a *appender) commitLast(ctx context.Context, last bool) error {
	a.body.Check = nil // it was compared
	a.pending.Release = !last && !a.body.More
	return a.commitLanded(ctx)
}

// commitProgress commits p and updates u to match its row. It removes tails that became obsolete from the store.
//
// A file that was sent in one PutObject is recorded by the same commit.
func (e *Engine) commitProgress(ctx context.Context, u *file.Upload, p file.Progress) error {
	was := u.Fence()
	next := *u
	next.Offset, next.HashState = p.Offset, p.HashState
	if p.Whole {
		next.State, next.Location.Key, next.ETag = file.Stored, p.Key, p.ETag
	}
	if p.Whole && !u.Partial {
		if err := e.record(ctx, was, &next); err != nil {
			return copyEnded(u, next, err)
		}
	} else {
		var err error
		if p.Whole { // a partial upload that has all its bytes
			if err := e.verify(ctx, &next); err != nil {
				return copyEnded(u, next, err)
			}
		}
		if next.Expires, err = e.rows.Commit(ctx, was, p); err != nil {
			return err
		}
		next.Held = u.Held && !p.Release
	}
	if len(u.Sources) == 0 { // the bytes of a final upload were counted with its sources
		e.metrics.received.Add(float64(next.Offset - u.Offset))
	}
	var gone []file.Tail
	next.Tails, gone = cutTails(u.Tails, p.From(), nil)
	next.Tails = append(next.Tails, p.Tails...)
	*u = next
	e.discard(ctx, u.Location.Bucket, gone)
	return nil
}

// discardFlights removes the tails of flights after a failed one: no commit names them.
func (a *appender) discardFlights(ctx context.Context) {
	var tails []file.Tail
	for _, f := range a.flights {
		if f.tail != nil {
			tails = append(tails, *f.tail)
		}
	}
	a.engine.discard(ctx, a.u.Location.Bucket, tails)
}

// dropParts aborts the multipart upload of a request whose checksum was wrong, if it has no other parts. Otherwise the
// parts of that request stay in the store, and count against the quota, until the upload ends.
func (a *appender) dropParts(ctx context.Context) {
	if a.u.Multipart.ID == "" || a.u.Offset > sizeOf(a.u.Tails) {
		return
	}
	at, id := a.u.Location, a.u.Multipart.ID
	err := a.engine.rows.DropMultipart(ctx, a.u.Fence())
	if err == nil {
		a.u.Multipart = file.Multipart{}
		err = a.engine.objects.Abort(ctx, at, id)
	}
	if err != nil {
		a.engine.log.WarnContext(ctx, "obsolete parts stay until the upload ends", "upload", a.u.ID, "error", err)
	}
}
