// Package reqbody reads the body of a request that carries bytes of a file. It limits how long the client may send
// nothing, can be interrupted while it waits for the client, and distinguishes a body that ended from one that broke
// off.
package reqbody

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
)

// Body is the body of a request. Its fields must not be changed once it is read.
type Body struct {
	// Interrupted is the error of a Read after Interrupt was called.
	Interrupted error
	// Refused returns the error of a Read for one that refuses the body: a file.ErrInvalid. By default it is the same.
	Refused func(error) error

	body        io.ReadCloser
	trailers    trailers
	control     *http.ResponseController
	timeout     time.Duration
	failed      *atomic.Bool // the connection must not serve another request
	n           atomic.Int64
	interrupted atomic.Bool // changes under mu
	cut         atomic.Bool // the body was interrupted, or the connection broke

	// mu guards the connection's deadline. It may be set only while a Read waits: whatever net/http reads at another
	// time, also in the background to notice when the client goes away, would run into it, and then net/http ends the
	// context of the connection, which all its requests have.
	mu      sync.Mutex
	reading bool
	ended   bool // nothing more is read
}

// New returns r's body, for a handler within AnswerEarly. A Read fails if the client sends nothing for the duration of
// timeout.
func New(w http.ResponseWriter, r *http.Request, timeout time.Duration) *Body {
	b := &Body{Interrupted: file.ErrStopping, Refused: func(err error) error { return err }, body: r.Body,
		trailers: newTrailers(r), control: http.NewResponseController(w), timeout: timeout}
	b.ended = r.Body == http.NoBody
	if b.failed, _ = r.Context().Value(failedKey{}).(*atomic.Bool); b.failed == nil {
		b.failed = new(atomic.Bool)
	}
	return b
}

func (b *Body) Read(p []byte) (n int, err error) {
	if b.begin() {
		n, err = b.body.Read(p)
		b.n.Add(int64(n))
	}
	interrupted := b.finish(err)
	switch {
	case interrupted:
		err = b.Interrupted
	case isMalformed(err):
		err = b.Refused(file.Refuse(file.ErrInvalid, "The body's chunks or trailers can't be read (RFC 9112, 7.1)"))
	case err == io.EOF:
		if refused := b.trailers.check(); refused != nil {
			err = b.Refused(refused)
		}
	}
	if err != nil {
		b.cut.Store(err != io.EOF)
	}
	return n, err
}

// begin prepares a Read; false: the body was interrupted. The client's time starts now, not at the end of the previous
// Read: in between the caller may have waited for memory, which is not the client's fault.
func (b *Body) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.interrupted.Load() {
		return false
	}
	if !b.ended {
		b.reading = true
		b.control.SetReadDeadline(time.Now().Add(b.timeout))
	}
	return true
}

// finish ends a Read that returned err, and reports whether the body was interrupted. So is one that came to its end
// just then: the context of its request may have ended.
func (b *Body) finish(err error) (interrupted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.ended = b.ended || err != nil
	return b.interrupted.Load()
}

// Close closes the body.
func (b *Body) Close() error { return b.body.Close() }

// Interrupt makes the pending Read, and every later one, fail. It may be called from another goroutine, and more than
// once.
func (b *Body) Interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.interrupted.Store(true)
	if b.reading {
		// The error can be ignored: if the deadline can't be set, the Read returns with the next byte or with its own
		// time-out.
		b.control.SetReadDeadline(time.Now())
		b.failed.Store(true)
	}
}

// IsInterrupted reports whether Interrupt was called.
func (b *Body) IsInterrupted() bool { return b.interrupted.Load() }

// Cut reports whether the body broke off: it was interrupted, or the connection broke.
func (b *Body) Cut() bool { return b.cut.Load() }

// Count returns the number of bytes that were read.
func (b *Body) Count() int64 { return b.n.Load() }

// CheckLength refuses a request of HTTP/1.0 without Content-Length. Nothing tells where its body ends (RFC 9112, 6.3),
// so net/http takes it for an empty one.
func CheckLength(r *http.Request) error {
	if !r.ProtoAtLeast(1, 1) && r.Header.Get("Content-Length") == "" {
		return file.Refuse(file.ErrInvalid, "A request of HTTP/1.0 needs Content-Length: send it, or use HTTP/1.1")
	}
	return nil
}

// RefuseKey refuses an Idempotency-Key where none is read: its client would repeat the request in the belief that no
// second file can come of it.
func RefuseKey(h http.Header) error {
	if len(h.Values("Idempotency-Key")) > 0 {
		return file.Refuse(file.ErrInvalid, "Idempotency-Key is supported for forms only: leave it out")
	}
	return nil
}

// isMalformed reports whether an error of net/http's body means malformed chunks or trailers, and neither the end of
// the body nor a broken connection.
func isMalformed(err error) bool {
	var broken net.Error
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) &&
		!errors.Is(err, io.ErrClosedPipe) &&
		!errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, http.ErrBodyReadAfterClose) && !errors.As(err, &broken)
}
