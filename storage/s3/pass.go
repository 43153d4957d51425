package s3

import (
	"fmt"
	"io"
	"time"

	"holdfast/storage"
)

// Pass sends the next bytes on to w, most at most, without a look at them: if both ends are
// sockets and w has a ReadFrom that leads to its own, the kernel moves them and they never
// come into this process. It returns how many w took.
//
// patience is how long all of it may take. After an error the body is good for nothing but
// Close: what was on its way is lost. The error is ErrTaker if the store would have had
// more; it is os.ErrDeadlineExceeded as well if w was too slow, and may have failed in no
// other way.
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
			return n, fmt.Errorf("%w: %w", storage.ErrTaker, err)
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
		return n, fmt.Errorf("%w: %w", storage.ErrTaker, err)
	}
	return n, b.wire.why(err)
}

// wait sets how long reading waits for bytes; 0 is for ever.
func (w *wire) wait(patience time.Duration) {
	var end time.Time
	if patience > 0 {
		end = time.Now().Add(patience)
	}
	w.SetReadDeadline(end)
	if w.ctx.Err() != nil { // which has set another one
		w.SetDeadline(time.Unix(1, 0))
	}
}

// alive says whether the store has sent something that nobody has read yet.
func (w *wire) alive() bool {
	w.wait(time.Millisecond)
	_, err := w.in.Peek(1)
	return err == nil
}
