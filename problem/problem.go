// Package problem is the one table from an error to a status, a code and a body.
// The bodies are those of the Python file service: {"code", "message", "details"}.
package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"holdfast/file"
)

// Problem is an answer that says what went wrong.
type Problem struct {
	Status     int           `json:"-"`
	RetryAfter time.Duration `json:"-"` // 0: no such header
	Code       string        `json:"code"`
	Message    string        `json:"message"`
	Details    *Details      `json:"details,omitempty"`
}

// Details hold the reason, where it is the client's business.
type Details struct {
	Reason string `json:"reason"`
}

// table is read from the top: closer kinds stand before the kinds they belong to.
var table = []struct {
	kind    error
	problem Problem
}{
	{file.ErrStopping, Problem{Status: 503, RetryAfter: time.Second, Code: "INFRA_001",
		Message: "Service is restarting, try again"}},
	// Not 408: clients take a 4xx for final, and this one should go on.
	{file.ErrCutOff, Problem{Status: 503, RetryAfter: time.Second, Code: "UPLOAD_004",
		Message: "Request body was cut off, go on from the upload's offset"}},
	{file.ErrBusy, Problem{Status: 503, RetryAfter: 5 * time.Second, Code: "UPLOAD_013",
		Message: "Too many uploads at once, go on from the upload's offset"}},
	{file.ErrDatabase, Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "DB_001",
		Message: "Database connection failed"}},
	{file.ErrRedis, Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "EXT_001",
		Message: "Redis connection failed"}},
	{file.ErrProvider, Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "EXT_002",
		Message: "Token provider not available"}},
	{file.ErrBackendTimeout, Problem{Status: 504, Code: "EXT_004", Message: "Permission check timed out"}},
	{file.ErrBackend, Problem{Status: 502, Code: "EXT_003", Message: "Permission check failed"}},
	{file.ErrStorageWrite, Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "STORAGE_002",
		Message: "Failed to upload file to storage"}},
	{file.ErrStorageRead, Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "STORAGE_003",
		Message: "Failed to download file from storage"}},
	{file.ErrNoSpace, Problem{Status: 507, RetryAfter: 30 * time.Second, Code: "STORAGE_004",
		Message: "No space left in storage, try again later"}},
	// Before the kind it is one of: the file is there, and asking again won't make it right.
	{file.ErrObjectChanged, Problem{Status: 500, Code: "STORAGE_006",
		Message: "File in storage is not what was uploaded"}},
	{file.ErrObjectMissing, Problem{Status: 404, Code: "STORAGE_005", Message: "File not found in storage"}},
	{file.ErrDenied, Problem{Status: 403, Code: "FILE_002", Message: "Access to file denied"}},
	{file.ErrUnauthenticated, Problem{Status: 401, Code: "AUTH_001", Message: "Authentication failed"}},
	{file.ErrLink, Problem{Status: 403, Code: "LINK_001", Message: "Link is not valid"}},
	{file.ErrLinkExpired, Problem{Status: 410, Code: "LINK_002", Message: "Link has expired"}},
	{file.ErrForbidden, Problem{Status: 403, Code: "PERM_001", Message: "Permission denied"}},
	{file.ErrNotFound, Problem{Status: 404, Code: "FILE_001", Message: "File not found"}},
	{file.ErrQuota, Problem{Status: 413, Code: "QUOTA_001", Message: "Quota of the account exceeded"}},
	{file.ErrTooLarge, Problem{Status: 413, Code: "FILE_003", Message: "File size exceeds limit"}},
	{file.ErrRange, Problem{Status: 416, Code: "VAL_004", Message: "Range not satisfiable"}},
	{file.ErrInvalid, Problem{Status: 400, Code: "VAL_003", Message: "Invalid request"}},
	{file.ErrMissingField, Problem{Status: 422, Code: "VAL_002", Message: "Missing required field"}},
	{file.ErrSize, Problem{Status: 422, Code: "VAL_001", Message: "Invalid file size"}},
	{file.ErrSlow, Problem{Status: 408, Code: "UPLOAD_008", Message: "Request body came too slowly"}},
	{file.ErrKeyReused, Problem{Status: 422, Code: "UPLOAD_010", Message: "Idempotency-Key belongs to another file"}},
	{file.ErrInFlight, Problem{Status: 409, RetryAfter: time.Second, Code: "UPLOAD_009",
		Message: "A request with this Idempotency-Key is running, try again"}},
	{file.ErrConflict, Problem{Status: 409, Code: "UPLOAD_001",
		Message: "Upload is in another state, ask for its offset"}},
	{file.ErrLocked, Problem{Status: 423, RetryAfter: 2 * time.Second, Code: "UPLOAD_002",
		Message: "Upload is in use by another request, try again"}},
	{file.ErrChecksum, Problem{Status: 460, Code: "UPLOAD_005", Message: "Checksum mismatch"}}, // tus 1.0.0, Checksum
	{file.ErrGone, Problem{Status: 410, Code: "UPLOAD_006", Message: "Upload has expired"}},
	{file.ErrDigest, Problem{Status: 422, Code: "UPLOAD_007",
		Message: "Content does not match its declared digest, the upload was ended"}},
	{file.ErrInfected, Problem{Status: 422, Code: "UPLOAD_011",
		Message: "Content was found to be harmful, the upload was ended"}},
	{file.ErrUnscannable, Problem{Status: 422, Code: "UPLOAD_012",
		Message: "Content could not be scanned, the upload was ended"}},
	{file.ErrVersion, Problem{Status: 412, Code: "UPLOAD_003", Message: "Tus-Resumable must be 1.0.0"}},
	{file.ErrPrecondition, Problem{Status: 412, Code: "VAL_007", Message: "Precondition failed"}},
	{file.ErrMediaType, Problem{Status: 415, Code: "VAL_005", Message: "Content-Type not supported"}},
	{file.ErrMethod, Problem{Status: 405, Code: "VAL_006", Message: "Method not allowed"}},
	{file.ErrTooMany, Problem{Status: 429, RetryAfter: time.Second, Code: "RATE_001", Message: "Rate limit exceeded"}},
	{file.ErrUnavailable, unavailable},
}

var unavailable = Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "INFRA_002",
	Message: "Service unavailable, try again"}

// statusGone is what the log and the metrics have for a client that went away before its answer: nginx's 499. It is
// no fault of the service, and nobody receives it.
const statusGone = 499

// All is every answer that there is, for those who describe them.
func All() []Problem {
	all := []Problem{Of(errors.New("anything else"))}
	for _, row := range table {
		all = append(all, row.problem)
	}
	return all
}

// Of finds the answer to an error. Only a file.Refusal brings its reason; the text of
// any other error stays in the log.
func Of(err error) Problem {
	p := Problem{Status: 500, Code: "INFRA_005", Message: "Internal server error"}
	if errors.Is(err, context.Canceled) { // by the service; see Responder.Of for what a client has canceled
		p = unavailable
	}
	for _, row := range table {
		if errors.Is(err, row.kind) {
			p = row.problem
			break
		}
	}
	var later *file.Later
	if errors.As(err, &later) {
		// the header knows whole seconds
		p.RetryAfter = max(time.Second, (later.After + time.Second - 1).Truncate(time.Second))
	}
	var refusal *file.Refusal
	if errors.As(err, &refusal) {
		p.Details = &Details{Reason: refusal.Reason}
	}
	return p
}

// Policy is the Content-Security-Policy of answers that are data, and nothing to look at.
const Policy = "default-src 'none'; frame-ancestors 'none'"

// Header sets the answer's headers.
func (p Problem) Header(h http.Header) {
	// What a handler meant for its success does not describe this body.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Disposition",
		"Content-Location",
		"Etag", "Last-Modified", "Accept-Ranges", "Cache-Control", "Repr-Digest"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.RetryAfter.Seconds())))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="holdfast"`) // RFC 9110, 11.6.1
	}
}

// Body is the answer's body. It is JSON as the Python service writes it: compact, and
// with nothing escaped that need not be.
func (p Problem) Body() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	var body any = p
	if p.Status == http.StatusTooManyRequests { // the Python service's limiter has a form of its own
		body = struct {
			Detail     string `json:"detail"`
			RetryAfter int    `json:"retry_after"` // seconds
		}{p.Message, int(p.RetryAfter.Seconds())}
	}
	if err := e.Encode(body); err != nil { // strings and a pointer: can't be
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Responder answers errors, and logs those that are the service's fault.
type Responder struct {
	Log *slog.Logger
	// Debug shows the text of the service's own errors to clients.
	Debug bool
	// Frontend is the URL of the pages that people are sent to in place of an answer that
	// only programs understand, without a trailing slash; empty: nowhere.
	Frontend string
	// Prefix is the path of the base URL, which requests may have or not.
	Prefix string
	// Observe is called with every error that is answered; nil: not.
	Observe func(*http.Request, Problem)
}

// Of is like the function Of, with the error's text as reason if Debug is set, and knows clients that went away.
func (re Responder) Of(r *http.Request, err error) Problem {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return Problem{Status: statusGone}
	}
	p := Of(err)
	if re.Debug && p.Details == nil && p.Status >= 500 {
		p.Details = &Details{Reason: err.Error()}
	}
	return p
}

// Write answers r with err. It must be the only answer.
func (re Responder) Write(w http.ResponseWriter, r *http.Request, err error) {
	p := re.Of(r, err)
	re.LogError(r, p.Status, err)
	p.Header(w.Header())
	re.Send(w, r, p)
}

// Send is the last step of Write: the answer's headers are set.
func (re Responder) Send(w http.ResponseWriter, r *http.Request, p Problem) {
	if re.Observe != nil {
		re.Observe(r, p)
	}
	if p.Status == statusGone {
		w.WriteHeader(p.Status)
		return
	}
	if to := re.browserRedirect(r, p); to != "" {
		redirect(w, to)
		return
	}
	body := p.Body()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// LogError logs an error that is the service's fault. What a client did wrong has only its code in the request's line,
// which has the same request id. The path is not logged: it may contain a token.
func (re Responder) LogError(r *http.Request, status int, err error) {
	if status < 500 {
		return
	}
	re.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("method", r.Method), slog.Int("status",
		status), slog.Any("error", err))
}
