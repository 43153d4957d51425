package upload

import (
	"context"
	"errors"

	"holdfast/upload/memory"
)

// fill reads a slab, or a little, at most limit bytes. While it waits for a client that was not fast, it holds no
// memory.
func (a *appender) fill(ctx context.Context, limit int64) error {
	if size := a.borrow(limit); size > 0 {
		defer a.engine.memory.Unlend(size)
		return a.fillSlab(ctx, size, limit)
	}
	into := a.pump.probe[:min(probeSize, limit)]
	n, err := a.receive(ctx, into)
	a.fast = n == len(into)
	if then := a.store(ctx, into[:n]); then != nil {
		return then
	}
	return err
}

// borrow returns the size of the slab that a fast client may be read into; 0: none.
func (a *appender) borrow(limit int64) int {
	if !a.fast {
		return 0
	}
	want := a.nextSlab(limit)
	size := a.engine.memory.Lend(want)
	if size < want && len(a.buf.Space()) > 0 { // what has space is larger than that
		a.engine.memory.Unlend(size)
		return 0
	}
	return size
}

// nextSlab is the size of the slab that a fast client is read into, in bytes: the one that has space, or a new one. It
// grows with each that the client fills, but is no larger than what may come.
func (a *appender) nextSlab(limit int64) int {
	if len(a.buf.Space()) > 0 {
		return a.buf.Last()
	}
	if a.body.Length >= 0 {
		limit = min(limit, a.body.Length-(a.read-a.start))
	}
	for a.slabSize > memory.LargeSlab && int64(a.slabSize) > limit {
		a.slabSize /= memory.Step
	}
	return a.slabSize
}

// fillSlab has the client fill a slab of a size, up to limit bytes.
func (a *appender) fillSlab(ctx context.Context, size int, limit int64) error {
	if err := a.reserve(ctx, size); err != nil {
		return err
	}
	space := a.buf.Space()
	into := space[:min(int64(len(space)), limit)]
	a.borrowed = true
	n, err := a.receive(ctx, into)
	a.borrowed = false
	if a.pump.busy { // something else has ended the request, and the slab is still being filled
		return err
	}
	a.count(n)
	if a.fast = a.pump.filled(into); a.fast {
		a.slabSize = min(memory.Step*a.buf.Last(), memory.HugeSlab)
	} else {
		a.slabSize = max(a.slabSize/memory.Step, memory.SmallSlab)
		a.share.Return(a.buf.Fit())
	}
	return err
}

// count adds n bytes that were read into the last slab of the buffer.
func (a *appender) count(n int) {
	if n == 0 {
		return
	}
	a.buf.Extend(n)
	a.read += int64(n)
	a.share.Filled()
}

// store copies bytes into the buffer. Each copy is counted at once: to make room for the
// next one, what is there may be stored as a tail.
func (a *appender) store(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		if err := a.reserve(ctx, a.buf.Next()); err != nil {
			return err
		}
		n := copy(a.buf.Space(), b)
		a.count(n)
		b = b[n:]
	}
	return nil
}

// reserve makes space in the buffer, if it has none: a slab of a size, or of LargeSlab if that is larger, and there is
// not plenty.
func (a *appender) reserve(ctx context.Context, size int) error {
	for len(a.buf.Space()) == 0 {
		if size > memory.LargeSlab {
			if a.share.Try(int64(size)) {
				a.buf.Grow(size)
				break
			}
			size = memory.LargeSlab
		}
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
