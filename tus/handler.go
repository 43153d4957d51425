package tus

import (
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
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/problem"
)

// Options of the endpoint.
type Options struct {
	Engine  *Engine
	Hooks   *hooks.Hooks
	Respond problem.Responder
	// Identify says who sent a request.
	Identify func(*http.Request) (file.Identity, error)
	// Download answers GET of a finished upload.
	Download func(http.ResponseWriter, *http.Request, file.ID)
	// Base is the URL under which files are seen, without a trailing slash.
	Base string
	// ReadTimeout ends a request that sends no byte for so long.
	ReadTimeout time.Duration
}

// lockTimeout is the longest that a request waits for another one to let go.
const lockTimeout = 18 * time.Second

// Handler is the tus endpoint (tus 1.0.0 core, creation, creation-with-upload,
// creation-defer-length, termination). It expects paths with the prefix cut: "/" for
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
		BasePath:      o.Base + "/tus/",
		// The cap is not tusd's: hooks.Fits is the one place for it.
		MaxSize:              0,
		DisableDownload:      true,
		DisableConcatenation: true,
		Cors:                 &handler.CorsConfig{Disable: true},
		// One line at the edge is enough; tusd writes one for each step of each request.
		Logger:             xslog.New(xslog.NewTextHandler(io.Discard, nil)),
		NetworkTimeout:     o.ReadTimeout,
		AcquireLockTimeout: lockTimeout,
		PreUploadCreateCallback: func(e handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
			changes, err := o.Hooks.PreUploadCreate(e)
			return handler.HTTPResponse{}, changes, fail(e.Context, err)
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
	w.Header().Set("Tus-Resumable", "1.0.0")
	x := &exchange{ResponseWriter: w, sent: sent, respond: h.Respond, base: h.Base, body: &countingBody{ReadCloser: r.Body}, stopping: h.Engine.leases.isStopping}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.body.ended.Store(r.Body == http.NoBody)
	r.Body = x.body
	x.r = r
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
		x.Header().Set("Allow", "POST, OPTIONS")
		return file.ErrMethod
	case name != "" && next == nil && r.Method != http.MethodGet:
		x.Header().Set("Allow", "GET, HEAD, PATCH, DELETE, OPTIONS")
		return file.ErrMethod
	}
	if err := checkHeaders(r); err != nil {
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
			x.Header().Del("Tus-Resumable")
			h.Download(x.ResponseWriter, r, id)
			return nil
		}
		if err := h.mayTouch(r.Context(), who, id); err != nil {
			return err
		}
	}
	r.URL.RawPath = ""
	next.ServeHTTP(x, r)
	return nil
}

// mayTouch asks whether this identity may do anything with an upload.
func (h *Handler) mayTouch(ctx context.Context, who file.Identity, id file.ID) error {
	u, err := h.Engine.rows.UploadRow(ctx, id)
	if err != nil {
		return err
	}
	if u.State == file.Deleted {
		return file.NotFound(id)
	}
	return access.Upload(who, u)
}

// discover says what the endpoint can do (tus 1.0.0, OPTIONS).
func (h *Handler) discover(x *exchange) {
	x.Header().Set("Tus-Version", "1.0.0")
	x.Header().Set("Tus-Extension", "creation,creation-with-upload,creation-defer-length,termination")
	x.Header().Set("Tus-Max-Size", strconv.FormatInt(h.Hooks.MaxSize(), 10))
	x.ResponseWriter.WriteHeader(http.StatusNoContent)
}

// checkHeaders refuses what tusd would let pass or take for something else.
func checkHeaders(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil // a browser may come here, without the header
	}
	if r.Header.Get("Tus-Resumable") != "1.0.0" {
		return file.ErrVersion
	}
	for _, name := range []string{"Upload-Length", "Upload-Offset"} {
		values := r.Header.Values(name)
		if len(values) > 1 {
			return file.Refuse(file.ErrInvalid, "%s is given twice", name)
		}
		if len(values) == 0 {
			continue
		}
		v := values[0]
		if v == "" || strings.Trim(v, "0123456789") != "" {
			return file.Refuse(file.ErrInvalid, "%s must be a number of bytes, not %q", name, short(v))
		}
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			kind := file.ErrTooLarge
			if name == "Upload-Offset" {
				kind = file.ErrInvalid
			}
			return file.Refuse(kind, "%s %s is beyond any file", name, short(v))
		}
	}
	if c := r.Header.Get("Upload-Concat"); c != "" {
		return file.Refuse(file.ErrInvalid, "Upload-Concat: this service does not put uploads together")
	}
	return nil
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
