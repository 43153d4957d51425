package tus

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/file"
	"holdfast/problem"
	"holdfast/reqbody"
	"holdfast/upload"
)

// exchange is one request and its answer. tusd gives the store a context only; the store finds the request through it.
// The exchange also writes the answer: errors in this service's form, and headers that tusd does not know.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	sent    string // the method before an override: net/http drops the body of the answer to a real HEAD only
	respond problem.Responder
	base    string // of files' URLs
	maxSize int64  // of files, in bytes
	timeout time.Duration
	body    *reqbody.Body
	draft   draft
	check   upload.Check // the request's checksum; nil without one
	partial bool         // Upload-Concat: partial
	sources []file.ID

	session *upload.Session // nil: the request has no lease
	upload  *file.Upload    // as last read or committed by this request
	err     error           // the engine's error for this request

	stopping   func() bool
	interim    func(*http.Request) int
	tusdStatus int  // the status of an error of tusd's own, until its body is known
	answered   bool // the answer was written here; tusd's output is dropped
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// failed is returned to tusd in place of an error that the exchange answers itself.
var failed = handler.NewError("ERR_HOLDFAST", "", http.StatusInternalServerError)

// fail keeps an error for the answer. tusd would show the text of a plain error to the client.
func fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	exchangeOf(ctx).err = err
	return failed
}

// close releases the lease. tusd releases the leases that it took, but not that of an upload whose row was written
// together with its lease.
func (x *exchange) close() {
	if x.session != nil {
		x.session.Close()
	}
}

// setSession makes the session's upload the exchange's.
func (x *exchange) setSession(s *upload.Session) { x.session, x.upload = s, s.Upload() }

// isForUpload reports whether the request is about an existing upload.
func (x *exchange) isForUpload() bool { return x.r.Method != http.MethodPost }

// needsNoLease reports whether the request needs no lease: HEAD and PATCH of a finished upload, and HEAD of an upload
// that no request holds and that needs no finishing.
func (x *exchange) needsNoLease() bool {
	u := x.upload
	switch x.r.Method {
	case http.MethodHead:
		return u.Done() || !u.Held && !u.Complete() && len(u.Sources) == 0
	case http.MethodPatch:
		return u.Done()
	default:
		return false
	}
}

// writer returns the ResponseWriter for tusd.
func (x *exchange) writer() http.ResponseWriter {
	return httpsnoop.Wrap(x.w, httpsnoop.Hooks{
		WriteHeader: func(httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc { return x.writeHeader },
		Write:       func(httpsnoop.WriteFunc) httpsnoop.WriteFunc { return x.write },
	})
}

// writeHeader passes a success on, with the headers that tusd does not know, and answers an error itself. Only the
// body of tusd's own errors tells which error it is, so those wait for write.
func (x *exchange) writeHeader(status int) {
	if status < 200 && x.interim(x.r) == 0 { // the draft's interim answer (104), of which tusd sends one
		return
	}
	// tusd's deadline starts at the body's last byte; finishing may have taken longer than that.
	http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.timeout))
	if status < 400 {
		status = x.draft.status(x.r, status)
		x.complete(status)
		x.w.WriteHeader(status)
		return
	}
	if x.err != nil {
		x.answer(x.err)
		return
	}
	x.tusdStatus = status
}

// complete adds headers to a success.
func (x *exchange) complete(status int) {
	u := x.upload
	if u == nil {
		return
	}
	h := x.w.Header()
	if !x.isForUpload() || status == http.StatusCreated {
		h.Set("Location", x.location(u.ID)) // tusd knows one base URL only
	}
	if status == http.StatusCreated && h.Get("Upload-Offset") == "" {
		h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	}
	if x.draft != "" {
		h.Set("Upload-Limit", x.draft.limits(x.maxSize))
		if status >= 200 && x.r.Method != http.MethodHead {
			x.draft.setComplete(h, u.Done())
		}
	}
	if x.r.Method == http.MethodHead {
		if x.sent != http.MethodHead {
			h.Del("Content-Length") // tusd's, for a body that is not sent
		}
		if u.Metadata != "" {
			h.Set("Upload-Metadata", u.Metadata) // as the client sent it (tus 1.0.0, Creation)
		}
		if concat := x.concat(u); concat != "" {
			h.Set("Upload-Concat", concat)
		}
	}
	if u.State == file.Recorded {
		h.Set("Content-Location", u.ID.URL(x.base))
	} else if !u.Expires.IsZero() && (u.State == file.Open || u.Partial) {
		h.Set("Upload-Expires", u.Expires.UTC().Format(http.TimeFormat)) // tus 1.0.0, Expiration
	}
}

// concat returns the Upload-Concat header (tus 1.0.0, Concatenation).
func (x *exchange) concat(u *file.Upload) string {
	switch {
	case u.Partial:
		return "partial"
	case len(u.Sources) == 0:
		return ""
	}
	urls := make([]string, len(u.Sources))
	for i, id := range u.Sources {
		urls[i] = x.location(id)
	}
	return "final;" + strings.Join(urls, " ")
}

// location returns the URL of an upload.
func (x *exchange) location(id file.ID) string { return x.base + "/tus/" + string(id) }

// write drops the body of an error that the exchange answers, and passes others on.
func (x *exchange) write(b []byte) (int, error) {
	if x.tusdStatus != 0 {
		code, _, _ := bytes.Cut(b, []byte(":"))
		x.answer(x.translate(string(code)))
	}
	if x.answered {
		return len(b), nil
	}
	return x.w.Write(b)
}

// end answers an error that tusd wrote without a body.
func (x *exchange) end() {
	if x.tusdStatus != 0 && !x.answered {
		x.answer(x.translate(""))
	}
}

func (x *exchange) answer(err error) {
	x.answered = true
	if x.r.Method == http.MethodPost && x.upload != nil {
		// The upload was created although its first bytes failed: the client can continue it.
		x.w.Header().Set("Location", x.location(x.upload.ID))
	}
	if errors.Is(err, file.ErrVersion) {
		x.w.Header().Set("Tus-Version", "1.0.0") // tus 1.0.0, Tus-Version
	}
	if u := x.upload; u != nil && u.State == file.Open && (errors.Is(err, file.ErrStopping) ||
		errors.Is(err, file.ErrCutOff) || errors.Is(err, file.ErrBusy) || x.draft != "" && errors.Is(err, file.ErrConflict)) {
		// The committed offset. A 204 would carry it as well, but some clients give up when a 204 has another offset
		// than they expect.
		x.w.Header().Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	}
	r := *x.r
	r.Method = x.sent
	x.respond.Write(x.w, &r, err)
}

// translate returns this service's error for one of tusd's error codes.
func (x *exchange) translate(code string) error {
	h := x.r.Header
	switch code {
	case "ERR_UNSUPPORTED_VERSION":
		return errVersion()
	case "ERR_INVALID_CONTENT_TYPE":
		return file.Refuse(file.ErrMediaType, "Content-Type must be application/offset+octet-stream")
	case "ERR_INVALID_OFFSET":
		return file.Refuse(file.ErrInvalid, "Upload-Offset must be a number of bytes, not %q", h.Get("Upload-Offset"))
	case "ERR_INVALID_UPLOAD_LENGTH":
		return file.Refuse(file.ErrInvalid,
			"Upload-Length must be a number of bytes, not below the offset, and is given once")
	case "ERR_INVALID_UPLOAD_LENGTH_DEFER":
		return file.Refuse(file.ErrInvalid, "Upload-Defer-Length must be 1")
	case "ERR_AMBIGUOUS_UPLOAD_LENGTH":
		return file.Refuse(file.ErrInvalid, "Upload-Length and Upload-Defer-Length exclude each other")
	case "ERR_MISMATCHED_OFFSET":
		return file.Refuse(file.ErrConflict, "Upload-Offset is %s, the upload is at %d", h.Get("Upload-Offset"),
			x.upload.Offset)
	case "ERR_UPLOAD_SIZE_EXCEEDED":
		return file.Refuse(file.ErrTooLarge, "The body has more bytes than the upload's length leaves")
	case "ERR_UPLOAD_INTERRUPTED":
		if x.stopping() {
			return file.ErrStopping
		}
		if x.session != nil && errors.Is(x.session.Lost(), file.ErrUnavailable) {
			return x.session.Lost() // no other request took the lease: it could not be renewed
		}
		return file.Refuse(file.ErrConflict, "Another request took this upload over: ask for its offset")
	case "ERR_READ_TIMEOUT", "ERR_CONNECTION_RESET", "ERR_UNEXPECTED_EOF":
		return file.Refuse(file.ErrCutOff, "%s", strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(code, "ERR_"), "_",
			" ")))
	default:
		return errors.New("tusd answered " + code)
	}
}
