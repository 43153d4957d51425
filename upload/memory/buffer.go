package memory

import "io"

// slab holds bytes from one index to another. The space after them is free.
type slab struct {
	mem      []byte
	from, to int
	borrowed bool // it belongs to another buffer, which recycles it
}

// Buffer holds the bytes of one part or tail in slabs. Slabs can be added only to a buffer from Budget.NewBuffer; the
// zero value is empty.
type Buffer struct {
	pool  *slabs
	slabs []slab
	size  int64
	held  int64
}

// NewBuffer returns an empty buffer.
func (b *Budget) NewBuffer() Buffer { return Buffer{pool: b.slabs} }

// Size returns how many bytes are in the buffer.
func (b *Buffer) Size() int64 { return b.size }

// Held returns how many bytes of memory the buffer holds.
func (b *Buffer) Held() int64 { return b.held }

// Next returns how large the next slab should be, in bytes, for a client that may be slow.
func (b *Buffer) Next() int {
	switch {
	case b.size < MiddleSlab:
		return SmallSlab
	case b.size < LargeSlab:
		return MiddleSlab
	default:
		return LargeSlab
	}
}

// Grow adds a slab of one of the sizes. The caller's share must have got the memory.
func (b *Buffer) Grow(size int) {
	b.slabs = append(b.slabs, slab{mem: b.pool.get(size)})
	b.held += int64(size)
}

// Space is the free part of the last slab.
func (b *Buffer) Space() []byte {
	if len(b.slabs) == 0 {
		return nil
	}
	s := b.slabs[len(b.slabs)-1]
	return s.mem[s.to:]
}

// Last is the size of the slab that Space is in, in bytes.
func (b *Buffer) Last() int {
	if len(b.slabs) == 0 {
		return 0
	}
	return len(b.slabs[len(b.slabs)-1].mem)
}

// Fit moves the bytes of the last slab into smaller ones, if they need less than a quarter of it, and returns how many
// bytes of memory became free. The client into whose slab they were read has become slow.
func (b *Buffer) Fit() (freed int64) {
	if len(b.slabs) == 0 {
		return 0
	}
	last := b.slabs[len(b.slabs)-1]
	n := last.to - last.from
	size := SmallSlab
	for size < n {
		size *= Step
	}
	shared := last.borrowed || last.from > 0 // the bytes before are on their way to the store
	if shared || size >= len(last.mem) {
		return 0
	}
	smaller := slab{mem: b.pool.get(size)}
	smaller.to = copy(smaller.mem, last.mem[last.from:last.to])
	b.slabs[len(b.slabs)-1] = smaller
	b.pool.put(last.mem)
	freed = int64(len(last.mem) - size)
	b.held -= freed
	return freed
}

// Extend counts n bytes that were read into Space.
func (b *Buffer) Extend(n int) {
	if n > 0 {
		b.slabs[len(b.slabs)-1].to += n
		b.size += int64(n)
	}
}

// Drop drops the last byte, which there must be.
func (b *Buffer) Drop() {
	i := len(b.slabs) - 1
	for b.slabs[i].from == b.slabs[i].to {
		i--
	}
	b.slabs[i].to--
	b.size--
}

// Split takes the bytes out of b. With lent, a read into the space of the last slab is still under way: the slab stays
// with b, and the result borrows its bytes. Neither writes to the other's.
func (b *Buffer) Split(lent bool) Buffer {
	taken := *b
	*b = Buffer{pool: b.pool}
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

// Add moves the bytes of other to the end of b.
func (b *Buffer) Add(other Buffer) {
	if b.pool == nil {
		b.pool = other.pool
	}
	b.slabs = append(b.slabs, other.slabs...)
	b.size += other.size
	b.held += other.held
}

// From calls each with the bytes from a position on, slab by slab.
func (b *Buffer) From(pos int64, each func([]byte)) {
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

// Recycle empties the buffer and returns its slabs to the pool. They must not be read any more.
func (b *Buffer) Recycle() {
	for _, s := range b.slabs {
		if !s.borrowed {
			b.pool.put(s.mem)
		}
	}
	*b = Buffer{pool: b.pool}
}

// Pieces adds the buffer's bytes to a list of pieces. They belong to the buffer.
func (b *Buffer) Pieces(list [][]byte) [][]byte {
	for _, s := range b.slabs {
		if s.from < s.to {
			list = append(list, s.mem[s.from:s.to])
		}
	}
	return list
}

// Reader reads the buffer from a byte on.
func (b *Buffer) Reader(from int64) io.Reader {
	r := &bufferReader{b: b}
	for r.i < len(b.slabs) {
		n := int64(b.slabs[r.i].to - b.slabs[r.i].from)
		if from < n {
			r.at = int(from)
			break
		}
		from, r.i = from-n, r.i+1
	}
	return r
}

// bufferReader is at byte at of slab i.
type bufferReader struct {
	b  *Buffer
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
