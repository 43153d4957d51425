package tus_test

import (
	"net/http"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// The sources of a final upload must be the caller's own, partial, and complete.
func TestConcatRefusals(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		good := w.Partials([]byte("abc"))[0]
		whole := w.Create(3)
		status, h, _ := w.Send(t.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Length", "5", "Upload-Concat",
			"partial")
		unfinished := h.Get("Location")
		if status != http.StatusCreated {
			t.Fatal(status)
		}
		foreign := func() string {
			w.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
			defer w.As(uploadtest.Alice)
			return w.Partials([]byte("secret"))[0]
		}()
		for name, c := range map[string]struct {
			urls   []string
			header []string
			status int
		}{
			"another one's":        {[]string{good, foreign}, nil, http.StatusForbidden},
			"unfinished":           {[]string{good, unfinished}, nil, http.StatusBadRequest},
			"not partial":          {[]string{good, whole}, nil, http.StatusBadRequest},
			"unknown":              {[]string{good, "/files/tus/unknown"}, nil, http.StatusNotFound},
			"with a length":        {[]string{good}, []string{"Upload-Length", "3"}, http.StatusBadRequest},
			"with bytes":           {[]string{good}, []string{"Content-Type", uploadtest.Octets}, http.StatusForbidden},
			"with broken metadata": {[]string{good}, []string{"Upload-Metadata", "a %"}, http.StatusBadRequest},
		} {
			if status, _, err := w.Final(c.urls, c.header...); err != nil || status != c.status {
				t.Errorf("%s: %d %v, want %d", name, status, err, c.status)
			}
		}
		w.Small(4)
		if status, _, _ := w.Final([]string{good, w.Partials([]byte("de"))[0]}); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a sum over the cap: %d", status)
		}
		if status, h, _ := w.Final([]string{good}); status != http.StatusCreated {
			t.Errorf("what was refused can't be used any more: %d %v", status, h)
		}
	})
}
