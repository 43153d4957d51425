package download

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast/file"
)

// conditional reports whether a request has conditions.
func conditional(r *http.Request) bool {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// precondition returns file.ErrPrecondition if a request that changes rec must not be performed (RFC 9110, 13.2.2).
// http.ServeContent handles GET and HEAD.
func precondition(r *http.Request, rec file.Record) error {
	tag := entityTag(rec)
	switch match, since := tags(r, "If-Match"), r.Header.Get("If-Unmodified-Since"); {
	case len(r.Header.Values("If-Match")) > 0: // an empty list matches nothing
		if !slices.Contains(match, "*") && !slices.Contains(match, tag) { // a strong comparison: W/ never matches
			return file.ErrPrecondition
		}
	case since != "":
		// An invalid date is ignored (13.1.4).
		if t, err := http.ParseTime(since); err == nil && rec.CreatedAt.Truncate(time.Second).After(t) {
			return file.ErrPrecondition
		}
	}
	for _, not := range tags(r, "If-None-Match") {
		if not == "*" || strings.TrimPrefix(not, "W/") == tag {
			return file.ErrPrecondition
		}
	}
	return nil
}

// Precondition returns file.ErrPrecondition if the conditions of a request that changes a file don't hold.
func (h *Handler) Precondition(r *http.Request, id file.ID) error {
	if !conditional(r) {
		return nil
	}
	rec, err := h.Records.File(r.Context(), id)
	if err == nil {
		rec, err = h.completeRecord(r.Context(), rec)
	}
	if err != nil {
		return err
	}
	return precondition(r, rec)
}

// tags returns the entity tags of a header, which may have several lines. None of our tags contains a comma.
func tags(r *http.Request, name string) (all []string) {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values(name), ","), ",") {
		if part = strings.Trim(part, " \t"); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// IsFile reports whether there is a file with this id. Files that were asked for lately are known without a query.
func (h *Handler) IsFile(ctx context.Context, id file.ID) bool {
	_, err := h.Records.File(ctx, id)
	return err == nil
}
