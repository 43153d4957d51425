package s3

import (
	"fmt"
	"io"
	"time"

	"holdfast/storage"
)

// Pass writes at most the next most bytes to w and returns how many w took. If both ends are sockets, and w has a
// ReadFrom that uses its own, the kernel moves the bytes (splice) and they are not copied through this process.
//
// patience limits the time of the whole call. After an error the body can only be closed: bytes may be lost on the
// way. The error is storage.ErrWriter if the store had more to give; it is os.ErrDeadlineExceeded, too, if w was
// merely too slow.
func (b *rangeBody) Pass(w io.Writer, most int64, patience time.Duration) (n int64, err error) {
	if b.left == 0 {
		return 0, nil
	}
	defer b.finish()
	return b.pass(w, min(most, b.left), patience)
}

func (b *rangeBody) pass(w io.Writer, most int64, patience time.Duration) (n int64, err error) {
	b.wire.wait(patience)
	defer b.wire.wait(0)
	if held := min(int64(b.wire.in.Buffered()), most); held > 0 {
		p, _ := b.wire.in.Peek(int(held))
		k, err := w.Write(p)
		b.wire.in.Discard(k)
		n, b.left = int64(k), b.left-int64(k)
		if err != nil {
			return n, fmt.Errorf("%w: %w", storage.ErrWriter, err)
		}
	}
	k, err := io.Copy(w, &io.LimitedReader{R: b.wire.Conn, N: most - n})
	n, b.left = n+k, b.left-k
	switch {
	case err == nil && n == most:
		return n, nil
	case err == nil:
		return n, io.ErrUnexpectedEOF
	case b.wire.ctx.Err() == nil && b.wire.alive():
		return n, fmt.Errorf("%w: %w", storage.ErrWriter, err)
	}
	return n, b.wire.why(err)
}

// wait sets the time that a read may take; 0: no limit.
func (w *wire) wait(patience time.Duration) {
	var end time.Time
	if patience > 0 {
		end = time.Now().Add(patience)
	}
	w.SetReadDeadline(end)
	if w.ctx.Err() != nil { // whose end has set a deadline of its own
		w.SetDeadline(time.Unix(1, 0))
	}
}

// alive reports whether there are bytes of the store that were not read yet.
func (w *wire) alive() bool {
	w.wait(time.Millisecond)
	_, err := w.in.Peek(1)
	return err == nil
}
