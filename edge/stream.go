package edge

import (
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/limit"
	"holdfast/problem"
)

// withStreamLimit counts requests that share a connection (HTTP/2), and refuses those over the limits.
func withStreamLimit(connections *limit.Connections, respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, err := connections.Begin(r)
		if err != nil {
			respond.Write(w, r, err)
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
}

// withStreams gives a request of HTTP/2 the deadlines of an HTTP/1.1 connection, which all handlers expect: a deadline
// ends a read or a write that is waiting when it passes, or that begins later. net/http's own deadline ends the whole
// stream when it passes, even if nothing waits for the client: an upload that waits for memory, or a download that
// waits for the store, would end through no fault of the client's. withStreams also translates the errors of a body
// that broke off to those of HTTP/1.1.
func withStreams(write time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		past := time.Unix(1, 0)
		s := &stream{ResponseWriter: w, control: control,
			read:  deadline{expire: func() { _ = control.SetReadDeadline(past) }},
			write: deadline{expire: func() { _ = control.SetWriteDeadline(past) }}}
		defer s.close(write)
		if r.ContentLength == 0 {
			r.Body = http.NoBody
		} else {
			r.Body = &streamBody{body: r.Body, read: &s.read}
		}
		next.ServeHTTP(s, r)
	})
}

// stream is the answer to a request of HTTP/2.
type stream struct {
	http.ResponseWriter
	control     *http.ResponseController
	read, write deadline
}

// SetReadDeadline limits reads of the body.
func (s *stream) SetReadDeadline(t time.Time) error { s.read.set(t); return nil }

// SetWriteDeadline limits writes of the answer.
func (s *stream) SetWriteDeadline(t time.Time) error { s.write.set(t); return nil }

// EnableFullDuplex does nothing: streams are full duplex.
func (s *stream) EnableFullDuplex() error { return nil }

func (s *stream) Write(b []byte) (n int, err error) {
	err = s.inTime(func() error { n, err = s.ResponseWriter.Write(b); return err })
	return n, err
}

// FlushError sends what was written.
func (s *stream) FlushError() error { return s.inTime(s.control.Flush) }

// Flush implements http.Flusher.
func (s *stream) Flush() { _ = s.FlushError() }

// inTime calls write within the deadline. A late write ends the stream, so that the client does not take the bytes
// that it got for the whole answer.
func (s *stream) inTime(write func() error) error {
	if !s.write.begin() {
		return os.ErrDeadlineExceeded
	}
	err := write()
	if s.write.end() && err != nil {
		return os.ErrDeadlineExceeded
	}
	return err
}

// close ends the deadlines, as the stream ends with its handler. net/http gets the usual time for sending the rest.
func (s *stream) close(write time.Duration) {
	s.read.close()
	s.write.close()
	_ = s.control.SetWriteDeadline(time.Now().Add(write))
}

// streamBody is the body of a request of HTTP/2.
type streamBody struct {
	body   io.ReadCloser
	read   *deadline
	closed atomic.Bool
}

func (b *streamBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if !b.read.begin() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := b.body.Read(p)
	expired := b.read.end()
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case expired:
		return n, os.ErrDeadlineExceeded
	default: // the stream was ended, or its connection; or it was shorter than its Content-Length
		return n, io.ErrUnexpectedEOF
	}
}

func (b *streamBody) Close() error {
	b.closed.Store(true)
	return b.body.Close()
}

// deadline limits the waiting for one direction of a stream.
type deadline struct {
	expire func() // ends the stream's direction, for good

	mu      sync.Mutex
	at      time.Time // zero: none
	timer   *time.Timer
	waiting bool
	expired bool
	closed  bool
}

// set changes the deadline, also of a wait that has begun.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.waiting {
		d.arm()
	}
}

// begin begins a wait, unless it is too late for it.
func (d *deadline) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.expired {
		return false
	}
	if !d.at.IsZero() && !time.Now().Before(d.at) {
		d.expired = true
		d.expire()
		return false
	}
	d.waiting = true
	d.arm()
	return true
}

// end ends a wait, and reports whether the deadline has passed.
func (d *deadline) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = false
	d.disarm()
	return d.expired
}

// close ends all waits: the stream must not be used any more.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.disarm()
}

func (d *deadline) arm() {
	d.disarm()
	if d.at.IsZero() || d.closed {
		return
	}
	if d.timer == nil {
		d.timer = time.AfterFunc(time.Until(d.at), d.pass)
	} else {
		d.timer.Reset(time.Until(d.at))
	}
}

func (d *deadline) disarm() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// pass runs when the deadline has passed, if it was not changed since.
func (d *deadline) pass() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.expired || !d.waiting || d.at.IsZero() || time.Now().Before(d.at) {
		return
	}
	d.expired = true
	d.expire()
}
