package tus

import (
	"errors"
	"io"
	"sync"
)

// slabSize is the grain in which bodies are held in memory, in bytes: small enough
// that a slow client does not hold a whole part while it sends little.
const slabSize = 256 << 10

// slabs are kept between requests.
var slabs = sync.Pool{New: func() any { return new([slabSize]byte) }}

type slab struct {
	mem *[slabSize]byte
	n   int // bytes in use
}

// buffer holds the bytes of one part or tail in slabs.
type buffer struct {
	slabs []slab
	size  int64
}

// fill reads from src until the buffer has room bytes more, or until src ends. Bytes
// that came before an error are in the buffer. The end of src is io.EOF.
func (b *buffer) fill(src io.Reader, room int64) error {
	for room > 0 {
		if len(b.slabs) == 0 || b.slabs[len(b.slabs)-1].n == slabSize {
			b.slabs = append(b.slabs, slab{mem: slabs.Get().(*[slabSize]byte)})
		}
		s := &b.slabs[len(b.slabs)-1]
		n, err := src.Read(s.mem[s.n:min(slabSize, int64(s.n)+room)])
		s.n += n
		b.size += int64(n)
		room -= int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// take moves the bytes of other behind those of b.
func (b *buffer) take(other *buffer) {
	b.slabs = append(b.slabs, other.slabs...)
	b.size += other.size
	*other = buffer{}
}

// writeTo writes all bytes to w, which must not fail: a hash.
func (b *buffer) writeTo(w io.Writer) {
	for _, s := range b.slabs {
		w.Write(s.mem[:s.n])
	}
}

// free gives the memory back. Nobody may read the buffer any more.
func (b *buffer) free() {
	for _, s := range b.slabs {
		slabs.Put(s.mem)
	}
	*b = buffer{}
}

// reader reads the buffer from its beginning.
func (b *buffer) reader() io.ReadSeeker { return &bufferReader{b: b} }

// bufferReader is at byte pos, which is at in slab i.
type bufferReader struct {
	b   *buffer
	pos int64
	i   int
	at  int
}

func (r *bufferReader) Read(p []byte) (n int, err error) {
	for n < len(p) && r.i < len(r.b.slabs) {
		s := r.b.slabs[r.i]
		c := copy(p[n:], s.mem[r.at:s.n])
		n, r.at, r.pos = n+c, r.at+c, r.pos+int64(c)
		if r.at == s.n {
			r.i, r.at = r.i+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *bufferReader) Seek(offset int64, whence int) (int64, error) {
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
		n := int64(r.b.slabs[r.i].n)
		if rest < n {
			r.at = int(rest)
			break
		}
		rest, r.i = rest-n, r.i+1
	}
	return offset, nil
}
