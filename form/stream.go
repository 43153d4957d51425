package form

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"holdfast/file"
)

// maxBeside is how much a form may have beside its file, in bytes: other fields, and the
// headers of all parts. mime/multipart alone would keep 10 MB of headers.
const maxBeside = 64 << 10

// stream is the body of a request, with a time for every Read and a bound for all that is
// not the file.
type stream struct {
	body        io.Reader
	patience    func() // begins the time that the client has for its next byte
	rest        func() // ends it
	wake        func() // has a Read that waits return
	left        int    // bytes that may come beside the file
	inFile      bool   // what comes is the file's
	interrupted atomic.Bool
	err         error // what ended the body, if it was not its end
}

func newStream(w http.ResponseWriter, r *http.Request, timeout time.Duration) *stream {
	control := http.NewResponseController(w)
	// Not every ResponseWriter has deadlines; the server's has.
	return &stream{body: r.Body, left: maxBeside,
		patience: func() { _ = control.SetReadDeadline(time.Now().Add(timeout)) },
		rest:     func() { _ = control.SetReadDeadline(time.Time{}) },
		wake:     func() { _ = control.SetReadDeadline(time.Now()) },
	}
}

func (s *stream) interrupt() {
	s.interrupted.Store(true)
	s.wake()
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if !s.inFile {
		if s.left == 0 {
			s.err = file.Refuse(file.ErrInvalid, "The form has more than %d bytes beside the file", maxBeside)
			return 0, s.err
		}
		p = p[:min(len(p), s.left)]
	}
	// Begun before looking whether it was interrupted: that sets the deadline too.
	s.patience()
	if s.interrupted.Load() {
		s.err = file.ErrStopping
		return 0, s.err
	}
	n, err := s.body.Read(p)
	if !s.inFile {
		s.left -= n
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		s.rest() // the server reads on, to see when the client goes away
		return n, err
	case s.interrupted.Load():
		s.err = file.ErrStopping
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.err = file.Refuse(file.ErrSlow, "No byte came for too long")
	default:
		s.err = file.Refuse(file.ErrInvalid, "The body broke off")
	}
	return n, s.err
}
