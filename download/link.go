package download

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"holdfast/file"
)

const (
	// defaultLinkTTL is the life of a link that was not given one.
	defaultLinkTTL = time.Hour
	// maxLinkRequest is the longest request for a link, in bytes.
	maxLinkRequest = 4 << 10
)

// linkRequest is what a client asks for. All of it may be left out.
type linkRequest struct {
	ExpiresIn   *int64 `json:"expires_in"` // seconds from now
	Disposition string `json:"disposition"`
}

type link struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Link answers with an address of the file id that opens it, for GET and HEAD, without a
// token until it expires. Whoever may read the file can have one.
func (h *Handler) Link(w http.ResponseWriter, r *http.Request, id file.ID) {
	l, err := h.link(w, r, id)
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // a shell that cuts the address out sees "&", not "\u0026"
	e.Encode(l)
}

func (h *Handler) link(w http.ResponseWriter, r *http.Request, id file.ID) (link, error) {
	if _, err := h.readable(r, id); err != nil {
		return link{}, err
	}
	var asked linkRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLinkRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil && !errors.Is(err, io.EOF) {
		return link{}, file.Refuse(file.ErrInvalid, `want JSON like {"expires_in": 3600, "disposition": "inline"}`)
	}
	ttl := min(defaultLinkTTL, h.LinkMaxTTL)
	if asked.ExpiresIn != nil {
		most := int64(h.LinkMaxTTL / time.Second)
		if *asked.ExpiresIn < 1 || *asked.ExpiresIn > most {
			return link{}, file.Refuse(file.ErrInvalid, "expires_in must be a number of seconds from 1 to %d", most)
		}
		ttl = time.Duration(*asked.ExpiresIn) * time.Second
	}
	switch asked.Disposition {
	case "", "attachment", "inline":
	default:
		return link{}, file.Refuse(file.ErrInvalid, "disposition must be attachment or inline")
	}
	expires := time.Now().Add(ttl).Truncate(time.Second).UTC()
	return link{h.Base + "/" + id.Escaped() + "?" + h.Links.Sign(id, expires, asked.Disposition), expires}, nil
}
