package download

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
)

const (
	defaultPage = 50
	longestPage = 1000
)

type listed struct {
	ID        file.ID   `json:"id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"` // bytes
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url"`
}

type page struct {
	Files []listed `json:"files"`
	// Next is the value of "after" for the next page; null on the last one.
	Next *file.ID `json:"next"`
}

// List answers with the files that the identity in r's context may list, newest first: at
// most "limit" of them, behind the one named by "after". Who may list none gets none.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	p, err := h.list(r)
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(p)
}

func (h *Handler) list(r *http.Request) (page, error) {
	who, ok := auth.FromContext(r.Context())
	if !ok {
		return page{}, file.ErrUnauthenticated
	}
	limit, after := defaultPage, file.ID("")
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > longestPage {
			return page{}, file.Refuse(file.ErrInvalid, "limit must be a number from 1 to %d", longestPage)
		}
		limit = n
	}
	if s := r.URL.Query().Get("after"); s != "" {
		id, err := file.ParseID(s)
		if err != nil {
			return page{}, file.Refuse(file.ErrInvalid, "after must be the id of a file")
		}
		if _, err := h.find(r, id, access.Change); errors.Is(err, file.ErrNotFound) || errors.Is(err, file.ErrDenied) {
			return page{}, file.Refuse(file.ErrInvalid, "after must be the id of a file that is listed")
		} else if err != nil {
			return page{}, err
		}
		after = id
	}
	p := page{Files: []listed{}}
	user, err := access.List(who)
	if errors.Is(err, file.ErrForbidden) {
		return p, nil
	}
	if err != nil {
		return page{}, err
	}
	records, err := h.Records.Files(r.Context(), user, who.AccountID, after, limit+1)
	if err != nil {
		return page{}, err
	}
	if len(records) > limit {
		records = records[:limit]
		p.Next = &records[limit-1].ID
	}
	for _, rec := range records {
		p.Files = append(p.Files, listed{rec.ID, rec.Name, rec.Size, rec.Type, rec.CreatedAt, h.Base + "/" + rec.ID.Escaped()})
	}
	return p, nil
}
