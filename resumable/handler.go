// Package resumable implements the IETF's Resumable Uploads for HTTP on top of the upload engine: the interop versions
// 7 to 10 of draft-ietf-httpbis-resumable-upload, and the protocol without a version, as the future RFC will have it.
// Section numbers are those of the drafts -12 and -13. Package tus handles older versions and tus 1.0.0.
//
// An upload that was created by one protocol can be continued by the other.
package resumable

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/reqbody"
	"holdfast/upload"
)

// Options of the endpoint.
type Options struct {
	Engine  *upload.Engine
	Respond problem.Responder
	// Tus handles the requests at the upload endpoint that do not belong to this protocol.
	Tus http.Handler
	// Identify authenticates a request.
	Identify func(*http.Request) (file.Identity, error)
	// IsFile reports whether there is a file with this id. It is asked with every GET, so it should be cheap.
	IsFile func(context.Context, file.ID) bool
	// Download handles GET of a finished upload by a request without a version.
	Download func(http.ResponseWriter, *http.Request, file.ID)
	// Precondition refuses a request whose conditions on a file do not hold (RFC 9110, 13).
	Precondition func(*http.Request, file.ID) error
	// Limit refuses a creation if the identity has created too many uploads recently.
	Limit func(*http.Request, file.Identity) error
	// Interim returns how many interim (1xx) answers a request may get at most.
	Interim func(*http.Request) int
	// Base returns the URL under which the client of a request sees files, without a trailing slash.
	Base func(*http.Request) string
	// ReadTimeout ends a request that sends no byte for that long.
	ReadTimeout time.Duration
	// MaxAge is how long an upload is kept after its last byte.
	MaxAge time.Duration
}

// Handler is the endpoint. ServeHTTP expects paths with the prefix cut: "/" for creation, "/{id}" for an upload.
type Handler struct{ Options }

// New returns the endpoint.
func New(o Options) *Handler { return &Handler{o} }

// allowed reports whether an upload supports a method.
func allowed(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// exchange is one request and its answer.
type exchange struct {
	h        *Handler
	w        http.ResponseWriter
	r        *http.Request
	version  version
	body     *reqbody.Body
	who      file.Identity
	complete bool // Upload-Complete: ?1, this body is the last
	session  *upload.Session
	upload   *file.Upload // as last read or committed by this request; nil: none yet
	created  bool         // by this request
}

func (h *Handler) newExchange(w http.ResponseWriter, r *http.Request, v version) *exchange {
	x := &exchange{h: h, w: w, r: r, version: v, body: reqbody.New(w, r, h.ReadTimeout)}
	r.Body = x.body
	if v != final {
		w.Header().Set(interopVersion, strconv.Itoa(int(v)))
	}
	return x
}

// ServeHTTP handles the requests of this protocol at the upload endpoint, and passes others to Options.Tus.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	effective := withMethodOverride(r)
	v, handled, err := versionOf(effective)
	if effective.Method == http.MethodOptions {
		h.Announce(w.Header())
	}
	if !handled || effective.Method == http.MethodOptions {
		h.Tus.ServeHTTP(w, r)
		return
	}
	h.newExchange(w, effective, v).run(func(x *exchange) error {
		if err != nil {
			return err
		}
		return x.serve(strings.TrimPrefix(effective.URL.Path, "/"))
	})
}

// withMethodOverride returns a POST with X-HTTP-Method-Override as the request that it stands for. Everything that is
// decided about the request is decided by that method.
func withMethodOverride(r *http.Request) *http.Request {
	method := r.Header.Get("X-HTTP-Method-Override")
	if method == "" || r.Method != http.MethodPost {
		return r
	}
	r = r.WithContext(r.Context())
	r.Method = strings.ToUpper(method)
	return r
}

// Announce adds the supported versions and the limits to an answer to OPTIONS (section 4.1.4).
func (h *Handler) Announce(header http.Header) {
	header.Set(interopVersion, Versions())
	header.Set(uploadLimit, h.limits(h.MaxAge))
}

// limits returns the Upload-Limit field of an upload that is kept for that long.
func (h *Handler) limits(left time.Duration) string {
	return "max-size=" + strconv.FormatInt(h.Engine.MaxSize(), 10) + ", min-size=0, max-age=" +
		strconv.FormatInt(max(0, int64(left/time.Second)), 10)
}

// run answers with the result of serve, and releases the lease.
func (x *exchange) run(serve func(*exchange) error) {
	defer func() {
		if x.session != nil {
			x.session.Close()
		}
	}()
	if err := serve(x); err != nil {
		x.refuse(err)
	}
}

// identify authenticates the request.
func (x *exchange) identify() (err error) {
	x.r, x.who, err = auth.Enter(x.r, x.h.Identify)
	return err
}

// serve handles a request at the upload endpoint.
func (x *exchange) serve(name string) error {
	method := x.r.Method
	switch {
	case name == "" && method != http.MethodPost:
		x.w.Header().Set("Allow", "POST, OPTIONS")
		return file.ErrMethod
	case name != "" && !allowed(method):
		x.w.Header().Set("Allow", "GET, HEAD, PATCH, DELETE, OPTIONS")
		return file.ErrMethod
	}
	if err := x.identify(); err != nil {
		return err
	}
	if name == "" {
		return x.create("")
	}
	id, err := file.ParseID(name)
	if err != nil {
		return err
	}
	if method == http.MethodGet && x.version == final && (x.h.IsFile(x.r.Context(), id) || !x.isUnfinished(id)) {
		x.h.Download(x.w, x.r, id)
		return nil
	}
	if err := x.findUpload(id); err != nil {
		return err
	}
	switch method {
	case http.MethodPatch:
		return x.append()
	case http.MethodDelete:
		return x.cancel()
	default:
		return x.answerOffset()
	}
}

// findUpload reads the row of an upload, if the client may access it at all.
func (x *exchange) findUpload(id file.ID) error {
	u, err := x.h.Engine.Row(x.r.Context(), id)
	if err != nil {
		return err
	}
	if u.State == file.Deleted && !u.Gone() {
		return file.NotFound(id)
	}
	if err := access.Upload(x.who, u); err != nil {
		return err
	}
	if u.Gone() {
		return upload.Expired(u)
	}
	x.upload = u
	return nil
}

// isUnfinished reports whether an upload of this client is not a file yet.
func (x *exchange) isUnfinished(id file.ID) bool {
	u, err := x.h.Engine.Row(x.r.Context(), id)
	return err == nil && u.State != file.Recorded && u.State != file.Deleted && access.Upload(x.who, u) == nil
}

// take waits for the lease. The request that holds it is asked to end (section 4.6).
func (x *exchange) take() error {
	ctx, cancel := context.WithTimeout(x.r.Context(), upload.TakeTimeout)
	defer cancel()
	s, err := x.h.Engine.Take(ctx, x.upload.ID, x.body.Interrupt)
	if err != nil {
		return err
	}
	x.session, x.upload = s, s.Upload()
	switch {
	case x.upload.Gone():
		return upload.Expired(x.upload)
	case x.upload.State == file.Deleted:
		return file.NotFound(x.upload.ID)
	}
	return nil
}

// answerOffset handles HEAD, and GET (section 4.3). It first ends a running append, so that the offset stays valid, and
// finishes an upload that has all its bytes.
func (x *exchange) answerOffset() error {
	u := x.upload
	if !u.Done() && (u.Held || u.Complete() || len(u.Sources) > 0) {
		if err := x.take(); err != nil {
			return err
		}
		if u = x.upload; !u.Done() && (u.Complete() || len(u.Sources) > 0) {
			if err := x.session.Finish(); err != nil {
				return err
			}
		}
	}
	h := x.w.Header()
	h.Set(uploadOffset, strconv.FormatInt(u.Offset, 10))
	if !u.Deferred {
		h.Set(uploadLength, strconv.FormatInt(u.Size, 10))
	}
	if !u.Done() || x.version.headHasComplete() {
		h.Set(uploadComplete, formatBool(u.Done()))
	}
	h.Set(uploadLimit, x.limits())
	h.Set("Cache-Control", "no-store")
	if u.State == file.Recorded {
		h.Set("Content-Location", x.fileURL())
	}
	x.writeHeader(http.StatusNoContent)
	return nil
}

// cancel handles DELETE: it ends the upload, or deletes the file that it became (section 4.5).
func (x *exchange) cancel() error {
	switch {
	case x.upload.State == file.Recorded:
		if err := x.h.Precondition(x.r, x.upload.ID); err != nil {
			return err
		}
	case len(x.r.Header.Values("If-Match")) > 0: // an unfinished upload has no entity tag to match (RFC 9110, 13.1.1)
		return file.ErrPrecondition
	}
	if err := x.take(); err != nil {
		return err
	}
	if err := x.session.Terminate(); err != nil {
		return err
	}
	x.writeHeader(http.StatusNoContent)
	return nil
}
