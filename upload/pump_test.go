package upload

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// pieces is a body of which each Read returns one piece.
type pieces []int

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := min((*p)[0], len(b))
	*p = (*p)[1:]
	copy(b, bytes.Repeat([]byte("x"), n))
	return n, nil
}

// A fast client fills its slab in one go; one that sends little at a time does not make anybody wait for the rest.
func TestPumpFillsSlabs(t *testing.T) {
	const slab = 64 << 10
	for _, c := range []struct {
		body pieces
		want []int // bytes of each hand-over
	}{
		{pieces{slab / 4, slab / 4, slab / 2, slab, slab / 2, slab / 2}, []int{slab, slab, slab}},
		{pieces{slab / 4, 100, slab / 2, 100, slab/4 - 200, slab}, []int{slab, slab}},
		{pieces{slab / 4, 100, 100, slab}, []int{slab/4 + 200, slab}},
		{pieces{probeSize, probeSize - 1, 1, 1, 1}, []int{2 * probeSize, 2}},
	} {
		body := c.body
		p := newPump(&body)
		for _, want := range c.want {
			b := make([]byte, slab)
			p.begin(b)
			r := <-p.out
			if n := p.got(r); n != want || r.err != nil || p.filled(b) != (want == slab) {
				t.Errorf("%v: %d bytes, %v, want %d", c.body, n, r.err, want)
			}
		}
		p.begin(make([]byte, slab))
		if r := <-p.out; p.got(r) != 0 || !errors.Is(r.err, io.EOF) {
			t.Error(r)
		}
		p.stop(func() {})
	}
}

// What has come of a slab can be taken while the client still fills it.
func TestPumpTakes(t *testing.T) {
	r, w := io.Pipe()
	p := newPump(r)
	b := make([]byte, 3*probeSize)
	p.begin(b)
	if _, err := w.Write(bytes.Repeat([]byte("a"), probeSize)); err != nil {
		t.Fatal(err)
	}
	got := 0
	for got == 0 {
		got = p.take()
	}
	if got != probeSize || p.take() != 0 {
		t.Errorf("%d bytes were taken, and then more", got)
	}
	w.Close()
	if n := p.got(<-p.out); n != 0 {
		t.Errorf("%d bytes were given twice", n)
	}
	p.stop(func() {})
}
