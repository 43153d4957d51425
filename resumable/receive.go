package resumable

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"holdfast/file"
	"holdfast/upload"
)

// receive appends the request's body to the upload, and finishes the upload if this was the last body.
func (x *exchange) receive(check upload.Check, progress *interim) error {
	if err := x.store(check, progress); err != nil {
		return err
	}
	if !x.complete {
		if x.created {
			return x.answerAppended(http.StatusCreated)
		}
		return x.answerAppended(http.StatusNoContent)
	}
	if u := x.upload; !u.Complete() {
		return file.Refuse(file.ErrLength, "The upload would be complete at %d bytes, but its length is %d", u.Offset, u.Size)
	}
	if err := x.session.Finish(); err != nil {
		return err
	}
	return x.answerFile()
}

// store appends the request's body. If the body breaks off, the bytes that arrived are kept.
func (x *exchange) store(check upload.Check, progress *interim) error {
	u := x.upload
	if u.State != file.Open { // it has all its bytes and waits to be finished
		return x.requireEmptyBody()
	}
	progress.startAt(u.Offset)
	start := u.Offset
	_, err := x.session.Append(start, upload.Body{
		Reader:    source{x},
		Length:    x.r.ContentLength,
		Interrupt: x.body.Interrupt,
		Cut:       x.body.Cut,
		Check:     check,
		Last:      x.complete,
		More:      x.complete,
		Committed: progress.sendOffset,
	})
	switch {
	case errors.Is(err, file.ErrTooLarge) && !errors.Is(err, file.ErrQuota) && !u.Deferred:
		// The client's idea of the file is wrong, so none of the bytes can be trusted (section 4.4.2).
		if failed := x.session.Terminate(); failed != nil {
			return failed
		}
		return err
	case err != nil:
		return err
	case x.body.Cut():
		return x.cutError()
	}
	return nil
}

// cutError returns the error for a request whose body broke off.
func (x *exchange) cutError() error {
	switch {
	case x.h.Engine.Stopping():
		return file.ErrStopping
	case errors.Is(x.session.Lost(), file.ErrUnavailable):
		return x.session.Lost() // no other request took the lease: it could not be renewed
	case x.body.IsInterrupted():
		return file.Refuse(file.ErrConflict, "Another request took this upload over: ask for its offset")
	}
	return file.Refuse(file.ErrCutOff, "the body broke off")
}

// requireEmptyBody refuses a body for an upload that has all its bytes.
func (x *exchange) requireEmptyBody() error {
	if n, _ := io.ReadFull(x.body, make([]byte, 1)); n > 0 {
		return file.Refuse(file.ErrTooLarge, "The upload has all its %d bytes, and accepts no more", x.upload.Size)
	}
	return nil
}

// answerAppended answers that the bytes are stored and more are expected (sections 4.2.2 and 4.4.2).
func (x *exchange) answerAppended(status int) error {
	h := x.w.Header()
	if x.created {
		h.Set("Location", x.location())
	}
	h.Set(uploadComplete, formatBool(false))
	h.Set(uploadOffset, strconv.FormatInt(x.upload.Offset, 10))
	h.Set(uploadLimit, x.limits())
	x.writeHeader(status)
	return nil
}

// source is the body as the engine reads it. Where it breaks off it ends like any other body, so that the bytes that
// arrived are kept; Cut tells the engine.
type source struct{ x *exchange }

func (s source) Read(p []byte) (int, error) {
	n, err := s.x.body.Read(p)
	if err == nil || errors.Is(err, file.ErrInvalid) {
		return n, err
	}
	return n, io.EOF
}
