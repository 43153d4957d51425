// Package tus speaks the protocols for resumable uploads (tus 1.0.0, and the IETF's draft as far
// as tusd speaks it) over the upload engine. It is the only package that knows tusd.
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
	// Identify says who sent a request.
	Identify func(*http.Request) (file.Identity, error)
	// Download answers GET of a finished upload.
	Download func(http.ResponseWriter, *http.Request, file.ID)
	// Precondition refuses a request for a file under conditions that don't hold (RFC 9110, 13).
	Precondition func(*http.Request, file.ID) error
	// Limits refuse an upload that an identity begins too soon after others.
	Limits Limits
	// Interim reports whether an interim answer reaches the request's client, and ThroughProxy whether the request may
	// have come through a proxy.
	Interim, ThroughProxy func(*http.Request) bool
	// Base is the URL under which the request's client sees files, without a trailing slash.
	Base func(*http.Request) string
	// ReadTimeout ends a request that sends no byte for so long.
	ReadTimeout time.Duration
}

// Limits say how often an upload may be begun. Package limit has them.
type Limits interface {
	// Upload counts a file that is begun.
	Upload(*http.Request, file.Identity) error
	// Part counts a partial upload, of which a final one, which Upload counts, makes a file.
	Part(*http.Request, file.Identity) error
}

// lockTimeout is the longest that a request waits for another one to let go.
const lockTimeout = 18 * time.Second

// Handler is the tus endpoint (tus 1.0.0 core, creation, creation-with-upload,
// creation-defer-length, termination, checksum, checksum-trailer, expiration, concatenation;
// and the IETF's draft as far as tusd speaks it). It expects paths with the prefix cut: "/" for
// creation, "/{id}" for an upload.
type Handler struct {
	Options
	routes map[string]http.Handler // by method, for an upload
	create http.Handler
}

// NewHandler assembles the endpoint.
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
		// The cap is not tusd's: hooks.Fits is the one place for it.
		MaxSize:         0,
		DisableDownload: true,
		Cors:            &handler.CorsConfig{Disable: true},
		// Clients that speak the IETF's draft say so in a header of its own.
		EnableExperimentalProtocol: true,
		// One line at the edge is enough; tusd writes one for each step of each request.
		Logger:             xslog.New(xslog.NewTextHandler(io.Discard, nil)),
		NetworkTimeout:     o.ReadTimeout,
		AcquireLockTimeout: lockTimeout,
		PreUploadCreateCallback: func(e handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
			id, err := o.begin(e)
			return handler.HTTPResponse{}, handler.FileInfoChanges{ID: string(id)}, fail(e.Context, err)
		},
	})
	if err != nil {
		return nil, err
	}
	through := func(f http.HandlerFunc) http.Handler { return h.Middleware(f) }
	return &Handler{Options: o, create: through(h.PostFile), routes: map[string]http.Handler{
		http.MethodHead:   through(h.HeadFile),
		http.MethodPatch:  through(h.PatchFile),
		http.MethodDelete: through(h.DelFile),
	}}, nil
}

// ServeHTTP decides who may do what before tusd sees the request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// For clients that can send GET and POST only. Once here, so that everything behind
	// judges the request by what it really does; tusd would do it again, after that.
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
	// tusd has a way of its own to interrupt a body, which misses a request whose body it has not begun to read.
	x.body.Interrupted = handler.ErrUploadInterrupted
	x.body.Malformed = func() error { x.err = reqbody.ErrMalformed(); return failed }
	if x.draft == "" {
		w.Header().Set("Tus-Resumable", "1.0.0")
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body = x.body
	x.r = r
	defer x.body.Release()
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
	who, err := h.Identify(r)
	if err != nil {
		return err
	}
	r = r.WithContext(auth.NewContext(r.Context(), who))
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
		if x.upload, err = h.mayTouch(r, who, id); err != nil {
			return err
		}
		if x.upload.State == file.Deleted { // a part that a final upload has used up
			x.w.WriteHeader(http.StatusNoContent)
			return nil
		}
	} else if err := h.mayBegin(x, r, who); err != nil {
		return err
	} else if len(x.sources) > 0 {
		return h.createFinal(x, r, who)
	}
	r.URL.RawPath = ""
	next.ServeHTTP(x.writer(), r)
	return nil
}

// mayBegin asks whether this identity has not begun too many uploads of late. A final upload
// and its parts are one.
func (h *Handler) mayBegin(x *exchange, r *http.Request, who file.Identity) error {
	if x.partial {
		return h.Limits.Part(r, who)
	}
	return h.Limits.Upload(r, who)
}

// mayTouch asks whether this identity may do anything with an upload, and returns its row.
func (h *Handler) mayTouch(r *http.Request, who file.Identity, id file.ID) (*file.Upload, error) {
	u, err := h.Engine.Row(r.Context(), id)
	if err != nil {
		return nil, err
	}
	// A client that gives up ends the parts after the final upload: it need not know that they
	// were used up.
	again := r.Method == http.MethodDelete && u.Partial && access.Upload(who, u) == nil
	if u.State == file.Deleted && !u.Gone() && !again {
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
		return nil, file.Refuse(file.ErrForbidden, "A final upload takes no bytes of its own") // tus 1.0.0, Concatenation
	case r.Method == http.MethodPatch && u.Done():
		return u, addsNothing(r, u)
	}
	if n, given, err := parseLength(r.Header, "Upload-Length"); err == nil && given && !u.Deferred && n == u.Size {
		r.Header.Del("Upload-Length") // the request that declared it is sent again; tusd would refuse it for that
	}
	return u, nil
}

// precondition looks at the conditions of a request that ends an upload, or deletes the file
// that it became. What is no file yet has no entity tag to match (RFC 9110, 13.1.1).
func (h *Handler) precondition(r *http.Request, u *file.Upload) error {
	if u.State == file.Recorded {
		return h.Precondition(r, u.ID)
	}
	if len(r.Header.Values("If-Match")) > 0 {
		return file.ErrPrecondition
	}
	return nil
}

// addsNothing refuses a PATCH of an upload that has all its bytes, unless it asks for nothing:
// a client whose answer was lost sends it again. tusd would not look at it.
func addsNothing(r *http.Request, u *file.Upload) error {
	if offset, given, err := parseLength(r.Header, "Upload-Offset"); err != nil || !given || offset != u.Offset {
		return err // which tusd answers
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
		return file.Refuse(file.ErrTooLarge, "The upload has all its %d bytes, and takes no more", u.Size)
	}
	return nil
}

// createFinal puts partial uploads together (tus 1.0.0, Concatenation). A client that asks for
// the same again, because the answer was lost, gets the same upload.
func (h *Handler) createFinal(x *exchange, r *http.Request, who file.Identity) error {
	if r.Header.Get("Content-Type") == octets {
		return file.Refuse(file.ErrForbidden, "A final upload takes no bytes of its own")
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
	ctx, cancel := context.WithTimeout(r.Context(), lockTimeout)
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

// discover says what the endpoint can do (tus 1.0.0, OPTIONS).
func (h *Handler) discover(x *exchange) {
	x.w.Header().Set("Tus-Version", "1.0.0")
	extensions := "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,concatenation"
	if !h.ThroughProxy(x.r) { // many drop trailers, and what announced them: then a wrong sum could not be told from none
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
