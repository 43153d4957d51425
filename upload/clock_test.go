package upload_test

import (
	"net/http"
	"testing"
	"time"

	"holdfast/internal/test/uploadtest"
)

// The clock is set ahead by a day while a request sends an upload, and a sweep comes before the next renewal of the
// lease: lease and upload seem to have expired, but what is acknowledged stays.
func TestClockSetAheadDuringUpload(t *testing.T) {
	worlds(t, func(w *world) {
		w.LeaseTTL = time.Minute // so that no renewal comes in between
		e := w.Start()
		content := uploadtest.Content(100)
		url := w.Create(len(content))
		if status, _, err := w.Patch(t.Context(), url, 0, content[:10]); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		s, err := e.Take(t.Context(), uploadtest.ID(url), nil)
		if err != nil {
			t.Fatal(err)
		}
		expired := func() bool {
			u, err := e.Row(t.Context(), uploadtest.ID(url))
			if err != nil {
				t.Fatal(err)
			}
			return u.Gone()
		}
		if _, err := w.Raw.Exec("update uploads set expires = 1"); err != nil {
			t.Fatal(err)
		}
		if expired() {
			t.Error("others are told that an upload in use has expired")
		}
		if _, err := w.Raw.Exec("update uploads set lease_until = 1"); err != nil {
			t.Fatal(err)
		}
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !w.Lives(uploadtest.ID(url)) {
			t.Error("an upload in use has expired")
		}
		s.Close()
		if !expired() {
			t.Error("nobody uses it, and it has not expired")
		}
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.Lives(uploadtest.ID(url)) {
			t.Error("an upload that nobody uses has not expired")
		}
	})
}
