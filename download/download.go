// Package download answers GET and HEAD of a file, lists files, and deletes them.
// Ranges and conditions are net/http's business (RFC 9110); this package gives it
// something to seek in that opens the store no sooner than bytes are needed.
//
// # Errors
//
// file.ErrNotFound for an id that names no file, file.ErrDenied for a file that is not
// this identity's, file.ErrObjectMissing for a record without its object, and
// file.ErrUnavailable when SQL or the store don't answer.
package download

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/storage"
)

// Records is what downloads need of SQL.
type Records interface {
	File(ctx context.Context, id file.ID) (file.Record, error)
	Files(ctx context.Context, userID, accountID int64, after file.ID, limit int) ([]file.Record, error)
	DeleteFile(ctx context.Context, r file.Record) error
}

// Objects is what downloads need of the store.
type Objects interface {
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
}

// Handler serves files.
type Handler struct {
	Records Records
	Objects Objects
	Layout  storage.Layout
	Respond problem.Responder
	// Remove takes what a deleted file left out of the store.
	Remove func(context.Context, file.ID)
	// Base is the URL under which files are seen, without a trailing slash.
	Base string
}

// policy keeps whatever a file holds from running when a browser shows it.
const policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'"

// Serve answers GET and HEAD of the file id for the identity in r's context.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, id file.ID) {
	rec, err := h.find(r, id)
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", rec.Type)
	header.Set("Content-Disposition", disposition(rec.Name))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "private, no-cache")
	if tag := entityTag(rec); tag != "" {
		header.Set("ETag", tag)
	}
	o := &object{ctx: r.Context(), objects: h.Objects, record: rec}
	defer o.Close()
	http.ServeContent(&opener{ResponseWriter: w, r: r, respond: h.Respond, object: o}, r, "", rec.CreatedAt.Truncate(time.Second), o)
}

// find reads a record and asks whether r's identity may have it.
func (h *Handler) find(r *http.Request, id file.ID) (file.Record, error) {
	who, ok := auth.FromContext(r.Context())
	if !ok {
		return file.Record{}, file.ErrUnauthenticated
	}
	rec, err := h.Records.File(r.Context(), id)
	if err != nil {
		return file.Record{}, err
	}
	if err := access.File(who, rec); err != nil {
		return file.Record{}, err
	}
	if rec.Location == (file.Location{}) { // written by another program
		rec.Location = h.Layout.Object(rec.AccountID, rec.ID)
	}
	return rec, nil
}

// Delete removes the file id: first its record, so that nobody sees it any more, then
// its object.
func (h *Handler) Delete(w http.ResponseWriter, r *http.Request, id file.ID) {
	rec, err := h.find(r, id)
	if err == nil {
		err = h.Records.DeleteFile(r.Context(), rec)
	}
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	h.Remove(r.Context(), id)
	w.WriteHeader(http.StatusNoContent)
}

// disposition names the file in UTF-8 (RFC 6266, RFC 8187).
func disposition(name string) string {
	// PathEscape leaves some characters that an attr-char is not.
	escaped := strings.NewReplacer("@", "%40", ":", "%3A", "=", "%3D", "'", "%27", "(", "%28", ")", "%29", "*", "%2A").Replace(url.PathEscape(name))
	return "attachment; filename*=utf-8''" + escaped
}

// entityTag is a strong tag that changes with the content only (RFC 9110, 8.8.3).
func entityTag(r file.Record) string {
	if len(r.SHA256) > 0 {
		return `"` + hex.EncodeToString(r.SHA256) + `"`
	}
	if tag := strings.Trim(r.ETag, `"`); tag != "" {
		return fmt.Sprintf("%q", tag)
	}
	return ""
}
