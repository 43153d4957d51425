package upload_test

import (
	"context"
	"net/http"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// An upload that has all its bytes and that nobody scans is tried again with each sweep. It runs out
// only when that was in vain for a time after its own has ended: nobody may have been there before.
// What waits for the store or the database does not run out.
func TestUploadsThatNobodyScansRunOut(t *testing.T) {
	worlds(t, func(w *world) {
		var fault error
		w.Scan = func(context.Context, *file.Upload) error { return fault }
		e := w.Start()
		body := uploadtest.Content(uploadtest.PartSize + 1000)
		begin := func() (url string) {
			t := w.T
			t.Helper()
			url = w.Create(len(body))
			if status, _, err := w.Patch(t.Context(), url, 0, body); err != nil || status != http.StatusServiceUnavailable {
				t.Fatal(status, err)
			}
			return url
		}
		sweep := func() {
			w.T.Helper()
			if err := e.Sweep(w.T.Context()); err != nil {
				w.T.Fatal(err)
			}
		}
		late := func(url string) {
			w.T.Helper()
			if _, err := w.Raw.Exec("update uploads set expires = 1, ttl = 1 where id = '" + string(uploadtest.ID(url)) +
				"'"); err != nil {
				w.T.Fatal(err)
			}
		}

		fault = file.ErrScanner
		young, old, healed := begin(), begin(), begin()
		late(old)
		late(healed)
		sweep()
		if !w.Lives(uploadtest.ID(old)) {
			w.T.Error("it was given up at the first time")
		}
		fault = nil
		if w.Head(healed) != int64(len(body)) {
			w.T.Error("a client that comes again does not end it")
		}
		w.Check(healed, body)
		fault = file.ErrStorageRead
		stuck := begin()
		late(stuck)
		for range 3 {
			sweep()
		}
		if !w.Lives(uploadtest.ID(stuck)) || !w.Lives(uploadtest.ID(old)) {
			w.T.Error("one that waits for the store has run out")
		}
		fault = file.ErrScanner
		sweep()
		for n := 0; w.Lives(uploadtest.ID(old)); n++ { // its time may be a millisecond
			if n == 100 {
				w.T.Fatal("it never runs out")
			}
			sweep()
		}
		if n := w.InStore(string(uploadtest.ID(old))); n != 0 {
			w.T.Errorf("%d objects stay", n)
		}
		if !w.Lives(uploadtest.ID(young)) {
			w.T.Error("one whose time has not ended has run out")
		}
		fault = nil
		sweep()
		w.Check(young, body)
	})
}
