package badline

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// conn is a client's connection over the line, with the one to the upstream.
type conn struct {
	line      *Line
	near, far *net.TCPConn
	once      sync.Once
	done      chan struct{} // closed with the connection
}

// close ends the connection in both directions at once.
func (c *conn) close(reset bool) {
	c.once.Do(func() {
		close(c.done)
		for _, end := range []*net.TCPConn{c.near, c.far} {
			if reset {
				end.SetLinger(0)
			}
			end.Close()
		}
	})
}

// lingers is how long a peer may go on sending after its connection has ended by Limit.
const lingers = 5 * time.Second

// hangUp ends the connection like close, but what was sent to one end arrives there. Closing a socket with unread bytes
// sends a reset, which drops what is under way: so they are read, until the peer has closed, too.
func (c *conn) hangUp(to *net.TCPConn) {
	c.once.Do(func() {
		close(c.done)
		for _, end := range []*net.TCPConn{c.near, c.far} {
			if end == to {
				end.CloseWrite()
			} else {
				end.Close()
			}
		}
	})
	_ = to.SetReadDeadline(time.Now().Add(lingers)) // fails only on a closed one
	io.Copy(io.Discard, to)
	to.Close()
}

// chunk is the result of one read, and its time.
type chunk struct {
	bytes []byte
	came  time.Time
}

// underWay is the maximum number of chunks in transit, as on a long line.
const underWay = 64

// piece returns how many bytes to read at once.
func (f Fault) piece(n int) int {
	if f.Slice > 0 {
		n = min(n, max(1, f.Slice/2+rand.N(f.Slice)))
	}
	if f.Rate > 0 { // ten chunks a second
		n = min(n, max(1, f.Rate/10))
	}
	return n
}

// carry forwards the bytes of one direction until it ends.
func (c *conn) carry(d Direction, from, to *net.TCPConn) {
	chunks := make(chan chunk, underWay)
	var end error // may be read once chunks is closed
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			if n > 0 {
				select {
				case chunks <- chunk{b[:n], time.Now()}:
				case <-c.done:
					return
				}
			}
			if err != nil {
				end = err
				return
			}
		}
	}()
	p := passing{conn: c, to: to}
	for k := range chunks {
		for len(k.bytes) > 0 {
			h := c.line.hour(d)
			if h != p.hour {
				p.hour, p.passed, p.free = h, 0, time.Now()
			}
			n := h.piece(len(k.bytes))
			if !p.pass(chunk{k.bytes[:n], k.came}) {
				return
			}
			k.bytes = k.bytes[n:]
		}
	}
	p.hour = c.line.hour(d)
	if p.hour.Silence {
		p.silent()
		return
	}
	p.wait(p.hour.SlowClose)
	if end != io.EOF {
		c.close(true)
		return
	}
	to.CloseWrite()
}

// passing is one direction of a connection.
type passing struct {
	*conn
	to     *net.TCPConn
	hour   *hour
	passed int64     // bytes since this fault began
	free   time.Time // when the line has room for the next bytes at its rate
}

// pass forwards a chunk as the fault allows, and reports whether the connection goes on.
func (p *passing) pass(k chunk) bool {
	f := p.hour.Fault
	switch {
	case f.Reset:
		p.line.struck(p.hour) // before: who sees the reset may connect again at once
		p.close(true)
		return false
	case f.Silence:
		p.wait(f.Pause)
		p.line.struck(p.hour)
		p.silent()
		return false
	}
	if f.Limit > 0 {
		k.bytes = k.bytes[:min(int64(len(k.bytes)), f.Limit-p.passed)]
	}
	late := f.Latency
	if f.Jitter > 0 {
		late += rand.N(f.Jitter)
	}
	p.wait(time.Until(k.came.Add(late)))
	if f.Rate > 0 {
		if now := time.Now(); p.free.Before(now) {
			p.free = now
		}
		p.free = p.free.Add(time.Duration(len(k.bytes)) * time.Second / time.Duration(f.Rate))
		p.wait(time.Until(p.free))
	}
	if _, err := p.to.Write(k.bytes); err != nil {
		p.close(false)
		return false
	}
	p.passed += int64(len(k.bytes))
	if f.Limit > 0 && p.passed >= f.Limit {
		p.hangUp(p.to)
		return false
	}
	p.wait(f.Pause)
	return true
}

// silent waits until the silence is over, which ends the connection.
func (p *passing) silent() {
	select {
	case <-p.hour.over:
	case <-p.done:
	}
}

// wait waits for d, or until the fault or the connection ends.
func (p *passing) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hour.over:
	case <-p.done:
	}
}
