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
	n           atomic.Int64
	interrupted atomic.Bool
	cut         atomic.Bool // the body was interrupted, or the connection broke

	mu    sync.Mutex
	ended bool // nothing more is read, so the connection's deadline must not be touched
}

// New returns r's body. A Read fails if the client sends nothing for the duration of timeout.
func New(w http.ResponseWriter, r *http.Request, timeout time.Duration) *Body {
	b := &Body{Interrupted: file.ErrStopping, Refused: func(err error) error { return err }, body: r.Body,
		trailers: newTrailers(r), control: http.NewResponseController(w), timeout: timeout}
	b.ended = r.Body == http.NoBody
	return b
}

func (b *Body) Read(p []byte) (n int, err error) {
	// The client's time starts now, not at the end of the previous Read: in between the caller may have waited for
	// memory, which is not the client's fault. Interrupt sets the deadline too, so check for it only afterwards.
	b.setDeadline(time.Now().Add(b.timeout))
	if !b.interrupted.Load() {
		n, err = b.body.Read(p)
		b.n.Add(int64(n))
	}
	switch {
	case b.interrupted.Load() && err != io.EOF:
		err = b.Interrupted
		b.setDeadline(time.Now()) // otherwise net/http waits for the rest of the body before it answers
	case isMalformed(err):
		err = b.Refused(file.Refuse(file.ErrInvalid, "The body's chunks or trailers can't be read (RFC 9112, 7.1)"))
	case err == io.EOF:
		if refused := b.trailers.check(); refused != nil {
			err = b.Refused(refused)
		}
	}
	if err != nil {
		b.cut.Store(err != io.EOF)
		b.end(err)
	}
	return n, err
}

// Close closes the body.
func (b *Body) Close() error { return b.body.Close() }

// Interrupt makes the pending Read, and every later one, fail. It may be called from another goroutine, and more than
// once.
func (b *Body) Interrupt() {
	b.interrupted.Store(true)
	// Wakes a Read that waits for the client. The error can be ignored: if the deadline can't be set, the Read returns
	// with the next byte or with its own time-out.
	b.setDeadline(time.Now())
}

// Release must be called when the handler returns. The connection may then serve another request, whose context would
// end if a late Interrupt or Read moved the deadline into the past.
func (b *Body) Release() { b.end(nil) }

// end stops all changes of the deadline. After the end of the body net/http reads on in the background to notice when
// the client goes away; a deadline would end the request.
func (b *Body) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended && err == io.EOF {
		b.control.SetReadDeadline(time.Time{})
	}
	b.ended = true
}

func (b *Body) setDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.control.SetReadDeadline(t)
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

// isMalformed reports whether an error of net/http's body means malformed chunks or trailers, and neither the end of
// the body nor a broken connection.
func isMalformed(err error) bool {
	var broken net.Error
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) &&
		!errors.Is(err, io.ErrClosedPipe) &&
		!errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, http.ErrBodyReadAfterClose) && !errors.As(err, &broken)
}
