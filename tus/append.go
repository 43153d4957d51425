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
	"holdfast/storage"
)

// maxTails is how many tails an upload may have before they are put together: each
// costs a read when a part is made of them.
const maxTails = 16

// source is the body of a request.
type source struct {
	io.Reader
	// exceeded says, once the reader has ended, whether the client had more to send
	// than the upload's length allows.
	exceeded func() bool
}

// appender adds the bytes of one request to an upload. u is the upload as committed.
type appender struct {
	*Engine
	u    *file.Upload
	hash hash.Hash // over all committed bytes
	buf  buffer    // read, not committed
}

// append reads src to its end and commits what it read: whole parts as they fill, and
// what is left as a tail. It returns how many bytes were committed, also with an
// error: those are safe, whatever went wrong after them.
//
// ctx must be the lease's, so that it ends when the lease is lost, and not when the
// client goes away: what came is kept.
func (e *Engine) append(ctx context.Context, u *file.Upload, src source) (int64, error) {
	start := u.Offset
	a := &appender{Engine: e, u: u, hash: sha256.New()}
	defer a.buf.free()
	if u.HashState != nil {
		if err := a.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.HashState); err != nil {
			return 0, fmt.Errorf("append to %s: saved SHA-256 state: %w", u.ID, err)
		}
	}
	err := a.read(ctx, src)
	if err != nil {
		err = fmt.Errorf("append to %s at %d: %w", u.ID, u.Offset, err)
	}
	return u.Offset - start, err
}

// end is where the upload must not go beyond, in bytes from its start.
func (a *appender) end() int64 {
	if a.u.Deferred {
		return a.finisher.MaxSize()
	}
	return a.u.Size
}

func (a *appender) read(ctx context.Context, src source) error {
	for {
		toPart := a.u.PartSize - a.u.TailSize() - a.buf.size
		toEnd := a.end() - a.u.Offset - a.buf.size
		var err error
		switch {
		case toEnd <= 0:
			// Whether the last bytes may be committed shows only when the body ends here.
			var probe [1]byte
			var n int
			if n, err = src.Read(probe[:]); n > 0 {
				return a.tooLarge()
			}
		case toPart <= 0:
			if err := a.commitPart(ctx); err != nil {
				return err
			}
		default:
			err = a.buf.fill(src, min(toPart, toEnd))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read body: %w", err)
		}
	}
	if src.exceeded() {
		return a.tooLarge()
	}
	return a.commitRest(ctx)
}

// tooLarge refuses a body that goes on behind the upload's end. What is not committed
// yet is dropped: a client that sends more than it declared is wrong about these bytes.
func (a *appender) tooLarge() error {
	if !a.u.Deferred {
		return file.Refuse(file.ErrTooLarge, "The body has more bytes than the %d that the upload's length leaves", a.u.Size-a.u.Offset)
	}
	return a.finisher.Fits(a.end() + 1)
}

// commitRest commits what the buffer holds at the end of a body.
func (a *appender) commitRest(ctx context.Context) error {
	offset := a.u.Offset + a.buf.size
	last := !a.u.Deferred && offset == a.u.Size
	switch {
	case a.buf.size == 0:
		return nil
	case last && a.u.MultipartID == "":
		return a.commitWhole(ctx)
	case last || a.u.TailSize()+a.buf.size == a.u.PartSize:
		return a.commitPart(ctx)
	default:
		return a.commitTail(ctx)
	}
}

// commitPart makes a part of the tails and the buffer.
func (a *appender) commitPart(ctx context.Context) error {
	offset := a.absorb()
	part, err := a.putPart(ctx, a.u, &a.buf)
	if err != nil {
		return err
	}
	return a.commit(ctx, file.Progress{Offset: offset, Part: &part})
}

// commitWhole makes the finished object of the tails and the buffer, in one call.
func (a *appender) commitWhole(ctx context.Context) error {
	offset := a.absorb()
	etag, err := a.putWhole(ctx, a.u, &a.buf)
	if err != nil {
		return err
	}
	return a.commit(ctx, file.Progress{Offset: offset, ETag: etag})
}

// commitTail puts the buffer away as an object of its own, or, when there are many
// such already, together with them.
func (a *appender) commitTail(ctx context.Context) error {
	tail := file.Tail{Offset: a.u.Offset}
	offset := a.absorb()
	merged := len(a.u.Tails) >= maxTails
	if merged {
		if err := a.gather(ctx, a.u, &a.buf); err != nil {
			return err
		}
		tail.Offset = a.u.Tails[0].Offset
	}
	tail.Size = a.buf.size
	tail.Key = storage.TailKey(a.u.ID, a.u.Epoch, offset)
	at := file.Location{Bucket: a.u.Location.Bucket, Key: tail.Key}
	if _, err := a.objects.Put(ctx, at, file.DefaultType, a.buf.reader(), a.buf.size); err != nil {
		return err
	}
	return a.commit(ctx, file.Progress{Offset: offset, Tail: &tail, Merged: merged})
}

// absorb takes the buffer into the hash and returns the offset behind it.
func (a *appender) absorb() int64 {
	a.buf.writeTo(a.hash)
	return a.u.Offset + a.buf.size
}

// commit makes progress known and empties the buffer.
func (a *appender) commit(ctx context.Context, p file.Progress) error {
	state, err := a.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return fmt.Errorf("save SHA-256 state: %w", err)
	}
	p.HashState = state
	if err := a.rows.Commit(ctx, a.u.Fence(), p); err != nil {
		return err
	}
	a.apply(ctx, a.u, p)
	a.buf.free()
	return nil
}
