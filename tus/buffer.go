package tus

import (
	"io"
	"sync"
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

// reader reads the buffer from its beginning.
func (b *buffer) reader() *bufferReader { return &bufferReader{b: b} }

// bufferReader is at byte at of slab i.
type bufferReader struct {
	b  *buffer
	i  int
	at int
}

func (r *bufferReader) Read(p []byte) (n int, err error) {
	for n < len(p) && r.i < len(r.b.slabs) {
		s := r.b.slabs[r.i]
		c := copy(p[n:], s.mem[s.from+r.at:s.to])
		n, r.at = n+c, r.at+c
		if s.from+r.at == s.to {
			r.i, r.at = r.i+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// seek goes to a byte of the buffer.
func (r *bufferReader) seek(to int64) {
	r.i, r.at = 0, 0
	for r.i < len(r.b.slabs) {
		n := int64(r.b.slabs[r.i].to - r.b.slabs[r.i].from)
		if to < n {
			r.at = int(to)
			return
		}
		to, r.i = to-n, r.i+1
	}
}
