package tus

import (
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"

	"holdfast/file"
	"holdfast/hooks"
)

// source is the body of a request.
type source struct {
	io.Reader
	// length of the body in bytes, as the client declared it; -1 if it did not.
	length int64
	// exceeded says, once the reader has ended, whether the client had more to send
	// than the upload's length allows.
	exceeded func() bool
	// interrupt makes a Read that waits for the client return.
	interrupt func()
	// cut says, once the reader has ended, whether the body did not: it was interrupted,
	// or the line broke.
	cut func() bool
	// check is the checksum that the client sends along; nil if there is none.
	check check
	// all says that the body has the file's last byte, wherever that is: an upload whose
	// length is not known gets it when the body has ended.
	all bool
	// goesOn says that the request has more to do with the upload after its body, and
	// needs the lease for it.
	goesOn bool
}

// check compares the bytes of a request with a checksum (tus 1.0.0, Checksum).
type check interface {
	io.Writer
	verify() error // once the body has ended
}

// errCut ends a body with a checksum that did not come to its end: nothing of it counts.
var errCut = errors.New("the body was cut before its checksum could be compared")

// appender adds the bytes of one request to an upload.
//
// The bytes go from the body into buf. A full part leaves as a flight, while the next
// one fills; so does what is left at the end, as a tail. Flights land in any order and
// are committed in that of their bytes.
type appender struct {
	*Engine
	u     *file.Upload // as committed
	src   source
	pump  *pump
	share *share
	fast  bool // the client filled the last Read

	hash     hash.Hash // of all bytes before hashed
	hashed   int64     // bytes of buf that the hash has seen
	buf      buffer    // read, and on no flight
	lent     bool      // the pump reads into the last slab of buf
	taken    int64     // bytes of the file that were read: the committed ones, those in flight and buf
	tails    []file.Tail
	flights  []*flight
	next     *flight       // prepared, and not one of flights yet
	pending  file.Progress // of flights that landed, not committed
	replaced []file.Tail   // tails that pending makes needless
	written  []file.Tail   // all tails of a request with a checksum, for when it is wrong
}

// append reads src to its end and commits what it read: whole parts as they fill, and
// what is left as a tail. It returns how many bytes were committed, also with an
// error: those are safe, whatever went wrong after them. With a checksum that is all
// of them or none.
//
// ctx must be the lease's, so that it ends when the lease is lost, and not when the
// client goes away: what came is kept.
func (e *Engine) append(ctx context.Context, u *file.Upload, src source) (int64, error) {
	if e.room != nil {
		if err := e.room(); err != nil {
			return 0, fmt.Errorf("append to %s: %w", u.ID, err)
		}
	}
	start := u.Offset
	a := &appender{Engine: e, u: u, src: src, share: e.memory.join(), hash: sha256.New(), taken: u.Offset, tails: u.Tails}
	if u.HashState != nil {
		if err := a.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.HashState); err != nil {
			return 0, fmt.Errorf("append to %s: saved SHA-256 state: %w", u.ID, err)
		}
	}
	if u.Offset == 0 && u.MultipartID == "" && src.length < a.limit() {
		// Who sends the first bytes so is likely to go on like that. Noted with the first part.
		u.PartSize = hooks.ChunkedPartSize(u.PartSize, src.length, a.limit())
	}
	err := a.run(ctx)
	if errors.Is(err, errCut) {
		err = nil // who gave us the body knows best what happened to it
	}
	if err != nil {
		err = fmt.Errorf("append to %s at %d: %w", u.ID, u.Offset, err)
	}
	return u.Offset - start, err
}

// run reads, and leaves nothing running behind: nor does a panic.
func (a *appender) run(ctx context.Context) error {
	flying, land := context.WithCancelCause(ctx)
	a.pump = newPump(a.src)
	defer a.close(land)
	err := a.read(flying)
	a.pump.stop(a.src.interrupt)
	if err == nil {
		err = a.end(flying)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, file.ErrBusy) {
		err = a.save(flying, err)
	}
	// What landed before the fault is safe. What lies beyond it is dropped, and its
	// part numbers with it.
	land(err)
	a.wait()
	if a.src.check == nil {
		if then := a.settle(ctx); then != nil {
			err = fmt.Errorf("%w (and then: %v)", err, then) // the first decides what is answered
		}
		a.discardFlights(ctx)
	} else {
		// Nothing was to be committed before the checksum is known to be right. Where a
		// commit was tried nothing may be removed: it may have been done.
		a.discard(ctx, a.u.Location.Bucket, a.written)
		a.dropParts(ctx)
	}
	return err
}

// close ends what still runs, and frees what is held.
func (a *appender) close(land context.CancelCauseFunc) {
	land(nil)
	a.pump.stop(a.src.interrupt)
	a.wait()
	for _, f := range a.flights {
		a.drop(f)
	}
	if a.next != nil {
		a.drop(a.next)
	}
	a.buf.recycle()
	a.share.close()
}

// limit is where the upload must not go beyond, in bytes from its start.
func (a *appender) limit() int64 {
	if a.u.Deferred {
		return a.finisher.MaxSize()
	}
	return a.u.Size
}

// read takes the body to its end.
func (a *appender) read(ctx context.Context) error {
	for {
		toPart := a.u.PartSize - sizeOf(a.tails) - a.buf.size
		toEnd := a.limit() - a.taken
		var err error
		switch {
		case toEnd <= 0:
			// Whether the last bytes may be committed shows only when the body ends here.
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
			if a.src.exceeded() {
				return a.tooLarge()
			}
			return nil
		case err != nil:
			return err
		}
	}
}

// tooLarge refuses a body that goes on behind the upload's end. What is not committed
// yet is dropped: a client that sends more than it declared is wrong about these bytes.
func (a *appender) tooLarge() error {
	if !a.u.Deferred {
		return file.Refuse(file.ErrTooLarge, "The body has more bytes than the %d that the upload's length leaves", a.u.Size-a.u.Offset)
	}
	return a.finisher.Fits(a.limit() + 1)
}

// fill reads once, at most room bytes. It holds memory for a client that was not fast
// only when its bytes are there.
func (a *appender) fill(ctx context.Context, room int64) error {
	into := a.pump.probe[:min(probeSize, room)]
	if a.fast && a.memory.lend() {
		defer a.memory.unlend()
		if err := a.reserve(ctx); err != nil {
			return err
		}
		space := a.buf.space()
		into, a.lent = space[:min(int64(len(space)), room)], true
	}
	n, err := a.receive(ctx, into)
	a.fast = n >= min(probeSize, len(into))
	if a.lent {
		a.lent = false
		a.buf.extend(n)
		a.taken += int64(n)
	} else if err := a.store(ctx, into[:n]); err != nil {
		return err
	}
	if n > 0 {
		a.share.filled()
	}
	return err
}

// store copies bytes into the buffer. Each copy is counted at once: to make room for the
// next one, what is there may be put away.
func (a *appender) store(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		if err := a.reserve(ctx); err != nil {
			return err
		}
		n := copy(a.buf.space(), b)
		a.buf.extend(n)
		a.taken += int64(n)
		a.share.filled()
		b = b[n:]
	}
	return nil
}

// reserve makes space in the buffer.
func (a *appender) reserve(ctx context.Context) error {
	for len(a.buf.space()) == 0 {
		size := a.buf.next()
		err := a.share.get(ctx, int64(size))
		switch {
		case errors.Is(err, errAsked):
			if err := a.giveBack(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			a.buf.grow(size)
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
			err = a.settle(ctx)
		case <-a.share.asked:
			err = a.giveBack(ctx)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
}

// absorb takes what came into the hash, and into the checksum.
func (a *appender) absorb() {
	a.buf.from(a.hashed, func(b []byte) {
		a.hash.Write(b)
		if a.src.check != nil {
			a.src.check.Write(b)
		}
	})
	a.hashed = a.buf.size
}

// end sends what is left of a body on its way, and commits it.
func (a *appender) end(ctx context.Context) error {
	a.absorb()
	if err := a.verify(); err != nil {
		return err
	}
	if a.src.all && a.u.Deferred {
		if err := a.declare(ctx, a.u, a.taken); err != nil {
			return err
		}
	}
	last := !a.u.Deferred && a.taken == a.u.Size
	var err error
	switch {
	case a.buf.size == 0:
	case last && a.u.MultipartID == "":
		err = a.launchWhole(ctx)
	case last || sizeOf(a.tails)+a.buf.size == a.u.PartSize:
		err = a.launchPart(ctx)
	default:
		err = a.launchTail(ctx, maxTails)
	}
	if err != nil {
		return err
	}
	a.wait()
	if a.src.check != nil { // or some of it might be committed
		for _, f := range a.flights {
			if f.err != nil {
				return f.err
			}
		}
	}
	return a.finally(ctx, last)
}

// verify compares the body with its checksum, where it has one: before the last of it is sent to the store, so
// that a body that comes whole and is wrong leaves nothing there.
func (a *appender) verify() error {
	switch {
	case a.src.check == nil:
		return nil
	case a.src.cut():
		return errCut
	}
	return a.src.check.verify()
}

func sizeOf(tails []file.Tail) (n int64) {
	for _, t := range tails {
		n += t.Size
	}
	return n
}
