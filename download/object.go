package download

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"holdfast/file"
	"holdfast/problem"
)

// object is the content of a file as an io.ReadSeeker. Seeking costs nothing: the store
// is opened at the first Read, or by open.
type object struct {
	ctx     context.Context
	objects Objects
	record  file.Record

	pos  int64
	end  int64 // where the open body ends
	body io.ReadCloser
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.pos
	case io.SeekEnd:
		offset += o.record.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != o.pos {
		o.Close()
	}
	o.pos = offset
	return offset, nil
}

// open opens the store for length bytes from here on.
func (o *object) open(length int64) error {
	o.Close()
	length = min(length, o.record.Size-o.pos)
	body, err := o.objects.Open(o.ctx, o.record.Location, o.record.ETag, o.pos, length)
	if err != nil {
		return err
	}
	o.body, o.end = body, o.pos+length
	return nil
}

func (o *object) Read(p []byte) (int, error) {
	if o.pos >= o.record.Size {
		return 0, io.EOF
	}
	if o.body == nil || o.pos >= o.end {
		if err := o.open(o.record.Size - o.pos); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p)
	o.pos += int64(n)
	if err == io.EOF && o.pos < o.end {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close closes the store's body; the object can still be read after it.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	body := o.body
	o.body = nil
	return body.Close()
}

// opener opens the store when net/http has decided to send bytes, and before it says
// so: an object that is not there is an error, and not a body that breaks off.
type opener struct {
	http.ResponseWriter
	r        *http.Request
	respond  problem.Responder
	object   *object
	answered bool // with an error, in place of the body
}

func (w *opener) WriteHeader(status int) {
	h := w.Header()
	// Of several ranges, each is opened when it is reached.
	oneBody := status == http.StatusOK || status == http.StatusPartialContent && h.Get("Content-Range") != ""
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	switch {
	case status >= 400 && status != http.StatusPreconditionFailed:
		w.fail(rangeError(status))
		return
	case w.r.Method == http.MethodGet && oneBody && err == nil:
		if err := w.object.open(length); err != nil {
			w.fail(err)
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// copyBuffers are larger than io.Copy's own: fewer trips between the store and the client.
var copyBuffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// ReadFrom is how io.Copy hands the content over.
func (w *opener) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, r, buf[:])
}

func (w *opener) fail(err error) {
	w.answered = true
	contentRange := w.Header().Get("Content-Range") // of a 416 (RFC 9110, 15.5.17)
	w.Header().Del("Content-Security-Policy")
	p := w.respond.Of(err)
	p.Header(w.Header())
	if p.Status == http.StatusRequestedRangeNotSatisfiable && contentRange != "" {
		w.Header().Set("Content-Range", contentRange)
	}
	w.respond.LogError(w.r, p.Status, err)
	w.ResponseWriter.WriteHeader(p.Status)
	if w.r.Method != http.MethodHead {
		w.ResponseWriter.Write(p.Body())
	}
}

func (w *opener) Write(b []byte) (int, error) {
	if w.answered {
		return 0, errors.New("answered with an error")
	}
	return w.ResponseWriter.Write(b)
}

// rangeError is the error for a status that http.ServeContent refused a request with.
func rangeError(status int) error {
	if status == http.StatusRequestedRangeNotSatisfiable {
		return file.ErrRange
	}
	return errors.New("http.ServeContent answered " + strconv.Itoa(status))
}
