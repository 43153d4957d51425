package download

import (
	"context"
	"net/http"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// redirectTTL is how long an address in the store works. It is looked at when a download
// begins; one that goes on later begins here again.
const redirectTTL = 15 * time.Minute

// Redirect says which files clients fetch from the store directly.
type Redirect struct {
	// Above is the size in bytes over which a file is not served by us.
	Above int64
	// Presign makes a URL in the store that opens one object without credentials.
	Presign func(ctx context.Context, at file.Location, p storage.Presigned) (string, error)
}

// redirected sends the client to the store, if that is the way for this file. Who may
// have the file is decided by then. Ranges and conditions are the store's business: its
// entity tag is another one than ours, so a condition on ours gives the whole file.
func (h *Handler) redirected(w http.ResponseWriter, r *http.Request, rec file.Record, spans []byteRange) bool {
	if h.Redirect == nil || rec.Size <= h.Redirect.Above {
		return false
	}
	if r.Method == http.MethodGet { // what the client takes there is not known here: all that it asks for
		if _, _, err := h.charge(r, rec, spans); err != nil {
			h.Respond.Write(w, r, err)
			return true
		}
	}
	inline := r.URL.Query().Get("disposition") == "inline" && showable(file.BaseType(rec.Type))
	address, err := h.Redirect.Presign(r.Context(), rec.Location, storage.Presigned{
		Method: r.Method, TTL: redirectTTL, Disposition: disposition(inline, rec.Name), Type: rec.Type,
		CacheControl: h.CacheControl})
	if err != nil {
		h.Respond.Write(w, r, err)
		return true
	}
	w.Header().Set("Location", address)
	w.Header().Set("Cache-Control", "no-store") // the address opens the file to anybody
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return true
}
