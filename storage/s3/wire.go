package s3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// maxIdleWires is the number of idle connections that are kept.
	maxIdleWires = 64
	// idleWire is how long an idle connection is kept.
	idleWire = 60 * time.Second
)

// wires is a pool of HTTP/1.1 connections to one store.
type wires struct {
	dial func(context.Context) (net.Conn, error)

	mu   sync.Mutex
	idle []*wire // the last one was given back last
}

// wire is a connection, with at most one request at a time.
type wire struct {
	net.Conn
	in    *bufio.Reader
	of    *wires
	since time.Time       // when it became idle
	ctx   context.Context // of the request
	stop  func() bool     // stops watching ctx

	unsent bool // the answer came before the whole body was sent
}

// ask sends a request by send, which returns the header of the answer. The caller then has the wire, and gives it back
// when the body was read, or drops it. When ctx ends, reads from the wire and writes to it fail.
func (ws *wires) ask(
	ctx context.Context, send func(*wire) (*http.Response, error),
) (*wire, *http.Response, error) {
	for {
		w, used, err := ws.take(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
		w.ctx = ctx
		w.stop = context.AfterFunc(ctx, func() { w.SetDeadline(time.Unix(1, 0)) })
		res, err := send(w)
		if err == nil {
			return w, res, nil
		}
		err = w.why(err)
		w.drop()
		// The store may have closed an idle connection: try the next one, and a new one at last.
		if !used || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil, err
		}
	}
}

// take returns an idle wire, or a new one.
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

// give puts the wire back into the pool. The answer must have been read completely.
func (w *wire) give() {
	if !w.stop() { // ctx has ended, and has set a deadline on the wire
		w.Close()
		return
	}
	w.SetDeadline(time.Time{})
	w.ctx, w.stop, w.since = nil, nil, time.Now()
	ws := w.of
	ws.mu.Lock()
	defer ws.mu.Unlock()
	// The ones that have been idle for longest are first.
	for len(ws.idle) > 0 && (len(ws.idle) == maxIdleWires || time.Since(ws.idle[0].since) > idleWire) {
		ws.idle[0].Close()
		ws.idle = ws.idle[1:]
	}
	ws.idle = append(ws.idle, w)
}

// drop closes the wire.
func (w *wire) drop() {
	w.stop()
	w.Close()
}

// why is err, with the reason why ctx ended if it has.
func (w *wire) why(err error) error {
	if err != nil && w.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(w.ctx), err)
	}
	return err
}

// close closes the idle wires.
func (ws *wires) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.idle {
		w.Close()
	}
	ws.idle = nil
}
