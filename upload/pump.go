package upload

import (
	"fmt"
	"io"
	"runtime/debug"
)

// probeSize is how many bytes are read at once from a client that may be slow, so that its request holds no slab while
// it waits. A client that fills such a read is fast.
const probeSize = 2 << 10

// pump reads a body in a goroutine of its own, one Read at a time, so that its owner can do other work meanwhile.
type pump struct {
	src     io.Reader
	into    chan []byte
	out     chan pumped
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
			var n int
			err := recovered(func() (err error) { n, err = p.src.Read(b); return err })
			p.out <- pumped{n, err}
		}
	}()
	return p
}

// begin starts a Read into b. Its result comes from out and must be passed to got.
func (p *pump) begin(b []byte) {
	p.busy = true
	p.into <- b
}

func (p *pump) got() { p.busy = false }

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
