package download

import (
	"context"
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

type listedFile struct {
	ID        file.ID   `json:"id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"` // bytes
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url"`
}

type filePage struct {
	Files []listedFile `json:"files"`
	// Next is the value of "after" for the next page; null on the last one.
	Next *string `json:"next"`
}

// List answers with the files that the identity in r's context may list, newest first: at most "limit" of them,
// starting after the cursor "after". A caller that may list none gets an empty list.
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

func (h *Handler) list(r *http.Request) (filePage, error) {
	who, ok := auth.FromContext(r.Context())
	if !ok {
		return filePage{}, file.ErrUnauthenticated
	}
	q, err := parameters(r, "limit", "after")
	if err != nil {
		return filePage{}, err
	}
	limit := defaultPage
	if s, given := q["limit"]; given {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > longestPage {
			return filePage{}, file.Refuse(file.ErrInvalid, "limit must be a number from 1 to %d", longestPage)
		}
		limit = n
	}
	after, err := h.cursor(r.Context(), q["after"], who)
	if err != nil {
		return filePage{}, err
	}
	p := filePage{Files: []listedFile{}}
	user, err := access.List(who)
	if errors.Is(err, file.ErrForbidden) {
		return p, nil
	}
	if err != nil {
		return filePage{}, err
	}
	records, next, err := h.Records.Files(r.Context(), user, who.AccountID, after, limit)
	if err != nil {
		return filePage{}, err
	}
	if next != (file.Cursor{}) {
		p.Next = new(next.String())
	}
	base := h.Base(r)
	for _, rec := range records {
		p.Files = append(p.Files, listedFile{rec.ID, rec.Name, rec.Size, file.BaseType(rec.Type), rec.CreatedAt,
			rec.ID.URL(base)})
	}
	return p, nil
}

// cursor returns the cursor at which the page begins. "after" may also be the id of a listed file, which earlier
// versions gave out as the cursor.
func (h *Handler) cursor(ctx context.Context, s string, who file.Identity) (file.Cursor, error) {
	if s == "" {
		return file.Cursor{}, nil
	}
	if cursor, ok := file.ParseCursor(s); ok {
		return cursor, nil
	}
	refusal := file.Refuse(file.ErrInvalid, "after must be the value of next on the previous page")
	id, err := file.ParseID(s)
	if err != nil {
		return file.Cursor{}, refusal
	}
	// Not from the cache: the file may have been deleted by another replica.
	cursor, rec, err := h.Records.Cursor(ctx, id)
	if err == nil {
		err = access.Change(who, rec)
	}
	if errors.Is(err, file.ErrNotFound) || errors.Is(err, file.ErrDenied) {
		return file.Cursor{}, refusal
	}
	return cursor, err
}
