package download

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/file"
)

// A request that changes a file is performed only if its conditions hold (RFC 9110, 13.2.2).
func TestPrecondition(t *testing.T) {
	rec := file.Record{ETag: `"a"`, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"Accept", "*/*", true},
		{"If-Match", `"a"`, true}, {"If-Match", `"b", "a"`, true}, {"If-Match", "*", true},
		{"If-Match", `"b"`, false}, {"If-Match", `W/"a"`, false},
		{"If-None-Match", `"b"`, true}, {"If-None-Match", `"a"`, false}, {"If-None-Match", `W/"a"`, false}, {"If-None-Match",
			"*", false},
		{"If-Unmodified-Since", "Fri, 02 Jan 2026 03:04:05 GMT", true}, {"If-Unmodified-Since",
			"Fri, 02 Jan 2026 03:04:04 GMT", false},
		{"If-Unmodified-Since", "yesterday", true},
	} {
		r := httptest.NewRequest("DELETE", "/x", nil)
		r.Header.Set(c.name, c.value)
		if err := precondition(r, rec); (err == nil) != c.ok || err != nil && !errors.Is(err, file.ErrPrecondition) {
			t.Errorf("%s: %s: %v", c.name, c.value, err)
		}
	}
}
