package download

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"holdfast/file"
)

// manyLinks has this many links to each file.
type manyLinks struct {
	LinkRows
	n int
}

func (m manyLinks) Links(context.Context, file.ID) ([]file.Link, error) {
	return make([]file.Link, m.n), nil
}

func TestLinksOfAFileAreBounded(t *testing.T) {
	for n, room := range map[int]bool{0: true, maxLinks - 1: true, maxLinks: false, maxLinks + 1: false} {
		h := New(Options{LinkRows: manyLinks{n: n}})
		if err := h.roomForLink(httptest.NewRequest("POST", "/", nil), "id"); (err == nil) != room || err != nil &&
			!errors.Is(err, file.ErrForbidden) {
			t.Errorf("%d links: %v", n, err)
		}
	}
}
