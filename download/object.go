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

// maxResumes is how often one answer may resume after the store broke off.
const maxResumes = 3

// firstPause is the delay before the first retry; it doubles with each one.
const firstPause = 100 * time.Millisecond

// object is the content of a file as an io.ReadSeeker. Seeking costs nothing: the store is opened at the first Read,
// or by openFirst, and for no more than will be read. If the store breaks off, reading resumes at the byte that was
// reached, of the same object.
type object struct {
	ctx      context.Context
	objects  Objects
	record   file.Record
	stall    time.Duration // the longest time without a byte from the store
	resumes  func()        // counts
	reopened func()        // counts

	mu      sync.Mutex // net/http reads several ranges in a goroutine of its own
	pos     int64
	end     int64       // where the open body ends
	ranges  []byteRange // to be read, in this order; empty: all of the file
	body    io.ReadCloser
	cancel  context.CancelFunc // ends the body's request
	watch   *time.Timer        // calls cancel when the store stalls
	resumed int
	err     error // why reading has failed for good
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

// openFirst opens the store for length bytes from the current position. If there are several ranges, it opens the
// first; each further one is opened when it is reached.
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

// nextEnd returns the end of the range that begins at the current position, or of the file.
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
			return n, nil // the next Read returns the error again, if there is one
		}
		if o.err = o.resume(err); o.err != nil {
			return 0, o.err
		}
	}
}

// peek returns up to n of the open body's first bytes, without consuming them.
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
			break // the next Read returns it again and handles it
		}
	}
	first = first[:got]
	o.body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first), o.body), o.body}
	return first
}

// passer is a body that can pass bytes on without reading them into this process; storage's is one.
type passer interface {
	Pass(w io.Writer, most int64, patience time.Duration) (int64, error)
}

const (
	// passChunk is how many bytes are passed on at once.
	passChunk = 1 << 20
	// minPass is the length, in bytes, from which passing on is less work than reading and writing.
	minPass = 256 << 10
	// maxPassTime is how long a chunk may take. A slower client is served by Read, which can tell whether the client
	// stalls or the store.
	maxPassTime = 2 * time.Second
)

// pass passes on to w as many of the next length bytes as it can; the caller reads the rest.
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
		byWriter := errors.Is(err, storage.ErrWriter)
		slow := errors.Is(err, os.ErrDeadlineExceeded) && (k > 0 || byWriter)
		if byWriter && !slow {
			return n, err
		}
		if slow { // client or store is slow, but not gone: the rest is read
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

// read reads from the open body, and cancels its request when the store stalls.
func (o *object) read(p []byte) (int, error) {
	o.watch.Reset(o.stall)
	n, err := o.body.Read(p)
	o.watch.Stop()
	return n, err
}

// resume opens the store again at the byte where reading broke off. It does not retry if the object is gone or was
// replaced.
func (o *object) resume(broken error) error {
	broken = fmt.Errorf("read object: %w: broken off at byte %d of %d: %w", file.ErrStorageRead, o.pos, o.end, broken)
	// More than a retry: the tries are counted for the whole answer, and the error keeps why each one failed.
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

// open opens the store from the current position to end.
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
	o.body.Close() // its error says nothing about the bytes that were read
	o.cancel()
	o.body = nil
}

// failure returns the error that ended reading too early, or nil.
func (o *object) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
