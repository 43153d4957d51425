// Package download serves files, lists and deletes them, and manages their signed links and grants. net/http handles
// ranges and conditions (RFC 9110); this package gives it an io.ReadSeeker that opens the store only when bytes are
// needed, and only for those bytes.
//
// # Errors
//
// file.ErrNotFound for an id that names no file, file.ErrDenied for a file that the caller may not access,
// file.ErrObjectMissing for a record without its object, file.ErrObjectChanged for a record whose object was replaced
// or is shorter, and file.ErrUnavailable if SQL or the store don't answer. If the store fails after the answer has
// begun, and the retries fail too, the connection is cut.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/internal/cache"
	"holdfast/problem"
	"holdfast/storage"
)

// Records are the records of files in SQL.
type Records interface {
	// File may answer from the cache; Reload does not.
	File(ctx context.Context, id file.ID) (file.Record, error)
	Reload(ctx context.Context, id file.ID) (file.Record, error)
	Files(ctx context.Context, userID, accountID int64, after file.Cursor, limit int) ([]file.Record, file.Cursor, error)
	// Cursor does not answer from the cache.
	Cursor(ctx context.Context, id file.ID) (file.Cursor, file.Record, error)
	DeleteFile(ctx context.Context, r file.Record) error
	// Heal corrects the size of a file that another program recorded.
	Heal(ctx context.Context, id file.ID, size int64) error
}

// Objects are the objects in the store.
type Objects interface {
	Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	Stat(ctx context.Context, at file.Location) (storage.Object, error)
}

// Links makes signed links; auth.Links implements it.
type Links interface {
	Make(ctx context.Context, id file.ID, maker file.Identity, expires time.Time, disposition string) (query, link string,
		err error)
}

// LinkRows are the rows of links: file.ErrNotFound for one that is not in force.
type LinkRows interface {
	Link(ctx context.Context, id string) (file.Link, error)
	// Links lists at most limit of a file's, oldest first, after the link after; its zero value: from the first one on.
	Links(ctx context.Context, id file.ID, after file.Link, limit int) ([]file.Link, error)
	// LinkCounts says how many links of Links each maker has.
	LinkCounts(ctx context.Context, id file.ID) ([]file.LinkCount, error)
	EndLink(ctx context.Context, id file.ID, link string) error
	EndLinks(ctx context.Context, id file.ID) error
	EndLinksOf(ctx context.Context, m file.LinkMaker) (ids []string, err error)
}

// Limits are the rate limits of downloads; limit.Limits implements them.
type Limits interface {
	// CheckDenials is called before the decision whether the caller may read a file, and done with that decision.
	CheckDenials(r *http.Request, who file.Identity) (done func(error), err error)
	// Download counts an answer with n bytes of a file of size bytes. If unsent is not nil, it must be called with the
	// number of those bytes that were not sent.
	Download(r *http.Request, who file.Identity, id file.ID, size, n int64) (unsent func(int64), err error)
	// Link counts a link that the caller wants to make.
	Link(r *http.Request, who file.Identity) error
}

// Options are how files are served.
type Options struct {
	Records  Records
	Grants   Grants
	Access   *access.Decider
	Objects  Objects
	Layout   storage.Layout
	Respond  problem.Responder
	Links    Links
	LinkRows LinkRows
	// Remove removes the objects of a deleted file.
	Remove func(context.Context, file.ID)
	// Base is the URL under which the request's client sees files, without a trailing slash.
	Base func(*http.Request) string

	CacheControl string // of files
	FrameOptions string // X-Frame-Options of a PDF that is to be shown
	// ResourcePolicy is the Cross-Origin-Resource-Policy of files, and of redirects to them.
	ResourcePolicy string
	// StoreTimeout is how long the store may send nothing before the request to it is retried.
	StoreTimeout time.Duration
	// WriteTimeout is how long a client may take for a buffer of 128 KiB.
	WriteTimeout time.Duration
	// LinkMaxTTL is the longest life of a link.
	LinkMaxTTL time.Duration
	// Redirect sends clients to the store for large files; nil: never.
	Redirect *Redirect
	// Limits are the rate limits; nil: none.
	Limits Limits
	// CacheTTL is how long the size of an object that another program wrote is cached.
	CacheTTL time.Duration
}

// Handler serves files.
type Handler struct {
	Options
	metrics     *metrics
	objectStats *cache.Cache[file.ID, storage.Object] // of records that another program wrote
	buffers     sync.Pool                             // of *copyBuffer
}

// New returns a Handler.
func New(o Options) *Handler {
	return &Handler{Options: o, metrics: newMetrics(),
		objectStats: cache.New[file.ID](cache.Options[storage.Object]{TTL: o.CacheTTL}),
		buffers:     sync.Pool{New: func() any { return new(copyBuffer) }}}
}

// Serve answers GET and HEAD of the file id for the identity in r's context.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, id file.ID) {
	w.Header().Add("Vary", auth.Varies())
	c := &countingWriter{ResponseWriter: w, metrics: h.metrics, began: time.Now()}
	if r.Method == http.MethodGet {
		defer c.end()
		w = c
	}
	rec, err := h.findReadable(r, id)
	if err == nil {
		rec, err = h.completeRecord(r.Context(), rec)
	}
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	spans := normalizeRange(r, rec.Size)
	w.Header().Set("Cross-Origin-Resource-Policy", h.ResourcePolicy)
	if h.redirected(w, r, rec, spans) {
		return
	}
	h.describe(w, r, rec)
	ctx, cancel := r.Context(), func() {}
	if len(spans) > 1 { // net/http reads them in a goroutine of its own, which must end
		ctx, cancel = context.WithCancel(ctx)
	}
	o := &object{ctx: ctx, objects: h.Objects, record: rec, stall: h.StoreTimeout, resumes: h.metrics.resumes.Inc,
		reopened: h.metrics.reopened.Inc,
		ranges:   spans}
	answer := &response{ResponseWriter: w, h: h, r: r, object: o, counted: c}
	// finish may panic to cut the connection, and o is closed when nothing reads it any more.
	defer answer.finish()
	defer o.Close()
	defer cancel()
	http.ServeContent(answer, r, "", rec.CreatedAt.Truncate(time.Second), o)
}

// charge counts an answer with these ranges of a file, or with all of it if there are none.
func (h *Handler) charge(r *http.Request, rec file.Record, spans []byteRange) (n int64, unsent func(int64), err error) {
	if n = totalBytes(spans); len(spans) == 0 {
		n = rec.Size
	}
	if h.Limits == nil {
		return n, nil, nil
	}
	who, _ := auth.FromContext(r.Context())
	unsent, err = h.Limits.Download(r, who, rec.ID, rec.Size, n)
	return n, unsent, err
}

// findReadable returns a record whose file r's identity, which may be anonymous, may read. Requests for files that the
// identity may change are never limited, however often it was refused elsewhere; all others are.
func (h *Handler) findReadable(r *http.Request, id file.ID) (rec file.Record, err error) {
	who, _ := auth.FromContext(r.Context())
	rec, err = h.Records.File(r.Context(), id)
	if h.Limits != nil && (err != nil || access.Change(who, rec) != nil) {
		done, refused := h.Limits.CheckDenials(r, who)
		if refused != nil {
			return file.Record{}, refused
		}
		defer func() { done(err) }()
	}
	if err == nil {
		err = h.Access.Read(r.Context(), who, rec)
	}
	return h.found(r, rec, err)
}

// find returns a record if may permits it to r's identity.
func (h *Handler) find(r *http.Request, id file.ID, may func(file.Identity, file.Record) error) (file.Record, error) {
	who, _ := auth.FromContext(r.Context())
	rec, err := h.Records.File(r.Context(), id)
	if err == nil {
		err = may(who, rec)
	}
	return h.found(r, rec, err)
}

func (h *Handler) found(r *http.Request, rec file.Record, err error) (file.Record, error) {
	if err != nil {
		return file.Record{}, auth.Conceal(r.Context(), err)
	}
	rec.Location = h.Layout.Of(rec)
	return rec, nil
}

// completeRecord completes a record that another program wrote, whose size may be 0 or wrong, with the size and ETag
// that the store has, and corrects the size in SQL.
func (h *Handler) completeRecord(ctx context.Context, rec file.Record) (file.Record, error) {
	if rec.ETag != "" {
		return rec, nil
	}
	at := rec.Location
	stat := func(ctx context.Context, _ file.ID) (storage.Object, error) { return h.Objects.Stat(ctx, at) }
	o, err := h.objectStats.Get(ctx, rec.ID, stat)
	if err != nil {
		return rec, h.explainMissing(ctx, rec, err)
	}
	if rec.Size != o.Size {
		if err := h.Records.Heal(ctx, rec.ID, o.Size); err != nil { // the next download tries again
			h.Respond.Log.WarnContext(ctx, "the size in a file's record could not be corrected", "file", rec.ID, "error", err)
		}
	}
	rec.Size, rec.ETag = o.Size, o.ETag
	return rec, nil
}

// explainMissing finds out why an object is missing. The replica that deletes a file invalidates its record at once;
// other replicas may still have it in their cache.
func (h *Handler) explainMissing(ctx context.Context, rec file.Record, err error) error {
	if !errors.Is(err, file.ErrObjectMissing) {
		return err
	}
	h.objectStats.Invalidate(rec.ID)
	if _, now := h.Records.Reload(ctx, rec.ID); errors.Is(now, file.ErrNotFound) {
		return now
	}
	if errors.Is(err, file.ErrObjectChanged) {
		h.metrics.faults.WithLabelValues("changed").Inc()
		return fmt.Errorf("file %s: %w", rec.ID, err)
	}
	h.metrics.faults.WithLabelValues("missing").Inc()
	// A 404 is logged nowhere else.
	h.Respond.Log.LogAttrs(ctx, slog.LevelError, "an object is missing", slog.String("file", string(rec.ID)),
		slog.Any("error", err))
	return err
}

// Delete deletes the file id: first its record, so that it is not visible any more, then its object. It deletes
// nothing if the request's conditions don't hold (RFC 9110, 13.2.1).
func (h *Handler) Delete(w http.ResponseWriter, r *http.Request, id file.ID) {
	rec, err := h.find(r, id, access.Change)
	if err == nil && conditional(r) {
		if rec, err = h.completeRecord(r.Context(), rec); err == nil {
			err = precondition(r, rec)
		}
	}
	if err == nil {
		err = h.Records.DeleteFile(r.Context(), rec)
	}
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	h.metrics.deleted.Inc()
	h.Remove(r.Context(), id)
	w.WriteHeader(http.StatusNoContent)
}
