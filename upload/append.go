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

// errCut ends a body with a checksum that did not come to its end: nothing of it counts.
var errCut = errors.New("the body was cut before its checksum could be compared")

// appender adds the bytes of one request to an upload.
//
// The bytes go from the body into buf. A full part leaves as a flight, while the next one
// fills; so does what is left at the end, as a tail. Flights land in any order and are
// committed in the order of their bytes.
type appender struct {
	engine *Engine
	u      *file.Upload // as committed
	body   Body
	pump   *pump
	share  *memory.Share
	fast   bool // the client filled the last Read

	hash     hash.Hash     // of all bytes before hashed
	hashed   int64         // bytes of buf that the hash has seen
	buf      memory.Buffer // read, and in no flight
	lent     bool          // the pump reads into the last slab of buf
	read     int64         // bytes of the file that were read: the committed ones, those in flight and buf
	tails    []file.Tail
	flights  []*flight
	next     *flight       // prepared, and not one of flights yet
	pending  file.Progress // of flights that landed, not committed
	replaced []file.Tail   // tails that pending makes needless
	written  []file.Tail   // all tails of a request with a checksum, to be removed if it is wrong
}

// append reads a body to its end and commits what it read: whole parts as they fill, and
// what is left as a tail. See Session.Append. ctx must be the lease's.
func (e *Engine) append(ctx context.Context, u *file.Upload, b Body) (int64, error) {
	if e.room != nil {
		if err := e.room(); err != nil {
			return 0, fmt.Errorf("append to %s: %w", u.ID, err)
		}
	}
	start := u.Offset
	sum, err := resumeHash(u.HashState)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", u.ID, err)
	}
	a := &appender{engine: e, u: u, body: b, share: e.memory.Join(), buf: e.memory.NewBuffer(), hash: sum, read: u.Offset,
		tails: u.Tails}
	if u.Offset == 0 && u.Multipart.ID == "" && b.Length < a.limit() {
		// A client that sends the first bytes in a chunk is likely to go on like that. The
		// size is noted with the first part.
		u.PartSize = ChunkedPartSize(u.PartSize, b.Length, a.limit())
	}
	err = a.run(ctx)
	if errors.Is(err, errCut) {
		err = nil // the caller knows best what happened to its body
	}
	if err != nil {
		err = fmt.Errorf("append to %s at %d: %w", u.ID, u.Offset, err)
	}
	return u.Offset - start, err
}

// run reads, and leaves nothing running behind; not after a panic either.
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
	// Flights that landed before the failed one are safe. Those behind it are dropped, and
	// their part numbers with them.
	land(err)
	a.wait()
	if a.body.Check == nil {
		if then := a.commitLanded(ctx); then != nil {
			err = fmt.Errorf("%w (and then: %v)", err, then) // the first decides what is answered
		}
		a.discardFlights(ctx)
	} else {
		// Nothing was to be committed before the checksum is known to be right. Where a
		// commit was tried nothing may be removed: it may have been done.
		a.engine.discard(ctx, a.u.Location.Bucket, a.written)
		a.dropParts(ctx)
	}
	return err
}

// close ends what still runs, and frees what is held.
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

// limit is where the upload must end at the latest, in bytes from its start.
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
			// Only a body that ends here may have its last bytes committed.
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
			return nil
		case err != nil:
			return err
		}
	}
}

// tooLarge refuses a body that goes on behind the upload's end. What is not committed yet
// is dropped: a client that sends more than it declared is wrong about these bytes.
func (a *appender) tooLarge() error {
	if !a.u.Deferred {
		return file.Refuse(file.ErrTooLarge, "The body has more bytes than the %d that the upload's length leaves",
			a.u.Size-a.u.Offset)
	}
	return a.engine.hooks.Fits(a.limit() + 1)
}

// fill reads once, at most room bytes. While it waits for a client that was not fast, it
// holds no memory.
func (a *appender) fill(ctx context.Context, room int64) error {
	into := a.pump.probe[:min(probeSize, room)]
	if a.fast && a.engine.memory.Lend() {
		defer a.engine.memory.Unlend()
		if err := a.reserve(ctx); err != nil {
			return err
		}
		space := a.buf.Space()
		into, a.lent = space[:min(int64(len(space)), room)], true
	}
	n, err := a.receive(ctx, into)
	a.fast = n >= min(probeSize, len(into))
	if a.lent {
		a.lent = false
		a.buf.Extend(n)
		a.read += int64(n)
	} else if err := a.store(ctx, into[:n]); err != nil {
		return err
	}
	if n > 0 {
		a.share.Filled()
	}
	return err
}

// store copies bytes into the buffer. Each copy is counted at once: to make room for the
// next one, what is there may be stored as a tail.
func (a *appender) store(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		if err := a.reserve(ctx); err != nil {
			return err
		}
		n := copy(a.buf.Space(), b)
		a.buf.Extend(n)
		a.read += int64(n)
		a.share.Filled()
		b = b[n:]
	}
	return nil
}

// reserve makes space in the buffer.
func (a *appender) reserve(ctx context.Context) error {
	for len(a.buf.Space()) == 0 {
		size := a.buf.Next()
		err := a.share.Get(ctx, int64(size))
		switch {
		case errors.Is(err, memory.ErrAsked):
			if err := a.giveBack(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			a.buf.Grow(size)
		}
	}
	return nil
}

// receive has the pump read into b, and meanwhile does what else there is to do: hash
// what came before, commit what landed, give memory back.
func (a *appender) receive(ctx context.Context, b []byte) (int, error) {
	a.pump.begin(b)
	a.absorb()
	for {
		var landed <-chan struct{}
		if len(a.flights) > 0 {
			landed = a.flights[0].landed
		}
		var err error
		select {
		case r := <-a.pump.out:
			a.pump.got()
			if r.err != nil && !errors.Is(r.err, io.EOF) {
				r.err = fmt.Errorf("read body: %w", r.err)
			}
			return r.n, r.err
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

// absorb adds the bytes that came to the hash, and to the checksum.
func (a *appender) absorb() {
	a.buf.From(a.hashed, func(b []byte) {
		a.hash.Write(b)
		if a.body.Check != nil {
			_, _ = a.body.Check.Write(b) // a sum takes all bytes
		}
	})
	a.hashed = a.buf.Size()
}

// end sends what is left of a body to the store, and commits it.
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
	last := !a.u.Deferred && a.read == a.u.Size
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
	if a.body.Check != nil { // or some of it might be committed
		for _, f := range a.flights {
			if f.err != nil {
				return f.err
			}
		}
	}
	return a.commitLast(ctx, last)
}

// verify compares the body with its checksum, where it has one: before the last of it is
// sent to the store, so that a body that comes whole and is wrong leaves nothing there.
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
