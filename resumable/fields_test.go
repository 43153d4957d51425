package resumable

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"holdfast/file"
)

// largestInteger is the largest Integer of a structured field (RFC 9651, 3.3.1).
const largestInteger = 999_999_999_999_999

// Every field is either read as a value of the right type or ignored.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{"5", "-5", "?1", "?0", "5;a=1", "1.5", `"5"`, "(1 2)", "5, 6", "", "?1;a", "\x00", "ö",
		"9999999999999999", "10", "3", "99"} {
		f.Add(http.MethodPost, seed, seed, seed, "")
	}
	f.Add(http.MethodPatch, "0", "?1", "8", "1.0.0")
	f.Fuzz(func(t *testing.T, method, offset, complete, interop, tus string) {
		h := http.Header{uploadOffset: {offset}, uploadComplete: {complete}, interopVersion: {interop}}
		if tus != "" {
			h.Set("Tus-Resumable", tus)
		}
		if n, given := integer(h, uploadOffset); given && (n < 0 || n > largestInteger) {
			t.Errorf("%q is %d", offset, n)
		}
		if value, given := isComplete(h); value && !given {
			t.Errorf("%q is true, and not there", complete)
		}
		v, handled, err := versionOf(&http.Request{Method: method, Header: h})
		switch {
		case err != nil && (!handled || !errors.Is(err, file.ErrVersion)):
			t.Errorf("%q: %v", interop, err)
		case v != final && (!handled || v < oldest || v > newest):
			t.Errorf("%q is version %d", interop, v)
		case !handled && (tus == "" && !slices.Contains([]string{http.MethodGet, http.MethodHead}, method)) && v != final:
			t.Errorf("%q: %d is for the tus endpoint", interop, v)
		}
	})
}

// Every creation is either refused as invalid, or has no length or one of at least 0.
func FuzzCreation(f *testing.F) {
	f.Add("10", "?1", int64(10), `inline; filename=a.txt; filename*=UTF-8''%c3%84.txt`, "text/plain", "", "b.txt")
	f.Add("-1", "?0", int64(-1), ";;", ";;", "sha-256=:AAAA:", "..")
	f.Add("", "", int64(0), "attachment", "", "sha-256=x", "")
	f.Fuzz(func(t *testing.T, length, complete string, body int64, disposition, contentType, repr, path string) {
		r := httptest.NewRequest(http.MethodPut, "/", nil)
		r.ContentLength = max(-1, body)
		for name, value := range map[string]string{uploadLength: length, uploadComplete: complete,
			"Content-Disposition": disposition, "Content-Type": contentType, "Repr-Digest": repr} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		c, err := (&exchange{r: r}).readCreation(path)
		switch {
		case err != nil && !errors.Is(err, file.ErrInvalid) && !errors.Is(err, file.ErrLength):
			t.Errorf("%v", err)
		case err == nil && (c.Size < 0 || c.Deferred && c.Size != 0):
			t.Errorf("the length is %d, unknown: %t", c.Size, c.Deferred)
		case err == nil && c.Claim != nil && len(c.Claim) != 32:
			t.Errorf("a SHA-256 of %d bytes", len(c.Claim))
		case err == nil && file.CleanName(c.Name) == "":
			t.Errorf("%q leaves no name", c.Name)
		}
	})
}
