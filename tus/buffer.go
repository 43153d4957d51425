package tus

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"holdfast/file"
)

// Bodies are held in slabs of these sizes, in bytes. The first ones of a buffer are
// small, so that what is held is never much more than what has come.
const (
	smallSlab  = 4 << 10
	middleSlab = 16 << 10
	largeSlab  = 64 << 10
)

// free are slabs that nobody uses, by size. A sync.Pool would give them to the garbage
// collector at every turn, and the next request would make new ones: with thousands of
// clients that is most of what the collector has to do.
var free = freeSlabs{lists: make(map[int][][]byte)}

// maxFree is how much of them is kept, in bytes: little, as it comes on top of the budget.
const maxFree = 8 << 20

type freeSlabs struct {
	mu    sync.Mutex
	lists map[int][][]byte
	bytes int
}

func (f *freeSlabs) get(size int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.lists[size]
	if len(list) == 0 {
		return make([]byte, size)
	}
	last := len(list) - 1
	b := list[last]
	list[last], f.lists[size] = nil, list[:last]
	f.bytes -= size
	return b
}

func (f *freeSlabs) put(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes+len(b) <= maxFree {
		f.lists[len(b)] = append(f.lists[len(b)], b)
		f.bytes += len(b)
	}
}

// slab holds bytes from one index to another. What is behind them is free.
type slab struct {
	mem      []byte
	from, to int
	borrowed bool // another buffer's: whoever frees this one leaves it alone
}

// buffer holds the bytes of one part or tail in slabs.
type buffer struct {
	slabs []slab
	size  int64 // bytes in use
	held  int64 // bytes of memory
}

// next is how large the next slab should be.
func (b *buffer) next() int {
	switch {
	case b.size < middleSlab:
		return smallSlab
	case b.size < largeSlab:
		return middleSlab
	default:
		return largeSlab
	}
}

// grow adds a slab, for which the caller has the memory.
func (b *buffer) grow(size int) {
	b.slabs = append(b.slabs, slab{mem: free.get(size)})
	b.held += int64(size)
}

// space is the free part of the last slab.
func (b *buffer) space() []byte {
	if len(b.slabs) == 0 {
		return nil
	}
	s := b.slabs[len(b.slabs)-1]
	return s.mem[s.to:]
}

// extend counts n bytes that were read into space.
func (b *buffer) extend(n int) {
	if n > 0 {
		b.slabs[len(b.slabs)-1].to += n
		b.size += int64(n)
	}
}

// split takes the bytes out of b. With lent, somebody is still reading into the space
// of the last slab: it stays with b, and what was taken borrows its bytes. Neither
// touches the other's.
func (b *buffer) split(lent bool) buffer {
	taken := *b
	*b = buffer{}
	if lent && len(taken.slabs) > 0 {
		last := &taken.slabs[len(taken.slabs)-1]
		rest := slab{mem: last.mem, from: last.to, to: last.to, borrowed: last.borrowed}
		last.borrowed = true
		b.slabs = []slab{rest}
		b.held = int64(len(rest.mem))
		taken.held -= b.held
	}
	return taken
}

// take moves the bytes of other behind those of b.
func (b *buffer) take(other buffer) {
	b.slabs = append(b.slabs, other.slabs...)
	b.size += other.size
	b.held += other.held
}

// from calls each with the bytes from a position on, slab by slab.
func (b *buffer) from(pos int64, each func([]byte)) {
	for _, s := range b.slabs {
		n := int64(s.to - s.from)
		if pos < n {
			each(s.mem[s.from+int(pos) : s.to])
			pos = 0
		} else {
			pos -= n
		}
	}
}

// recycle gives the slabs to whoever needs some next. Nobody may read the buffer any more.
func (b *buffer) recycle() {
	for _, s := range b.slabs {
		if !s.borrowed {
			free.put(s.mem)
		}
	}
	*b = buffer{}
}

// reader reads the buffer from its beginning. End it before the buffer is recycled.
func (b *buffer) reader() *bufferReader { return &bufferReader{b: b} }

// bufferReader is at byte pos, which is at in slab i.
//
// An HTTP client may go on reading a body after the call that sends it has failed. Once
// end has returned it gets nothing any more: what it would read may be another's.
type bufferReader struct {
	mu   sync.Mutex
	over bool
	b    *buffer
	pos  int64
	i    int
	at   int
}

var errCallOver = errors.New("the call that sent these bytes is over")

func (r *bufferReader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

func (r *bufferReader) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, errCallOver
	}
	for n < len(p) && r.i < len(r.b.slabs) {
		s := r.b.slabs[r.i]
		c := copy(p[n:], s.mem[s.from+r.at:s.to])
		n, r.at, r.pos = n+c, r.at+c, r.pos+int64(c)
		if s.from+r.at == s.to {
			r.i, r.at = r.i+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *bufferReader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, errCallOver
	}
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.b.size
	}
	if offset < 0 || offset > r.b.size {
		return 0, errors.New("seek outside of the buffer")
	}
	r.pos, r.i, r.at = offset, 0, 0
	for rest := offset; rest > 0; {
		n := int64(r.b.slabs[r.i].to - r.b.slabs[r.i].from)
		if rest < n {
			r.at = int(rest)
			break
		}
		rest, r.i = rest-n, r.i+1
	}
	return offset, nil
}

// readFull fills the slabs that b was grown by, from the first one on, with size bytes.
func (b *buffer) readFull(r io.Reader, size int64) error {
	for i := range b.slabs {
		s := &b.slabs[i]
		n, err := io.ReadFull(r, s.mem[:min(int64(len(s.mem)), size-b.size)])
		s.to = n
		b.size += int64(n)
		if err != nil {
			return fmt.Errorf("%w: %w", file.ErrStorageRead, err)
		}
	}
	return nil
}
