package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"holdfast/file"
	"holdfast/upload/memory"
)

// payload is the content of one object or part: the bytes of tails, and after them those that were read since. Tails
// that are still in memory are used from there; others are read from the store while the payload is sent. So tails can
// be merged without any of the memory that uploads share, however many and however long they are.
type payload struct {
	segments []segment
	bucket   string
	size     int64 // bytes
	held     int64 // bytes of memory
	remote   bool  // some segment must be read from the store
}

// segment is a tail in the store, or bytes in memory.
type segment struct {
	tail file.Tail
	buf  *memory.Buffer // nil: in the store only
}

func (s segment) size() int64 {
	if s.buf != nil {
		return s.buf.Size()
	}
	return s.tail.Size
}

// gather starts a payload with the bytes of tails, in order.
func (e *Engine) gather(bucket string, tails []file.Tail) payload {
	c := payload{bucket: bucket}
	for _, t := range tails {
		if kept, here := e.memory.Recall(t.Key); here {
			c.add(kept)
			continue
		}
		c.segments = append(c.segments, segment{tail: t})
		c.size += t.Size
		c.remote = true
	}
	return c
}

// add appends bytes in memory.
func (c *payload) add(b memory.Buffer) {
	c.segments = append(c.segments, segment{buf: &b})
	c.size += b.Size()
	c.held += b.Held()
}

// takeAll moves a payload that is entirely in memory into one buffer.
func (c *payload) takeAll() (all memory.Buffer) {
	for _, s := range c.segments {
		all.Add(*s.buf)
	}
	*c = payload{}
	return all
}

// recycle frees the slabs. The payload must not be read any more.
func (c *payload) recycle() {
	for _, s := range c.segments {
		if s.buf != nil {
			s.buf.Recycle()
		}
	}
	*c = payload{}
}

// payloadReader reads a payload from its beginning; position pos is at byte at of segment i.
//
// An HTTP client may read a body after the call that sends it has failed. Once end has returned such a read fails: the
// slabs may belong to another request.
type payloadReader struct {
	objects Objects
	c       *payload
	ctx     context.Context // for reading from the store
	cancel  context.CancelFunc

	mu    sync.Mutex
	over  bool
	pos   int64
	i     int
	at    int64
	bytes io.Reader // of segment i from at on; nil: not open
	err   error     // why the store could not be read
	sum   sum       // of what was read
	own   sum       // of what was read of segment i
}

var errCallOver = errors.New("the call that sent these bytes is over")

// reader returns a reader of c. It must be ended before c is recycled.
func (e *Engine) reader(ctx context.Context, c *payload) *payloadReader {
	ctx, cancel := context.WithCancel(ctx)
	return &payloadReader{objects: e.objects, c: c, ctx: ctx, cancel: cancel}
}

// end ends the reading, and returns the error with which the store could not be read, if any.
func (r *payloadReader) end() error {
	r.cancel() // a Read that waits for the store ends
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.leave()
	return r.err
}

// leave closes the segment that is being read.
func (r *payloadReader) leave() {
	if c, ok := r.bytes.(io.Closer); ok {
		c.Close()
	}
	r.bytes = nil
}

// checksum is the CRC32 of the payload; empty if it was neither read to its end nor all in memory.
func (r *payloadReader) checksum() string {
	pieces, inMemory := r.Pieces()
	r.mu.Lock()
	defer r.mu.Unlock()
	if read := r.sum.text(r.c.size); read != "" || !inMemory {
		return read
	}
	var all sum // a store may have taken the pieces, without a Read
	for _, b := range pieces {
		all.add(all.size, b)
	}
	return all.text(r.c.size)
}

func (r *payloadReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, errCallOver
	}
	for len(p) > 0 && r.i < len(r.c.segments) {
		if r.bytes == nil {
			if err := r.open(); err != nil {
				r.err = fmt.Errorf("read back a tail: %w", err)
				return 0, r.err
			}
		}
		size := r.c.segments[r.i].size()
		n, err := r.bytes.Read(p[:min(int64(len(p)), size-r.at)])
		r.sum.add(r.pos, p[:n])
		r.own.add(r.at, p[:n])
		r.at, r.pos = r.at+int64(n), r.pos+int64(n)
		if r.at == size {
			r.leave()
			if r.err = r.compare(); r.err != nil {
				return 0, r.err
			}
			r.i, r.at = r.i+1, 0
		} else if err != nil {
			r.leave()
			r.err = fmt.Errorf("read back %s: %w", r.c.segments[r.i].tail.Key, unreadable(err))
			return n, r.err
		}
		if n > 0 {
			return n, nil
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// open opens segment i at byte at.
func (r *payloadReader) open() error {
	s := r.c.segments[r.i]
	if s.buf != nil {
		r.bytes = s.buf.Reader(r.at)
		return nil
	}
	b, err := r.objects.Open(r.ctx, file.Location{Bucket: r.c.bucket, Key: s.tail.Key}, "", r.at, s.tail.Size-r.at)
	if err != nil {
		return fmt.Errorf("a committed tail: %w", unreadable(err))
	}
	r.bytes = b
	return nil
}

// compare compares a tail that was read to its end with the sum in its row.
func (r *payloadReader) compare() error {
	t := r.c.segments[r.i].tail
	if own := r.own.text(t.Size); r.c.segments[r.i].buf == nil && t.CRC32 != "" && own != "" && own != t.CRC32 {
		return fmt.Errorf("read back a tail: %w: %s has the CRC32 %s, not %s", file.ErrLost, t.Key, own, t.CRC32)
	}
	return nil
}

// Pieces is storage.InMemory's.
func (r *payloadReader) Pieces() (pieces [][]byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.c.remote {
		return nil, false
	}
	for _, s := range r.c.segments {
		pieces = s.buf.Pieces(pieces)
	}
	return pieces, true
}

func (r *payloadReader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, errCallOver
	}
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.c.size
	}
	if offset < 0 || offset > r.c.size {
		return 0, errors.New("seek outside of the payload")
	}
	r.leave()
	r.pos, r.i, r.at, r.err = offset, 0, offset, nil
	for r.i < len(r.c.segments) && r.at >= r.c.segments[r.i].size() {
		r.at -= r.c.segments[r.i].size()
		r.i++
	}
	return offset, nil
}
