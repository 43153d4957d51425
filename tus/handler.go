// Package tus implements resumable uploads (tus 1.0.0, and the IETF's draft as far as tusd supports it) on top of the
// upload engine. It is the only package that knows tusd.
package tus

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	xslog "golang.org/x/exp/slog"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/digest"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/reqbody"
	"holdfast/upload"
)

// Options of the endpoint.
type Options struct {
	Engine  *upload.Engine
	Respond problem.Responder
	// Identify authenticates a request.
	Identify func(*http.Request) (file.Identity, error)
	// Download handles GET of a finished upload.
	Download func(http.ResponseWriter, *http.Request, file.ID)
	// Precondition refuses a request whose conditions on a file do not hold (RFC 9110, 13).
	Precondition func(*http.Request, file.ID) error
	// Limits limit how often an identity may create uploads.
	Limits Limits
	// Interim returns how many interim (1xx) answers a request may get at most.
	Interim func(*http.Request) int
	// ThroughProxy reports whether the request may have come through a proxy.
	ThroughProxy func(*http.Request) bool
	// Base returns the URL under which the client of a request sees files, without a trailing slash.
	Base func(*http.Request) string
	// ReadTimeout ends a request that sends no byte for that long.
	ReadTimeout time.Duration
}

// Limits limit how often uploads may be created. Package limit implements them.
type Limits interface {
	// Upload counts the creation of a file.
	Upload(*http.Request, file.Identity) error
	// Part counts the creation of a partial upload. A final upload, which Upload counts, makes a file of several.
	Part(*http.Request, file.Identity) error
}

// Handler is the tus endpoint (tus 1.0.0 core, creation, creation-with-upload, creation-defer-length, termination,
// checksum, checksum-trailer, expiration, concatenation; and the IETF's draft as far as tusd supports it). It expects
// paths without the prefix: "/" for creation, "/{id}" for an upload.
type Handler struct {
	Options
	routes map[string]http.Handler // by method, for an upload
	create http.Handler
}

// NewHandler returns the endpoint.
func NewHandler(o Options) (*Handler, error) {
	composer := handler.NewStoreComposer()
	s := store{o.Engine}
	composer.UseCore(s)
	composer.UseLocker(s)
	composer.UseTerminater(s)
	composer.UseLengthDeferrer(s)
	h, err := handler.NewUnroutedHandler(handler.Config{
		StoreComposer: composer,
		BasePath:      "/tus/", // its Location is replaced: see exchange.complete
		// The cap is enforced in one place, hooks.Fits, and not by tusd.
		MaxSize:         0,
		DisableDownload: true,
		Cors:            &handler.CorsConfig{Disable: true},
		// Clients of the IETF's draft are told apart by a header of their own.
		EnableExperimentalProtocol: true,
		// The edge logs one line per request; tusd would log one for each step of each request.
		Logger:             xslog.New(xslog.NewTextHandler(io.Discard, nil)),
		NetworkTimeout:     o.ReadTimeout,
		AcquireLockTimeout: upload.TakeTimeout,
		// tusd keeps each request for this time after its end, 10 s by default, so that a store may go on with it. What
		// the engine must finish does not depend on the request's context.
		GracefulRequestCompletionTimeout: time.Nanosecond,
		PreUploadCreateCallback: func(e handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
			id, err := o.create(e)
			return handler.HTTPResponse{}, handler.FileInfoChanges{ID: string(id)}, fail(e.Context, err)
		},
	})
	if err != nil {
		return nil, err
	}
	withMiddleware := func(f http.HandlerFunc) http.Handler { return h.Middleware(f) }
	return &Handler{Options: o, create: withMiddleware(h.PostFile), routes: map[string]http.Handler{
		http.MethodHead:   withMiddleware(h.HeadFile),
		http.MethodPatch:  withMiddleware(h.PatchFile),
		http.MethodDelete: withMiddleware(h.DelFile),
	}}, nil
}

// ServeHTTP authenticates and authorizes the request before tusd sees it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// For clients that can send only GET and POST. It is resolved here, so that all checks below see the method that
	// is really executed; tusd would resolve it only after them.
	sent := r.Method
	if m := r.Header.Get("X-HTTP-Method-Override"); m != "" {
		if r.Method == http.MethodPost {
			r.Method = strings.ToUpper(m)
		}
		r.Header.Del("X-HTTP-Method-Override")
	}
	x := &exchange{w: w, sent: sent, respond: h.Respond, base: h.Base(r), maxSize: h.Engine.MaxSize(), draft: draftOf(r),
		timeout: h.ReadTimeout, body: reqbody.New(w, r, h.ReadTimeout), stopping: h.Engine.Stopping,
		interim: h.Interim}
	// tusd has its own way to interrupt a body, which misses a request whose body it has not begun to read.
	x.body.Interrupted = handler.ErrUploadInterrupted
	x.body.Refused = func(err error) error { x.err = err; return failed }
	if x.draft == "" {
		w.Header().Set("Tus-Resumable", "1.0.0")
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body = x.body
	x.r = r
	defer x.close() // after a panic too
	if err := h.serve(x, r); err != nil {
		x.answer(err)
	}
	x.end()
}

func (h *Handler) serve(x *exchange, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.Method == http.MethodOptions {
		h.discover(x)
		return nil
	}
	next := h.create
	if name != "" {
		next = h.routes[r.Method]
	}
	switch {
	case name == "" && r.Method != http.MethodPost:
		x.w.Header().Set("Allow", "POST, OPTIONS")
		return file.ErrMethod
	case name != "" && next == nil && r.Method != http.MethodGet:
		x.w.Header().Set("Allow", "GET, HEAD, PATCH, DELETE, OPTIONS")
		return file.ErrMethod
	}
	if err := x.readHeaders(r); err != nil {
		return err
	}
	r, who, err := auth.Enter(r, h.Identify)
	if err != nil {
		return err
	}
	if name != "" {
		id, err := file.ParseID(name)
		if err != nil {
			return err
		}
		if r.Method == http.MethodGet {
			x.w.Header().Del("Tus-Resumable")
			h.Download(x.w, r, id)
			return nil
		}
		if x.upload, err = h.authorize(r, who, id); err != nil {
			return err
		}
		if x.upload.State == file.Deleted { // a partial upload that became part of a final one
			x.w.WriteHeader(http.StatusNoContent)
			return nil
		}
	} else if err := h.checkRate(x, r, who); err != nil {
		return err
	} else if len(x.sources) > 0 {
		return h.createFinal(x, r, who)
	}
	r.URL.RawPath = ""
	next.ServeHTTP(x.writer(), r)
	return nil
}

// checkRate checks the rate limit for creations. Partial uploads have a limit of their own; their final upload counts
// as one file.
func (h *Handler) checkRate(x *exchange, r *http.Request, who file.Identity) error {
	if x.partial {
		return h.Limits.Part(r, who)
	}
	return h.Limits.Upload(r, who)
}

// authorize checks that an identity may access an upload at all, and returns its row.
func (h *Handler) authorize(r *http.Request, who file.Identity, id file.ID) (*file.Upload, error) {
	u, err := h.Engine.Row(r.Context(), id)
	if err != nil {
		return nil, err
	}
	// A client that gives up terminates the parts after the final upload. It need not know that the final upload has
	// removed them already.
	isRepeat := r.Method == http.MethodDelete && u.Partial && access.Upload(who, u) == nil
	if u.State == file.Deleted && !u.Gone() && !isRepeat {
		return nil, file.NotFound(id)
	}
	if err := access.Upload(who, u); err != nil {
		return nil, err
	}
	switch {
	case u.State == file.Deleted && !u.Gone():
		return u, nil
	case u.Gone():
		return nil, upload.Expired(u)
	case r.Method == http.MethodDelete:
		return u, h.precondition(r, u)
	case r.Method == http.MethodPatch && len(u.Sources) > 0:
		// tus 1.0.0, Concatenation
		return nil, file.Refuse(file.ErrForbidden, "A final upload accepts no bytes: its content is that of its parts")
	case r.Method == http.MethodPatch && u.Done():
		return u, refuseMoreBytes(r, u)
	}
	if n, given, err := parseLength(r.Header, "Upload-Length"); err == nil && given && !u.Deferred && n == u.Size {
		r.Header.Del("Upload-Length") // a repeat of the request that declared it, which tusd would refuse
	}
	return u, nil
}

// precondition checks the conditions of a request that ends an upload, or deletes the file that it became. An
// unfinished upload has no entity tag to match (RFC 9110, 13.1.1).
func (h *Handler) precondition(r *http.Request, u *file.Upload) error {
	if u.State == file.Recorded {
		return h.Precondition(r, u.ID)
	}
	if len(r.Header.Values("If-Match")) > 0 {
		return file.ErrPrecondition
	}
	return nil
}

// refuseMoreBytes refuses a PATCH of an upload that has all its bytes, unless it is empty: a client that lost the last
// answer repeats the request. tusd would not check this.
func refuseMoreBytes(r *http.Request, u *file.Upload) error {
	if offset, given, err := parseLength(r.Header, "Upload-Offset"); err != nil || !given || offset != u.Offset {
		return err // tusd answers it
	}
	claim, err := digest.Parse(r.Header, "Repr-Digest")
	if err = cmp.Or(err, upload.Matches(u, claim)); err != nil {
		return err
	}
	n := r.ContentLength
	if n < 0 {
		some, _ := r.Body.Read(make([]byte, 1))
		n = int64(some)
	}
	if n > 0 {
		return file.Refuse(file.ErrTooLarge, "The upload has all its %d bytes, and accepts no more", u.Size)
	}
	return nil
}

// createFinal concatenates partial uploads (tus 1.0.0, Concatenation). A client that repeats the request because it
// lost the answer gets the same upload.
func (h *Handler) createFinal(x *exchange, r *http.Request, who file.Identity) error {
	if r.Header.Get("Content-Type") == offsetMediaType {
		return file.Refuse(file.ErrForbidden, "A final upload accepts no bytes: its content is that of its parts")
	}
	if r.Header.Get("Upload-Length") != "" || r.Header.Get("Upload-Defer-Length") != "" {
		return file.Refuse(file.ErrInvalid,
			"The length of a final upload is that of its parts: Upload-Length must not be given")
	}
	c, err := readCreation(r.Header)
	if err != nil {
		return err
	}
	c.Sources = x.sources
	ctx, cancel := context.WithTimeout(r.Context(), upload.TakeTimeout)
	defer cancel()
	u, err := h.Engine.Concatenate(ctx, who, c)
	if err != nil {
		return err
	}
	x.upload = u
	x.w.Header().Set("Location", x.location(u.ID))
	x.writeHeader(http.StatusCreated)
	return nil
}

// discover answers OPTIONS with the supported extensions (tus 1.0.0, OPTIONS).
func (h *Handler) discover(x *exchange) {
	x.w.Header().Set("Tus-Version", "1.0.0")
	extensions := "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,concatenation"
	if !h.ThroughProxy(x.r) { // many drop trailers and their announcement: then a wrong checksum would look like none
		extensions += ",checksum-trailer"
	}
	x.w.Header().Set("Tus-Extension", extensions)
	x.w.Header().Set("Tus-Checksum-Algorithm", algorithms)
	x.w.Header().Set("Tus-Max-Size", strconv.FormatInt(x.maxSize, 10))
	if x.draft != "" {
		x.w.Header().Set("Upload-Limit", x.draft.limits(x.maxSize))
	}
	x.w.WriteHeader(http.StatusNoContent)
}
