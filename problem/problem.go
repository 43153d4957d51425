// Package problem maps errors to a status, a code and a body, in one table.
// The bodies are those of the Python file service: {"code", "message", "details"}.
package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"holdfast/file"
)

// Problem is an error response. One with a Type is a registered problem type (RFC 9457, 4.2), and is sent as such, with
// the same members as the others beside those of its type.
type Problem struct {
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
	// Expected and Provided are the offsets of a mismatching upload offset, in bytes.
	Expected *int64 `json:"expected-offset,omitempty"`
	Provided *int64 `json:"provided-offset,omitempty"`

	Status     int           `json:"-"`
	RetryAfter time.Duration `json:"-"` // 0: no such header
	Code       string        `json:"code"`
	Message    string        `json:"message"`
	Details    *Details      `json:"details,omitempty"`
}

// Details hold the reason, if the client may see it.
type Details struct {
	Reason string `json:"reason"`
}

// table is searched from the top: more specific kinds precede the kinds that they wrap.
var table = []struct {
	kind    error
	problem Problem
}{
	{file.ErrStopping, Problem{Status: 503, RetryAfter: time.Second, Code: "INFRA_001",
		Message: "Service is restarting, try again"}},
	// Not 408: clients treat a 4xx as final, and should resume here.
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
	// Before the kind that it wraps: the file exists, and a retry does not help.
	{file.ErrObjectChanged, Problem{Status: 500, Code: "STORAGE_006",
		Message: "File in storage is not what was uploaded"}},
	{file.ErrObjectMissing, Problem{Status: 404, Code: "STORAGE_005", Message: "File not found in storage"}},
	{file.ErrDenied, Problem{Status: 403, Code: "FILE_002", Message: "Access to file denied"}},
	{file.ErrUnauthenticated, Problem{Status: 401, Code: "AUTH_001", Message: "Authentication failed"}},
	{file.ErrLink, Problem{Status: 403, Code: "LINK_001", Message: "Link is not valid"}},
	{file.ErrLinkExpired, Problem{Status: 410, Code: "LINK_002", Message: "Link has expired"}},
	{file.ErrForbidden, Problem{Status: 403, Code: "PERM_001", Message: "Permission denied"}},
	{file.ErrNotFound, Problem{Status: 404, Code: "FILE_001", Message: "File not found"}},
	{file.ErrQuota, Problem{Status: 413, Code: "QUOTA_001", Message: "Quota of account or unfinished uploads exceeded"}},
	{file.ErrTooLarge, Problem{Status: 413, Code: "FILE_003", Message: "File size exceeds limit"}},
	{file.ErrRange, Problem{Status: 416, Code: "VAL_004", Message: "Range not satisfiable"}},
	{file.ErrInvalid, Problem{Status: 400, Code: "VAL_003", Message: "Invalid request"}},
	{file.ErrMissingField, Problem{Status: 422, Code: "VAL_002", Message: "Missing required field"}},
	{file.ErrSize, Problem{Status: 422, Code: "VAL_001", Message: "Invalid file size"}},
	{file.ErrSlow, Problem{Status: 408, Code: "UPLOAD_008", Message: "Request body came too slowly"}},
	{file.ErrKeyReused, Problem{Status: 422, Code: "UPLOAD_010", Message: "Idempotency-Key belongs to another file"}},
	{file.ErrInFlight, Problem{Status: 409, RetryAfter: time.Second, Code: "UPLOAD_009",
		Message: "A request with this Idempotency-Key is running, try again"}},
	{file.ErrParts, Problem{Status: 409, Code: "UPLOAD_015",
		Message: "Parts of the upload are missing, ask which are there"}},
	{file.ErrConflict, Problem{Status: 409, Code: "UPLOAD_001",
		Message: "Upload is in another state, ask for its offset"}},
	{file.ErrLocked, Problem{Status: 423, RetryAfter: 2 * time.Second, Code: "UPLOAD_002",
		Message: "Upload is in use by another request, try again"}},
	{file.ErrChecksum, Problem{Status: 460, Code: "UPLOAD_005", Message: "Checksum mismatch"}}, // tus 1.0.0, Checksum
	{file.ErrLost, Problem{Status: 410, Code: "UPLOAD_014",
		Message: "The store has lost bytes of this upload, which was ended"}},
	{file.ErrGone, Problem{Status: 410, Code: "UPLOAD_006", Message: "Upload has expired"}},
	{file.ErrDigest, Problem{Status: 422, Code: "UPLOAD_007",
		Message: "Content does not match its declared digest, the upload was ended"}},
	{file.ErrInfected, Problem{Status: 422, Code: "UPLOAD_011",
		Message: "Content was found to be harmful, the upload was ended"}},
	{file.ErrUnscannable, Problem{Status: 422, Code: "UPLOAD_012",
		Message: "Content could not be scanned, the upload was ended"}},
	{file.ErrVersion, Problem{Status: 412, Code: "UPLOAD_003", Message: "Protocol version is not supported"}},
	{file.ErrPrecondition, Problem{Status: 412, Code: "VAL_007", Message: "Precondition failed"}},
	{file.ErrMediaType, Problem{Status: 415, Code: "VAL_005", Message: "Content-Type not supported"}},
	{file.ErrMethod, Problem{Status: 405, Code: "VAL_006", Message: "Method not allowed"}},
	{file.ErrTooMany, Problem{Status: 429, RetryAfter: time.Second, Code: "RATE_001", Message: "Rate limit exceeded"}},
	{file.ErrUnavailable, unavailable},
}

var unavailable = Problem{Status: 503, RetryAfter: 2 * time.Second, Code: "INFRA_002",
	Message: "Service unavailable, try again"}

// statusGone is the status in the log and the metrics for a client that disconnected before its response, as in nginx.
// It is no fault of the service, and is never sent.
const statusGone = 499

// All returns every error response, for the API description.
func All() []Problem {
	all := []Problem{Of(errors.New("anything else"))}
	for _, row := range table {
		all = append(all, row.problem)
	}
	return all
}

// Of returns the response for an error. Only a file.Refusal has its reason in it; the texts of
// other errors stay in the log.
func Of(err error) Problem {
	p := Problem{Status: 500, Code: "INFRA_005", Message: "Internal server error"}
	if errors.Is(err, context.Canceled) { // canceled by the service; Responder.Of handles clients that disconnect
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
		// Retry-After has whole seconds
		p.RetryAfter = max(time.Second, (later.After + time.Second - 1).Truncate(time.Second))
	}
	var refusal *file.Refusal
	if errors.As(err, &refusal) {
		p.Details = &Details{Reason: refusal.Reason}
	}
	p.addType(err)
	return p
}

// types begins the URIs of registered problem types (RFC 9457, 4.2).
const types = "https://iana.org/assignments/http-problem-types#"

// addType sets the problem type of an error that has one (the IETF's resumable uploads, section 7).
func (p *Problem) addType(err error) {
	var offset *file.OffsetError
	switch {
	case errors.As(err, &offset):
		p.Type, p.Title = types+"mismatching-upload-offset", "offset from request does not match offset of resource"
		p.Expected, p.Provided = &offset.Expected, &offset.Provided
		p.Details = &Details{Reason: fmt.Sprintf("Upload-Offset is %d, the upload is at %d", offset.Provided,
			offset.Expected)}
	case errors.Is(err, file.ErrLength):
		p.Type, p.Title = types+"inconsistent-upload-length", "inconsistent length values for upload"
	}
}

// Policy is the Content-Security-Policy of responses that are data and not pages.
const Policy = "default-src 'none'; frame-ancestors 'none'"

// Header sets the response's headers.
func (p Problem) Header(h http.Header) {
	// A handler may have set these for a successful response; they don't describe this body.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Disposition",
		"Content-Location",
		"Etag", "Last-Modified", "Accept-Ranges", "Cache-Control", "Repr-Digest"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	if p.Type != "" {
		h.Set("Content-Type", "application/problem+json")
	}
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

// Body is the response's body. It is JSON as the Python service writes it: compact, and with
// only the necessary escapes.
func (p Problem) Body() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	var body any = p
	if p.Status == http.StatusTooManyRequests { // the Python service's clients read these two
		body = struct {
			Problem
			Detail     string `json:"detail"`
			RetryAfter int    `json:"retry_after"` // seconds
		}{p, p.Message, int(p.RetryAfter.Seconds())}
	}
	if err := e.Encode(body); err != nil { // can't happen with strings and a pointer
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Responder sends error responses, and logs the errors that are the service's fault.
type Responder struct {
	Log *slog.Logger
	// Debug shows the text of the service's own errors to clients.
	Debug bool
	// Frontend is the base URL of the pages that browsers are redirected to in place of a JSON
	// error, without a trailing slash; empty: no redirects.
	Frontend string
	// Prefix is the path of the base URL. Requests may come with it or without it.
	Prefix string
	// Observe is called with every error response; may be nil.
	Observe func(*http.Request, Problem)
}

// Of is like the function Of, but adds the error's text as reason if Debug is set, and recognises disconnected clients.
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

// Write sends the response for err. Nothing else may have been sent for r.
func (re Responder) Write(w http.ResponseWriter, r *http.Request, err error) {
	p := re.Of(r, err)
	re.LogError(r, p.Status, err)
	p.Header(w.Header())
	re.Send(w, r, p)
}

// Send is the last step of Write, after the response's headers were set.
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

// LogError logs an error that is the service's fault. For clients' errors only the code is logged, in the access log's
// line, which has the same request id. The path is not logged: it may contain a token.
func (re Responder) LogError(r *http.Request, status int, err error) {
	if status < 500 || errors.Is(err, file.ErrCutOff) { // a connection that broke is nobody's fault
		return
	}
	re.Log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("method", r.Method), slog.Int("status",
		status), slog.Any("error", err))
}
