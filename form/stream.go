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

// maxOverhead is how much a form may have beside its file, in bytes: other fields, and the
// headers of all parts. mime/multipart alone would keep 10 MB of headers.
const maxOverhead = 64 << 10

// stream is the body of a request, with a time for every Read and a bound for all that is
// not the file.
type stream struct {
	body           io.Reader
	extendDeadline func() // begins the time that the client has for its next byte
	clearDeadline  func() // ends it
	expireDeadline func() // has a Read that waits return
	overheadLeft   int    // bytes that may come beside the file
	inFile         bool   // what comes is the file's
	interrupted    atomic.Bool
	err            error // what ended the body, if it was not its end
}

func newStream(w http.ResponseWriter, r *http.Request, timeout time.Duration) *stream {
	control := http.NewResponseController(w)
	// Not every ResponseWriter has deadlines; the server's has.
	return &stream{body: r.Body, overheadLeft: maxOverhead,
		extendDeadline: func() { _ = control.SetReadDeadline(time.Now().Add(timeout)) },
		clearDeadline:  func() { _ = control.SetReadDeadline(time.Time{}) },
		expireDeadline: func() { _ = control.SetReadDeadline(time.Now()) },
	}
}

func (s *stream) interrupt() {
	s.interrupted.Store(true)
	s.expireDeadline()
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if !s.inFile {
		if s.overheadLeft == 0 {
			s.err = file.Refuse(file.ErrInvalid, "The form has more than %d bytes beside the file", maxOverhead)
			return 0, s.err
		}
		p = p[:min(len(p), s.overheadLeft)]
	}
	// Begun before looking whether it was interrupted: that sets the deadline too.
	s.extendDeadline()
	if s.interrupted.Load() {
		s.err = file.ErrStopping
		return 0, s.err
	}
	n, err := s.body.Read(p)
	if !s.inFile {
		s.overheadLeft -= n
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		s.clearDeadline() // the server reads on, to see when the client goes away
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
