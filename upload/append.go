package upload

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"holdfast/file"
	"holdfast/upload/memory"
)

// errCut ends a body that broke off before its checksum could be compared: none of its bytes are committed.
var errCut = errors.New("the body was cut before its checksum could be compared")

// appender adds the bytes of one request to an upload.
//
// The bytes are read from the body into buf. A full part is sent as a flight while the next one fills; the rest at the
// end is sent as a tail. Flights land in any order and are committed in the order of their bytes.
type appender struct {
	engine   *Engine
	u        *file.Upload // as committed
	body     Body
	pump     *pump
	share    *memory.Share
	fast     bool // the client filled what it was last read into
	slabSize int  // the slab that a fast client fills at once, in bytes

	start    int64         // where the body begins, in the file
	hash     hash.Hash     // of all bytes before hashed
	begun    []byte        // the state of hash before buf
	hashed   int64         // bytes of buf that are hashed already
	buf      memory.Buffer // read, and in no flight
	borrowed bool          // the pump reads into the last slab of buf
	ended    bool          // the body has ended, and was not refused
	read     int64         // bytes of the file that were read: committed, in flight, or in buf
	tails    []file.Tail
	flights  []*flight
	next     *flight       // prepared, and not in flights yet
	pending  file.Progress // flights that landed and are not committed
	replaced []file.Tail   // tails that pending makes obsolete
	written  []file.Tail   // all tails of a request with a checksum, to be removed if it is wrong
}

// append reads a body to its end and commits what it read: whole parts as they fill, and the rest as a tail. See
// Session.Append. ctx must be the lease's.
func (e *Engine) append(ctx context.Context, u *file.Upload, b Body) (int64, error) {
	if e.room != nil {
		if err := e.room(); err != nil {
			return 0, fmt.Errorf("append to %s: %w", u.ID, err)
		}
	}
	start := u.Offset
	sum, err := file.ResumeHash(u.HashState)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", u.ID, err)
	}
	a := &appender{engine: e, u: u, body: b, share: e.memory.Join(), buf: e.memory.NewBuffer(), slabSize: memory.SmallSlab,
		hash: sum, begun: u.HashState, start: u.Offset, read: u.Offset, tails: u.Tails}
	if u.Offset == 0 && u.Multipart.ID == "" && b.Length < a.limit() {
		// A client that sends the first bytes in a chunk is likely to send more chunks of that size. The row gets the
		// part size with the first part.
		u.PartSize = ChunkedPartSize(u.PartSize, b.Length, a.limit())
	}
	err = a.run(ctx)
	if errors.Is(err, errCut) {
		err = nil // the caller knows better why its body broke off
	}
	if err != nil {
		err = fmt.Errorf("append to %s at %d: %w", u.ID, u.Offset, err)
	}
	return u.Offset - start, err
}

// run reads and commits the body. Nothing is left running when it returns, even after a panic.
func (a *appender) run(ctx context.Context) error {
	flying, land := context.WithCancelCause(ctx)
	a.pump = newPump(a.body)
	defer a.close(land)
	err := a.readAll(flying)
	a.pump.stop(a.body.Interrupt)
	if err == nil {
		err = a.end(flying)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, file.ErrBusy) {
		err = a.save(flying, err)
	}
	// Flights that landed before the failed one are committed. Those after it are dropped, and so are their part
	// numbers.
	land(err)
	a.wait()
	if a.body.Check == nil {
		if then := a.commitLanded(ctx); then != nil {
			err = fmt.Errorf("%w (and then: %v)", err, then) // the first error decides the answer
		}
		a.discardFlights(ctx)
	} else {
		// Nothing may be committed before the checksum was compared. If a commit was attempted, nothing may be
		// removed: it may have been executed.
		a.engine.discard(ctx, a.u.Location.Bucket, a.written)
		a.dropParts(ctx)
	}
	return err
}

// close ends everything that is still running, and frees its memory.
func (a *appender) close(land context.CancelCauseFunc) {
	land(nil)
	a.pump.stop(a.body.Interrupt)
	a.wait()
	for _, f := range a.flights {
		a.engine.release(&f.body)
	}
	if a.next != nil {
		a.engine.release(&a.next.body)
	}
	a.buf.Recycle()
	a.share.Close()
}

// limit returns the offset, in bytes, beyond which the upload may not go.
func (a *appender) limit() int64 {
	if a.u.Deferred {
		return a.engine.hooks.MaxSize()
	}
	return a.u.Size
}

// readAll reads the body to its end.
func (a *appender) readAll(ctx context.Context) error {
	for {
		toPart := a.u.PartSize - sizeOf(a.tails) - a.buf.Size()
		toEnd := a.limit() - a.read
		var err error
		switch {
		case toEnd <= 0:
			// The last bytes may be committed only if the body ends here.
			var n int
			if n, err = a.receive(ctx, a.pump.probe[:1]); n > 0 {
				return a.tooLarge()
			}
		case toPart <= 0:
			err = a.launchPart(ctx)
		default:
			err = a.fill(ctx, min(toPart, toEnd))
		}
		switch {
		case errors.Is(err, io.EOF):
			if a.body.exceeded() {
				return a.tooLarge()
			}
			if err := a.confirm(ctx); err != nil {
				return a.saveAllButLast(ctx, err)
			}
			a.ended = true
			return nil
		case err != nil:
			return err
		}
	}
}

// confirm refuses bytes whose caller is not known any more: they do not complete the upload, and their client is not
// told that they are kept. Nobody is told about a body that broke off. The bytes of a final upload are those of uploads
// for which it was asked.
func (a *appender) confirm(ctx context.Context) error {
	if a.body.cut() && !a.completes() || len(a.u.Sources) > 0 {
		return nil
	}
	return a.engine.hooks.Confirm(ctx, a.completes() || a.body.Last)
}

// completes reports whether the upload has all its bytes with those that were read.
func (a *appender) completes() bool { return !a.u.Deferred && a.read == a.u.Size }

// tooLarge refuses a body that continues beyond the upload's end. Bytes that are not committed yet are dropped: a
// client that sends more than it declared is wrong about them.
func (a *appender) tooLarge() error {
	if !a.u.Deferred {
		return file.Refuse(file.ErrTooLarge, "The body has more bytes than the %d that the upload's length leaves",
			a.u.Size-a.u.Offset)
	}
	return a.engine.hooks.Fits(a.limit() + 1)
}

// receive lets the pump read into b, and meanwhile does other work: hash earlier bytes, commit what landed, give
// memory back.
func (a *appender) receive(ctx context.Context, b []byte) (int, error) {
	a.pump.begin(b)
	a.absorb()
	for {
		var landed <-chan struct{}
		if len(a.flights) > 0 && !a.mustWait(a.flights[0]) {
			landed = a.flights[0].landed
		}
		var err error
		select {
		case r := <-a.pump.out:
			n := a.pump.got(r)
			if r.err != nil && !errors.Is(r.err, io.EOF) {
				r.err = fmt.Errorf("read body: %w", r.err)
			}
			return n, r.err
		case <-landed:
			err = a.commitLanded(ctx)
		case <-a.share.Asked():
			err = a.giveBack(ctx)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
}

// absorb adds the new bytes to the hash and to the checksum.
func (a *appender) absorb() {
	a.buf.From(a.hashed, func(b []byte) {
		a.hash.Write(b)
		if a.body.Check != nil {
			_, _ = a.body.Check.Write(b) // a hash returns no errors
		}
	})
	a.hashed = a.buf.Size()
}

// end sends the rest of a body to the store, and commits it.
func (a *appender) end(ctx context.Context) error {
	a.absorb()
	if err := a.verify(); err != nil {
		return err
	}
	if a.body.Last && a.u.Deferred && !a.body.cut() {
		if err := a.engine.declare(ctx, a.u, a.read); err != nil {
			return err
		}
	}
	last := a.completes()
	var err error
	switch {
	case a.buf.Size() == 0:
	case last && a.u.Multipart.ID == "":
		err = a.launchWhole(ctx)
	case last || sizeOf(a.tails)+a.buf.Size() == a.u.PartSize:
		err = a.launchPart(ctx)
	default:
		err = a.launchTail(ctx, maxTails)
	}
	if err != nil {
		return err
	}
	a.wait()
	if a.body.Check != nil { // otherwise some of it might be committed
		for _, f := range a.flights {
			if f.err != nil {
				return f.err
			}
		}
	}
	return a.commitLast(ctx, last)
}

// verify compares the body with its checksum, if it has one. It is called before the last bytes are sent to the store,
// so that a wrong body that comes whole leaves nothing there.
func (a *appender) verify() error {
	switch {
	case a.body.Check == nil:
		return nil
	case a.body.cut():
		return errCut
	}
	return a.body.Check.Verify()
}

func sizeOf(tails []file.Tail) (n int64) {
	for _, t := range tails {
		n += t.Size
	}
	return n
}
