package download

import (
	"context"
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

// List answers with the files that the identity in r's context may list, newest first: at most "limit" of them,
// starting after the cursor "after". "next" is the value of "after" for the next page; null on the last one. A caller
// that may list none gets an empty list.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	l, err := h.listing(r)
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	writeList(w, r, h.Respond, "files", l.piece, l.next)
}

// listing is a page of files that is read a piece at a time.
type listing struct {
	h             *Handler
	ctx           context.Context
	user, account int64
	base          string
	after         file.Cursor // of what was read; its zero value: nothing follows
	left          int         // at most so many files follow
}

func (h *Handler) listing(r *http.Request) (*listing, error) {
	who, ok := auth.FromContext(r.Context())
	if !ok {
		return nil, file.ErrUnauthenticated
	}
	q, err := parameters(r, "limit", "after")
	if err != nil {
		return nil, err
	}
	limit := defaultPage
	if s, given := q["limit"]; given {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > longestPage {
			return nil, file.Refuse(file.ErrInvalid, "limit must be a number from 1 to %d", longestPage)
		}
		limit = n
	}
	after, err := h.cursor(r.Context(), q["after"], who)
	if err != nil {
		return nil, err
	}
	user, err := access.List(who)
	if errors.Is(err, file.ErrForbidden) {
		return &listing{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &listing{h, r.Context(), user, who.AccountID, h.Base(r), after, limit}, nil
}

func (l *listing) piece() ([]listedFile, error) {
	if l.left == 0 {
		return nil, nil
	}
	records, next, err := l.h.Records.Files(l.ctx, l.user, l.account, l.after, min(l.left, piece))
	if err != nil {
		return nil, err
	}
	if l.left -= len(records); next == (file.Cursor{}) {
		l.left = 0
	}
	l.after = next
	var files []listedFile
	for _, rec := range records {
		files = append(files, listedFile{rec.ID, rec.Name, rec.Size, file.BaseType(rec.Type), rec.CreatedAt,
			rec.ID.URL(l.base)})
	}
	return files, nil
}

func (l *listing) next() *string {
	if l.after == (file.Cursor{}) {
		return nil
	}
	return new(l.after.String())
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
