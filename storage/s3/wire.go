package s3

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxIdleWires is how many connections wait for the next read.
	maxIdleWires = 64
	// idleWire is how long one waits.
	idleWire = 60 * time.Second
)

// wires are connections to one store that speak HTTP/1.1, one request at a time each.
type wires struct {
	dial func(context.Context) (net.Conn, error)

	mu   sync.Mutex
	idle []*wire // the one given back last at the end
}

// wire is a connection with at most one request on it.
type wire struct {
	net.Conn
	in    *bufio.Reader
	of    *wires
	since time.Time       // idle
	ctx   context.Context // of the request
	stop  func() bool     // watching ctx
}

// ask sends a request without a body and reads the header of the answer. The wire is the
// caller's then: give it back when the body was read, or drop it. When ctx ends, so does
// whatever is read from it.
func (ws *wires) ask(ctx context.Context, req *http.Request) (*wire, *http.Response, error) {
	for {
		w, used, err := ws.take(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
		w.ctx = ctx
		w.stop = context.AfterFunc(ctx, func() { w.SetDeadline(time.Unix(1, 0)) })
		var res *http.Response
		if err = req.Write(w.Conn); err == nil {
			res, err = http.ReadResponse(w.in, req)
		}
		if err == nil {
			return w, res, nil
		}
		err = w.why(err)
		w.drop()
		// A wire that was idle may have been cut by the store; a new one tells.
		if !used || ctx.Err() != nil {
			return nil, nil, err
		}
	}
}

// take gives an idle wire, or a new one.
func (ws *wires) take(ctx context.Context) (w *wire, used bool, err error) {
	ws.mu.Lock()
	for len(ws.idle) > 0 && w == nil {
		last := len(ws.idle) - 1
		w, ws.idle[last], ws.idle = ws.idle[last], nil, ws.idle[:last]
		if time.Since(w.since) > idleWire {
			w.Close()
			w = nil
		}
	}
	ws.mu.Unlock()
	if w != nil {
		return w, true, nil
	}
	c, err := ws.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	return &wire{Conn: c, in: newIn(c), of: ws}, false, nil
}

// give takes the wire back for the next request. The answer must have been read.
func (w *wire) give() {
	if !w.stop() { // ctx has ended, and with it the wire
		w.Close()
		return
	}
	w.ctx, w.stop, w.since = nil, nil, time.Now()
	ws := w.of
	ws.mu.Lock()
	defer ws.mu.Unlock()
	// Those that have waited too long stand in front.
	for len(ws.idle) > 0 && (len(ws.idle) == maxIdleWires || time.Since(ws.idle[0].since) > idleWire) {
		ws.idle[0].Close()
		ws.idle = ws.idle[1:]
	}
	ws.idle = append(ws.idle, w)
}

// drop ends the wire.
func (w *wire) drop() {
	w.stop()
	w.Close()
}

// why is err, or why ctx ended if that was the reason for it.
func (w *wire) why(err error) error {
	if err != nil && w.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(w.ctx), err)
	}
	return err
}

// close ends the idle wires.
func (ws *wires) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.idle {
		w.Close()
	}
	ws.idle = nil
}
