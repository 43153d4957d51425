package download

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/file"
)

// response sits between http.ServeContent and the client. It opens the store when net/http has decided to send bytes,
// but before the status is sent: a missing object gets an error, not a body that breaks off.
type response struct {
	http.ResponseWriter
	h        *Handler
	r        *http.Request
	object   *object
	counted  *countingWriter
	charged  int64       // bytes that were counted for the rate limit
	unsent   func(int64) // uncounts those that were not sent; nil: not needed
	answered bool        // with an error, in place of the body
	slow     bool        // the client took nothing for too long
}

func (w *response) WriteHeader(status int) {
	switch {
	case status >= 400:
		w.fail(refusal(status))
		return
	case w.r.Method == http.MethodGet && (status == http.StatusOK || status == http.StatusPartialContent):
		length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		if err == nil {
			err = w.charge(status)
		}
		if err == nil {
			several := status == http.StatusPartialContent && w.Header().Get("Content-Range") == ""
			err = w.object.openFirst(length, several)
		}
		if err == nil && status == http.StatusOK {
			w.detectCharset()
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// charge counts the bytes that are about to be sent against the rate limit.
func (w *response) charge(status int) (err error) {
	spans := w.object.ranges
	if status == http.StatusOK { // also where ranges were asked for: If-Range may have named another file
		spans = nil
	}
	w.charged, w.unsent, err = w.h.charge(w.r, w.object.record, spans)
	return err
}

// fail answers with an error instead of the file's bytes.
func (w *response) fail(err error) {
	w.answered = true
	if w.r.Context().Err() != nil {
		return // the client has gone away; that is why it failed
	}
	err = w.h.explainMissing(w.r.Context(), w.object.record, err)
	header := w.Header()
	tag := header.Get("ETag")
	p := w.h.Respond.Of(w.r, err)
	p.Header(header)
	switch p.Status {
	case http.StatusRequestedRangeNotSatisfiable:
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(w.object.record.Size, 10)) // RFC 9110, 15.5.17
	case http.StatusPreconditionFailed:
		if tag != "" {
			header.Set("ETag", tag) // the current one
		}
	}
	w.h.Respond.LogError(w.r, p.Status, err)
	w.h.Respond.Send(w.ResponseWriter, w.r, p)
}

// refusal returns the error for a status with which http.ServeContent refused a request.
func refusal(status int) error {
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		return file.ErrRange
	case http.StatusPreconditionFailed:
		return file.ErrPrecondition
	}
	return errors.New("http.ServeContent answered " + strconv.Itoa(status))
}

// copyBuffer is larger than io.Copy's own buffer: that takes fewer reads and writes. A slow reader costs one of them
// beside its two connections.
type copyBuffer [128 << 10]byte

// ReadFrom is what io.Copy calls with the content.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if w.answered {
		return 0, errAnswered
	}
	var passed int64
	if l, ok := r.(*io.LimitedReader); ok && l.R == io.Reader(w.object) { // one range, or all of the file
		var err error
		passed, err = w.object.pass(direct{w}, l.N)
		if l.N -= passed; err != nil || l.N == 0 {
			return passed, err
		}
	}
	buf := w.h.buffers.Get().(*copyBuffer)
	defer w.h.buffers.Put(buf)
	if l, ok := r.(*io.LimitedReader); ok && l.N <= int64(len(buf)) {
		n, err := w.sendShort(l, buf[:l.N])
		return passed + n, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, r, buf[:])
	return passed + n, err
}

// sendShort sends what fits in a buffer as one piece, however many pieces the store sends: for a short range each costs
// more than its bytes.
func (w *response) sendShort(r io.Reader, buf []byte) (int64, error) {
	n, broken := io.ReadFull(r, buf)
	if n == 0 {
		return 0, broken
	}
	sent, err := w.Write(buf[:n])
	if err == nil {
		err = broken
	}
	return int64(sent), err
}

// direct writes to the client's socket: the server's ReadFrom leads there.
type direct struct{ *response }

func (d direct) ReadFrom(r io.Reader) (int64, error) {
	d.extendDeadline()
	n, err := io.Copy(d.ResponseWriter, r)
	d.noteSlow(err)
	return n, err
}

var errAnswered = errors.New("answered with an error")

// Write sends a buffer within WriteTimeout.
func (w *response) Write(b []byte) (int, error) {
	if w.answered {
		return 0, errAnswered
	}
	w.extendDeadline()
	n, err := w.ResponseWriter.Write(b)
	w.noteSlow(err)
	return n, err
}

// extendDeadline restarts the client's time for the next bytes.
func (w *response) extendDeadline() {
	// Not every ResponseWriter can do that; the server's can.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.h.WriteTimeout))
}

// noteSlow records whether a write failed because the client was too slow.
func (w *response) noteSlow(err error) { w.slow = errors.Is(err, os.ErrDeadlineExceeded) }

// finish ends the answer. If the store did not deliver all that was promised, it cuts the connection, so that the
// client does not take a part for the whole.
func (w *response) finish() {
	// The connection may serve other requests after this one.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Time{})
	if w.unsent != nil {
		w.unsent(max(0, w.charged-w.counted.sent))
	}
	if w.slow {
		w.h.metrics.aborted.WithLabelValues("client").Inc()
	}
	err := w.object.failure()
	if err == nil || w.answered || w.r.Context().Err() != nil {
		return
	}
	err = w.h.explainMissing(w.r.Context(), w.object.record, err)
	w.h.metrics.aborted.WithLabelValues("store").Inc()
	w.h.Respond.LogError(w.r, http.StatusInternalServerError, err)
	panic(http.ErrAbortHandler)
}

// charsetSample is how much of a text is read to detect its charset, in bytes.
const charsetSample = 4 << 10

// detectCharset adds the charset to a text that is shown and whose charset is not known, if it is UTF-8: browsers
// would assume an older one.
func (w *response) detectCharset() {
	h := w.Header()
	kind := h.Get("Content-Type")
	if !strings.HasPrefix(h.Get("Content-Disposition"), "inline") || !strings.HasPrefix(kind, "text/") ||
		strings.Contains(kind, ";") {
		return
	}
	if sample := w.object.peek(charsetSample); isUTF8(sample, len(sample) == charsetSample) {
		h.Set("Content-Type", kind+"; charset=utf-8")
	}
}

// isUTF8 reports whether b, the beginning of a text, is UTF-8. If cut is true, its last character may be incomplete.
func isUTF8(b []byte, cut bool) bool {
	for n := 1; cut && n < utf8.UTFMax && n <= len(b); n++ {
		if start := len(b) - n; utf8.RuneStart(b[start]) {
			if !utf8.FullRune(b[start:]) {
				b = b[:start]
			}
			break
		}
	}
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}
