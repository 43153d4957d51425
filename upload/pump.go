package upload

import (
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"
)

// probeSize is how many bytes are read at once from a client that may be slow, so that its request holds no slab while
// it waits. A client that fills such a read is fast.
const probeSize = 2 << 10

// pump reads a body in a goroutine of its own, one slab at a time, so that its owner can do other work meanwhile.
type pump struct {
	src     io.Reader
	into    chan []byte
	out     chan pumped
	come    atomic.Int64 // bytes of the slab that is being filled
	taken   int          // of them, by the owner
	busy    bool
	stopped bool
	probe   [probeSize]byte
}

type pumped struct {
	n   int
	err error
}

func newPump(src io.Reader) *pump {
	p := &pump{src: src, into: make(chan []byte), out: make(chan pumped, 1)}
	go func() {
		for b := range p.into {
			n, err := p.fill(b)
			p.out <- pumped{n, err}
		}
	}()
	return p
}

// fill reads until b is full, or the client is slow. One short Read does not make a client slow: a reader that is
// faster than its client often meets the few bytes at the end of a segment. Two in a row do, or one where little is
// asked for.
func (p *pump) fill(b []byte) (n int, err error) {
	for short := len(b) <= probeSize; n < len(b) && err == nil; {
		var k int
		err = recovered(func() (err error) { k, err = p.src.Read(b[n:]); return err })
		n += k
		p.come.Store(int64(n))
		if k < probeSize && short {
			break
		}
		short = k < probeSize
	}
	return n, err
}

// begin starts to fill b. The result comes from out; call got with it then.
func (p *pump) begin(b []byte) {
	p.busy = true
	p.taken = 0
	p.come.Store(0)
	p.into <- b
}

// take returns how many more bytes are in the slab that is being filled. They belong to the owner from then on.
func (p *pump) take() int {
	n := int(p.come.Load()) - p.taken
	p.taken += n
	return n
}

// got returns how many bytes the owner has not taken yet.
func (p *pump) got(r pumped) int {
	p.busy = false
	return r.n - p.taken
}

// filled reports whether the client has filled b, which was the last to be filled.
func (p *pump) filled(b []byte) bool { return int(p.come.Load()) == len(b) }

// stop ends the pump: it interrupts a Read that is still waiting, after which nothing is written to its slab any more.
// It may be called again.
func (p *pump) stop(interrupt func()) {
	if p.stopped {
		return
	}
	p.stopped = true
	close(p.into)
	if p.busy {
		interrupt()
		<-p.out
	}
}

// recovered calls f and turns a panic into an error. A panic in a goroutine of its own would end the process, and all
// its uploads.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
