package upload

import (
	"context"
	"fmt"

	"holdfast/file"
	"holdfast/storage"
)

// parallel is the largest number of flights of one request at the same time.
const parallel = 4

// maxTails is the number of tails of an upload from which on some are merged: each tail costs a read when a part is
// made.
const maxTails = 16

// maxTailsInHurry is maxTails for a request that is asked to give memory back. Merging would take too long then, so it
// is delayed to the end of the request if possible.
const maxTailsInHurry = 2 * maxTails

// flight is a write to the store that is under way: of a part, of a tail, or of the whole file.
type flight struct {
	part   *file.Part
	tail   *file.Tail
	key    string // of the whole file; empty for a part or a tail
	etag   string // of it
	offset int64  // the offset at the end of its bytes
	hash   []byte // the SHA-256 state at that offset
	body   payload
	// borrows says that the last slab is still being filled and will belong to the next flight,
	// which must not start, and free the slab, before this one has landed.
	borrows bool
	landed  chan struct{} // closed when err is set
	err     error
}

func (f *flight) hasLanded() bool {
	select {
	case <-f.landed:
		return true
	default:
		return false
	}
}

// launchPart makes a part of the tails and the buffer.
func (a *appender) launchPart(ctx context.Context) error {
	tails, err := a.fetch(ctx, 0)
	if err != nil {
		return err
	}
	p := &file.Part{Offset: a.read - a.buf.Size() - sizeOf(a.tails)}
	f, err := a.prepare(tails)
	if err != nil {
		return err
	}
	f.part, p.Size, a.tails = p, f.body.size, nil
	if p.Number, err = a.engine.nextPart(ctx, a.u, p.Size); err != nil {
		return err
	}
	at, m := a.u.Location, a.u.Multipart // commits change a.u meanwhile
	return a.launch(ctx, f, func(ctx context.Context) error {
		stored, err := a.engine.putPart(ctx, at, m, p.Number, &f.body)
		p.ETag, p.CRC32 = stored.ETag, stored.CRC32
		return err
	})
}

// launchWhole stores the tails and the buffer as the whole object, in one call.
func (a *appender) launchWhole(ctx context.Context) error {
	tails, err := a.fetch(ctx, 0)
	if err != nil {
		return err
	}
	f, err := a.prepare(tails)
	if err != nil {
		return err
	}
	a.tails = nil
	at, kind := a.engine.objectLocation(a.u), a.u.Type
	f.key = at.Key
	return a.launch(ctx, f, func(ctx context.Context) (err error) {
		f.etag, _, err = a.engine.put(ctx, at, kind, &f.body)
		return err
	})
}

// launchTail stores the buffer as a tail. If there are most tails or more, some are merged into it, so that an upload
// has only a few more than most: see mergeFrom.
func (a *appender) launchTail(ctx context.Context, most int) error {
	from := len(a.tails)
	if from >= most {
		from = mergeFrom(a.tails, a.buf.Size())
	}
	merged, err := a.fetch(ctx, from)
	if err != nil {
		return err
	}
	f, err := a.prepare(merged)
	if err != nil {
		return err
	}
	t := &file.Tail{Offset: f.offset - f.body.size, Size: f.body.size, Key: storage.TailKey(a.u.ID, a.u.Epoch, f.offset)}
	f.tail, a.tails = t, append(a.tails[:from:from], *t)
	if a.body.Check != nil {
		a.written = append(a.written, *t)
	}
	at := file.Location{Bucket: a.u.Location.Bucket, Key: t.Key}
	return a.launch(ctx, f, func(ctx context.Context) error {
		put := func() (err error) {
			_, t.CRC32, err = a.engine.put(ctx, at, file.DefaultType, &f.body)
			return err
		}
		if f.body.remote { // send takes a place for remote bodies itself
			return put()
		}
		return a.engine.memory.StoreTail(ctx, put)
	})
}

// mergeFrom returns the index of the first tail that is merged with size more bytes. It merges tails from the end, as
// long as a tail is no longer than everything after it. So each byte is rewritten only a few times, however short the
// tails are. Each tail that remains is longer than everything after it, so there are at most as many as the part size
// has binary digits.
func mergeFrom(tails []file.Tail, size int64) int {
	i := len(tails)
	for i > 0 && tails[i-1].Size <= size {
		i--
		size += tails[i].Size
	}
	return i
}

// giveBack stores what the request holds as a tail, because others need the memory.
func (a *appender) giveBack(ctx context.Context) error {
	if a.borrowed {
		a.count(a.pump.take())
	}
	if a.buf.Size() == 0 {
		a.share.Leave(0)
		return nil
	}
	a.absorb()
	return a.launchTail(ctx, maxTailsInHurry)
}

// save stores the bytes of a request that got no more memory, or was refused at its end. If clients had to send them
// again, all might send the same bytes over and over.
func (a *appender) save(ctx context.Context, err error) error {
	if a.body.Check != nil {
		return err
	}
	if a.buf.Size() > 0 {
		if then := a.launchTail(ctx, maxTails); then != nil {
			return fmt.Errorf("%w (and then: %v)", err, then)
		}
	}
	a.wait()
	return err
}

// saveAllButLast stores the bytes of a request that was refused at its end: another request may go on with them, and
// their client may have needed longer for them than any of its tokens is good. It keeps one byte back that would
// complete the upload. Of a file that comes whole nothing is stored.
func (a *appender) saveAllButLast(ctx context.Context, err error) error {
	if a.u.TTL == 0 {
		return err
	}
	if a.completes() && a.buf.Size() > 0 {
		sum, broken := file.ResumeHash(a.begun)
		if broken != nil {
			return fmt.Errorf("%w (and then: %v)", err, broken)
		}
		a.buf.Drop()
		a.read--
		a.hash, a.hashed = sum, 0
	}
	return a.save(ctx, err)
}

// fetch returns a payload of the tails from an index on.
func (a *appender) fetch(ctx context.Context, from int) (payload, error) {
	if from == len(a.tails) {
		return payload{}, nil
	}
	if err := a.landAll(ctx); err != nil { // a tail may still be in flight
		return payload{}, err
	}
	return a.engine.gather(a.u.Location.Bucket, a.tails[from:]), nil
}

// prepare makes a flight of the buffer, after the bytes of begin.
func (a *appender) prepare(begin payload) (*flight, error) {
	a.absorb()
	a.hashed = 0
	state, err := saveHash(a.hash)
	if err != nil {
		a.engine.release(&begin)
		return nil, err
	}
	a.begun = state
	f := &flight{offset: a.read, hash: state, body: begin, borrows: a.borrowed, landed: make(chan struct{})}
	body := a.buf.Split(a.borrowed)
	a.share.Leave(body.Held())
	f.body.add(body)
	a.next = f
	return f, nil
}

// launch starts a flight, once fewer than parallel are under way.
func (a *appender) launch(ctx context.Context, f *flight, fly func(context.Context) error) error {
	for len(a.flights) >= parallel || len(a.flights) > 0 && a.flights[len(a.flights)-1].borrows {
		select {
		case <-a.flights[0].landed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := a.commitLanded(ctx); err != nil {
			return err
		}
	}
	a.flights, a.next = append(a.flights, f), nil
	go func() {
		defer close(f.landed)
		defer a.engine.release(&f.body)
		f.err = recovered(func() error { return fly(ctx) })
		// Now and not at the commit: the request may be waiting for memory.
		if f.tail != nil && f.err == nil && !f.borrows && !f.body.remote {
			a.engine.memory.Keep(f.tail.Key, f.body.takeAll())
		}
	}()
	return nil
}

// wait waits until all flights have landed.
func (a *appender) wait() {
	for _, f := range a.flights {
		<-f.landed
	}
}

// landAll waits for all flights, and commits them.
func (a *appender) landAll(ctx context.Context) error {
	a.wait()
	return a.commitLanded(ctx)
}
