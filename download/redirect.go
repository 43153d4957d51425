package download

import (
	"context"
	"net/http"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// redirectTTL is how long a presigned URL works. The store checks it when a download begins; a client that resumes
// later is redirected again.
const redirectTTL = 15 * time.Minute

// Redirect selects the files that clients fetch from the store directly.
type Redirect struct {
	// Above is the size in bytes over which clients fetch a file from the store.
	Above int64
	// Presign returns a URL of the store that opens one object without credentials.
	Presign func(ctx context.Context, at file.Location, p storage.PresignOptions) (string, error)
}

// redirected redirects the client to the store if this file is fetched from there, and reports whether it has
// answered. The caller has checked access. The store evaluates ranges and conditions: its ETag is not ours, so a
// condition on ours gives the whole file.
func (h *Handler) redirected(w http.ResponseWriter, r *http.Request, rec file.Record, spans []byteRange) bool {
	if h.Redirect == nil || rec.Size <= h.Redirect.Above {
		return false
	}
	if r.Method == http.MethodGet { // all that was requested counts: what is then fetched from the store is not seen here
		if _, _, err := h.charge(r, rec, spans); err != nil {
			h.Respond.Write(w, r, err)
			return true
		}
	}
	inline := r.URL.Query().Get("disposition") == "inline" && showable(file.BaseType(rec.Type))
	address, err := h.Redirect.Presign(r.Context(), rec.Location, storage.PresignOptions{
		Method: r.Method, TTL: redirectTTL, Disposition: disposition(inline, rec.Name), Type: rec.Type,
		CacheControl: h.CacheControl})
	if err != nil {
		h.Respond.Write(w, r, err)
		return true
	}
	w.Header().Set("Location", address)
	w.Header().Set("Cache-Control", "no-store") // the URL needs no token
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return true
}
