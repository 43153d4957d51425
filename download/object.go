package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// maxResumes is how often an answer may go on after the store broke off.
const maxResumes = 3

// firstPause is how long the first of those waits; each further one doubles it.
const firstPause = 100 * time.Millisecond

// object is the content of a file as an io.ReadSeeker. Seeking costs nothing: the store
// is opened at the first Read, or by open, and for no more than will be read. If it
// breaks off, reading goes on with the byte that was reached, of the same object.
type object struct {
	ctx      context.Context
	objects  Objects
	record   file.Record
	stall    time.Duration // the longest without a byte from the store
	resumes  func()        // counts
	reopened func()        // counts

	mu      sync.Mutex // net/http sends several ranges from a goroutine of its own
	pos     int64
	end     int64       // where the open body ends
	ranges  []byteRange // that will be read, in this order, if not all of it
	body    io.ReadCloser
	cancel  context.CancelFunc // ends the body's request
	watch   *time.Timer        // does so when the store stalls
	resumed int
	err     error // what ended the reading for good
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += o.pos
	case io.SeekEnd:
		offset += o.record.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != o.pos {
		o.close()
	}
	o.pos = offset
	return offset, nil
}

// openFirst opens the store for length bytes from here on. Of several ranges it opens the
// first, and each further one is opened when it is reached.
func (o *object) openFirst(length int64, several bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !several {
		o.ranges = nil
		return o.open(o.pos + length)
	}
	o.pos = o.ranges[0].start
	return o.open(o.nextEnd())
}

// nextEnd is the end of what begins here.
func (o *object) nextEnd() int64 {
	if len(o.ranges) > 0 && o.ranges[0].start == o.pos {
		end := o.ranges[0].end
		o.ranges = o.ranges[1:]
		return end
	}
	return o.record.Size
}

func (o *object) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	if o.pos >= o.record.Size {
		return 0, io.EOF
	}
	if o.body == nil || o.pos >= o.end {
		if err := o.open(o.nextEnd()); err != nil {
			o.err = err
			return 0, err
		}
	}
	for {
		n, err := o.read(p[:min(int64(len(p)), o.end-o.pos)])
		o.pos += int64(n)
		if n > 0 || err == nil {
			return n, nil // an error comes again with the next Read, if there is one
		}
		if o.err = o.resume(err); o.err != nil {
			return 0, o.err
		}
	}
}

// peek returns up to n of the open body's first bytes; they are read again afterwards.
func (o *object) peek(n int) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.body == nil {
		return nil
	}
	first := make([]byte, min(int64(n), o.end-o.pos))
	var got int
	for got < len(first) {
		k, err := o.read(first[got:])
		if got += k; err != nil {
			break // it comes again, and is dealt with, at the next Read
		}
	}
	first = first[:got]
	o.body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), o.body), o.body}
	return first
}

// passer is a body that can pass bytes on without a look at them; storage's is one.
type passer interface {
	Pass(w io.Writer, most int64, patience time.Duration) (int64, error)
}

const (
	// passChunk is how many bytes are passed on at once.
	passChunk = 1 << 20
	// minPass is the fewest bytes for which it is less work than to read and write them.
	minPass = 256 << 10
	// maxPassTime is how long that may take. A slower client is served by Read: that tells a
	// client that stands still from a store that does.
	maxPassTime = 2 * time.Second
)

// pass passes on to w what it can of the next length bytes; the rest is to be read.
func (o *object) pass(w io.Writer, length int64) (n int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, ok := o.body.(passer)
	if length < minPass {
		return 0, nil
	}
	for began := time.Now(); ok && n < length && time.Since(began) < maxPassTime; {
		began = time.Now()
		k, err := body.Pass(w, min(passChunk, length-n), o.stall)
		n, o.pos = n+k, o.pos+k
		if err == nil {
			continue
		}
		o.close()
		taker := errors.Is(err, storage.ErrTaker)
		slow := errors.Is(err, os.ErrDeadlineExceeded) && (k > 0 || taker)
		if taker && !slow {
			return n, err
		}
		if slow { // one of both is, and neither is gone: the rest is read
			if err = o.open(o.end); err == nil {
				o.reopened()
				return n, nil
			}
		}
		if o.err = o.resume(err); o.err != nil {
			return n, o.err
		}
		body, ok = o.body.(passer)
	}
	return n, nil
}

// read reads from the open body, and ends it when nothing comes.
func (o *object) read(p []byte) (int, error) {
	o.watch.Reset(o.stall)
	n, err := o.body.Read(p)
	o.watch.Stop()
	return n, err
}

// resume opens the store again where reading broke off. An object that is gone or
// another one by now ends it at once.
func (o *object) resume(broken error) error {
	broken = fmt.Errorf("read object: %w: broken off at byte %d of %d: %w", file.ErrStorageRead, o.pos, o.end, broken)
	for pause := firstPause; o.resumed < maxResumes; pause *= 2 {
		o.resumed++
		select {
		case <-time.After(pause):
		case <-o.ctx.Done():
			return o.ctx.Err()
		}
		err := o.open(o.end)
		if err == nil {
			o.resumes()
			return nil
		}
		if !errors.Is(err, file.ErrStorageRead) {
			return err
		}
		broken = fmt.Errorf("%w; again: %w", broken, err)
	}
	return broken
}

// open opens the store from here to end.
func (o *object) open(end int64) error {
	o.close()
	ctx, cancel := context.WithCancel(o.ctx)
	watch := time.AfterFunc(o.stall, cancel)
	body, err := o.objects.Read(ctx, o.record.Location, o.record.ETag, o.pos, end-o.pos)
	watch.Stop()
	if err != nil {
		stalled := ctx.Err() != nil && o.ctx.Err() == nil
		cancel()
		if stalled {
			err = fmt.Errorf("%w: no answer within %s: %w", file.ErrStorageRead, o.stall, err)
		}
		return err
	}
	o.body, o.end, o.cancel, o.watch = body, end, cancel, watch
	return nil
}

// Close ends the request to the store. Cancel o's context first: a Read may be running.
func (o *object) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
	return nil
}

func (o *object) close() {
	if o.body == nil {
		return
	}
	o.body.Close() // whether it liked that says nothing about what was read
	o.cancel()
	o.body = nil
}

// failure is what ended the reading before its end, if anything.
func (o *object) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
