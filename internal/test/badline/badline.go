// Package badline is a TCP line between two programs that a test can disturb while it is in use, and repair again.
//
// We have our own because the usual proxy deadlocks if a fault is removed just as a peer leaves (Shopify/toxiproxy,
// issues 428 and 558). Here no fault waits for a connection: each connection checks the current fault with every
// chunk.
//
// Only tests import this package.
package badline

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// A Direction is one of the two directions of a line.
type Direction int

const (
	Up   Direction = iota // from clients to the upstream
	Down                  // from the upstream to clients
	Both
)

// A Fault describes how a line is disturbed. The zero value is a good line.
type Fault struct {
	Latency, Jitter time.Duration // a chunk is delayed by Latency, and by up to Jitter more
	Rate            int           // bytes a second for each connection; 0: unlimited
	Slice           int           // bytes in a chunk, on average; 0: as they arrive
	Pause           time.Duration // after each chunk
	Limit           int64         // a connection ends after this many bytes since the fault began; 0: none
	SlowClose       time.Duration // EOF is delayed by this
	Silence         bool          // bytes are dropped; when the fault ends, so does the connection
	Reset           bool          // a connection is reset when bytes come
	Once            bool          // the fault ends after it has reset a connection, or been silent for Pause
}

// Line is a line to an upstream, on a port of its own.
type Line struct {
	Port     int // on 127.0.0.1, forwarded to the upstream
	upstream string

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	hours    [Both]*hour  // the current fault of each direction
	conns    map[*conn]struct{}
	closed   bool
}

// hour is the period of one fault in one direction.
type hour struct {
	Fault
	over chan struct{} // closed when the fault ends
}

// New returns a good line to upstream, a host and port. It ends with the test.
func New(t testing.TB, upstream string) *Line {
	t.Helper()
	l := &Line{upstream: upstream, conns: map[*conn]struct{}{}}
	for d := range l.hours {
		l.hours[d] = &hour{over: make(chan struct{})}
	}
	err := errors.New("not tried")
	for try := 0; err != nil && try < 5; try++ { // a free port may be taken a moment later
		// A port for listening: Restore needs the same one after Cut.
		if l.Port, err = testproc.FreePort(); err == nil {
			err = l.Restore()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Cut()
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	})
	return l
}

// Addr returns the host and port at which the line accepts connections.
func (l *Line) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port)) }

// Spoil begins a fault; it replaces the one before.
func (l *Line) Spoil(d Direction, f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one := range l.hours {
		if d != Both && d != Direction(one) {
			continue
		}
		l.change(one, f)
	}
}

// change ends the fault of a direction and begins another.
func (l *Line) change(direction int, f Fault) {
	was := l.hours[direction]
	l.hours[direction] = &hour{f, make(chan struct{})}
	close(was.over)
	if was.Silence {
		for c := range l.conns {
			c.close(false)
		}
	}
}

// struck ends a fault with Once, if it has not ended yet.
func (l *Line) struck(h *hour) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for direction := range l.hours {
		if h.Once && l.hours[direction] == h {
			l.change(direction, Fault{})
		}
	}
}

// Mend ends all faults.
func (l *Line) Mend() { l.Spoil(Both, Fault{}) }

// Cut ends all connections and refuses new ones.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	for c := range l.conns {
		c.close(false)
	}
}

// Restore accepts connections again after Cut. After the test's end it does nothing.
func (l *Line) Restore() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil || l.closed {
		return nil
	}
	listener, err := net.Listen("tcp", l.Addr())
	if err != nil {
		return err
	}
	l.listener = listener
	go l.accept(listener)
	return nil
}

func (l *Line) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return // closed
		}
		go l.connect(near.(*net.TCPConn))
	}
}

func (l *Line) connect(near *net.TCPConn) {
	far, err := net.Dial("tcp", l.upstream)
	if err != nil {
		near.Close()
		return
	}
	c := &conn{line: l, near: near, far: far.(*net.TCPConn), done: make(chan struct{})}
	l.mu.Lock()
	cut := l.listener == nil
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	if cut { // Cut was called meanwhile
		c.close(false)
	}
	var ends sync.WaitGroup
	ends.Go(func() { c.carry(Up, c.near, c.far) })
	ends.Go(func() { c.carry(Down, c.far, c.near) })
	ends.Wait()
	c.close(false)
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

func (l *Line) hour(d Direction) *hour {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hours[d]
}
